"""Recorded processes: their lines are fed back, and the frames that cca writes are compared with those recorded.

So everything above the pipe is the real code. Time does not pass between lines; a process that was silent until cca
killed it is silent here too, and meets the same deadline.

A recording of a conversation in which nobody thought answers the same with thoughts in it, too: whether a client knows
of them is its own affair, and an exported session leaves them out.
"""

import hashlib
import re
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TypeAlias, TypeVar, TypeVarTuple, assert_never

import orjson
import trio
from attrs import define, evolve, field, frozen

from cca.backends import Exit, Process
from cca.backends.redaction import Redactor
from cca.backends.transcript import (
    Ended,
    Garbled,
    Read,
    Transcript,
    UnreadableTranscript,
    Written,
    decode,
    request_json,
)
from cca.claude.events import ControlReply, Unreadable
from cca.claude.events import decode as decode_line
from cca.claude.introduction import models_of
from cca.claude.launch import knows_history
from cca.errors import NotFound, Unavailable, UpstreamFailed
from cca.model import Conversation, Json, ModelEntry
from cca.store.turns import unthought

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

PLACEHOLDERS = re.compile(r"(?:<(?:[a-z]+-\d+|run|config|home|base-url|claude|credential|user|host)>)+")
"""What redaction leaves, one or several on end."""

SHOWN = 60
"""Characters of a value that a message shows."""

LARGE = 100_000
"""Bytes of JSON that are not compared in the event loop: 2 MB take a second, in which nobody else would be served."""

_THOUGHTS = ("thinking", "redacted_thinking")

Difference: TypeAlias = tuple[str, Json, Json]
"""A path at which a value is not what was recorded; what it is, and what was recorded."""


@frozen
class Expect:
    """A frame that cca wrote."""

    frame: Json


@frozen
class Give:
    """Lines that came without anything being written between them."""

    chunk: bytes


@frozen
class End:
    exit: Exit | None


Step: TypeAlias = Expect | Give | End


@frozen
class Recording:
    """A transcript, and its ``steps``: made once, for however many requests it answers."""

    name: str
    transcript: Transcript
    steps: "tuple[Step, ...]" = field(init=False, repr=False)

    @steps.default
    def _made(self) -> "tuple[Step, ...]":
        return tuple(_steps(self.transcript))

    @property
    def request(self) -> Json:
        return self.transcript.header.request


@frozen
class ReplayBackend:
    """Answers conversations from recordings."""

    recordings: tuple[Recording, ...]
    cli_version: str
    models: tuple[ModelEntry, ...]
    name: str = "replay"
    _by_digest: Mapping[bytes, Recording] = field(init=False, repr=False)

    @_by_digest.default
    def _digests(self) -> Mapping[bytes, Recording]:
        # In reverse, so that the first of equal ones counts.
        return {_digest(_sorted_json(each.request)): each for each in reversed(self.recordings)}

    @asynccontextmanager
    async def open(self, conversation: Conversation) -> AsyncIterator[Process]:
        """Own the process recorded for ``conversation``. Raise ``NotFound`` that names the nearest one."""
        request = request_json(conversation)
        asked = _sorted_json(request)
        recording = self._by_digest.get(_digest(asked)) or self._unthought(conversation)
        if recording is None:
            recording = await _aside(len(asked), self._find, request)
        yield ReplayProcess(recording)

    def _unthought(self, conversation: Conversation) -> Recording | None:
        turns = tuple(map(unthought, conversation.turns))
        if turns == conversation.turns:
            return None
        return self._by_digest.get(_digest(_sorted_json(request_json(evolve(conversation, turns=turns)))))

    def _find(self, request: Json) -> Recording:
        asked = _comparable(request)
        differences = [(list(_differing(asked, each.request, "")), each) for each in self.recordings]
        paths, nearest = min(differences, key=lambda found: len(found[0]))
        if not paths:
            return nearest
        where, here, there = paths[0]
        others = f", and {len(paths) - 1} more of its values differ" if len(paths) > 1 else ""
        raise NotFound(
            f"No recording answers this request. The nearest is {nearest.name}: there, {where} is {_shown(there)}, "
            f"and here it is {_shown(here)}{others}. Record it with --record.",
            code="recording_not_found",
        )


@define(eq=False)
class ReplayProcess:
    recording: Recording
    _position: int = field(default=0, init=False)
    _frames: list[bytes] = field(factory=list, init=False)
    _written: trio.Event = field(factory=trio.Event, init=False)

    def write(self, frames: bytes) -> None:
        self._frames += frames.splitlines()
        self._written.set()

    async def read(self) -> bytes:
        """Return the next lines. Raise ``UpstreamFailed`` when cca wrote something else than was recorded."""
        await trio.lowlevel.checkpoint()
        while True:
            match self.recording.steps[self._position]:
                case Expect(frame):
                    await self._expect(frame)
                    self._position += 1
                case Give() | End() if self._frames:
                    raise self._changed(f"it writes {_shown(orjson.loads(self._frames[0]))}, and did not then")
                case Give(chunk):
                    self._position += 1
                    return chunk
                case End(None):
                    await trio.sleep_forever()
                case End():
                    return b""
                case step:
                    assert_never(step)

    async def wait(self) -> Exit:
        match self.recording.steps[-1]:
            case End(Exit() as how):
                await trio.lowlevel.checkpoint()
            case _:
                await trio.sleep_forever()
        return how

    def end(self) -> None:
        """Do nothing: what was recorded is over already."""

    @property
    def recalled(self) -> bool:
        return knows_history(self.recording.transcript.header.argv)

    @property
    def fit(self) -> bool:
        return True

    @property
    def memory(self) -> int:
        return 0

    async def _expect(self, frame: Json) -> None:
        while not self._frames:
            self._written = trio.Event()
            await self._written.wait()
        # It is taken once it was compared: cancelling loses nothing.
        written = self._frames[0]
        now = _as_recorded(orjson.loads(written), frame)
        difference = await _aside(len(written), first_difference, now, frame)
        del self._frames[0]
        if difference is not None:
            where, now, recorded = difference
            raise self._changed(f"{where} was {_shown(recorded)}, and is {_shown(now)}")

    def _changed(self, how: str) -> UpstreamFailed:
        return UpstreamFailed(
            f"cca no longer writes what {self.recording.name} recorded: {how}. Record it again, or mend what changed."
        )


