"""The ends that come to answers still under way: the server's grace time is over, or their key is no longer valid."""

import math
from collections.abc import Set as AbstractSet
from types import TracebackType
from typing import Self

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
    """A scope that an end may come to, or else its deadline; ``error`` is what the client is told of an end."""

    key_id: str | None
    _ending: "Ending"
    _scope: trio.CancelScope
    error: CcaError = field(factory=stopped, init=False)
    _came: bool = field(default=False, init=False)

    def __enter__(self) -> Self:
        self._scope.__enter__()
        self._ending.reach(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        self._ending.leave(self)
        return self._scope.__exit__(kind, error, traceback)

    @property
    def cancelled_caught(self) -> bool:
        """Whether an end cancelled what was done in it."""
        return self._came and self._scope.cancelled_caught

    def end(self, error: CcaError) -> None:
        """Cancel the scope; the first error counts."""
        if not self._scope.cancel_called:
            self.error, self._came = error, True
            self._scope.cancel()


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

    def bound(self, key_id: str | None, seconds: float = math.inf) -> Bound:
        """Return a scope of this key's; whoever opens it tells the client its ``error`` when an end cancelled it."""
        return Bound(key_id, self, trio.CancelScope(relative_deadline=seconds))

    def reach(self, bound: Bound) -> None:
        """Let the ends that came, and that come, reach ``bound``."""
        self._bounds.add(bound)
        self._end(bound)

    def leave(self, bound: Bound) -> None:
        self._bounds.discard(bound)

    def _reach(self) -> None:
        for bound in self._bounds:
            self._end(bound)

    def _end(self, bound: Bound) -> None:
        if bound.key_id in self._keys:
            bound.end(withdrawn())
        elif self.over:
            bound.end(stopped())
