"""A request's nursery, within Quart-Trio's: what runs in it ends with the request, or with its client.

Quart-Trio opens a nursery for each request and cancels it when the client leaves. Here the nursery is kept on the
request, for the Claude Code process to live in, and its faults are mended:

- The send of the last part of a body makes Hypercorn report a disconnect, and Quart-Trio then cancels that very send,
  with Hypercorn's closing of the connection in it. So it is shielded.
- HTTP/2 has no backpressure in Hypercorn, and cannot be switched off there: it is answered with 505.
- A target that is not a path (``http://evil.com/v1/models`` to a proxy, ``*``, ``?``) would be cut to one, whatever
  the host in it, or end in a traceback; and Werkzeug drops a slash of ``//v1/models``. WebSockets have routes and
  hooks of their own, which check nobody's Host.
"""

import logging
from contextlib import ExitStack
from typing import Protocol, cast

import orjson
import trio
from hypercorn.typing import ASGIReceiveCallable, ASGISendCallable, ASGISendEvent, HTTPScope, WebsocketScope
from quart import Quart, request
from quart.wrappers import Request, base
from quart_trio.asgi import TrioASGIHTTPConnection, TrioASGIWebsocketConnection
from quart_trio.wrappers import TrioRequest

from cca.errors import BadRequest, CcaError
from cca.web.noted import Noted, logged
from cca.web.shapes import shape_of

log = logging.getLogger(__name__)

LAST_SEND_TIMEOUT = 30.0
"""Seconds for Hypercorn to end an answer and make its connection ready for another, or close it. Its write to a client
that reads nothing is shielded again, and bounded by ``web.writing``."""

NO_WEBSOCKET = BadRequest("cca has no WebSockets; POST the request.", code="websocket_not_supported")

Refusal = tuple[int, BadRequest]


class _Unraised(Exception):
    """Nobody raises it."""


CLIENT_LEFT: type[Exception] = getattr(base, "ClientDisconnectedError", _Unraised)
"""What Quart raises from 0.23 on, which is for Python 3.13 and newer; before that it has no such error."""


class NamesRequests(Protocol):
    """An application that names each request."""

    def request_id(self) -> str: ...


class NurseryRequest(TrioRequest):
    """A request with the nursery that it is handled in, and what is ``held`` until it has been."""

    nursery: trio.Nursery
    held: ExitStack
    noted: Noted


def request_nursery() -> trio.Nursery:
    """Return the nursery of the request that is being handled."""
    return cast(NurseryRequest, request).nursery


def request_held() -> ExitStack:
    """Return what is left when the request that is being handled has been."""
    return cast(NurseryRequest, request).held


def request_noted() -> Noted:
    """Return what is noted of the request that is being handled."""
    return cast(NurseryRequest, request).noted


class RequestScope(TrioASGIHTTPConnection):
    async def __call__(self, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        refusal = _unservable(self.scope)
        if refusal is None:
            try:
                await super().__call__(receive, send)
            except* CLIENT_LEFT:
                # The client left just before its answer began; being cancelled comes with the next step.
                pass
            except* Exception:
                # Hypercorn logs nothing of it. What was sent has no end, and the connection is closed.
                log.exception("A fault in cca cut an answer.")
        else:
            await _refuse(self.app, self.scope, send, *refusal)

    async def handle_request(self, nursery: trio.Nursery, request: Request, send: ASGISendCallable) -> None:  # type: ignore[override]
        assert isinstance(request, NurseryRequest)
        request.nursery = nursery
        request.noted = noted = Noted(request.method)

        async def shielding_send(event: ASGISendEvent) -> None:
            if event["type"] == "http.response.start":
                noted.begin(event["status"], event["headers"])
            if event["type"] == "http.response.body" and not event.get("more_body", False):
                with trio.move_on_after(LAST_SEND_TIMEOUT, shield=True):
                    await send(event)
            else:
                await send(event)

        with logged(noted, trio.current_time), ExitStack() as request.held:
            await super().handle_request(nursery, request, shielding_send)


class RefusedWebsocket(TrioASGIWebsocketConnection):
    async def __call__(self, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        await _refuse(self.app, self.scope, send, 400, NO_WEBSOCKET)


def _unservable(scope: HTTPScope | WebsocketScope) -> Refusal | None:
    if scope["http_version"] not in ("1.0", "1.1"):
        return 505, BadRequest("cca speaks HTTP/1.1 only.", code="http_version_not_supported")
    if any(name.lower() == b"sec-websocket-key" for name, _ in scope["headers"]):
        return 400, NO_WEBSOCKET
    if not scope["raw_path"].startswith(b"/") or scope["path"].startswith("//"):
        return 400, BadRequest(
            "The request's target must be a path, which begins with one slash: cca is no proxy.", code="invalid_target"
        )
    return None


def refused(
    app: NamesRequests, error: CcaError, asked: HTTPScope | WebsocketScope | None
) -> tuple[list[tuple[bytes, bytes]], bytes]:
    """Return the headers and the body of a refusal that no route has made, of what was ``asked`` if that is known."""
    path = "" if asked is None else asked["path"]
    sent = () if asked is None else asked["headers"]
    request_id = app.request_id()
    _, told = shape_of(path, sent, known=False).refusal(error, request_id)
    body = orjson.dumps(told)
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"connection", b"close"),
        (b"x-should-retry", b"false"),
        (b"x-request-id", request_id.encode()),
        (b"request-id", request_id.encode()),
    ]
    return headers, body


async def _refuse(
    app: Quart, asked: HTTPScope | WebsocketScope, send: ASGISendCallable, status: int, error: BadRequest
) -> None:
    headers, body = refused(cast(NamesRequests, app), error, asked)
    kind = "http.response" if asked["type"] == "http" else "websocket.http.response"
    start = {"type": f"{kind}.start", "status": status, "headers": headers}
    await send(cast(ASGISendEvent, start))
    await send(cast(ASGISendEvent, {"type": f"{kind}.body", "body": body, "more_body": False}))
