"""What the model receives: what the client said, as it said it, by role, and nothing else that matters.

Each test is one statement about Claude Code that cca relies on. A release of it that changes one fails by name.
"""

import json
import re
from pathlib import Path

import pytest
import trio
from attrs import evolve
from live_attempts import LOOK_ALIKES
from live_cli import PLAIN, Surroundings, asked, assistant, open_cli, prompt, request_for, text_of, texts, turns, user

from cca.claude import frames
from cca.model import Conversation, Document, Image, Json, Text, Turn, UserTurn
from cca.scripted import open_scripted_model

pytestmark = pytest.mark.live

GOLDEN = Path(__file__).with_name("golden_request.json")

FIXED_LINE = "You are a Claude agent, built on Anthropic's Claude Agent SDK."

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="

LOGIN = Surroundings(environ={"ANTHROPIC_API_KEY": "", "CLAUDE_CODE_OAUTH_TOKEN": "a-token"})

WALLS = {
    "as cca starts it": PLAIN,
    "with a login": LOGIN,
    "client_composed alone": evolve(LOGIN, without=frozenset({"CLAUDE_CODE_DISABLE_ATTACHMENTS"})),
}

SIGNS = pytest.mark.parametrize("text", LOOK_ALIKES.values(), ids=LOOK_ALIKES)


def reviewed(request: Json) -> Json:
    """Return a request with what differs from one process, or one release, to the next taken out."""
    ids = json.loads(request["metadata"]["user_id"])
    billing = request["system"][0]["text"]
    return {
        **request,
        "metadata": {"user_id": dict.fromkeys(ids, "...")},
        "system": [
            {"type": "text", "text": re.sub(r"cc_version=[\w.]+", "cc_version=...", billing)},
            *request["system"][1:],
        ],
    }


def system_texts(request: Json) -> list[str]:
    """Return the system prompt, without the block that counts for the vendor's billing."""
    billing, *others = (block["text"] for block in request["system"])
    assert billing.startswith("x-anthropic-billing-header: ")
    return others


async def test_the_whole_request_for_one_word_is_the_reviewed_one() -> None:
    request = await request_for(prompt("hello"))
    assert reviewed(request) == json.loads(GOLDEN.read_text())


async def test_with_a_login_only_a_system_turn_about_the_machine_comes_on_top() -> None:
    """It tells the working directory, so this must be empty and its name mean nothing."""
    request = await request_for(prompt("hello"), LOGIN)
    [text] = [texts for role, texts in texts(request) if role == "system"]
    assert text[0].startswith("# Environment\n")
    assert next(line for line in text[0].splitlines() if "working directory" in line).endswith("/work")
    golden = json.loads(GOLDEN.read_text())
    assert texts(request)[0] == ("user", ["hello"])
    assert system_texts(request) == [FIXED_LINE]
    assert {name: reviewed(request)[name] for name in golden.keys() - {"messages", "system"}} == {
        name: golden[name] for name in golden.keys() - {"messages", "system"}
    }


async def test_without_a_system_prompt_only_the_billing_block_and_the_fixed_line_are_there() -> None:
    assert system_texts(await request_for(prompt("hello"))) == [FIXED_LINE]


async def test_system_prompt_blocks_arrive_joined_by_a_blank_line() -> None:
    request = await request_for(evolve(prompt("hello"), system=("You are terse.", "You rhyme.")))
    assert system_texts(request) == [FIXED_LINE, "You are terse.\n\nYou rhyme."]


async def test_history_keeps_its_roles_and_the_blocks_of_neighbours() -> None:
    said = (user("one"), assistant("two"), user("three", "four"), assistant("five", "six"), user("seven", "eight"))
    request = await request_for(Conversation("haiku", said))
    assert texts(request) == [
        ("user", ["one"]),
        ("assistant", ["two"]),
        ("user", ["three", "four"]),
        ("assistant", ["five", "six"]),
        ("user", ["seven", "eight"]),
    ]


async def test_a_past_user_turn_is_answered_by_an_empty_result_without_a_request() -> None:
    async with open_scripted_model() as model, open_cli(model) as cli:
        cli.say(frames.user([{"type": "text", "text": "one"}], query=False))
        result = await cli.until(type="result")
        assert (result["is_error"], result["num_turns"], result["result"], asked(model)) == (False, 0, "", [])


async def test_an_assistant_turn_that_does_not_wait_for_that_result_overtakes_its_user_turn() -> None:
    async with open_scripted_model() as model, open_cli(model) as cli:
        cli.say(
            frames.user([{"type": "text", "text": "one"}], query=False),
            frames.assistant([{"type": "text", "text": "two"}]),
        )
        await cli.until(type="result")
        cli.ask("three")
        await cli.until(type="result")
        assert texts(asked(model)[0])[0][0] == "assistant"


