"""What Claude Code prints: one line of its stdout to one value.

Seen with Claude Code 2.1.330, ``--output-format stream-json --include-partial-messages``. ``stream_event`` lines hold
the events of the Messages API as they came. New types appear with every release: they are ``Ignored``. A line that is
not a JSON object, or a known type without what it must have, is an ``Unreadable``: what is read here has the type that
is written here, and nothing else is asked for.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import TypeAlias, TypeVar

import orjson
from attrs import frozen

from cca.model import Json, Usage

T = TypeVar("T")

Counts: TypeAlias = Mapping[str, int]
"""The Messages API's token counters, by its names; one that is null is left out."""


class Unreadable(ValueError):
    """A line that Claude Code would not have written."""


@frozen
class MessageStart:
    id: str
    model: str
    usage: Counts


@frozen
class BlockStart:
    """``id`` and ``name`` are a ``tool_use``'s, ``data`` a ``redacted_thinking``'s."""

    kind: str
    text: str = ""
    id: str = ""
    name: str = ""
    data: str = ""


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
class SignaturePiece:
    """It comes whole, and last in its block."""

    signature: str


@frozen
class CitationPiece:
    citation: Mapping[str, Json]


Piece: TypeAlias = BlockStart | TextPiece | CitationPiece | ThinkingPiece | SignaturePiece | JsonPiece


@frozen
class MessageDelta:
    """The end of a message, when ``stop_reason`` is there; its usage is that of the whole message."""

    stop_reason: str | None
    stop_sequence: str | None
    usage: Counts
    details: Mapping[str, Json] | None = None


@frozen
class MessageStop:
    """Nothing more of a message comes; without a stop reason before it, the message broke off."""


@frozen
class WholeMessage:
    """An ``assistant`` line: a message, or one block of it, and then the lines of its others follow.

    ``model`` is ``<synthetic>`` when the program itself, not the model, speaks.
    """

    id: str
    model: str
    pieces: tuple[Piece, ...]
    stop_reason: str | None
    stop_sequence: str | None
    usage: Counts
    error: str | None
    details: Mapping[str, Json] | None = None


@frozen
class TurnResult:
    """``total_cost`` is in US dollars, of all that the process has done so far."""

    is_error: bool
    status: int | None
    text: str
    stop_reason: str | None
    terminal_reason: str | None
    total_cost: float | None = None


@frozen
class Onward:
    """The program goes on from a message by itself: it calls a tool, or says a user turn."""


@frozen
class ToolRequest:
    """The program wants a tool of ours called. ``call`` is the id of the call in its MCP message."""

    request_id: str
    call: Json
    tool_use_id: str


@frozen
class Compacted:
    """The program put a summary of its own in the place of the conversation."""


@frozen
class ControlReply:
    request_id: str
    error: str | None
    response: Mapping[str, Json]


@frozen
class ApiRetry:
    """The program is about to ask its API again. ``delay`` is in seconds."""

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
    | Piece
    | MessageDelta
    | MessageStop
    | WholeMessage
    | TurnResult
    | Onward
    | ToolRequest
    | Compacted
    | ControlReply
    | ApiRetry
    | RateLimit
    | Ignored
)

Decoder: TypeAlias = Callable[[Mapping[str, Json]], Line]


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
    except (KeyError, TypeError, ValueError) as error:
        raise Unreadable(f"a {kind} line without what it must have: {error!r}") from error


MOST_TOKENS = 10**12
"""In a count: a thousand times what any model takes, and no more than a database sums up."""


def usage_of(start: Counts, end: Counts = MappingProxyType({})) -> Usage:
    """Return a message's usage: the counts of its end are for the whole, those that it leaves out are its start's."""
    counts = {**start, **end}
    return Usage(**{ours: counts[theirs] for theirs, ours in _COUNTERS.items() if theirs in counts})


_COUNTERS = {
    "input_tokens": "input_tokens",
    "output_tokens": "output_tokens",
    "cache_read_input_tokens": "cache_read_tokens",
    "cache_creation_input_tokens": "cache_write_tokens",
    "thinking_tokens": "reasoning_tokens",
}


def _need(of: Mapping[str, Json], name: str, kind: type[T]) -> T:
    value = of[name]
    if type(value) is not kind:
        raise TypeError(f"{name} is a {type(value).__name__}, not a {kind.__name__}")
    return value


def _may(of: Mapping[str, Json], name: str, kind: type[T]) -> T | None:
    return None if of.get(name) is None else _need(of, name, kind)


def _object(value: Json) -> Mapping[str, Json]:
    if type(value) is not dict:
        raise TypeError(f"a {type(value).__name__} where an object belongs")
    return value


def _number(of: Mapping[str, Json], name: str) -> float | None:
    value = of.get(name)
    if value is None:
        return None
    if type(value) not in (int, float):
        raise TypeError(f"{name} is a {type(value).__name__}, not a number")
    return float(value)


def _usage(of: Mapping[str, Json]) -> Counts:
    usage = _may(of, "usage", dict) or {}
    flat = {**usage, **(_may(usage, "output_tokens_details", dict) or {})}
    counts = {name: _may(flat, name, int) for name in _COUNTERS}
    if not all(count is None or 0 <= count <= MOST_TOKENS for count in counts.values()):
        raise ValueError("a count of tokens that no message has")
    return {name: count for name, count in counts.items() if count is not None}


