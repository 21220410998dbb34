"""The dialogue's order: lines fed, and what they lead to, in every phase."""

import json
from collections.abc import Mapping, Sequence

import printed
import pytest
from attrs import evolve, frozen
from printed import (
    PLAIN,
    PREAMBLE,
    api_retry,
    block_start,
    called,
    compacted,
    control_reply,
    delta,
    line,
    message_delta,
    message_start,
    message_stop,
    rate_limit,
    refused,
    remembered,
    result,
    said,
    synthetic,
    text,
    tool_request,
    user,
    whole,
)

from cca.claude.dialogue import STOP_REASONS, Dialogue
from cca.claude.phases import Asked, Over, Recalling, Refused, Saying, Spoken
from cca.errors import (
    BadRequest,
    CcaError,
    DeadlineExceeded,
    ModelApiFailed,
    NotFound,
    NotUnderstood,
    Overloaded,
    RateLimited,
    TooLarge,
    Unauthorized,
    UpstreamFailed,
)
from cca.model import (
    AssistantTurn,
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
    Text,
    TextDelta,
    ThinkingDelta,
    ToolCallDelta,
    ToolCallStarted,
    Usage,
    UserTurn,
)

BEGAN_AT = printed.LIMITED_UNTIL - 3600.0
QUESTION = UserTurn((Text("Hi"),))
ONE_TURN = Conversation("haiku", (QUESTION,))
TWO_TURNS = Conversation("haiku", (QUESTION, AssistantTurn((Text("Yes?"),)), QUESTION))

START = Usage(10, 1, 3, 2)
END = Usage(10, 7, 3, 2)

BROKE_OFF = "broke in the middle of the answer"


def opened(conversation: Conversation = ONE_TURN) -> Dialogue:
    dialogue = Dialogue(conversation, BEGAN_AT)
    dialogue.open()
    return dialogue


def told(lines: Sequence[bytes], dialogue: Dialogue | None = None) -> list[Event]:
    dialogue = dialogue or opened()
    return [event for each in lines for event in dialogue.feed(each).events]


def started(id: str = "msg_1") -> Started:  # noqa: A002
    return Started(id, "claude-haiku-5-5", START)


def finished(reason: str = "end_turn", usage: Usage = END, sequence: str | None = None) -> Finished:
    return Finished(STOP_REASONS[reason], sequence, usage)


def failure(events: Sequence[Event]) -> CcaError:
    """Return the error of a conversation that failed, whose last event says so, once."""
    *before, last = events
    assert isinstance(last, Failed)
    assert not any(isinstance(event, Failed | Finished) for event in before)
    return last.error


# Answers that come as they should.

REFUSES = whole(said("It is refused."), id="3f9dde3e", model="<synthetic>", reason="refusal")