async def open_replay(directory: Path) -> ReplayBackend:
    """Return a backend of the recordings under ``directory``. Raise ``Unavailable`` when there are none to be read."""
    return await trio.to_thread.run_sync(load, directory)


def load(directory: Path) -> ReplayBackend:
    """Return a backend of the recordings under ``directory``, in the order of their names."""
    recordings = tuple(read_recordings(directory))
    if not recordings:
        raise Unavailable(f"There are no recordings (*.ndjson) under {directory}. Make some with --record {directory}.")
    introduced = [models for each in recordings if (models := _models(each.transcript))]
    return ReplayBackend(
        recordings,
        cli_version=max((each.transcript.header.cli for each in recordings), key=version_order),
        models=introduced[-1] if introduced else (),
    )


def read_recordings(directory: Path) -> Iterator[Recording]:
    for path in sorted(directory.rglob("*.ndjson")):
        try:
            yield Recording(str(path.relative_to(directory).with_suffix("")), decode(path.read_bytes()))
        except (OSError, UnreadableTranscript) as error:
            raise Unavailable(f"The recording {path} cannot be read: {error}.") from error


def first_difference(now: Json, recorded: Json) -> Difference | None:
    """Return where a value is not what was recorded, and would not have become it by redaction."""
    return None if now == recorded else next(_differing(_comparable(now), recorded, ""), None)


def _differing(now: Json, recorded: Json, path: str) -> Iterator[Difference]:
    match now, recorded:
        case dict(), dict():
            for name in {**recorded, **now}:
                yield from _differing(now.get(name), recorded.get(name), f"{path}.{name}".removeprefix("."))
        case list(), list():
            for index in range(max(len(now), len(recorded))):
                yield from _differing(_item(now, index), _item(recorded, index), f"{path}[{index}]")
        case str(), str() if _reads_as(now, recorded):
            pass
        case _ if now != recorded:
            yield path, now, recorded


async def _aside(size: int, function: Callable[[*Ts], T], *values: *Ts) -> T:
    """Call a function on ``size`` bytes of JSON: in a thread, if they are many. Cancelling leaves it there."""
    if size < LARGE:
        return function(*values)
    return await trio.to_thread.run_sync(function, *values, abandon_on_cancel=True)


def _as_recorded(frame: Json, recorded: Json) -> Json:
    """Return a frame without what was thought in it, where it was recorded without that."""
    match frame, recorded:
        case {"message": {"model": _, "content": [*blocks]}}, {"message": dict(message)} if "model" not in message:
            said = [block for block in blocks if block["type"] not in _THOUGHTS]
            return {**frame, "message": {"role": "assistant", "content": said}}
        case _:
            return frame


def _sorted_json(value: Json) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def _digest(json: bytes) -> bytes:
    return hashlib.sha256(json).digest()


def _item(items: list[Json], index: int) -> Json:
    return items[index] if index < len(items) else None


def _comparable(value: Json) -> Json:
    """Return a value as it is compared: what any recorder hides is hidden."""
    return Redactor().value(value)


def _reads_as(now: str, recorded: str) -> bool:
    """Whether a redacted text can have become ``recorded`` on the machine where that was recorded.

    A placeholder there stands for any one word here: whose name or path it was, this machine cannot know. Its number
    does not count: it depends on what else was recorded.
    """
    first, *parts = PLACEHOLDERS.split(recorded)
    if not parts or not now.startswith(first):
        return now == recorded
    reached = len(first)
    for position, part in enumerate(parts, start=1):
        found = len(now) - len(part) if position == len(parts) else now.find(part, reached + 1)
        word = now[reached:found]
        if not word or re.search(r"\s", word) or not now.startswith(part, found):
            return False
        reached = found + len(part)
    return True


def _steps(transcript: Transcript) -> Iterator[Step]:
    lines: list[bytes] = []
    for entry in transcript.entries:
        match entry:
            case Read(_, line):
                lines.append(orjson.dumps(line) + b"\n")
                continue
            case Garbled(_, text):
                lines.append(text.encode() + b"\n")
                continue
            case Written(_, frame):
                step: Step = Expect(frame)
            case Ended(_, how):
                step = End(how)
            case _:
                assert_never(entry)
        if lines:
            yield Give(b"".join(lines))
            lines = []
        yield step


def _models(transcript: Transcript) -> tuple[ModelEntry, ...]:
    for entry in transcript.entries:
        match entry:
            case Read(_, {"type": "control_response", "response": {"response": {"models": [_, *_]}}} as line):
                with suppress(Unreadable):
                    reply = decode_line(orjson.dumps(line))
                    assert isinstance(reply, ControlReply)
                    return models_of(reply)
            case _:
                pass
    return ()


def version_order(version: str) -> list[int]:
    """Return what sorts versions as people do: 2.1.99 before 2.1.330."""
    return [int(number) for number in re.findall(r"\d+", version)]


def _shown(value: Json) -> str:
    if value is None:
        return "not there"
    text = orjson.dumps(value).decode()
    return text if len(text) <= SHOWN else text[:SHOWN] + "..."
