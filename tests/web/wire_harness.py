"""cca's own connections over memory streams: real HTTP bytes in and out, a backend that says what each test gives it.

With ``autojump_clock`` the hours of a deadline pass at once. Nothing here is a copy of what cca does: the client knows
HTTP and server-sent events, and no more.

With ``CCA_TEST_POOL=1`` in the environment, processes wait and conversations stay as they do in a server. All of the
suite holds either way, to the byte.
"""

import errno
import json
import math
import os
import socket
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeAlias, TypeVar, cast

import trio
from attrs import define, field, frozen
from claude_says import ends_by_itself, prepared, remembered, turn_ended
from trio.testing import lockstep_stream_pair, memory_stream_pair

from cca.backends import Exit
from cca.backends.pool import Pool
from cca.claude.form import ends_at_once
from cca.model import Conversation, ModelEntry
from cca.service import Service, new_id
from cca.settings import Settings
from cca.staying import Room, Staying
from cca.store.database import Database, open_database
from cca.talk import Talk
from cca.web.app import CcaApp, service_app
from cca.web.connections import Connections

T = TypeVar("T")

Clock: TypeAlias = Callable[[], float]

NOW = 1_700_000_000.9
PORT = 8000
PEER = "127.0.0.1"
TAKEN = 65_536
AGES = 1e6
"""Seconds, of the mock clock, after which a test waits for nothing."""

POOLED = os.environ.get("CCA_TEST_POOL") == "1"
PROCESSES, WAITING, STARTS = 8, 1, 2

MODELS = (
    ModelEntry("sonnet", "claude-sonnet-5-5", "Sonnet"),
    ModelEntry("haiku", "claude-haiku-4-5", "Haiku", thinking_off=True),
    ModelEntry("opus[1m]", "claude-opus-5[1m]", "Opus"),
)

Said: TypeAlias = bytes | float | Exit | Exception
"""What a fake process does: print, be silent for some seconds, end, break. After the last it is silent for ever."""


@define(eq=False)
class FakeProcess:
    """Answers each past user turn that it is told, and says what it is to say.

    ``written`` has what it was told since it is to answer. Its program was replaced at ``stale_from``.
    """

    said: deque[Said]
    written: list[bytes] = field(factory=list)
    memory: int = 0
    stale_from: float = math.inf
    _ended: trio.Event = field(factory=trio.Event, init=False)

    def answer(self, said: Iterable[Said]) -> None:
        """Let what it is told next be answered so. Its turn ends as the program's does."""
        self.written.clear()
        self.said = deque(said)
        if self.said and ends_by_itself(self.said[-1]):
            self.said.append(turn_ended())

    def write(self, frames: bytes) -> None:
        self.written.append(frames)
        self.said.extendleft([remembered()] * frames.count(b'"shouldQuery":false'))

    async def read(self) -> bytes:
        await trio.lowlevel.checkpoint()
        while self.said:
            match self.said[0]:
                case bytes() as chunk:
                    self.said.popleft()
                    return chunk
                case float() as seconds:
                    self.said.popleft()
                    await trio.sleep(seconds)
                case Exit():
                    return b""
                case Exception() as fault:
                    raise fault
        return cast(bytes, await trio.sleep_forever())

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
        return not self.ended and self.stale_from == math.inf

    async def wait(self) -> Exit:
        await trio.lowlevel.checkpoint()
        if self.said and isinstance(self.said[0], Exit):
            return self.said[0]
        await self._ended.wait()
        return Exit(-9)


