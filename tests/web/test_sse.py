"""Frames to server-sent events."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cca.dialects.contract import Frame
from cca.web.sse import KEEP_ALIVE, render


@pytest.mark.parametrize(
    ("frame", "said"),
    [
        (Frame({"a": 1}), b'data: {"a":1}\n\n'),
        (Frame("[DONE]"), b"data: [DONE]\n\n"),
        (Frame({"a": None}, name="ping"), b'event: ping\ndata: {"a":null}\n\n'),
    ],
)
def test_an_event(frame: Frame, said: bytes) -> None:
    assert render([frame]) == said
    assert render([frame, frame]) == said * 2


def test_nothing_is_nothing() -> None:
    assert render([]) == b""


def test_a_keep_alive_is_a_comment() -> None:
    assert KEEP_ALIVE == b": keep-alive\n\n"


@given(st.text() | st.text("\\\n\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029u0aé"))
def test_no_text_breaks_out_of_its_event(text: str) -> None:
    said = render([Frame({"t": text})])
    assert said.endswith(b"\n\n")
    assert said.decode().splitlines() == [said[:-2].decode(), ""]
    assert json.loads(said.removeprefix(b"data: ")) == {"t": text}
