"""Processes that wait: how many there are, who gets one, and that none is lost or left, with processes in memory."""

import operator
import random
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, Literal, cast

import pytest
import trio
from attrs import define, field, frozen
from fake_starter import GARBAGE, SILENCE, FakeStarter, Plan, WaitingProcess, dead_after, prepared_after

from cca.backends.pool import CALM, FIRST_DELAY, LONGEST_DELAY, LOOK_INTERVAL, MANY_PARTS, STARTS, Pool
from cca.backends.process import START_TIMEOUT, EndedAtStart
from cca.errors import CcaError, InternalError, Unavailable, innermost
from cca.model import Conversation, ModelEntry, Text, UserTurn

CONVERSATION = Conversation("haiku", (UserTurn((Text("Hi"),)),))
SPECIAL = Conversation("special", CONVERSATION.turns)
SOON = 0.01
"""Seconds of the mock clock in which nothing of a second's length happens."""


@asynccontextmanager
async def opened(
    starter: FakeStarter, *, most: int = 4, waiting: int = 1, starts: int = 4, spare: Callable[[], bool] = lambda: False
) -> AsyncIterator[Pool]:
    """Own a pool, and hold that nothing is left of it."""
    pool = Pool(cast(Any, starter), most, waiting, starts, spare)
    async with pool.opened():
        yield pool
    assert (starter.alive, pool.alive, pool.ready) == (0, 0, 0)


@asynccontextmanager
async def taken(pool: Pool, conversation: Conversation = CONVERSATION) -> AsyncIterator[WaitingProcess]:
    async with pool.open(conversation) as process:
        yield cast(Any, process)


@define
class Request:
    """Asks for a process, and holds it until it leaves."""

    conversation: Conversation = CONVERSATION
    process: WaitingProcess | None = None
    error: CcaError | None = None
    given_at: float | None = None
    scope: trio.CancelScope = field(factory=trio.CancelScope)
    done: trio.Event = field(factory=trio.Event)
    over: bool = False

    async def run(self, pool: Pool) -> None:
        try:
            with self.scope:
                async with taken(pool, self.conversation) as process:
                    self.process, self.given_at = process, trio.current_time()
                    await self.done.wait()
        except* CcaError as group:
            self.error = innermost(group)
        self.over = True


@asynccontextmanager
async def asking(pool: Pool, *requests: Request) -> AsyncIterator[None]:
    """Let ``requests`` ask, one after the other; those that have a process at the end leave it."""
    async with trio.open_nursery() as nursery:
        for request in requests:
            nursery.start_soon(request.run, pool)
            await trio.testing.wait_all_tasks_blocked()
        yield
        for request in requests:
            request.done.set()


async def after(seconds: float) -> None:
    """Let ``seconds`` pass, and all that comes of it happen."""
    await trio.sleep(seconds)
    await trio.testing.wait_all_tasks_blocked()


# Processes that are started ahead.


@pytest.mark.parametrize("waiting", [0, 1, 3])
async def test_so_many_are_started_ahead(waiting: int, autojump_clock: trio.testing.MockClock) -> None:
    starter = FakeStarter()
    async with opened(starter, waiting=waiting) as pool:
        await after(100)
        assert (pool.ready, pool.alive, len(starter.processes)) == (waiting, waiting, waiting)


async def test_no_more_are_started_ahead_than_there_may_be(autojump_clock: trio.testing.MockClock) -> None:
    starter = FakeStarter()
    async with opened(starter, most=2, waiting=3) as pool:
        await after(100)
        assert (pool.ready, starter.alive) == (2, 2)


async def test_one_that_waits_is_given_at_once_prepared_and_is_replaced(autojump_clock: trio.testing.MockClock) -> None:
    starter = FakeStarter()
    async with opened(starter) as pool:
        await after(1)
        async with taken(pool) as process:
            assert trio.current_time() == 1
            assert process is starter.processes[0]
            assert starter.processes[0].prepared
            await after(CALM - 0.01)
            assert len(starter.processes) == 1, "the one that was taken has the machine to itself at first"
            await after(1.01)
            assert (pool.ready, len(starter.processes)) == (1, 2)
        assert (starter.processes[0].ended, starter.alive) == (True, 1)


