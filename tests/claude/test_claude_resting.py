"""What comes after an answer: the end of the program's turn, the next one, and that none is asked for in between."""

import json
from collections.abc import Sequence
from typing import Any

import pytest
from attrs import evolve
from printed import (
    PLAIN,
    api_retry,
    block_start,
    compacted,
    control_reply,
    line,
    message_delta,
    message_start,
    message_stop,
    rate_limit,
    refused,
    result,
    said,
    synthetic,
    text,
    tool_request,
    user,
    whole,
)

from cca.claude.dialogue import Dialogue
from cca.claude.phases import Answered, Asked, Called, Over, Phase, Resting
from cca.claude.script import NOTHING_TO_ASK, settings
from cca.errors import BadRequest, DeadlineExceeded
from cca.model import (
    AssistantTurn,
    Conversation,
    Event,
    Failed,
    Finished,
    Image,
    Sampling,
    Started,
    Text,
    TextDelta,
    Tool,
    ToolResult,
    Turn,
    UserTurn,
)

QUESTION = UserTurn((Text("Hi"),))
NEXT = UserTurn((Text("And?"),))
CONVERSATION = Conversation("haiku", (QUESTION,), tools=(Tool("f", "", {"type": "object"}),))
LIMITED = evolve(CONVERSATION, sampling=Sampling(max_tokens=100))

ANSWER = [message_start(), text("a"), message_delta()]
ECHO = whole(said("a"), id="msg_1", reason=None)


def opened(conversation: Conversation = CONVERSATION) -> Dialogue:
    dialogue = Dialogue(conversation, 0.0)
    dialogue.open()
    return dialogue


def told(dialogue: Dialogue, *lines: bytes) -> list[Event]:
    return [event for each in lines for event in dialogue.feed(each).events]


def followed(conversation: Conversation, last: Turn = NEXT) -> Conversation:
    return evolve(conversation, turns=(*conversation.turns, AssistantTurn((Text("a"),)), last))


def rested(conversation: Conversation = CONVERSATION) -> Dialogue:
    dialogue = opened(conversation)
    told(dialogue, *ANSWER, result("a"))
    return dialogue


@pytest.mark.parametrize("reason", ["end_turn", "stop_sequence"])
def test_an_answer_that_ends_by_itself_is_over_before_the_programs_turn_is(reason: str) -> None:
    dialogue = opened()
    assert isinstance(told(dialogue, *ANSWER[:2], message_delta(reason))[-1], Finished)
    assert isinstance(dialogue.phase, Answered)
    assert (dialogue.over, dialogue.ending, dialogue.may_go_on, dialogue.answering) == (True, True, True, True)
    assert not dialogue.takes(NEXT), "not yet"
    assert told(dialogue, ECHO, message_stop(), result("a")) == []
    assert (dialogue.over, dialogue.ending, dialogue.may_go_on) == (True, False, True)
    assert dialogue.takes(NEXT)


@pytest.mark.parametrize(
    "lines",
    [
        pytest.param([message_start(), message_delta("end_turn")], id="a message of nothing"),
        pytest.param([message_start(), message_delta("stop_sequence")], id="a stop sequence at once"),
        pytest.param([message_start(), text("a"), message_delta("max_tokens")], id="a limit"),
        pytest.param([message_start(), text("a"), message_delta("refusal")], id="a refusal"),
        pytest.param([message_start(), text("a"), message_delta("tool_use")], id="calls of which there are none"),
        pytest.param(
            [message_start(), block_start("tool_use", id="t", name="f", input={}), message_delta("stop_sequence")],
            id="a call that was cut off",
        ),
        pytest.param(
            [message_start(), block_start("tool_use", id="t", name="g", input={}), message_delta("tool_use")],
            id="a call of another's tool",
        ),
        pytest.param([whole(said("a")), result()], id="a message that came whole"),
        pytest.param([message_start(), text("a"), message_delta("pause_turn")], id="a reason that nobody knows"),
    ],
)
def test_after_this_the_program_must_not_go_on(lines: Sequence[bytes]) -> None:
    dialogue = opened()
    told(dialogue, *lines)
    assert (dialogue.over, dialogue.may_go_on, dialogue.phase) == (True, False, Over())


