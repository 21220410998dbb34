"""Which version of Anthropic's API a request means."""

import pytest

from cca.dialects.anthropic_version import VERSIONS, version_of
from cca.errors import BadRequest

OLD, NEW = VERSIONS


@pytest.mark.parametrize(
    ("sent", "version"),
    [
        pytest.param((), OLD, id="nothing is the oldest"),
        pytest.param(("2023-06-01",), OLD, id="what Claude Code sends"),
        pytest.param(("2026-10-21",), NEW, id="what the SDKs send"),
        pytest.param(("2023-06-02",), OLD, id="a day after"),
        pytest.param(("2026-10-20",), OLD, id="the day before the next"),
        pytest.param(("2026-10-22",), NEW, id="a day after the newest"),
        pytest.param(("9999-12-31",), NEW, id="any time after it"),
        pytest.param(("2023-06-01", "2023-06-01"), OLD, id="twice the same"),
    ],
)
def test_a_date_means_the_newest_version_that_is_not_after_it(sent: tuple[str, ...], version: str) -> None:
    assert version_of(sent) == version


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        pytest.param(("",), "is ''", id="empty"),
        pytest.param(("latest",), "is 'latest'", id="a word"),
        pytest.param(("v1",), "is 'v1'", id="another way to number"),
        pytest.param(("2023-06-01 ",), "is '2023-06-01 '", id="something behind it"),
        pytest.param(("2023-13-01",), "is '2023-13-01'", id="no month"),
        pytest.param(("2023-06-00",), "is '2023-06-00'", id="no day"),
        pytest.param(("2023-6-1",), "is '2023-6-1'", id="too few digits"),
        pytest.param(("٢٠٢٣-06-01",), "is '٢٠٢٣-06-01'", id="digits of another script"),
        pytest.param(("2023-06-01, 2026-10-21",), "is '2023-06-01, 2026-10-21'", id="a list"),
        pytest.param(("2023-01-01",), "is '2023-01-01'", id="before the oldest"),
        pytest.param(("2023-06-01", "2026-10-21"), "has two values", id="two"),
        pytest.param(("x" * 5000,), f"is '{'x' * 40}'", id="long"),
    ],
)
def test_what_is_no_date_is_refused(sent: tuple[str, ...], said: str) -> None:
    with pytest.raises(BadRequest) as refused:
        version_of(sent)
    assert f"on, and {said}. cca speaks 2023-06-01 and 2026-10-21." in refused.value.message
    assert refused.value.code == "invalid_version"