@pytest.mark.parametrize(
    ("lines", "events"),
    [
        pytest.param(
            PLAIN, [started(), TextDelta("Hello"), TextDelta(" there"), finished()], id="text, as it was seen"
        ),
        pytest.param([message_start(), message_delta()], [started(), finished()], id="nothing to say"),
        pytest.param(
            [message_start(), message_delta("refusal", details={"type": "refusal"})],
            [started(), evolve(finished("refusal"), details={"type": "refusal"})],
            id="why it refuses",
        ),
        pytest.param(
            [message_start(), text("a"), REFUSES, message_delta("refusal")],
            [started(), TextDelta("a"), finished("refusal")],
            id="that it refuses, which the program says, too",
        ),
        pytest.param(
            [message_start(), REFUSES, message_delta("refusal")],
            [started(), finished("refusal")],
            id="nothing, and that it refuses",
        ),
        pytest.param(
            [message_start(), block_start("redacted_thinking", data="eA=="), message_delta()],
            [started(), Redacted("eA=="), finished()],
            id="nothing that anybody can read",
        ),
        pytest.param(
            [message_start(), block_start(text="Hel"), text(""), text("lo"), message_delta()],
            [started(), TextDelta("Hel"), TextDelta("lo"), finished()],
            id="text in the opening of a block; an empty piece is nothing",
        ),
        pytest.param(
            [
                message_start(),
                block_start("thinking", thinking=""),
                delta("thinking_delta", thinking="Hm"),
                delta("signature_delta", signature="s"),
                block_start("thinking", thinking="More"),
                block_start(text=""),
                text("So"),
                message_delta(output_tokens_details={"thinking_tokens": 5}),
            ],
            [
                started(),
                ThinkingDelta("Hm"),
                Signed("s"),
                ThinkingDelta("More"),
                TextDelta("So"),
                finished(usage=Usage(10, 7, 3, 2, 5)),
            ],
            id="thinking",
        ),
        pytest.param(
            [
                message_start(),
                block_start("tool_use", id="t1", name="f", input={}),
                delta("input_json_delta", partial_json=""),
                delta("input_json_delta", partial_json='{"a"'),
                delta("input_json_delta", partial_json=":1}"),
                tool_request(),
                block_start("tool_use", id="t2", name="g", input={}),
                message_delta("tool_use"),
                tool_request(),
            ],
            [
                started(),
                ToolCallStarted("t1", "f"),
                ToolCallDelta('{"a"'),
                ToolCallDelta(":1}"),
                ToolCallStarted("t2", "g"),
                finished("tool_use"),
            ],
            id="tool calls, the first of them asked for before the message is over",
        ),
        pytest.param(
            [
                message_start(),
                block_start("server_tool_use", id="s", name="x"),
                delta("input_json_delta", partial_json='{"a":1}'),
                block_start(),
                text("a"),
                message_delta(),
            ],
            [started(), TextDelta("a"), finished()],
            id="a block of a kind that nobody knows is passed over",
        ),
        pytest.param(
            [message_start(), text("a"), message_delta("stop_sequence", "END")],
            [started(), TextDelta("a"), finished("stop_sequence", sequence="END")],
            id="a stop sequence",
        ),
    ],
)
def test_an_answer(lines: Sequence[bytes], events: list[Event]) -> None:
    assert told(lines) == events


@pytest.mark.parametrize("reason", STOP_REASONS)
def test_one_message_is_one_answer_and_what_the_program_adds_is_not_heard(reason: str) -> None:
    dialogue = opened()
    first = told([message_start(), text("a"), message_delta(reason)], dialogue)
    assert first == [started(), TextDelta("a"), finished(reason)]
    assert dialogue.over
    assert (
        told([message_stop(), user(), message_start("msg_9"), text("b"), message_delta(), b"garbage"], dialogue) == []
    )
    assert dialogue.close("exit code 1") == ()
    assert dialogue.fail(DeadlineExceeded("late")) == ()


def test_a_second_result_changes_nothing() -> None:
    assert told([*PLAIN, result("again"), refused("no", 500)]) == told(PLAIN)


@pytest.mark.parametrize("reason", ["pause_turn", "", "END_TURN"])
@pytest.mark.parametrize("piece", [(), (text("a"),)], ids=["at once", "after text"])
def test_a_reason_that_nobody_knows_is_no_end(reason: str, piece: tuple[bytes, ...]) -> None:
    events = told([message_start(), *piece, message_delta(reason)])
    error = failure(events)
    assert (type(error), error.retryable, error.message) == (
        NotUnderstood,
        False,
        f"The model stopped for a reason that cca does not know: {reason}",
    )
    assert len(events) == (3 if piece else 1), "before the first piece it can still be a status"


def test_what_nobody_knows_is_counted_and_blank_lines_are_not() -> None:
    dialogue = opened()
    told([line(type="new"), b"", b" \r", line(type="system", subtype="new"), line(type="keep_alive")], dialogue)
    assert dialogue.ignored_lines == 3
    assert dialogue.phase == Asked()


# History.


def frames(written: bytes) -> list[str]:
    return [json.loads(frame)["type"] for frame in written.splitlines()]


def test_history_goes_in_a_batch_for_each_result() -> None:
    dialogue = Dialogue(TWO_TURNS, BEGAN_AT)
    assert frames(dialogue.open()) == ["control_request", "control_request", "user"]
    assert isinstance(dialogue.phase, Recalling)
    for each in PREAMBLE:
        assert dialogue.feed(each).write == b""
    step = dialogue.feed(remembered())
    assert frames(step.write) == ["assistant", "user"]
    assert step.events == ()
    assert told(PLAIN, dialogue)[-1] == finished()


