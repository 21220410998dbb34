"""The models as Anthropic's clients list them, page by page, and one by its name."""

from collections.abc import Mapping
from typing import Any

import pytest

from cca.catalogue import Catalogue
from cca.dialects.anthropic_models import model, models
from cca.errors import BadRequest, NotFound
from cca.model import ModelEntry

CATALOGUE = Catalogue(
    (
        ModelEntry("default", "claude-sonnet-5-5", "Default"),
        ModelEntry("sonnet", "claude-sonnet-5-5", "Sonnet"),
        ModelEntry("haiku", "claude-haiku-4-5", "Haiku"),
    ),
    (("gpt-*", "haiku"), ("o3", "sonnet"), ("own", "claude-own-1")),
)
NAMES = ["default", "claude-sonnet-5-5", "sonnet", "haiku", "claude-haiku-4-5", "o3", "own"]

MODEL_KEYS = {"capabilities", "created_at", "display_name", "id", "max_input_tokens", "max_tokens", "type"}
"""What the schema requires of a model."""


def ids(query: Mapping[str, str]) -> list[str]:
    return [each["id"] for each in models(CATALOGUE, query)["data"]]


def test_every_name_is_a_model_once() -> None:
    listed = models(CATALOGUE, {})
    assert ids({}) == NAMES
    assert (listed["first_id"], listed["last_id"], listed["has_more"]) == ("default", "own", False)
    assert all(set(each) >= MODEL_KEYS for each in listed["data"])
    shown = [each["display_name"] for each in listed["data"]]
    assert shown == ["Default", "Sonnet", "Sonnet", "Haiku", "Haiku", "o3", "own"]


def test_a_model_that_has_no_other_name_is_the_default_one() -> None:
    only = Catalogue((ModelEntry("default", "claude-sonnet-5-5", "Default"),), ())
    assert [each["display_name"] for each in models(only, {})["data"]] == ["Default", "Default"]


def test_no_model_is_an_empty_page() -> None:
    empty: dict[str, Any] = {"data": [], "first_id": None, "last_id": None, "has_more": False}
    assert models(Catalogue((), ()), {}) == empty


def page(of: slice, *, has_more: bool) -> tuple[list[str], bool]:
    return NAMES[of], has_more


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"limit": "3"}, page(slice(3), has_more=True)),
        ({"limit": "7"}, page(slice(7), has_more=False)),
        ({"limit": "1000"}, page(slice(7), has_more=False)),
        ({"after_id": NAMES[2]}, page(slice(3, 7), has_more=False)),
        ({"after_id": NAMES[2], "limit": "2"}, page(slice(3, 5), has_more=True)),
        ({"after_id": NAMES[4], "limit": "2"}, page(slice(5, 7), has_more=False)),
        ({"after_id": NAMES[6]}, page(slice(0), has_more=False)),
        ({"before_id": NAMES[3]}, page(slice(3), has_more=False)),
        ({"before_id": NAMES[3], "limit": "2"}, page(slice(1, 3), has_more=True)),
        ({"before_id": NAMES[2], "limit": "2"}, page(slice(2), has_more=False)),
        ({"before_id": NAMES[0]}, page(slice(0), has_more=False)),
    ],
    ids=str,
)
def test_pages_are_turned_in_both_directions(query: Mapping[str, str], expected: tuple[list[str], bool]) -> None:
    listed = models(CATALOGUE, query)
    names = [each["id"] for each in listed["data"]]
    assert (names, listed["has_more"]) == expected
    assert (listed["first_id"], listed["last_id"]) == ((names[0], names[-1]) if names else (None, None))


def test_the_pages_are_the_list() -> None:
    found: list[str] = []
    query = {"limit": "2"}
    while (listed := models(CATALOGUE, query))["data"]:
        found += [each["id"] for each in listed["data"]]
        assert listed["has_more"] == (found[-1] != NAMES[-1])
        query = {"limit": "2", "after_id": listed["last_id"]}
    assert found == NAMES


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ({"limit": "0"}, "limit"),
        ({"limit": "1001"}, "limit"),
        ({"limit": "-1"}, "limit"),
        ({"limit": "1.5"}, "limit"),
        ({"limit": ""}, "limit"),
        ({"limit": "\N{ARABIC-INDIC DIGIT ONE}"}, "limit"),
        ({"after_id": "nobody"}, "after_id"),
        ({"before_id": ""}, "before_id"),
        ({"after_id": "haiku", "before_id": "haiku"}, "before_id"),
    ],
    ids=str,
)
def test_a_page_that_there_is_not(query: Mapping[str, str], param: str) -> None:
    with pytest.raises(BadRequest, match=param) as caught:
        models(CATALOGUE, query)
    assert caught.value.param == param


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("sonnet", ("claude-sonnet-5-5", "Sonnet")),
        ("default", ("claude-sonnet-5-5", "Sonnet")),
        ("claude-sonnet-5-5", ("claude-sonnet-5-5", "Sonnet")),
        ("haiku", ("claude-haiku-4-5", "Haiku")),
        ("claude-haiku-4-5", ("claude-haiku-4-5", "Haiku")),
        ("gpt-5", ("claude-haiku-4-5", "Haiku")),
        ("own", ("claude-own-1", "claude-own-1")),
        ("claude-later-9[1m]", ("claude-later-9[1m]", "claude-later-9[1m]")),
    ],
)
def test_a_name_is_resolved_to_an_id(name: str, expected: tuple[str, str]) -> None:
    found: Any = model(CATALOGUE, name)
    assert (found["id"], found["display_name"]) == expected
    assert found == {**models(CATALOGUE, {})["data"][0], "id": expected[0], "display_name": expected[1]}


def test_a_name_that_nothing_answers_to() -> None:
    with pytest.raises(NotFound):
        model(CATALOGUE, "nobody")
