"""The blocks of one message: which events they are, and when."""

from collections.abc import Sequence

import pytest

from cca.claude.blocks import Blocks
from cca.claude.events import BlockStart, CitationPiece, JsonPiece, Piece, SignaturePiece, TextPiece, ThinkingPiece
from cca.model import (
    Cited,
    Event,
    NextText,
    Redacted,
    Signed,
    TextDelta,
    ThinkingDelta,
    ToolCallDelta,
    ToolCallStarted,
)

TEXT = BlockStart("text")
THINKING = BlockStart("thinking")
REDACTED = BlockStart("redacted_thinking", data="eA==")
CALL = BlockStart("tool_use", id="t1", name="look")
SEARCH = BlockStart("server_tool_use", id="s1", name="web_search")


def told(blocks: Blocks, *pieces: Piece) -> list[Event]:
    return [event for piece in pieces for event in blocks.events(piece)]


@pytest.mark.parametrize(
    ("pieces", "events"),
    [
        pytest.param([TEXT, TextPiece("a"), TextPiece("b")], [TextDelta("a"), TextDelta("b")], id="a text"),
        pytest.param([BlockStart("text", text="a")], [TextDelta("a")], id="a text that opens with all of it"),
        pytest.param([TEXT, TextPiece("")], [], id="a text of nothing"),
        pytest.param(
            [THINKING, ThinkingPiece("Hm"), ThinkingPiece(""), SignaturePiece("c2ln"), TEXT, TextPiece("a")],
            [ThinkingDelta("Hm"), Signed("c2ln"), TextDelta("a")],
            id="thinking, then text",
        ),
        pytest.param(
            [BlockStart("thinking", text="Hm"), SignaturePiece("")],
            [ThinkingDelta("Hm")],
            id="thinking that is not signed",
        ),
        pytest.param(
            [CALL, JsonPiece(""), JsonPiece('{"a"'), JsonPiece(":1}")],
            [ToolCallStarted("t1", "look"), ToolCallDelta('{"a"'), ToolCallDelta(":1}")],
            id="a call",
        ),
        pytest.param([SEARCH], [], id="a block of a kind to come"),
        pytest.param([SEARCH, JsonPiece('{"q"'), JsonPiece(":1}")], [], id="the arguments of such a block"),
        pytest.param(
            [CALL, JsonPiece("{}"), SEARCH, JsonPiece("{}")],
            [ToolCallStarted("t1", "look"), ToolCallDelta("{}")],
            id="the arguments of such a block, after those of a call",
        ),
        pytest.param(
            [SEARCH, TextPiece("a"), CitationPiece({}), ThinkingPiece("Hm"), SignaturePiece("c2ln")],
            [],
            id="what else may be in such a block",
        ),
        pytest.param([CALL, TextPiece("a")], [ToolCallStarted("t1", "look")], id="a text in a call"),
        pytest.param([JsonPiece("{}"), TextPiece("a")], [TextDelta("a")], id="a piece of no block is a text"),
    ],
)
def test_pieces_are_events_and_those_of_nothing_are_none(pieces: Sequence[Piece], events: list[Event]) -> None:
    assert told(Blocks(), *pieces) == events


A, B = (TEXT, TextPiece("a")), (TEXT, TextPiece("b"))
CITATION = {"type": "char_location", "cited_text": "May"}


@pytest.mark.parametrize(
    ("pieces", "events"),
    [
        pytest.param([*A, *B], [TextDelta("a"), NextText(), TextDelta("b")], id="two texts"),
        pytest.param(
            [*A, BlockStart("text", text="b"), TextPiece("c")],
            [TextDelta("a"), NextText(), TextDelta("b"), TextDelta("c")],
            id="one that opens with some of it",
        ),
        pytest.param([*A, TEXT, *B], [TextDelta("a"), NextText(), TextDelta("b")], id="an empty one between them"),
        pytest.param([TEXT, *A], [TextDelta("a")], id="an empty one before"),
        pytest.param([*A, TEXT], [TextDelta("a")], id="an empty one after"),
        pytest.param(
            [*A, CALL, *B],
            [TextDelta("a"), ToolCallStarted("t1", "look"), TextDelta("b")],
            id="a call between them tells them apart",
        ),
        pytest.param(
            [*A, SEARCH, THINKING, *B],
            [TextDelta("a"), NextText(), TextDelta("b")],
            id="blocks between them that are not told do not",
        ),
        pytest.param(
            [*A, CitationPiece(CITATION), *B],
            [TextDelta("a"), Cited(CITATION), NextText(), TextDelta("b")],
            id="one that cites",
        ),
        pytest.param(
            [*A, TEXT, CitationPiece(CITATION), TextPiece("b")],
            [TextDelta("a"), NextText(), Cited(CITATION), TextDelta("b")],
            id="a citation opens its text",
        ),
    ],
)
def test_where_a_text_follows_a_text_it_is_said(pieces: Sequence[Piece], events: list[Event]) -> None:
    assert told(Blocks(), *pieces) == events


def test_what_nobody_can_read_waits_for_what_somebody_can() -> None:
    """A message may break off before that, and be asked for again."""
    blocks = Blocks()
    assert told(blocks, REDACTED, THINKING, SignaturePiece("c2ln"), TEXT) == []
    assert told(blocks, TextPiece("a")) == [Redacted("eA=="), Signed("c2ln"), TextDelta("a")]
    assert told(blocks, REDACTED) == [Redacted("eA==")]
    assert list(blocks.rest()) == []


def test_at_the_end_what_waits_is_told() -> None:
    blocks = Blocks()
    assert told(blocks, REDACTED) == []
    assert list(blocks.rest()) == [Redacted("eA==")]
    assert list(blocks.rest()) == []


def test_a_message_that_begins_again_forgets_the_one_before() -> None:
    blocks = Blocks()
    told(blocks, *A, TEXT)
    blocks.begin()
    assert told(blocks, REDACTED) == []
    blocks.begin()
    assert told(blocks, *B) == [TextDelta("b")]
