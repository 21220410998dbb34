"""Many streams at once, each of a piece a second: how long cca takes to pass a piece on.

The pieces come from processes in cca's own, and say when they were there.
"""

import re
import selectors
import socket
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import ExitStack, asynccontextmanager
from functools import partial
from pathlib import Path

import orjson
import trio
from attrs import define, field, frozen

from cca.backends import Exit
from cca.dialects import DIALECTS
from cca.model import Conversation, Json, ModelEntry
from cca.service import Service
from cca.settings import Settings
from cca.store.database import open_database
from cca.web.app import service_app
from cca.web.connections import Connections
from tools.bench_recorded import MODEL, asked, piece, printed
from tools.bench_replayed import SERVER_TIMEOUT, Server, request

MANY, SECONDS = 500, 20
"""Streams at once, and how many pieces each has."""

RAMP = 5.0
"""Seconds in which they begin: a hundred a second, or what is timed is how many requests a server takes in at once."""


@define
class Paced:
    """A process that says when it says what, a piece a second."""

    seconds: int
    recalled: bool = False
    fit: bool = True
    memory: int = 0
    _lines: list[Mapping[str, Json]] = field(init=False)
    _said: int = field(default=0, init=False)
    _next: float = field(factory=trio.current_time, init=False)

    def __attrs_post_init__(self) -> None:
        self._lines = list(printed(0))

    def write(self, frames: bytes) -> None:
        """Take no notice."""

    async def read(self) -> bytes:
        number, self._said = self._said, self._said + 1
        if number == 0:
            return b"".join(orjson.dumps(line) + b"\n" for line in self._lines[:3])
        if number <= self.seconds:
            await trio.sleep_until(self._next + number)
            return orjson.dumps(piece(f"<{time.monotonic():.6f}>")) + b"\n"
        await trio.lowlevel.checkpoint()
        return b"".join(orjson.dumps(line) + b"\n" for line in self._lines[3:])

    def end(self) -> None:
        """Be gone."""

    async def wait(self) -> Exit:
        await trio.lowlevel.checkpoint()
        return Exit(0)


@frozen
class PacedBackend:
    name: str = "paced"
    cli_version: str = "0"
    models: tuple[ModelEntry, ...] = (MODEL,)

    @asynccontextmanager
    async def open(self, _: Conversation) -> AsyncIterator[Paced]:
        await trio.lowlevel.checkpoint()
        yield Paced(SECONDS)


async def serve_paced() -> None:
    settings = Settings(processes=2 * MANY)
    with tempfile.TemporaryDirectory() as place:
        async with open_database(Path(place, "cca.db")) as database, trio.open_nursery() as nursery:
            app = service_app(Service(settings, PacedBackend(), database))
            [listener] = await trio.open_tcp_listeners(0, host="127.0.0.1", backlog=1024)
            print(f":{listener.socket.getsockname()[1]}", flush=True)
            nursery.start_soon(partial(trio.serve_listeners, Connections(app).serve, [listener]))
            await trio.sleep_forever()


@frozen
class Many:
    """Milliseconds from a piece being there to the client having it, and megabytes; ``pieces`` arrived of all."""

    streams: int
    pieces: int
    expected: int
    median: float
    p99: float
    most: float
    cpu: float
    memory: float


def many(server: Server) -> Many:
    """Ask for ``MANY`` streams, spread over their second as clients are, and time each piece of each."""
    selector = selectors.DefaultSelector()
    body = request(server.port, DIALECTS[0].path, asked(DIALECTS[0], 0, stream=True))
    delays: list[float] = []
    with ExitStack() as stack:
        began = time.monotonic()
        until = began + RAMP + SECONDS + SERVER_TIMEOUT
        for number in range(MANY):
            time.sleep(max(0.0, began + number * RAMP / MANY - time.monotonic()))
            one = stack.enter_context(socket.create_connection(("127.0.0.1", server.port)))
            one.sendall(body)
            one.setblocking(False)  # noqa: FBT003 - the socket's own name for it
            selector.register(one, selectors.EVENT_READ)
            delays += _arrived(selector, 0)
        before = server.cpu
        while selector.get_map() and time.monotonic() < until:
            delays += _arrived(selector, 1)
        used = (server.cpu - before) * 1000 / max(1, len(delays))
    delays.sort()
    return Many(
        MANY,
        len(delays),
        MANY * SECONDS,
        statistics.median(delays),
        delays[int(len(delays) * 0.99)],
        delays[-1],
        used,
        server.peak,
    )


def _arrived(selector: selectors.BaseSelector, timeout: float) -> list[float]:
    delays = []
    for key, _ in selector.select(timeout):
        stream = key.fileobj
        assert isinstance(stream, socket.socket)
        said = stream.recv(1 << 16)
        now = time.monotonic()
        delays += [(now - float(at)) * 1000 for at in re.findall(rb"<([0-9.]+)>", said)]
        if said.endswith(b"0\r\n\r\n") or not said:
            selector.unregister(stream)
    return delays


if __name__ == "__main__":
    trio.run(serve_paced)
