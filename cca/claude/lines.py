"""Bytes from a pipe to lines, bounded.

A line ends with one newline byte. Until that comes, what a reader gave is gathered in one growing buffer: a long line
is copied once, when it is whole, and not once for each piece; and there are never more than two of it.
"""

from attrs import define, field

LINE_LIMIT = 64 * 1024 * 1024
"""Bytes in one line. A picture in a tool result can make tens of MB; a line without end must not."""


class LineTooLong(ValueError):
    """A line passed the limit. What follows it cannot be trusted to start a line."""


@define
class LineFramer:
    limit: int = LINE_LIMIT
    _begun: bytearray = field(factory=bytearray, init=False)
    _size: int = field(default=0, init=False)

    def feed(self, chunk: bytes) -> list[bytes]:
        """Return the lines that ``chunk`` completes, without their newlines. Raise ``LineTooLong`` past the limit."""
        *ended, rest = chunk.split(b"\n")
        lines = [self._end(piece) for piece in ended]
        self._keep(rest)
        return lines

    @property
    def partial(self) -> bool:
        """Whether a line has begun, and not ended."""
        return bool(self._begun)

    def close(self) -> bytes:
        """Return what came after the last newline."""
        return self._end(b"")

    def _end(self, piece: bytes) -> bytes:
        self._keep(piece)
        line = bytes(self._begun)
        # Another: to clear this one would keep its room.
        self._begun = bytearray()
        self._size = 0
        return line

    def _keep(self, piece: bytes) -> None:
        self._size += len(piece)
        if self._size > self.limit:
            raise LineTooLong(f"a line of more than {self.limit:,} bytes")
        self._begun += piece
