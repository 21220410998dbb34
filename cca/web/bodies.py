"""The bodies of requests: all together they take no more memory than a few of the largest."""

from collections.abc import Iterator
from contextlib import contextmanager

from attrs import define, field

from cca.errors import Busy

LARGEST = 10
"""Bodies of the largest size for which there is room."""

SMALL = 65_536
"""Bytes of each body that are not counted: whoever asks little is let in, however full it is."""

WAIT = 5
"""Seconds after which to try again."""


@define(eq=False)
class Bodies:
    """Counts bytes, of which there are at most ``most``."""

    most: int
    size: int = field(default=0, init=False)

    @contextmanager
    def body(self) -> Iterator["Body"]:
        """Count one body until this is left: what was made of it is as large, and is there until its request ends."""
        body = Body(self)
        try:
            yield body
        finally:
            self.size -= body.counted


@define(eq=False)
class Body:
    among: Bodies
    size: int = field(default=0, init=False)

    @property
    def counted(self) -> int:
        return max(0, self.size - SMALL)

    def take(self, more: int) -> None:
        """Count ``more`` bytes. Raise ``Busy`` where there is no room for them."""
        before = self.counted
        self.size += more
        self.among.size += self.counted - before
        if self.among.size > self.among.most and self.counted:
            raise Busy(
                f"There are too many large requests at once: their bodies may have {self.among.most:,} bytes together, "
                f"{LARGEST} times CCA_BODY_LIMIT. Try again in {WAIT} s, or raise that.",
                retry_after=WAIT,
            )
