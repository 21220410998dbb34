"""Events of an answer to the events of a streamed message, and to one body."""

from collections.abc import Mapping
from typing import Any, get_args

import pytest

from anthropic_schema import STOP_REASONS, check_message, check_stream
from cca.dialects.anthropic_messages import ANTHROPIC_MESSAGES
from cca.dialects.anthropic_messages.answer import MessageEncoder, message
from cca.dialects.contract import Ask, Frame, Stamp
from cca.errors import BadRequest, CcaError, ModelApiFailed, Overloaded, RateLimited
from cca.message import Message
from cca.model import (
    Cited,
    Conversation,
    Event,
    Failed,
    Finished,
    Json,
    NextText,
    Redacted,
    Signed,
    Started,
    StopReason,
    TextDelta,
    ThinkingDelta,
    Told,
    ToolCallDelta,
    ToolCallStarted,
    Usage,
)

ASK = Ask((Conversation("sonnet", ()),), stream=True)
STAMP = Stamp("x", 17, "req_1")
STARTED = Started("msg_1", "claude-x", Usage(input_tokens=2, cache_read_tokens=5))
USAGE = Usage(input_tokens=2, output_tokens=3, cache_read_tokens=5, cache_write_tokens=7, reasoning_tokens=1)
CITATION = {"type": "char_location", "cited_text": "grass", "document_index": 0}
OTHER = {**CITATION, "cited_text": "green"}
DIRECT = {"type": "direct"}
DETAILS = {"type": "refusal", "category": "bio", "explanation": None}


def ended(reason: StopReason = "end_turn") -> Finished:
    return Finished(reason, None, USAGE)


def frames(*events: Event) -> list[Frame]:
    encoder = MessageEncoder(ASK, STAMP)
    return [frame for event in events for frame in encoder.encode(Told(0, event))]


def whole(*events: Event) -> Any:
    told = Message()
    for event in events:
        told.take(event)
    return message(ASK, STAMP, [told])


def blocks(*events: Event) -> list[Any]:
    """Return what a stream says between the first event and the last two, without the rest of its names."""
    said = frames(STARTED, *events, ended())
    check_stream(said)
    return [_short(frame.content) for frame in said[1:-2]]


def _short(event: Json) -> Json:
    kind, index = event["type"].removeprefix("content_block_"), event["index"]
    match kind:
        case "start":
            return index, event["content_block"]
        case "delta":
            return index, *event["delta"].values()
        case _:
            return index, kind


TEXT = {"type": "text", "text": ""}
THINKING = {"type": "thinking", "thinking": "", "signature": ""}


def tool(id: str, name: str, **arguments: Json) -> Any:  # noqa: A002 - the wire's word
    return {"type": "tool_use", "id": id, "name": name, "input": arguments, "caller": DIRECT}


