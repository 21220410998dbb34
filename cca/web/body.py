"""Bodies: a request's as bytes, bounded in size while it arrives, and in time; a response's of JSON."""

import sys
from collections.abc import Callable
from typing import Any, TypeVar

import orjson
import trio
from quart import Response, request
from werkzeug.exceptions import RequestEntityTooLarge, RequestTimeout

from cca.model import Json

T = TypeVar("T")

LARGE_BODY = 1_000_000
"""Bytes from which a body is decoded in a thread: half a million messages take seconds, and others are waiting."""


async def read_in_time(size: int, function: Callable[..., T], *arguments: Any) -> T:
    """Run a function on a body of so many bytes: on a large one in a thread."""
    if size >= LARGE_BODY:
        return await trio.to_thread.run_sync(function, *arguments, abandon_on_cancel=True)
    return function(*arguments)


def as_json(body: Json, status: int = 200) -> Response:
    return Response(orjson.dumps(body), status, content_type="application/json")


def has_body() -> bool:
    return bool(request.content_length) or "Transfer-Encoding" in request.headers


async def read_body() -> bytes:
    """Return the current request's body.

    Raise ``RequestEntityTooLarge`` with the first piece past the limit (Quart 0.23 itself keeps all of a chunked body
    before it counts), and ``RequestTimeout`` when it does not arrive in time.
    """
    try:
        with trio.move_on_after(request.body_timeout or float("inf")):
            return await _gather(request.max_content_length or sys.maxsize)
    except Exception:
        # Quart 0.23 raises an error of its own for a client that left; the request is cancelled by then.
        await trio.lowlevel.checkpoint_if_cancelled()
        raise
    raise RequestTimeout


async def _gather(limit: int) -> bytes:
    pieces: list[bytes] = []
    size = 0
    async for piece in request.body:
        size += len(piece)
        if size > limit:
            raise RequestEntityTooLarge
        pieces.append(piece)
    return b"".join(pieces)
