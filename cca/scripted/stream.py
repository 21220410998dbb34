"""A script as the Messages API sends it: events in its order, or one message. No clock, no socket.

The events, their fields and their order are those of the API's streaming reference.
"""

import base64
import hashlib
import json
from collections.abc import Iterator
from typing import TypeAlias

from attrs import frozen

from cca.scripted.prompt import count_words
from cca.scripted.script import (
    ERROR_MESSAGES,
    Block,
    Call,
    CutOff,
    Fault,
    HttpError,
    Json,
    Say,
    Script,
    Silence,
    StreamError,
    Think,
)

ARGUMENTS_PIECE = 24  # characters of a call's arguments in one delta
SETTLING_SECONDS = 0.05  # a client that sees the end at once may throw away what it had not read yet
_DIGITS = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_ID_LENGTH = 22


@frozen
class Heading:
    """What an answer takes from its request. All its ids follow from ``seed``."""

    model: str
    seed: str
    input_tokens: int


@frozen
class Send:
    event: Json


@frozen
class Pause:
    seconds: float


@frozen
class HangUp:
    """End the connection in the middle of the body."""


@frozen
class Hang:
    """Send nothing more, for ever."""


Step: TypeAlias = Send | Pause | HangUp | Hang


def vendor_id(prefix: str, *seed: object) -> str:
    """Make an id in the vendor's look, such as ``msg_01...``; the same seed gives the same id."""
    number = int.from_bytes(hashlib.sha256(repr(seed).encode()).digest())
    digits = ""
    for _ in range(_ID_LENGTH):
        number, digit = divmod(number, len(_DIGITS))
        digits += _DIGITS[digit]
    return f"{prefix}_01{digits}"


def frame(event: Json) -> bytes:
    return f"event: {event['type']}\ndata: {json.dumps(event, ensure_ascii=False)}\n\n".encode(errors="replace")


def error_body(kind: str, message: str, request_id: str | None) -> Json:
    return {"type": "error", "error": {"type": kind, "message": message}, "request_id": request_id}


def steps(script: Script, heading: Heading, fault: Fault | None = None) -> Iterator[Step]:
    """Play a script as a stream. A fault that waits for more deltas than there are happens after the last."""
    if script.wait:
        yield Pause(script.wait)
    deltas = 0
    for event in events(script, heading):
        is_delta = event["type"] == "content_block_delta"
        is_over = event["type"] == "message_delta"
        if fault is not None and is_over:
            yield from _fault_steps(fault)
            return
        if is_delta and script.delay:
            yield Pause(script.delay)
        yield Send(event)
        deltas += is_delta
        if fault is not None and _after(fault) == deltas and (is_delta or event["type"] == "ping"):
            yield from _fault_steps(fault)
            return


def _after(fault: Fault) -> int | None:
    return None if isinstance(fault, HttpError) else fault.after


def _fault_steps(fault: Fault) -> Iterator[Step]:
    match fault:
        case StreamError(kind=kind):
            yield Send(error_body(kind, ERROR_MESSAGES.get(kind, "Scripted error"), None))
        case CutOff():
            yield Pause(SETTLING_SECONDS)
            yield HangUp()
        case Silence():
            yield Hang()
        case HttpError():
            return


def events(script: Script, heading: Heading) -> Iterator[Json]:
    """Give the events of an undisturbed stream."""
    yield {"type": "message_start", "message": _message(heading, _usage(script, heading, ()))}
    yield {"type": "ping"}
    for index, block in enumerate(script.blocks):
        yield {"type": "content_block_start", "index": index, "content_block": _opened(block, index, heading)}
        for delta in _deltas(block, heading):
            yield {"type": "content_block_delta", "index": index, "delta": delta}
        yield {"type": "content_block_stop", "index": index}
    usage = _usage(script, heading, script.blocks)
    yield {"type": "message_delta", "delta": _ending(script), "usage": usage}
    yield {"type": "message_stop"}


