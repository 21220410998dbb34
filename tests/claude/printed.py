"""Lines as Claude Code 2.1.330 prints them, with what the dialogue reads and a little of what it does not."""

from collections.abc import Mapping, Sequence

import orjson

from cca.model import Json

USAGE = {
    "input_tokens": 10,
    "cache_creation_input_tokens": 2,
    "cache_read_input_tokens": 3,
    "output_tokens": 1,
    "output_tokens_details": {"thinking_tokens": 0},
    "server_tool_use": None,
    "service_tier": "standard",
}

LIMITED_UNTIL = 1_800_000_000


def line(**fields: Json) -> bytes:
    return orjson.dumps(fields)


def stream(event_type: str, **fields: Json) -> bytes:
    return line(type="stream_event", event={"type": event_type, **fields}, parent_tool_use_id=None, uuid="u")


def message_start(id: str = "msg_1") -> bytes:  # noqa: A002 - as the API calls it
    return stream("message_start", message={"id": id, "model": "claude-haiku-5-5", "content": [], "usage": USAGE})


def block_start(kind: str = "text", **fields: Json) -> bytes:
    return stream("content_block_start", index=0, content_block={"type": kind, **fields})


def delta(kind: str, **fields: Json) -> bytes:
    return stream("content_block_delta", index=0, delta={"type": kind, **fields})


def text(piece: str) -> bytes:
    return delta("text_delta", text=piece)


def message_delta(
    reason: str | None = "end_turn", sequence: str | None = None, details: Json = None, **usage: Json
) -> bytes:
    return stream(
        "message_delta",
        delta={"stop_reason": reason, "stop_sequence": sequence, "stop_details": details},
        usage={"input_tokens": None, "output_tokens": 7, **usage},
    )


def message_stop() -> bytes:
    return stream("message_stop")


def whole(
    *content: Mapping[str, Json],
    id: str = "msg_2",  # noqa: A002
    reason: str | None = "end_turn",
    model: str = "claude-haiku-5-5",
    details: Json = None,
    **fields: Json,
) -> bytes:
    message = {
        "id": id,
        "model": model,
        "content": content,
        "stop_reason": reason,
        "stop_details": details,
        "usage": USAGE,
    }
    return line(type="assistant", message=message, parent_tool_use_id=None, **fields)


def said(words: str) -> Json:
    return {"type": "text", "text": words}


def called(id: str, name: str, **arguments: Json) -> Json:  # noqa: A002
    return {"type": "tool_use", "id": id, "name": name, "input": arguments}


def synthetic(words: str, error: str | None = "unknown", **fields: Json) -> bytes:
    return whole(said(words), id="3f9dde3e", model="<synthetic>", reason="stop_sequence", error=error, **fields)


def result(words: str = "", *, is_error: bool = False, **fields: Json) -> bytes:
    return line(type="result", subtype="success", is_error=is_error, result=words, num_turns=1, **fields)


def refused(words: str, status: int | None, **fields: Json) -> bytes:
    return result(words, is_error=True, api_error_status=status, **fields)


def remembered() -> bytes:
    """Return the answer to a past turn."""
    return line(type="result", subtype="success", is_error=False, result="", num_turns=0)


def user(words: str = "Output token limit hit. Resume directly.") -> bytes:
    return line(type="user", message={"role": "user", "content": words}, parent_tool_use_id=None, isSynthetic=True)


def tool_request() -> bytes:
    request = {"subtype": "mcp_message", "server_name": "c", "message": {"method": "tools/call", "id": 2}}
    return line(type="control_request", request_id="2", request=request)


def control_reply(request_id: str = "initialize", error: str | None = None, **response: Json) -> bytes:
    if error is None:
        reply = {"subtype": "success", "request_id": request_id, "response": response}
    else:
        reply = {"subtype": "error", "request_id": request_id, "error": error}
    return line(type="control_response", response=reply)


def api_retry(status: int | None, error: str = "server_error", delay_ms: float = 500) -> bytes:
    return line(
        type="system",
        subtype="api_retry",
        attempt=1,
        max_retries=2,
        retry_delay_ms=delay_ms,
        error_status=status,
        error=error,
    )


def rate_limit(status: str = "rejected", resets_at: Json = LIMITED_UNTIL) -> bytes:
    return line(type="rate_limit_event", rate_limit_info={"status": status, "resetsAt": resets_at})


def compacted() -> bytes:
    return line(type="system", subtype="compact_boundary", compact_metadata={"trigger": "auto"})


PREAMBLE: Sequence[bytes] = (
    line(type="system", subtype="ui_invalidate"),
    control_reply(claude_code_version="2.1.330"),
    control_reply("settings"),
    line(type="system", subtype="init", tools=[]),
    line(type="system", subtype="status", status="requesting"),
)
"""What comes before a model's first word."""

PLAIN: Sequence[bytes] = (
    *PREAMBLE,
    message_start(),
    block_start(text=""),
    text("Hello"),
    text(" there"),
    whole(said("Hello there"), id="msg_1", reason=None),
    stream("content_block_stop", index=0),
    message_delta(),
    message_stop(),
    result("Hello there"),
)
"""A whole answer, as it was seen."""
