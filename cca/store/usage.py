"""What was used, summed up by day, key and model."""

import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from operator import add
from typing import Any, Literal, TypeAlias

from attrs import frozen

from cca.store.database import Database

Grouping: TypeAlias = Literal["day", "key", "model"]

GROUPINGS: tuple[Grouping, ...] = ("day", "key", "model")

PIECE = 20_000
"""Exchanges that one transaction sums up: a million take seconds, and whoever writes would wait for them."""

DAY = 86_400

_EXPRESSIONS: dict[Grouping, str] = {"day": f"CAST(began_at AS INTEGER) / {DAY}", "key": "key", "model": "model"}

_SUMS = {
    "requests": "count(*)",
    "completed": "sum(outcome GLOB '[a-z]*' AND outcome != 'abandoned')",
    "input_tokens": "sum(input_tokens)",
    "output_tokens": "sum(output_tokens)",
    "cache_read_tokens": "sum(cache_read_tokens)",
    "cache_write_tokens": "sum(cache_write_tokens)",
    "reasoning_tokens": "sum(reasoning_tokens)",
    "cost_usd": "sum(cost)",
    "first_event": "total(first_event)",
    "first_events": "count(first_event)",
    "duration": "sum(duration)",
}

Group: TypeAlias = tuple[int | str | None, ...]
"""What a row is grouped by: a day since the epoch, the id of a key, a model."""

Sums: TypeAlias = Sequence[float]
"""As ``_SUMS`` names them."""


@frozen(kw_only=True)
class Used:
    """A row of a report; what it is not grouped by is ``None``. Days are UTC.

    ``completed`` is how many of the requests came to their end: the others failed, or their client left. Seconds are
    averages: ``first_event``, to the first event of the answer, of those requests that had one; ``duration`` of all.
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
    first_event: float | None
    duration: float


@frozen
class Report:
    """``total`` is ``None`` where nothing was used."""

    rows: Sequence[Used]
    total: Used | None


async def report(
    database: Database, since: float, until: float, by: Sequence[Grouping], key: str | None = None
) -> Report:
    """Return what was used from ``since`` to before ``until``, in seconds since the epoch; of one key, or of all.

    It is read in pieces: others write between them. Raise ``Unavailable`` as the database does.
    """
    found: defaultdict[Group, Sums] = defaultdict(lambda: [0] * len(_SUMS))
    start: float | None = since
    while start is not None:
        start, groups = await database.read(partial(piece, since=start, until=until, by=by, key=key))
        for group, sums in groups:
            found[group] = [*map(add, found[group], sums)]
    names = await database.read(lambda connection: dict(connection.execute("SELECT id, name FROM key").fetchall()))
    ordered = sorted(found.items(), key=lambda row: ["" if each is None else each for each in row[0]])
    rows = [_used(dict(zip(by, group, strict=True)), sums, names) for group, sums in ordered]
    total = _used({}, [sum(column) for column in zip(*found.values(), strict=True)], {}) if found else None
    return Report(rows, total)


def piece(
    connection: sqlite3.Connection, since: float, until: float, by: Sequence[Grouping], key: str | None
) -> tuple[float | None, Iterable[tuple[Group, Sums]]]:
    """Return where the next piece begins, if there is one, and the groups of this one with their sums."""
    span = "FROM exchange WHERE began_at >= ? AND began_at < ?"
    found = connection.execute(
        f"SELECT began_at {span} AND began_at > ? ORDER BY began_at LIMIT 1 OFFSET ?",
        [since, until, since, PIECE - 1],
    ).fetchone()
    [end] = found or [until]
    shown = ", ".join([*(_EXPRESSIONS[name] for name in by), *_SUMS.values()])
    groups = f" GROUP BY {', '.join(_EXPRESSIONS[name] for name in by)}" if by else ""
    rows = connection.execute(
        f"SELECT {shown} {span} AND (? IS NULL OR key = ?){groups}",
        [since, end, key, key],
    )
    split = [(row[: len(by)], row[len(by) :]) for row in rows]
    # Without groups, SQLite has one row of nothing, too.
    return (found and end), [(group, sums) for group, sums in split if sums[0]]


def _used(group: Mapping[Grouping, int | str | None], sums: Sums, names: Mapping[str, str]) -> Used:
    named: dict[str, Any] = dict(zip(_SUMS, sums, strict=True))
    events, seconds = named.pop("first_events"), named.pop("first_event")
    named["first_event"] = seconds / events if events else None
    named["duration"] /= named["requests"]
    for name, value in group.items():
        named[name] = f"{datetime.fromtimestamp(int(value or 0) * DAY, UTC):%Y-%m-%d}" if name == "day" else value
    return Used(key_name=names.get(str(group.get("key"))), **named)