HARMLESS = [
    pytest.param(message_stop(), id="the end of the message"),
    pytest.param(rate_limit("allowed"), id="how much is left"),
    pytest.param(line(type="system", subtype="status"), id="how it is"),
    pytest.param(line(type="new"), id="what nobody knows"),
    pytest.param(b" \r", id="a blank line"),
    pytest.param(control_reply("settings-2"), id="yes to its settings"),
]
WRONG = [
    pytest.param(message_start("msg_2"), id="another message"),
    pytest.param(text("b"), id="a piece"),
    pytest.param(message_delta(), id="another end"),
    pytest.param(whole(said("b"), id="msg_2"), id="another whole message"),
    pytest.param(synthetic("Failed"), id="words of its own"),
    pytest.param(refused("no", 500), id="a failure"),
    pytest.param(user(), id="a turn of its own"),
    pytest.param(tool_request(), id="a call"),
    pytest.param(api_retry(500), id="a retry"),
    pytest.param(compacted(), id="a summary"),
    pytest.param(control_reply("settings-2", error="no"), id="no to its settings"),
    pytest.param(b"Segmentation fault", id="what cannot be read"),
]


@pytest.mark.parametrize("printed", HARMLESS)
@pytest.mark.parametrize("before", [(), (result("a"),)], ids=["answered", "resting"])
def test_what_means_nothing_then_changes_nothing(before: Sequence[bytes], printed: bytes) -> None:
    dialogue = opened()
    told(dialogue, *ANSWER, *before)
    phase = dialogue.phase
    assert told(dialogue, printed) == []
    assert dialogue.phase == phase


@pytest.mark.parametrize("printed", WRONG)
@pytest.mark.parametrize("before", [(), (result("a"),)], ids=["answered", "resting"])
def test_whatever_else_it_says_it_must_not_go_on_and_the_answer_stays_whole(
    before: Sequence[bytes], printed: bytes
) -> None:
    dialogue = opened()
    told(dialogue, *ANSWER, *before)
    assert [event for event in told(dialogue, printed) if not isinstance(event, Failed)] == []
    assert (dialogue.phase, dialogue.may_go_on) == (Over(), False)


@pytest.mark.parametrize("printed", [result("b"), ECHO], ids=["another result", "the message once more"])
def test_a_program_that_rests_says_nothing_of_its_turn_any_more(printed: bytes) -> None:
    dialogue = rested()
    told(dialogue, printed)
    assert dialogue.phase == Over()


@pytest.mark.parametrize("phase", [Answered("msg_1"), Resting(), Called("msg_1", frozenset("t"))])
def test_a_failure_from_outside_is_nobodys_then_and_the_program_must_not_go_on(phase: Phase) -> None:
    dialogue = opened()
    dialogue.phase = phase
    assert dialogue.fail(DeadlineExceeded("late")) == ()
    assert dialogue.phase == Over()


# The next turn.


@pytest.mark.parametrize(
    ("turn", "takes"),
    [
        pytest.param(NEXT, True, id="a text"),
        pytest.param(UserTurn((Text("x"), Image(url="https://x/y"))), True, id="a picture"),
        pytest.param(
            UserTurn((ToolResult("t", (Text("x"),)), Text("y"))), False, id="a result that it has not asked for"
        ),
        pytest.param(AssistantTurn((Text("b"),)), False, id="a turn of the model's"),
    ],
)
def test_a_program_that_rests_takes_a_turn_of_the_users(turn: Turn, takes: bool) -> None:  # noqa: FBT001
    assert rested().takes(turn) is takes


def test_a_turn_is_answered_by_the_program_that_rests() -> None:
    dialogue = rested()
    [frame] = map(json.loads, dialogue.resume(followed(CONVERSATION), 1.0).splitlines())
    assert (frame["message"]["content"], "shouldQuery" in frame) == ([{"type": "text", "text": "And?"}], False)
    assert (dialogue.phase, dialogue.answering, dialogue.over) == (Asked(), False, False)
    events = told(dialogue, *PLAIN)
    assert (events[1], type(events[-1])) == (TextDelta("Hello"), Finished)
    assert dialogue.phase == Resting()


def test_what_its_answers_cost_is_counted_together_so_that_no_more_is_told() -> None:
    dialogue = rested()
    dialogue.resume(followed(CONVERSATION), 1.0)
    [started, _, finished] = told(dialogue, whole(said("b")), result(total_cost_usd=0.5))
    assert isinstance(started, Started)
    assert isinstance(finished, Finished)
    assert finished.cost is None


def test_a_program_that_waits_for_nothing_is_told_nothing() -> None:
    with pytest.raises(AssertionError, match="waits for nothing"):
        opened().resume(followed(CONVERSATION), 1.0)


