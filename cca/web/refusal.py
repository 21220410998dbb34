"""Whatever goes wrong before an answer begins, to a response in the shape of the route that was asked."""

import logging
import math

import orjson
from quart import Response, request
from werkzeug.exceptions import HTTPException

from cca.dialects import DIALECTS
from cca.dialects.openai import refusal as openai_refusal
from cca.errors import (
    BadRequest,
    CcaError,
    InternalError,
    MethodNotAllowed,
    NotFound,
    RequestTimedOut,
    TooLarge,
)

log = logging.getLogger(__name__)


async def refuse(error: Exception) -> Response:
    """Return the response for ``error``. A fault of ours is logged, and told without its text."""
    told = _told(error)
    refusals = {dialect.path: dialect.refusal for dialect in DIALECTS}
    status, body = refusals.get(request.path, openai_refusal)(told)
    response = Response(orjson.dumps(body), status, content_type="application/json")
    if not told.retryable:
        # Clients retry some of these by default, ten times and for minutes.
        response.headers["x-should-retry"] = "false"
    if told.retry_after is not None:
        response.headers["retry-after"] = str(math.ceil(told.retry_after))
    if isinstance(error, HTTPException):
        _keep_headers(error, response)
    return response


def _told(error: Exception) -> CcaError:
    match error:
        case CcaError():
            return error
        case HTTPException():
            return _http(error)
        case _:
            log.error("A fault in cca refused a request.", exc_info=error)
            return InternalError("A fault in cca; its log says more.")


def _http(error: HTTPException) -> CcaError:
    method, path = request.method, request.path[:200]
    match error.code:
        case 404:
            return NotFound(f"There is no {method} {path}. GET / and /v1/models are a start.", code="unknown_url")
        case 405:
            allowed = ", ".join(sorted(getattr(error, "valid_methods", None) or ()))
            return MethodNotAllowed(f"{path} does not take {method}, but {allowed}.", code="method_not_allowed")
        case 408:
            return RequestTimedOut("The request's body did not arrive in time. Send it again.")
        case 413:
            return TooLarge("The request's body is over cca's limit. Send less, or raise CCA_BODY_LIMIT.")
        case _:
            return BadRequest(f"The request cannot be read: {error.description}")


def _keep_headers(error: HTTPException, response: Response) -> None:
    allowed = getattr(error, "valid_methods", None)
    if allowed:
        response.headers["allow"] = ", ".join(sorted(allowed))
