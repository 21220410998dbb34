"""What Claude Code's own failures are to a client: by status and kind, never by the words it prints.

The program reports an API error as an assistant message of the model ``<synthetic>`` whose text starts with "API
Error", or not, and a ``result`` of subtype success. Its text is for the error's message, without that prefix.
"""

import json
import re
from collections.abc import Callable, Mapping

from cca.errors import (
    BadRequest,
    CcaError,
    DeadlineExceeded,
    Forbidden,
    ModelApiFailed,
    NotFound,
    Overloaded,
    RateLimited,
    TooLarge,
    Unauthorized,
    UpstreamFailed,
)

LOGIN_HINT = (
    "Claude Code's own login was refused. On the machine that runs cca, start `claude` and use /login, or start cca "
    "with ANTHROPIC_API_KEY set to a valid key."
)

BILLING_HINT = (
    "The account of Claude Code on the machine that runs cca cannot pay for this. Look at its billing and its credit."
)

FINAL_STATUSES = frozenset({401, 402, 403, 429})
"""Statuses of a retry that no further try mends: they are reported at once."""

STATUS_OF_KIND: Mapping[str, int] = {
    "authentication_failed": 401,
    "oauth_org_not_allowed": 401,
    "rate_limit": 429,
}
"""What a kind of failure says where its status says nothing."""

BILLING = "billing_error"
"""A kind that says more than its status: the API tells of an empty account with a 400."""

CONTEXT_LIMITS = frozenset({"blocking_limit", "prompt_too_long"})
"""A result's ``terminal_reason`` when the prompt is longer than the model's context: by its own count, by the API's."""

_PREFIX = re.compile(r"\bAPI Error:?\s*(?:\d{3}\b)?\s*[·:-]?\s*")
_API_MESSAGE = re.compile(r'"message"\s*:\s*("(?:[^"\\]|\\.)*")')


def api_failure(status: int | None, kind: str | None, said: str, retry_after: float | None) -> CcaError:
    """Return the error for an answer that failed with ``status``, or with a ``kind`` where there is no status."""
    said = _bare(said)
    if kind == BILLING:
        status = 402
    elif status not in _BY_STATUS:
        status = STATUS_OF_KIND.get(kind or "", status)
    error = _told_of(status)(said)
    error.retry_after = retry_after if isinstance(error, RateLimited | Overloaded) else None
    return error


def too_long(said: str) -> CcaError:
    """Return the error for a conversation that the model's context does not hold."""
    message = f"The conversation is longer than the model's context: {said}"
    return BadRequest(message, code="context_length_exceeded")


def _bare(said: str) -> str:
    """Return the API's own sentence, without what Claude Code puts around it."""
    inner = _API_MESSAGE.search(said)
    try:
        sentence = json.loads(inner[1], strict=False) if inner else _PREFIX.sub("", said)
    except ValueError:
        sentence = said
    return sentence.strip() or "no reason given"


def _login(said: str) -> CcaError:
    return Unauthorized(f"{LOGIN_HINT} It said: {said}", code="claude_code_login")


def _told_of(status: int | None) -> Callable[[str], CcaError]:
    if status is None:
        return _unknown
    return _BY_STATUS.get(status) or (_refused if 400 <= status < 500 else _unknown)


def _refused(said: str) -> CcaError:
    return BadRequest(f"The model's API refused the request: {said}")


def _late(said: str) -> CcaError:
    return DeadlineExceeded(f"The model's API did not answer in time: {said}")


def _unknown(said: str) -> CcaError:
    return UpstreamFailed(f"Claude Code could not get an answer from its API: {said}")


_BY_STATUS: Mapping[int, Callable[[str], CcaError]] = {
    400: _refused,
    401: _login,
    402: lambda said: Forbidden(f"{BILLING_HINT} It said: {said}", code="claude_code_billing"),
    403: _login,
    404: lambda said: NotFound(f"The model's API does not know this model: {said}", code="model_not_found"),
    408: _late,
    413: lambda said: TooLarge(f"The model's API finds the request too large: {said}"),
    429: lambda said: RateLimited(f"Claude Code's account is rate limited: {said}", code="rate_limit_exceeded"),
    500: lambda said: ModelApiFailed(f"The model's API failed: {said}"),
    503: lambda said: Overloaded(f"The model's API is overloaded: {said}"),
    504: _late,
    529: lambda said: Overloaded(f"The model's API is overloaded: {said}"),
}
