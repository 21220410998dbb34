"""The scripted model on a loopback port, in the Trio loop of whoever asks."""

from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import trio
from attrs import define, field, frozen
from hypercorn.config import Config
from hypercorn.trio.tcp_server import TCPServer
from hypercorn.trio.worker_context import WorkerContext
from hypercorn.typing import ConnectionState
from hypercorn.utils import wrap_app

from cca.scripted.app import ScriptedApp
from cca.scripted.ledger import Ledger, Received

KEEP_ALIVE_SECONDS = 3600.0  # the CLI keeps its connection while it waits; a closed one would look like a fault
LARGEST_HEADERS = 256 * 1024


@frozen
class ScriptedModel:
    """A served model. Its counters are live."""

    base_url: str
    _ledger: Ledger

    @property
    def received(self) -> deque[Received]:
        """The last requests to any path, oldest first."""
        return self._ledger.received

    @property
    def open_streams(self) -> int:
        """How many requests for a message are being answered, or kept waiting, at this moment."""
        return self._ledger.open_streams

    @property
    def streams_opened(self) -> int:
        return self._ledger.streams_opened

    @property
    def streams_abandoned(self) -> int:
        """How many clients left, or were sent away by the end of the server, before their answer was over."""
        return self._ledger.streams_abandoned


@asynccontextmanager
async def open_scripted_model(*, port: int = 0, keep: int = 1000) -> AsyncIterator[ScriptedModel]:
    """Serve on 127.0.0.1 for as long as the block lasts; its end cuts every connection at once.

    ``port`` 0 takes a free one; ``keep`` bounds ``received``. Nothing is written to stdout or stderr.
    Raises OSError when the port is taken.
    """
    ledger = Ledger(keep)
    connections = _Connections(ScriptedApp(ledger))
    listeners = await trio.open_tcp_listeners(port, host="127.0.0.1")
    host, bound, *_ = listeners[0].socket.getsockname()
    async with trio.open_nursery() as nursery:
        await nursery.start(trio.serve_listeners, connections.serve, listeners)
        try:
            yield ScriptedModel(f"http://{host}:{bound}", ledger)
        finally:
            connections.cut()
            nursery.cancel_scope.cancel()


def _config() -> Config:
    config = Config()
    config.errorlog = None
    config.accesslog = None
    config.keep_alive_timeout = KEEP_ALIVE_SECONDS
    config.keep_alive_max_requests = 1_000_000
    config.h11_max_incomplete_size = LARGEST_HEADERS
    config.include_server_header = False
    return config


class _Connection(TCPServer):
    async def _read_data(self) -> None:
        await super()._read_data()
        # Its client has left. Hypercorn would let the socket wait out the keep-alive time all the same.
        await self.idle_task.stop()


@define
class _Connections:
    """Hypercorn connections, but not its ``serve``, which cannot end before every stalled reader has left."""

    app: ScriptedApp
    config: Config = field(init=False, factory=_config)
    context: WorkerContext = field(init=False, factory=lambda: WorkerContext(None))
    streams: set[trio.SocketStream] = field(init=False, factory=set)

    async def serve(self, stream: trio.SocketStream) -> None:
        wrapped = wrap_app(self.app, self.config.wsgi_max_body_size, "asgi")
        self.streams.add(stream)
        try:
            # Hypercorn's annotation names the TLS stream only.
            await _Connection(wrapped, self.config, self.context, ConnectionState({}), stream)  # type: ignore[arg-type]
        finally:
            self.streams.discard(stream)

    def cut(self) -> None:
        """Shut each socket, so that a send which Hypercorn shields from cancelling fails."""
        for stream in self.streams:
            with suppress(OSError):
                stream.socket.shutdown(trio.socket.SHUT_RDWR)
