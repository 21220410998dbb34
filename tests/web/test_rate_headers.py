"""Where a client stands, in OpenAI's words and in Anthropic's."""

from datetime import UTC, datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cca.limits.policy import Standing, Window
from cca.web.rate_headers import duration, moment, rate_headers

NOW = 1_795_376_443.25
"""2026-11-22T19:40:43.25Z"""


def test_both_vendors_headers() -> None:
    standing = Standing(Window(60, 59, 1.0), Window(150_000, 149_984, 0.75))
    assert rate_headers(standing, NOW) == {
        "x-ratelimit-limit-requests": "60",
        "x-ratelimit-remaining-requests": "59",
        "x-ratelimit-reset-requests": "1s",
        "x-ratelimit-limit-tokens": "150000",
        "x-ratelimit-remaining-tokens": "149984",
        "x-ratelimit-reset-tokens": "750ms",
        "anthropic-ratelimit-requests-limit": "60",
        "anthropic-ratelimit-requests-remaining": "59",
        "anthropic-ratelimit-requests-reset": "2026-11-22T19:40:45Z",
        "anthropic-ratelimit-tokens-limit": "150000",
        "anthropic-ratelimit-tokens-remaining": "149984",
        "anthropic-ratelimit-tokens-reset": "2026-11-22T19:40:44Z",
    }


@pytest.mark.parametrize(
    ("standing", "kind"),
    [(Standing(Window(1, 0, 60.0), None), "requests"), (Standing(None, Window(1, 0, 60.0)), "tokens")],
    ids=["requests", "tokens"],
)
def test_there_is_no_header_where_there_is_no_limit(standing: Standing, kind: str) -> None:
    headers = rate_headers(standing, NOW)
    assert len(headers) == 6
    assert all(kind in name for name in headers)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0.0, "0s"),
        (0.000_1, "1ms"),
        (0.12, "120ms"),
        (0.999_9, "1s"),
        (1.0, "1s"),
        (1.1, "1.1s"),
        (8.64, "8.64s"),
        (59.885, "59.885s"),
        (59.999_9, "1m0s"),
        (72.0, "1m12s"),
        (179.56, "2m59.56s"),
        (360.0, "6m0s"),
        (3600.0, "1h0m0s"),
        (86_400.5, "24h0m0.5s"),
    ],
)
def test_a_duration_as_openai_writes_it(seconds: float, said: str) -> None:
    assert duration(seconds) == said


@given(st.integers(0, 253_402_300_799))
@example(951_782_399)  # the last second of a February of 28 days, were 2000 no leap year
@example(951_868_799)  # the last second of its 29 days
@example(4_107_542_399)  # the last of February of 2100, no leap year
@example(1_767_225_599)
def test_a_moment_is_that_of_the_calendar(seconds: int) -> None:
    assert moment(seconds) == datetime.fromtimestamp(seconds, UTC).strftime("%04Y-%m-%dT%H:%M:%SZ")
