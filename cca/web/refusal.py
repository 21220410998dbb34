"""Whatever goes wrong before an answer begins, to a response in the shape of the route that was asked."""

import logging
import math

from quart import Response, g, request
from werkzeug.exceptions import HTTPException
from werkzeug.exceptions import NotFound as NoRoute

from cca.errors import (
    CcaError,
    InternalError,
    MethodNotAllowed,
    NotFound,
    RequestTimedOut,
    TooLarge,
)
from cca.keys import INVALID
from cca.web.body import as_json
from cca.web.shapes import shape_of

log = logging.getLogger(__name__)

LONGEST_WAIT = 120.0
"""Seconds that a client may wait by itself. Told a longer time, OpenAI's give up, and Anthropic's sleep for it."""


async def refuse(error: Exception) -> Response:
    """Return the response for ``error``. A fault of ours is logged, and told without its text."""
    told = _told(error)
    known = not isinstance(request.routing_exception, NoRoute)
    shape = shape_of(request.path, request.scope["headers"], known=known)
    status, body = shape.refusal(told, g.request_id)
    response = as_json(body, status)
    if not told.retryable or (told.retry_after or 0) > LONGEST_WAIT:
        # Clients retry some of these by default, ten times and for minutes or days.
        response.headers["x-should-retry"] = "false"
    if told.code == INVALID:
        response.headers["www-authenticate"] = "Bearer"
    if told.retry_after is not None:
        response.headers["retry-after"] = str(math.ceil(told.retry_after))
    if isinstance(told, MethodNotAllowed):
        response.headers["allow"] = _allowed(error)
    return response


def _told(error: Exception) -> CcaError:
    method, path = request.method, request.path[:200]
    match error:
        case CcaError():
            return error
        case HTTPException(code=404):
            return NotFound(f"There is no {method} {path}. GET / and /v1/models are a start.", code="unknown_url")
        case HTTPException(code=405):
            return MethodNotAllowed(f"{path} takes {_allowed(error)}, and not {method}.", code="method_not_allowed")
        case HTTPException(code=408):
            return RequestTimedOut("The request's body did not arrive in time. Send it again.")
        case HTTPException(code=413):
            return TooLarge("The request's body is over cca's limit. Send less, or raise CCA_BODY_LIMIT.")
        case _:
            log.error("A fault in cca refused a request.", exc_info=error)
            return InternalError("A fault in cca; its log says more.")


def _allowed(error: Exception) -> str:
    return ", ".join(sorted(getattr(error, "valid_methods", None) or ()))
