"""What one key, or the whole server, used of its limits; and what it is told when that is too much."""

import math
from collections.abc import Iterator

from attrs import define, field

from cca.errors import RateLimited, TooManyTokens
from cca.limits.policy import NO_LIMITS, Limits
from cca.limits.rates import Rate, Spending

UNKNOWN = 1.0
"""Seconds to wait where nobody knows how long it takes: until another request has ended."""


@define
class Account:
    """``whose`` begins its messages. What it spent is kept without a limit too: one may be set later in the day."""

    whose: str
    limits: Limits = NO_LIMITS
    requests: Rate | None = field(default=None, init=False)
    tokens: Rate | None = field(default=None, init=False)
    spending: Spending | None = field(default=None, init=False)
    running: int = field(default=0, init=False)

    def adopt(self, limits: Limits) -> None:
        """Let ``limits`` count from now on. What was used stays used."""
        if limits != self.limits:
            self.requests = _changed(self.requests, limits.rpm)
            self.tokens = _changed(self.tokens, limits.tpm)
            self.limits = limits

    def refusals(self, now: float, tokens: int) -> Iterator[RateLimited]:
        """Yield a reason for each limit that refuses a request of about ``tokens``. Nothing is charged."""
        limits = self.limits
        if self.requests is not None and (wait := self.requests.wait(now, 1)):
            yield self._exceeded(f"may make {limits.rpm} requests a minute (rpm={limits.rpm}), and made them", wait)
        if self.tokens is not None and (wait := self.tokens.wait(now, tokens)):
            yield self._too_many_tokens(self.tokens, now, tokens, wait)
        if limits.concurrent is not None and self.running >= limits.concurrent:
            yield self._exceeded(
                f"may have {limits.concurrent} requests under way at once (concurrent={limits.concurrent}), and has",
                UNKNOWN,
            )
        if self.spending is not None and limits.usd_per_day is not None:
            dollars = limits.usd_per_day
            if wait := self.spending.wait(now, dollars):
                yield self._exceeded(
                    f"may spend {dollars:g} US dollars in 24 hours (usd_per_day={dollars:g}), and spent them",
                    wait,
                    code="insufficient_quota",
                )

    def spend(self, now: float, age: float, cost: float) -> None:
        """Count a cost of ``age`` seconds ago, in US dollars."""
        if cost > 0:
            self.spending = self.spending or Spending()
            self.spending.spend(now, cost, age)

    def drained(self, now: float) -> bool:
        """Return whether it is as good as a new one."""
        return (
            self.running == 0
            and (self.requests is None or self.requests.full(now))
            and (self.tokens is None or self.tokens.full(now))
            and (self.spending is None or self.spending.nothing(now))
        )

    def _too_many_tokens(self, rate: Rate, now: float, tokens: int, wait: float) -> RateLimited:
        limit = f"may use {rate.amount} tokens a minute (tpm={rate.amount})"
        if math.isinf(wait):
            return TooManyTokens(
                f"{self.whose} {limit}, and this request is estimated at {tokens}: it never fits. Send less, lower its "
                "max_tokens, or have the limit raised.",
                code="rate_limit_exceeded",
            )
        left = rate.window(now).remaining
        return self._exceeded(f"{limit}; {left} are left, and this request is estimated at {tokens}", wait)

    def _exceeded(self, limit: str, wait: float, code: str = "rate_limit_exceeded") -> RateLimited:
        return RateLimited(
            f"{self.whose} {limit}. Try again in {math.ceil(wait)} s, or have the limit raised.",
            code=code,
            retry_after=wait,
        )


def _changed(rate: Rate | None, amount: int | None) -> Rate | None:
    if rate is None or amount is None:
        return None if amount is None else Rate(amount)
    rate.amount = amount
    return rate
