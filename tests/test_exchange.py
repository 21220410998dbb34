"""One request's life, over a backend in memory."""

import logging
from collections.abc import Awaitable, Callable, Sequence

import pytest
import trio
import trio.testing
from attrs import frozen

from cca.backends import Exit
from cca.claude.lines import LINE_LIMIT
from cca.errors import Conflict, DeadlineExceeded, InternalError, RateLimited, Unavailable, Unheard, UpstreamFailed
from cca.exchange import CHANNEL_SIZE, MOST_HEARD, Answer, Deadlines, answer_on, converse, hold, settled
from cca.model import (
    AssistantTurn,
    Conversation,
    Event,
    Failed,
    Finished,
    Started,
    Text,
    TextDelta,
    Told,
    Usage,
    UserTurn,
)
from cca.talk import fresh
from fake_backend import END, REMEMBERED, START, Action, Answered, FakeBackend, Hang, Pause, piece, printed, streamed

QUESTION = UserTurn((Text("Hi"),))
ONE_TURN = Conversation("haiku", (QUESTION,))
TWO_TURNS = Conversation("haiku", (QUESTION, AssistantTurn((Text("Yes?"),)), QUESTION))

DEADLINES = Deadlines(first_event=120, silence=300, answer=1800)

STARTED = Started("msg_1", "claude-x", Usage(input_tokens=5))
FINISHED = Finished("end_turn", None, Usage(5, 3))
ANSWER = [START, piece("a"), piece("b"), END]
EVENTS: list[Event] = [STARTED, TextDelta("a"), TextDelta("b"), FINISHED]


@frozen
class Lived:
    """What a client got, and how long it took."""

    events: list[Event]
    seconds: float

    @property
    def error(self) -> Exception:
        *before, last = self.events
        assert isinstance(last, Failed)
        assert not any(isinstance(event, Failed | Finished) for event in before)
        return last.error


async def live(
    backend: FakeBackend, conversation: Conversation = ONE_TURN, deadlines: Deadlines = DEADLINES, pace: float = 0
) -> Lived:
    """Hold a conversation with a client that takes an event each ``pace`` seconds."""
    sender, receiver = trio.open_memory_channel[Told](CHANNEL_SIZE)
    began = trio.current_time()
    events: list[Event] = []
    async with trio.open_nursery() as nursery, receiver:
        nursery.start_soon(converse, fresh(backend, conversation, lambda: 1e9), deadlines, sender)
        async for told in receiver:
            events.append(told.event)
            await trio.sleep(pace)
    assert backend.alive == 0
    return Lived(events, trio.current_time() - began)


async def test_an_answer_goes_out_as_it_comes_and_the_process_is_left_at_its_end() -> None:
    backend = FakeBackend([*ANSWER, Hang()])
    lived = await live(backend)
    assert lived.events == EVENTS
    assert len(backend.processes[0].written) == 1


@pytest.mark.parametrize("size", [1, 5, 1000])
async def test_lines_may_come_in_pieces_and_together(size: int) -> None:
    content = b"".join(ANSWER)
    chunks = [content[at : at + size] for at in range(0, len(content), size)]
    assert (await live(FakeBackend([*chunks, Hang()]))).events == EVENTS


async def test_a_text_is_the_same_wherever_the_pipe_cuts_it() -> None:
    """R-10: each byte of it, what other programs take for the end of a line or of a text among them."""
    said = '\u00e9\U0001f600 \u2028\u2029\x85\x00\r\n\ufeff\x7f"\\ \u0000'
    content = b"".join([START, piece(said), END])
    for at in range(1, len(content)):
        lived = await live(FakeBackend([content[:at], content[at:], Hang()]))
        assert lived.events == [STARTED, TextDelta(said), FINISHED]


async def test_lines_that_say_nothing_to_cca_are_counted(caplog: pytest.LogCaptureFixture) -> None:
    """R-10."""
    caplog.set_level(logging.DEBUG, "cca.exchange")
    unknown = [printed(type="tomorrow"), streamed("tomorrow"), printed(), printed(type=7)]
    assert (await live(FakeBackend([START, *unknown, piece("a"), piece("b"), END]))).events == EVENTS
    assert "no use for: 4." in caplog.text


