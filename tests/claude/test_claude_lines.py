"""Bytes to lines, whatever pieces the pipe gives them in."""

import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cca.claude.lines import LINE_LIMIT, LineFramer, LineTooLong


@st.composite
def cut_bytes(draw: st.DrawFn) -> list[bytes]:
    """Any bytes, newlines among them, cut anywhere, also into nothing."""
    content = draw(st.lists(st.sampled_from([b"\n", b"\r", b"\xef\xbb\xbf", b"{", b"\x00", b"\xff", b"ab"])))
    joined = b"".join(content) + draw(st.binary(max_size=50))
    cuts = sorted(draw(st.lists(st.integers(0, len(joined)), max_size=12)))
    return [joined[start:end] for start, end in pairwise([0, *cuts, len(joined)])]


@given(cut_bytes())
def test_any_cutting_of_any_bytes_gives_the_same_lines(pieces: list[bytes]) -> None:
    framer = LineFramer()
    lines = [line for piece in pieces for line in framer.feed(piece)]
    assert [*lines, framer.close()] == b"".join(pieces).split(b"\n")


@pytest.mark.parametrize(
    ("content", "lines", "rest"),
    [
        pytest.param(b"{}\r\n{}\n", [b"{}\r", b"{}"], b"", id="a carriage return is a byte of its line"),
        pytest.param(b"\xef\xbb\xbf{}\n", [b"\xef\xbb\xbf{}"], b"", id="so is a byte order mark"),
        pytest.param(b"\n\n{}\n", [b"", b"", b"{}"], b"", id="blank lines are lines"),
        pytest.param(
            "a\u2028b\x0b\x0c\x85c\n".encode(), ["a\u2028b\x0b\x0c\x85c".encode()], b"", id="nothing else ends"
        ),
        pytest.param(b"{}\n{", [b"{}"], b"{", id="no newline, no line"),
        pytest.param(b"", [], b"", id="nothing"),
    ],
)
def test_only_a_newline_ends_a_line(content: bytes, lines: list[bytes], rest: bytes) -> None:
    framer = LineFramer()
    assert framer.feed(content) == lines
    assert framer.close() == rest
    assert framer.close() == b"", "what was returned is not kept"


@pytest.mark.parametrize("step", [1, 3, 8, 100])
def test_a_line_of_the_limit_passes_and_one_byte_more_does_not(step: int) -> None:
    def feed(content: bytes) -> list[bytes]:
        framer = LineFramer(limit=8)
        return [line for at in range(0, len(content), step) for line in framer.feed(content[at : at + step])]

    assert feed(b"12345678\n12345678\n") == [b"12345678"] * 2
    with pytest.raises(LineTooLong, match="more than 8 bytes"):
        feed(b"123456789")


def test_a_line_without_end_is_refused_again_and_again_and_keeps_no_more_than_the_limit() -> None:
    framer = LineFramer(limit=1000)
    for _ in range(10):
        assert framer.feed(b"x" * 100) == []
    for _ in range(50):
        with pytest.raises(LineTooLong):
            framer.feed(b"x" * 100)
        assert len(framer._begun) <= 1000


def test_the_limit_is_the_one_that_the_threats_ask_for() -> None:
    assert LINE_LIMIT == 64 * 1024 * 1024


def test_five_megabytes_in_small_pieces_cost_one_join_and_not_one_a_piece() -> None:
    """Quadratic would be 80 GB of copies in pieces of 300 bytes: minutes, where this is a fraction of a second."""
    framer = LineFramer()
    started = time.process_time()
    for _ in range(5_000_000 // 300):
        assert framer.feed(b"x" * 300) == []
    [line] = framer.feed(b"\n")
    assert len(line) == 5_000_000 // 300 * 300
    assert time.process_time() - started < 3
