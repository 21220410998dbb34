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


def ask(*, include_usage: bool = False) -> Ask:
    return Ask((Conversation("sonnet", ()),), stream=True, include_usage=include_usage)


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
    assert choice["message"] == {"role": "assistant", "refusal": None, **message}
    assert choice["logprobs"] is None


@pytest.mark.parametrize(("reason", "told"), REASONS)
def test_the_finish_reason_of_a_whole_answer(reason: StopReason, told: str) -> None:
    assert whole(ended(reason))["choices"][0]["finish_reason"] == told
