"""R-23. One request after the other, each with a process of its own: nothing is more after them than before."""

import tempfile
from itertools import product
from operator import le
from pathlib import Path

import pytest
import trio
import trio.testing
from attrs import astuple, evolve
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


async def ask_each_way(server: Served) -> None:
    """Ask in each of the modes, on a connection of its own: none is there for a thousand requests."""
    async with await server.connect() as connection:
        for way, stream in MODES:
            await ask(server, connection, way, stream=stream)


def is_no_more(found: Base, base: Base) -> bool:
    return all(map(le, astuple(found), astuple(base)))


@pytest.mark.parametrize("number", [len(MODES) * 3, pytest.param(10_000, marks=pytest.mark.soak)])
async def test_requests_in_a_row_leave_nothing(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, survival: Survival
) -> None:
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    async with open_served(tmp_path / "served") as server:
        fresh = Base.of(server)
        await ask_each_way(server)
        # Some task is there from the first request on. The rest of that is gone with its processes and its connection.
        await until(lambda: is_no_more(evolve(Base.of(server), tasks=0), fresh))
        await trio.testing.wait_all_tasks_blocked()
        base, before = Base.of(server), 0
        rounds = number // len(MODES)
        for at in range(rounds):
            if at == rounds // 4:
                before = memory()
            await ask_each_way(server)
        slope = (memory() - before) / (number * 3 / 4)
        with trio.move_on_after(SECONDS):
            await until(lambda: is_no_more(Base.of(server), base))
        found = Base.of(server)
    lost = int(not is_no_more(found, base) or bool(list(temporary.iterdir())))
    survival("R-23", "requests in a row, a process each", tried=number, lost=lost, figure=f"{slope:.0f} bytes of each")
    assert is_no_more(found, base), (found, base)
    assert not list(temporary.iterdir())
    assert number < ENOUGH or slope <= MOST_SLOPE
