"""Where a client stands, as headers. Sources: the guides on rate limits of OpenAI and Anthropic, "headers"."""

import math
from collections.abc import Mapping

from cca.limits.policy import Standing, Window

DAY = 86_400


def rate_headers(standing: Standing, now: float) -> Mapping[str, str]:
    """Return OpenAI's and Anthropic's headers. ``now`` is the wall clock, in seconds since the epoch."""
    headers: dict[str, str] = {}
    for what, window in (("requests", standing.requests), ("tokens", standing.tokens)):
        if window is not None:
            headers |= _openai(what, window) | _anthropic(what, window, now)
    return headers


def _openai(what: str, window: Window) -> dict[str, str]:
    return {
        f"x-ratelimit-limit-{what}": str(window.limit),
        f"x-ratelimit-remaining-{what}": str(window.remaining),
        f"x-ratelimit-reset-{what}": duration(window.reset),
    }


def _anthropic(what: str, window: Window, now: float) -> dict[str, str]:
    return {
        f"anthropic-ratelimit-{what}-limit": str(window.limit),
        f"anthropic-ratelimit-{what}-remaining": str(window.remaining),
        f"anthropic-ratelimit-{what}-reset": moment(math.ceil(now + window.reset)),
    }


def duration(seconds: float) -> str:
    """Return a duration as OpenAI writes it, as Go does: 120ms, 8.64s, 6m0s, 1h0m0s. Up to the next millisecond."""
    milliseconds = math.ceil(round(seconds * 1000, 3))
    if 0 < milliseconds < 1000:
        return f"{milliseconds}ms"
    minutes, milliseconds = divmod(milliseconds, 60_000)
    hours, minutes = divmod(minutes, 60)
    parts = [f"{hours}h"] * (hours > 0) + [f"{minutes}m"] * (hours > 0 or minutes > 0)
    return "".join(parts) + f"{milliseconds / 1000:.3f}".rstrip("0").rstrip(".") + "s"


def moment(seconds: int) -> str:
    """Return a time since the epoch by RFC 3339, in UTC: 2026-11-22T19:40:44Z.

    By arithmetic, as ``datetime`` can tell the time too, and a room without I/O does not have it. Source: Howard
    Hinnant, "chrono-Compatible Low-Level Date Algorithms", civil_from_days.
    """
    days, second = divmod(seconds, DAY)
    era, day_of_era = divmod(days + 719_468, 146_097)
    year_of_era = (day_of_era - day_of_era // 1460 + day_of_era // 36_524 - day_of_era // 146_096) // 365
    day_of_year = day_of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    month_from_march = (5 * day_of_year + 2) // 153
    day = day_of_year - (153 * month_from_march + 2) // 5 + 1
    month = (month_from_march + 2) % 12 + 1
    year = era * 400 + year_of_era + (month <= 2)
    return f"{year:04}-{month:02}-{day:02}T{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}Z"
