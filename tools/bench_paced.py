"""Many streams at once, each of a piece a second: how long cca takes to pass a piece on, and whether all come.

    python -m tools.bench_paced PIECES PAUSE

serves streams of so many pieces, one each ``PAUSE`` seconds. They come from processes in cca's own, and say which they
are, and when they were there.
"""

import selectors
import socket
import statistics
import sys
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

MANY, PIECES, PAUSE = 500, 20, 1.0
"""Streams at once, how many pieces each has, and seconds from one to the next."""

RAMP = 0.01
"""Seconds from one's beginning to the next one's, or what is timed is how many requests a server takes in at once."""


@define
class Paced:
    """A process that says when it says what, a piece each ``pause`` seconds."""

    pieces: int
    pause: float
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
        if number <= self.pieces:
            await trio.sleep_until(self._next + number * self.pause)
            return orjson.dumps(piece(f"<{number}:{time.monotonic():.6f}>")) + b"\n"
        await trio.lowlevel.checkpoint()
        return b"".join(orjson.dumps(line) + b"\n" for line in self._lines[3:])

    def end(self) -> None:
        """Be gone."""

    async def wait(self) -> Exit:
        await trio.lowlevel.checkpoint()
        return Exit(0)


@frozen
class PacedBackend:
    pieces: int
    pause: float
    name: str = "paced"
    cli_version: str = "0"
    models: tuple[ModelEntry, ...] = (MODEL,)

    @asynccontextmanager
    async def open(self, _: Conversation) -> AsyncIterator[Paced]:
        await trio.lowlevel.checkpoint()
        yield Paced(self.pieces, self.pause)


async def serve_paced(pieces: int, pause: float) -> None:
    settings = Settings(processes=2 * MANY)
    with tempfile.TemporaryDirectory() as place:
        async with open_database(Path(place, "cca.db")) as database, trio.open_nursery() as nursery:
            app = service_app(Service(settings, PacedBackend(pieces, pause), database))
            [listener] = await trio.open_tcp_listeners(0, host="127.0.0.1", backlog=1024)
            print(f":{listener.socket.getsockname()[1]}", flush=True)
            nursery.start_soon(partial(trio.serve_listeners, Connections(app).serve, [listener]))
            await trio.sleep_forever()


@define
class Stream:
    """What came of one: the numbers of its pieces, and milliseconds from each being there to its client having it."""

    numbers: list[int] = field(factory=list)
    delays: list[float] = field(factory=list)
    over: bool = False
    _rest: bytes = b""

    def take(self, said: bytes) -> None:
        now = time.monotonic()
        *pieces, self._rest = (self._rest + said).split(b">")
        for each in pieces:
            number, at = each.rpartition(b"<")[2].split(b":")
            self.numbers.append(int(number))
            self.delays.append((now - float(at)) * 1000)
        self.over = self._rest.endswith(b"data: [DONE]\n\n\r\n0\r\n\r\n")


@frozen
class Many:
    """Milliseconds from a piece being there to the client having it, and megabytes.

    ``whole`` are the streams of which all came, in their order, and an end; ``pieces`` came of all.
    """

    streams: int
    whole: int
    pieces: int
    median: float
    p99: float
    most: float
    cpu: float
    memory: float


def many(server: Server, streams: int = MANY, pieces: int = PIECES, pause: float = PAUSE) -> Many:
    """Ask for ``streams`` of so many pieces, one after the other as clients do, and time each piece of each."""
    selector = selectors.DefaultSelector()
    body = request(server.port, DIALECTS[0].path, asked(DIALECTS[0], 0, stream=True))
    all_of_them = [Stream() for _ in range(streams)]
    with ExitStack() as stack:
        began = time.monotonic()
        until = began + streams * RAMP + pieces * pause + SERVER_TIMEOUT
        for number, stream in enumerate(all_of_them):
            time.sleep(max(0.0, began + number * RAMP - time.monotonic()))
            one = stack.enter_context(socket.create_connection(("127.0.0.1", server.port)))
            one.sendall(body)
            one.setblocking(False)  # noqa: FBT003 - the socket's own name for it
            selector.register(one, selectors.EVENT_READ, stream)
            _take(selector, 0)
        before, had = server.cpu, sum(len(stream.delays) for stream in all_of_them)
        while selector.get_map() and time.monotonic() < until:
            _take(selector, 1)
        used = server.cpu - before
    delays = sorted(delay for stream in all_of_them for delay in stream.delays)
    complete = [*range(1, pieces + 1)]
    return Many(
        streams,
        sum(stream.over and stream.numbers == complete for stream in all_of_them),
        len(delays),
        statistics.median(delays),
        delays[int(len(delays) * 0.99)],
        delays[-1],
        used * 1000 / max(1, len(delays) - had),
        server.peak,
    )


def _take(selector: selectors.BaseSelector, timeout: float) -> None:
    for key, _ in selector.select(timeout):
        one, stream = key.fileobj, key.data
        assert isinstance(one, socket.socket)
        said = one.recv(1 << 16)
        stream.take(said)
        if stream.over or not said:
            selector.unregister(one)


if __name__ == "__main__":
    trio.run(serve_paced, int(sys.argv[1]), float(sys.argv[2]))
