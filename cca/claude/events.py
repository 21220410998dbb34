"""What Claude Code prints: one line of its stdout to one value.

Seen with Claude Code 2.1.330, ``--output-format stream-json --include-partial-messages``. ``stream_event`` lines hold
the events of the Messages API as they came. New types appear with every release: they are ``Ignored``. A line that is
not a JSON object, or a known type without what it must have, is an ``Unreadable``.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import TypeAlias

import orjson
from attrs import frozen

from cca.model import Json, Usage


class Unreadable(ValueError):
    """A line that Claude Code would not have written."""


@frozen
class MessageStart:
    id: str
    model: str
    usage: Mapping[str, Json]


@frozen
class BlockStart:
    kind: str
    text: str
    id: str
    name: str


@frozen
class TextPiece:
    text: str


@frozen
class ThinkingPiece:
    text: str


@frozen
class JsonPiece:
    json: str


@frozen
class MessageDelta:
    """The end of a message, when ``stop_reason`` is there; its usage is that of the whole message."""

    stop_reason: str | None
    stop_sequence: str | None
    usage: Mapping[str, Json]


@frozen
class WholeMessage:
    """An ``assistant`` line. ``model`` is ``<synthetic>`` when the program itself, not the model, speaks."""

    id: str
    model: str
    content: tuple[Mapping[str, Json], ...]
    stop_reason: str | None
    stop_sequence: str | None
    usage: Mapping[str, Json]
    error: str | None


@frozen
class TurnResult:
    is_error: bool
    num_turns: int
    status: int | None
    text: str
    stop_reason: str | None


@frozen
class ControlReply:
    request_id: str
    error: str | None
    response: Mapping[str, Json]


@frozen
class ApiRetry:
    """The program is about to ask its API again. ``delay`` is in seconds."""

    attempt: int
    max_retries: int
    delay: float
    status: int | None
    error: str | None


@frozen
class RateLimit:
    """A subscription's limit; ``resets_at`` is in seconds since the epoch."""

    status: str
    resets_at: float | None


@frozen
class Ignored:
    type: str


Line: TypeAlias = (
    MessageStart
    | BlockStart
    | TextPiece
    | ThinkingPiece
    | JsonPiece
    | MessageDelta
    | WholeMessage
    | TurnResult
    | ControlReply
    | ApiRetry
    | RateLimit
    | Ignored
)


def decode(line: bytes) -> Line:
    """Return what ``line`` says. Raise ``Unreadable`` when it is broken."""
    try:
        frame = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise Unreadable(f"not JSON: {error}") from error
    if not isinstance(frame, dict):
        raise Unreadable(f"a JSON {type(frame).__name__} where an object belongs")
    kind = frame.get("type")
    decoder = _DECODERS.get(kind) if isinstance(kind, str) else None
    try:
        return decoder(frame) if decoder else Ignored(str(kind))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise Unreadable(f"a {kind} line without what it must have: {error!r}") from error


def usage_of(start: Mapping[str, Json], end: Mapping[str, Json] = MappingProxyType({})) -> Usage:
    """Return the Messages API's counters: those of a message's end count for the whole, its nulls keep the start's."""
    counts = {**start, **{name: count for name, count in end.items() if count is not None}}
    details = counts.get("output_tokens_details") or {}
    return Usage(
        input_tokens=counts.get("input_tokens") or 0,
        output_tokens=counts.get("output_tokens") or 0,
        cache_read_tokens=counts.get("cache_read_input_tokens") or 0,
        cache_write_tokens=counts.get("cache_creation_input_tokens") or 0,
        reasoning_tokens=details.get("thinking_tokens") or 0,
    )


def _stream_event(frame: Mapping[str, Json]) -> Line:
    if frame.get("parent_tool_use_id") is not None:
        return Ignored("stream_event of a subagent")
    event = frame["event"]
    decoder = _STREAM_DECODERS.get(event["type"])
    return decoder(event) if decoder else Ignored(f"stream_event {event['type']}")


def _message_start(event: Mapping[str, Json]) -> Line:
    message = event["message"]
    return MessageStart(message["id"], message["model"], message.get("usage") or {})


def _block_start(event: Mapping[str, Json]) -> Line:
    block = event["content_block"]
    return BlockStart(
        kind=block["type"],
        text=block.get("text") or block.get("thinking") or "",
        id=block.get("id") or "",
        name=block.get("name") or "",
    )


def _block_delta(event: Mapping[str, Json]) -> Line:
    delta = event["delta"]
    match delta["type"]:
        case "text_delta":
            return TextPiece(delta["text"])
        case "input_json_delta":
            return JsonPiece(delta["partial_json"])
        case "thinking_delta":
            return ThinkingPiece(delta["thinking"])
        case other:
            return Ignored(f"stream_event {other}")


def _message_delta(event: Mapping[str, Json]) -> Line:
    delta = event["delta"]
    return MessageDelta(delta.get("stop_reason"), delta.get("stop_sequence"), event.get("usage") or {})


def _assistant(frame: Mapping[str, Json]) -> Line:
    if frame.get("parent_tool_use_id") is not None:
        return Ignored("assistant of a subagent")
    message = frame["message"]
    return WholeMessage(
        id=message["id"],
        model=message["model"],
        content=tuple(message["content"]),
        stop_reason=message.get("stop_reason"),
        stop_sequence=message.get("stop_sequence"),
        usage=message.get("usage") or {},
        error=frame.get("error"),
    )


def _result(frame: Mapping[str, Json]) -> Line:
    return TurnResult(
        is_error=bool(frame["is_error"]),
        num_turns=int(frame.get("num_turns", 0)),
        status=frame.get("api_error_status"),
        text=str(frame.get("result") or ""),
        stop_reason=frame.get("stop_reason"),
    )


def _control_response(frame: Mapping[str, Json]) -> Line:
    reply = frame["response"]
    error = None if reply["subtype"] == "success" else str(reply.get("error") or "refused")
    return ControlReply(reply["request_id"], error, reply.get("response") or {})


def _system(frame: Mapping[str, Json]) -> Line:
    if frame.get("subtype") != "api_retry":
        return Ignored(f"system {frame.get('subtype')}")
    return ApiRetry(
        attempt=int(frame["attempt"]),
        max_retries=int(frame["max_retries"]),
        delay=float(frame.get("retry_delay_ms") or 0) / 1000,
        status=frame.get("error_status"),
        error=frame.get("error"),
    )


def _rate_limit(frame: Mapping[str, Json]) -> Line:
    limits = frame.get("rate_limit_info") or {}
    resets_at = limits.get("resetsAt")
    return RateLimit(str(limits.get("status") or ""), None if resets_at is None else float(resets_at))


_STREAM_DECODERS = {
    "message_start": _message_start,
    "content_block_start": _block_start,
    "content_block_delta": _block_delta,
    "message_delta": _message_delta,
}

_DECODERS = {
    "stream_event": _stream_event,
    "assistant": _assistant,
    "result": _result,
    "control_response": _control_response,
    "system": _system,
    "rate_limit_event": _rate_limit,
}
