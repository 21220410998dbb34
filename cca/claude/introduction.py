"""What Claude Code says of itself when it is asked to initialize: its version and the models of the account."""

from collections.abc import Iterable, Iterator

from attrs import define, field

from cca.claude import frames
from cca.claude.events import ControlReply, Unreadable, decode
from cca.claude.lines import LineFramer, LineTooLong
from cca.errors import UpstreamFailed
from cca.model import Json, ModelEntry


def ask() -> bytes:
    return frames.initialize("introduction", (), ())


@define
class Introduction:
    """Reads a process's stdout until the reply is there; then ``cli_version`` and ``models`` are what it said."""

    complete: bool = False
    cli_version: str = ""
    models: tuple[ModelEntry, ...] = ()
    _lines: LineFramer = field(factory=LineFramer, init=False)

    def feed(self, chunk: bytes) -> None:
        """Take in some of its stdout. Raise ``UpstreamFailed`` for what is not Claude Code's."""
        try:
            said = [decode(line) for line in self._lines.feed(chunk) if line.strip()]
        except (Unreadable, LineTooLong) as error:
            raise UpstreamFailed(f"The program printed a line that is not Claude Code's: {error}") from error
        for line in said:
            if isinstance(line, ControlReply):
                self._take(line)

    def _take(self, reply: ControlReply) -> None:
        if reply.error is not None:
            raise UpstreamFailed(f"Claude Code refused to introduce itself: {reply.error}")
        self.cli_version = str(reply.response.get("claude_code_version") or "")
        self.models = models_of(reply)
        self.complete = True


def models_of(reply: ControlReply) -> tuple[ModelEntry, ...]:
    """Return the models in the reply; one that does not say what it is called is left out."""
    listed = reply.response.get("models")
    return tuple(_model_entries(listed)) if isinstance(listed, list) else ()


def _model_entries(listed: Iterable[Json]) -> Iterator[ModelEntry]:
    for entry in listed:
        match entry:
            case {"value": str(alias)}:
                yield ModelEntry(
                    alias=alias,
                    id=str(entry.get("resolvedModel") or alias),
                    display_name=str(entry.get("displayName") or alias),
                    thinking_off=entry.get("supportsThinkingOff") is True,
                )
            case _:
                pass
