"""What was used, summed up by day, key and model."""

import sqlite3
from collections.abc import Sequence
from typing import Literal, TypeAlias

from attrs import frozen

Grouping: TypeAlias = Literal["day", "key", "model"]

GROUPINGS: tuple[Grouping, ...] = ("day", "key", "model")

_EXPRESSIONS: dict[Grouping, str] = {
    # Whole seconds: SQLite would round the last half millisecond of a day up to the next one.
    "day": "strftime('%Y-%m-%d', CAST(began_at AS INTEGER), 'unixepoch')",
    "key": "exchange.key",
    "model": "exchange.model",
}

_SUMS = {
    "requests": "count(*)",
    "completed": "sum(outcome GLOB '[a-z]*' AND outcome != 'abandoned')",
    "input_tokens": "sum(input_tokens)",
    "output_tokens": "sum(output_tokens)",
    "cache_read_tokens": "sum(cache_read_tokens)",
    "cache_write_tokens": "sum(cache_write_tokens)",
    "reasoning_tokens": "sum(reasoning_tokens)",
    "cost_usd": "sum(cost)",
    "duration": "sum(duration)",
}


@frozen(kw_only=True)
class Used:
    """A row of a report; what it is not grouped by is ``None``. Days are UTC, durations in seconds.

    ``completed`` is how many of the requests came to their end: the others failed, or their client left.
    """

    day: str | None = None
    key: str | None = None
    key_name: str | None = None
    model: str | None = None
    requests: int
    completed: int
    input_tokens: int
    output_tokens: int
    cache_read_tokens: int
    cache_write_tokens: int
    reasoning_tokens: int
    cost_usd: float
    duration: float


def report(
    connection: sqlite3.Connection,
    since: float,
    until: float,
    by: Sequence[Grouping],
    key: str | None = None,
) -> list[Used]:
    """Return what was used from ``since`` to before ``until``, in seconds since the epoch; of one key, or of all."""
    columns: dict[str, str] = {name: _EXPRESSIONS[name] for name in by}
    if "key" in by:
        columns["key_name"] = "key.name"
    shown = ", ".join(f"{expression} AS {name}" for name, expression in {**columns, **_SUMS}.items())
    groups = ", ".join(_EXPRESSIONS[name] for name in by)
    query = (
        f"SELECT {shown} FROM exchange LEFT JOIN key ON key.id = exchange.key "  # noqa: S608 - names of ours
        "WHERE began_at >= ? AND began_at < ? AND (? IS NULL OR exchange.key = ?)"
        f"{f' GROUP BY {groups} ORDER BY {groups}' if by else ' HAVING count(*)'}"
    )
    names = [*columns, *_SUMS]
    rows = connection.execute(query, [since, until, key, key])
    return [Used(**dict(zip(names, row, strict=True))) for row in rows]
