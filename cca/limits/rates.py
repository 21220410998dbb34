"""How fast, and how much in a day. ``now`` is in seconds, of a clock that never goes back.

Requests and tokens are counted by GCRA, the generic cell rate algorithm, kept as its theoretical arrival time (TAT):
the moment at which all that was charged has drained. Source: ITU-T I.371, annex A.
"""

import math

from attrs import define, field

from cca.limits.policy import Window

SLACK = 1e-6
"""Seconds that one may come too early: who waited as told shall not be refused by the rounding of floats."""

DIGITS = 6
"""Of the seconds that are told: others would round 1.0000000001 up to 2. What this takes off is within the slack."""

DAY = 86_400.0

BUCKET = 60.0
"""Seconds of spending that are forgotten together: a day is up to this much longer than a day, never shorter."""

BUCKETS = math.ceil(DAY / BUCKET) + 1

PER_DOLLAR = 1_000_000_000
"""Spending is counted in whole billionths of a dollar: sums of floats drift."""


@define
class Rate:
    """At most ``amount`` per ``period`` seconds, and as much at once: the burst.

    What a request takes is either charged at its start, or reserved then by an estimate and charged by what it was at
    its end. A reservation does not drain. So as long as no charge is above its estimate, what is charged in any ``T``
    seconds is at most ``amount * T / period`` and one burst (and what drains in ``SLACK``). A charge above its estimate
    makes a debt, which those who come later wait for.

    ``amount`` may be changed: the part of the burst that is used stays the same part.
    """

    amount: int
    period: float = 60.0
    _tat: float = field(default=-math.inf, init=False)
    _reserved: int = field(default=0, init=False)

    def wait(self, now: float, amount: int) -> float:
        """Return the seconds until ``amount`` would be admitted, 0 if it is now, infinity if it never is.

        Nobody knows when a reservation ends: each counts as if it were charged now.
        """
        if amount > self.amount:
            return math.inf
        wait = self._drained_in(now, self._reserved + amount) - self.period
        return round(wait, DIGITS) if wait > SLACK else 0.0

    def charge(self, now: float, amount: int) -> None:
        self._tat = now + self._drained_in(now, amount)

    def reserve(self, amount: int) -> None:
        self._reserved += amount

    def release(self, amount: int) -> None:
        """Give back what was reserved."""
        self._reserved -= amount

    def window(self, now: float) -> Window:
        reset = self._drained_in(now, self._reserved)
        remaining = math.floor((self.period + SLACK - reset) * self.amount / self.period)
        return Window(self.amount, max(0, min(remaining, self.amount)), round(reset, DIGITS))

    def full(self, now: float) -> bool:
        """Return whether the whole burst is there: such a rate is as good as a new one."""
        return self._reserved == 0 and self._tat <= now

    def _drained_in(self, now: float, amount: int) -> float:
        """Return the seconds until the backlog, and ``amount`` upon it, would have drained."""
        return max(0.0, self._tat - now) + amount * self.period / self.amount


@define
class Spending:
    """What was spent in the last 24 hours, in US dollars, counted in buckets of a minute.

    Spending of any 24 hours is still counted at their end.
    """

    _minute: int = field(default=0, init=False)
    _spent: list[int] = field(factory=lambda: [0] * BUCKETS, init=False)
    _total: int = field(default=0, init=False)

    def spend(self, now: float, cost: float, age: float = 0.0) -> None:
        """Count what was spent ``age`` seconds ago, in whatever order; nothing if it was longer ago than a day.

        An age is of the wall clock, which may have been set back since: what is of the future counts as of now.
        """
        self._forget(now)
        minute = _minute(now - max(0.0, age))
        if self._minute - BUCKETS < minute:
            amount = round(max(0.0, cost) * PER_DOLLAR)
            self._spent[minute % BUCKETS] += amount
            self._total += amount

    def wait(self, now: float, limit: float) -> float:
        """Return the seconds until less than ``limit`` was spent in a day; 0 if it is so now."""
        self._forget(now)
        over = self._total - max(1, round(limit * PER_DOLLAR))
        if over < 0:
            return 0.0
        minute = self._minute - BUCKETS
        while over >= 0:
            minute += 1
            over -= self._spent[minute % BUCKETS]
        return round((minute + BUCKETS) * BUCKET - now, DIGITS)

    def nothing(self, now: float) -> bool:
        self._forget(now)
        return self._total == 0

    def _forget(self, now: float) -> None:
        """Empty the buckets that became older than a day."""
        minute = _minute(now)
        for old in range(max(self._minute, minute - BUCKETS) + 1, minute + 1):
            self._total -= self._spent[old % BUCKETS]
            self._spent[old % BUCKETS] = 0
        self._minute = minute


def _minute(now: float) -> int:
    return math.floor((now + SLACK) / BUCKET)
