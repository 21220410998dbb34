"""Events of an answer to the events of a streamed response, and to one body."""

from collections.abc import Mapping
from typing import Any

import pytest

from cca.dialects.contract import Ask, Frame, Stamp
from cca.dialects.openai_responses.resource import response
from cca.dialects.openai_responses.stream import ResponseEncoder
from cca.errors import BadRequest, CcaError, Overloaded, RateLimited
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

STAMP = Stamp("x", 17)
STARTED = Started("msg_1", "claude-x", Usage())
USAGE = Usage(input_tokens=2, output_tokens=3, cache_read_tokens=5, cache_write_tokens=7, reasoning_tokens=1)
SUMMARY: Mapping[str, Json] = {"reasoning": {"effort": None, "summary": "auto"}}
NAMESPACE = {"type": "namespace", "name": "mcp__s__", "tools": [{"type": "function", "name": "g"}]}


def ask(**echo: Json) -> Ask:
    return Ask((Conversation("sonnet", ()),), stream=True, echo=echo)


def ended(reason: StopReason = "end_turn") -> Finished:
    return Finished(reason, None, USAGE)


def frames(*events: Event, **echo: Json) -> list[Frame]:
    encoder = ResponseEncoder(ask(**echo), STAMP)
    return [frame for event in events for frame in encoder.encode(Told(0, event))]


def whole(*events: Event, **echo: Json) -> Any:
    message = Message()
    for event in (STARTED, *events):
        message.take(event)
    return response(ask(**echo), STAMP, [message])


def told(*events: Event, **echo: Json) -> list[Any]:
    """Return the events between the first two and the last, without their names and numbers."""
    said = [dict(frame.content) for frame in frames(STARTED, *events, **echo) if frame.name]
    for number, event in enumerate(said):
        assert event.pop("sequence_number") == number
    assert [event["type"] for event in said[:2]] == ["response.created", "response.in_progress"]
    return [{**event, "type": event["type"].removeprefix("response.")} for event in said[2:]]


def text_part(text: str) -> Any:
    return {"type": "output_text", "annotations": [], "logprobs": [], "text": text}


def message_item(text: str | None, status: str = "completed", index: int = 0) -> Any:
    content = [] if text is None else [text_part(text)]
    item_id = f"msg_x_{index}"
    return {"id": item_id, "type": "message", "role": "assistant", "status": status, "content": content}


def reasoning_item(*summary: str, status: str = "completed", index: int = 0) -> Any:
    parts = [{"type": "summary_text", "text": text} for text in summary]
    return {"id": f"rs_x_{index}", "type": "reasoning", "status": status, "summary": parts}


def call_item(call: str, name: str, arguments: str, status: str = "completed", index: int = 0, **more: Any) -> Any:
    item = {"id": f"fc_x_{index}", "type": "function_call", "status": status, "call_id": call}
    return {**item, "name": name, "arguments": arguments, **more}


def test_a_text() -> None:
    place = {"item_id": "msg_x_0", "output_index": 0, "content_index": 0}
    assert told(TextDelta("a"), TextDelta("b"), ended())[:-1] == [
        {"type": "output_item.added", "output_index": 0, "item": message_item(None, "in_progress")},
        {"type": "content_part.added", **place, "part": text_part("")},
        {"type": "output_text.delta", **place, "delta": "a", "logprobs": []},
        {"type": "output_text.delta", **place, "delta": "b", "logprobs": []},
        {"type": "output_text.done", **place, "text": "ab", "logprobs": []},
        {"type": "content_part.done", **place, "part": text_part("ab")},
        {"type": "output_item.done", "output_index": 0, "item": message_item("ab")},
    ]


def test_a_call() -> None:
    place = {"item_id": "fc_x_0", "output_index": 0}
    calls = (ToolCallStarted("t", "f"), ToolCallDelta('{"a"'), ToolCallDelta(":1}"))
    assert told(*calls, ended("tool_use"))[:-1] == [
        {"type": "output_item.added", "output_index": 0, "item": call_item("t", "f", "", "in_progress")},
        {"type": "function_call_arguments.delta", **place, "delta": '{"a"'},
        {"type": "function_call_arguments.delta", **place, "delta": ":1}"},
        {"type": "function_call_arguments.done", **place, "arguments": '{"a":1}', "name": "f"},
        {"type": "output_item.done", "output_index": 0, "item": call_item("t", "f", '{"a":1}')},
    ]


def test_a_call_of_no_arguments_has_an_empty_object_of_them_in_every_place() -> None:
    place = {"item_id": "fc_x_0", "output_index": 0}
    assert told(ToolCallStarted("t", "f"), ended("tool_use"))[1:4] == [
        {"type": "function_call_arguments.delta", **place, "delta": "{}"},
        {"type": "function_call_arguments.done", **place, "arguments": "{}", "name": "f"},
        {"type": "output_item.done", "output_index": 0, "item": call_item("t", "f", "{}")},
    ]