async def test_the_one_that_has_waited_longest_is_given_first(autojump_clock: trio.testing.MockClock) -> None:
    starter = FakeStarter(plans=deque([prepared_after(2), prepared_after(1)]))
    async with opened(starter, waiting=2) as pool:
        await after(2)
        async with taken(pool) as first, taken(pool) as second:
            assert [first, second] == [starter.processes[1], starter.processes[0]]


async def test_so_many_start_at_once(autojump_clock: trio.testing.MockClock) -> None:
    starter = FakeStarter()
    async with opened(starter, waiting=4, starts=2) as pool:
        ready = []
        for _ in range(3):
            await after(0.5)
            ready.append(pool.ready)
            await after(0.5)
            ready.append(pool.ready)
        assert ready == [0, 2, 2, 4, 4, 4]
        assert starter.most_starting == 2


# Requests that wait.


async def test_a_request_gets_the_next_to_be_ready_though_it_was_started_for_nobody(
    autojump_clock: trio.testing.MockClock,
) -> None:
    starter = FakeStarter()
    async with opened(starter) as pool:
        await after(0.5)
        request = Request()
        async with asking(pool, request):
            await after(0.49)
            assert (request.process, len(starter.processes)) == (None, 1)
            await after(0.02)
            assert (request.process, request.given_at) == (starter.processes[0], 1)
            assert len(starter.processes) == 2, "that one is replaced"


async def test_who_asks_first_is_given_first(autojump_clock: trio.testing.MockClock) -> None:
    starter = FakeStarter(plans=deque([prepared_after(3), prepared_after(1), prepared_after(2)]))
    requests = [Request() for _ in range(3)]
    async with opened(starter, waiting=0) as pool, asking(pool, *requests):
        await after(3)
        assert [request.given_at for request in requests] == [1, 2, 3]
        assert [each.process and each.process.number for each in requests] == [1, 2, 0]


async def test_who_finds_no_room_waits_until_one_is_gone(autojump_clock: trio.testing.MockClock) -> None:
    starter = FakeStarter(dying=0.5)
    requests = [Request() for _ in range(3)]
    async with opened(starter, most=2) as pool, asking(pool, *requests):
        await after(10)
        assert [request.given_at for request in requests] == [1, 1, None]
        requests[0].done.set()
        await after(10)
        assert requests[2].given_at == 10 + 0.5 + 1
        assert (starter.alive, starter.most_alive) == (2, 2)


