"""What is noted of a request for one line of the log: who asked which route, and what it came to, and nothing said."""

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager

from attrs import define, field

from cca.logs import FIELDS
from cca.model import Json
from cca.tally import Tally

log = logging.getLogger(__name__)

NO_ROUTE = "(no route)"
"""In the place of a path that is none of ours, which can say anything."""

LEFT = 499
"""The status of a request whose client left before there was one, by the custom of nginx."""

REQUEST_ID = b"x-request-id"


@define
class Noted:
    """``tallies`` count an answer as it goes out; ``key`` is the id of the one that asked."""

    method: str
    route: str = NO_ROUTE
    status: int = LEFT
    request_id: str | None = None
    key: str | None = None
    tallies: Sequence[Tally] = field(factory=tuple)

    def take(self, tallies: Sequence[Tally]) -> None:
        """Take in what counts the answer."""
        self.tallies = tallies

    def begin(self, status: int, headers: Iterable[tuple[bytes, bytes]]) -> None:
        """Take in the head of the response."""
        self.status = status
        self.request_id = next((value.decode("latin-1") for name, value in headers if name.lower() == REQUEST_ID), None)

    def fields(self) -> Iterator[tuple[str, Json]]:
        """Yield what is known."""
        if self.request_id is not None:
            yield "request", self.request_id
        if self.key is not None:
            yield "key", self.key
        if self.tallies:
            exchanges = [tally.exchange() for tally in self.tallies]
            yield "model", exchanges[0].model
            yield "outcome", exchanges[0].outcome
            yield "in", sum(exchange.usage.prompt_tokens for exchange in exchanges)
            yield "out", sum(exchange.usage.output_tokens for exchange in exchanges)


@contextmanager
def logged(noted: Noted, now: Callable[[], float]) -> Iterator[None]:
    """Log a line about the request that is handled in here, whatever becomes of it. ``now`` is in seconds."""
    began = now()
    try:
        yield
    finally:
        if log.isEnabledFor(logging.INFO):
            ms = round((now() - began) * 1000)
            fields = {"method": noted.method, "route": noted.route, "status": noted.status, "ms": ms}
            log.info("answered", extra={FIELDS: fields | dict(noted.fields())})