def settings_of(written: bytes) -> list[tuple[str, Any]]:
    """Return the settings that were told, each with the id of its request."""
    said = map(json.loads, written.splitlines())
    return [(each["request_id"], each["request"]["settings"]) for each in said if each["type"] == "control_request"]


def test_settings_are_told_again_where_they_changed_and_then_not_until_they_do() -> None:
    warm, cold = (evolve(CONVERSATION, sampling=Sampling(temperature=degrees)) for degrees in (1.0, 0.0))
    dialogue, conversation, ids = rested(warm), warm, []
    for change in (warm, cold, cold, warm):
        conversation = evolve(followed(conversation), sampling=change.sampling)
        written = settings_of(dialogue.resume(conversation, 1.0))
        assert [what for _, what in written] in ([], [settings(conversation)])
        ids.append([id for id, _ in written])  # noqa: A001 - the wire's word
        told(dialogue, *ANSWER, result("a"))
    assert ids == [[], ["settings-2"], [], ["settings-3"]]


def test_a_setting_that_was_told_is_taken_back() -> None:
    dialogue = rested(evolve(CONVERSATION, tools=(), sampling=Sampling(temperature=1.0)))
    [(_, settings)] = settings_of(dialogue.resume(followed(evolve(CONVERSATION, tools=())), 1.0))
    assert settings == {"model": "haiku", "env": {"CLAUDE_CODE_EXTRA_BODY": "{}"}}


def test_what_is_nested_too_deep_is_refused_then_too() -> None:
    deep: Any = 1
    for _ in range(200):
        deep = [deep]
    dialogue = rested()
    with pytest.raises(BadRequest, match="nested deeper"):
        dialogue.resume(evolve(followed(CONVERSATION), output_schema={"enum": deep}), 1.0)


# The seal.


def written(dialogue: Dialogue, *lines: bytes) -> list[bytes]:
    return [dialogue.feed(each).write for each in lines]


@pytest.mark.parametrize(
    "first", [block_start(text="a"), block_start("tool_use", id="t", name="f", input={})], ids=["a text", "a call"]
)
def test_with_a_limit_a_program_is_sealed_once_its_answer_is_passed_on(first: bytes) -> None:
    """What it asks its API from then on is refused there: it would go on by itself after the limit."""
    dialogue = opened(LIMITED)
    assert written(dialogue, *PLAIN[:5], message_start(), block_start("thinking", thinking=""), first, text("b")) == [
        *[b""] * 7,
        NOTHING_TO_ASK,
        b"",
    ]
    [(_, told)] = settings_of(NOTHING_TO_ASK)
    assert json.loads(told["env"]["CLAUDE_CODE_EXTRA_BODY"]) == {"messages": []}


def test_without_a_limit_it_is_not() -> None:
    assert b"".join(written(opened(), *PLAIN)) == b""


@pytest.mark.parametrize("reason", ["end_turn", "stop_sequence", "tool_use"])
def test_one_that_stays_is_unsealed_at_the_end_of_its_answer(reason: str) -> None:
    dialogue = opened(LIMITED)
    call = [block_start("tool_use", id="t", name="f", input={})] if reason == "tool_use" else []
    *_, last = written(dialogue, message_start(), text("a"), *call, message_delta(reason))
    assert settings_of(last) == [("settings-2", settings(LIMITED))]
    assert dialogue.may_go_on


@pytest.mark.parametrize("reason", ["max_tokens", "refusal", "pause_turn"])
def test_one_that_does_not_stay_stays_sealed(reason: str) -> None:
    *_, last = written(opened(LIMITED), message_start(), text("a"), message_delta(reason))
    assert last == b""


def test_one_of_which_nothing_was_passed_on_was_never_sealed() -> None:
    assert written(opened(LIMITED), message_start(), message_delta()) == [b"", b""]


def test_the_next_answer_is_sealed_anew() -> None:
    dialogue = rested(LIMITED)
    assert settings_of(dialogue.resume(followed(LIMITED), 1.0)) == [], "it was told them as it was unsealed"
    assert written(dialogue, *ANSWER[:2]) == [b"", NOTHING_TO_ASK]
    assert [id for id, _ in settings_of(b"".join(written(dialogue, ANSWER[2])))] == ["settings-3"]  # noqa: A001


def test_a_limit_that_is_gone_seals_nothing() -> None:
    dialogue = rested(LIMITED)
    [(_, told)] = settings_of(dialogue.resume(followed(CONVERSATION), 1.0))
    assert "max_tokens" not in json.loads(told["env"]["CLAUDE_CODE_EXTRA_BODY"])
    assert b"".join(written(dialogue, *ANSWER)) == b""
