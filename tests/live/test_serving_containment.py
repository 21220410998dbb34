"""What a client says is said to the model, and done by nobody: with the real Claude Code, over HTTP, in every dialect.

The request for an attempt is the request for a harmless word with that word replaced: nothing was read, run, added,
dropped or changed. The long run tries every text in every field; that of each change, a fortieth of them.
"""

import json
import random
import re
from pathlib import Path

import pytest
import trio
from attrs import define
from live_attempts import CANARY, LISTED, Plants
from live_cli import Surroundings, asked, open_cli
from live_fields import FORMS, SHAPES, names, new_conversation
from live_inside import Inside, open_inside

from cca.backends.live import LiveBackend
from cca.claude import frames
from cca.model import Json
from cca.scripted import open_scripted_model
from survival import Survival

pytestmark = pytest.mark.live

WORD = "A harmless word."

UNCHANGED = "harmless"
"""What stands in each form of it."""

FIELDS = {"chat": 40, "completions": 3, "responses": 55, "conversation": 18, "messages": 65}
"""In how many texts of the request to the model's API the harmless word stands, for each shape."""

SEED = 7

NAME = re.compile(r"[\w-]+", re.ASCII)
"""What is a name or an id, whatever else it may be: ``-v``."""

SHARES = pytest.mark.parametrize("share", [40, pytest.param(1, marks=pytest.mark.soak)], ids=["a fortieth", "all"])

SECONDS = 3600.0
"""For the long run, which starts a process for each request, on a machine that does much else."""


@define
class Room:
    """A server amid plants."""

    server: Inside
    plants: Plants

    async def ask(self, shape: str, text: str) -> Json:
        """Return the one request that reached the model's API, without what each process has of its own."""
        path, body = SHAPES[shape](text)
        if shape == "conversation":
            body["conversation"] = await self.begin(text)
        before = self.server.model.streams_opened
        reply = await self.server.chat(body, path=path)
        assert reply.startswith(b"HTTP/1.1 200"), (shape, text, reply)
        assert self.server.model.streams_opened == before + 1, (shape, text)
        request = dict(self.server.model.received[-1].body)
        del request["metadata"]
        billing, *request["system"] = request["system"]
        assert billing["text"].startswith("x-anthropic-billing-header: ")
        return request

    async def begin(self, text: str) -> str:
        """Return the id of a conversation that begins with items of a text."""
        path, body = new_conversation(text)
        reply = await self.server.chat(body, path=path)
        assert reply.startswith(b"HTTP/1.1 200"), (text, reply)
        return str(json.loads(reply.partition(b"\r\n\r\n")[2])["id"])

    @property
    def harmed(self) -> bool:
        """Whether a canary was sent to the model's API, or something was run."""
        received = json.dumps([each.body for each in self.server.model.received])
        return CANARY in received or LISTED in received or self.plants.marker.exists()


def swapped(value: Json, word: str, text: str) -> Json:
    """Return a JSON value in whose texts, and names, ``text`` stands for ``word``, in each form that these have."""
    match value:
        case str():
            for form in FORMS:
                value = value.replace(form(word), form(text))
            return value
        case list():
            return [swapped(item, word, text) for item in value]
        case dict():
            return {swapped(name, word, text): swapped(item, word, text) for name, item in value.items()}
        case _:
            return value


