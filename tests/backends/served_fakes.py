"""cca on a port of loopback, inside the test's own process: its processes are the fake Claude Code on real pipes."""

import json
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import trio
from attrs import define, field, frozen
from fakes import descriptors, launching, unwatched

from cca.backends import Process
from cca.backends.live import LiveBackend
from cca.backends.pool import Pool
from cca.model import Conversation, ModelEntry, Text
from cca.service import Service
from cca.settings import Settings
from cca.store.database import open_database
from cca.web.app import service_app
from cca.web.connections import Connections

OBEYS = launching(("obey",))


@define
class Watched:
    """A pool that keeps the ids of its processes, by the first word of their prompt."""

    pool: Pool
    of: dict[str, int] = field(factory=dict)
    name: str = "fake"
    cli_version: str = "2.1.330"
    models: tuple[ModelEntry, ...] = (ModelEntry("sonnet", "claude-sonnet-5-5", "Sonnet"),)

    @asynccontextmanager
    async def open(self, conversation: Conversation) -> AsyncIterator[Process]:
        async with self.pool.open(conversation) as process:
            told = conversation.turns[0].content[0]
            assert isinstance(told, Text)
            self.of[told.text.partition(" ")[0]] = process.popen.pid
            yield process


@frozen
class Served:
    port: int
    service: Service
    backend: Watched
    live: LiveBackend

    async def connect(self) -> trio.SocketStream:
        return await trio.open_tcp_stream("127.0.0.1", self.port)

    def request(self, path: str, body: Any) -> bytes:
        content = json.dumps(body).encode()
        head = f"POST {path} HTTP/1.1\r\nHost: localhost:{self.port}\r\nContent-Type: application/json\r\n"
        return f"{head}Content-Length: {len(content)}\r\n\r\n".encode() + content


@asynccontextmanager
async def open_served(directory: Path, launcher: Any = OBEYS, **given: Any) -> AsyncIterator[Served]:
    """Own a server with settings that are ``given``. No process waits, none stays, and its end is immediate."""
    settings = Settings(**{"processes": 100, "waiting": 0, "staying": 0, **given})
    with unwatched(directory / "run", launcher) as live:
        pool = Pool(live, settings.processes, 0, os.cpu_count() or 1)
        backend = Watched(pool)
        async with open_database(directory / "cca.db") as database, pool.opened(), trio.open_nursery() as nursery:
            service = Service(settings, backend, database)
            connections = Connections(service_app(service))
            [listener] = await trio.open_tcp_listeners(0, host="127.0.0.1")
            nursery.start_soon(trio.serve_listeners, connections.serve, [listener])
            yield Served(cast(Any, listener.socket.getsockname())[1], service, backend, live)
            connections.cut()
            nursery.cancel_scope.cancel()


def children() -> Iterator[int]:
    """Yield the processes that this one has started and not yet waited for, dead or alive."""
    for tasks in Path("/proc/self/task").glob("*/children"):
        yield from map(int, tasks.read_text().split())


@frozen
class Base:
    """How much is there of servers that do what they did before."""

    descriptors: int
    tasks: int
    children: int
    files: int

    @classmethod
    def of(cls, *servers: Served) -> "Base":
        runs = [server.live.directory for server in servers]
        return cls(
            descriptors=descriptors(),
            tasks=trio.lowlevel.current_statistics().tasks_living,
            children=len(list(children())),
            files=sum(len(list(run.iterdir())) for run in runs if run.exists()),
        )