async def test_history_is_written_a_batch_for_each_result() -> None:
    backend = FakeBackend([Answered(1), REMEMBERED, Answered(2), *ANSWER])
    assert (await live(backend, TWO_TURNS)).events == EVENTS
    first, second = backend.processes[0].written
    assert b'"shouldQuery":false' in first
    assert b'"type":"assistant"' in second


# Deadlines, to the second.

SLOWLY: list[Action] = [Pause(299), piece("a")]
BEGUN = [START, Pause(200), piece("a"), Pause(299)]
RETRY = printed(type="system", subtype="api_retry", error_status=500, retry_delay_ms=1)


@pytest.mark.parametrize(
    ("actions", "seconds", "words"),
    [
        pytest.param([Hang()], 120, "did not begin to answer within 120 seconds", id="no first event"),
        pytest.param([RETRY, Pause(119), RETRY, Hang()], 120, "did not begin", id="lines that are no answer"),
        pytest.param([Pause(119), START, Hang()], 419, "fell silent for 300 seconds", id="silence in an answer"),
        pytest.param([*BEGUN, piece("b"), Hang()], 799, "fell silent", id="silence counts from the last line"),
        pytest.param([START, *SLOWLY * 9], 1800, "longer than 1800 seconds", id="no end"),
        pytest.param([START], 300, "fell silent", id="stdout at its end, and the process does not die"),
        pytest.param([], 120, "did not begin", id="the same before the answer"),
    ],
)
async def test_deadlines_fire_exactly(
    actions: Sequence[Action], seconds: float, words: str, autojump_clock: trio.testing.MockClock
) -> None:
    lived = await live(FakeBackend(actions))
    assert type(lived.error) is DeadlineExceeded
    assert words in str(lived.error)
    assert lived.seconds == pytest.approx(seconds)


async def test_a_slow_answer_within_its_deadlines_is_an_answer(autojump_clock: trio.testing.MockClock) -> None:
    lived = await live(FakeBackend([Pause(119), START, *SLOWLY * 5, Pause(100), END]))
    assert lived.events[-1] == FINISHED
    assert lived.seconds == pytest.approx(119 + 5 * 299 + 100)


async def test_the_time_that_a_client_takes_to_read_is_not_the_programs_silence(
    autojump_clock: trio.testing.MockClock,
) -> None:
    pieces = [piece(str(number)) for number in range(CHANNEL_SIZE + 3)]
    lived = await live(FakeBackend([START, *pieces, Pause(299), END]), deadlines=Deadlines(1, 300, 1e9), pace=1000)
    assert lived.events[-1] == FINISHED


# What is told before the client is.


async def test_an_event_is_noted_before_anybody_has_it(autojump_clock: trio.testing.MockClock) -> None:
    noted: list[Event] = []
    sender, receiver = trio.open_memory_channel[Told](0)
    async with trio.open_nursery() as nursery, receiver:
        nursery.start_soon(answer_on, sender, holding(FakeBackend(ANSWER), noted))
        for number, event in enumerate(EVENTS, 1):
            await trio.testing.wait_all_tasks_blocked()
            assert noted == EVENTS[:number]
            assert await receiver.receive() == Told(0, event)


def holding(
    backend: FakeBackend, noted: list[Event], settle: Callable[[], Awaitable[None]] = settled
) -> Callable[[Answer], Awaitable[None]]:
    """Return the work of an answer of one choice, whose events are put on ``noted`` before they are sent."""

    async def work(answer: Answer) -> None:
        await hold(fresh(backend, ONE_TURN, lambda: 1e9), DEADLINES, answer.choice(0, noted.append), settle)

    return work


