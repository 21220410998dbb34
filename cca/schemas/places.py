"""Places in a value or in a schema: made for all that is looked at, and written out for the one that is told of.

So a place is a link to the one around it, and takes no time in proportion to its length, which is a client's.
"""

from typing import TypeAlias

Place: TypeAlias = "tuple[Place | None, str | int]"

LONGEST = 60
"""Characters of a name, or of a keyword's value, that a message shows."""

MOST = 40
"""Steps of a place that a message shows, from its inside."""


def written(place: Place) -> str:
    steps: list[str] = []
    rest: Place | None = place
    while rest is not None and len(steps) < MOST:
        rest, step = rest
        steps.append(f"[{step}]" if isinstance(step, int) else f".{cut(step)}")
    text = "".join(reversed(steps)).removeprefix(".")
    return text if rest is None else f"...{text}"


def cut(text: str) -> str:
    return text if len(text) <= LONGEST else text[:LONGEST] + "..."