@pytest.mark.parametrize(
    ("lines", "error", "words"),
    [
        ([message_start()], UpstreamFailed, "began an answer before it was asked"),
        ([text("a")], UpstreamFailed, "a piece of an answer outside of a message"),
        ([message_delta()], UpstreamFailed, "ended an answer that it had not begun"),
        ([whole(said("a"))], UpstreamFailed, "answered before it was asked"),
        ([refused("API Error: 400 no", 400)], BadRequest, "refused the request: no"),
        ([synthetic("Not logged in", "authentication_failed"), refused("x", None)], Unauthorized, "Not logged in"),
        ([api_retry(401, "authentication_failed")], Unauthorized, "authentication_failed"),
        ([control_reply("settings", error="bad model")], UpstreamFailed, "refused its settings request: bad model"),
    ],
    ids=lambda value: "" if isinstance(value, list) else getattr(value, "__name__", value),
)
def test_nothing_is_an_answer_while_the_history_goes_in(
    lines: Sequence[bytes], error: type[CcaError], words: str
) -> None:
    failed = failure(told(lines, opened(TWO_TURNS)))
    assert type(failed) is error
    assert words in failed.message


# Messages that break off.

TO_ASKED: Sequence[bytes] = ()
TO_BEGUN = [message_start()]
TO_HIDDEN = [message_start(), block_start("thinking", thinking=""), delta("signature_delta", signature="s")]
TO_SAYING = [message_start(), text("a")]
AGAIN = [message_start("msg_2"), text("b"), message_delta()]


@pytest.mark.parametrize("before", [TO_ASKED, TO_BEGUN, TO_HIDDEN], ids=["asked", "begun", "hidden thinking"])
@pytest.mark.parametrize("between", [[message_stop()], [message_stop(), api_retry(529)], []], ids=len)
def test_a_message_that_broke_off_before_its_first_piece_is_forgotten(
    before: Sequence[bytes], between: Sequence[bytes]
) -> None:
    assert told([*before, *between, *AGAIN]) == [started("msg_2"), TextDelta("b"), finished()]


@pytest.mark.parametrize(
    "after",
    [
        pytest.param([message_stop()], id="its stop without an end, before the program asks again"),
        pytest.param([message_delta(None), message_stop()], id="an end without a reason"),
        pytest.param([message_start("msg_2")], id="another message"),
        pytest.param([whole(said("b"))], id="a whole message"),
        pytest.param([api_retry(529)], id="a retry"),
        pytest.param([synthetic("API Error"), message_start("msg_2")], id="words of the program, another message"),
        pytest.param([synthetic("x"), synthetic("y"), whole(said("b"))], id="words of the program, a whole message"),
    ],
)
def test_after_its_first_piece_a_broken_message_cannot_be_mended(after: Sequence[bytes]) -> None:
    events = told([*TO_SAYING, *after])
    assert events[:2] == [started(), TextDelta("a")]
    assert BROKE_OFF in failure(events).message


def test_a_refusal_that_the_program_alone_tells_of_is_a_failure() -> None:
    assert failure(told([REFUSES, refused("It is refused.", None)])).message


def test_words_of_the_program_before_the_first_piece_do_not_hinder_a_message_after_them() -> None:
    assert told([*TO_BEGUN, synthetic("x"), *AGAIN]) == [started("msg_2"), TextDelta("b"), finished()]
    assert told([synthetic("x"), whole(said("b")), result()])[-1] == finished(usage=START)


# Messages that come whole, because the program asked again without streaming. Each block is a line.

WHOLE = [
    whole({"type": "thinking", "thinking": "Hm"}, reason="tool_use"),
    whole(said("b"), reason="tool_use"),
    whole(called("t1", "f", city="Köln"), reason="tool_use"),
    whole(called("t2", "g"), reason="tool_use"),
]
WHOLE_EVENTS = [
    started("msg_2"),
    ThinkingDelta("Hm"),
    TextDelta("b"),
    ToolCallStarted("t1", "f"),
    ToolCallDelta('{"city":"Köln"}'),
    ToolCallStarted("t2", "g"),
    ToolCallDelta("{}"),
    finished("tool_use", usage=START),
]


