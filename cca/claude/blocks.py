"""The blocks of one message, as the program prints them, to events.

What nobody can read, a signature or redacted thinking, waits for the first thing that somebody can: a message that
breaks off before that is forgotten, and the next one is told in its place.
"""

from collections.abc import Iterator, Mapping
from typing import assert_never

from attrs import define, field

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

_KINDS: Mapping[type[Piece], str] = {
    TextPiece: "text",
    CitationPiece: "text",
    JsonPiece: "tool_use",
    ThinkingPiece: "thinking",
    SignaturePiece: "thinking",
}
"""The kind of the block that a piece is of. In one of another kind, a tool of the API's own, it is nothing to tell."""


@define
class Blocks:
    """Knows where a text ends and the next one begins. A block in which nothing is has no event."""

    _kind: str = field(default="text", init=False)
    _in_text: bool = field(default=False, init=False)
    _apart: bool = field(default=False, init=False)
    _told: bool = field(default=False, init=False)
    _held: list[Event] = field(factory=list, init=False)

    def begin(self) -> None:
        """Forget what was said: a message starts, or starts again."""
        self._kind = "text"
        self._in_text = self._apart = self._told = False
        self._held.clear()

    def events(self, piece: Piece) -> Iterator[Event]:
        """Yield what ``piece`` says, and what waited for it."""
        for event in self._said(piece):
            if isinstance(event, Signed | Redacted) and not self._told:
                self._held.append(event)
            else:
                self._told = True
                yield from self.rest()
                yield event

    def rest(self) -> Iterator[Event]:
        """Yield what still waits."""
        yield from self._held
        self._held.clear()

    def _said(self, piece: Piece) -> Iterator[Event]:
        if isinstance(piece, BlockStart):
            self._kind, self._apart = piece.kind, self._in_text
        elif _KINDS[type(piece)] != self._kind:
            return
        match piece:
            case BlockStart("text", text) | TextPiece(text):
                if text:
                    yield from self._open_text()
                    yield TextDelta(text)
            case CitationPiece(citation):
                yield from self._open_text()
                yield Cited(citation)
            case _:
                for event in _untexted(piece):
                    self._in_text = self._apart = False
                    yield event

    def _open_text(self) -> Iterator[Event]:
        if self._apart:
            yield NextText()
        self._in_text, self._apart = True, False


def _untexted(piece: BlockStart | JsonPiece | SignaturePiece | ThinkingPiece) -> Iterator[Event]:
    """Yield what a piece says that is of no text."""
    match piece:
        case JsonPiece(json):
            if json:
                yield ToolCallDelta(json)
        case SignaturePiece(signature):
            if signature:
                yield Signed(signature)
        case ThinkingPiece(text) | BlockStart("thinking", text):
            if text:
                yield ThinkingDelta(text)
        case BlockStart("redacted_thinking", data=data):
            yield Redacted(data)
        case BlockStart("tool_use", _, id, name):
            yield ToolCallStarted(id, name)
        case BlockStart():
            pass
        case _:
            assert_never(piece)
