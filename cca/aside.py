"""Work on what is large, aside from the event loop: whoever else asks is waiting there."""

from collections.abc import Callable
from typing import Any, TypeVar

import trio

T = TypeVar("T")

LARGE = 100_000
"""Bytes from which work is done in a thread: of as many messages as a million have room for it takes half a second."""


async def aside(size: int, function: Callable[..., T], *arguments: Any) -> T:
    """Return what a function makes of so many bytes: of many in a thread. Cancelling leaves that to its own end."""
    if size >= LARGE:
        return await trio.to_thread.run_sync(function, *arguments, abandon_on_cancel=True)
    return function(*arguments)