async def test_while_requests_come_faster_than_processes_start_none_is_started_for_nobody(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """Eight at a time, answered in a tenth of what a start takes: a start for each, and those that wait in the end."""
    starter, served = FakeStarter(), 0

    async def client(pool: Pool) -> None:
        nonlocal served
        for _ in range(10):
            async with taken(pool):
                assert len(starter.processes) - served <= 8, "nobody asked for it"
                served += 1
                await trio.sleep(0.1)

    async with opened(starter, most=8, waiting=2, starts=8) as pool:
        async with trio.open_nursery() as nursery:
            for _ in range(8):
                nursery.start_soon(client, pool)
        await after(1)
        assert served == 80
        assert (len(starter.processes), pool.ready) == (80 + 2, 2)


async def test_what_was_started_for_requests_that_left_is_let_go_where_enough_wait(
    autojump_clock: trio.testing.MockClock,
) -> None:
    starter, requests = FakeStarter(), [Request() for _ in range(3)]
    async with opened(starter, waiting=1) as pool, asking(pool, *requests):
        await after(0.5)
        for request in requests:
            request.scope.cancel()
        await after(1)
        assert [request.process for request in requests] == [None] * 3
        assert (len(starter.processes), pool.ready, starter.alive) == (3, 1, 1)


# Requests that leave.


async def test_when_a_request_leaves_its_process_is_the_next_ones(autojump_clock: trio.testing.MockClock) -> None:
    starter, left, next_one = FakeStarter(), Request(), Request()
    async with opened(starter, waiting=0) as pool:
        async with asking(pool, left):
            await after(0.5)
            left.scope.cancel()
            await trio.testing.wait_all_tasks_blocked()
            async with asking(pool, next_one):
                await after(0.5)
                assert (left.over, next_one.given_at) == (True, 1)
        assert len(starter.processes) == 1


class When(trio.abc.Instrument):
    """Does something once, in the very step of the scheduler in which something happened."""

    def __init__(self, happened: Callable[[], bool], then: Callable[[], None]) -> None:
        self.happened, self.then = happened, then

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        if self.happened():
            trio.lowlevel.remove_instrument(self)
            self.then()


@pytest.mark.parametrize("another", [True, False], ids=["another asks", "nobody asks"])
@pytest.mark.parametrize("waiting", [0, 1])
async def test_a_process_whose_request_leaves_in_the_moment_it_is_given_is_not_lost(
    another: Any, waiting: int, autojump_clock: trio.testing.MockClock
) -> None:
    starter, left, next_one = FakeStarter(), Request(), Request()
    starter.prepared = left.scope.cancel
    async with opened(starter, waiting=waiting, most=1) as pool:
        async with asking(pool, left, *[next_one] * another):
            [ask, *_] = pool._asks
            await after(1)
            assert (ask.berth is not None, left.process, left.over) == (True, None, True)
            assert next_one.given_at == (1 if another else None)
        await after(2)
        assert (pool.ready, starter.alive) == (waiting, waiting)


async def test_a_failure_told_to_one_that_leaves_in_that_moment_is_nobody_elses(
    autojump_clock: trio.testing.MockClock,
) -> None:
    starter = FakeStarter(plans=deque([dead_after(1), prepared_after(2)]))
    left, next_one = Request(), Request()
    async with opened(starter, waiting=0) as pool, asking(pool, left, next_one):
        [ask, *_] = pool._asks
        starter.end = left.scope.cancel
        await after(2)
        assert (isinstance(ask.error, Unavailable), left.error, left.over) == (True, None, True)
        assert next_one.given_at == 2


@pytest.mark.parametrize("special", [False, True], ids=["one that waits", "one of its own"])
@pytest.mark.parametrize("step", range(1, 40))
async def test_a_request_that_leaves_at_any_step_leaves_nothing(
    step: int, special: Any, autojump_clock: trio.testing.MockClock
) -> None:
    starter, request = FakeStarter(), Request(SPECIAL if special else CONVERSATION)
    async with opened(starter, most=1, waiting=0) as pool:
        steps = iter(range(1, step))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(request.run, pool)
            trio.lowlevel.add_instrument(When(lambda: next(steps, None) is None, request.scope.cancel))
        await after(2)
        assert (pool.alive, starter.alive, request.over) == (0, 0, True)
        async with taken(pool):
            assert starter.alive == 1


# Processes that may not be given to a request.


def dies(process: WaitingProcess) -> None:
    process.die()


def gets_stale(process: WaitingProcess) -> None:
    process.stale = True


unfit = pytest.mark.parametrize("becomes", [dies, gets_stale])


@unfit
async def test_one_that_is_unfit_is_not_given(
    becomes: Callable[[WaitingProcess], None], autojump_clock: trio.testing.MockClock
) -> None:
    starter = FakeStarter()
    async with opened(starter, waiting=2) as pool:
        await after(1)
        becomes(starter.processes[0])
        async with taken(pool) as process:
            assert process is starter.processes[1]
            assert trio.current_time() == 1


@unfit
async def test_where_all_are_unfit_another_is_started(
    becomes: Callable[[WaitingProcess], None], autojump_clock: trio.testing.MockClock
) -> None:
    starter = FakeStarter()
    async with opened(starter, most=2, waiting=2) as pool:
        await after(1)
        for each in starter.processes:
            becomes(each)
        async with taken(pool) as process:
            assert process is starter.processes[2]
        assert starter.most_alive == 2


@unfit
async def test_one_that_is_unfit_is_replaced_before_anybody_asks(
    becomes: Callable[[WaitingProcess], None], autojump_clock: trio.testing.MockClock
) -> None:
    starter = FakeStarter()
    async with opened(starter, most=2, waiting=2) as pool:
        await after(1)
        becomes(starter.processes[0])
        await after(LOOK_INTERVAL + 1)
        assert (pool.ready, starter.alive, starter.most_alive) == (2, 2, 2)
        assert starter.processes[0].ended


@unfit
async def test_one_that_gets_unfit_as_its_request_leaves_is_nobodys(
    becomes: Callable[[WaitingProcess], None], autojump_clock: trio.testing.MockClock
) -> None:
    starter, left, next_one = FakeStarter(), Request(), Request()

    def leave() -> None:
        starter.prepared = lambda: None
        left.scope.cancel()
        trio.lowlevel.add_instrument(When(lambda: True, lambda: becomes(starter.processes[0])))

    starter.prepared = leave
    async with opened(starter, most=1, waiting=0) as pool, asking(pool, left, next_one):
        [ask, _] = pool._asks
        await after(5)
        assert ask.berth is not None
        assert (left.over, left.process) == (True, None)
        assert next_one.process is starter.processes[1]


async def test_a_fault_in_a_look_is_logged_and_the_next_look_is_taken(
    caplog: pytest.LogCaptureFixture, autojump_clock: trio.testing.MockClock
) -> None:
    starter = FakeStarter()
    async with opened(starter) as pool:
        await after(1)
        [process] = starter.processes
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(WaitingProcess, "fit", property(operator.attrgetter("nothing")))
            await after(LOOK_INTERVAL)
        assert "looking at the processes that wait" in caplog.text
        process.die()
        await after(LOOK_INTERVAL + 1)
        assert (pool.ready, starter.alive, len(starter.processes)) == (1, 1, 2)


# Starts that fail.

BASH = "claude does not behave as Claude Code: .*not JSON"
failures = pytest.mark.parametrize(
    ("plan", "message", "seconds"),
    [
        pytest.param(dead_after(0.25), r"ended at its start \(exit code 1\): no licence", 0.25, id="it dies"),
        pytest.param(GARBAGE, BASH, 0, id="it is another program"),
        pytest.param(SILENCE, "said nothing for 30 seconds", START_TIMEOUT, id="it hangs"),
    ],
)


@failures
async def test_a_start_that_fails_is_told_to_who_asks(
    plan: Plan, message: str, seconds: float, autojump_clock: trio.testing.MockClock
) -> None:
    starter = FakeStarter(plans=deque([plan]))
    async with opened(starter, waiting=0) as pool:
        with pytest.raises(Unavailable, match=message):
            async with taken(pool):
                pass
        assert trio.current_time() == seconds
        async with taken(pool) as process:
            assert process is starter.processes[1]


@failures
async def test_a_start_that_fails_ahead_of_demand_is_logged_and_tried_again(
    plan: Plan, message: str, seconds: float, caplog: pytest.LogCaptureFixture, autojump_clock: trio.testing.MockClock
) -> None:
    starter = FakeStarter(plans=deque([plan]))
    async with opened(starter) as pool:
        await after(seconds + FIRST_DELAY + LOOK_INTERVAL + 1)
        assert (pool.ready, starter.alive, len(starter.processes)) == (1, 1, 2)
    [record] = caplog.records
    assert record.levelname == "ERROR"
    assert record.getMessage().startswith("No Claude Code process could be started ahead of demand: ")


async def test_each_failure_is_told_to_one_in_their_order_and_the_others_have_starts_of_their_own(
    autojump_clock: trio.testing.MockClock,
) -> None:
    starter = FakeStarter(plans=deque([dead_after(1), prepared_after(2), prepared_after(3)]))
    requests = [Request() for _ in range(3)]
    async with opened(starter, waiting=0) as pool, asking(pool, *requests):
        await after(3)
        assert [type(request.error) for request in requests] == [EndedAtStart, type(None), type(None)]
        assert [request.given_at for request in requests] == [None, 2, 3]


async def test_the_start_of_one_who_asks_that_fails_leaves_a_start_for_the_next(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """Though there is room for one only: the next one's start takes it."""
    starter = FakeStarter(plans=deque([dead_after(1)]), dying=0.5)
    requests = [Request(), Request()]
    async with opened(starter, most=1, waiting=0) as pool, asking(pool, *requests):
        await after(5)
        assert isinstance(requests[0].error, Unavailable)
        assert requests[1].given_at == 1 + 0.5 + 1


def failing() -> None:
    raise Unavailable("There is no such program.")


async def test_where_nobody_asks_it_is_tried_again_less_and_less_often(autojump_clock: trio.testing.MockClock) -> None:
    starter = FakeStarter(start_up=failing)
    async with opened(starter):
        await after(1000)
    between = [later - earlier for earlier, later in zip(starter.begun, starter.begun[1:], strict=False)]
    assert between[0] <= FIRST_DELAY + LOOK_INTERVAL
    assert between == sorted(between)
    assert LONGEST_DELAY <= between[-1] <= LONGEST_DELAY + LOOK_INTERVAL


async def test_who_asks_need_not_wait_for_the_next_try(autojump_clock: trio.testing.MockClock) -> None:
    starter = FakeStarter(start_up=failing)
    async with opened(starter) as pool:
        await after(200.5)
        asked = trio.current_time()
        with pytest.raises(Unavailable, match="no such program"):
            async with taken(pool):
                pass
        starter.start_up = lambda: None
        async with taken(pool):
            assert trio.current_time() == asked + 1


async def test_after_a_start_that_went_well_there_is_no_delay_any_more(autojump_clock: trio.testing.MockClock) -> None:
    starter = FakeStarter(start_up=failing)
    async with opened(starter) as pool:
        await after(200)
        starter.start_up = lambda: None
        await after(LONGEST_DELAY + LOOK_INTERVAL + 1)
        assert pool.ready == 1
        starter.plans.append(dead_after(0))
        async with taken(pool):
            await after(FIRST_DELAY + LOOK_INTERVAL + 1)
            assert pool.ready == 1


async def test_a_fault_in_a_start_is_told_and_logged_and_the_next_one_is_tried(
    caplog: pytest.LogCaptureFixture, autojump_clock: trio.testing.MockClock
) -> None:
    def broken() -> None:
        raise ValueError("x")

    starter = FakeStarter(start_up=broken)
    async with opened(starter, waiting=0) as pool:
        with pytest.raises(InternalError):
            async with taken(pool):
                pass
        assert "A fault in cca ended a Claude Code process." in caplog.text
        starter.start_up = lambda: None
        async with taken(pool):
            pass


async def test_a_fault_at_the_end_of_a_process_is_logged_and_nobody_elses(
    caplog: pytest.LogCaptureFixture, autojump_clock: trio.testing.MockClock
) -> None:
    def broken() -> None:
        raise ValueError("x")

    starter = FakeStarter(end=broken)
    async with opened(starter, most=1, waiting=0) as pool:
        for _ in range(2):
            async with taken(pool):
                pass
    assert caplog.text.count("A fault in cca ended a Claude Code process.") == 2


async def test_what_a_request_raises_is_its_own(autojump_clock: trio.testing.MockClock) -> None:
    starter = FakeStarter()
    async with opened(starter, waiting=0) as pool:
        with pytest.raises(LookupError, match="of the client"):
            async with taken(pool):
                raise LookupError("of the client")
        assert starter.alive == 0


# Conversations that take a process of their own.


async def test_a_special_conversation_gets_a_process_of_its_own_and_leaves_those_that_wait(
    autojump_clock: trio.testing.MockClock,
) -> None:
    starter = FakeStarter()
    async with opened(starter) as pool:
        await after(1)
        async with taken(pool, SPECIAL) as process:
            assert process.conversation == SPECIAL
            assert (trio.current_time(), pool.ready, pool.alive) == (1, 1, 2)
        assert (pool.ready, pool.alive, starter.alive) == (1, 1, 1)


async def test_a_special_conversation_takes_the_room_of_one_that_waits(autojump_clock: trio.testing.MockClock) -> None:
    starter = FakeStarter(dying=0.5)
    async with opened(starter, most=2, waiting=2) as pool:
        await after(1)
        async with taken(pool, SPECIAL):
            assert (trio.current_time(), pool.ready, pool.alive) == (1.5, 1, 2)
            await after(10)
            assert (pool.ready, starter.most_alive) == (1, 2)
        await after(1)
        assert pool.ready == 2, "its room is one's that waits"


@unfit
async def test_it_takes_the_room_of_one_that_is_unfit(
    becomes: Callable[[WaitingProcess], None], autojump_clock: trio.testing.MockClock
) -> None:
    starter = FakeStarter()
    async with opened(starter, most=1) as pool:
        await after(1)
        becomes(starter.processes[0])
        async with taken(pool, SPECIAL):
            assert trio.current_time() == 1


async def test_a_conversation_of_many_parts_is_looked_at_in_a_thread() -> None:
    threads: list[int] = []

    def special(conversation: Conversation) -> bool:
        threads.append(threading.get_ident())
        return True

    many = Conversation("haiku", (UserTurn((Text("Hi"),) * MANY_PARTS),))
    async with opened(FakeStarter(special=special)) as pool:
        for conversation in (CONVERSATION, many):
            async with taken(pool, conversation):
                pass
    assert [thread == threading.get_ident() for thread in threads] == [True, False]


async def test_a_special_conversation_waits_for_room(autojump_clock: trio.testing.MockClock) -> None:
    starter, first, second = FakeStarter(), Request(SPECIAL), Request(SPECIAL)
    async with opened(starter, most=1, waiting=0) as pool, asking(pool, first, second):
        await after(3)
        assert (first.given_at, second.given_at) == (0, None)
        first.done.set()
        await after(SOON)
        assert second.given_at == 3


@pytest.mark.parametrize("granted", [False, True], ids=["before it has it", "in that moment"])
async def test_one_that_leaves_while_it_waits_for_room_takes_none(
    granted: Any, autojump_clock: trio.testing.MockClock
) -> None:
    starter, first, left, third = FakeStarter(), Request(SPECIAL), Request(SPECIAL), Request(SPECIAL)
    async with opened(starter, most=1, waiting=0) as pool, asking(pool, first, left, third):
        [ask, _] = pool._rooms
        if granted:
            starter.end = left.scope.cancel
        else:
            left.scope.cancel()
            await trio.testing.wait_all_tasks_blocked()
        first.done.set()
        await after(SOON)
        assert ask.answered.is_set() == granted
        assert (left.over, left.process) == (True, None)
        assert (third.process is not None, pool.alive, starter.most_alive) == (True, 1, 1)


async def test_the_start_of_a_special_one_that_fails_is_told_and_gives_its_room_back(
    autojump_clock: trio.testing.MockClock,
) -> None:
    starter = FakeStarter(start_up=failing)
    async with opened(starter, most=1, waiting=0) as pool:
        with pytest.raises(Unavailable, match="no such program"):
            async with taken(pool, SPECIAL):
                pass
        assert pool.alive == 0


# Processes that stayed, and make room.


@define
class Stayed:
    """Conversations that stay in processes of the pool, which ``spare`` ends."""

    conversation: Conversation
    pool: Pool | None = None
    scopes: deque[trio.CancelScope] = field(factory=deque)
    asked: int = 0

    async def stay(self) -> None:
        assert self.pool is not None
        with trio.CancelScope() as scope:
            async with taken(self.pool, self.conversation) as process:
                self.scopes.append(scope)
                try:
                    await trio.sleep_forever()
                finally:
                    process.end()

    def spare(self) -> bool:
        self.asked += 1
        if not self.scopes:
            return False
        self.scopes.popleft().cancel()
        return True


@asynccontextmanager
async def with_stayed(
    starter: FakeStarter, number: int, *, most: int, waiting: int = 0, conversation: Conversation = CONVERSATION
) -> AsyncIterator[tuple[Pool, Stayed]]:
    stayed = Stayed(conversation)
    async with opened(starter, most=most, waiting=waiting, spare=stayed.spare) as pool, trio.open_nursery() as nursery:
        stayed.pool = pool
        for _ in range(number):
            nursery.start_soon(stayed.stay)
        await after(10)
        assert len(stayed.scopes) == number
        stayed.asked = 0
        yield pool, stayed
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("conversation", [CONVERSATION, SPECIAL], ids=["plain", "special"])
async def test_one_that_stayed_makes_room_where_there_is_none(
    conversation: Conversation, autojump_clock: trio.testing.MockClock
) -> None:
    starter, requests = FakeStarter(dying=0.5), [Request(conversation), Request(conversation)]
    async with with_stayed(starter, 3, most=4) as (pool, stayed), asking(pool, *requests):
        await after(5)
        assert [request.process is not None for request in requests] == [True, True]
        assert (len(stayed.scopes), stayed.asked, starter.most_alive) == (2, 1, 4)


async def test_of_those_that_stayed_in_processes_of_their_own_no_more_make_room_than_must(
    autojump_clock: trio.testing.MockClock,
) -> None:
    starter, requests = FakeStarter(dying=5), [Request(), Request()]
    async with with_stayed(starter, 4, most=4, conversation=SPECIAL) as (pool, stayed), asking(pool, *requests):
        await after(1)
        assert len(stayed.scopes) == 2


@unfit
@pytest.mark.parametrize("times", range(1, STARTS))
@pytest.mark.parametrize("conversation", [CONVERSATION, SPECIAL], ids=["one that waits", "one of its own"])
async def test_where_one_is_of_no_use_once_it_is_prepared_another_is_started(
    conversation: Conversation,
    times: int,
    becomes: Callable[[WaitingProcess], None],
    autojump_clock: trio.testing.MockClock,
) -> None:
    """And never beside it: a login that is renewed at a start costs a request some time, and no room."""
    starter = FakeStarter(dying=1)

    def at_first() -> None:
        if len(starter.processes) <= times:
            becomes(starter.processes[-1])

    starter.prepared = at_first
    async with opened(starter, most=1, waiting=0) as pool, taken(pool, conversation) as process:
        assert process is starter.processes[times]
        assert process.fit
        assert (pool.alive, starter.most_alive, len(starter.begun)) == (1, 1, times + 1)


@unfit
async def test_one_that_is_of_no_use_once_it_is_prepared_has_not_been_started(
    becomes: Callable[[WaitingProcess], None], autojump_clock: trio.testing.MockClock
) -> None:
    starter = FakeStarter()
    starter.prepared = lambda: becomes(starter.processes[-1])
    async with opened(starter) as pool:
        with pytest.raises(Unavailable, match="replaced, while it was being started, 3 times in a row"):
            async with taken(pool):
                pass
        await after(100)
        # Not again and again: after 1, 2, 4 seconds, when it is looked at.
        assert len(starter.begun) < 10 * STARTS


async def test_one_that_stayed_makes_room_before_those_that_wait(autojump_clock: trio.testing.MockClock) -> None:
    """At rest the pool is full: else each request for a process of its own would end one that the next one needs."""
    starter, request = FakeStarter(), Request(SPECIAL)
    async with with_stayed(starter, 2, most=3, waiting=1) as (pool, stayed):
        assert pool.ready == 1
        async with asking(pool, request):
            await after(5)
            assert request.process is not None
            assert (len(stayed.scopes), stayed.asked, pool.ready) == (1, 1, 1)


async def test_nothing_that_stayed_is_ended_for_those_that_are_to_wait(autojump_clock: trio.testing.MockClock) -> None:
    starter = FakeStarter()
    async with with_stayed(starter, 2, most=2, waiting=2) as (pool, stayed):
        await after(100)
        assert (len(stayed.scopes), stayed.asked, pool.ready) == (2, 0, 0)


async def test_no_more_that_stayed_are_ended_than_room_is_needed(autojump_clock: trio.testing.MockClock) -> None:
    """While one is about to be gone, each request that comes, or leaves, asks for no other."""
    starter, first, second = FakeStarter(dying=5), Request(), Request()
    async with with_stayed(starter, 3, most=3) as (pool, stayed), asking(pool, first):
        await after(1)
        async with asking(pool, second):
            second.scope.cancel()
            await after(1)
        assert (len(stayed.scopes), first.process) == (1, None)
        await after(10)
        assert (len(stayed.scopes), first.process is not None) == (1, True)


# The pool's own end.


@pytest.mark.parametrize("seconds", [0.5, 2], ids=["starting", "waiting"])
async def test_all_are_killed_when_the_pool_is_left(seconds: float, autojump_clock: trio.testing.MockClock) -> None:
    starter = FakeStarter(dying=0.5)
    async with opened(starter, waiting=2):
        await after(seconds)
    assert [process.ended for process in starter.processes] == [True, True]


async def test_one_that_a_request_has_is_killed_when_the_pool_is_left(autojump_clock: trio.testing.MockClock) -> None:
    starter, request = FakeStarter(), Request()
    async with trio.open_nursery() as nursery:
        async with opened(starter) as pool:
            nursery.start_soon(request.run, pool)
            await after(1)
        assert request.process is not None
        assert (request.process.ended, request.over) == (True, False)
        request.done.set()


@pytest.mark.parametrize("conversation", [CONVERSATION, SPECIAL], ids=["plain", "special"])
async def test_who_still_waits_when_the_pool_is_left_is_told(
    conversation: Conversation, autojump_clock: trio.testing.MockClock
) -> None:
    holder, request, left = Request(), Request(conversation), Request(conversation)
    async with trio.open_nursery() as nursery:
        async with opened(FakeStarter(), most=1) as pool:
            for each in (holder, request, left):
                nursery.start_soon(each.run, pool)
                await after(1)
            assert holder.process is not None
            left.scope.cancel()  # in the very moment
        await after(SOON)
        assert (request.over, type(request.error), request.process) == (True, Unavailable, None)
        assert (left.over, left.process) == (True, None)
        holder.done.set()


async def test_before_it_is_opened_and_after_there_is_no_process_to_be_had(
    autojump_clock: trio.testing.MockClock,
) -> None:
    starter = FakeStarter()
    pool = Pool(cast(Any, starter), most=1, waiting=1, starts=1)
    for _ in range(2):
        with pytest.raises(Unavailable, match="cca is ending"):
            async with taken(pool):
                pass
        async with pool.opened():
            pass
    assert starter.alive == 0


def test_it_is_called_as_what_it_starts_is() -> None:
    models = (ModelEntry("haiku", "claude-haiku-5-5", "Haiku"),)
    pool = Pool(cast(Any, FakeStarter(models=models)), most=1, waiting=1, starts=1)
    assert (pool.name, pool.cli_version, pool.models) == ("fake", "0", models)


# Whatever comes, in any order.

Kind = Literal["plain", "special", "stays"]


@frozen
class Visit:
    """A request: when it comes, how long it waits at most, and how long it holds its process."""

    at: float
    kind: Kind
    patience: float
    holds: float


def any_plan(chance: random.Random) -> Plan:
    seconds = chance.choice([0.0, 0.2, 1.0, 3.0])
    plans: Sequence[tuple[Plan, int]] = (
        (prepared_after(seconds), 12),
        (dead_after(seconds), 2),
        (GARBAGE, 1),
        (SILENCE, 1),
    )
    return chance.choices([plan for plan, _ in plans], [weight for _, weight in plans])[0]


def any_visit(chance: random.Random) -> Visit:
    kind: Kind = chance.choice(("plain", "plain", "plain", "special", "stays"))
    patience = chance.choice([0.0, 0.5, 1.0, 5.0, 1000.0, 1000.0, 1000.0])
    return Visit(chance.uniform(0, 20), kind, patience, chance.choice([0.0, 0.1, 1.0, 4.0]))


@pytest.mark.parametrize("seed", range(60))
async def test_whatever_comes(seed: int, autojump_clock: trio.testing.MockClock) -> None:
    """Never more than the cap; no process twice; each request has one, or its failure; nothing is left at the end."""
    chance = random.Random(seed)  # noqa: S311 - the same on every run
    most, waiting = chance.randint(1, 4), chance.randint(0, 3)
    visits = [any_visit(chance) for _ in range(40)]
    starter = FakeStarter(dying=chance.choice([0.0, 0.3]), plans=deque(any_plan(chance) for _ in range(30)))
    given: list[WaitingProcess] = []
    ends: list[str] = []
    stayed: deque[trio.Event] = deque()

    def spare() -> bool:
        if stayed:
            stayed.popleft().set()
        return bool(stayed)

    async def come(pool: Pool, visit: Visit) -> None:
        await trio.sleep(visit.at)
        conversation = SPECIAL if visit.kind == "special" else CONVERSATION
        with trio.move_on_after(visit.patience) as scope:
            try:
                async with taken(pool, conversation) as process:
                    scope.deadline = float("inf")
                    given.append(process)
                    assert process.fit
                    await trio.sleep(visit.holds)
                    if visit.kind == "stays":
                        leaves = trio.Event()
                        stayed.append(leaves)
                        with trio.move_on_after(10):
                            await leaves.wait()
                        if leaves in stayed:
                            stayed.remove(leaves)
                ends.append("answered")
            except Unavailable:
                ends.append("told why not")
        if scope.cancelled_caught:
            ends.append("left")

    async def harm() -> None:
        await trio.sleep(0.37)  # in no moment in which one is given
        for _ in range(20):
            await trio.sleep(1)
            waits = [each for each in starter.processes if each.prepared and not each.ended and each not in given]
            if waits and chance.random() < 0.3:
                chance.choice([dies, gets_stale])(chance.choice(waits))

    async with opened(starter, most=most, waiting=waiting, starts=chance.randint(1, 3), spare=spare) as pool:
        with trio.fail_after(2000):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(harm)
                for visit in visits:
                    nursery.start_soon(come, pool, visit)
        assert len(ends) == len(visits)
        assert len(given) == len({each.number for each in given})
        assert starter.most_alive <= most
        starter.plans.clear()
        await after(2 * LONGEST_DELAY)
        assert (pool.ready, pool.alive, starter.alive) == (min(waiting, most),) * 3
