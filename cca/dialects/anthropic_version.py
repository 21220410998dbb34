"""The versions of Anthropic's API: a request says by a date in its header which one it means."""

import re
from collections.abc import Sequence

from cca.errors import BadRequest

VERSION_HEADER = "anthropic-version"

VERSIONS = ("2023-06-01", "2026-10-21")
"""Those that differ in what cca does, the oldest first."""

_DATE = re.compile(r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])", re.ASCII)


def version_of(sent: Sequence[str]) -> str:
    """Return the version that a request with these headers means, the oldest without one.

    A date on which no version came out means the one before it. Raise ``BadRequest`` for what is no date, for one
    before the oldest version, and for two that differ.
    """
    date, *others = dict.fromkeys(sent) or VERSIONS[:1]
    if not others and _DATE.fullmatch(date) and date >= VERSIONS[0]:
        return max(version for version in VERSIONS if version <= date)
    said = "has two values" if others else f"is {date[:40]!r}"
    raise BadRequest(
        f"The header {VERSION_HEADER} must be one date from {VERSIONS[0]} on, and {said}. "
        f"cca speaks {' and '.join(VERSIONS)}.",
        code="invalid_version",
    )
