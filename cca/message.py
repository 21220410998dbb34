"""The message that an answer's events make, gathered as they come."""

from collections.abc import Mapping
from typing import TypeAlias, assert_never

from attrs import define, field

from cca.model import (
    Cited,
    Event,
    Failed,
    Finished,
    Json,
    NextText,
    Redacted,
    Signed,
    Started,
    StopReason,
    TextDelta,
    ThinkingDelta,
    ToolCallDelta,
    ToolCallStarted,
    Usage,
)


@define
class Written:
    """Text, or thinking, in pieces."""

    pieces: list[str]

    @property
    def text(self) -> str:
        return "".join(self.pieces)


@define
class Said(Written):
    """A text of the answer, and what of the documents it cites."""

    citations: list[Mapping[str, Json]] = field(factory=list)


@define
class Thought(Written):
    """What the model thought before it, as far as it is told. Its ``signature`` ends it; ``redacted`` is all of it."""

    signature: str | None = None
    redacted: str | None = None


@define
class Called:
    """A tool call; its arguments are a JSON object once the answer is complete, or nothing."""

    id: str
    name: str
    pieces: list[str] = field(factory=list)

    @property
    def arguments(self) -> str:
        return "".join(self.pieces)


Part: TypeAlias = Said | Thought | Called


@define
class Message:
    """An answer so far: its parts in the order in which the model made them. ``id`` is that of the model's API."""

    model: str = ""
    parts: list[Part] = field(factory=list)
    stop_reason: StopReason | None = None
    usage: Usage = field(factory=Usage)
    id: str = ""
    stop_sequence: str | None = None
    stop_details: Mapping[str, Json] | None = None

    def take(self, event: Event) -> None:
        """Take in ``event``. A failure adds nothing: the message stays as far as it came."""
        match event:
            case Started(id, model, usage):
                self.id, self.model, self.usage = id, model, usage
            case TextDelta(text):
                self._text().pieces.append(text)
            case NextText():
                self.parts.append(Said([]))
            case Cited(citation):
                self._text().citations.append(citation)
            case ThinkingDelta(text):
                self._thinking().pieces.append(text)
            case Signed(signature):
                self._thinking().signature = signature
            case Redacted(data):
                self.parts.append(Thought([], redacted=data))
            case ToolCallStarted(id, name):
                self.parts.append(Called(id, name))
            case ToolCallDelta(partial_json):
                call = self.parts[-1]
                assert isinstance(call, Called), "a piece follows its call"
                call.pieces.append(partial_json)
            case Finished(stop_reason, stop_sequence, usage, _, details):
                self.stop_reason, self.stop_sequence, self.stop_details = stop_reason, stop_sequence, details
                self.usage = usage
            case Failed():
                pass
            case _:
                assert_never(event)

    @property
    def said(self) -> str:
        """All its text."""
        return "".join(part.text for part in self.parts if isinstance(part, Said))

    @property
    def thought(self) -> str:
        return "".join(part.text for part in self.parts if isinstance(part, Thought))

    @property
    def calls(self) -> list[Called]:
        return [part for part in self.parts if isinstance(part, Called)]

    @property
    def cites(self) -> bool:
        return any(part.citations for part in self.parts if isinstance(part, Said))

    def _text(self) -> Said:
        """Return the text that is being written, a new one if it is not."""
        last = self.parts[-1] if self.parts else None
        if not isinstance(last, Said):
            last = Said([])
            self.parts.append(last)
        return last

    def _thinking(self) -> Thought:
        last = self.parts[-1] if self.parts else None
        if not isinstance(last, Thought) or last.signature is not None or last.redacted is not None:
            last = Thought([])
            self.parts.append(last)
        return last
