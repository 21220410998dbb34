"""The errors that a route may answer with: their statuses, and their shape in each vendor's API."""

from collections.abc import Iterable, Mapping

from cca.dialects.anthropic import ERROR_TYPES, UNPAID
from cca.dialects.anthropic import refusal as of_anthropics
from cca.dialects.openai import refusal as of_openais
from cca.errors import (
    BadRequest,
    Busy,
    CcaError,
    Conflict,
    DeadlineExceeded,
    Forbidden,
    InternalError,
    ModelApiFailed,
    NotFound,
    Overloaded,
    RateLimited,
    RequestTimedOut,
    TooLarge,
    Unauthorized,
    Unavailable,
    UnsupportedMediaType,
    UpstreamFailed,
)
from cca.model import Json
from cca.web.openapi.answers import MAYBE_TEXT, TEXT, one, some, whole
from cca.web.openapi.reading import AT

Kinds = tuple[type[CcaError], ...]

ANYBODY: Kinds = (BadRequest, Forbidden, InternalError)
"""Of each route: before it is known who asks."""

WITH_A_KEY: Kinds = (Unauthorized, RateLimited, Unavailable)

WITH_A_BODY: Kinds = (RequestTimedOut, TooLarge, UnsupportedMediaType, Busy)

ANSWERED: Kinds = (NotFound, Conflict, ModelApiFailed, UpstreamFailed, DeadlineExceeded, Overloaded, Busy)
"""Of what Claude Code answers."""

SAYS: Mapping[int, str] = {
    400: "What was sent is to be changed; the error says what, and where it is.",
    401: "No valid API key was sent.",
    402: "The account of Claude Code cannot pay.",
    403: "The request is not let in: by its `Host`, its `Origin`, the address that it reached, or its key's scopes.",
    404: "There is no such thing for this key: none of that id, or no such model.",
    408: "The body did not arrive in time.",
    409: "Somebody else is changing the same.",
    413: "The body is over the limit.",
    415: "The body is not of the type `application/json`.",
    429: "A limit is reached, or too many wrong keys came; `retry-after` says when to ask again.",
    500: "A fault in cca, or of the model's API.",
    502: "Claude Code ended, or said what cannot be read.",
    503: "Claude Code, or the database, cannot be had.",
    504: "Claude Code was silent for too long.",
    529: "Claude's API is overloaded, or cca is full.",
}

OPENAI_ERROR = whole(
    error=whole(
        message=TEXT,
        type=some("invalid_request_error", "rate_limit_error", "server_error"),
        param=MAYBE_TEXT,
        code=MAYBE_TEXT,
    )
)

ANTHROPIC_ERROR = whole(
    type=one("error"),
    error={
        "type": "object",
        "properties": {
            "type": some(*dict.fromkeys(ERROR_TYPES.values())),
            "message": TEXT,
            "details": {"type": "object"},
        },
        "required": ["type", "message"],
    },
    request_id=MAYBE_TEXT,
)

SHAPES: Mapping[str, Json] = {
    "OpenAIError": OPENAI_ERROR,
    "AnthropicError": ANTHROPIC_ERROR,
    "AnyError": {"anyOf": [{"$ref": f"{AT}OpenAIError"}, {"$ref": f"{AT}AnthropicError"}]},
}
"""By the names that responses refer to them by."""


def statuses(kinds: Iterable[type[CcaError]], *, anthropics: bool) -> list[int]:
    """Return the statuses that errors of these kinds have in the shape of one of the APIs."""
    if not anthropics:
        return sorted({of_openais(kind(""))[0] for kind in kinds})
    unpaid = (BadRequest("", code=UNPAID),) if Busy in kinds else ()
    return sorted({of_anthropics(error, "")[0] for error in (*(kind("") for kind in kinds), *unpaid)})
