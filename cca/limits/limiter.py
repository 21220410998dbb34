"""Who may make a request now: by the limits of its key, and by those of the whole server.

All of it is synchronous: between asking whether a request may come and counting it, no other task runs.
"""

import math
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from attrs import define, field, frozen

from cca.errors import RateLimited
from cca.limits.account import Account
from cca.limits.policy import Limits, Standing, Window
from cca.limits.rates import Rate

SWEPT = 2
"""Keys looked at with each request, to forget the idle ones: more than one request can add, so that they do go."""


@define
class Limiter:
    """``overall`` is for all keys together. ``clock`` gives seconds, and never goes back.

    What it takes for a request does not grow with the number of keys or requests, and its memory is that of the keys
    whose use still counts.
    """

    overall: Limits
    clock: Callable[[], float]
    _server: Account = field(init=False)
    _keys: OrderedDict[str, Account] = field(factory=OrderedDict, init=False)

    def __attrs_post_init__(self) -> None:
        self._server = Account("This server")
        self._server.adopt(self.overall)

    @contextmanager
    def admit(self, key_id: str | None, limits: Limits, tokens: int) -> "Iterator[Grant]":
        """Let a request of about ``tokens`` in, by the key's ``limits`` as they are now; ``None`` has no key.

        Raise ``RateLimited`` where any limit refuses it: then nothing is charged anywhere. Its ``retry_after`` is that
        of the limit that takes the longest; there is none where waiting is no use. At the end of the context a request
        that was not settled gives back its place among those at once, and its tokens.
        """
        now = self.clock()
        self._forget_idle(now)
        accounts = (self._server, *self._key(key_id, limits))
        refusals = [refusal for account in accounts for refusal in account.refusals(now, tokens)]
        if refusals:
            raise max(refusals, key=_wait)
        grant = Grant(self.clock, tuple(_Admitted.to(account, now, tokens) for account in accounts))
        try:
            yield grant
        finally:
            grant.close()

    def standing(self, key_id: str | None, limits: Limits) -> Standing | None:
        """Return where a client stands now, by the tighter of its key's limits and the server's; ``None`` without."""
        now = self.clock()
        account = self._keys.get(key_id) if key_id is not None else None
        account = account or Account("This API key")
        account.adopt(limits)
        both = (self._server, account)
        requests = _tighter(now, [each.requests for each in both])
        tokens = _tighter(now, [each.tokens for each in both])
        return Standing(requests, tokens) if requests or tokens else None

    def seed(self, key_id: str | None, age: float, cost: float) -> None:
        """Count what a key spent ``age`` seconds ago, in US dollars: before a restart of the server."""
        now = self.clock()
        self._server.spend(now, age, cost)
        if key_id is not None:
            self._keys.setdefault(key_id, Account("This API key")).spend(now, age, cost)

    def _key(self, key_id: str | None, limits: Limits) -> tuple[Account, ...]:
        if key_id is None:
            return ()
        account = self._keys.setdefault(key_id, Account("This API key"))
        account.adopt(limits)
        return (account,)

    def _forget_idle(self, now: float) -> None:
        """Look at the keys that were not looked at for longest, and forget those that nothing counts of."""
        for _ in range(min(SWEPT, len(self._keys))):
            key_id, account = self._keys.popitem(last=False)
            if not account.drained(now):
                self._keys[key_id] = account


@define
class Grant:
    """A request that was let in. It is ``open`` until it is settled, or over."""

    _clock: Callable[[], float]
    _admitted: "tuple[_Admitted, ...]"
    open: bool = field(default=True, init=False)

    def settle(self, tokens: int, cost: float) -> None:
        """Charge what the request came to, in tokens and US dollars, and give its place back to another one.

        Without it, the request came to nothing. Raise ``RuntimeError`` the second time, and after the context's end.
        """
        if not self.open:
            raise RuntimeError("This request was settled, or is over: settle once, within the context of its grant.")
        self.open = False
        now = self._clock()
        for each in self._admitted:
            each.settle(now, max(0, tokens), cost)

    def close(self) -> None:
        """Give back what the request holds."""
        if self.open:
            self.open = False
            for each in self._admitted:
                each.release()


@frozen
class _Admitted:
    """A request's place in one account. Its tokens are charged where they were reserved, whatever limits changed."""

    account: Account
    rate: Rate | None
    reserved: int

    @classmethod
    def to(cls, account: Account, now: float, tokens: int) -> "_Admitted":
        account.running += 1
        if account.requests is not None:
            account.requests.charge(now, 1)
        if account.tokens is not None:
            account.tokens.reserve(tokens)
        return cls(account, account.tokens, tokens)

    def settle(self, now: float, tokens: int, cost: float) -> None:
        self.release()
        if self.rate is not None:
            self.rate.charge(now, tokens)
        self.account.spend(now, 0.0, cost)

    def release(self) -> None:
        self.account.running -= 1
        if self.rate is not None:
            self.rate.release(self.reserved)


def _wait(refusal: RateLimited) -> float:
    return math.inf if refusal.retry_after is None else refusal.retry_after


def _tighter(now: float, rates: list[Rate | None]) -> Window | None:
    windows = [rate.window(now) for rate in rates if rate is not None]
    return min(windows, key=lambda window: (window.remaining, window.limit), default=None)
