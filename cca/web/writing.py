"""A write to a client: whole, whatever is cancelled meanwhile, and for as long as its client takes some of it.

When a socket takes more says little of its client: Linux waits until a third of what it holds, which is up to 4 MB, is
gone. Of a client that reads 20 KB a second it is told nothing for over a minute. So what the socket holds is looked at.
"""

import struct
from fcntl import ioctl
from termios import TIOCOUTQ

import trio

STALLED_WRITE = 60.0
"""Seconds in which a client must take ``LEAST``."""

LEAST = 16_384
"""Bytes. One that reads on takes more at a time: it tells of its room in pieces of 64 KB on loopback."""

LOOK = 15.0
"""Seconds between two looks at what it took."""


async def write(sock: trio.socket.SocketType, piece: bytes) -> None:
    """Write ``piece``, and be cancelled after it: half of one would be no HTTP, and a hole if more followed.

    Raise ``TooSlowError`` for a client that stopped to read, and ``OSError`` or ``ClosedResourceError`` for one that
    left. Whoever cannot wait for either shuts the socket down.
    """
    left = memoryview(piece)
    held = _held(sock)
    taken, since = 0, trio.current_time()
    while left:
        with trio.move_on_after(LOOK, shield=True):
            left = left[await sock.send(left) :]
        now, by_now = trio.current_time(), held + len(piece) - len(left) - _held(sock)
        if by_now >= taken + LEAST:
            taken, since = by_now, now
        elif left and now >= since + STALLED_WRITE:
            raise trio.TooSlowError


def _held(sock: trio.socket.SocketType) -> int:
    """Return how many bytes of what was written the client has not taken."""
    try:
        (count,) = struct.unpack("i", ioctl(sock.fileno(), TIOCOUTQ, bytes(4)))
    except (OSError, ValueError):
        # It is closed; or no Linux, and takes more as soon as there is room.
        return 0
    return int(count)
