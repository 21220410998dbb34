"""Which fields of Claude Code's lines may be kept in a recording: an allow-list.

A field that a later version adds is not recorded until it is listed here.
"""

from collections.abc import Iterator, Mapping
from typing import Final, TypeAlias

from cca.model import Json

Shape: TypeAlias = "Mapping[str, Shape] | None"
"""The fields of an object that are kept; ``None`` keeps a value whole."""

WHOLE: Final = None

USAGE: Shape = {
    "input_tokens": WHOLE,
    "output_tokens": WHOLE,
    "cache_creation_input_tokens": WHOLE,
    "cache_read_input_tokens": WHOLE,
    "output_tokens_details": {"thinking_tokens": WHOLE},
}

CITATION: Shape = {
    **dict.fromkeys(("type", "cited_text", "source", "title", "file_id")),
    **dict.fromkeys(("document_index", "document_title", "search_result_index")),
    **dict.fromkeys(("start_char_index", "end_char_index", "start_page_number", "end_page_number")),
    **dict.fromkeys(("start_block_index", "end_block_index")),
}

DETAILS: Shape = dict.fromkeys(("type", "category", "explanation"))

BLOCK: Shape = {
    **dict.fromkeys(("type", "text", "thinking", "signature", "data", "id", "name", "input")),
    **dict.fromkeys(("tool_use_id", "is_error")),
    "caller": {"type": WHOLE},
    "citations": CITATION,
    "content": {"type": WHOLE, "text": WHOLE},
}

MESSAGE: Shape = {
    **dict.fromkeys(("id", "type", "role", "model", "stop_reason", "stop_sequence")),
    "stop_details": DETAILS,
    "content": BLOCK,
    "usage": USAGE,
}

STREAM_EVENT: Shape = {
    **dict.fromkeys(("type", "index")),
    "content_block": BLOCK,
    "message": MESSAGE,
    "delta": {
        **dict.fromkeys(("type", "text", "thinking", "signature", "partial_json", "stop_reason", "stop_sequence")),
        "citation": CITATION,
        "stop_details": DETAILS,
    },
    "usage": USAGE,
}

MODEL: Shape = dict.fromkeys(
    (
        "value",
        "resolvedModel",
        "displayName",
        "supportsEffort",
        "supportedEffortLevels",
        "supportsThinkingOff",
    )
)

KEPT: Mapping[str, Shape] = {
    "stream_event": {"type": WHOLE, "event": STREAM_EVENT, "parent_tool_use_id": WHOLE},
    "assistant": {
        **dict.fromkeys(("type", "parent_tool_use_id", "error", "api_error_status")),
        "message": MESSAGE,
    },
    "user": {"type": WHOLE, "message": {"role": WHOLE, "content": BLOCK}, "parent_tool_use_id": WHOLE},
    "result": {
        **dict.fromkeys(("type", "subtype", "is_error", "num_turns", "result", "stop_reason", "api_error_status")),
        **dict.fromkeys(("terminal_reason", "total_cost_usd", "errors")),
        "usage": USAGE,
    },
    "control_response": {
        "type": WHOLE,
        "response": {
            **dict.fromkeys(("subtype", "request_id", "error")),
            "response": {"claude_code_version": WHOLE, "models": MODEL},
        },
    },
    "control_request": {
        **dict.fromkeys(("type", "request_id")),
        "request": {
            **dict.fromkeys(("subtype", "server_name")),
            "message": {
                **dict.fromkeys(("jsonrpc", "id", "method")),
                "params": {"name": WHOLE, "arguments": WHOLE, "_meta": {"claudecode/toolUseId": WHOLE}},
            },
        },
    },
    "system": {
        **dict.fromkeys(("type", "subtype", "status", "model", "tools", "claude_code_version")),
        **dict.fromkeys(("attempt", "max_retries", "error_status", "error", "retry_delay_ms")),
    },
    "rate_limit_event": {
        "type": WHOLE,
        "rate_limit_info": dict.fromkeys(("status", "resetsAt", "rateLimitType")),
    },
}
"""By the type of a line; a line of another type keeps its type alone."""


def kept_line(line: Mapping[str, Json]) -> dict[str, Json]:
    """Return what is kept of a line."""
    kind = line.get("type")
    if not isinstance(kind, str):
        return {}
    kept = _kept(line, KEPT.get(kind, {"type": WHOLE}))
    assert isinstance(kept, dict)
    return kept


def _kept(value: Json, shape: Shape) -> Json:
    match value:
        case dict() if shape is not None:
            return {name: _kept(item, shape[name]) for name, item in value.items() if _is_kept(name, item, shape)}
        case list():
            return [_kept(item, shape) for item in value]
        case _:
            return value


def _is_kept(name: str, value: Json, shape: Mapping[str, Shape]) -> bool:
    """Whether a field is kept. Details are in every message, and null but for a refusal."""
    return name in shape and (value is not None or shape[name] is not DETAILS)


def _names(shapes: Mapping[str, Shape]) -> Iterator[str]:
    for name, shape in shapes.items():
        yield name.lower()
        yield from _names(shape or {})


FIELD_NAMES = frozenset(_names(KEPT))
"""In lower case. Words of the protocol: a user who is called ``content`` cannot be hidden without breaking it."""