@pytest.mark.parametrize("before", [TO_ASKED, TO_BEGUN, TO_HIDDEN], ids=["asked", "begun", "hidden thinking"])
@pytest.mark.parametrize(
    "after",
    [
        pytest.param(result(), id="its result"),
        pytest.param(tool_request(), id="a tool call, after which there is no result"),
        pytest.param(user(), id="a user turn of the program's own"),
        pytest.param(message_start("msg_3"), id="another message"),
        pytest.param(whole(said("c"), id="msg_3"), id="another whole message"),
        pytest.param(synthetic("x"), id="words of the program"),
        pytest.param(api_retry(529), id="a retry of what it asks next"),
    ],
)
def test_a_whole_message_is_all_its_blocks_and_ends_with_what_follows_them(
    before: Sequence[bytes], after: bytes
) -> None:
    dialogue = opened()
    assert told([*before, *WHOLE, line(type="new"), rate_limit("allowed")], dialogue) == []
    assert isinstance(dialogue.phase, Spoken)
    assert told([after], dialogue) == WHOLE_EVENTS
    assert dialogue.over


def test_a_whole_message_has_all_that_a_streamed_one_has() -> None:
    """What nobody can read, what it cites, and what the API says of its end."""
    details = {"type": "refusal", "category": None, "explanation": "No."}
    lines = [
        whole({"type": "redacted_thinking", "data": "eA=="}, reason="refusal", details=details),
        whole({"type": "thinking", "thinking": "", "signature": "c2ln"}, reason="refusal", details=details),
        whole({**said("b"), "citations": [{"type": "x"}]}, reason="refusal", details=details),
        whole(said("c"), reason="refusal", details=details),
    ]
    assert told([*TO_HIDDEN, *lines, result()]) == [
        started("msg_2"),
        Redacted("eA=="),
        Signed("c2ln"),
        TextDelta("b"),
        Cited({"type": "x"}),
        NextText(),
        TextDelta("c"),
        evolve(finished("refusal", START), details=details),
    ]


def test_a_whole_message_of_what_nobody_can_read_is_told() -> None:
    assert told([whole({"type": "redacted_thinking", "data": "eA=="}), result()]) == [
        started("msg_2"),
        Redacted("eA=="),
        finished(usage=START),
    ]


def test_a_whole_message_that_its_line_gives_no_reason_for_has_its_results() -> None:
    assert told([whole(said("b"), reason=None), result(stop_reason="max_tokens")])[-1] == finished("max_tokens", START)


@pytest.mark.parametrize(
    ("recalled", "last", "cost"),
    [
        pytest.param([None], 0.25, 0.25, id="nothing before"),
        pytest.param([0.0, 0.0, 0.0], 0.25, 0.25, id="remembering is free"),
        pytest.param([0.5, 0.75], 1.0, 0.25, id="a running total, less what it was"),
        pytest.param([0.75, None], 1.0, 0.25, id="less what it was, by the last that said so"),
        pytest.param([0.75], 0.5, 0.0, id="a total that began anew is no income"),
        pytest.param([0.75], None, None, id="a result that says nothing of it"),
    ],
)
def test_the_cost_of_an_answer_is_its_results_less_those_of_earlier_ones(
    recalled: Sequence[float | None], last: float | None, cost: float | None
) -> None:
    conversation = Conversation("haiku", (QUESTION, AssistantTurn((Text("Yes?"),))) * len(recalled) + (QUESTION,))
    before = [line(type="result", is_error=False, num_turns=0, **charged(total)) for total in recalled]
    events = told([*before, whole(said("b")), result(**charged(last))], opened(conversation))
    assert events[-1] == Finished("end_turn", None, START, cost)


def charged(total: float | None) -> Mapping[str, Json]:
    return {} if total is None else {"total_cost_usd": total}


