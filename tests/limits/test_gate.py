"""How many at once, how many waiting, in which order; and that no slot is ever lost."""

import math

import pytest
import trio
import trio.testing
from attrs import define, field
from hypothesis import given
from hypothesis import strategies as st

from cca.errors import Busy
from cca.limits.gate import Gate


@define
class Crowd:
    """Clients of a gate, by number: who asked, got in, left, was refused or cancelled."""

    gate: Gate
    asked: list[int] = field(factory=list)
    got_in: list[int] = field(factory=list)
    got_in_at: dict[int, float] = field(factory=dict)
    inside: set[int] = field(factory=set)
    refused: dict[int, Busy] = field(factory=dict)
    most_inside: int = 0
    most_waiting: int = 0

    async def visit(self, number: int, holds: float) -> None:
        self.asked.append(number)
        try:
            async with self.gate.slot():
                self.got_in.append(number)
                self.got_in_at[number] = trio.current_time()
                self.inside.add(number)
                self.most_inside = max(self.most_inside, len(self.inside))
                try:
                    await trio.sleep(holds)
                finally:
                    self.inside.remove(number)
        except Busy as busy:
            self.refused[number] = busy
        self.most_waiting = max(self.most_waiting, self.gate.waiting)


def gate_of(size: int, queue: int) -> Gate:
    return Gate(size, queue, trio.current_time)


async def all_slots_are_free(gate: Gate) -> bool:
    """Return whether a gate lets in as many as it is large, at once, and refuses the next without a queue."""
    crowd = Crowd(Gate(gate.size, 0, trio.current_time))
    crowd.gate._free = gate._free
    async with trio.open_nursery() as nursery:
        for number in range(gate.size + 1):
            nursery.start_soon(crowd.visit, number, 1)
    return len(crowd.got_in) == gate.size and len(crowd.refused) == 1


async def test_200_requests_beyond_the_cap(autojump_clock: trio.testing.MockClock) -> None:
    """R-02: a bounded queue, then refusals at once with a time to come again; never more than the cap."""
    crowd = Crowd(gate_of(8, 32))
    async with trio.open_nursery() as nursery:
        for number in range(8 + 200):
            nursery.start_soon(crowd.visit, number, 10)
        await trio.testing.wait_all_tasks_blocked()
        assert (len(crowd.inside), crowd.gate.waiting, len(crowd.refused)) == (8, 32, 168)
        began = trio.current_time()
    assert trio.current_time() - began == 50
    assert crowd.most_inside == 8
    assert len(crowd.got_in) == 40
    assert {busy.retry_after for busy in crowd.refused.values()} == {math.ceil(33 * 10 / 8)}
    assert await all_slots_are_free(crowd.gate)


async def test_first_come_first_served(autojump_clock: trio.testing.MockClock) -> None:
    crowd = Crowd(gate_of(2, 50))
    async with trio.open_nursery() as nursery:
        for number in range(50):
            nursery.start_soon(crowd.visit, number, 5 - number % 5)
            await trio.sleep(0.01)
    assert crowd.got_in == list(range(50))


async def test_who_comes_as_a_slot_is_given_back_does_not_pass_those_that_wait(
    autojump_clock: trio.testing.MockClock,
) -> None:
    crowd = Crowd(gate_of(1, 5))
    async with trio.open_nursery() as nursery:
        async with crowd.gate.slot():
            nursery.start_soon(crowd.visit, 1, 1)
            await trio.testing.wait_all_tasks_blocked()
        # The slot is the first one's already, who did not run since.
        assert crowd.got_in == []
        await crowd.visit(2, 0)
    assert crowd.got_in == [1, 2]


@pytest.mark.parametrize("queue", [0, 2])
async def test_a_full_queue_refuses_without_waiting(queue: int, autojump_clock: trio.testing.MockClock) -> None:
    crowd = Crowd(gate_of(1, queue))
    async with trio.open_nursery() as nursery:
        for number in range(1 + queue):
            nursery.start_soon(crowd.visit, number, 10)
        await trio.testing.wait_all_tasks_blocked()
        began = trio.current_time()
        with pytest.raises(Busy) as refused:
            async with crowd.gate.slot():
                pass
        assert trio.current_time() == began
    assert refused.value.message == (
        "cca is full. Requests that it answers at once (CCA_PROCESSES): 1. Further ones that may wait (CCA_QUEUE): "
        f"{queue}. Try again in {10 * (queue + 1)} s, or raise one of these settings."
    )
    assert refused.value.status == 529


