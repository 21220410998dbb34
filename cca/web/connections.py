"""Hypercorn's connections, HTTP/1.1 only, without its ``serve``, which cannot end before every stalled reader has left.

HTTP/2 without encryption cannot be switched off in Hypercorn: it has no backpressure, and a client that leaves at the
wrong moment leaves its tasks behind. So its two doors are shut here: an upgrade is not taken up, and prior knowledge is
an HTTP version like any other, for ``web.scope`` to refuse.
"""

import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any, TypeAlias, cast

import h11
import trio
from attrs import define, field
from hypercorn.app_wrappers import ASGIWrapper
from hypercorn.config import Config
from hypercorn.events import Closed, Event, RawData, Updated
from hypercorn.protocol.events import Event as StreamEvent
from hypercorn.protocol.events import Response, StreamClosed
from hypercorn.protocol.h11 import H11Protocol
from hypercorn.trio.task_group import TaskGroup
from hypercorn.trio.tcp_server import MAX_RECV, TCPServer
from hypercorn.trio.worker_context import WorkerContext
from hypercorn.typing import (
    AppWrapper,
    ASGIReceiveEvent,
    ASGISendCallable,
    ASGISendEvent,
    ConnectionState,
    H11SendableEvent,
    HTTPScope,
    Scope,
    WebsocketScope,
)
from hypercorn.utils import parse_socket_addr, wrap_app

from cca.errors import BadRequest, CcaError, InternalError
from cca.web.app import CcaApp
from cca.web.framing import StrictConnection
from cca.web.scope import refused
from cca.web.writing import write

log = logging.getLogger(__name__)

Send: TypeAlias = Callable[[ASGISendEvent | None], Awaitable[None]]

KEEP_ALIVE = 8.0
"""Seconds for the head of a request to arrive, and for the next to begin: longer than the 5 after which httpx drops an
idle connection, so that it never writes to one that is being closed."""

READ_AHEAD = 4
"""Pieces, of at most ``MAX_RECV`` bytes, that are read while a request before them is answered, so that the end behind
them is seen. A client that sends more of them than that is not read on, and noticed when a write to it fails."""

HEAD_LIMIT = 16_384
"""Bytes that the head of a request may have, at least: h11 looks after each piece that it is given."""

NO_HTTP = BadRequest(
    "This is no HTTP/1.1 request as cca reads it. Use http:// and not https://, one Host header, "
    f"a length or chunks for the body, and at most {HEAD_LIMIT} bytes of headers.",
    code="invalid_http",
)

FAULT = InternalError("A fault in cca; its log says more.")

FAREWELL = 1.0
"""Seconds for the errors of answers that the grace time was too short for to reach their clients."""


def _config() -> Config:
    config = Config()
    config.accesslog = None
    config.errorlog = None
    config.include_server_header = False
    config.keep_alive_timeout = KEEP_ALIVE
    config.h11_max_incomplete_size = HEAD_LIMIT
    return config


