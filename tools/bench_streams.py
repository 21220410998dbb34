"""What cca itself costs: its time on the processor, its streams beside a bare one, its memory, and many at once.

    python -m tools.bench_streams [--requests 300] [--only cpu|chunks|memory|many] [--json FILE]

No Claude Code runs: the answers are recordings that ``cca serve --replay`` plays without a pause, and for many streams
at once a process that says when it said what. The bare stream is an application of Quart-Trio's on Hypercorn, as plain
as there can be, that sends the same frames. The figures of one run compare with each other, and with nothing else.
"""

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import trio
from attrs import asdict, frozen
from hypercorn.config import Config
from hypercorn.trio import serve
from quart import Response
from quart_trio import QuartTrio

from cca.dialects import DIALECTS
from tools.bench_paced import PAUSE, PIECES, Many, many
from tools.bench_recorded import asked, record
from tools.bench_replayed import Client, Server, running

TOKENS, LONG = 50, 3000
"""Of a plain answer, and of one whose chunks are counted."""

ROUNDS = 5
"""Long streams of each kind, in turns."""


@frozen
class Cost:
    """Milliseconds: of the processor, and of the clock to the whole answer on a connection that stays."""

    name: str
    cpu: float
    median: float
    p95: float


def costs(server: Server, requests: int) -> Iterator[Cost]:
    """Yield what an answer of ``TOKENS`` costs, in each dialect, streamed and whole."""
    for dialect in DIALECTS:
        for stream in (True, False):
            client = Client(server.port)
            body = asked(dialect, TOKENS, stream=stream)
            for _ in range(20):
                client.ask(dialect.path, body)
            before = server.cpu
            times = []
            for _ in range(requests):
                began = time.perf_counter()
                client.ask(dialect.path, body)
                times.append((time.perf_counter() - began) * 1000)
            cpu = (server.cpu - before) * 1000 / requests
            client.close()
            name = f"{dialect.name}, {'streamed' if stream else 'whole'}"
            yield Cost(name, cpu, statistics.median(times), sorted(times)[int(requests * 0.95)])


@frozen
class Chunks:
    """Events a second, of cca's streams and of the bare ones of the same frames."""

    name: str
    cca: float
    bare: float

    @property
    def ratio(self) -> float:
        return self.cca / self.bare


def chunks(server: Server, directory: Path) -> Iterator[Chunks]:
    """Yield how fast long streams are, in turns with bare ones."""
    for dialect in DIALECTS:
        body = asked(dialect, LONG, stream=True)
        client = Client(server.port)
        frames = frames_of(client.ask(dialect.path, body))
        recorded = directory / "frames.json"
        recorded.write_text(json.dumps([frame.decode() for frame in frames]))
        with running("tools.bench_streams", "--bare", str(recorded)) as bare:
            plain = Client(bare.port)
            assert frames_of(plain.ask("/", {})) == frames
            rates: dict[str, list[float]] = {"cca": [], "bare": []}
            for _ in range(ROUNDS):
                for name, one, path in (("cca", client, dialect.path), ("bare", plain, "/")):
                    began = time.perf_counter()
                    one.ask(path, body)
                    rates[name].append(len(frames) / (time.perf_counter() - began))
            plain.close()
        client.close()
        yield Chunks(dialect.name, statistics.median(rates["cca"]), statistics.median(rates["bare"]))


def frames_of(answer: bytes) -> list[bytes]:
    """Return the events of a chunked answer."""
    body, rest = b"", answer.partition(b"\r\n\r\n")[2]
    pieces = []
    while rest != b"0\r\n\r\n":
        size, _, rest = rest.partition(b"\r\n")
        pieces.append(rest[: int(size, 16)])
        rest = rest[int(size, 16) + 2 :]
    body = b"".join(pieces)
    return [frame + b"\n\n" for frame in body.split(b"\n\n")[:-1]]


