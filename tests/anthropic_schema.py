"""What Anthropic's published schema requires of a message and of the events of one, as tables.

A text without citations has no field for them: one client library takes an array or nothing, and no null.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from cca.dialects.contract import Frame

MESSAGE = {
    *("id", "type", "role", "content", "model", "stop_reason", "stop_sequence", "stop_details", "usage", "container"),
}

RUNNING_USAGE = {
    *("cache_creation_input_tokens", "cache_read_input_tokens", "input_tokens", "output_tokens"),
    *("output_tokens_details", "server_tool_use"),
}

USAGE = {*RUNNING_USAGE, "cache_creation", "inference_geo", "service_tier"}

STOP = {"container", "stop_details", "stop_reason", "stop_sequence"}

STOP_REASONS = {
    *("end_turn", "max_tokens", "stop_sequence", "tool_use", "pause_turn", "refusal"),
    "model_context_window_exceeded",
}

ERROR = {"type", "error", "request_id"}

BLOCKS: Mapping[str, set[str]] = {
    "text": {"text"},
    "thinking": {"signature", "thinking"},
    "redacted_thinking": {"data"},
    "tool_use": {"caller", "id", "input", "name"},
}

DELTAS: Mapping[str, tuple[str, str]] = {
    "text_delta": ("text", "text"),
    "citations_delta": ("text", "citation"),
    "thinking_delta": ("thinking", "thinking"),
    "signature_delta": ("thinking", "signature"),
    "input_json_delta": ("tool_use", "partial_json"),
}
"""The block that each kind of piece is of, and its field."""

EVENTS: Mapping[str, set[str]] = {
    "message_start": {"message"},
    "content_block_start": {"index", "content_block"},
    "content_block_delta": {"index", "delta"},
    "content_block_stop": {"index"},
    "message_delta": {"delta", "usage"},
    "message_stop": set(),
    "error": {"error", "request_id"},
}


def check_message(body: Any) -> None:
    """Assert that a body is a whole message, or one that begins."""
    assert set(body) == MESSAGE
    assert (body["type"], body["role"]) == ("message", "assistant")
    assert set(body["usage"]) == USAGE
    assert body["stop_reason"] in STOP_REASONS | {None}
    for block in body["content"]:
        check_block(block)


def check_block(block: Any) -> None:
    assert set(block) - {"citations"} == {"type", *BLOCKS[block["type"]]}
    assert block.get("citations") != []
    if block["type"] == "tool_use":
        assert block["caller"] == {"type": "direct"}
        assert isinstance(block["input"], dict)


def check_error(body: Any) -> None:
    assert set(body) == ERROR
    assert body["type"] == "error"
    assert set(body["error"]) - {"details"} == {"type", "message"}


def check_stream(frames: Sequence[Frame]) -> None:
    """Assert that frames are one stream: of one message with its end, or of as much of it as came before an error."""
    kinds = [frame.name for frame in frames]
    for frame in frames:
        assert frame.content["type"] == frame.name
        assert set(frame.content) == {"type", *EVENTS[frame.name or ""]}
    if kinds[-1] == "error":
        check_error(frames[-1].content)
        blocks = kinds[1:-1]
        assert kinds == ["error"] or kinds[0] == "message_start"
    else:
        blocks = kinds[1:-2]
        assert (kinds[0], *kinds[-2:]) == ("message_start", "message_delta", "message_stop")
        end = frames[-2].content
        assert set(end["delta"]) == STOP
        assert end["delta"]["stop_reason"] in STOP_REASONS
        assert set(end["usage"]) == RUNNING_USAGE
    assert all(kind and kind.startswith("content_block_") for kind in blocks)
    if kinds[0] == "message_start":
        begun = frames[0].content["message"]
        check_message(begun)
        assert (begun["content"], begun["stop_reason"]) == ([], None)
        assert begun["usage"]["output_tokens"] >= 1
    _check_blocks(iter(frames[1 : 1 + len(blocks)]), may_break_off=kinds[-1] == "error")


def _check_blocks(frames: Iterator[Frame], *, may_break_off: bool) -> None:
    """Assert that blocks are counted from 0, and that one ends before the next begins."""
    for index, start in enumerate(frames):
        assert (start.name, start.content["index"]) == ("content_block_start", index)
        block = start.content["content_block"]
        check_block(block)
        signed = False
        for frame in frames:
            assert frame.content["index"] == index
            if frame.name == "content_block_stop":
                break
            assert frame.name == "content_block_delta"
            delta = frame.content["delta"]
            of, field = DELTAS[delta["type"]]
            assert (of, {"type", field}) == (block["type"], set(delta))
            assert not signed, "a signature is the last of its block"
            signed = field == "signature"
        else:
            assert may_break_off
