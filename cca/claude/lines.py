"""Bytes from a pipe to lines, bounded.

A line ends with one newline byte. What a reader gave is kept as a list of pieces until its newline comes, so that a
long line costs one join, not one for each piece.
"""

from attrs import define, field

LINE_LIMIT = 64 * 1024 * 1024
"""Bytes in one line. A picture in a tool result can make tens of MB; a line without end must not."""


class LineTooLong(ValueError):
    """A line passed the limit. What follows it cannot be trusted to start a line."""


@define
class LineFramer:
    limit: int = LINE_LIMIT
    _pieces: list[bytes] = field(factory=list, init=False)
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
        return bool(self._pieces)

    def close(self) -> bytes:
        """Return what came after the last newline."""
        return self._end(b"")

    def _end(self, piece: bytes) -> bytes:
        self._keep(piece)
        line = b"".join(self._pieces)
        self._pieces.clear()
        self._size = 0
        return line

    def _keep(self, piece: bytes) -> None:
        self._size += len(piece)
        if self._size > self.limit:
            raise LineTooLong(f"a line of more than {self.limit:,} bytes")
        if piece:
            self._pieces.append(piece)
