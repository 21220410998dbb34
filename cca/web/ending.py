"""The end of the server's grace time, for the answers that are still under way: each ends with an error of its own."""

from collections.abc import Iterator
from contextlib import contextmanager

import trio
from attrs import define, field

from cca.errors import CcaError, Unavailable


@define
class Ending:
    """Scopes that are cancelled when the grace time is over, and from then on as soon as they are opened."""

    over: bool = field(default=False, init=False)
    _scopes: set[trio.CancelScope] = field(factory=set, init=False)

    def come(self) -> None:
        self.over = True
        for scope in self._scopes:
            scope.cancel()

    @contextmanager
    def bound(self) -> Iterator[trio.CancelScope]:
        """Open a scope; whoever opened it says ``stopped()`` to the client when it was cancelled."""
        with trio.CancelScope() as scope:
            self._scopes.add(scope)
            if self.over:
                scope.cancel()
            try:
                yield scope
            finally:
                self._scopes.discard(scope)


def stopped() -> CcaError:
    return Unavailable("cca was stopped before this answer was complete. Send the request again.")