@define
class FakeBackend:
    """Counts the answers that were begun and those that were left again, and the processes that are ``alive``.

    ``each`` has what is said in the first answers, one after the other; in the rest it is what is ``said``. So many
    answers at once were the ``most``.
    """

    said: tuple[Said, ...] = ()
    each: tuple[tuple[Said, ...], ...] = ()
    start_seconds: float = 0
    end_seconds: float = 0
    fault: Exception | None = None
    name: str = "fake"
    cli_version: str = "2.1.330"
    models: tuple[ModelEntry, ...] = MODELS
    opened: int = 0
    left: int = 0
    most: int = 0
    alive: int = 0
    conversations: list[Conversation] = field(factory=list)
    processes: list[FakeProcess] = field(factory=list)
    started: trio.Event = field(factory=trio.Event)
    all_left: trio.Event = field(factory=trio.Event)

    def says(self, conversation: Conversation) -> Iterable[Said]:
        """Return what is said to ``conversation``, which the last of the processes has."""
        number = len(self.processes) - 1
        return self.each[number] if number < len(self.each) else self.said

    @asynccontextmanager
    async def answering(self, conversation: Conversation) -> AsyncIterator[Callable[[FakeProcess], None]]:
        """Yield what lets a process answer ``conversation``."""
        self.opened += 1
        self.most = max(self.most, self.opened - self.left)
        self.conversations.append(conversation)
        self.started.set()

        def answered_by(process: FakeProcess) -> None:
            self.processes.append(process)
            process.answer(self.says(conversation))

        try:
            yield answered_by
        finally:
            self.left += 1
            if self.left == self.opened:
                self.all_left.set()

    @asynccontextmanager
    async def open(self, conversation: Conversation) -> AsyncIterator[FakeProcess]:
        async with self.answering(conversation) as answered_by, self.start() as process:
            answered_by(process)
            yield process

    def is_special(self, conversation: Conversation) -> bool:
        return ends_at_once(conversation)

    @asynccontextmanager
    async def start(self, conversation: Conversation | None = None) -> AsyncIterator[FakeProcess]:
        self.alive += 1
        try:
            await trio.sleep(self.start_seconds)
            if self.fault is not None:
                raise self.fault
            yield FakeProcess(deque([prepared()]))
            with trio.CancelScope(shield=True):
                await trio.sleep(self.end_seconds)
        finally:
            self.alive -= 1


@define
class FakeStaying(Staying):
    """Lets the processes of ``fake`` answer, those that stayed, too."""

    fake: FakeBackend

    @asynccontextmanager
    async def talk(self, owner: str, conversation: Conversation, size: int = 0) -> AsyncIterator[Talk]:
        async with (
            self.fake.answering(conversation) as answered_by,
            Staying.talk(self, owner, conversation, size) as talk,
        ):
            assert isinstance(talk.process, FakeProcess)
            answered_by(talk.process)
            yield talk


@frozen
class PooledService(Service):
    """A service whose processes wait and stay."""

    fake: FakeBackend = field(kw_only=True)
    staying: Staying = field(init=False)

    @staying.default
    def _fake_staying(self) -> Staying:
        settings = self.settings
        room = Room(PROCESSES if settings.staying is None else settings.staying, settings.staying_timeout)
        return FakeStaying(self.backend, room, self.now, self.fake)


@asynccontextmanager
async def service_of(
    backend: FakeBackend,
    database: Database,
    settings: Settings,
    now: Clock = lambda: NOW,
    new_id: Callable[[], str] = new_id,
    *,
    pooled: bool = POOLED,
) -> AsyncIterator[Service]:
    """Own a service: with processes that wait and stay, or one for each request."""
    if not pooled:
        yield Service(settings, backend, database, now, new_id)
        return

    def spare() -> bool:
        return service.staying.spare()

    pool = Pool(cast(Any, backend), settings.processes or PROCESSES, WAITING, STARTS, spare)
    service = PooledService(settings, pool, database, now, new_id, fake=backend)
    async with pool.opened(), service.staying.opened():
        yield service
    assert backend.alive == 0


@define
class MemorySocket:
    """What Hypercorn and cca ask a stream's socket for."""

    stream: "trio.StapledStream[Any, Any]"
    gone: bool = False
    peer: str = PEER
    family: int = socket.AF_INET

    def getpeername(self) -> tuple[str, int]:
        if self.gone:
            raise OSError(errno.ENOTCONN, "Transport endpoint is not connected")
        return (self.peer, 50_000)

    def getsockname(self) -> tuple[str, int]:
        return ("127.0.0.1", PORT)

    async def send(self, piece: bytes) -> int:
        """Take so much at once as a kernel may; or nothing, if it is cancelled before somebody reads."""
        try:
            await self.stream.wait_send_all_might_not_block()
            await self.stream.send_all(piece[:TAKEN])
        except trio.BrokenResourceError as error:
            raise OSError(errno.EPIPE, "Broken pipe") from error
        return min(len(piece), TAKEN)

    def shutdown(self, _how: int) -> None:
        self.stream.send_stream.close()
        self.stream.receive_stream.close()