async def serve_bare(frames: Sequence[bytes]) -> None:
    """Serve frames, one a write, by a Quart-Trio application that does nothing else."""
    app = QuartTrio("bare")

    @app.post("/")
    async def stream() -> Response:
        async def body() -> AsyncIterator[bytes]:
            for frame in frames:
                yield frame

        return Response(body(), headers={"Content-Type": "text/event-stream"})

    config = Config()
    config.bind = ["127.0.0.1:0"]
    config.accesslog = config.errorlog = None
    async with trio.open_nursery() as nursery:
        [bound] = await nursery.start(serve, app, config)
        print(bound, flush=True)


@frozen
class Memory:
    """Megabytes when it started, after a quarter of the requests, and after all; bytes more for each in between.

    Before that Python's collector of garbage may not have looked at everything once. ``opened`` are descriptors more.
    """

    idle: float
    warm: float
    after: float
    slope: float
    opened: int


def memory(server: Server, requests: int) -> Memory:
    idle = server.memory
    clients = [(dialect, Client(server.port)) for dialect in DIALECTS]
    held = {}
    for number in range(requests):
        dialect, client = clients[number % len(clients)]
        client.ask(dialect.path, asked(dialect, TOKENS, stream=number % 8 < 4))
        if number in (requests // 4, requests - 1):
            held[number] = server.memory, server.descriptors
    (first, (warm, had)), (last, (after, has)) = held.items()
    for _, client in clients:
        client.close()
    return Memory(idle, warm, after, (after - warm) * 1e6 / (last - first), has - had)


def main() -> None:
    flags = _parser().parse_args()
    if flags.bare:
        trio.run(serve_bare, [frame.encode() for frame in json.loads(flags.bare.read_text())])
        return
    found = measure(flags.requests, flags.only)
    if flags.json:
        flags.json.write_text(json.dumps({name: [asdict(row) for row in rows] for name, rows in found.items()}))


def measure(requests: int, only: str | None = None) -> Mapping[str, Sequence[Any]]:
    """Measure, print each row when it is there, and return all rows by their kind."""
    found: dict[str, list[Any]] = {}
    for kind, rows in _KINDS.items():
        for row in rows(requests) if only in (None, kind) else ():
            found.setdefault(kind, []).append(row)
            told = {name: round(value, 2) if isinstance(value, float) else value for name, value in asdict(row).items()}
            print(kind, told, flush=True)
    return found


def measure_memory(requests: int) -> Iterator[Memory]:
    with replaying(TOKENS) as (server, _):
        yield memory(server, 10 * requests)


def measure_cpu(requests: int) -> Iterator[Cost]:
    with replaying(TOKENS) as (server, _):
        yield from costs(server, requests)


def measure_chunks(_: int) -> Iterator[Chunks]:
    with replaying(LONG) as (server, place):
        yield from chunks(server, place)


def measure_many(_: int) -> Iterator[Many]:
    with running("tools.bench_paced", str(PIECES), str(PAUSE)) as server:
        yield many(server)


@contextmanager
def replaying(tokens: int) -> Iterator[tuple[Server, Path]]:
    """Run a cca that replays answers of so many tokens, and name the directory of its recordings."""
    with tempfile.TemporaryDirectory() as place:
        record(Path(place), (tokens,))
        with running("cca", "serve", "--port", "0", "--replay", place) as server:
            yield server, Path(place)


_KINDS: Mapping[str, Callable[[int], Iterator[Any]]] = {
    "memory": measure_memory,
    "cpu": measure_cpu,
    "chunks": measure_chunks,
    "many": measure_many,
}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tools.bench_streams", description="What cca itself costs.")
    parser.add_argument("--requests", type=int, default=300, help="of each kind; ten times as many for the memory")
    parser.add_argument("--only", choices=tuple(_KINDS))
    parser.add_argument("--json", type=Path, help="write the rows into this file, too")
    parser.add_argument("--bare", type=Path, help=argparse.SUPPRESS)
    return parser


if __name__ == "__main__":
    main()