def test_an_answer_that_ends_before_its_result_has_no_cost() -> None:
    assert told(PLAIN)[-1] == Finished("end_turn", None, END, None)
    assert told([whole(said("b")), user(), result(total_cost_usd=1.0)])[-1] == Finished("end_turn", None, START, None)


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        pytest.param([whole(said("b"), reason=None), result()], "does not know: None", id="no reason at all"),
        pytest.param([whole(said("b"), reason=None), user()], "does not know: None", id="no reason, and no result"),
        pytest.param([whole(said("b"), reason="pause_turn"), result()], "pause_turn", id="an unknown reason"),
        pytest.param([whole(said("b")), refused("API Error: 500 no", 500)], "no", id="a result that says it failed"),
    ],
)
def test_a_whole_message_without_a_good_end_is_a_failure_and_nothing_else(lines: Sequence[bytes], words: str) -> None:
    events = told(lines)
    assert len(events) == 1
    assert words in failure(events).message


def test_the_echo_of_a_streamed_message_is_not_a_message() -> None:
    assert told([*TO_BEGUN, whole({"type": "thinking", "thinking": ""}, id="msg_1", reason=None), *TO_SAYING[1:]]) == [
        started(),
        TextDelta("a"),
    ]
    dialogue = opened()
    told([*TO_SAYING, whole(said("a"), id="msg_1", reason=None)], dialogue)
    assert isinstance(dialogue.phase, Saying)


# Failures that the program tells of.


@frozen
class Told:
    status: int | None
    kind: str
    words: str
    error: type[CcaError]
    message: str


TOLD = [
    Told(400, "unknown", "API Error: 400 bad", BadRequest, "The model's API refused the request: bad"),
    Told(403, "authentication_failed", "Failed. API Error: 403 no", Unauthorized, "It said: Failed. no"),
    Told(404, "model_not_found", "There's an issue", NotFound, "does not know this model: There's an issue"),
    Told(413, "invalid_request", "Request too large", TooLarge, "too large: Request too large"),
    Told(429, "rate_limit", "API Error: Request rejected (429)", RateLimited, "rate limited: Request rejected (429)"),
    Told(500, "server_error", "API Error: 500 Internal", ModelApiFailed, "The model's API failed: Internal"),
    Told(503, "server_error", "API Error: 503 Overloaded", Overloaded, "overloaded: Overloaded"),
    Told(529, "server_error", "API Error: 529 Overloaded", Overloaded, "overloaded: Overloaded"),
    Told(None, "authentication_failed", "Not logged in · Please run /login", Unauthorized, "Please run /login"),
    Told(None, "server_error", "API Error: Connection refused", UpstreamFailed, "from its API: Connection refused"),
]


@pytest.mark.parametrize("case", TOLD, ids=lambda case: f"{case.status} {case.kind}")
@pytest.mark.parametrize("before", [TO_ASKED, TO_BEGUN, TO_SAYING], ids=["asked", "begun", "saying"])
def test_words_of_the_program_are_a_failure_whose_status_its_result_tells(case: Told, before: Sequence[bytes]) -> None:
    dialogue = opened()
    events = told([*PREAMBLE, *before, synthetic(case.words, case.kind)], dialogue)
    assert isinstance(dialogue.phase, Refused)
    assert not any(isinstance(event, TextDelta) and case.words in event.text for event in events)
    events += told([refused(case.words, case.status)], dialogue)
    error = failure(events)
    assert type(error) is case.error
    assert error.message.endswith(case.message)


def test_a_failure_without_words_of_the_program_has_its_results() -> None:
    assert failure(told([refused("API Error: 529 Overloaded", 529)])).message.endswith("overloaded: Overloaded")
    silent = whole(id="x", model="<synthetic>", error="unknown")
    assert failure(told([silent, refused("API Error: 400 bad", 400)])).message.endswith("request: bad")


@pytest.mark.parametrize(
    ("reason", "status"), [("blocking_limit", None), ("prompt_too_long", 400)], ids=["its own count", "the API's"]
)
def test_a_prompt_too_long_for_the_model_is_told_by_the_reason_that_the_turn_ended(
    reason: str, status: int | None
) -> None:
    said_so = synthetic("Prompt is too long", "invalid_request")
    error = failure(told([said_so, refused("Prompt is too long", status, terminal_reason=reason)]))
    assert (type(error), error.code) == (BadRequest, "context_length_exceeded")