@frozen
class Reply:
    """``chunks`` are the pieces that the server wrote a chunked body in."""

    status: int
    headers: Mapping[str, str]
    chunks: tuple[bytes, ...]
    ended: bool = True

    @property
    def body(self) -> bytes:
        return b"".join(self.chunks)

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> Any:
        assert set(self.json) == {"error"}
        assert set(self.json["error"]) == {"message", "type", "param", "code"}
        return self.json["error"]

    @property
    def events(self) -> list[Any]:
        return list(events_of(self.body))


def events_of(body: bytes) -> Iterator[Any]:
    """Yield the events of a stream: their JSON, ``[DONE]`` and comments as they are."""
    *blocks, rest = body.split(b"\n\n")
    assert rest == b""
    for block in blocks:
        if block.startswith(b":"):
            yield block.decode()
            continue
        assert block.startswith(b"data: ")
        assert b"\n" not in block
        said = block.removeprefix(b"data: ")
        yield "[DONE]" if said == b"[DONE]" else json.loads(said)


@define
class Client:
    stream: trio.abc.HalfCloseableStream
    _unread: bytes = field(default=b"", init=False)

    async def send(self, request: bytes) -> None:
        await self.stream.send_all(request)

    async def ask(self, request: bytes) -> Reply:
        await self.send(request)
        return await self.reply(bodiless=request.startswith(b"HEAD "))

    async def head(self) -> Reply:
        """Read a status line and its headers."""
        with trio.fail_after(AGES):
            raw = await self._until(b"\r\n\r\n")
        line, *rows = raw.decode("ascii").split("\r\n")
        headers: dict[str, str] = {}
        for name, _, value in (row.partition(": ") for row in rows):
            assert name.lower() not in headers
            headers[name.lower()] = value
        assert headers["request-id"] == headers["x-request-id"]
        return Reply(int(line.split()[1]), headers, (), ended=False)

    async def chunk(self) -> bytes:
        """Read one chunk of a body; the empty one is the last."""
        with trio.fail_after(AGES):
            size = int(await self._until(b"\r\n"), 16)
            piece = await self._exactly(size)
            assert await self._until(b"\r\n") == b""
            return piece

    async def reply(self, *, bodiless: bool = False) -> Reply:
        head = await self.head()
        chunks: list[bytes] = []
        if bodiless:
            pass
        elif head.headers.get("transfer-encoding") == "chunked":
            while chunk := await self.chunk():
                chunks.append(chunk)
        elif "content-length" in head.headers:
            chunks.append(await self._exactly(int(head.headers["content-length"])))
        else:
            chunks.append(await self.rest())
        return Reply(head.status, head.headers, tuple(chunks))

    async def reply_body(self) -> bytes:
        """Read the rest of a chunked body whose head was read."""
        chunks = []
        while chunk := await self.chunk():
            chunks.append(chunk)
        return b"".join(chunks)

    async def rest(self) -> bytes:
        """Read to the end of the connection."""
        with trio.fail_after(AGES):
            try:
                return self._take(len(self._unread)) + b"".join([piece async for piece in self.stream])
            except trio.BrokenResourceError:
                return b""

    async def leave(self) -> None:
        """Close both directions, as the kernel does for a program that was killed: writes to it fail."""
        await self.stream.aclose()

    async def half_close(self) -> None:
        await self.stream.send_eof()

    async def _until(self, end: bytes) -> bytes:
        while end not in self._unread:
            await self._more()
        found = self._take(self._unread.index(end) + len(end))
        return found.removesuffix(end)

    async def _exactly(self, size: int) -> bytes:
        while len(self._unread) < size:
            await self._more()
        return self._take(size)

    async def _more(self) -> None:
        piece = await self.stream.receive_some()
        assert piece, f"the connection ended after {self._unread!r}"
        self._unread += bytes(piece)

    def _take(self, size: int) -> bytes:
        taken, self._unread = self._unread[:size], self._unread[size:]
        return taken


