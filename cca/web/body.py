"""Bodies: a request's as bytes, bounded in size while it arrives, and in time; a response's of JSON."""

import sys
from typing import Protocol, cast

import orjson
import trio
from quart import Response, current_app, request
from werkzeug.exceptions import RequestEntityTooLarge, RequestTimeout

from cca.model import Json
from cca.web.bodies import Bodies
from cca.web.scope import request_held


class TakesBodies(Protocol):
    bodies: Bodies


def as_json(body: Json, status: int = 200) -> Response:
    return Response(orjson.dumps(body), status, content_type="application/json")


def has_body() -> bool:
    return bool(request.content_length) or "Transfer-Encoding" in request.headers


async def read_body() -> bytes:
    """Return the current request's body.

    Raise ``Busy`` where there are too many large ones at once, ``RequestTimeout`` when it does not arrive in time, and
    ``RequestEntityTooLarge`` with the first piece past the limit (Quart 0.23 itself keeps all of a chunked body before
    it counts).
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
    body = request_held().enter_context(cast(TakesBodies, current_app).bodies.body())
    async for piece in request.body:
        body.take(len(piece))
        if body.size > limit:
            raise RequestEntityTooLarge
        pieces.append(piece)
    return b"".join(pieces)