def test_a_thought_whose_summary_was_asked_for() -> None:
    place = {"item_id": "rs_x_0", "output_index": 0, "summary_index": 0}
    assert told(ThinkingDelta("a"), ThinkingDelta("b"), TextDelta("c"), **SUMMARY)[:-2] == [
        {"type": "output_item.added", "output_index": 0, "item": reasoning_item(status="in_progress")},
        {"type": "reasoning_summary_part.added", **place, "part": {"type": "summary_text", "text": ""}},
        {"type": "reasoning_summary_text.delta", **place, "delta": "a"},
        {"type": "reasoning_summary_text.delta", **place, "delta": "b"},
        {"type": "reasoning_summary_text.done", **place, "text": "ab"},
        {"type": "reasoning_summary_part.done", **place, "part": {"type": "summary_text", "text": "ab"}},
        {"type": "output_item.done", "output_index": 0, "item": reasoning_item("ab")},
        {"type": "output_item.added", "output_index": 1, "item": message_item(None, "in_progress", 1)},
    ]


def test_a_thought_of_which_nobody_wants_a_summary_is_an_item_without_one() -> None:
    assert told(ThinkingDelta("a"), TextDelta("b"))[:3] == [
        {"type": "output_item.added", "output_index": 0, "item": reasoning_item(status="in_progress")},
        {"type": "output_item.done", "output_index": 0, "item": reasoning_item()},
        {"type": "output_item.added", "output_index": 1, "item": message_item(None, "in_progress", 1)},
    ]


TEXT = (TextDelta("a"), TextDelta("b"))
CALLS = (ToolCallStarted("i", "f"), ToolCallStarted("j", "mcp__s__g"), ToolCallDelta("{}"))
ANSWERS = [
    pytest.param([*TEXT, ended()], {}, [message_item("ab")], id="text"),
    pytest.param([ended()], {}, [message_item("")], id="nothing"),
    pytest.param(
        [ThinkingDelta("a"), ended()], {}, [reasoning_item(), message_item("", index=1)], id="nothing but a thought"
    ),
    pytest.param(
        [ThinkingDelta("a"), *TEXT, ended()], {}, [reasoning_item(), message_item("ab", index=1)], id="a thought"
    ),
    pytest.param(
        [ThinkingDelta("a"), *TEXT, ended()],
        SUMMARY,
        [reasoning_item("a"), message_item("ab", index=1)],
        id="a thought and its summary",
    ),
    pytest.param(
        [*TEXT, *CALLS, ended("tool_use")],
        {"tools": [NAMESPACE]},
        [
            message_item("ab"),
            call_item("i", "f", "{}", index=1),
            call_item("j", "g", "{}", index=2, namespace="mcp__s__"),
        ],
        id="calls, one of a namespace",
    ),
    pytest.param(
        [TextDelta("a"), Redacted("r"), TextDelta("b"), ended()],
        {},
        [message_item("a"), message_item("b", index=1)],
        id="texts with a hidden thought between them",
    ),
    pytest.param(
        [TextDelta("a"), Signed("s"), TextDelta("b"), NextText(), Cited({}), TextDelta("c"), ended()],
        {},
        [message_item("a"), message_item("b", index=1), message_item("c", index=2)],
        id="texts with a thought that is not told between two of them",
    ),
    pytest.param(
        [ThinkingDelta("a"), Signed("s"), ThinkingDelta("b"), Signed("t"), *TEXT, ended()],
        SUMMARY,
        [reasoning_item("a"), reasoning_item("b", index=1), message_item("ab", index=2)],
        id="two thoughts, each signed",
    ),
    pytest.param(
        [Redacted("r"), Signed("s"), Cited({}), *TEXT, Cited({}), Redacted("r"), *CALLS, ended("tool_use")],
        {},
        [message_item("ab"), call_item("i", "f", "{}", index=1), call_item("j", "mcp__s__g", "{}", index=2)],
        id="calls after a text that cites, and thoughts that nobody is told",
    ),
    pytest.param([Redacted("r"), ended()], {}, [message_item("")], id="nothing but a hidden thought"),
    pytest.param([*TEXT, ended("max_tokens")], {}, [message_item("ab", "incomplete")], id="a text cut off"),
    pytest.param(
        [*TEXT, Redacted("r"), ended("max_tokens")],
        {},
        [message_item("ab", "incomplete")],
        id="cut off in a hidden thought",
    ),
    pytest.param([ended("max_tokens")], {}, [], id="nothing, cut off"),
    pytest.param(
        [*TEXT, ToolCallStarted("i", "f"), ToolCallDelta('{"a'), ended("max_tokens")],
        {},
        [message_item("ab"), call_item("i", "f", '{"a', "incomplete", 1)],
        id="a call cut off",
    ),
    pytest.param(
        [ToolCallStarted("i", "f"), ended("max_tokens")],
        {},
        [call_item("i", "f", "", "incomplete")],
        id="a call cut off before its arguments",
    ),
    pytest.param([*TEXT, ended("refusal")], {}, [message_item("ab", "incomplete")], id="a refusal"),
]


