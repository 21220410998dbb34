"""Lines that Claude Code prints, as a test needs them."""

import json
from typing import Any

MODEL = "claude-sonnet-5-5-20261001"


def line(frame: Any) -> bytes:
    return json.dumps(frame).encode() + b"\n"


def _event(**event: Any) -> bytes:
    return line({"type": "stream_event", "parent_tool_use_id": None, "event": event})


def start(**usage: int) -> bytes:
    message = {"id": "msg_1", "model": MODEL, "usage": {"input_tokens": 7, "output_tokens": 1, **usage}}
    return _event(type="message_start", message=message)


def text(said: str) -> bytes:
    return _event(type="content_block_delta", index=0, delta={"type": "text_delta", "text": said})


def thinking(thought: str, signature: str = "") -> bytes:
    """Return a block of thinking, and the beginning of a text after it."""
    told = {"type": "thinking_delta", "thinking": thought}
    signed = {"type": "signature_delta", "signature": signature}
    deltas = (_event(type="content_block_delta", index=0, delta=delta) for delta in (told, signed))
    return b"".join([_begun(type="thinking", thinking="", signature=""), *deltas, _begun(type="text", text="")])


def redacted_thinking(hidden: str) -> bytes:
    return _begun(type="redacted_thinking", data=hidden) + _begun(type="text", text="")


def _begun(**block: Any) -> bytes:
    return _event(type="content_block_start", index=0, content_block=block)


def tool(id: str, name: str) -> bytes:  # noqa: A002 - the wire's word
    block = {"type": "tool_use", "id": id, "name": name, "input": {}}
    return _event(type="content_block_start", index=1, content_block=block)


def arguments(piece: str) -> bytes:
    return _event(type="content_block_delta", index=1, delta={"type": "input_json_delta", "partial_json": piece})


def stop(reason: str = "end_turn", **usage: Any) -> bytes:
    delta = {"stop_reason": reason, "stop_sequence": None}
    return _event(type="message_delta", delta=delta, usage={"output_tokens": 3, **usage})


def remembered() -> bytes:
    """Answer to a past user turn."""
    return line({"type": "result", "is_error": False, "num_turns": 0, "result": ""})


def prepared() -> bytes:
    """Answer to what a process is asked before its request is known."""
    response = {"subtype": "success", "request_id": "prepare", "response": {}}
    return line({"type": "control_response", "response": response})


def turn_ended() -> bytes:
    return line({"type": "result", "is_error": False, "num_turns": 1, "result": "..."})


def ends_by_itself(said: object) -> bool:
    """Whether what was said last is the end of an answer after which the program ends its turn."""
    reasons = (b'"stop_reason": "end_turn"', b'"stop_reason": "stop_sequence"')
    return isinstance(said, bytes) and any(reason in said for reason in reasons)


def api_error(status: int, said: str = "no") -> bytes:
    content = [{"type": "text", "text": f"API Error: {status} {said}"}]
    message = {"id": "e", "model": "<synthetic>", "content": content}
    result = {"type": "result", "is_error": True, "num_turns": 1, "api_error_status": status, "result": said}
    return line({"type": "assistant", "message": message}) + line(result)


def retrying(status: int, seconds: float) -> bytes:
    return line(
        {
            "type": "system",
            "subtype": "api_retry",
            "attempt": 1,
            "max_retries": 2,
            "retry_delay_ms": seconds * 1000,
            "error_status": status,
        }
    )


HELLO = (start(), text("Hel"), text("lo"), stop())

LIMITED = (*HELLO[:-1], stop("max_tokens"))
"""After this a process is ended: none stays."""
