"""Lines of Claude Code's stdout to values: each kind, what is ignored, what is broken."""

import json
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import printed
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cca.claude.events import (
    ApiRetry,
    BlockStart,
    CitationPiece,
    Compacted,
    ControlReply,
    Ignored,
    JsonPiece,
    Line,
    MessageDelta,
    MessageStart,
    MessageStop,
    Onward,
    RateLimit,
    SignaturePiece,
    TextPiece,
    ThinkingPiece,
    TurnResult,
    Unreadable,
    WholeMessage,
    decode,
    usage_of,
)
from cca.model import Usage

COUNTS = {
    "input_tokens": 10,
    "output_tokens": 1,
    "cache_read_input_tokens": 3,
    "cache_creation_input_tokens": 2,
    "thinking_tokens": 0,
}


@pytest.mark.parametrize(
    ("line", "meaning"),
    [
        (printed.message_start("m"), MessageStart("m", "claude-haiku-5-5", COUNTS)),
        (printed.block_start(text=""), BlockStart("text")),
        (printed.block_start(text="So"), BlockStart("text", text="So")),
        (printed.block_start("thinking", thinking="Hm", signature=""), BlockStart("thinking", text="Hm")),
        (printed.block_start("thinking"), BlockStart("thinking")),
        (printed.block_start("tool_use", id="t", name="f", input={}), BlockStart("tool_use", id="t", name="f")),
        (printed.block_start("server_tool_use", id=1), BlockStart("server_tool_use")),
        (printed.text("a\u2028\x00\U0001f600"), TextPiece("a\u2028\x00\U0001f600")),
        (printed.delta("input_json_delta", partial_json='{"a'), JsonPiece('{"a')),
        (printed.delta("thinking_delta", thinking="Hm"), ThinkingPiece("Hm")),
        (printed.delta("signature_delta", signature="s"), SignaturePiece("s")),
        (
            printed.delta("citations_delta", citation={"type": "char_location"}),
            CitationPiece({"type": "char_location"}),
        ),
        (printed.block_start("redacted_thinking", data="c2Vl"), BlockStart("redacted_thinking", data="c2Vl")),
        (printed.message_delta("stop_sequence", "END"), MessageDelta("stop_sequence", "END", {"output_tokens": 7})),
        (printed.message_delta(None), MessageDelta(None, None, {"output_tokens": 7})),
        (
            printed.message_delta("refusal", details={"type": "refusal"}),
            MessageDelta("refusal", None, {"output_tokens": 7}, {"type": "refusal"}),
        ),
        (printed.message_stop(), MessageStop()),
        (printed.stream("ping"), Ignored("stream_event ping")),
        (printed.stream("content_block_stop", index=0), Ignored("stream_event content_block_stop")),
        (
            printed.whole(
                printed.said("a"),
                {"type": "thinking", "thinking": "Hm", "signature": "s"},
                printed.called("t", "f", city="Köln"),
                {"type": "new"},
            ),
            WholeMessage(
                "msg_2",
                "claude-haiku-5-5",
                (
                    BlockStart("text", text="a"),
                    BlockStart("thinking", text="Hm"),
                    SignaturePiece("s"),
                    BlockStart("tool_use", id="t", name="f"),
                    JsonPiece('{"city":"Köln"}'),
                    BlockStart("new"),
                ),
                "end_turn",
                None,
                COUNTS,
                None,
            ),
        ),
        (
            printed.whole(
                {"type": "text", "text": "a", "citations": [{"type": "char_location"}, {"type": "page_location"}]},
                {"type": "text", "text": "b", "citations": None},
                {"type": "redacted_thinking", "data": "eA=="},
                {"type": "thinking", "thinking": "", "signature": None},
                reason="refusal",
                details={"type": "refusal"},
            ),
            WholeMessage(
                "msg_2",
                "claude-haiku-5-5",
                (
                    BlockStart("text", text="a"),
                    CitationPiece({"type": "char_location"}),
                    CitationPiece({"type": "page_location"}),
                    BlockStart("text", text="b"),
                    BlockStart("redacted_thinking", data="eA=="),
                    BlockStart("thinking"),
                    SignaturePiece(""),
                ),
                "refusal",
                None,
                COUNTS,
                None,
                {"type": "refusal"},
            ),
        ),
        (printed.user(), Onward()),
        (printed.tool_request(), Onward()),
        (printed.compacted(), Compacted()),
        (
            printed.result("a", stop_reason="end_turn", terminal_reason="completed"),
            TurnResult(is_error=False, status=None, text="a", stop_reason="end_turn", terminal_reason="completed"),
        ),
        (
            printed.result("a", total_cost_usd=1),
            TurnResult(is_error=False, status=None, text="a", stop_reason=None, terminal_reason=None, total_cost=1.0),
        ),
        (
            printed.refused("b", 429),
            TurnResult(is_error=True, status=429, text="b", stop_reason=None, terminal_reason=None),
        ),
        (printed.control_reply("1", models=[]), ControlReply("1", None, {"models": []})),
        (printed.control_reply("1", error="no"), ControlReply("1", "no", {})),
        (
            printed.line(type="control_response", response={"subtype": "error", "request_id": "1"}),
            ControlReply("1", "no reason given", {}),
        ),
        (printed.api_retry(429, "rate_limit", 7443), ApiRetry(7.443, 429, "rate_limit")),
        (printed.line(type="system", subtype="api_retry", error_status=None), ApiRetry(0.0, None, None)),
        (printed.rate_limit("rejected", 12), RateLimit("rejected", 12.0)),
        (printed.rate_limit("allowed", None), RateLimit("allowed", None)),
        (printed.line(type="rate_limit_event"), RateLimit("", None)),
        (printed.line(type="system", subtype="init"), Ignored("system init")),
        (printed.line(type="system"), Ignored("system None")),
        (printed.line(type="tool_progress", x=1), Ignored("tool_progress")),
        (printed.line(type=None), Ignored("None")),
        (printed.line(type=[1]), Ignored("[1]")),
        (b"{}", Ignored("None")),
        (b'{"type":"keep_alive"}\r', Ignored("keep_alive")),
        (b' {"type":"keep_alive"} ', Ignored("keep_alive")),
    ],
    ids=lambda value: value.decode()[:60] if isinstance(value, bytes) else "",
)
def test_what_a_line_means(line: bytes, meaning: Line) -> None:
    assert decode(line) == meaning


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        ("stream_event", {"event": {"type": "content_block_delta", "delta": {"type": "text_delta", "text": "a"}}}),
        ("assistant", {"message": {}}),
        ("user", {"message": {}}),
    ],
)
def test_a_subagents_lines_are_not_the_conversations(kind: str, fields: Any) -> None:
    assert decode(printed.line(type=kind, parent_tool_use_id="toolu_1", **fields)) == Ignored(f"{kind} of a subagent")