ANSWERS = [
    pytest.param([], [], [], id="nothing"),
    pytest.param(
        [TextDelta("a"), TextDelta("b")],
        [(0, TEXT), (0, "text_delta", "a"), (0, "text_delta", "b"), (0, "stop")],
        [{"type": "text", "text": "ab"}],
        id="a text",
    ),
    pytest.param(
        [TextDelta("a"), NextText(), TextDelta("b")],
        [(0, TEXT), (0, "text_delta", "a"), (0, "stop"), (1, TEXT), (1, "text_delta", "b"), (1, "stop")],
        [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}],
        id="two texts",
    ),
    pytest.param(
        [TextDelta("a"), NextText(), Cited(CITATION), TextDelta("b"), Cited(OTHER)],
        [
            *[(0, TEXT), (0, "text_delta", "a"), (0, "stop"), (1, TEXT), (1, "citations_delta", CITATION)],
            *[(1, "text_delta", "b"), (1, "citations_delta", OTHER), (1, "stop")],
        ],
        [{"type": "text", "text": "a"}, {"type": "text", "text": "b", "citations": [CITATION, OTHER]}],
        id="a text that cites",
    ),
    pytest.param(
        [ThinkingDelta("a"), ThinkingDelta("b"), Signed("s"), TextDelta("c")],
        [
            *[(0, THINKING), (0, "thinking_delta", "a"), (0, "thinking_delta", "b"), (0, "signature_delta", "s")],
            *[(0, "stop"), (1, TEXT), (1, "text_delta", "c"), (1, "stop")],
        ],
        [{"type": "thinking", "thinking": "ab", "signature": "s"}, {"type": "text", "text": "c"}],
        id="a thought",
    ),
    pytest.param(
        [ThinkingDelta("a"), TextDelta("c")],
        [
            *[(0, THINKING), (0, "thinking_delta", "a"), (0, "stop")],
            *[(1, TEXT), (1, "text_delta", "c"), (1, "stop")],
        ],
        [{"type": "thinking", "thinking": "a", "signature": ""}, {"type": "text", "text": "c"}],
        id="a thought that nobody signed",
    ),
    pytest.param(
        [Signed("s"), Signed("t")],
        [
            *[(0, THINKING), (0, "signature_delta", "s"), (0, "stop")],
            *[(1, THINKING), (1, "signature_delta", "t"), (1, "stop")],
        ],
        [
            {"type": "thinking", "thinking": "", "signature": "s"},
            {"type": "thinking", "thinking": "", "signature": "t"},
        ],
        id="thoughts that are not told",
    ),
    pytest.param(
        [ThinkingDelta("a"), Redacted("d"), ThinkingDelta("b"), Signed("s")],
        [
            *[(0, THINKING), (0, "thinking_delta", "a"), (0, "stop")],
            *[(1, {"type": "redacted_thinking", "data": "d"}), (1, "stop")],
            *[(2, THINKING), (2, "thinking_delta", "b"), (2, "signature_delta", "s"), (2, "stop")],
        ],
        [
            {"type": "thinking", "thinking": "a", "signature": ""},
            {"type": "redacted_thinking", "data": "d"},
            {"type": "thinking", "thinking": "b", "signature": "s"},
        ],
        id="a thought that nobody can read",
    ),
    pytest.param(
        [
            *[TextDelta("a"), ToolCallStarted("i", "f"), ToolCallStarted("j", "g")],
            *[ToolCallDelta('{"x"'), ToolCallDelta(":[1]}"), TextDelta("b")],
        ],
        [
            *[(0, TEXT), (0, "text_delta", "a"), (0, "stop"), (1, tool("i", "f")), (1, "stop")],
            *[(2, tool("j", "g")), (2, "input_json_delta", '{"x"'), (2, "input_json_delta", ":[1]}"), (2, "stop")],
            *[(3, TEXT), (3, "text_delta", "b"), (3, "stop")],
        ],
        [{"type": "text", "text": "a"}, tool("i", "f"), tool("j", "g", x=[1]), {"type": "text", "text": "b"}],
        id="calls",
    ),
]


@pytest.mark.parametrize(("events", "streamed", "content"), ANSWERS)
def test_an_answer(events: list[Event], streamed: list[Any], content: list[Any]) -> None:
    assert blocks(*events) == streamed
    body = whole(STARTED, *events, ended())
    check_message(body)
    assert body["content"] == content


def test_a_message_begins_with_all_of_its_fields() -> None:
    (begun,) = frames(STARTED)
    assert begun == Frame(
        {
            "type": "message_start",
            "message": {
                "id": "msg_1",
                "type": "message",
                "role": "assistant",
                "model": "claude-x",
                "content": [],
                "stop_reason": None,
                "stop_sequence": None,
                "stop_details": None,
                "container": None,
                "usage": {
                    "input_tokens": 2,
                    "cache_creation_input_tokens": 0,
                    "cache_read_input_tokens": 5,
                    "output_tokens": 1,
                    "output_tokens_details": {"thinking_tokens": 0},
                    "server_tool_use": None,
                    "cache_creation": None,
                    "inference_geo": None,
                    "service_tier": None,
                },
            },
        },
        name="message_start",
    )


def test_what_the_api_counted_at_the_start_is_told_there() -> None:
    (begun,) = frames(Started("msg_1", "claude-x", Usage(output_tokens=4)))
    assert begun.content["message"]["usage"]["output_tokens"] == 4