def message(script: Script, heading: Heading) -> Json:
    """Give the whole answer as one message."""
    content = [_closed(block, index, heading) for index, block in enumerate(script.blocks)]
    usage = _usage(script, heading, script.blocks)
    return _message(heading, usage) | {"content": content} | _ending(script)


def count_output(blocks: tuple[Block, ...]) -> int:
    """Count the words of thoughts, text and arguments; at least 1."""
    texts = (json.dumps(block.input) if isinstance(block, Call) else block.text for block in blocks)
    return max(1, sum(count_words(text) for text in texts))


def _message(heading: Heading, usage: Json) -> Json:
    return {
        "model": heading.model,
        "id": vendor_id("msg", heading.seed),
        "type": "message",
        "role": "assistant",
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "stop_details": None,
        "container": None,
        "usage": usage,
    }


def _ending(script: Script) -> Json:
    refused = {"type": "refusal", "category": script.category, "explanation": "A scripted refusal."}
    return {
        "stop_reason": script.stop_reason,
        "stop_sequence": script.stop_sequence,
        "stop_details": refused if script.stop_reason == "refusal" else None,
        "container": None,
    }


def _usage(script: Script, heading: Heading, blocks: tuple[Block, ...]) -> Json:
    """Count what a client has been sent; of an answer that only starts, one token stands for all."""
    thoughts = (count_words(block.text) for block in blocks if isinstance(block, Think))
    return {
        "input_tokens": heading.input_tokens,
        "cache_creation_input_tokens": script.cache_created,
        "cache_read_input_tokens": script.cache_read,
        "cache_creation": {"ephemeral_5m_input_tokens": script.cache_created, "ephemeral_1h_input_tokens": 0},
        "output_tokens": count_output(blocks),
        "output_tokens_details": {"thinking_tokens": sum(thoughts)},
        "server_tool_use": None,
        "service_tier": "standard",
        "inference_geo": "not_available",
    }


def _opened(block: Block, index: int, heading: Heading) -> Json:
    match block:
        case Say():
            return {"type": "text", "text": ""} | ({"citations": []} if block.citations else {})
        case Think(shown="redacted"):
            return _closed(block, index, heading)
        case Think():
            return {"type": "thinking", "thinking": "", "signature": ""}
        case Call():
            return _closed(block, index, heading) | {"input": {}}


def _closed(block: Block, index: int, heading: Heading) -> Json:
    match block:
        case Say():
            return {"type": "text", "text": block.text} | ({"citations": [*block.citations]} if block.citations else {})
        case Think(shown="redacted"):
            return {"type": "redacted_thinking", "data": _signature(block, heading)}
        case Think():
            told = block.text if block.shown == "told" else ""
            return {"type": "thinking", "thinking": told, "signature": _signature(block, heading)}
        case Call():
            return {
                "type": "tool_use",
                "id": vendor_id("toolu", heading.seed, index),
                "name": block.name,
                "input": block.input,
                "caller": {"type": "direct"},
            }


def _deltas(block: Block, heading: Heading) -> Iterator[Json]:
    match block:
        case Say():
            yield from ({"type": "text_delta", "text": text} for text in block.deltas)
            yield from ({"type": "citations_delta", "citation": citation} for citation in block.citations)
        case Think(shown="redacted"):
            pass
        case Think():
            if block.shown == "told":
                yield from ({"type": "thinking_delta", "thinking": text} for text in block.deltas)
            yield {"type": "signature_delta", "signature": _signature(block, heading)}
        case Call():
            text = json.dumps(block.input, ensure_ascii=False) if block.input else ""
            pieces = [text[at : at + ARGUMENTS_PIECE] for at in range(0, len(text), ARGUMENTS_PIECE)]
            yield from ({"type": "input_json_delta", "partial_json": piece} for piece in ["", *pieces])


def _signature(block: Think, heading: Heading) -> str:
    return base64.b64encode(hashlib.sha512(f"{heading.seed}{block.text}".encode()).digest()).decode()