def test_an_answer_to_a_summary_of_the_conversation_is_no_answer_to_it() -> None:
    error = failure(told([compacted(), user("This session is being continued"), *PLAIN]))
    assert (type(error), error.code) == (BadRequest, "context_length_exceeded")


@pytest.mark.parametrize(("status", "error"), [(401, Unauthorized), (403, Unauthorized), (429, RateLimited)])
def test_a_retry_that_cannot_help_is_the_end_at_once(status: int, error: type[CcaError]) -> None:
    assert type(failure(told([api_retry(status, "why")]))) is error
    without_words = line(type="system", subtype="api_retry", error_status=status)
    assert f"the API answered {status} (no reason given)" in failure(told([without_words])).message


@pytest.mark.parametrize("status", [None, 400, 500, 502, 529])
def test_any_other_retry_is_waited_for(status: int | None) -> None:
    assert told([api_retry(status), *TO_BEGUN, api_retry(status), *PLAIN])[-1] == finished()


@pytest.mark.parametrize(
    ("lines", "seconds"),
    [
        pytest.param([api_retry(429, delay_ms=7443)], 7.443, id="a retry tells the delay that the API asked for"),
        pytest.param([rate_limit(), refused("x", 429)], 3600.0, id="a limit tells when it ends"),
        pytest.param([rate_limit(), api_retry(429, delay_ms=500)], 3600.0, id="the longer of two counts"),
        pytest.param([rate_limit(resets_at=BEGAN_AT + 5), api_retry(429, delay_ms=7000)], 7.0, id="whichever it is"),
        pytest.param([rate_limit("allowed_warning"), refused("x", 429)], None, id="a limit not reached is none"),
        pytest.param([rate_limit(resets_at=None), refused("x", 429)], None, id="a limit without an end"),
        pytest.param([rate_limit(resets_at=BEGAN_AT - 5), refused("x", 429)], None, id="a limit that is over"),
        pytest.param([api_retry(429, delay_ms=0)], None, id="no delay"),
        pytest.param([api_retry(529, delay_ms=900), refused("x", 529)], 0.9, id="an overloaded API"),
        pytest.param([api_retry(500, delay_ms=900), refused("x", 500)], None, id="a failed API has no time to tell"),
        pytest.param([rate_limit(), synthetic("x", "rate_limit")], 3600.0, id="a limit, and then the program ended"),
    ],
)
def test_how_long_to_wait(lines: Sequence[bytes], seconds: float | None) -> None:
    dialogue = opened()
    events = [*told(lines, dialogue), *dialogue.close("exit code 1")]
    assert failure(events).retry_after == seconds


# Results that are no end of an answer.


