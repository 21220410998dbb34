"""A write to a client: whole, whatever is cancelled meanwhile, and for as long as its client takes some of it."""

import trio

STALLED_WRITE = 60.0
"""Seconds in which a client must take some of what waits for it. Trio has the system hold little: 16 KB past what is
on its way, so that a socket takes more when the client did."""


async def write(sock: trio.socket.SocketType, piece: bytes) -> None:
    """Write ``piece``, and be cancelled after it: half of one would be no HTTP, and a hole if more followed.

    Raise ``TooSlowError`` for a client that takes nothing, and ``OSError`` or ``ClosedResourceError`` for one that
    left. Whoever cannot wait for either shuts the socket down.
    """
    left = memoryview(piece)
    while left:
        with trio.fail_after(STALLED_WRITE, shield=True):
            left = left[await sock.send(left) :]
