"""R-23. One request after the other, each with a process of its own: nothing is more after them than before."""

import tempfile
from itertools import cycle, islice, product
from pathlib import Path

import pytest
import trio
from fakes import SECONDS, until
from served_fakes import Base, Served, open_served

from outcomes import WAYS, Way
from survival import Survival

MODES = tuple(product(WAYS.values(), (True, False)))

MOST_SLOPE = 1000
"""Bytes that a request may leave behind, on average."""

ENOUGH = 1000
"""Requests of which an average says something."""


def memory() -> int:
    """Return the bytes of memory that this process has, which is the server and its client."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


async def ask(server: Served, connection: trio.SocketStream, way: Way, *, stream: bool) -> None:
    """Hold that a request is answered, to its end."""
    await connection.send_all(server.request(way.path, way.body("one hello", stream=stream)))
    heard = b""
    end = b"\r\n0\r\n\r\n" if stream else b"}"
    with trio.fail_after(SECONDS):
        while not heard.endswith(end):
            piece = await connection.receive_some()
            assert piece, heard
            heard += piece
    assert heard.startswith(b"HTTP/1.1 200")
    assert b"hello" in heard


@pytest.mark.parametrize("number", [len(MODES) * 3, pytest.param(10_000, marks=pytest.mark.soak)])
async def test_requests_in_a_row_leave_nothing(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, survival: Survival
) -> None:
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    async with open_served(tmp_path / "served") as server, await server.connect() as connection:
        for way, stream in MODES:
            await ask(server, connection, way, stream=stream)
        base, before, warm = Base.of(server), 0, number // 4
        for at, (way, stream) in enumerate(islice(cycle(MODES), number)):
            if at == warm:
                before = memory()
            await ask(server, connection, way, stream=stream)
        slope = (memory() - before) / (number - warm)
        with trio.move_on_after(SECONDS):
            await until(lambda: Base.of(server) == base)
        found = Base.of(server)
    lost = int(found != base or bool(list(temporary.iterdir())))
    survival("R-23", "requests in a row, a process each", tried=number, lost=lost, figure=f"{slope:.0f} bytes of each")
    assert found == base
    assert not list(temporary.iterdir())
    assert number < ENOUGH or slope <= MOST_SLOPE
