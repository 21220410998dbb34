"""What tokens cost by a table of prices."""

import pytest

from cca.model import Usage
from cca.prices import MILLION, Price, prices_of
from cca.settings import PRICES

TABLE = prices_of(("claude-a-1*=1/2/3/4", " claude-a-* = 5/6/7/8 ", "claude-b=0/0.5/0/0"))
A_MILLION_OF_EACH = Usage(MILLION, MILLION, MILLION, MILLION)


def test_a_table_is_read_in_its_order() -> None:
    assert TABLE.rows == (
        ("claude-a-1*", Price(input=1, output=2, cache_read=3, cache_write=4)),
        ("claude-a-*", Price(input=5, output=6, cache_read=7, cache_write=8)),
        ("claude-b", Price(input=0, output=0.5, cache_read=0, cache_write=0)),
    )


@pytest.mark.parametrize(
    ("usage", "cost"),
    [
        pytest.param(Usage(), 0, id="nothing"),
        pytest.param(Usage(input_tokens=MILLION), 1, id="input"),
        pytest.param(Usage(output_tokens=MILLION), 2, id="output"),
        pytest.param(Usage(cache_read_tokens=MILLION), 3, id="read from the cache"),
        pytest.param(Usage(cache_write_tokens=MILLION), 4, id="written to the cache"),
        pytest.param(Usage(reasoning_tokens=MILLION), 0, id="reasoning, which is output already"),
        pytest.param(Usage(10, 20, 30, 40, 15), 0.0003, id="all of them"),
    ],
)
def test_each_kind_of_token_has_its_price(usage: Usage, cost: float) -> None:
    assert TABLE.cost("claude-a-1", usage) == pytest.approx(cost)


@pytest.mark.parametrize(
    ("model", "cost"),
    [
        pytest.param("claude-a-1-20260101", 10, id="the first pattern that fits"),
        pytest.param("claude-a-2", 26, id="a later one"),
        pytest.param("claude-a-2[1m]", 26, id="a name with brackets"),
        pytest.param("claude-b", 0.5, id="a name without a pattern"),
        pytest.param("claude-b-1", 0, id="no pattern that fits"),
        pytest.param("Claude-B", 0, id="names keep their case"),
    ],
)
def test_the_first_pattern_that_fits_counts(model: str, cost: float) -> None:
    assert TABLE.cost(model, A_MILLION_OF_EACH) == pytest.approx(cost)


@pytest.mark.parametrize(
    "row",
    [
        *("", "claude", "claude=", "=1/2/3/4", " =1/2/3/4", "c=a=1/2/3/4"),
        *("c=1/2/3", "c=1/2/3/4/5", "c=1/2/3/x", "c=1/2//4", "c=1,2,3,4"),
        *("c=-1/2/3/4", "c=inf/2/3/4", "c=1/nan/3/4"),
    ],
)
def test_a_row_that_is_none_is_quoted(row: str) -> None:
    with pytest.raises(
        ValueError, match="is not PATTERN=INPUT/OUTPUT/CACHE_READ/CACHE_WRITE, in US dollars"
    ) as refused:
        prices_of(("*=1/2/3/4", row))
    assert str(refused.value).startswith(repr(row))


@pytest.mark.parametrize(
    "model",
    ["claude-haiku-5-5", "claude-sonnet-5-5-20261001", "claude-opus-5[1m]", "claude-fable-5", "claude-new-9", "x"],
)
def test_by_default_no_model_is_free(model: str) -> None:
    assert prices_of(PRICES).cost(model, Usage(input_tokens=1)) > 0
