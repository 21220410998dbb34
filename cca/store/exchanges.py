"""What each request came to: its model, its tokens, how long it took. No text of it."""

import sqlite3
from collections.abc import Callable

from attrs import astuple, define, field, fields, frozen

from cca.model import Event, Failed, Finished, Started, Usage

ABANDONED = "abandoned"
"""The outcome of a request whose client left."""


@frozen
class Exchange:
    """One request and its answer. Times are in seconds; ``outcome`` is a stop reason, a status, or "abandoned"."""

    request_id: str
    began_at: float
    dialect: str
    model: str
    outcome: str
    first_event: float | None
    duration: float
    usage: Usage


@define
class Tally:
    """Counts up what one request comes to. ``began`` and the times given are of one clock, in seconds."""

    request_id: str
    began_at: float
    dialect: str
    model: str
    began: float
    _first_event: float | None = field(default=None, init=False)
    _outcome: str = field(default=ABANDONED, init=False)
    _usage: Usage = field(factory=Usage, init=False)

    def note(self, time: Callable[[], float], event: Event) -> None:
        """Take in an event that went out."""
        if self._first_event is None:
            self._first_event = time() - self.began
        match event:
            case Started(_, model, usage):
                self.model, self._usage = model, usage
            case Finished(stop_reason, _, usage):
                self._outcome, self._usage = stop_reason, usage
            case Failed(error):
                self._outcome = str(error.status)
            case _:
                pass

    def exchange(self, ended: float) -> Exchange:
        return Exchange(
            self.request_id,
            self.began_at,
            self.dialect,
            self.model,
            self._outcome,
            self._first_event,
            ended - self.began,
            self._usage,
        )


_COLUMNS = [each.name for each in (*fields(Exchange)[:-1], *fields(Usage))]
_INSERT = f"INSERT INTO exchange ({', '.join(_COLUMNS)}) VALUES ({', '.join('?' for _ in _COLUMNS)})"  # noqa: S608


def add(connection: sqlite3.Connection, exchange: Exchange) -> None:
    *values, _ = astuple(exchange, recurse=False)
    connection.execute(_INSERT, [*values, *astuple(exchange.usage)])


def latest(connection: sqlite3.Connection, count: int) -> list[Exchange]:
    """Return the last ``count`` exchanges, the newest first."""
    rows = connection.execute(f"SELECT {', '.join(_COLUMNS)} FROM exchange ORDER BY id DESC LIMIT ?", [count])  # noqa: S608
    width = len(fields(Exchange)) - 1
    return [Exchange(*[*row[:width], Usage(*row[width:])]) for row in rows]
