"""``cca usage``: what was used, by day, key and model."""

import argparse
import math
import re
import sys
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime

import orjson
from attrs import asdict

from cca.commands import Subparsers, Surroundings, add_command, moment, opened, reads, table
from cca.errors import BadRequest
from cca.keys import parse_duration
from cca.model import Json
from cca.store.usage import GROUPINGS, Grouping, Report, Used, report

SUMS = {
    "requests": "REQUESTS",
    "completed": "COMPLETED",
    "input_tokens": "IN",
    "cache_read_tokens": "FROM CACHE",
    "cache_write_tokens": "TO CACHE",
    "output_tokens": "OUT",
    "reasoning_tokens": "REASONING",
    "cost_usd": "COST",
    "first_event": "FIRST",
    "duration": "SECONDS",
}
"""The figures of a report, and their headings. Seconds are averages."""

COLUMNS: dict[Grouping, tuple[str, ...]] = {"day": ("day",), "key": ("key", "key_name"), "model": ("model",)}
"""What a report has for each of its groupings."""

NOTHING = "-"

EARLIEST = 0.0
"""Seconds since the epoch, that a report can begin: nothing was asked before."""

_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)


def add_usage(commands: Subparsers) -> None:
    """Add ``usage``."""
    parser = add_command(commands, "usage", "sum up the tokens, the cost and the time of requests", _usage)
    parser.add_argument(
        "--since",
        type=reads(_read_since),
        default="30d",
        help="how long before --until, as in 12h, or a day (UTC); 30d by default",
    )
    parser.add_argument("--until", type=reads(_read_day), help="the day (UTC) before which it ends; now by default")
    parser.add_argument(
        "--by",
        type=reads(_read_groupings),
        default="day",
        help=f"any of {','.join(GROUPINGS)}; day by default, and '' is the totals alone",
    )
    parser.add_argument("--json", action="store_true", help="as JSON; times are in seconds")


async def _usage(flags: argparse.Namespace, around: Surroundings) -> None:
    now = around.now()
    # What began at this very moment is of it.
    until = math.nextafter(now, math.inf) if flags.until is None else flags.until.timestamp()
    since = flags.since.timestamp() if isinstance(flags.since, datetime) else max(EARLIEST, until - flags.since)
    if since >= until:
        raise BadRequest(f"--since is {moment(since)}, and must be before --until, {moment(until)}.")
    async with opened(flags, around) as database:
        used = await report(database, since, until, flags.by)
    columns = [column for grouping in flags.by for column in COLUMNS[grouping]]
    if flags.json:
        print(_json(since, until, columns, used))
    elif used.total is not None:
        print(_table(columns, used.rows, used.total), end="")
    else:
        print(f"There was no request from {moment(since)} to {moment(until)}.", file=sys.stderr)


def _json(since: float, until: float, columns: Sequence[str], used: Report) -> str:
    body = {
        "since": since,
        "until": until,
        "rows": [_object(row, [*columns, *SUMS]) for row in used.rows],
        "total": None if used.total is None else _object(used.total, list(SUMS)),
    }
    return orjson.dumps(body, option=orjson.OPT_INDENT_2).decode()


def _object(row: Used, names: Sequence[str]) -> Json:
    values = asdict(row)
    return {name: values[name] for name in names}


def _table(columns: Sequence[str], rows: Sequence[Used], total: Used) -> str:
    """Return a table whose last line has the totals. Numbers stand to the right."""
    shown = [*(rows if columns else ()), total]
    names = ["total", *[""] * len(columns)]
    named = [
        [column.replace("_", " ").upper(), *(str(getattr(row, column) or NOTHING) for row in rows), name]
        for column, name in zip(columns, names, strict=False)
    ]
    sums = [_right([heading, *(_sum(name, getattr(row, name)) for row in shown)]) for name, heading in SUMS.items()]
    heading, *lines = zip(*named, *sums, strict=True)
    return table(heading, lines)


def _sum(name: str, value: float | None) -> str:
    match name:
        case _ if value is None:
            return NOTHING
        case "cost_usd":
            return f"${value:.6f}"
        case "first_event" | "duration":
            return f"{value:.1f}"
        case _:
            return str(value)


def _right(column: Sequence[str]) -> list[str]:
    width = max(map(len, column))
    return [each.rjust(width) for each in column]


def _read_since(given: str) -> datetime | float:
    return _read_day(given) if _DAY.fullmatch(given) else parse_duration(given)


def _read_day(given: str) -> datetime:
    with suppress(ValueError):
        day = datetime.fromisoformat(given).replace(tzinfo=UTC)
        if _DAY.fullmatch(given) and day.timestamp() >= EARLIEST:
            return day
    raise ValueError(f"{given!r} is no day from 1970 on; say one as in 2026-11-22")


def _read_groupings(given: str) -> tuple[Grouping, ...]:
    named = [name.strip() for name in given.split(",") if name.strip()]
    if any(name not in GROUPINGS for name in named):
        raise ValueError(f"{given!r} is none of {', '.join(GROUPINGS)}, with commas between them")
    return tuple(name for name in GROUPINGS if name in named)
