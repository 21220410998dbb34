"""What a process says before its request is known: it is prepared when it has answered, and all of that is read."""

import json

import pytest
from printed import control_reply, line

from cca.claude.lines import LINE_LIMIT
from cca.claude.preparation import Preparation, ask
from cca.errors import UpstreamFailed

REPLY = control_reply("prepare") + b"\n"
OTHER = line(type="system", subtype="hook_started") + b"\n"


def test_what_it_is_asked_sets_nothing() -> None:
    [frame] = map(json.loads, ask().splitlines())
    assert frame["request"] == {"subtype": "apply_flag_settings", "settings": {"env": {"CLAUDE_CODE_EXTRA_BODY": "{}"}}}


@pytest.mark.parametrize(
    ("chunks", "complete"),
    [
        pytest.param([], False, id="nothing"),
        pytest.param([OTHER, b"\n", b" \n"], False, id="other things"),
        pytest.param([REPLY], True, id="the answer"),
        pytest.param([REPLY[:20], REPLY[20:-1]], False, id="most of it"),
        pytest.param([REPLY[:20], REPLY[20:-1], b"\n"], True, id="the answer in pieces"),
        pytest.param([OTHER + REPLY + OTHER], True, id="the answer among other things"),
        pytest.param([REPLY + OTHER[:9]], False, id="with more on its way"),
        pytest.param([REPLY + OTHER[:9], OTHER[9:]], True, id="and then that"),
        pytest.param([control_reply("other") + b"\n"], False, id="the answer to another"),
    ],
)
def test_it_is_complete_after(chunks: list[bytes], complete: bool) -> None:  # noqa: FBT001
    preparation = Preparation()
    for chunk in chunks:
        preparation.feed(chunk)
    assert preparation.complete is complete


@pytest.mark.parametrize(
    "chunk",
    [b"GNU bash, version 5\n", b"null\n", REPLY + b"\xff\n", b"x" * (LINE_LIMIT + 1)],
    ids=["words", "null", "bytes", "a line without end"],
)
def test_what_is_not_claude_codes_is_refused(chunk: bytes) -> None:
    with pytest.raises(UpstreamFailed, match=r"a line that is not Claude Code's"):
        Preparation().feed(chunk)


def test_a_refusal_is_told() -> None:
    """A program that cannot be prepared could not be told a conversation's settings."""
    with pytest.raises(UpstreamFailed, match="Claude Code refused to be prepared: no"):
        Preparation().feed(control_reply("prepare", error="no") + b"\n")
