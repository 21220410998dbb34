"""What Anthropic's APIs share: errors, models and token counts on the wire.

Source of the formats: Anthropic's published schema (``ErrorResponse``, ``ModelInfo``, ``Usage``), all of whose fields
are required, and its client libraries, which have some more.
"""

import re
from collections.abc import Mapping, Sequence

from cca.catalogue import Catalogue
from cca.errors import BadRequest, CcaError
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

MODELS_CREATED = "1970-01-01T00:00:00Z"
"""Claude Code does not say when its models were made; the schema asks for the epoch then."""

PAGE = 20
"""Models on a page, unless ``limit`` says otherwise."""

MOST_ON_PAGE = 1000


def refusal(error: CcaError, request_id: str) -> tuple[int, Json]:
    """Return an error's status and body."""
    status = 402 if error.code == UNPAID else error.status
    told: dict[str, Json] = {"type": ERROR_TYPES[status], "message": _message(error)}
    if error.code == NO_THREADS:
        told["details"] = {"error_code": NO_THREADS, "unsupported": []}
    return status, {"type": "error", "error": told, "request_id": request_id or None}


def _message(error: CcaError) -> str:
    """Return what an error says, with the place that it is about: the format has no other place for that."""
    named = error.param is not None and re.search(rf"(?<!\w){re.escape(error.param)}(?!\w)", error.message)
    return error.message if named else str(error)


def model(catalogue: Catalogue, name: str) -> Json:
    """Return the model that a name stands for, by its id. Raise ``NotFound``."""
    resolved = catalogue.resolve(name)
    entry = catalogue.entry(resolved)
    return _model(resolved, resolved) if entry is None else _model(entry.id, entry.display_name)


def models(catalogue: Catalogue, query: Mapping[str, str]) -> Json:
    """Return the page of the models that a ``query`` asks for, by ``limit``, and ``after_id`` or ``before_id``.

    There is a model for each alias that Claude Code knows, each id that one stands for, and other names. Raise
    ``BadRequest`` for a page that there is not.
    """
    shown: dict[str, str] = {}
    for entry in catalogue.entries:
        shown.setdefault(entry.alias, entry.display_name)
        shown.setdefault(entry.id, entry.display_name)
    for name in catalogue.renamed:
        shown.setdefault(name, name)
    page, has_more = _page(list(shown), query)
    first_id, last_id = (page[0], page[-1]) if page else (None, None)
    listed = [_model(name, shown[name]) for name in page]
    return {"data": listed, "first_id": first_id, "last_id": last_id, "has_more": has_more}


def _model(name: str, display_name: str) -> Json:
    return {
        "type": "model",
        "id": name,
        "display_name": display_name,
        "created_at": MODELS_CREATED,
        "lifecycle": "active",
        "deprecated_at": None,
        "retires_at": None,
        "line": None,
        "capabilities": None,
        "max_input_tokens": None,
        "max_tokens": None,
    }


def _page(names: Sequence[str], query: Mapping[str, str]) -> tuple[Sequence[str], bool]:
    """Return the names on a page, and whether there are more in the direction in which it is turned."""
    limit = _limit(query.get("limit", str(PAGE)))
    after, before = query.get("after_id"), query.get("before_id")
    if after is not None and before is not None:
        raise BadRequest("after_id and before_id are two pages; send one of them.", param="before_id")
    if before is not None:
        end = _place(names, "before_id", before)
        return names[max(end - limit, 0) : end], end > limit
    start = 0 if after is None else _place(names, "after_id", after) + 1
    return names[start : start + limit], len(names) > start + limit


def _limit(given: str) -> int:
    if not re.fullmatch(r"[0-9]{1,4}", given, re.ASCII) or not 1 <= int(given) <= MOST_ON_PAGE:
        raise BadRequest(f"limit must be from 1 to {MOST_ON_PAGE}.", param="limit")
    return int(given)


def _place(names: Sequence[str], param: str, name: str) -> int:
    if name not in names:
        raise BadRequest(f"{param} must be the id of a model of this list.", param=param)
    return names.index(name)


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
