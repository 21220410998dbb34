"""Events of an answer to chat completion chunks, and to one body."""

from typing import Any

import pytest

from cca.dialects.contract import Ask, Frame, Stamp
from cca.dialects.openai_chat import OPENAI_CHAT
from cca.errors import Overloaded, RateLimited
from cca.message import Message
from cca.model import (
    Conversation,
    Event,
    Failed,
    Finished,
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
USAGE = Usage(input_tokens=2, output_tokens=3)
ROLE = {"role": "assistant", "content": ""}


def ask(*, include_usage: bool = False, choices: int = 1, functions: bool = False) -> Ask:
    return Ask(
        (Conversation("sonnet", ()),) * choices,
        stream=True,
        include_usage=include_usage,
        echo={"functions": functions},
    )


def ended(reason: StopReason = "end_turn") -> Finished:
    return Finished(reason, None, USAGE)


def frames(*events: Event, include_usage: bool = False) -> list[Frame]:
    encoder = OPENAI_CHAT.stream(ask(include_usage=include_usage), STAMP)
    return [frame for event in events for frame in encoder.encode(Told(0, event))]


def deltas(*events: Event) -> list[Any]:
    return [frame.content["choices"][0]["delta"] for frame in frames(STARTED, *events)]


def call(index: int, **fragment: Any) -> Any:
    return {"tool_calls": [{"index": index, **fragment}]}


def opening(index: int, id: str, name: str) -> Any:  # noqa: A002 - the wire's word
    return call(index, id=id, type="function", function={"name": name, "arguments": ""})


@pytest.mark.parametrize(
    ("events", "told"),
    [
        pytest.param([TextDelta("a"), TextDelta("b")], [ROLE, {"content": "a"}, {"content": "b"}], id="text"),
        pytest.param(
            [ThinkingDelta("a"), TextDelta("b")], [ROLE, {"reasoning_content": "a"}, {"content": "b"}], id="thinking"
        ),
        pytest.param(
            [ToolCallStarted("i", "f"), ToolCallDelta("{"), ToolCallDelta("}")],
            [ROLE, opening(0, "i", "f"), call(0, function={"arguments": "{"}), call(0, function={"arguments": "}"})],
            id="a tool call",
        ),
        pytest.param(
            [ToolCallStarted("i", "f"), ToolCallStarted("j", "g"), ToolCallDelta("{}")],
            [ROLE, opening(0, "i", "f"), opening(1, "j", "g"), call(1, function={"arguments": "{}"})],
            id="two",
        ),
        pytest.param([], [ROLE], id="nothing yet"),
    ],
)
def test_deltas(events: list[Event], told: list[Any]) -> None:
    assert deltas(*events) == told


REASONS: list[tuple[StopReason, str]] = [
    ("end_turn", "stop"),
    ("stop_sequence", "stop"),
    ("max_tokens", "length"),
    ("context_window", "length"),
    ("tool_use", "tool_calls"),
    ("refusal", "content_filter"),
]


@pytest.mark.parametrize(("reason", "told"), REASONS)
def test_the_finish_reason_comes_once_and_last(reason: StopReason, told: str) -> None:
    *chunks, done = frames(STARTED, TextDelta("a"), ended(reason))
    assert [chunk.content["choices"][0]["finish_reason"] for chunk in chunks] == [None, None, told]
    assert done == Frame("[DONE]")


def test_every_chunk_has_the_same_head_and_no_name() -> None:
    said = frames(STARTED, TextDelta("a"), ended(), include_usage=True)
    heads = [{key: frame.content[key] for key in ("id", "object", "created", "model")} for frame in said[:-1]]
    head = {"id": "chatcmpl-x", "object": "chat.completion.chunk", "created": 17, "model": "claude-x"}
    assert heads == [head] * 4
    assert {frame.name for frame in said} == {None}


def test_usage_is_in_no_chunk_unless_it_was_asked_for() -> None:
    assert not any("usage" in frame.content for frame in frames(STARTED, TextDelta("a"), ended())[:-1])


def test_usage_is_the_last_chunk_and_has_no_choices() -> None:
    *chunks, usage, _ = frames(STARTED, TextDelta("a"), ended(), include_usage=True)
    assert [chunk.content["usage"] for chunk in chunks] == [None] * 3
    assert usage.content["choices"] == []
    assert usage.content["usage"]["total_tokens"] == 5


@pytest.mark.parametrize(
    ("error", "kind"), [(RateLimited("m", code="c"), "rate_limit_error"), (Overloaded("m", code="c"), "server_error")]
)
def test_a_failure_is_the_last_frame(error: Any, kind: str) -> None:
    told = {"message": "m", "type": kind, "param": None, "code": "c"}
    assert frames(STARTED, TextDelta("a"), Failed(error))[2:] == [Frame({"error": told})]


def whole(*events: Event) -> Any:
    message = Message()
    for event in (STARTED, *events):
        message.take(event)
    return OPENAI_CHAT.whole(ask(), STAMP, [message])


def called(id: str, name: str, arguments: str) -> Any:  # noqa: A002 - the wire's word
    return {"id": id, "type": "function", "function": {"name": name, "arguments": arguments}}


@pytest.mark.parametrize(
    ("events", "message"),
    [
        pytest.param([TextDelta("a"), TextDelta("b")], {"content": "ab"}, id="text"),
        pytest.param([], {"content": ""}, id="nothing"),
        pytest.param(
            [ThinkingDelta("a"), ThinkingDelta("b"), TextDelta("c")],
            {"content": "c", "reasoning_content": "ab"},
            id="thinking",
        ),
        pytest.param(
            [ToolCallStarted("i", "f"), ToolCallDelta('{"a"'), ToolCallDelta(":1}"), ToolCallStarted("j", "g")],
            {"content": None, "tool_calls": [called("i", "f", '{"a":1}'), called("j", "g", "{}")]},
            id="calls alone",
        ),
        pytest.param(
            [TextDelta("a"), ToolCallStarted("i", "f")],
            {"content": "a", "tool_calls": [called("i", "f", "{}")]},
            id="text and a call",
        ),
    ],
)
def test_a_whole_message(events: list[Event], message: Any) -> None:
    (choice,) = whole(*events, ended())["choices"]
    assert choice["message"] == {"role": "assistant", "refusal": None, "annotations": [], **message}
    assert choice["logprobs"] is None


@pytest.mark.parametrize(("reason", "told"), REASONS)
def test_the_finish_reason_of_a_whole_answer(reason: StopReason, told: str) -> None:
    assert whole(ended(reason))["choices"][0]["finish_reason"] == told


def test_a_request_of_functions_gets_its_call_in_their_form() -> None:
    events: list[Event] = [
        STARTED,
        ToolCallStarted("i", "f"),
        ToolCallDelta("{"),
        ToolCallDelta("}"),
        ended("tool_use"),
    ]
    encoder = OPENAI_CHAT.stream(ask(functions=True), STAMP)
    *chunks, done = [frame for event in events for frame in encoder.encode(Told(0, event))]
    assert [frame.content["choices"][0]["delta"] for frame in chunks] == [
        ROLE,
        {"function_call": {"name": "f", "arguments": ""}},
        {"function_call": {"arguments": "{"}},
        {"function_call": {"arguments": "}"}},
        {},
    ]
    assert chunks[-1].content["choices"][0]["finish_reason"] == "function_call"
    assert done == Frame("[DONE]")


def test_that_form_has_room_for_one_call() -> None:
    events: list[Event] = [
        STARTED,
        ToolCallStarted("i", "f"),
        ToolCallStarted("j", "g"),
        ToolCallDelta("{}"),
        ended("tool_use"),
    ]
    encoder = OPENAI_CHAT.stream(ask(functions=True), STAMP)
    calls = [frame for event in events[:-1] for frame in encoder.encode(Told(0, event))][1:]
    message = Message()
    for event in events:
        message.take(event)
    (choice,) = OPENAI_CHAT.whole(ask(functions=True), STAMP, [message])["choices"]
    assert [frame.content["choices"][0]["delta"]["function_call"]["name"] for frame in calls] == ["f"]
    assert choice["message"] == {
        "role": "assistant",
        "content": None,
        "refusal": None,
        "annotations": [],
        "function_call": {"name": "f", "arguments": "{}"},
    }
    assert choice["finish_reason"] == "function_call"


def test_choices_are_told_apart_and_the_stream_ends_when_all_have() -> None:
    told = [
        Told(1, STARTED),
        Told(0, STARTED),
        Told(1, ToolCallStarted("i", "f")),
        Told(0, ToolCallStarted("j", "f")),
        Told(0, ToolCallStarted("k", "f")),
        Told(1, ended("tool_use")),
        Told(0, ended("tool_use")),
    ]
    encoder = OPENAI_CHAT.stream(ask(choices=2, include_usage=True), STAMP)
    *chunks, usage, done = [frame for each in told for frame in encoder.encode(each)]
    shown = [frame.content["choices"][0] for frame in chunks]
    calls = [
        (each["index"], call["index"], call["id"]) for each in shown for call in each["delta"].get("tool_calls", ())
    ]
    assert calls == [(1, 0, "i"), (0, 0, "j"), (0, 1, "k")]
    assert [each["index"] for each in shown if each["finish_reason"]] == [1, 0]
    assert (usage.content["usage"]["prompt_tokens"], usage.content["usage"]["completion_tokens"]) == (2, 6)
    assert done == Frame("[DONE]")