async def settling(
    settle: Callable[[], Awaitable[None]], events: list[Event], actions: Sequence[Action] = ANSWER
) -> list[Event]:
    """Hold a conversation with ``settle`` at its end, put what a client gets on ``events``, return what was noted."""
    noted: list[Event] = []
    backend = FakeBackend(actions)
    sender, receiver = trio.open_memory_channel[Told](CHANNEL_SIZE)
    async with trio.open_nursery() as nursery, receiver:
        nursery.start_soon(answer_on, sender, holding(backend, noted, settle), noted.append)
        async for told in receiver:
            events.append(told.event)  # noqa: PERF401 - seen as they come, not all at once
    assert backend.alive == 0
    return noted


async def test_an_answer_is_settled_before_its_end_is_told() -> None:
    events: list[Event] = []
    told: list[list[Event]] = []

    async def settle() -> None:
        await trio.testing.wait_all_tasks_blocked()
        told.append(list(events))

    assert await settling(settle, events) == EVENTS
    assert told == [EVENTS[:-1]]
    assert events == EVENTS


async def test_an_answer_that_cannot_be_settled_is_a_failure() -> None:
    refusal, events = Conflict("It is not as it was."), list[Event]()

    async def settle() -> None:
        raise refusal

    noted = await settling(settle, events)
    assert events == [*EVENTS[:-1], Failed(refusal)]
    assert noted == [*EVENTS, Failed(refusal)]


async def test_a_client_that_leaves_while_its_answer_is_settled_is_nobodys_fault(
    caplog: pytest.LogCaptureFixture,
) -> None:
    sender, receiver = trio.open_memory_channel[Told](CHANNEL_SIZE)
    noted: list[Event] = []

    async def settle() -> None:
        await trio.lowlevel.checkpoint()
        receiver.close()

    await answer_on(sender, holding(FakeBackend(ANSWER), noted, settle), noted.append)
    assert noted == EVENTS
    assert caplog.records == []


async def test_what_has_no_end_is_not_settled() -> None:
    events: list[Event] = []

    async def settle() -> None:
        raise AssertionError("there is nothing to settle")

    await settling(settle, events, [START, piece("a"), Exit(1)])
    assert type(Lived(events, 0).error) is UpstreamFailed


async def test_settling_ends_with_the_time_for_the_answer(autojump_clock: trio.testing.MockClock) -> None:
    events: list[Event] = []
    await settling(trio.sleep_forever, events)
    assert type(Lived(events, 0).error) is DeadlineExceeded
    assert trio.current_time() == pytest.approx(DEADLINES.answer)


async def test_work_that_cannot_begin_is_told_on_the_channel() -> None:
    async def work(_answer: object) -> None:
        raise Conflict("Too many wait.")

    sender, receiver = trio.open_memory_channel[Told](1)
    await answer_on(sender, work)
    [event] = [told.event async for told in receiver]
    assert isinstance(event, Failed)
    assert str(event.error) == "Too many wait."


# Clients that do not read.


async def test_a_client_that_stops_reading_stops_the_process_and_fills_no_memory(
    autojump_clock: trio.testing.MockClock,
) -> None:
    long = piece("x" * 1000)
    backend = FakeBackend([START, *[long] * 100_000])
    sender, receiver = trio.open_memory_channel[Told](CHANNEL_SIZE)
    async with trio.open_nursery() as nursery, receiver:
        nursery.start_soon(converse, fresh(backend, ONE_TURN, lambda: 1e9), DEADLINES, sender)
        await trio.sleep(100)
        assert backend.processes[0].printed <= (CHANNEL_SIZE + 2) * len(long)
        nursery.cancel_scope.cancel()
    assert backend.alive == 0


