"""The table of what long tests tried and lost."""

from pathlib import Path

import pytest

LONG = """
import pytest

@pytest.mark.parametrize("number", [2, 1])
def test_it(number, survival):
    survival(f"R-0{number}", "what is tried", tried=1000 * number, lost=number - 1, figure="3 ms")
    assert number == 1
"""


PLUGIN = ("-p", "survival", "-p", "no:trio", "-p", "no:cacheprovider")


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))


@pytest.mark.parametrize("workers", ["-n0", "-n2"])
def test_each_row_is_in_the_table_whether_its_test_passed_or_not(workers: str, pytester: pytest.Pytester) -> None:
    pytester.makepyfile(LONG)
    ran = pytester.runpytest_subprocess(workers, *PLUGIN)
    ran.assert_outcomes(passed=1, failed=1)
    ran.stdout.fnmatch_lines(
        [
            "*what was tried, survived and lost*",
            "| rows | tried | times | survived | lost | the worst |",
            "| R-01 | what is tried | 1,000 | 1,000 | 0 | 3 ms |",
            "| R-02 | what is tried | 2,000 | 1,999 | 1 | 3 ms |",
        ]
    )


def test_without_long_tests_there_is_no_table(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test_it(): pass")
    ran = pytester.runpytest_subprocess("-n0", *PLUGIN)
    ran.stdout.no_fnmatch_line("*what was tried*")
