"""A request's nursery, within Quart-Trio's: what runs in it ends with the request, or with its client.

Quart-Trio opens a nursery for each request and cancels it when the client leaves. Here the nursery is kept on the
request, for the Claude Code process to live in, and two faults are mended:

- The send of the last part of a body makes Hypercorn report a disconnect, and Quart-Trio then cancels that very send,
with
  Hypercorn's closing of the connection in it. So it is shielded, which is bounded by ``LAST_SEND_TIMEOUT``.
- HTTP/2 has no backpressure and cannot be switched off: it is answered with 505.
"""

from typing import cast

import trio
from hypercorn.typing import ASGISendCallable, ASGISendEvent, HTTPResponseBodyEvent, HTTPResponseStartEvent
from quart import request
from quart.wrappers import Request
from quart_trio.asgi import TrioASGIHTTPConnection
from quart_trio.wrappers import TrioRequest

LAST_SEND_TIMEOUT = 30.0
"""Seconds for a client to take the last bytes of its answer."""


class NurseryRequest(TrioRequest):
    """A request with the nursery that it is handled in."""

    nursery: trio.Nursery


def request_nursery() -> trio.Nursery:
    """Return the nursery of the request that is being handled."""
    return cast(NurseryRequest, request).nursery


class RequestScope(TrioASGIHTTPConnection):
    async def handle_request(self, nursery: trio.Nursery, request: Request, send: ASGISendCallable) -> None:  # type: ignore[override]
        if request.http_version == "2":
            await _refuse_http2(send)
            nursery.cancel_scope.cancel()
            return
        assert isinstance(request, NurseryRequest)
        request.nursery = nursery

        async def shielding_send(event: ASGISendEvent) -> None:
            if event["type"] == "http.response.body" and not event.get("more_body", False):
                with trio.move_on_after(LAST_SEND_TIMEOUT, shield=True):
                    await send(event)
            else:
                await send(event)

        await super().handle_request(nursery, request, shielding_send)


async def _refuse_http2(send: ASGISendCallable) -> None:
    start: HTTPResponseStartEvent = {
        "type": "http.response.start",
        "status": 505,
        "headers": [(b"content-type", b"text/plain")],
    }
    body: HTTPResponseBodyEvent = {
        "type": "http.response.body",
        "body": b"cca speaks HTTP/1.1 only.\n",
        "more_body": False,
    }
    await send(start)
    await send(body)
