"""What Anthropic's APIs share: errors and token counts on the wire.

Source of the formats: Anthropic's published schema (``ErrorResponse``, ``Usage``), all of whose fields are required,
and its client libraries, which have some more.
"""

import re
from collections.abc import Mapping

from cca.errors import CcaError
from cca.model import Json, Usage

ERROR_TYPES: Mapping[int, str] = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    405: "invalid_request_error",
    408: "timeout_error",
    409: "conflict_error",
    413: "request_too_large",
    415: "invalid_request_error",
    429: "rate_limit_error",
    500: "api_error",
    502: "api_error",
    503: "overloaded_error",
    504: "timeout_error",
    529: "overloaded_error",
}

UNPAID = "claude_code_billing"
"""The code of an account that cannot pay, for which Anthropic's API has a status of its own."""

NO_THREADS = "thread_unsupported_request"
"""The code at which Anthropic's tool runners send a whole history in the place of a thread's last turn."""


def refusal(error: CcaError, request_id: str) -> tuple[int, Json]:
    """Return an error's status and body."""
    status = 402 if error.code == UNPAID else error.status
    told: dict[str, Json] = {"type": ERROR_TYPES[status], "message": _message(error)}
    if error.code == NO_THREADS:
        told["details"] = {"error_code": NO_THREADS, "unsupported": []}
    return status, {"type": "error", "error": told, "request_id": request_id or None}


def _message(error: CcaError) -> str:
    """Return what an error says, with the place that it is about: the format has no other place for that.

    Of an object's field, as its type, it may begin with the object.
    """
    if error.param is None:
        return error.message
    around = error.param.rpartition(".")[0]
    begun = around and error.message.startswith(f"{around} ")
    named = begun or re.search(rf"(?<!\w){re.escape(error.param)}(?!\w)", error.message)
    return error.message if named else str(error)


def usage_object(usage: Usage) -> Json:
    """Return the counts of a message. What was written to the cache is not told apart by how long it stays there."""
    return {
        **running_usage(usage),
        "cache_creation": None,
        "inference_geo": None,
        "service_tier": None,
    }


def running_usage(usage: Usage) -> Json:
    """Return the counts of a message so far, as a stream tells them."""
    return {
        "input_tokens": usage.input_tokens,
        "cache_creation_input_tokens": usage.cache_write_tokens,
        "cache_read_input_tokens": usage.cache_read_tokens,
        "output_tokens": usage.output_tokens,
        "output_tokens_details": {"thinking_tokens": usage.reasoning_tokens},
        "server_tool_use": None,
    }