async def test_a_deadline_kills_the_process_of_a_client_that_stopped_reading_and_is_the_last_that_it_reads(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """Also when the answer is over and only its last event waits: it was not taken, so it must not be forgotten."""
    pieces = [piece("x") for _ in range(CHANNEL_SIZE - 1)]
    backend = FakeBackend([START, *pieces, END])
    sender, receiver = trio.open_memory_channel[Told](CHANNEL_SIZE)
    async with trio.open_nursery() as nursery, receiver:
        nursery.start_soon(converse, fresh(backend, ONE_TURN, lambda: 1e9), DEADLINES, sender)
        await trio.sleep(1799)
        assert backend.alive == 1
        await trio.sleep(2)
        assert backend.alive == 0
        events = [told.event async for told in receiver]
    assert type(Lived(events, 0).error) is DeadlineExceeded


@pytest.mark.parametrize(
    "actions",
    [[*ANSWER, Hang()], [START, Exit(1)], [ValueError("x")], [Hang()]],
    ids=["an answer", "a crash", "a fault", "silence"],
)
async def test_when_nobody_reads_the_process_is_left_and_nothing_is_raised(
    actions: Sequence[Action], autojump_clock: trio.testing.MockClock
) -> None:
    backend = FakeBackend(actions)
    sender, receiver = trio.open_memory_channel[Told](0)
    receiver.close()
    await converse(fresh(backend, ONE_TURN, lambda: 1e9), DEADLINES, sender)
    assert backend.alive == 0


# Cancelling, at every step.


@pytest.mark.parametrize(
    ("conversation", "actions"),
    [
        pytest.param(ONE_TURN, [*ANSWER, Hang()], id="an answer"),
        pytest.param(TWO_TURNS, [REMEMBERED, *ANSWER], id="history"),
        pytest.param(ONE_TURN, [START, piece("a"), Exit(1)], id="a crash"),
        pytest.param(ONE_TURN, [START, ValueError("x")], id="a fault"),
    ],
)
@pytest.mark.parametrize("read", [True, False], ids=["read", "not read"])
async def test_cancelling_at_any_step_leaves_no_process(
    conversation: Conversation,
    actions: Sequence[Action],
    read: bool,  # noqa: FBT001
    autojump_clock: trio.testing.MockClock,
) -> None:
    """Cancelled at its Nth step for every N, until one round ends by itself, or waits for a reader that never comes."""
    for step in range(200):
        backend = FakeBackend(actions)
        sender, receiver = trio.open_memory_channel[Told](CHANNEL_SIZE if read else 0)
        with trio.move_on_after(60) as scope, receiver:
            steps = Steps(step, scope)
            trio.lowlevel.add_instrument(steps)
            try:
                await converse(fresh(backend, conversation, lambda: 1e9), DEADLINES, sender)
            finally:
                trio.lowlevel.remove_instrument(steps)
        assert backend.alive == 0
        if not steps.used_up:
            assert scope.cancelled_caught is not read
            assert step > 5
            return
    raise AssertionError("no round came to its end")


class Steps(trio.abc.Instrument):
    """Cancels ``scope`` when its task has run ``left`` times more."""

    def __init__(self, left: int, scope: trio.CancelScope) -> None:
        self._left = left
        self._scope = scope
        self._task = trio.lowlevel.current_task()
        self.used_up = False

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        if task is self._task and not self.used_up:
            self._left -= 1
            self.used_up = self._left < 0
            if self.used_up:
                self._scope.cancel()


# Failures.


@pytest.mark.parametrize(
    ("actions", "words"),
    [
        pytest.param([Exit(0)], "ended (exit code 0) before it said anything", id="no word at all"),
        pytest.param([START, piece("a"), Exit(-9)], "ended (killed by signal 9)", id="killed"),
        pytest.param([START, END[:-20], Exit(-9)], "ended (killed by signal 9)", id="killed in a line"),
        pytest.param([START, END[:-1], Exit(-9)], "ended (killed by signal 9)", id="killed before its newline"),
        pytest.param([START, b"Segmentation fault\n", Hang()], "a line that cannot be read", id="no JSON"),
        pytest.param([START, b"\xff\xfe\n", Hang()], "a line that cannot be read", id="no UTF-8"),
    ],
)
async def test_an_end_that_is_no_answer_is_a_failure(actions: Sequence[Action], words: str) -> None:
    lived = await live(FakeBackend(actions))
    assert type(lived.error) is (Unheard if actions == [Exit(0)] else UpstreamFailed)
    assert words in str(lived.error)


async def test_killed_after_any_byte_it_is_an_answer_only_when_that_was_whole() -> None:
    content = b"".join(ANSWER)
    for at in range(len(content) + 1):
        lived = await live(FakeBackend([*([content[:at]] if at else []), Exit(-9)]))
        if at == len(content):
            assert lived.events == EVENTS
        else:
            assert type(lived.error) is (UpstreamFailed if at else Unheard)


async def test_a_process_that_cannot_be_had_is_told() -> None:
    def start() -> None:
        raise Unavailable("There is none.")

    assert str((await live(FakeBackend(start=start))).error) == "There is none."


async def test_an_error_of_ours_that_a_process_raises_is_told_as_it_is() -> None:
    lived = await live(FakeBackend([START, piece("a"), RateLimited("full", retry_after=3)]))
    assert lived.events[:2] == EVENTS[:2]
    assert isinstance(lived.error, RateLimited)
    assert lived.error.retry_after == 3


@pytest.mark.parametrize("fault", [ValueError("x"), trio.BrokenResourceError("pipe"), KeyError("y")], ids=repr)
async def test_a_fault_of_ours_is_told_without_its_words_and_logged_with_them(
    fault: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    lived = await live(FakeBackend([START, fault]))
    assert type(lived.error) is InternalError
    assert str(fault) not in str(lived.error)
    [record] = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert record.exc_info
    assert repr(fault) in caplog.text or type(fault).__name__ in caplog.text


async def test_a_fault_after_the_answer_does_not_reach_the_client(caplog: pytest.LogCaptureFixture) -> None:
    def end() -> None:
        raise ValueError("while it was left")

    assert (await live(FakeBackend(ANSWER, end=end))).events == EVENTS
    assert "while it was left" in caplog.text


async def test_every_failure_is_in_the_log_with_its_status(caplog: pytest.LogCaptureFixture) -> None:
    await live(FakeBackend([START, Exit(1)]))
    assert "An answer failed with 502 (UpstreamFailed)." in caplog.text


async def test_a_failures_words_are_not_in_the_log_for_they_may_quote_the_prompt(
    caplog: pytest.LogCaptureFixture,
) -> None:
    refusal = printed(type="result", is_error=True, num_turns=1, api_error_status=400, result="no: <the prompt>")
    lived = await live(FakeBackend([refusal]))
    assert "<the prompt>" in str(lived.events[-1])
    assert "<the prompt>" not in caplog.text


# Lines out of measure.


async def test_a_line_of_fifty_megabytes_is_a_line() -> None:
    block = 512 * 1024
    text = b"x" * (50 * 1024 * 1024)
    before, after = piece("_").split(b'"_"')
    chunks = [before + b'"', *[text[at : at + block] for at in range(0, len(text), block)], b'"' + after]
    lived = await live(FakeBackend([START, *chunks, END]))
    _, delta, last = lived.events
    assert isinstance(delta, TextDelta)
    assert len(delta.text) == len(text)
    assert last == FINISHED


async def test_an_answer_without_end_is_refused_and_the_process_is_left() -> None:
    """It is kept while it goes out, and would take all memory."""
    backend = FakeBackend([START, *[piece("x" * 1024 * 1024)] * 1000])
    lived = await live(backend)
    assert type(lived.error) is UpstreamFailed
    assert "printed more than 268,435,456 bytes for one answer" in str(lived.error)
    assert backend.processes[0].printed <= MOST_HEARD + 2 * 1024 * 1024


async def test_a_line_without_end_is_refused_at_its_limit_and_the_process_is_left() -> None:
    block = b"x" * (1024 * 1024)
    backend = FakeBackend([START, *[block] * 1000])
    lived = await live(backend)
    assert type(lived.error) is UpstreamFailed
    assert "printed a line of more than" in str(lived.error)
    assert backend.processes[0].printed <= LINE_LIMIT + 2 * len(block)
