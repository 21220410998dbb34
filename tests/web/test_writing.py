"""Writes that are whole or fail, and that last as long as their client takes some of them."""

from typing import cast

import pytest
import trio
from trio.testing import MockClock

from cca.web.writing import STALLED_WRITE, write

PIECE = b"x" * 300_000


class Full:
    """A socket that takes no more."""

    async def send(self, _: memoryview) -> int:
        await trio.sleep_forever()
        raise AssertionError


class Slow:
    """A socket that takes a little just in time."""

    async def send(self, _: memoryview) -> int:
        await trio.sleep(STALLED_WRITE - 1)
        return 1000


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
        await write(cast(trio.socket.SocketType, Full()), PIECE)
    assert trio.current_time() == STALLED_WRITE


async def test_who_takes_a_little_now_and_then_is_not_left(autojump_clock: MockClock) -> None:
    await write(cast(trio.socket.SocketType, Slow()), PIECE)
    assert trio.current_time() == (STALLED_WRITE - 1) * len(PIECE) / 1000


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
    await write(cast(trio.socket.SocketType, Full()), b"")