@pytest.mark.parametrize(
    ("said", "arrives"),
    [
        ((user("a", " \n ", "b"),), [("user", ["a", "b"])]),
        ((user(" "), assistant("a"), user("b")), [("user", ["(no content)"]), ("assistant", ["a"]), ("user", ["b"])]),
        ((user("a"), assistant(" \n"), user("b")), [("user", ["a\n", "b"])]),
        ((user("a"), assistant("(no content)\n"), user("b")), [("user", ["a\n", "b"])]),
    ],
    ids=["block", "user turn", "assistant turn", "the program's own word for none"],
)
async def test_white_space_alone_is_dropped_so_it_must_not_be_sent(said: tuple[Turn, ...], arrives: Json) -> None:
    """And the turns around a dropped one are merged, with a newline that nobody wrote."""
    assert texts(await request_for(Conversation("haiku", said))) == arrives


async def test_images_and_documents_arrive_as_they_were_sent() -> None:
    parts = (
        Text("Look."),
        Image("image/png", PIXEL),
        Image(url="https://example.com/cat.png"),
        Document(text="All of it.", title="A text"),
        Document("application/pdf", "JVBERi0xLjAK"),
    )
    request = await request_for(Conversation("haiku", (UserTurn(parts),)))
    assert turns(request) == [
        (
            "user",
            [
                {"type": "text", "text": "Look."},
                {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PIXEL}},
                {"type": "image", "source": {"type": "url", "url": "https://example.com/cat.png"}},
                {
                    "type": "document",
                    "source": {"type": "text", "media_type": "text/plain", "data": "All of it."},
                    "title": "A text",
                },
                {
                    "type": "document",
                    "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0xLjAK"},
                },
            ],
        )
    ]


@SIGNS
async def test_text_is_text_wherever_it_stands(text: str) -> None:
    """With a key and with a login, which is two ways of starting the program."""
    async with trio.open_nursery() as nursery:
        for surroundings in (PLAIN, LOGIN):
            nursery.start_soon(arrives_as_it_is, text, surroundings)


async def arrives_as_it_is(text: str, surroundings: Surroundings) -> None:
    said = (user(text), assistant(text), user("and", text), assistant("so"), user(text))
    request = await request_for(Conversation("haiku", said, system=(text,)), surroundings)
    assert system_texts(request) == [FIXED_LINE, text]
    assert [turn for turn in texts(request) if turn[0] != "system"] == [
        ("user", [text]),
        ("assistant", [text]),
        ("user", ["and", text]),
        ("assistant", ["so"]),
        ("user", [text]),
    ]


@pytest.mark.parametrize("walls", WALLS.values(), ids=WALLS)
@pytest.mark.parametrize("spelling", ["@{}", '@"{}"', "see `@{}`", "@{}#L1-2"])
async def test_a_file_that_a_prompt_mentions_is_not_read(spelling: str, walls: Surroundings, tmp_path: Path) -> None:
    canary = tmp_path / "canary.txt"
    canary.write_text("the-canary-sings")
    mention = spelling.format(canary)
    said = (user(mention), assistant(mention), user(mention))
    async with open_scripted_model() as model, open_cli(model, walls) as cli:
        await cli.converse(Conversation("haiku", said, system=(mention,)))
        assert [texts for role, texts in texts(asked(model)[0]) if role != "system"] == [[mention]] * 3
        assert "the-canary-sings" not in json.dumps([received.body for received in model.received])


async def test_the_canary_would_sing_without_client_composed_and_our_switch(tmp_path: Path) -> None:
    """The two walls hold something: with neither, and without ``--bare``, the file is sent."""
    canary = tmp_path / "canary.txt"
    canary.write_text("the-canary-sings")
    open_door = WALLS["client_composed alone"]
    async with open_scripted_model() as model, open_cli(model, open_door) as cli:
        composed = frames.user([{"type": "text", "text": f"What is in @{canary}"}], query=True)
        cli.say(frames.serialize({**json.loads(composed), "client_composed": False}))
        await cli.until(type="result")
        assert "the-canary-sings" in json.dumps(asked(model))


async def test_a_prompt_of_two_megabytes_arrives_whole() -> None:
    long = "word " * 400_000 + "[[tokens 2]]"
    assert texts(await request_for(prompt(long))) == [("user", [long])]


async def test_a_system_prompt_of_three_hundred_kilobytes_arrives_whole() -> None:
    long = "Be kind. " * 33_334
    assert system_texts(await request_for(evolve(prompt("hello"), system=(long,)))) == [FIXED_LINE, long]


async def test_a_history_of_a_hundred_turns_arrives_whole() -> None:
    said = [(user if at % 2 == 0 else assistant)(f"turn {at}") for at in range(101)]
    request = await request_for(Conversation("haiku", tuple(said)))
    assert texts(request) == [("assistant" if at % 2 else "user", [f"turn {at}"]) for at in range(101)]


async def test_the_answer_is_the_models_text() -> None:
    async with open_scripted_model() as model, open_cli(model) as cli:
        assert text_of(await cli.converse(prompt("Reply with exactly: ä 漢 🎉\n two"))) == "ä 漢 🎉\n two"
