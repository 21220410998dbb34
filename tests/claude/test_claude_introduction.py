"""What Claude Code says of itself."""

import json
from typing import Any

import printed
import pytest

from cca.claude.introduction import Introduction, ask
from cca.claude.lines import LINE_LIMIT
from cca.errors import UpstreamFailed
from cca.model import ModelEntry

MODELS = [
    {
        "value": "haiku",
        "resolvedModel": "claude-haiku-5-5",
        "displayName": "Haiku",
        "supportsThinkingOff": True,
        "supportsEffort": False,
    },
    {"value": "default", "resolvedModel": None},
]


def told(*lines: bytes) -> Introduction:
    introduction = Introduction()
    introduction.feed(b"".join(line + b"\n" for line in lines))
    return introduction


def test_it_is_asked_with_nothing_of_anybodys_in_it() -> None:
    assert json.loads(ask())["request"] == {"subtype": "initialize"}


def test_its_version_and_its_models_are_what_it_said() -> None:
    said = told(
        printed.line(type="system", subtype="ui_invalidate"),
        b"",
        printed.control_reply("introduction", claude_code_version="2.1.330", models=MODELS),
    )
    assert said.complete
    assert said.cli_version == "2.1.330"
    assert said.models == (
        ModelEntry("haiku", "claude-haiku-5-5", "Haiku", thinking_off=True),
        ModelEntry("default", "default", "default"),
    )


@pytest.mark.parametrize("size", [1, 7, 64])
def test_it_may_come_in_pieces(size: int) -> None:
    said = Introduction()
    reply = printed.control_reply("introduction", claude_code_version="2.1.330", models=MODELS) + b"\n"
    for at in range(0, len(reply), size):
        assert not said.complete
        said.feed(reply[at : at + size])
    assert said.complete


@pytest.mark.parametrize("models", [None, {}, "haiku", [], [None, 1, "x", {}, {"value": 1}, {"value": None}]], ids=str)
def test_models_that_it_does_not_name_are_left_out(models: Any) -> None:
    said = told(printed.control_reply("introduction", models=models))
    assert (said.complete, said.cli_version, said.models) == (True, "", ())


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b"Welcome to something else!", "not Claude Code's"),
        (b"x" * (LINE_LIMIT + 1), "not Claude Code's: a line of more than"),
        (printed.control_reply("introduction", error="no"), "refused to introduce itself: no"),
    ],
    ids=["no JSON", "no end", "a refusal"],
)
def test_what_is_no_introduction_is_a_failure(line: bytes, message: str) -> None:
    with pytest.raises(UpstreamFailed, match=message):
        told(line)
