"""How findings are shown."""

from cca.doctor.finding import as_json, fail, failed, lines, ok, warn

FINDINGS = [ok("a", "fine"), warn("longer", "so so", "Do this."), fail("b", "bad", "Do that.")]


def test_a_finding_is_a_line_and_what_to_do_is_below_it() -> None:
    assert list(lines(FINDINGS)) == [
        "ok    a       fine",
        "warn  longer  so so",
        "              Do this.",
        "fail  b       bad",
        "              Do that.",
    ]


def test_nothing_is_nothing() -> None:
    assert list(lines([])) == []


def test_only_a_failure_fails() -> None:
    assert failed(FINDINGS)
    assert not failed(FINDINGS[:2])


def test_as_json() -> None:
    assert as_json(FINDINGS[1:2]) == {
        "ok": True,
        "checks": [{"checked": "longer", "level": "warn", "said": "so so", "do": "Do this."}],
    }
