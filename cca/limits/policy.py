"""What a key, or the whole server, may use; and what is left of it."""

import math
import re

import attrs
from attrs import frozen

EXAMPLE = "rpm=60,tpm=100000,concurrent=4,usd_per_day=5"

MOST = 1_000_000_000
"""The largest limit: more than any machine does, and exact in the arithmetic behind it."""

LEAST_USD = 0.000_001


@frozen(kw_only=True)
class Limits:
    """``None`` is no limit. Requests and tokens are those of a minute; a day is any 24 hours."""

    rpm: int | None = None
    tpm: int | None = None
    concurrent: int | None = None
    usd_per_day: float | None = None


NO_LIMITS = Limits()

NAMES = tuple(field.name for field in attrs.fields(Limits))


@frozen
class Window:
    """Where one limit stands. ``reset`` is the seconds until all of it is there again, if nothing else comes."""

    limit: int
    remaining: int
    reset: float


@frozen
class Standing:
    """Where a client stands, by the tighter of its key's limit and the server's; ``None`` where there is none."""

    requests: Window | None
    tokens: Window | None


def parse_limits(given: str) -> Limits:
    """Return the limits that ``given`` spells, as in ``EXAMPLE``; "" is none.

    Raise ``ValueError``, with what is possible, for anything else.
    """
    limits: dict[str, int | float] = {}
    for entry in given.split(",") if given.strip() else ():
        name, equals, number = (part.strip() for part in entry.partition("="))
        if not equals or name not in NAMES:
            raise ValueError(f"{entry.strip()!r} is no limit; possible are {', '.join(NAMES)}, as in {EXAMPLE}")
        if name in limits:
            raise ValueError(f"{name} is there twice; give it once, as in {EXAMPLE}")
        limits[name] = _dollars(name, number) if name == "usd_per_day" else _count(name, number)
    return Limits(**limits)  # type: ignore[arg-type]


def spelled(limits: Limits) -> str:
    """Return what ``parse_limits`` reads as ``limits``; "" for none."""
    given = attrs.asdict(limits)
    return ",".join(f"{name}={_plain(given[name])}" for name in NAMES if given[name] is not None)


def _count(name: str, number: str) -> int:
    # At most ten digits: int() would read others', underscores, and thousands of digits.
    if not re.fullmatch(r"[0-9]{1,10}", number) or not 1 <= int(number) <= MOST:
        raise ValueError(f"{name}={number} cannot be used; it is a whole number from 1 to {MOST}, as in {EXAMPLE}")
    return int(number)


def _dollars(name: str, number: str) -> float:
    try:
        dollars = float(number)
    except ValueError:
        dollars = math.nan
    if not LEAST_USD <= dollars <= MOST:
        raise ValueError(
            f"{name}={number} cannot be used; it is US dollars, from {_plain(LEAST_USD)} to {MOST}, as in {EXAMPLE}"
        )
    return dollars


def _plain(number: float) -> str:
    """Return ``number`` with all of its digits, and no more: 5.0 is 5."""
    return str(number).removesuffix(".0")
