"""The real Claude Code program, started as cca starts it, with the scripted model as its API. For the tests beside."""

import json
import os
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path
from types import MappingProxyType

import trio
from attrs import define, evolve, field, frozen

from cca.backends.discovery import find_claude
from cca.backends.live import LiveBackend, open_reaper
from cca.backends.process import LiveProcess
from cca.claude import frames
from cca.claude.dialogue import Dialogue
from cca.claude.launch import Directories, Launch, launch, offline_environ
from cca.claude.lines import LineFramer
from cca.model import AssistantTurn, Conversation, Event, Json, Text, TextDelta, UserTurn
from cca.scripted import ScriptedModel, open_scripted_model

SECONDS = 60.0
"""That anything here may take. Most take one; a cold disk and a busy machine are slower."""

GOING_ON = {"max_tokens": "max_tokens", "refusal": "refusal", "model_context_window_exceeded": "context_window"}
"""Stop reasons after which the program asks again by itself, and what they are in ``model``."""

CREDENTIALS: Json = {
    "claudeAiOauth": {
        "accessToken": "sk-ant-oat01-not-one",
        "refreshToken": "sk-ant-ort01-not-one",
        "expiresAt": 9_999_999_999_999,
        "scopes": ["user:inference"],
    }
}
"""A login as Claude Code keeps it in its configuration."""

NOTHING: Mapping[str, str] = MappingProxyType({})


@cache
def program() -> str:
    return find_claude(None, os.environ)


def user(*texts: str) -> UserTurn:
    return UserTurn(tuple(Text(text) for text in texts))


def assistant(*texts: str) -> AssistantTurn:
    return AssistantTurn(tuple(Text(text) for text in texts))


def prompt(*texts: str) -> Conversation:
    return Conversation("haiku", (user(*texts),))


def text_of(events: Sequence[Event]) -> str:
    return "".join(event.text for event in events if isinstance(event, TextDelta))


def asked(model: ScriptedModel) -> list[Json]:
    """Return the bodies of the requests for a message, oldest first."""
    return [received.body for received in model.received if received.path == "/v1/messages"]


def turns(body: Json) -> list[Json]:
    """Return a request's turns as role and content, without the program's empty system turn and its cache marks."""
    return [(turn["role"], [unmarked(block) for block in turn["content"]]) for turn in body["messages"] if _said(turn)]


def texts(body: Json) -> list[tuple[str, list[str]]]:
    """Return a request's turns as role and texts."""
    return [(role, [block["text"] for block in content]) for role, content in turns(body)]


def unmarked(block: Json) -> Json:
    return {name: value for name, value in block.items() if name != "cache_control"}


def _said(turn: Json) -> bool:
    return turn["role"] != "system" or bool(turn["content"])


@frozen
class Surroundings:
    """What the program is started with, besides what cca always gives it."""

    environ: Mapping[str, str] = NOTHING
    retries: int = 0
    env: Mapping[str, str] = NOTHING
    arguments: tuple[str, ...] = ()
    without: frozenset[str] = frozenset()
    home: Path | None = None
    directory: Path | None = None
    furnish: Callable[[Path], None] = lambda work: None
    """Called with the working directory before the start."""

    def launcher(self, model: ScriptedModel, home: Path, directories: Directories) -> Launch:
        self.furnish(Path(directories.work))
        machine = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "HOME": str(self.home or home)}
        environ = {**offline_environ(machine, model.base_url), **self.environ}
        made = launch(program(), environ, directories, retries=self.retries)
        env = {name: value for name, value in {**made.env, **self.env}.items() if name not in self.without}
        argv = (*(item for item in made.argv if item not in self.without), *self.arguments)
        return evolve(made, env=env, argv=argv)


PLAIN = Surroundings()

RETRYING_REFUSALS = Surroundings(without=frozenset({"CLAUDE_CODE_DISABLE_REFUSAL_RETRY"}))


@define
class Cli:
    """A process, and every line that it printed."""

    process: LiveProcess
    lines: list[Json] = field(factory=list, init=False)
    _framer: LineFramer = field(factory=LineFramer, init=False)
    _fresh: list[bytes] = field(factory=list, init=False)
    _seen: int = field(default=0, init=False)

    def say(self, *said: bytes) -> None:
        self.process.write(b"".join(said))

    def ask(self, text: str) -> None:
        self.say(frames.user([{"type": "text", "text": text}], query=True))

    async def until(self, **wanted: Json) -> Json:
        """Read up to the next line with these fields, and return it."""
        while True:
            for line in self.lines[self._seen :]:
                self._seen += 1
                if all(line.get(name) == value for name, value in wanted.items()):
                    return line
            if not await self._read():
                raise EOFError(f"it ended ({await self.process.wait()}) without a line of {wanted}")

    async def rest(self) -> list[Json]:
        """Read to its end, and return the lines that were not looked at."""
        while await self._read():
            pass
        return self.lines[self._seen :]

    async def converse(self, conversation: Conversation) -> list[Event]:
        """Hold the dialogue, as the exchange does, and return its events."""
        dialogue = Dialogue(conversation, 0.0, self.process.recalled)
        self.say(dialogue.open())
        events: list[Event] = []
        while not dialogue.over:
            chunk = await self._read()
            for line in self._fresh:
                step = dialogue.feed(line)
                self.say(step.write)
                events += step.events
            if not chunk:
                events += dialogue.close(str(await self.process.wait()))
        return events

    async def _read(self) -> bytes:
        chunk = await self.process.read()
        self._fresh = self._framer.feed(chunk)
        self.lines += [json.loads(line) for line in self._fresh]
        return chunk


def _rooms(place: Path) -> tuple[Path, Path]:
    run, home = place / "run", place / "home"
    run.mkdir()
    home.mkdir()
    return run, home


@asynccontextmanager
async def open_starter(model: ScriptedModel, surroundings: Surroundings = PLAIN) -> AsyncIterator[LiveBackend]:
    """Own what starts processes that talk to ``model``. Nothing in here may take long."""
    with tempfile.TemporaryDirectory() as place:
        run, home = _rooms(Path(place))
        async with open_reaper(run) as reaper:

            def launcher(directories: Directories) -> Launch:
                return surroundings.launcher(model, home, directories)

            with trio.fail_after(SECONDS):
                yield LiveBackend(launcher, reaper, surroundings.directory or run)


@asynccontextmanager
async def open_cli(model: ScriptedModel, surroundings: Surroundings = PLAIN) -> AsyncIterator[Cli]:
    """Own a process that talks to ``model``. It is killed when this is left."""
    async with open_starter(model, surroundings) as starter, starter.start() as process:
        yield Cli(process)


async def converse(
    conversation: Conversation, surroundings: Surroundings = PLAIN
) -> tuple[list[Event], list[Json], list[Json]]:
    """Hold one conversation; return its events, the lines printed, and the requests that reached the API."""
    async with open_scripted_model() as model, open_cli(model, surroundings) as cli:
        events = await cli.converse(conversation)
        return events, cli.lines, asked(model)


async def request_for(conversation: Conversation, surroundings: Surroundings = PLAIN) -> Json:
    """Hold one conversation, and return the one request that reached the API for it."""
    _, _, requests = await converse(conversation, surroundings)
    [request] = requests
    return request
