"""Model names and what answers to them."""

import pytest

from cca.catalogue import Catalogue, patterns_of
from cca.errors import NotFound
from cca.model import ModelEntry
from cca.settings import ALIAS_PATTERNS

HAIKU = ModelEntry("haiku", "claude-haiku-5-5", "Haiku", thinking_off=True)
DEFAULT = ModelEntry("default", "claude-sonnet-5-5", "Default")
CATALOGUE = Catalogue((DEFAULT, HAIKU), patterns_of(ALIAS_PATTERNS))


@pytest.mark.parametrize(
    ("name", "model"),
    [
        ("haiku", "haiku"),
        ("default", "default"),
        ("claude-haiku-5-5", "claude-haiku-5-5"),
        ("claude-not-listed-1", "claude-not-listed-1"),
        ("claude-sonnet-5-5[1m]", "claude-sonnet-5-5[1m]"),
        ("claude-x@20260101", "claude-x@20260101"),
        ("gpt-3.5-turbo", "haiku"),
        ("gpt-4o-mini", "haiku"),
        ("gpt-5-nano", "haiku"),
        ("gpt-4o", "sonnet"),
        ("chatgpt-4o-latest", "sonnet"),
        ("o1", "opus"),
        ("o3-mini", "haiku"),
        ("o4", "opus"),
        ("gpt-5-pro", "sonnet"),
        ("something-pro", "opus"),
    ],
)
def test_a_name_stands_for_a_model(name: str, model: str) -> None:
    assert CATALOGUE.resolve(name) == model


@pytest.mark.parametrize(
    "name",
    [
        *("", "llama-3", "GPT-4o", "claude", "claude-", "Claude-x", "xclaude-x", "claude-x\n", "claude-x y"),
        *("claude-x --settings={}", "claude-" + "x" * 201, "claude-x[2m]", "claude-é", "\x00", "[1m]"),
    ],
    ids=ascii,
)
def test_a_name_that_nothing_answers_to_is_not_found(name: str) -> None:
    with pytest.raises(NotFound) as refused:
        CATALOGUE.resolve(name)
    assert (refused.value.param, refused.value.code) == ("model", "model_not_found")
    assert len(str(refused.value)) < 700


def test_the_first_pattern_that_matches_counts_and_letters_are_compared_as_they_are() -> None:
    catalogue = Catalogue((), patterns_of(("a* = one", "ab=two", "[xy]?=three")))
    assert [catalogue.resolve(name) for name in ("ab", "a", "x1", "yz")] == ["one", "one", "three", "three"]
    with pytest.raises(NotFound):
        catalogue.resolve("A")


@pytest.mark.parametrize(
    ("model", "able"),
    [
        *(("haiku", True), ("claude-haiku-5-5", True), ("default", False), ("claude-sonnet-5-5", False)),
        *(("claude-haiku-4-5", True), ("claude-haiku-4-5-20251001", True), ("claude-opus-4-1@20250805", True)),
        *(("claude-sonnet-4-5[1m]", True), ("claude-3-5-sonnet-latest", True), ("claude-2.1", True)),
        *(("claude-haiku-5-6", False), ("claude-opus-41", False), ("claude-next", False), ("claude-6-opus", False)),
    ],
)
def test_a_model_that_can_do_without_thinking_is_listed_so_or_old(model: str, able: bool) -> None:  # noqa: FBT001 - a row
    assert CATALOGUE.thinking_off(model) is able


def test_names_that_are_no_patterns_can_be_listed() -> None:
    catalogue = Catalogue((), patterns_of(("gpt-4o=sonnet", "gpt-*=haiku", "o?=haiku", "[xy]=haiku")))
    assert catalogue.renamed == ("gpt-4o",)


@pytest.mark.parametrize(
    ("name", "entry"),
    [("haiku", HAIKU), ("claude-haiku-5-5", HAIKU), ("default", DEFAULT), ("gpt-4o", None), ("", None)],
)
def test_what_is_known_of_a_model_is_known_by_either_name(name: str, entry: ModelEntry | None) -> None:
    assert CATALOGUE.entry(name) == entry
