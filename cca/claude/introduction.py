"""What Claude Code says of itself when it is asked to initialize: its version and the models of the account."""

from attrs import define, field

from cca.claude import frames
from cca.claude.events import ControlReply, Unreadable, decode
from cca.claude.lines import LineFramer
from cca.errors import UpstreamFailed
from cca.model import ModelEntry


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
        except Unreadable as error:
            raise UpstreamFailed(f"The program printed a line that is not Claude Code's: {error}") from error
        for line in said:
            if isinstance(line, ControlReply):
                self._take(line)

    def _take(self, reply: ControlReply) -> None:
        if reply.error is not None:
            raise UpstreamFailed(f"Claude Code refused to introduce itself: {reply.error}")
        self.cli_version = str(reply.response.get("claude_code_version", ""))
        self.models = models_of(reply)
        self.complete = True


def models_of(reply: ControlReply) -> tuple[ModelEntry, ...]:
    return tuple(
        ModelEntry(
            alias=entry["value"],
            id=entry.get("resolvedModel") or entry["value"],
            display_name=entry.get("displayName") or entry["value"],
            thinking_off=entry.get("supportsThinkingOff") is True,
        )
        for entry in reply.response.get("models", ())
    )