class _Http1(H11Protocol):
    """Hypercorn's protocol. ``_head`` is that of an answer of which nothing else is there yet: they share a write."""

    _head: h11.Response | None = None
    _told = False

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.connection = StrictConnection(self.config.h11_max_incomplete_size)

    async def _check_protocol(self, event: h11.Request) -> None:
        """Stay."""

    async def _create_stream(self, request: h11.Request) -> None:
        """Take the handshake of a WebSocket for a request, which ``web.scope`` refuses: cca never changes protocol."""
        headers = [header for header in request.headers if header[0] != b"upgrade"]
        if len(headers) < len(request.headers):
            request = h11.Request(
                method=request.method, target=request.target, headers=headers, http_version=request.http_version
            )
        await super()._create_stream(request)

    async def stream_send(self, event: StreamEvent) -> None:
        """Say, with an answer to a request that has not arrived whole, that nothing can follow it here.

        One that ends before anything of it went out is a fault of cca's, and told as one.
        """
        if self._told:
            return
        if isinstance(event, Response) and not _is_ours(event):
            await self._fail()
            return
        if isinstance(event, Response) and self.connection.their_state is h11.SEND_BODY:
            event = replace(event, headers=[*event.headers, (b"connection", b"close")])
        if isinstance(event, StreamClosed) and self._head is not None:
            await self._fail()
            return
        await super().stream_send(event)

    async def _send_h11_event(self, event: H11SendableEvent) -> None:
        """Do what Hypercorn's does; but hold the head of an answer until something follows it."""
        if isinstance(event, h11.Response):
            self._head = event
        else:
            await self._write(event)

    async def _send_error_response(self, status_code: int) -> None:
        """Tell what h11 cannot read in the shape of all errors, and nothing of what it was. Hypercorn closes then."""
        await self._answer_with(status_code, NO_HTTP)

    async def _fail(self) -> None:
        await self._answer_with(500, FAULT)
        await self.send(Closed())

    async def _answer_with(self, status: int, error: CcaError) -> None:
        """Answer in place of the application, whose own answer comes too late from now on."""
        self._head, self._told = None, True
        asked = self._asked()
        headers, body = refused(cast(CcaApp, cast(ASGIWrapper, self.app).app), error, asked)
        headers += self.config.response_headers("h11")
        is_head = asked is not None and asked.get("method") == "HEAD"
        await self._write(
            h11.Response(status_code=status, headers=headers),
            h11.Data(data=b"" if is_head else body),
            h11.EndOfMessage(),
        )

    async def _write(self, *events: H11SendableEvent) -> None:
        """Write the head of the answer, if it is still here, and what follows, so that nothing comes between them."""
        held, self._head = self._head, None
        try:
            pieces = [self.connection.send(each) or b"" for each in (held, *events) if each is not None]
        except h11.LocalProtocolError:
            if self.connection.their_state is not h11.ERROR:
                raise
            return
        await self.send(RawData(data=b"".join(pieces)))

    def _asked(self) -> HTTPScope | WebsocketScope | None:
        """Return what is asked for, if the head of the request arrived before what is no HTTP."""
        return None if self.stream is None else getattr(self.stream, "scope", None)


def _is_ours(answer: Response) -> bool:
    """Return whether an answer is the application's: Hypercorn's own is to one that ended without."""
    return any(name == b"request-id" for name, _ in answer.headers)


class _Requests(TaskGroup):
    async def spawn_app(
        self, app: AppWrapper, config: Config, scope: Scope, send: Send
    ) -> Callable[[ASGIReceiveEvent], Awaitable[None]]:
        """Do what Hypercorn's does; but a client that leaves is told of at once, however much of its body waits.

        Hypercorn waits for room to tell it: for ever, where the application refuses a body or broke, and takes no more.
        """
        sender, receiver = trio.open_memory_channel[ASGIReceiveEvent](config.max_app_queue_size)

        async def receive() -> ASGIReceiveEvent:
            try:
                return await receiver.receive()
            except trio.EndOfChannel:
                return {"type": "http.disconnect"}

        async def put(event: ASGIReceiveEvent) -> None:
            if event["type"] == "http.disconnect":
                sender.close()
            else:
                with suppress(trio.ClosedResourceError):
                    await sender.send(event)

        async def listening(scope: Scope, _: object, send: ASGISendCallable, *threads: Callable[..., Any]) -> None:
            await app(scope, receive, send, *threads)

        await super().spawn_app(cast(AppWrapper, listening), config, scope, send)
        return put


