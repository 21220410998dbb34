"""GCRA, and spending in a day, against lists of all that was ever charged."""

import copy
import math
from fractions import Fraction

import pytest
from attrs import define, field
from hypothesis import example, given
from hypothesis import strategies as st

from cca.limits.policy import Window
from cca.limits.rates import BUCKET, BUCKETS, DAY, SLACK, Rate, Spending

MILLISECOND = 0.001


@define
class Ledger:
    """All that was charged, each at its millisecond, and what a limit allows by that."""

    amount: int
    period: int
    charges: list[tuple[int, int]] = field(factory=list)

    def most_in_any_window(self) -> Fraction:
        """Return by how much the fullest window is over ``amount / period`` times its length; 0 if none is."""
        per_millisecond = Fraction(self.amount, self.period * 1000)
        return max(
            (
                sum(amount for at, amount in self.charges if first <= at <= last) - per_millisecond * (last - first)
                for first, _ in self.charges
                for last, _ in self.charges
                if first <= last
            ),
            default=Fraction(0),
        )

    def backlog(self, now: int) -> Fraction:
        """Return what has not drained: the most by which a window that ends now is over its rate."""
        return max(
            [Fraction(0)]
            + [
                sum(amount for at, amount in self.charges if at >= first)
                - Fraction(self.amount * (now - first), self.period * 1000)
                for first, _ in self.charges
            ]
        )


amounts = st.integers(1, 500)
requests = st.lists(
    # Milliseconds since the one before, the estimate, what part of it was used, and after how many others it ends.
    st.tuples(st.integers(0, 20_000), st.integers(0, 500), st.fractions(0, 1), st.integers(0, 4)),
    max_size=25,
)
starts = st.sampled_from([0, 12_345, 10**9, 10**10])


@given(amounts, st.sampled_from([1, 60]), starts, requests)
def test_no_window_has_more_than_its_rate_and_one_burst(
    amount: int, period: int, start: int, requests: list[tuple[int, int, Fraction, int]]
) -> None:
    """And a request is admitted exactly where backlog, reservations and its estimate are within the burst."""
    rate, ledger = Rate(amount, period), Ledger(amount, period)
    now, running = start, list[tuple[int, int, int]]()
    for number, (later, estimate, part, others) in enumerate(requests):
        now += later
        reserved = sum(each for _, each, _ in running)
        room = amount - ledger.backlog(now) - reserved - estimate
        if rate.wait(now / 1000, estimate) == 0:
            assert room >= -SLACK * amount / period
            rate.reserve(estimate)
            running.append((number + others, estimate, math.floor(estimate * part)))
        else:
            assert room < 0
        for ended in [each for each in running if each[0] <= number]:
            running.remove(ended)
            rate.release(ended[1])
            rate.charge(now / 1000, ended[2])
            ledger.charges.append((now, ended[2]))
    assert ledger.most_in_any_window() <= amount + Fraction(SLACK) * amount / period


@given(
    amounts,
    st.sampled_from([1.0, 60.0]),
    st.sampled_from([0.0, 12_345.6789, 1e7]),
    st.lists(st.tuples(st.floats(0, 30), st.integers(0, 2000)), max_size=8),
    st.integers(0, 500),
    st.integers(0, 600),
)
@example(60, 60.0, 0.0, [(0.0, 60)], 0, 1)
def test_what_is_told_to_wait_is_right(
    amount: int, period: float, start: float, charges: list[tuple[float, int]], reserved: int, asked: int
) -> None:
    """Admitted then, refused a millisecond before; with debts, and with reservations as if they were charged now."""
    rate, now = Rate(amount, period), start
    for later, charged in charges:
        now += later
        rate.charge(now, charged)
    rate.reserve(reserved)
    wait = rate.wait(now, asked)
    if asked > amount:
        assert wait == math.inf
    elif wait:
        charged_now = copy.copy(rate)
        charged_now.release(reserved)
        charged_now.charge(now, reserved)
        assert charged_now.wait(now + wait, asked) == 0
        assert wait < MILLISECOND or charged_now.wait(now + wait - MILLISECOND, asked) > 0


def test_a_debt_is_waited_for() -> None:
    """A request that took more than its estimate holds up those after it, by as much as it took too much."""
    rate = Rate(60)
    rate.reserve(10)
    rate.release(10)
    rate.charge(0.0, 90)
    assert rate.wait(0.0, 0) == 30
    assert rate.wait(0.0, 1) == 31
    assert rate.wait(30.0, 0) == 0
    assert rate.window(0.0) == Window(60, 0, 90.0)


def test_a_reservation_does_not_drain() -> None:
    rate = Rate(60)
    rate.reserve(60)
    assert rate.wait(0.0, 1) == 1
    assert rate.wait(3600.0, 1) == 1
    rate.release(60)
    assert rate.wait(3600.0, 60) == 0


@pytest.mark.parametrize(
    ("charged", "reserved", "at", "window"),
    [
        (0, 0, 0.0, Window(60, 60, 0.0)),
        (1, 0, 0.0, Window(60, 59, 1.0)),
        (1, 0, 0.25, Window(60, 59, 0.75)),
        (1, 0, 1.0, Window(60, 60, 0.0)),
        (60, 0, 0.5, Window(60, 0, 59.5)),
        (20, 30, 0.0, Window(60, 10, 50.0)),
        (20, 30, 90.0, Window(60, 30, 30.0)),
        (90, 0, 0.0, Window(60, 0, 90.0)),
    ],
)
def test_a_window(charged: int, reserved: int, at: float, window: Window) -> None:
    rate = Rate(60)
    rate.charge(0.0, charged)
    rate.reserve(reserved)
    assert rate.window(at) == window


