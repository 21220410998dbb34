"""R-22. A server that has no descriptors left says so, and goes on when there are some again."""

import os
import resource
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path

import pytest
import trio
from fakes import until
from served_fakes import Served, open_served

from outcomes import WAYS

WAY = WAYS["chat"]


@contextmanager
def no_descriptors() -> Iterator[None]:
    """Let none be opened that is not open now."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    free = os.open(os.devnull, os.O_RDONLY)
    os.close(free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (free, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def ask(server: Served, connection: trio.SocketStream) -> tuple[int, bytes]:
    """Return the status and the body of an answer on a connection that is there."""
    await connection.send_all(server.request(WAY.path, WAY.body("first- hello", stream=False)))
    heard = b""
    with trio.fail_after(10):
        while b"\r\n\r\n" not in heard or b"}" not in heard[-3:]:
            piece = await connection.receive_some()
            assert piece
            heard += piece
    head, _, body = heard.partition(b"\r\n\r\n")
    return int(head.split()[1]), body


async def test_a_request_is_told_and_the_next_is_answered(tmp_path: Path) -> None:
    async with open_served(tmp_path / "served") as server, await server.connect() as connection:
        assert (await ask(server, connection))[0] == 200
        with no_descriptors():
            status, body = await ask(server, connection)
        assert (status, b"Too many open files" in body) == (503, True)
        assert (await ask(server, connection))[0] == 200


async def test_who_comes_meanwhile_is_let_in_once_there_are_some(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_served(tmp_path / "served") as server, AsyncExitStack() as stack:
        # A client that is in the same process has its descriptors before.
        sockets = [stack.enter_context(trio.socket.socket()) for _ in range(3)]
        with no_descriptors():
            for each in sockets:
                await each.connect(("127.0.0.1", server.port))
            await until(lambda: "Too many open files" in caplog.text)
        statuses = [(await ask(server, trio.SocketStream(each)))[0] for each in sockets]
    assert statuses == [200, 200, 200]
