"""The message that an answer's events make, gathered as they come."""

from typing import TypeAlias, assert_never

from attrs import define, field

from cca.model import (
    Event,
    Failed,
    Finished,
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


class Said(Written):
    """A text of the answer."""


class Thought(Written):
    """What the model thought before it."""


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
    """An answer so far: its parts in the order in which the model made them."""

    model: str = ""
    parts: list[Part] = field(factory=list)
    stop_reason: StopReason | None = None
    usage: Usage = field(factory=Usage)

    def take(self, event: Event) -> None:
        """Take in ``event``. A failure adds nothing: the message stays as far as it came."""
        match event:
            case Started(_, model, usage):
                self.model, self.usage = model, usage
            case TextDelta(text):
                self._write(Said, text)
            case ThinkingDelta(text):
                self._write(Thought, text)
            case ToolCallStarted(id, name):
                self.parts.append(Called(id, name))
            case ToolCallDelta(partial_json):
                call = self.parts[-1]
                assert isinstance(call, Called), "a piece follows its call"
                call.pieces.append(partial_json)
            case Finished(stop_reason, _, usage):
                self.stop_reason, self.usage = stop_reason, usage
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

    def _write(self, kind: type[Said | Thought], text: str) -> None:
        last = self.parts[-1] if self.parts else None
        if isinstance(last, kind):
            last.pieces.append(text)
        else:
            self.parts.append(kind([text]))
