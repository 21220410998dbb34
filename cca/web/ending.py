"""The ends that come to answers still under way: the server's grace time is over, or their key is no longer valid."""

from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from contextlib import contextmanager

import trio
from attrs import define, field

from cca.errors import CcaError, Unauthorized, Unavailable
from cca.keys import INVALID


def stopped() -> CcaError:
    return Unavailable("cca was stopped before this answer was complete. Send the request again.")


def withdrawn() -> CcaError:
    return Unauthorized(
        "The API key was revoked or has expired, and this answer with it. Ask whoever runs this cca for a new key.",
        code=INVALID,
    )


@define(eq=False)
class Bound:
    """A scope that an end may come to; ``error`` is what the client is then told."""

    key_id: str | None
    scope: trio.CancelScope
    error: CcaError = field(factory=stopped, init=False)

    @property
    def cancelled_caught(self) -> bool:
        return self.scope.cancelled_caught

    def end(self, error: CcaError) -> None:
        """Cancel the scope; the first error counts."""
        if not self.scope.cancel_called:
            self.error = error
            self.scope.cancel()


@define
class Ending:
    """Scopes that are cancelled when an end comes to them, and from then on as soon as they are opened."""

    over: bool = field(default=False, init=False)
    _keys: AbstractSet[str] = field(default=frozenset(), init=False)
    _bounds: set[Bound] = field(factory=set, init=False)

    def come(self) -> None:
        """End all."""
        self.over = True
        self._reach()

    def come_to(self, keys: AbstractSet[str]) -> None:
        """End what the keys with these ids began. They are all that have ended: one that is not named may go on."""
        self._keys = keys
        self._reach()

    @contextmanager
    def bound(self, key_id: str | None) -> Iterator[Bound]:
        """Open a scope of this key's; whoever opened it tells the client its ``error`` when it was cancelled."""
        with trio.CancelScope() as scope:
            bound = Bound(key_id, scope)
            self._bounds.add(bound)
            self._end(bound)
            try:
                yield bound
            finally:
                self._bounds.discard(bound)

    def _reach(self) -> None:
        for bound in self._bounds:
            self._end(bound)

    def _end(self, bound: Bound) -> None:
        if bound.key_id in self._keys:
            bound.end(withdrawn())
        elif self.over:
            bound.end(stopped())
