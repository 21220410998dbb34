"""The message that an answer's events make."""

from collections.abc import Sequence

import pytest

from cca.errors import UpstreamFailed
from cca.message import Called, Message, Part, Said, Thought
from cca.model import (
    Cited,
    Event,
    Failed,
    Finished,
    NextText,
    Redacted,
    Signed,
    Started,
    TextDelta,
    ThinkingDelta,
    ToolCallDelta,
    ToolCallStarted,
    Usage,
)

STARTED = Started("msg_1", "claude-x", Usage(input_tokens=5))


def made_of(*events: Event) -> Message:
    message = Message()
    for event in events:
        message.take(event)
    return message


@pytest.mark.parametrize(
    ("events", "parts"),
    [
        pytest.param([], [], id="nothing"),
        pytest.param([TextDelta("Hel"), TextDelta("lo")], [Said(["Hel", "lo"])], id="pieces of one text"),
        pytest.param(
            [ThinkingDelta("H"), ThinkingDelta("m"), TextDelta("Yes")],
            [Thought(["H", "m"]), Said(["Yes"])],
            id="thinking, then text",
        ),
        pytest.param(
            [TextDelta("a"), ThinkingDelta("b"), TextDelta("c")],
            [Said(["a"]), Thought(["b"]), Said(["c"])],
            id="text around thinking is two",
        ),
        pytest.param(
            [ToolCallStarted("1", "f"), ToolCallDelta('{"a"'), ToolCallDelta(":1}"), ToolCallStarted("2", "g")],
            [Called("1", "f", ['{"a"', ":1}"]), Called("2", "g")],
            id="calls, one without arguments",
        ),
        pytest.param(
            [TextDelta("a"), ToolCallStarted("1", "f"), TextDelta("b")],
            [Said(["a"]), Called("1", "f"), Said(["b"])],
            id="text around a call is two",
        ),
        pytest.param(
            [TextDelta("a"), Cited({"n": 1}), Cited({"n": 2}), NextText(), TextDelta("b")],
            [Said(["a"], [{"n": 1}, {"n": 2}]), Said(["b"])],
            id="two texts, and what the first one cites",
        ),
        pytest.param([Cited({"n": 1}), TextDelta("a")], [Said(["a"], [{"n": 1}])], id="a citation before its text"),
        pytest.param(
            [ThinkingDelta("Hm"), Signed("s"), ThinkingDelta("So"), Signed("t"), Signed("u"), TextDelta("a")],
            [Thought(["Hm"], "s"), Thought(["So"], "t"), Thought([], "u"), Said(["a"])],
            id="a signature ends what was thought, which may be hidden",
        ),
        pytest.param(
            [ThinkingDelta("Hm"), Redacted("x"), ThinkingDelta("So"), Redacted("y")],
            [Thought(["Hm"]), Thought([], redacted="x"), Thought(["So"]), Thought([], redacted="y")],
            id="what is redacted stands alone",
        ),
    ],
)
def test_events_become_parts_in_their_order(events: Sequence[Event], parts: list[Part]) -> None:
    assert made_of(STARTED, *events).parts == parts


def test_a_message_is_told_by_its_kinds() -> None:
    message = made_of(
        STARTED,
        ThinkingDelta("Hm"),
        TextDelta("One "),
        ToolCallStarted("1", "f"),
        ToolCallDelta('{"a"'),
        ToolCallDelta(":1}"),
        ThinkingDelta("..."),
        TextDelta("two"),
        Finished("tool_use", None, Usage(5, 9), 0.5),
    )
    assert (message.model, message.stop_reason, message.usage) == ("claude-x", "tool_use", Usage(5, 9))
    assert (message.said, message.thought) == ("One two", "Hm...")
    assert [(call.id, call.name, call.arguments) for call in message.calls] == [("1", "f", '{"a":1}')]


@pytest.mark.parametrize(("events", "cites"), [([TextDelta("a"), Cited({"n": 1})], True), ([TextDelta("a")], False)])
def test_a_message_knows_whether_it_cites(events: Sequence[Event], cites: bool) -> None:  # noqa: FBT001
    assert made_of(*events).cites is cites


def test_a_message_has_what_the_api_says_of_its_end() -> None:
    message = made_of(STARTED, Finished("refusal", "END", Usage(5, 9), None, {"type": "refusal"}))
    assert (message.id, message.stop_sequence, message.stop_details) == ("msg_1", "END", {"type": "refusal"})


def test_a_failure_leaves_the_message_as_far_as_it_came() -> None:
    message = made_of(STARTED, TextDelta("a"))
    message.take(Failed(UpstreamFailed("no")))
    assert message == made_of(STARTED, TextDelta("a"))
    assert message.stop_reason is None