class _Connection(TCPServer):
    async def run(self) -> None:
        """Do what Hypercorn's does, with ``_Http1``; and do not let the socket of a client that left idle on."""
        socket = self.stream.socket
        self._gone = trio.Event()
        try:
            client = parse_socket_addr(socket.family, socket.getpeername())
            server = parse_socket_addr(socket.family, socket.getsockname())
            async with _Requests() as self._task_group:
                self.protocol = _Http1(  # type: ignore[assignment]
                    self.app,
                    self.config,
                    self.context,
                    self._task_group,
                    ConnectionState(self.state),
                    ssl=False,
                    client=client,
                    server=server,
                    send=self.protocol_send,
                )
                await self.idle_task.restart(self._task_group, self._idle_timeout)
                await self._read_data()
                self._gone.set()
                await self.idle_task.stop()
        except OSError:
            # It left before it was served.
            pass
        finally:
            await self._close()

    async def protocol_send(self, event: Event) -> None:
        """Do what Hypercorn's does; but an answer that ends after its client left does not make the connection idle."""
        if isinstance(event, RawData):
            await self._write(event.data)
        elif not (isinstance(event, Updated) and self._gone.is_set()):
            await super().protocol_send(event)

    async def _write(self, piece: bytes) -> None:
        """Write; end the request of a client that left, and leave one that takes nothing."""
        stream = cast(trio.SocketStream, self.stream)
        try:
            async with self.send_lock:
                await write(stream.socket, piece)
        except trio.TooSlowError:
            await trio.aclose_forcefully(stream)
            await self.protocol.handle(Closed())
        except (OSError, trio.ClosedResourceError):
            await self.protocol.handle(Closed())

    async def _read_data(self) -> None:
        """Read until the client leaves, which half a close is too, or the connection is closed; then end its request.

        Hypercorn does not read while bytes wait for the answer to a request before them: it would not see the end that
        follows them. Whoever hands them over has stopped when the request is ended, so that it begins no other.
        """
        ahead, waiting = trio.open_memory_channel[bytes](READ_AHEAD)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._hand_over, waiting)
            with suppress(trio.ClosedResourceError, trio.BrokenResourceError):
                while piece := await self.stream.receive_some(MAX_RECV):
                    await ahead.send(bytes(piece))
            nursery.cancel_scope.cancel()
        await self.protocol.handle(Closed())

    async def _hand_over(self, waiting: trio.MemoryReceiveChannel[bytes]) -> None:
        async for piece in waiting:
            await self.protocol.handle(RawData(piece))


@define
class Connections:
    """The connections of ``app``, and their end."""

    app: CcaApp
    _config: Config = field(factory=_config, init=False)
    _context: WorkerContext = field(factory=lambda: WorkerContext(None), init=False)
    _streams: set[trio.SocketStream] = field(factory=set, init=False)
    _left: trio.lowlevel.ParkingLot = field(factory=trio.lowlevel.ParkingLot, init=False)

    async def serve(self, stream: trio.SocketStream) -> None:
        """Serve one connection to its end. A fault of Hypercorn's ends this one alone, and is logged."""
        wrapped = wrap_app(self.app, self._config.wsgi_max_body_size, "asgi")
        self._streams.add(stream)
        try:
            # Hypercorn's annotation names the TLS stream only.
            await _Connection(wrapped, self._config, self._context, ConnectionState({}), stream)  # type: ignore[arg-type]
        except* Exception:
            log.exception("A fault in Hypercorn ended a connection.")
        finally:
            self._streams.discard(stream)
            self._left.unpark_all()

    async def end(self, grace: float) -> None:
        """Wait until every connection has ended, at most ``grace`` seconds and the farewell.

        Idle ones end at once, others with their answer; one that is still under way after ``grace`` ends in an error.
        """
        await self._context.terminated.set()
        await self._all_left(grace)
        self.app.ending.come()
        await self._all_left(FAREWELL)

    def cut(self) -> None:
        """Shut each socket, so that a write which Hypercorn shields from cancelling fails."""
        for stream in self._streams:
            with suppress(OSError):
                stream.socket.shutdown(trio.socket.SHUT_RDWR)

    async def _all_left(self, seconds: float) -> None:
        with trio.move_on_after(seconds):
            while self._streams:
                await self._left.park()