@given(amounts, starts, st.lists(st.tuples(st.integers(0, 5000), st.integers(0, 100)), max_size=10))
def test_what_remains_is_admitted_and_one_more_is_not(amount: int, start: int, charges: list[tuple[int, int]]) -> None:
    rate, now = Rate(amount), start
    for later, charged in charges:
        now += later
        rate.charge(now / 1000, charged)
    left = rate.window(now / 1000).remaining
    assert left == 0 or rate.wait(now / 1000, left) == 0
    assert rate.wait(now / 1000, left + 1) > 0


def test_a_rate_is_full_once_all_drained_and_nothing_is_reserved() -> None:
    rate = Rate(60)
    assert rate.full(0.0)
    rate.charge(0.0, 30)
    assert not rate.full(29.9)
    assert rate.full(30.0)
    rate.reserve(1)
    assert not rate.full(30.0)


def test_another_limit_leaves_the_same_part_used() -> None:
    rate = Rate(60)
    rate.charge(0.0, 30)
    rate.amount = 120
    assert rate.window(0.0) == Window(120, 60, 30.0)
    rate.amount = 2
    assert rate.window(0.0) == Window(2, 1, 30.0)


# Spending


costs = st.integers(0, 3_000_000).map(lambda millionths: millionths / 1e6)


@given(
    st.sampled_from([0.0, 90.0, 1e7]),
    st.lists(st.tuples(st.floats(0, DAY / 3), costs), max_size=20),
    st.floats(0.5, 5),
)
@example(0.0, [(6e-7, 1.0)], 1.0)  # the wait is rounded down
def test_what_a_day_had_is_counted_and_forgotten_a_minute_later_at_most(
    start: float, spends: list[tuple[float, float]], limit: float
) -> None:
    """Refused where 24 hours have the limit; admitted where 24 hours and a minute have less; and the wait is right."""
    spending, now, spent = Spending(), start, list[tuple[float, float]]()
    for later, cost in spends:
        now += later
        spending.spend(now, cost)
        spent.append((now, cost))
        in_a_day = sum(cost for at, cost in spent if now - at <= DAY)
        in_more = sum(cost for at, cost in spent if now - at <= DAY + BUCKET)
        wait = spending.wait(now, limit)
        if in_a_day > limit + 1e-6:
            assert wait > 0
        if in_more < limit - 1e-6:
            assert wait == 0
        if wait:
            assert copy.deepcopy(spending).wait(now + wait - MILLISECOND, limit) > 0
            assert copy.deepcopy(spending).wait(now + wait, limit) == 0


@given(
    st.floats(0, 3 * DAY),
    st.lists(st.tuples(st.floats(-60, 2 * DAY), costs), max_size=20).flatmap(
        lambda ages: st.tuples(st.just(ages), st.permutations(ages))
    ),
)
def test_what_a_restarted_server_reads_counts_in_any_order(
    now: float, ages: tuple[list[tuple[float, float]], list[tuple[float, float]]]
) -> None:
    """As if it had been spent then: what is older than a day is left out, and what is of the future is of now."""
    seeded, shuffled = Spending(), Spending()
    for age, cost in ages[0]:
        seeded.spend(now, cost, age)
    for age, cost in ages[1]:
        shuffled.spend(now, cost, age)
    assert seeded == shuffled
    counted = sum(cost for age, cost in ages[0] if age <= DAY)
    uncounted = sum(cost for age, cost in ages[0] if age > DAY + BUCKET)
    everything = sum(cost for _, cost in ages[0])
    assert counted - 1e-6 <= seeded._total / 1e9 <= everything - uncounted + 1e-6
    assert seeded.nothing(now + DAY + BUCKET)


def test_spending_is_forgotten_a_minute_after_a_day_at_the_latest() -> None:
    spending = Spending()
    spending.spend(59.0, 5.0)
    assert spending.wait(60.0, 5.0) == DAY
    assert spending.wait(60.0, 5.01) == 0
    assert spending.wait(DAY + 59.9, 5.0) == 0.1
    assert spending.wait(DAY + 60.0, 5.0) == 0


def test_only_what_must_go_is_waited_for() -> None:
    spending = Spending()
    spending.spend(0.0, 1.0)
    spending.spend(3600.0, 2.0)
    spending.spend(7200.0, 1.0)
    assert spending.wait(7200.0, 4.0) == DAY + BUCKET - 7200
    assert spending.wait(7200.0, 3.0) == DAY + BUCKET - 3600
    assert spending.wait(7200.0, 1.0) == DAY + BUCKET


def test_a_wall_clock_that_was_set_back_makes_nothing_younger_than_now() -> None:
    spending = Spending()
    spending.spend(6000.0, 5.0, -3600.0)
    assert spending.wait(6000.0, 5.0) == DAY + BUCKET
    assert not spending.nothing(6000.0 + DAY)


@pytest.mark.parametrize(("age", "counts"), [(DAY + BUCKET - 0.1, True), (DAY + BUCKET, False)])
def test_what_a_restarted_server_reads_counts_as_long_as_what_it_saw(age: float, counts: bool) -> None:  # noqa: FBT001
    spending = Spending()
    spending.spend(6000.0 + DAY + BUCKET - 0.1, 5.0, age)
    assert spending.nothing(6000.0 + DAY + BUCKET - 0.1) != counts


def test_its_memory_is_that_of_a_day() -> None:
    spending = Spending()
    for minute in range(5000):
        spending.spend(minute * BUCKET, 0.01)
    assert len(spending._spent) == BUCKETS == 1441
    assert spending._total == 1441 * 10_000_000


def test_a_cost_below_nothing_gives_no_credit() -> None:
    spending = Spending()
    spending.spend(0.0, -5.0)
    assert spending.nothing(0.0)
