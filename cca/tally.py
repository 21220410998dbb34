"""What one request comes to, counted up as its events go out."""

from collections.abc import Callable

from attrs import define, evolve, field

from cca.errors import CcaError
from cca.estimate import BYTES_PER_TOKEN
from cca.message import Message
from cca.model import Event, Failed, Finished, Usage
from cca.prices import Prices
from cca.store.exchanges import Exchange
from cca.store.turns import Answered, Status, is_of_use

ABANDONED = "abandoned"
"""The outcome of a request whose client left."""


@define
class Tally:
    """``began`` and what ``time`` returns are of one clock, in seconds; ``began_at`` is the wall clock.

    ``asked_tokens`` is about what goes in, once a process was asked. ``complete`` is for whoever tells the client of
    the end to say: until then the client has less than the whole answer.
    """

    request_id: str
    began_at: float
    dialect: str
    key: str | None
    model: str
    prices: Prices
    time: Callable[[], float]
    message: Message = field(factory=Message, init=False)
    began: float = field(init=False)
    asked_tokens: int = field(default=0, init=False)
    complete: bool = field(default=False, init=False)
    _failure: CcaError | None = field(default=None, init=False)
    _first_event: float | None = field(default=None, init=False)
    _cost: float | None = field(default=None, init=False)

    @began.default
    def _now(self) -> float:
        return self.time()

    def note(self, event: Event) -> None:
        """Take in an event that goes out."""
        if isinstance(event, Failed):
            self._failure = event.error
            return
        if self._first_event is None:
            self._first_event = self.time() - self.began
        self.message.take(event)
        if isinstance(event, Finished):
            self._cost = event.cost

    @property
    def outcome(self) -> str:
        """A stop reason, a status, or "abandoned"."""
        if self._failure is not None:
            return str(self._failure.status)
        return self.message.stop_reason or ABANDONED if self.complete else ABANDONED

    @property
    def begun(self) -> bool:
        """Whether the model began to answer."""
        return bool(self.message.model)

    @property
    def usage(self) -> Usage:
        """The tokens. Of an answer without an end they are what went out, roughly, where that is more.

        Of one that the client left before it began they are what was asked: the model's API may have it by then.
        """
        counted = self.message.usage
        if self.message.stop_reason is not None:
            return counted
        if not self.begun and self._failure is None:
            return Usage(input_tokens=self.asked_tokens)
        size = sum(len(piece.encode()) for part in self.message.parts for piece in part.pieces)
        return evolve(counted, output_tokens=max(counted.output_tokens, size // BYTES_PER_TOKEN))

    @property
    def tokens(self) -> int:
        return self.usage.total_tokens

    @property
    def cost(self) -> float:
        """In US dollars: what Claude Code said, or else what the tokens cost by the table of prices."""
        return self.prices.cost(self.message.model or self.model, self.usage) if self._cost is None else self._cost

    def status(self, *, stream: bool) -> Status:
        """Return what the client has of the answer."""
        if self.complete and self._failure is None:
            return "completed"
        return "incomplete" if stream and is_of_use(self.message) else "undelivered"

    def exchange(self) -> Exchange:
        return Exchange(
            self.request_id,
            self.began_at,
            self.dialect,
            self.key,
            self.message.model or self.model,
            self.outcome,
            self._first_event,
            self.time() - self.began,
            self.cost,
            self.usage,
        )

    def answered(self) -> Answered:
        exchange = self.exchange()
        return Answered(
            exchange.model,
            exchange.outcome,
            exchange.first_event,
            exchange.duration,
            exchange.usage,
            exchange.cost,
        )
