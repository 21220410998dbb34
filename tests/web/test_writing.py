"""Writes that are whole or fail, and that last as long as their client takes some of them."""

import socket
import sys
from typing import cast

import pytest
import trio
from attrs import frozen
from trio.testing import MockClock

from cca.web.writing import LEAST, STALLED_WRITE, write

PIECE = b"x" * 300_000


@frozen
class Full:
    """A socket that takes no more, and holds what waits in another."""

    held: socket.socket | None = None

    def fileno(self) -> int:
        return -1 if self.held is None else self.held.fileno()

    async def send(self, _: object) -> int:
        await trio.sleep_forever()
        raise AssertionError


def full(held: socket.socket | None = None) -> trio.socket.SocketType:
    return cast(trio.socket.SocketType, Full(held))


async def test_a_piece_is_whole_whatever_is_cancelled() -> None:
    ours, theirs = trio.socket.socketpair()
    taken = b""
    with ours, theirs:
        async with trio.open_nursery() as nursery:

            async def send() -> None:
                with trio.CancelScope() as scope:
                    nursery.start_soon(take, scope)
                    await write(ours, PIECE)
                    await trio.lowlevel.checkpoint()
                    pytest.fail("it was not cancelled")

            async def take(scope: trio.CancelScope) -> None:
                nonlocal taken
                await trio.testing.wait_all_tasks_blocked()
                scope.cancel()
                while len(taken) < len(PIECE):
                    taken += await theirs.recv(4096)

            nursery.start_soon(send)
    assert taken == PIECE


async def test_who_takes_nothing_is_left_after_a_minute(autojump_clock: MockClock) -> None:
    with pytest.raises(trio.TooSlowError):
        await write(full(), PIECE)
    assert trio.current_time() == STALLED_WRITE


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a socket takes more as soon as there is room")
async def test_who_takes_some_of_what_the_socket_holds_is_not_left(autojump_clock: MockClock) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        for _ in range(10):
            ours.send(b"x" * LEAST)

        async def take() -> None:
            for _ in range(5):
                await trio.sleep(STALLED_WRITE - 1)
                theirs.recv(2 * LEAST)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(take)
            with pytest.raises(trio.TooSlowError):
                await write(full(ours), PIECE)
    assert STALLED_WRITE * 5 <= trio.current_time() <= STALLED_WRITE * 7


@pytest.mark.parametrize("closed", ["ours", "theirs"])
async def test_who_left_is_told(closed: str) -> None:
    ours, theirs = trio.socket.socketpair()
    (ours if closed == "ours" else theirs).close()
    with ours, theirs, pytest.raises(OSError, match=r"Broken pipe|Bad file descriptor"):
        await write(ours, PIECE)


async def test_a_write_ends_with_its_socket() -> None:
    ours, theirs = trio.socket.socketpair()
    with ours, theirs:
        async with trio.open_nursery() as nursery:

            async def send() -> None:
                with pytest.raises(trio.ClosedResourceError):
                    await write(ours, PIECE * 100)

            nursery.start_soon(send)
            await trio.testing.wait_all_tasks_blocked()
            ours.close()


async def test_nothing_is_written_at_once() -> None:
    await write(full(), b"")