@pytest.mark.parametrize(
    "line",
    [
        b"null",
        b"7",
        b"[]",
        b'"text"',
        b"true",
        b"{",
        b'{"type":"stream_event","event":{"type":"mess',
        b"Error: something\tat x.js:1",
        b"\xef\xbb\xbf{}",
        b'{"type":"\xff"}',
        b'{"type":"\xf0\x9f\x98"}',
        b'{"type":NaN}',
        b'{"type":"x","n":1e999}',
        b'{"a":' * 5000 + b"1" + b"}" * 5000,
        b"[" * 100_000,
        b"{}{}",
        b'{"type":"x","t":"\\ud800"}',
        b"\x00",
        b"{'type':'x'}",
    ],
    ids=lambda line: ascii(line[:30]),
)
def test_what_is_not_a_json_object_cannot_be_read(line: bytes) -> None:
    with pytest.raises(Unreadable):
        decode(line)


WRONG = [None, 7, 1.5, "text", True, [], [1], {}, {"x": 1}]
"""A value of every JSON type; which of them is right is the field's matter."""

READ = {
    "message_start": (printed.message_start(), ["event", "message", "id", "model", "usage", "input_tokens"]),
    "tool": (printed.block_start("tool_use", id="t", name="f"), ["content_block", "id", "name"]),
    "text": (printed.text("a"), ["event", "delta", "text"]),
    "json": (printed.delta("input_json_delta", partial_json=""), ["partial_json"]),
    "thinking": (printed.delta("thinking_delta", thinking=""), ["thinking"]),
    "signature": (printed.delta("signature_delta", signature="s"), ["signature"]),
    "citation": (printed.delta("citations_delta", citation={"type": "char_location"}), ["citation"]),
    "redacted": (printed.block_start("redacted_thinking", data="eA=="), ["data"]),
    "cited": (
        printed.whole({"type": "text", "text": "a", "citations": [{"type": "x"}]}, details={"type": "refusal"}),
        ["citations", "stop_details"],
    ),
    "message_delta": (
        printed.message_delta("stop_sequence", "END", {"type": "refusal"}),
        ["event", "delta", "stop_reason", "stop_sequence", "stop_details", "output_tokens"],
    ),
    "whole": (
        printed.whole(printed.called("t", "f", city=1), error="unknown"),
        ["message", "id", "model", "content", "input", "name", "stop_reason", "thinking_tokens", "error"],
    ),
    "result": (
        printed.refused("a", 400, stop_reason="end_turn", terminal_reason="api_error"),
        ["is_error", "result", "api_error_status", "stop_reason", "terminal_reason"],
    ),
    "control_response": (printed.control_reply("1", error="e"), ["response", "subtype", "request_id", "error"]),
    "api_retry": (printed.api_retry(500), ["retry_delay_ms", "error_status", "error"]),
    "rate_limit_event": (printed.rate_limit(), ["rate_limit_info", "status", "resetsAt"]),
}

