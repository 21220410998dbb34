"""The README says what is so."""

import json
import tomllib
from pathlib import Path

import attrs
import pytest

from cca.limits.policy import NO_LIMITS
from cca.settings import Settings, variable

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


def default(attribute: "attrs.Attribute[object]") -> str:
    match attribute.default:
        case None | False | ():
            return ""
        case True:
            return "`1`"
        case limits if limits == NO_LIMITS:
            return ""
        case tuple() as items:
            return f"`{','.join(map(str, items))}`"
        case float() as number:
            return f"`{number:g}`"
        case other:
            return f"`{other}`"


def row(attribute: "attrs.Attribute[object]") -> str:
    flag = f"`--{attribute.name.replace('_', '-')}`, " if attribute.metadata["flag"] else ""
    return f"| {flag}`{variable(attribute)}` | {default(attribute)} | {attribute.metadata['help']} |"


@pytest.mark.parametrize("attribute", attrs.fields(Settings), ids=lambda attribute: attribute.name)
def test_the_settings_table_has_each_setting_as_the_class_has_it(attribute: "attrs.Attribute[object]") -> None:
    assert f"{row(attribute)}\n" in README


def test_the_settings_table_has_no_other_settings() -> None:
    rows = [line for line in README.splitlines() if line.startswith("| ") and "`CCA_" in line.split("|")[1]]
    assert len(rows) == len(attrs.fields(Settings))


def test_it_asks_for_the_pythons_that_cca_runs_on() -> None:
    about = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    named = [line.rpartition(" ")[2] for line in about["classifiers"] if " :: Python :: " in line]
    assert f"Python {named[0]} to {named[-1]} " in README
    assert about["requires-python"] == f">={named[0]},<3.{int(named[-1].partition('.')[2]) + 1}"


def test_it_quotes_what_claude_code_adds_to_a_prompt() -> None:
    """The reviewed request of a prompt of one word: the block for billing, and one more."""
    golden = json.loads((ROOT / "tests" / "live" / "golden_request.json").read_text())
    _, fixed = golden["system"]
    assert f'its fixed line "{fixed["text"]}"' in " ".join(README.split())


def test_the_tests_of_ci_are_those_of_the_readme() -> None:
    run = (ROOT / ".ci" / "run").read_text()
    assert "pip install '.[dev]' && nox" in README
    assert "pip install --quiet '.[dev]'\n" in run
    assert "\nnox\n" in run
