"""What a long test tried and lost, gathered from all workers into one table at the end of a run.

    survival("R-03", "clients that left", tried=1000, lost=0, figure="a process gone after 0.31 s at most")

The row is there whether the test goes on to pass or not.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Protocol

import pytest
from attrs import astuple, frozen

PROPERTY = "survival"


@frozen(order=True)
class Row:
    """``rows`` are those of the list of threats that it proves; ``figure`` is the worst that was seen."""

    rows: str
    tried: str
    number: int
    lost: int
    figure: str


class Survival(Protocol):
    def __call__(self, rows: str, what: str, *, tried: int, lost: int, figure: str = "") -> None: ...


@pytest.fixture
def survival(record_property: Callable[[str, object], None]) -> Survival:
    """Return what notes a row of the table that a run of long tests ends with."""

    def note(rows: str, what: str, *, tried: int, lost: int, figure: str = "") -> None:
        record_property(PROPERTY, astuple(Row(rows, what, tried, lost, figure)))

    return note


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    table = list(_lines(_rows(terminalreporter)))
    if table:
        terminalreporter.section("what was tried, survived and lost")
        for line in table:
            terminalreporter.line(line)


def _rows(reporter: pytest.TerminalReporter) -> Iterator[Row]:
    for reports in reporter.stats.values():
        for report in reports:
            if isinstance(report, pytest.TestReport) and report.when == "call":
                yield from (Row(*value) for name, value in _properties(report) if name == PROPERTY)


def _properties(report: Any) -> Any:
    """Return what a test noted, with whatever values."""
    return report.user_properties


def _lines(rows: Iterable[Row]) -> Iterator[str]:
    """Yield the table as Markdown, so that a document can quote it."""
    ordered = sorted(rows)
    if ordered:
        yield "| rows | tried | times | survived | lost | the worst |"
        yield "|---|---|---|---|---|---|"
    for row in ordered:
        survived = row.number - row.lost
        yield f"| {row.rows} | {row.tried} | {row.number:,} | {survived:,} | {row.lost:,} | {row.figure} |"
