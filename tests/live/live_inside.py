"""The whole server inside the test's own process, with the real Claude Code behind it. For the tests beside."""

import json
import os
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import trio
from attrs import define, field, frozen
from live_cli import program
from live_pool import STAYING, WAITING
from live_server import alive, children

from cca.backends import Process
from cca.backends.live import open_live
from cca.backends.pool import Pool
from cca.claude.launch import launch, offline_environ
from cca.model import Conversation, Json, ModelEntry, Text
from cca.scripted import ScriptedModel, open_scripted_model
from cca.service import Service
from cca.settings import Settings
from cca.store.database import open_database
from cca.web.app import service_app
from cca.web.serve import run_server

CHAT = "/v1/chat/completions"

PROGRAM = "program"
"""In the place of an environment's variable: the path of what is started as Claude Code."""


@define
class Watched:
    """A backend that keeps the ids of its processes, by the first word of their prompt.

    It counts those that were ``opened``, and those that have their history of a file.
    """

    inner: Pool
    of: dict[str, int] = field(factory=dict)
    opened: int = 0
    recalled: int = 0

    @property
    def pids(self) -> list[int]:
        return list(self.of.values())

    @property
    def name(self) -> str:
        return self.inner.name

    @property
    def cli_version(self) -> str:
        return self.inner.cli_version

    @property
    def models(self) -> tuple[ModelEntry, ...]:
        return self.inner.models

    @asynccontextmanager
    async def open(self, conversation: Conversation) -> AsyncIterator[Process]:
        self.opened += 1
        async with self.inner.open(conversation) as process:
            self.recalled += process.recalled
            match conversation.turns[0].content[0]:
                case Text(text):
                    self.of[text.partition(" ")[0]] = process.popen.pid
                case _:
                    pass
            yield process


@frozen
class Inside:
    """A server's port, the model behind it, its processes, and the home that these have."""

    port: int
    model: ScriptedModel
    backend: Watched
    home: Path
    service: Service
    run_directory: Path

    @property
    def processes(self) -> set[int]:
        """The processes of Claude Code that live."""
        return {pid for pid in alive(children(os.getpid())) if b"stream-json" in _command(pid)}

    @property
    def pool(self) -> Pool:
        return self.backend.inner

    async def connect(self) -> trio.SocketStream:
        return await trio.open_tcp_stream("127.0.0.1", self.port)

    async def chat(self, body: Json, headers: str = "", path: str = CHAT) -> bytes:
        """Return the whole reply, head and all."""
        async with await self.connect() as stream:
            await stream.send_all(self.request(body, f"Connection: close\r\n{headers}", path))
            return b"".join([part async for part in stream])

    def request(self, body: Json, headers: str = "", path: str = CHAT) -> bytes:
        content = json.dumps(body).encode()
        head = (
            f"POST {path} HTTP/1.1\r\nHost: localhost:{self.port}\r\n{headers}"
            f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
        )
        return head.encode() + content


def _command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


async def until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110 - what another program, or a task of the server's, does has no event
        await trio.sleep(0.001)


@asynccontextmanager
async def open_inside(
    furnish: Callable[[Path], Mapping[str, str]] = lambda home: {}, **given: Any
) -> AsyncIterator[Inside]:
    """Own a server on a port of its own, with settings that are ``given``. Its end is immediate.

    ``furnish`` is called with the home of its processes, and returns what more they are started with.
    """
    with tempfile.TemporaryDirectory() as place, tempfile.TemporaryDirectory() as state:
        home = Path(place)
        machine = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "HOME": place}
        async with open_scripted_model() as model:
            environ = {**offline_environ(machine, model.base_url), **furnish(home)}
            launcher = partial(launch, environ.pop(PROGRAM, program()), environ, retries=0)
            async with (
                open_live(launcher) as live,
                open_database(Path(state, "cca.db")) as database,
                trio.open_nursery() as nursery,
            ):
                settings = Settings(**{"port": 0, "processes": 300, "waiting": WAITING, "staying": STAYING, **given})
                pool = Pool(live, settings.processes, settings.waiting or 0, os.cpu_count() or 1)
                backend = Watched(pool)
                announced, addresses = trio.open_memory_channel[str](1)
                service = Service(settings, backend, database)
                pool.spare = service.staying.spare
                nursery.start_soon(run_server, service_app(service), settings, announced.send_nowait)
                address = await addresses.receive()
                async with pool.opened(), service.staying.opened():
                    yield Inside(int(address.rpartition(":")[2]), model, backend, home, service, live.directory)
                nursery.cancel_scope.cancel()