@pytest.mark.parametrize(("events", "echo", "output"), ANSWERS)
def test_the_stream_ends_with_the_whole_answer(events: list[Event], echo: Json, output: list[Any]) -> None:
    *_, last, done = frames(STARTED, *events, **echo)
    assert last.content["response"] == whole(*events, **echo)
    assert last.content["response"]["output"] == output
    assert done == Frame("[DONE]")


@pytest.mark.parametrize(("events", "echo", "output"), ANSWERS)
def test_every_item_is_added_once_and_done_as_it_is_in_the_end(
    events: list[Event], echo: Json, output: list[Any]
) -> None:
    said = told(*events, **echo)
    for what in ("added", "done"):
        items = [event for event in said if event["type"] == f"output_item.{what}"]
        assert [event["output_index"] for event in items] == list(range(len(output)))
        assert [event["item"]["id"] for event in items] == [item["id"] for item in output]
        if what == "done":
            assert [event["item"] for event in items] == output


@pytest.mark.parametrize(("events", "echo", "output"), ANSWERS)
def test_pieces_add_up_to_the_whole(events: list[Event], echo: Json, output: list[Any]) -> None:
    pieces: dict[str, str] = {}
    for event in told(*events, **echo):
        if event["type"].endswith(".delta"):
            pieces[event["item_id"]] = pieces.get(event["item_id"], "") + event["delta"]
        elif event["type"].endswith(("_text.done", "_arguments.done")):
            text = event["arguments"] if "arguments" in event else event["text"]
            assert pieces.pop(event["item_id"], "") == text
    assert pieces == {}


def test_every_event_is_named_by_its_type() -> None:
    *said, done = frames(STARTED, ThinkingDelta("a"), *TEXT, *CALLS, ended(), **SUMMARY)
    assert [frame.name for frame in said] == [frame.content["type"] for frame in said]
    assert done.name is None


REASONS: list[tuple[StopReason, str, str | None]] = [
    ("end_turn", "completed", None),
    ("stop_sequence", "completed", None),
    ("tool_use", "completed", None),
    ("max_tokens", "incomplete", "max_output_tokens"),
    ("context_window", "incomplete", "max_output_tokens"),
    ("refusal", "incomplete", "content_filter"),
]


@pytest.mark.parametrize(("reason", "status", "why"), REASONS)
def test_how_an_answer_stands(reason: StopReason, status: str, why: str | None) -> None:
    (last,) = [event for event in told(*TEXT, ended(reason)) if event["type"] == status]
    assert last["response"]["status"] == status
    assert last["response"]["incomplete_details"] == (None if why is None else {"reason": why})


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (RateLimited("m"), "rate_limit_exceeded"),
        (Overloaded("m"), "server_error"),
        (BadRequest("m"), "invalid_prompt"),
        (BadRequest("m", code="c"), "c"),
    ],
)
def test_a_failure_is_a_response_that_failed_with_what_there_is_of_it(error: CcaError, code: str) -> None:
    *_, last, done = frames(STARTED, *TEXT, Failed(error))
    failed = last.content["response"]
    assert (last.name, failed["status"], failed["usage"]) == ("response.failed", "failed", None)
    assert failed["error"] == {"code": code, "message": "m"}
    assert failed["output"] == [message_item("ab", "incomplete")]
    assert done == Frame("[DONE]")


def test_the_response_is_the_same_one_throughout() -> None:
    said = [frame.content["response"] for frame in frames(STARTED, *TEXT, ended())[:-1] if "response" in frame.content]
    assert [(each["id"], each["created_at"], each["model"]) for each in said] == [("resp_x", 17, "claude-x")] * 3
    assert [(each["status"], each["output"] == []) for each in said] == [
        ("in_progress", True),
        ("in_progress", True),
        ("completed", False),
    ]


def test_a_response_has_everything_that_is_required() -> None:
    assert whole(TextDelta("a"), ended(), temperature=0.5, store=False) == {
        "id": "resp_x",
        "object": "response",
        "created_at": 17,
        "completed_at": None,
        "status": "completed",
        "error": None,
        "incomplete_details": None,
        "model": "claude-x",
        "output": [message_item("a")],
        "usage": {
            "input_tokens": 14,
            "input_tokens_details": {"cached_tokens": 5, "cache_write_tokens": 7},
            "output_tokens": 3,
            "output_tokens_details": {"reasoning_tokens": 1},
            "total_tokens": 17,
        },
        "background": False,
        "frequency_penalty": 0,
        "instructions": None,
        "max_output_tokens": None,
        "max_tool_calls": None,
        "metadata": {},
        "parallel_tool_calls": True,
        "presence_penalty": 0,
        "previous_response_id": None,
        "prompt_cache_key": None,
        "reasoning": {"effort": None, "summary": None},
        "safety_identifier": None,
        "service_tier": "default",
        "store": False,
        "temperature": 0.5,
        "text": {"format": {"type": "text"}},
        "tool_choice": "auto",
        "tools": [],
        "top_logprobs": 0,
        "top_p": 1,
        "truncation": "disabled",
    }
