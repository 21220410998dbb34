"""What a session adds to an answer: a new one, and one of twenty turns, each beside the same conversation without it.

Over HTTP on loopback, with a Claude Code that answers at once: what is left is cca's own. In turns, in one run.
"""

import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from itertools import count
from pathlib import Path

import orjson
import trio
from attrs import define, field, frozen

from cca.backends import Exit
from cca.model import Conversation, ModelEntry
from cca.service import Service
from cca.settings import Settings
from cca.store.database import Database, open_database
from cca.web.app import service_app
from cca.web.connections import Connections

PAUSE = 0.01
"""Seconds after each answer: what is kept after an answer without a session is not the next one's time."""

EXCHANGES = 10
"""Of the session that goes on: twenty turns."""

SAID = "Some words. " * 40

PROMPT = "What is a nursery in Trio, and what does it do when one of its tasks fails? " * 4

MODEL = "haiku"

WITHOUT = "without a session"
WITHOUT_20 = "the same 20 turns without"
BASES = {"a new session": WITHOUT, "a session of 20 turns": WITHOUT_20}


def _printed(frame: object) -> bytes:
    return orjson.dumps(frame) + b"\n"


def _event(event: object) -> bytes:
    return _printed({"type": "stream_event", "parent_tool_use_id": None, "event": event})


USAGE = {"input_tokens": 90, "output_tokens": 1}
ANSWER = b"".join(
    (
        _event({"type": "message_start", "message": {"id": "msg_1", "model": "claude-haiku-5-5", "usage": USAGE}}),
        *[
            _event(
                {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Some words. " * 4}}
            )
            for _ in range(10)
        ],
        _event({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 120}}),
    )
)

REMEMBERED = _printed({"type": "result", "is_error": False, "num_turns": 0, "result": ""})
"""What Claude Code prints for each past turn that it is told."""


@define
class Instant:
    """A process that has its answer ready: to what it is told of the past, and then to the question."""

    fit: bool = True
    memory: int = 0
    recalled: bool = False
    _remembered: int = field(default=0, init=False)

    def write(self, frames: bytes) -> None:
        self._remembered += frames.count(b'"shouldQuery":false')

    async def read(self) -> bytes:
        await trio.lowlevel.checkpoint()
        said, self._remembered = REMEMBERED * self._remembered or ANSWER, 0
        return said

    def end(self) -> None:
        """Be gone."""

    async def wait(self) -> Exit:
        await trio.lowlevel.checkpoint()
        return Exit(0)


@define
class InstantBackend:
    name: str = "instant"
    cli_version: str = "0"
    models: tuple[ModelEntry, ...] = (ModelEntry(MODEL, "claude-haiku-5-5", "Haiku"),)

    @asynccontextmanager
    async def open(self, conversation: Conversation) -> AsyncIterator[Instant]:
        await trio.lowlevel.checkpoint()
        yield Instant()


@frozen
class Added:
    """Milliseconds. ``added`` is the median's difference to that of the same conversation without a session."""

    name: str
    median: float
    p95: float
    added: float | None


@define
class Client:
    """Asks on a connection of its own each time."""

    port: int
    _sessions: "count[int]" = field(factory=count)

    async def ask(self, session: str | None = None, past: int = 0) -> float:
        """Return the seconds from asking to the end of a whole answer. ``past`` exchanges are sent along."""
        question = {"role": "user", "content": PROMPT}
        messages = [question, {"role": "assistant", "content": SAID}] * past + [question]
        body = orjson.dumps({"model": MODEL, "messages": messages})
        named = "" if session is None else f"x-session-id: {session}\r\n"
        head = (
            f"POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n{named}Connection: close\r\n\r\n"
        )
        async with await trio.open_tcp_stream("127.0.0.1", self.port) as stream:
            began = time.perf_counter()
            await stream.send_all(head.encode() + body)
            answer = b"".join([piece async for piece in stream])
            took = time.perf_counter() - began
        if b" 200 " not in answer[:20]:
            raise RuntimeError(f"cca answered {answer[:500]!r}")
        await trio.sleep(PAUSE)
        return took

    async def in_a_new_session(self) -> float:
        return await self.ask(f"new{next(self._sessions)}")

    async def in_a_session_of_twenty_turns(self) -> float:
        session = f"old{next(self._sessions)}"
        for _ in range(EXCHANGES):
            await self.ask(session)
        return await self.ask(session)


async def transaction(database: Database) -> float:
    """Return the seconds of one row in a transaction of its own: a thread, and a commit to the disk."""
    began = time.perf_counter()
    await database.write(lambda connection: connection.execute("INSERT INTO secret VALUES (hex(randomblob(8)), x'00')"))
    took = time.perf_counter() - began
    await trio.sleep(PAUSE)
    return took


@asynccontextmanager
async def serving(database: Database) -> AsyncIterator[Client]:
    service = Service(Settings(), InstantBackend(), database)
    [listener] = await trio.open_tcp_listeners(0, host="127.0.0.1")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(partial(trio.serve_listeners, Connections(service_app(service)).serve, [listener]))
        yield Client(listener.socket.getsockname()[1])
        nursery.cancel_scope.cancel()


async def compare_sessions(rounds: int) -> list[Added]:
    """Ask in turns, so that a slow moment of the machine is everybody's."""
    with tempfile.TemporaryDirectory() as place:
        async with open_database(Path(place, "cca.db")) as database, serving(database) as client:
            asks: Mapping[str, Callable[[], Awaitable[float]]] = {
                WITHOUT: client.ask,
                "a new session": client.in_a_new_session,
                WITHOUT_20: partial(client.ask, past=EXCHANGES),
                "a session of 20 turns": client.in_a_session_of_twenty_turns,
                "bare SQLite transaction": partial(transaction, database),
            }
            times: dict[str, list[float]] = {name: [] for name in asks}
            for number in range(rounds + 1):
                for name, ask in asks.items():
                    taken = await ask()
                    if number:  # the first round warms all up
                        times[name].append(taken * 1000)
    medians = {name: statistics.median(taken) for name, taken in times.items()}
    return [
        Added(name, medians[name], _p95(taken), medians[name] - medians[BASES[name]] if name in BASES else None)
        for name, taken in times.items()
    ]


def _p95(taken: Sequence[float]) -> float:
    return sorted(taken)[min(len(taken) - 1, int(len(taken) * 0.95))]


def session_table(rows: Sequence[Added]) -> str:
    lines = [f"{'ms, whole answers':30}{'median':>8}{'p95':>8}{'added':>8}"]
    for each in rows:
        added = "" if each.added is None else f"{each.added:+8.2f}"
        lines.append(f"{each.name:30}{each.median:8.2f}{each.p95:8.2f}{added}")
    return "\n".join(lines)
