"""Limits as they are written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cca.limits.policy import EXAMPLE, LEAST_USD, MOST, NAMES, Limits, parse_limits, spelled

counts = st.none() | st.integers(1, MOST)
limits = st.builds(
    Limits, rpm=counts, tpm=counts, concurrent=counts, usd_per_day=st.none() | st.floats(LEAST_USD, MOST)
)


@pytest.mark.parametrize(
    ("given", "read"),
    [
        (EXAMPLE, Limits(rpm=60, tpm=100_000, concurrent=4, usd_per_day=5.0)),
        ("", Limits()),
        (" ", Limits()),
        ("usd_per_day=0.25", Limits(usd_per_day=0.25)),
        ("usd_per_day=1e-6", Limits(usd_per_day=LEAST_USD)),
        (" concurrent = 1 , rpm=1 ", Limits(rpm=1, concurrent=1)),
        ("tpm=1000000000", Limits(tpm=MOST)),
    ],
)
def test_limits_are_read(given: str, read: Limits) -> None:
    assert parse_limits(given) == read


@pytest.mark.parametrize("number", ["", "0", "-1", "1.5", "1e3", "1_000", "٣", "nan", "1000000001", "9" * 5000])
@pytest.mark.parametrize("name", ["rpm", "tpm", "concurrent"])
def test_a_count_is_a_whole_number_from_one(name: str, number: str) -> None:
    with pytest.raises(ValueError, match=rf"^{name}=.* is a whole number from 1 to 1000000000, as in rpm=60"):
        parse_limits(f"{name}={number}")


@pytest.mark.parametrize("number", ["", "0", "-1", "five", "$5", "nan", "inf", "-inf", "1e400", "1e-7", "1000000001"])
def test_dollars_are_above_nothing_and_finite(number: str) -> None:
    with pytest.raises(ValueError, match=r"^usd_per_day=.* is US dollars, from 1e-06 to 1000000000, as in rpm=60"):
        parse_limits(f"usd_per_day={number}")


@pytest.mark.parametrize("entry", ["rps=5", "rpm", "60", "RPM=60", "=5", "", "limits=rpm=5"])
def test_what_is_no_limit_is_told_with_those_that_there_are(entry: str) -> None:
    with pytest.raises(ValueError, match=f"is no limit; possible are {', '.join(NAMES)}, as in rpm=60"):
        parse_limits(f"tpm=5,{entry}")


def test_a_limit_is_given_once() -> None:
    with pytest.raises(ValueError, match="rpm is there twice; give it once"):
        parse_limits("rpm=5,tpm=5,rpm=5")


@given(limits)
def test_what_is_spelled_is_read_as_it_was(limits: Limits) -> None:
    assert parse_limits(spelled(limits)) == limits


@pytest.mark.parametrize("given", ["", "rpm=60", EXAMPLE, "tpm=7,usd_per_day=0.1"])
def test_what_is_read_is_spelled_as_it_was(given: str) -> None:
    assert spelled(parse_limits(given)) == given