def test_a_message_ends_with_why_and_with_all_of_its_counts() -> None:
    *_, end, last = frames(STARTED, Finished("stop_sequence", "STOP", USAGE, 0.5))
    stop = {"stop_reason": "stop_sequence", "stop_sequence": "STOP", "stop_details": None, "container": None}
    usage = {
        "input_tokens": 2,
        "cache_creation_input_tokens": 7,
        "cache_read_input_tokens": 5,
        "output_tokens": 3,
        "output_tokens_details": {"thinking_tokens": 1},
        "server_tool_use": None,
    }
    assert end == Frame({"type": "message_delta", "delta": stop, "usage": usage}, name="message_delta")
    assert last == Frame({"type": "message_stop"}, name="message_stop")


WHY: Mapping[StopReason, str] = {
    "end_turn": "end_turn",
    "stop_sequence": "stop_sequence",
    "max_tokens": "max_tokens",
    "context_window": "model_context_window_exceeded",
    "tool_use": "tool_use",
    "refusal": "refusal",
}


@pytest.mark.parametrize(("reason", "told"), WHY.items())
def test_why_it_ended_is_the_same_streamed_and_whole(reason: StopReason, told: str) -> None:
    end = Finished(reason, "STOP" if reason == "stop_sequence" else None, USAGE, None, DETAILS)
    *_, last, _ = frames(STARTED, end)
    body = whole(STARTED, end)
    assert (last.content["delta"]["stop_reason"], last.content["delta"]["stop_details"]) == (told, DETAILS)
    assert {key: body[key] for key in last.content["delta"]} == last.content["delta"]
    assert body["usage"].items() >= last.content["usage"].items()


def test_every_stop_reason_is_one_of_the_schema() -> None:
    assert set(WHY) == set(get_args(StopReason))
    assert set(WHY.values()) < STOP_REASONS


@pytest.mark.parametrize(
    ("pieces", "arguments"),
    [
        (["{"], {"INVALID_JSON": "{"}),
        (['{"a', '":1'], {"INVALID_JSON": '{"a":1'}),
        (["[1]"], {"INVALID_JSON": "[1]"}),
        (['{"a":1e400}'], {"INVALID_JSON": '{"a":1e400}'}),
        (['{"a":', "[" * 128, "]" * 128, "}"], {"INVALID_JSON": '{"a":' + "[" * 128 + "]" * 128 + "}"}),
        ([], {}),
        (['{"a":1}'], {"a": 1}),
    ],
    ids=["begun", "cut off", "no object", "no number", "too deep", "before its arguments", "just complete"],
)
def test_arguments_that_broke_off_are_told_as_they_stand(pieces: list[str], arguments: Json) -> None:
    """Nobody can take them for arguments, and nothing of them is lost. Whoever reads a stream has the pieces."""
    events: list[Event] = [STARTED, ToolCallStarted("i", "f"), *map(ToolCallDelta, pieces), ended("max_tokens")]
    body = whole(*events)
    check_message(body)
    assert body["content"] == [tool("i", "f", **arguments)]
    said = frames(*events)
    check_stream(said)
    assert [each.content["delta"]["partial_json"] for each in said[2:-3]] == pieces


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        pytest.param(Overloaded("busy"), "overloaded_error", id="overloaded"),
        pytest.param(RateLimited("busy", retry_after=4), "rate_limit_error", id="rate limited"),
        pytest.param(ModelApiFailed("busy"), "api_error", id="failed"),
        pytest.param(BadRequest("busy"), "invalid_request_error", id="refused"),
    ],
)
@pytest.mark.parametrize(
    "before",
    [[], [STARTED], [STARTED, TextDelta("a")], [STARTED, TextDelta("a"), ToolCallStarted("i", "f")]],
    ids=["at once", "begun", "in a text", "in a call"],
)
def test_a_failure_is_the_last_event_and_closes_nothing(error: CcaError, kind: str, before: list[Event]) -> None:
    said = frames(*before, Failed(error))
    check_stream(said)
    told = {"type": "error", "error": {"type": kind, "message": "busy"}, "request_id": "req_1"}
    assert said == [*frames(*before), Frame(told, name="error")]


def test_an_answer_of_no_text_has_no_content() -> None:
    assert whole(STARTED, ended())["content"] == []
    assert [frame.name for frame in frames(STARTED, ended())] == ["message_start", "message_delta", "message_stop"]


def test_a_ping_has_its_name() -> None:
    assert ANTHROPIC_MESSAGES.ping == Frame({"type": "ping"}, name="ping")
