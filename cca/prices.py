"""What tokens cost, where Claude Code did not say: US dollars per million tokens, by a model's name."""

import math
from collections.abc import Sequence
from fnmatch import fnmatchcase

from attrs import frozen

from cca.model import Usage

MILLION = 1_000_000


@frozen
class Price:
    """US dollars per million tokens."""

    input: float
    output: float
    cache_read: float
    cache_write: float

    def of(self, usage: Usage) -> float:
        """Return what ``usage`` costs in US dollars. Reasoning tokens are output tokens, and counted there."""
        return (
            usage.input_tokens * self.input
            + usage.output_tokens * self.output
            + usage.cache_read_tokens * self.cache_read
            + usage.cache_write_tokens * self.cache_write
        ) / MILLION


@frozen
class Prices:
    """A table of prices: the first pattern that fits a model's name counts, and without one it costs nothing."""

    rows: tuple[tuple[str, Price], ...]

    def cost(self, model: str, usage: Usage) -> float:
        found = (price for pattern, price in self.rows if fnmatchcase(model, pattern))
        price = next(found, None)
        return 0.0 if price is None else price.of(usage)


def prices_of(rows: Sequence[str]) -> Prices:
    """Return the table of rows ``PATTERN=INPUT/OUTPUT/CACHE_READ/CACHE_WRITE``.

    Raise ``ValueError`` that quotes a row which is not one.
    """
    return Prices(tuple(_row(row) for row in rows))


def _row(row: str) -> tuple[str, Price]:
    pattern, _, price = row.partition("=")
    try:
        numbers = [float(number) for number in price.split("/")]
    except ValueError:
        numbers = []
    if not pattern.strip() or len(numbers) != 4 or not all(0 <= number < math.inf for number in numbers):
        raise ValueError(
            f"{row!r} is not PATTERN=INPUT/OUTPUT/CACHE_READ/CACHE_WRITE, in US dollars per million tokens"
        )
    return pattern.strip(), Price(*numbers)
