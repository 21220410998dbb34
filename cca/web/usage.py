"""What was used: a key's own, or everybody's for an admin and on a machine without keys."""

import re
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from attrs import asdict
from quart import Response, g, request

from cca.errors import BadRequest
from cca.service import Service
from cca.store.usage import GROUPINGS, Grouping, report
from cca.web.body import as_json

DAYS = 30
"""That a report covers, unless ``start`` says otherwise."""

EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
"""That a report can begin: nothing was asked before."""

_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)


async def get_usage(service: Service) -> Response:
    """Return the sums from ``start`` to before ``end``, days in UTC, grouped by ``group_by``."""
    start, end = _span(datetime.fromtimestamp(service.now(), UTC))
    by = _grouping()
    key = None if g.principal.may("admin") else g.principal.key_id
    used = await report(service.database, start.timestamp(), end.timestamp(), by, key)
    shown = [{name: value for name, value in asdict(row).items() if name not in _left_out(by)} for row in used.rows]
    body = {
        "object": "usage",
        "start": f"{start:%Y-%m-%d}",
        "end": f"{end:%Y-%m-%d}",
        "group_by": list(by),
        "data": shown,
    }
    return as_json(body)


def _left_out(by: tuple[Grouping, ...]) -> set[str]:
    absent: set[str] = {name for name in GROUPINGS if name not in by}
    return absent | {"key_name"} if "key" in absent else absent


def _span(now: datetime) -> tuple[datetime, datetime]:
    tomorrow = now.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    end = _day("end") or tomorrow
    start = _day("start") or end - min(timedelta(days=DAYS), end - EARLIEST)
    if start >= end:
        raise BadRequest(
            f"start must be before end, which is {end:%Y-%m-%d}; that day is not in the report any more.",
            param="start",
            code="invalid_value",
        )
    return start, end


def _day(name: str) -> datetime | None:
    given = request.args.get(name)
    if given is None:
        return None
    with suppress(ValueError):
        if _DAY.fullmatch(given) and (day := datetime.fromisoformat(given).replace(tzinfo=UTC)) >= EARLIEST:
            return day
    raise BadRequest(f"{name} must be a day from 1970 on, as in 2026-11-22.", param=name, code="invalid_value")


def _grouping() -> tuple[Grouping, ...]:
    given = request.args.get("group_by", "day")
    named = [name for name in given.split(",") if name]
    if any(name not in GROUPINGS for name in named):
        raise BadRequest(
            f"group_by is any of {', '.join(GROUPINGS)}, with commas between them.",
            param="group_by",
            code="invalid_value",
        )
    return tuple(name for name in GROUPINGS if name in named)
