"""What h11 reads and another reader, a proxy before cca, could read otherwise: such a request is none.

Whoever finds two readers that disagree on where a request ends has the second one answer what the first never saw.
So no form with two readings is taken, though RFC 9112 lets a server mend some of them. Section numbers are its own.
"""

import re

import h11
from h11._receivebuffer import ReceiveBuffer  # there is no other place where the ends of lines are still to be seen

_CONTROL = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")

_LONE = re.compile(rb"(?<!\r)\n|\r(?!\n)")
"""Half of the end of a line: section 2.2 lets a server read either as a whole one."""

_CHUNK = re.compile(rb"[0-9A-Fa-f]{1,16}(?:;[\t\x20-\x7e\x80-\xff]*)?\r\n")
"""What is before a chunk (7.1), with no white space before the end of the line or in place of an extension."""

_ONE_NUMBER = re.compile(rb"[0-9]+")


class StrictConnection(h11.Connection):
    """h11's connection of a server. It reads nothing with two readings, and nothing after an answer that ends it."""

    def __init__(self, most_head: int) -> None:
        super().__init__(h11.SERVER, max_incomplete_event_size=most_head)
        self._receive_buffer = StrictBuffer()

    def receive_data(self, data: bytes) -> None:
        if not data or self.their_state not in (h11.MUST_CLOSE, h11.CLOSED, h11.ERROR):
            super().receive_data(data)

    def next_event(self) -> h11.Event | type[h11.NEED_DATA] | type[h11.PAUSED]:
        """Return what h11 reads next. What is no HTTP is raised while it can still be told, and else left unread.

        An answer is on its way then, as a rule a refusal: it is to arrive, and the connection ends after it.
        """
        try:
            return super().next_event()
        except h11.RemoteProtocolError:
            if self.our_state in (h11.IDLE, h11.SEND_RESPONSE):
                raise
            return h11.NEED_DATA


class StrictBuffer(ReceiveBuffer):
    """The bytes of a connection that h11 has not read yet. Raises h11's error, as h11's readers do."""

    def maybe_extract_lines(self) -> list[bytearray] | None:
        """Return the lines of a head, or of what follows the last chunk, once they are there."""
        raw = bytes(self) if self._may_end() else b""
        lines = super().maybe_extract_lines()
        if lines is not None:
            fault = fault_in(raw[: len(raw) - len(self)])
            if fault is not None:
                raise h11.LocalProtocolError(fault)
        return lines

    def maybe_extract_next_line(self) -> bytearray | None:
        """Return the line before a chunk, once it is there."""
        line = super().maybe_extract_next_line()
        if line is not None and _CHUNK.fullmatch(line) is None:
            raise h11.LocalProtocolError("a chunk that does not begin with its size")
        return line

    def _may_end(self) -> bool:
        # Where it has no end there is nothing to look at, however often a piece of it comes.
        return self._data.startswith((b"\r\n", b"\n")) or b"\n\n" in self._data or b"\n\r\n" in self._data


def fault_in(head: bytes) -> str | None:
    """Return what of a head, with the blank line after it, has two readings."""
    if _LONE.search(head):
        return "half the end of a line"
    if _CONTROL.search(head):
        return "a control character"
    first, *rows = head.removesuffix(b"\r\n\r\n").split(b"\r\n")
    if any(row[:1] in (b" ", b"\t") for row in rows):
        return "a folded line"
    named = [(name.strip().lower(), value.strip()) for name, _, value in (row.partition(b":") for row in rows)]
    lengths = [value for name, value in named if name == b"content-length"]
    codings = [value for name, value in named if name == b"transfer-encoding"]
    if lengths and codings:
        return "a length and chunks"  # 6.1: either could be left out
    if len(lengths) > 1 or not all(map(_ONE_NUMBER.fullmatch, lengths)):
        return "more than one length, or one that is no number"  # 6.3: a list of equal ones could be mended
    if codings and not first.endswith(b" HTTP/1.1"):
        return "chunks in HTTP/1.0"  # 6.1: its framing is faulty
    return None