def _stream_event(frame: Mapping[str, Json]) -> Line:
    if frame.get("parent_tool_use_id") is not None:
        return Ignored("stream_event of a subagent")
    event = _need(frame, "event", dict)
    kind = _need(event, "type", str)
    decoder = _STREAM_DECODERS.get(kind)
    return decoder(event) if decoder else Ignored(f"stream_event {kind}")


def _message_start(event: Mapping[str, Json]) -> Line:
    message = _need(event, "message", dict)
    return MessageStart(_need(message, "id", str), _need(message, "model", str), _usage(message))


def _block_start(event: Mapping[str, Json]) -> Line:
    return _opening(_need(event, "content_block", dict))


def _opening(block: Mapping[str, Json]) -> BlockStart:
    match _need(block, "type", str):
        case "text":
            return BlockStart("text", text=_may(block, "text", str) or "")
        case "thinking":
            return BlockStart("thinking", text=_may(block, "thinking", str) or "")
        case "tool_use":
            return BlockStart("tool_use", id=_need(block, "id", str), name=_need(block, "name", str))
        case "redacted_thinking":
            return BlockStart("redacted_thinking", data=_need(block, "data", str))
        case other:
            return BlockStart(other)


def _block_delta(event: Mapping[str, Json]) -> Line:
    delta = _need(event, "delta", dict)
    match _need(delta, "type", str):
        case "text_delta":
            return TextPiece(_need(delta, "text", str))
        case "input_json_delta":
            return JsonPiece(_need(delta, "partial_json", str))
        case "thinking_delta":
            return ThinkingPiece(_need(delta, "thinking", str))
        case "signature_delta":
            return SignaturePiece(_need(delta, "signature", str))
        case "citations_delta":
            return CitationPiece(_need(delta, "citation", dict))
        case other:
            return Ignored(f"stream_event {other}")


def _message_delta(event: Mapping[str, Json]) -> Line:
    delta = _need(event, "delta", dict)
    return MessageDelta(
        _may(delta, "stop_reason", str),
        _may(delta, "stop_sequence", str),
        _usage(event),
        _may(delta, "stop_details", dict),
    )


def _assistant(frame: Mapping[str, Json]) -> Line:
    if frame.get("parent_tool_use_id") is not None:
        return Ignored("assistant of a subagent")
    message = _need(frame, "message", dict)
    return WholeMessage(
        id=_need(message, "id", str),
        model=_need(message, "model", str),
        pieces=tuple(_pieces(_need(message, "content", list))),
        stop_reason=_may(message, "stop_reason", str),
        stop_sequence=_may(message, "stop_sequence", str),
        usage=_usage(message),
        error=_may(frame, "error", str),
        details=_may(message, "stop_details", dict),
    )


def _pieces(content: Iterable[Json]) -> Iterator[Piece]:
    for block in content:
        opening = _opening(block)
        yield opening
        match opening.kind:
            case "tool_use":
                yield JsonPiece(orjson.dumps(_need(block, "input", dict)).decode())
            case "thinking":
                yield SignaturePiece(_may(block, "signature", str) or "")
            case "text":
                yield from (CitationPiece(_object(each)) for each in _may(block, "citations", list) or ())
            case _:
                pass


def _user(frame: Mapping[str, Json]) -> Line:
    return Ignored("user of a subagent") if frame.get("parent_tool_use_id") is not None else Onward()


def _result(frame: Mapping[str, Json]) -> Line:
    return TurnResult(
        is_error=_need(frame, "is_error", bool),
        status=_may(frame, "api_error_status", int),
        text=_may(frame, "result", str) or "",
        stop_reason=_may(frame, "stop_reason", str),
        terminal_reason=_may(frame, "terminal_reason", str),
        total_cost=_number(frame, "total_cost_usd"),
    )


def _control_request(frame: Mapping[str, Json]) -> Line:
    match frame.get("request"):
        case {
            "subtype": "mcp_message",
            "message": {"method": "tools/call", "id": call, "params": {"_meta": {"claudecode/toolUseId": str(id)}}},
        }:
            return ToolRequest(_need(frame, "request_id", str), call, id)
        case _:
            return Onward()


def _control_response(frame: Mapping[str, Json]) -> Line:
    reply = _need(frame, "response", dict)
    error = None if _need(reply, "subtype", str) == "success" else _may(reply, "error", str) or "no reason given"
    return ControlReply(_need(reply, "request_id", str), error, _may(reply, "response", dict) or {})


def _system(frame: Mapping[str, Json]) -> Line:
    match frame.get("subtype"):
        case "api_retry":
            delay = _number(frame, "retry_delay_ms") or 0.0
            return ApiRetry(delay / 1000, _may(frame, "error_status", int), _may(frame, "error", str))
        case "compact_boundary":
            return Compacted()
        case other:
            return Ignored(f"system {other}")


def _rate_limit(frame: Mapping[str, Json]) -> Line:
    limits = _may(frame, "rate_limit_info", dict) or {}
    return RateLimit(_may(limits, "status", str) or "", _number(limits, "resetsAt"))


_STREAM_DECODERS: Mapping[str, Decoder] = {
    "message_start": _message_start,
    "content_block_start": _block_start,
    "content_block_delta": _block_delta,
    "message_delta": _message_delta,
    "message_stop": lambda _: MessageStop(),
}

_DECODERS: Mapping[str, Decoder] = {
    "stream_event": _stream_event,
    "assistant": _assistant,
    "user": _user,
    "result": _result,
    "control_request": _control_request,
    "control_response": _control_response,
    "system": _system,
    "rate_limit_event": _rate_limit,
}