@define
class Server:
    app: CcaApp
    backend: FakeBackend
    connections: Connections
    nursery: trio.Nursery
    open_connections: int = 0

    @property
    def service(self) -> Service:
        return self.app.service

    async def connect(
        self,
        *,
        stalling: bool = False,
        broken: bool = False,
        gone: bool = False,
        peer: str = PEER,
        scope: trio.CancelScope | None = None,
    ) -> Client:
        """Connect a client. A write to a ``stalling`` one waits until it reads; the others have all of memory.

        The stream of a ``broken`` one raises what no stream should; a ``gone`` one left before it was served. Its
        address is ``peer``. The connection is served in ``scope``.
        """
        ours, theirs = lockstep_stream_pair() if stalling else memory_stream_pair()
        if broken:
            cast(Any, theirs).receive_some = None
        cast(Any, theirs).socket = MemorySocket(theirs, gone, peer)
        self.nursery.start_soon(self._serve, theirs, scope or trio.CancelScope())
        return Client(ours)

    async def ask(self, request: bytes) -> Reply:
        return await (await self.connect()).ask(request)

    async def _serve(self, stream: Any, scope: trio.CancelScope) -> None:
        self.open_connections += 1
        try:
            with scope:
                await self.connections.serve(stream)
        finally:
            self.open_connections -= 1
            # As trio.serve_listeners does.
            await trio.aclose_forcefully(stream)


@asynccontextmanager
async def serving(
    *said: Said,
    backend: FakeBackend | None = None,
    database: Database | None = None,
    now: Clock = lambda: NOW,
    pooled: bool = POOLED,
    **settings: Any,
) -> AsyncIterator[Server]:
    """Serve while the block lasts, and hold that no process outlives its request."""
    backend = backend or FakeBackend(said)
    ids = count(1)
    async with (
        database_at_hand(database) as known,
        service_of(backend, known, Settings(**settings), now, lambda: f"id{next(ids)}", pooled=pooled) as service,
        trio.open_nursery() as nursery,
    ):
        app = service_app(service)
        yield Server(app, backend, Connections(app), nursery)
        nursery.cancel_scope.cancel()
    assert backend.left == backend.opened


async def inline(function: Callable[..., T], *arguments: Any) -> T:
    """Run a database's transaction at once: a clock that jumps would not wait for a thread."""
    await trio.lowlevel.checkpoint()
    return function(*arguments)


@asynccontextmanager
async def database_at_hand(given: Database | None) -> AsyncIterator[Database]:
    """Yield the database that a test gives, or an empty one."""
    if given is not None:
        yield given
        return
    with TemporaryDirectory() as directory:
        async with open_database(Path(directory, "cca.db"), inline) as database:
            yield database


def raw(method: str, path: str, *headers: str, body: bytes = b"", version: str = "1.1") -> bytes:
    lines = [f"{method} {path} HTTP/{version}", *headers]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


HOST = f"Host: 127.0.0.1:{PORT}"
JSON = "Content-Type: application/json"
CHAT = "/v1/chat/completions"


def get(path: str, *headers: str, method: str = "GET") -> bytes:
    return raw(method, path, HOST, *headers)


def post(body: Any, *headers: str, version: str = "1.1") -> bytes:
    return posted(CHAT, body, *headers, version=version)


def posted(path: str, body: Any, *headers: str, version: str = "1.1") -> bytes:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return raw("POST", path, HOST, JSON, f"Content-Length: {len(content)}", *headers, body=content, version=version)


def user(text: Any = "Hello") -> dict[str, Any]:
    return {"role": "user", "content": text}


def chat(*messages: Any, **fields: Any) -> dict[str, Any]:
    return {"model": "sonnet", "messages": list(messages) or [user()], **fields}


def streamed(*messages: Any, **fields: Any) -> dict[str, Any]:
    return chat(*messages, stream=True, **fields)