@pytest.mark.parametrize(
    ("held", "retry_after"),
    [
        ([], 10),
        ([10.0] * 5, 10),
        ([60.0] * 40, 60),
        ([0.1] * 40, 1),
        ([20.0], 12),
        ([1000.0] * 10, 120),
    ],
    ids=["nothing seen yet", "as guessed", "long ones lately", "short ones", "one long one", "too long for clients"],
)
async def test_a_time_to_come_again_is_that_of_the_slots_held_lately(
    held: list[float], retry_after: int, autojump_clock: trio.testing.MockClock
) -> None:
    gate = gate_of(1, 0)
    for seconds in held:
        async with gate.slot():
            await trio.sleep(seconds)
    async with gate.slot():
        with pytest.raises(Busy) as refused:
            async with gate.slot():
                pass
    assert refused.value.retry_after == retry_after


async def test_an_error_within_gives_the_slot_back_and_counts_as_an_answer(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async def fail() -> None:
        async with gate.slot():
            await trio.sleep(110)
            raise ZeroDivisionError

    gate = gate_of(1, 0)
    with pytest.raises(ZeroDivisionError):
        await fail()
    assert await all_slots_are_free(gate)
    async with gate.slot():
        with pytest.raises(Busy) as refused:
            await fail()
    assert refused.value.retry_after == 30


@pytest.mark.parametrize("first", ["the cancelling", "the turn"])
@pytest.mark.parametrize("which", [1, 2, 3])
async def test_who_is_cancelled_as_its_turn_comes_loses_no_slot(
    which: int, first: str, autojump_clock: trio.testing.MockClock
) -> None:
    """In one and the same step of the scheduler: just before its turn is passed on, and just after."""
    crowd = Crowd(gate_of(1, 5))
    scopes = {number: trio.CancelScope() for number in (1, 2, 3)}

    async def visit(number: int) -> None:
        with scopes[number]:
            await crowd.visit(number, 1)

    async with trio.open_nursery() as nursery:
        async with crowd.gate.slot():
            for number in scopes:
                nursery.start_soon(visit, number)
                await trio.testing.wait_all_tasks_blocked()
            if first == "the cancelling":
                scopes[which].cancel()
        if first == "the turn":
            scopes[which].cancel()
    others = [number for number in scopes if number != which]
    assert [number for number in crowd.got_in if number != which] == others
    assert (which in crowd.got_in) == (which == 1 and first == "the turn")
    assert crowd.gate.waiting == 0
    assert await all_slots_are_free(crowd.gate)


visitors = st.lists(
    # Seconds since the one before, for how long it holds, and when it is cancelled, which may be at the same moment as
    # another's end or not before it is done.
    st.tuples(st.integers(0, 2), st.integers(0, 5), st.integers(0, 12)),
    min_size=1,
    max_size=20,
)


@given(st.integers(1, 3), st.integers(0, 4), visitors)
def test_cancelling_anywhere_leaves_order_bound_and_slots(
    size: int, queue: int, visitors: list[tuple[int, int, int]]
) -> None:
    async def main() -> None:
        crowd = Crowd(gate_of(size, queue))

        async def visit(number: int, holds: int, patience: int) -> None:
            with trio.move_on_after(patience):
                await crowd.visit(number, holds)

        async def watch() -> None:
            """Nobody waits while a slot is free."""
            while True:
                assert not (crowd.gate.waiting and crowd.gate._free.value)
                await trio.sleep(0.5)

        async with trio.open_nursery() as watching:
            watching.start_soon(watch)
            async with trio.open_nursery() as nursery:
                for number, (later, holds, patience) in enumerate(visitors):
                    await trio.sleep(later)
                    await trio.testing.wait_all_tasks_blocked()
                    nursery.start_soon(visit, number, holds, patience)
                    await trio.testing.wait_all_tasks_blocked()
            watching.cancel_scope.cancel()
        assert crowd.most_inside <= size
        assert crowd.most_waiting <= queue
        # Those of one moment may run in any order: Trio shuffles them.
        in_turn = [at for _, at in sorted(crowd.got_in_at.items())]
        assert in_turn == sorted(in_turn)
        assert crowd.gate.waiting == 0
        assert await all_slots_are_free(crowd.gate)

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