@pytest.mark.parametrize("before", [TO_ASKED, TO_BEGUN, TO_SAYING], ids=["asked", "begun", "saying"])
@pytest.mark.parametrize(
    "last",
    [result("Hello"), remembered(), line(type="result", is_error=False, result="Blank prompt", num_turns=0)],
    ids=["a good result", "an empty one", "a blank turn"],
)
def test_a_result_without_the_end_of_a_message_is_a_failure(before: Sequence[bytes], last: bytes) -> None:
    assert failure(told([*before, last])).message == "Claude Code ended its turn without an answer."


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ([text("a")], "a piece of an answer outside of a message"),
        ([block_start("tool_use", id="t", name="f")], "a piece of an answer outside of a message"),
        ([message_delta()], "ended an answer that it had not begun"),
        ([whole(said("b")), text("a")], "a piece of an answer outside of a message"),
        ([whole(said("b")), message_delta()], "ended an answer that it had not begun"),
        ([synthetic("x"), text("a")], "a piece of an answer outside of a message"),
        ([control_reply("settings", error="no")], "refused its settings request: no"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_stands_where_it_cannot_is_a_failure(lines: Sequence[bytes], words: str) -> None:
    error = failure(told(lines))
    assert type(error) is UpstreamFailed
    assert words in error.message


@pytest.mark.parametrize(
    "harmless",
    [message_stop(), text(""), message_delta(None), user(), tool_request(), control_reply("settings")],
    ids=lambda line: line.decode()[:70],
)
@pytest.mark.parametrize("before", [TO_ASKED, TO_BEGUN], ids=["asked", "begun"])
def test_what_means_nothing_there_changes_nothing(harmless: bytes, before: Sequence[bytes]) -> None:
    dialogue = opened()
    told(before, dialogue)
    phase = dialogue.phase
    assert told([harmless], dialogue) == []
    assert dialogue.phase == phase


# Lines that cannot be read, and ends of the program.


@pytest.mark.parametrize(
    "garbage", [b"null", b"7", b"Segmentation fault", b"\xff\xfe", b"\xef\xbb\xbf{}", b'{"type":"result"}'], ids=ascii
)
@pytest.mark.parametrize("at", range(len(PLAIN) - 2))
def test_a_line_that_cannot_be_read_is_the_end_wherever_it_stands(garbage: bytes, at: int) -> None:
    dialogue = opened()
    events = told([*PLAIN[:at], garbage, *PLAIN[at:]], dialogue)
    if isinstance(events[-1], Finished):
        assert PLAIN.index(message_delta()) < at, "after the answer nothing is read"
        return
    assert "printed a line that cannot be read" in failure(events).message
    assert dialogue.over


CONVERSATIONS = {
    "plain": (ONE_TURN, PLAIN),
    "history": (TWO_TURNS, [*PREAMBLE, remembered(), *PLAIN[len(PREAMBLE) :]]),
    "restarted": (ONE_TURN, [*PREAMBLE, *TO_HIDDEN, message_stop(), api_retry(529), *AGAIN, result()]),
    "whole": (ONE_TURN, [*TO_BEGUN, message_stop(), *WHOLE, result()]),
    "refused": (ONE_TURN, [*PREAMBLE, api_retry(500), synthetic("API Error: 500 x"), refused("API Error: 500 x", 500)]),
}


@pytest.mark.parametrize("name", CONVERSATIONS)
@pytest.mark.parametrize("how", ["exit code 0", "exit code 1", "killed by signal 9"])
def test_an_end_of_the_program_after_any_line_is_an_answer_only_after_its_last_piece(name: str, how: str) -> None:
    conversation, lines = CONVERSATIONS[name]
    complete = told(lines, opened(conversation))
    for count in range(len(lines) + 1):
        dialogue = opened(conversation)
        events = told(lines[:count], dialogue)
        events += dialogue.close(how)
        assert dialogue.over
        if isinstance(events[-1], Finished):
            assert events == complete
        else:
            failure(events)
        assert dialogue.close(how) == (), "it ends once"


def test_an_end_of_the_program_says_how_it_ended() -> None:
    dialogue = opened()
    [failed] = dialogue.close("killed by signal 9")
    assert failure([failed]).message == "Claude Code ended (killed by signal 9) before its answer was complete."


def test_an_end_after_words_of_the_program_is_what_they_say() -> None:
    dialogue = opened()
    told([synthetic("Not logged in", "authentication_failed")], dialogue)
    assert type(failure(dialogue.close("exit code 1"))) is Unauthorized


def test_a_failure_from_outside_ends_the_dialogue_once() -> None:
    dialogue = opened()
    error = DeadlineExceeded("late")
    assert dialogue.fail(error) == (Failed(error),)
    assert dialogue.phase == Over()
    assert dialogue.fail(error) == ()
    assert told(PLAIN, dialogue) == []


@pytest.mark.parametrize(
    ("lines", "answering"),
    [
        (TO_ASKED, False),
        ([api_retry(500)], False),
        (TO_BEGUN, True),
        (TO_SAYING, True),
        ([whole(said("b"))], True),
        ([synthetic("x")], True),
    ],
    ids=["asked", "retrying", "begun", "saying", "whole", "refused"],
)
def test_the_model_answers_from_its_first_line_on(lines: Sequence[bytes], answering: bool) -> None:  # noqa: FBT001
    dialogue = opened()
    told(lines, dialogue)
    assert dialogue.answering is answering
    assert not opened(TWO_TURNS).answering