def share_of(texts: list[str], share: int) -> list[str]:
    return random.Random(SEED).sample(texts, len(texts) // share)  # noqa: S311 - the same ones each time


def plants_in(server: Inside) -> Plants:
    plants = Plants(server.home, server.run_directory)
    plants.set_out()
    return plants


@SHARES
async def test_a_text_in_every_field_is_that_text_at_the_models_api(share: int, survival: Survival) -> None:
    """S-30, S-32, S-35, S-40: mentions of files, commands, flags, control frames."""
    lost: list[tuple[str, str]] = []
    with trio.fail_after(SECONDS):
        async with open_inside(waiting=2, staying=0) as server:
            room = Room(server, plants_in(server))
            texts = share_of(room.plants.attempts, share)
            for shape, fields in FIELDS.items():
                harmless = await room.ask(shape, WORD)
                assert json.dumps(harmless).count(UNCHANGED) == fields, shape
                for text in texts:
                    arrived = await room.ask(shape, text)
                    if arrived != swapped(harmless, WORD, text) or room.harmed:
                        lost.append((shape, text))
    tried = len(texts) * len(SHAPES)
    survival("S-30, S-32, S-35", "texts in all fields of a request", tried=tried, lost=len(lost))
    assert not lost


@pytest.mark.parametrize("file_from", [0, 1], ids=["turn by turn", "by file"])
async def test_every_text_of_a_long_talk_arrives_as_it_was_said(file_from: int) -> None:
    """S-30, S-32, S-35, S-40: all of them, as turns of the user's and of the model's."""
    async with open_inside(staying=0) as server:
        assert isinstance(server.pool.starter, LiveBackend)
        server.pool.starter.file_from = file_from
        plants = plants_in(server)
        texts = [text for text in plants.attempts if text.strip()]
        messages: list[Json] = [{"role": role, "content": text} for text in texts for role in ("user", "assistant")]
        body: Json = {"model": "haiku", "messages": [*messages, {"role": "user", "content": texts[0]}]}
        assert (await server.chat(body)).startswith(b"HTTP/1.1 200")
        assert server.backend.recalled == file_from
        [request] = asked(server.model)
        assert not Room(server, plants).harmed
    said = [(turn["role"], [block["text"] for block in turn["content"]]) for turn in request["messages"]]
    assert [turn for turn in said if turn[0] != "system"] == [
        (message["role"], [message["content"]]) for message in body["messages"]
    ]


@SHARES
async def test_a_field_that_takes_no_such_text_refuses_it_and_nothing_starts(share: int, survival: Survival) -> None:
    """S-30, S-35: names, ids, kinds."""
    async with open_inside(staying=0) as server:
        plants = plants_in(server)
        asks = [
            ask
            for text in share_of([text for text in plants.attempts if not NAME.fullmatch(text)], share)
            for ask in names(text).values()
        ]
        taken = [body for path, body in asks if not (await server.chat(body, path=path)).startswith(b"HTTP/1.1 40")]
        survival("S-30, S-35", "texts in fields of names and kinds", tried=len(asks), lost=len(taken))
        assert not taken
        assert server.backend.opened == 0
        assert not server.model.streams_opened
        assert not plants.marker.exists()


@pytest.mark.soak
async def test_without_our_walls_the_canaries_would_sing(tmp_path: Path, survival: Survival) -> None:
    """The spellings are real: where nothing contains them, many have their file read."""
    home, run = tmp_path / "home", tmp_path / "run"
    home.mkdir()
    run.mkdir()
    plants = Plants(home, run)
    plants.set_out()
    login = {"ANTHROPIC_API_KEY": "", "CLAUDE_CODE_OAUTH_TOKEN": "a-token"}
    open_door = Surroundings(
        environ=login, without=frozenset({"CLAUDE_CODE_DISABLE_ATTACHMENTS"}), home=home, directory=run
    )
    sang = []
    for mention in plants.mentions:
        async with open_scripted_model() as model, open_cli(model, open_door) as cli:
            composed = json.loads(frames.user([{"type": "text", "text": mention}], query=True))
            cli.say(frames.serialize({**composed, "client_composed": False}))
            await cli.until(type="result")
            sent = json.dumps(asked(model))
        if CANARY in sent or LISTED in sent or sent.count('"type": "image"'):
            sang.append(mention)
    figure = f"{len(sang)} of {len(plants.mentions)} have their file read without the walls"
    survival("S-30", "spellings of @path", tried=len(plants.mentions), lost=0, figure=figure)
    assert len(sang) >= 10
