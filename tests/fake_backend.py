"""A backend in memory whose processes do as a test says, and which knows whether one was left alive."""

from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from typing import TypeAlias

import orjson
import trio
from attrs import define, field, frozen

from cca.backends import Exit, Process
from cca.model import Conversation, Json, ModelEntry


@frozen
class Pause:
    """``seconds`` in which a process prints nothing."""

    seconds: float


@frozen
class Answered:
    """The process waits until it was written to for the ``times``-th time."""

    times: int


class Hang:
    """The process prints nothing more, and does not end."""


Action: TypeAlias = bytes | Pause | Answered | Hang | Exit | BaseException
"""What a process does next: print, wait, end. After ``Exit`` its stdout is at its end; without one it never dies."""


@define(eq=False)
class FakeProcess:
    """Does its ``actions``, one a read. ``printed`` counts what was taken; ``stale`` once its program is no more."""

    actions: deque[Action]
    written: list[bytes] = field(factory=list)
    printed: int = 0
    memory: int = 0
    stale: bool = False
    _spoken_to: trio.Event = field(factory=trio.Event, init=False)
    _ended: trio.Event = field(factory=trio.Event, init=False)

    def write(self, frames: bytes) -> None:
        self.written.append(frames)
        self._spoken_to.set()
        self._spoken_to = trio.Event()

    async def read(self) -> bytes:
        await trio.lowlevel.checkpoint()
        while self.actions and not self.ended:
            match self.actions[0]:
                case bytes() as chunk:
                    self.actions.popleft()
                    self.printed += len(chunk)
                    return chunk
                case Pause(seconds):
                    await trio.sleep(seconds)
                    self.actions.popleft()
                case Answered(times):
                    while len(self.written) < times:
                        await self._spoken_to.wait()
                    self.actions.popleft()
                case Hang():
                    await trio.sleep_forever()
                case Exit():
                    break
                case error:
                    raise error
        return b""

    def end(self) -> None:
        self._ended.set()

    @property
    def recalled(self) -> bool:
        return False

    @property
    def ended(self) -> bool:
        return self._ended.is_set()

    @property
    def fit(self) -> bool:
        return not self.ended and not self.stale

    async def wait(self) -> Exit:
        await trio.lowlevel.checkpoint()
        how = self.actions[0] if self.actions else None
        if isinstance(how, Exit):
            return how
        await self._ended.wait()
        return Exit(-9)


@define
class FakeBackend:
    """Opens processes with the same ``actions``. ``start`` and ``end`` run as one starts and as it is left."""

    actions: Iterable[Action] = ()
    start: Callable[[], None] = lambda: None
    end: Callable[[], None] = lambda: None
    name: str = "fake"
    cli_version: str = "0"
    models: tuple[ModelEntry, ...] = ()
    alive: int = 0
    processes: list[FakeProcess] = field(factory=list)

    @asynccontextmanager
    async def open(self, conversation: Conversation) -> AsyncIterator[Process]:
        await trio.lowlevel.checkpoint()
        self.start()
        process = FakeProcess(deque(self.actions))
        self.processes.append(process)
        self.alive += 1
        try:
            # As the live backend does: what is raised inside comes out in a group.
            async with trio.open_nursery():
                yield process
        finally:
            self.alive -= 1
            self.end()
            with trio.move_on_after(5, shield=True):
                await trio.lowlevel.checkpoint()


def printed(**fields: Json) -> bytes:
    """Return a line of the program's."""
    return orjson.dumps(fields) + b"\n"


def streamed(event_type: str, **fields: Json) -> bytes:
    return printed(type="stream_event", event={"type": event_type, **fields})


START = streamed("message_start", message={"id": "msg_1", "model": "claude-x", "usage": {"input_tokens": 5}})
END = streamed("message_delta", delta={"stop_reason": "end_turn"}, usage={"output_tokens": 3})
RESULT = printed(type="result", is_error=False, result="Yes.", num_turns=1)
"""The end of a turn of the program's."""
REMEMBERED = printed(type="result", is_error=False, result="", num_turns=0)


def piece(text: str) -> bytes:
    return streamed("content_block_delta", delta={"type": "text_delta", "text": text})
