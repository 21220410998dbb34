"""What a process is asked before its request is known, so that it has less to do then.

Nothing of it is in what the model is asked later: these settings are told anew with each conversation.
"""

from attrs import define, field

from cca.claude import frames
from cca.claude.events import ControlReply, Unreadable, decode
from cca.claude.lines import LineFramer, LineTooLong
from cca.claude.script import EXTRA_BODY
from cca.errors import UpstreamFailed

PREPARE = "prepare"


def ask() -> bytes:
    return frames.apply_settings(PREPARE, {"env": {EXTRA_BODY: "{}"}})


@define
class Preparation:
    """Reads a process's stdout until it is prepared, and nothing more of it is on its way."""

    _answered: bool = field(default=False, init=False)
    _lines: LineFramer = field(factory=LineFramer, init=False)

    @property
    def complete(self) -> bool:
        return self._answered and not self._lines.partial

    def feed(self, chunk: bytes) -> None:
        """Take in some of its stdout. Raise ``UpstreamFailed`` for what is not Claude Code's."""
        try:
            said = [decode(line) for line in self._lines.feed(chunk) if line.strip()]
        except (Unreadable, LineTooLong) as error:
            raise UpstreamFailed(f"The program printed a line that is not Claude Code's: {error}") from error
        for line in said:
            if isinstance(line, ControlReply) and line.request_id == PREPARE:
                if line.error is not None:
                    raise UpstreamFailed(f"Claude Code refused to be prepared: {line.error}")
                self._answered = True
