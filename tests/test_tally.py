"""What a request comes to, while its events go out and when they have ended."""

from collections.abc import Sequence

import pytest
from attrs import define, evolve

from cca.errors import Conflict, Overloaded
from cca.model import (
    Event,
    Failed,
    Finished,
    Started,
    TextDelta,
    ThinkingDelta,
    ToolCallDelta,
    ToolCallStarted,
    Usage,
)
from cca.prices import prices_of
from cca.store.exchanges import Exchange
from cca.store.turns import Answered, Status
from cca.tally import ABANDONED, Tally

PRICES = prices_of(("claude-x=1000000/1000000/1000000/1000000",))
"""A dollar a token."""

STARTED = Started("msg_1", "claude-x", Usage(input_tokens=5, output_tokens=1, cache_read_tokens=3))
FINISHED = Finished("end_turn", None, Usage(5, 9, 3, 2))
FAILED = Failed(Overloaded("busy"))
LONG = TextDelta("x" * 400)


@define
class Clock:
    seconds: float = 100.0

    def __call__(self) -> float:
        return self.seconds


def tally_of(*events: Event, clock: Clock | None = None) -> Tally:
    """Return the tally of an answer whose end, where there is one, the client is told."""
    tally = Tally("req_1", 1e9, "openai_chat", "k_1", "sonnet", PRICES, clock or Clock())
    for event in events:
        tally.note(event)
    tally.complete = any(isinstance(event, Finished) for event in events)
    return tally


def test_an_exchange_is_what_was_counted() -> None:
    clock = Clock()
    tally = tally_of(clock=clock)
    for event in (STARTED, TextDelta("a"), FINISHED):
        clock.seconds += 2.0
        tally.note(event)
    tally.complete = True
    clock.seconds += 1.0
    usage = Usage(5, 9, 3, 2)
    expected = Exchange("req_1", 1e9, "openai_chat", "k_1", "claude-x", "end_turn", 2.0, 7.0, 19.0, usage)
    assert tally.exchange() == expected
    assert tally.answered() == Answered("claude-x", "end_turn", 2.0, 7.0, usage, 19.0)


def test_before_anything_happened_it_was_abandoned_and_is_free() -> None:
    tally = tally_of()
    assert tally.exchange() == Exchange(
        "req_1", 1e9, "openai_chat", "k_1", "sonnet", ABANDONED, None, 0.0, 0.0, Usage()
    )
    assert not tally.begun


def test_an_end_of_which_nobody_was_told_is_none() -> None:
    tally = tally_of(STARTED, LONG, FINISHED)
    tally.complete = False
    assert (tally.outcome, tally.status(stream=True), tally.status(stream=False)) == (
        ABANDONED,
        "incomplete",
        "undelivered",
    )
    assert tally.usage.output_tokens == 9


def test_what_was_asked_counts_though_the_client_left_before_the_answer_began() -> None:
    tally = evolve(tally_of(), model="claude-x")
    tally.asked_tokens = 30
    assert (tally.tokens, tally.cost) == (30, 30.0)


def test_what_was_asked_does_not_count_where_the_answer_failed_before_it_began() -> None:
    tally = tally_of(FAILED)
    tally.asked_tokens = 30
    assert (tally.tokens, tally.cost, tally.exchange().first_event) == (0, 0.0, None)


@pytest.mark.parametrize(
    ("events", "outcome"),
    [
        ([STARTED], ABANDONED),
        ([STARTED, FINISHED], "end_turn"),
        ([STARTED, Finished("max_tokens", None, Usage())], "max_tokens"),
        ([FAILED], "529"),
        ([STARTED, LONG, FAILED], "529"),
        ([STARTED, FINISHED, Failed(Conflict("not kept"))], "409"),
    ],
    ids=["no end", "an end", "another", "a failure", "in the middle", "of what keeps it"],
)
def test_the_outcome_is_how_it_ended(events: Sequence[Event], outcome: str) -> None:
    tally = tally_of(*events)
    assert tally.exchange().outcome == outcome
    assert tally.begun is (events[0] is STARTED)


@pytest.mark.parametrize(
    ("events", "output"),
    [
        pytest.param([STARTED, FINISHED], 9, id="an end, as it was counted"),
        pytest.param([STARTED, LONG, FINISHED], 9, id="an end, whatever went out"),
        pytest.param([STARTED], 1, id="nothing went out"),
        pytest.param([STARTED, TextDelta("abc")], 1, id="less than was counted"),
        pytest.param([STARTED, LONG], 100, id="no end: a token for four bytes"),
        pytest.param([STARTED, TextDelta("ж" * 200)], 100, id="bytes, not characters"),
        pytest.param(
            [STARTED, ThinkingDelta("x" * 40), ToolCallStarted("1", "f"), ToolCallDelta("x" * 40)],
            20,
            id="thinking and calls, too",
        ),
    ],
)
def test_without_an_end_the_tokens_are_about_what_went_out(events: Sequence[Event], output: int) -> None:
    tally = tally_of(*events)
    assert tally.usage.output_tokens == output
    assert tally.usage.input_tokens == 5
    assert tally.tokens == sum(
        (5, output, tally.usage.cache_read_tokens, tally.usage.cache_write_tokens),
    )


@pytest.mark.parametrize(
    ("events", "cost"),
    [
        pytest.param([STARTED, Finished("end_turn", None, Usage(5, 9), 0.25)], 0.25, id="as Claude Code says"),
        pytest.param([STARTED, Finished("end_turn", None, Usage(5, 9), 0.0)], 0.0, id="nothing, as it says"),
        pytest.param([STARTED, FINISHED], 19.0, id="by the table, where it does not"),
        pytest.param([STARTED, LONG], 5 + 3 + 100, id="by what went out, without an end"),
        pytest.param([FAILED], 0.0, id="nothing went out"),
    ],
)
def test_the_cost(events: Sequence[Event], cost: float) -> None:
    assert tally_of(*events).cost == pytest.approx(cost)


THOUGHT = [STARTED, ThinkingDelta("Hm"), ToolCallStarted("1", "f"), TextDelta(" \n")]


@pytest.mark.parametrize(
    ("events", "streamed", "whole"),
    [
        pytest.param([STARTED, LONG, FINISHED], "completed", "completed", id="to its end"),
        pytest.param([STARTED, FINISHED], "completed", "completed", id="an end without a word"),
        pytest.param([STARTED, LONG], "incomplete", "undelivered", id="a client that left"),
        pytest.param([STARTED, LONG, FAILED], "incomplete", "undelivered", id="a failure in the middle"),
        pytest.param(
            [STARTED, LONG, FINISHED, Failed(Conflict("x"))], "incomplete", "undelivered", id="an end that was not told"
        ),
        pytest.param(THOUGHT, "undelivered", "undelivered", id="nothing to go on from"),
        pytest.param([FAILED], "undelivered", "undelivered", id="nothing at all"),
    ],
)
def test_what_the_client_has_of_it(events: Sequence[Event], streamed: Status, whole: Status) -> None:
    tally = tally_of(*events)
    assert (tally.status(stream=True), tally.status(stream=False)) == (streamed, whole)