NULLABLE = {
    *("usage", "input_tokens", "output_tokens", "thinking_tokens", "stop_reason", "stop_sequence", "error", "result"),
    *("citations", "stop_details"),
    *("api_error_status", "terminal_reason", "retry_delay_ms", "error_status", "rate_limit_info", "status", "resetsAt"),
}


def changed(frame: Any, name: str, value: Any) -> Any:
    """Return ``frame`` with ``value`` for the field ``name``, at the first place where it stands."""
    if isinstance(frame, list):
        return [changed(item, name, value) for item in frame]
    if not isinstance(frame, dict):
        return frame
    if name in frame:
        return {**frame, name: value}
    return {key: changed(item, name, value) for key, item in frame.items()}


def field_at(frame: Any, name: str) -> Any:
    if isinstance(frame, list):
        return next((found for item in frame if (found := field_at(item, name)) is not None), None)
    if not isinstance(frame, dict):
        return None
    return frame[name] if name in frame else field_at(list(frame.values()), name)


@pytest.mark.parametrize(
    ("line", "name"),
    [pytest.param(line, name, id=f"{kind}.{name}") for kind, (line, names) in READ.items() for name in names],
)
def test_a_field_that_is_read_has_its_type_or_its_line_cannot_be_read(line: bytes, name: str) -> None:
    frame = json.loads(line)
    own = field_at(frame, name)
    assert own is not None, "the table names a field of the line"
    numbers = {int, float} if name in ("resetsAt", "retry_delay_ms") else {type(own)}
    for wrong in WRONG:
        line = json.dumps(changed(frame, name, wrong)).encode()
        if type(wrong) in numbers or (wrong is None and name in NULLABLE):
            continue
        with pytest.raises(Unreadable, match="without what it must have"):
            decode(line)


@pytest.mark.parametrize("count", [-1, 10**12 + 1, 2**63, 10**30])
def test_a_count_of_tokens_that_no_message_has_cannot_be_read(count: int) -> None:
    """A database would not take it, and it would be there at each later try."""
    message = {"id": "m", "model": "claude-x", "usage": {"input_tokens": count}}
    event = {"type": "message_start", "message": message}
    with pytest.raises(Unreadable):
        decode(json.dumps({"type": "stream_event", "parent_tool_use_id": None, "event": event}).encode())


@pytest.mark.parametrize(
    ("line", "name"),
    [
        pytest.param(line, name, id=f"{kind}.{name}")
        for kind, (line, names) in READ.items()
        for name in names
        if name not in NULLABLE
    ],
)
def test_a_field_that_must_be_there_is_there_or_its_line_cannot_be_read(line: bytes, name: str) -> None:
    without = json.dumps(changed(json.loads(line), name, None)).encode().replace(f'"{name}": null'.encode(), b'"_": 0')
    with pytest.raises(Unreadable):
        decode(without)


def with_each_value_wrong(value: Any) -> Iterator[Any]:
    """Yield ``value`` with each value in it replaced by each of ``WRONG``, one at a time."""
    yield from WRONG
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        for wrong in with_each_value_wrong(inner):
            copy = value.copy()
            copy[key] = wrong
            yield copy


@pytest.mark.parametrize("line", [line for line, _ in READ.values()], ids=list(READ))
def test_any_value_anywhere_is_read_or_makes_its_line_unreadable_and_nothing_else(line: bytes) -> None:
    for frame in with_each_value_wrong(json.loads(line)):
        with suppress(Unreadable):
            decode(json.dumps(frame).encode())


@given(st.binary(max_size=80))
def test_any_bytes_are_read_or_cannot_be_read_and_nothing_else_happens(line: bytes) -> None:
    with suppress(Unreadable):
        decode(line)


@pytest.mark.parametrize("at", range(1, len('{"type":"x","t":"\U0001f600\u00e9"}'.encode())))
def test_a_line_cut_anywhere_cannot_be_read(at: int) -> None:
    with pytest.raises(Unreadable):
        decode('{"type":"x","t":"\U0001f600\u00e9"}'.encode()[:at])


@pytest.mark.parametrize(
    ("start", "end", "usage"),
    [
        ({}, {}, Usage()),
        (COUNTS, {}, Usage(10, 1, 3, 2, 0)),
        (COUNTS, {"output_tokens": 7, "thinking_tokens": 5}, Usage(10, 7, 3, 2, 5)),
        (COUNTS, {"input_tokens": 0}, Usage(0, 1, 3, 2, 0)),
    ],
)
def test_the_counts_of_a_messages_end_are_for_the_whole(start: Any, end: Any, usage: Usage) -> None:
    assert usage_of(start, end) == usage
