"""Patterns mean to cca what they mean in ECMAScript, or are refused."""

import pytest
import re2  # type: ignore[import-untyped]

from cca.schemas.patterns import compiled, size


@pytest.mark.parametrize(
    ("pattern", "fitting", "others"),
    [
        (r"^\s$", [" ", "\v", "\u00a0", "\u2003", "\u2029", "\ufeff"], ["a", "\u200b"]),
        (r"^\S$", ["a", "\u200b", "\U0001f600"], [" ", "\v", "\u00a0", "\u2003", "\u2029", "\ufeff"]),
        (r"^[\s,]$", ["\u00a0", ","], ["a"]),
        (r"^[\S]$", ["a", "\U0001f600"], ["\u00a0", "\n"]),
        (r"^[^\s]$", ["a"], ["\ufeff"]),
        (r"^.$", ["a", "\U0001f600"], ["\n", "\r", "\u2028", "\u2029", "ab"]),
        (r"^a$", ["a"], ["a\n", "\na"]),
        (r"^[.]$", ["."], ["a"]),
        (r"^\d\w$", ["1a", "1_"], ["\u09e7a", "1\u00e9"]),
        (r"^\ud83d\ude00$", ["\U0001f600"], ["a"]),
        (r"^\u{1f600}\x41\u00e9$", ["\U0001f600A\u00e9"], ["A"]),
        (r"^[\u00e0-\u00ff]$", ["\u00e9"], ["e"]),
        (r"^\\u0041$", [r"\u0041"], ["A", r"\A"]),
        (r"^[\b]\0$", ["\b\0"], ["b0"]),
        (r"\bfoo\B", ["food"], ["foo", "afood"]),
        (r"^\/\-\.[[a:\]]$", ["/-.[", "/-.:", "/-.]"], ["/-.b"]),
        (r"^(?<year>\d{4})-(?P<month>\d)(?:x|y)?$", ["2020-1", "2020-1x"], ["2020"]),
        (r"(?i)^a(?i:b)", ["AB"], ["AC"]),
        (r"^\p{L}\P{L}[\p{Lu}]$", ["\u00e91A"], ["11A", "a1a"]),
        (r"^a{2,3}{", ["aa{"], ["a{"]),
        (r"^\t\n\v\f\r$", ["\t\n\v\f\r"], ["tnvfr"]),
    ],
    ids=str,
)
def test_a_pattern_means_what_it_means_in_ecmascript(pattern: str, fitting: list[str], others: list[str]) -> None:
    found = compiled(pattern)
    assert [text for text in fitting if found.search(text) is None] == []
    assert [text for text in others if found.search(text) is not None] == []


@pytest.mark.parametrize(
    "pattern",
    [
        *("(?=a)", "(?!a)", "(?<=a)b", "(?<!a)b", r"(a)\1", r"(?<a>b)\k<a>", "(?P=a)", r"\12", r"\012"),
        *(r"\Aa", r"a\z", r"a\Z", r"\Qa\E", r"\C", r"\a", r"\e", r"\cA", r"\pL", r"\x{41}", r"\u12", r"[\A]"),
        *("(?s).", "(?m)^a", "(?U)a", "[]a]", "[^]a]", "[^]", "[[:alpha:]]"),
        *(r"\ud83d", r"\ude00\ud83d", r"\u{110000}", "(", "a\\", "a**", "((a{999}){999}){999}"),
    ],
)
def test_a_pattern_that_re2_has_not_or_reads_in_another_way_is_refused(pattern: str) -> None:
    with pytest.raises(re2.error):
        compiled(pattern)
    assert size(pattern) is None


def test_a_large_pattern_has_a_large_size() -> None:
    assert (size("a") or 0) < 10
    assert (size("a{1000}") or 0) > 1000
