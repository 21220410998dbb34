"""What cca is to reach, as ratios of the figures of one run, and what it has reached."""

from collections.abc import Iterator, Mapping, Sequence

from attrs import frozen

from tools.bench_turns import BARE_COLD, BARE_WAITING, BARE_WARM, CONFIGURED, FIRST, FOLLOW_UP, TOOLS

CCA, CCA_COLD = "cca", "cca, a process each"

CPU, IDLE, LEFT = "ms of CPU an answer", "MB when idle", "processes left over"

RATE_8, RATE_16 = "answers a second, 8 at once", "answers a second, 16 at once"

REPLAYED = "chunks a second, replayed"

BARE_STREAM = "a bare Quart-Trio stream"

Key = tuple[str, str]
"""Who, and what of it."""


@frozen
class Target:
    """``figure`` is to be at most, or at least, ``limit`` times ``base``; without a base, ``limit`` itself."""

    figure: Key
    base: Key | None
    limit: float
    at_least: bool = False

    def met(self, value: float) -> bool:
        return value >= self.limit if self.at_least else value <= self.limit

    @property
    def wish(self) -> str:
        unit = "" if self.base is None else " x"
        return f"{'at least' if self.at_least else 'at most'} {self.limit:g}{unit}"


TARGETS = (
    Target((CCA, FIRST), (BARE_WAITING, FIRST), 1.2),
    Target((CCA, CONFIGURED), (BARE_WAITING, FIRST), 1.8),
    Target((CCA, FIRST), (BARE_COLD, FIRST), 0.35),
    Target((CCA, FOLLOW_UP), (BARE_WARM, FOLLOW_UP), 1.25),
    Target((CCA, TOOLS), (BARE_WARM, FOLLOW_UP), 1.8),
    Target((CCA, RATE_8), (BARE_COLD, RATE_8), 0.9, at_least=True),
    Target((CCA, RATE_16), (BARE_COLD, RATE_16), 0.9, at_least=True),
    Target((CCA, CPU), None, 10),
    Target((CCA, IDLE), None, 60),
    Target((CCA, LEFT), None, 0),
    Target((CCA, REPLAYED), (BARE_STREAM, REPLAYED), 0.7, at_least=True),
)


@frozen
class Reached:
    """A target, and what was reached: ``value`` is the ratio, or the figure where there is nothing to compare with."""

    target: Target
    value: float

    @property
    def met(self) -> bool:
        return self.target.met(self.value)


def reached(figures: Mapping[Key, float | None], targets: Sequence[Target] = TARGETS) -> Iterator[Reached]:
    """Yield the targets of which there are figures."""
    for target in targets:
        value = figures.get(target.figure)
        base = 1.0 if target.base is None else figures.get(target.base)
        if value is not None and base:
            yield Reached(target, value / base)


def ratio_table(rows: Sequence[Reached]) -> str:
    lines = [f"{'ratios of this run':34}{'against':57}{'reached':>7}  to be"]
    for each in rows:
        base = each.target.base
        lines.append(
            f"{', '.join(each.target.figure):34}{'' if base is None else ', '.join(base):57}{each.value:7.2f}  "
            f"{each.target.wish:16}{'' if each.met else '  missed'}".rstrip()
        )
    return "\n".join(lines)
