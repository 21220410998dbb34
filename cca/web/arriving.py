"""Bodies that are arriving: of all requests together they take no more memory than a few of the largest."""

from collections.abc import Iterator
from contextlib import contextmanager

from attrs import define, field

from cca.errors import Busy

LARGEST = 10
"""Bodies of the largest size for which there is room. One that arrives slowly keeps its room for that long."""

WAIT = 5
"""Seconds after which to try again."""


@define(eq=False)
class Arriving:
    """Counts bytes, of which there are at most ``most``."""

    most: int
    size: int = field(default=0, init=False)

    @contextmanager
    def body(self) -> Iterator["ArrivingBody"]:
        """Count one body until this is left: it is whole then, or refused, or its client left."""
        body = ArrivingBody(self)
        try:
            yield body
        finally:
            self.size -= body.size


@define(eq=False)
class ArrivingBody:
    among: Arriving
    size: int = field(default=0, init=False)

    def take(self, more: int) -> None:
        """Count ``more`` bytes. Raise ``Busy`` where there is no room for them."""
        if self.among.size + more > self.among.most:
            raise Busy(
                f"Too many large requests are arriving at once: there is room for {self.among.most:,} bytes of them, "
                f"{LARGEST} times CCA_BODY_LIMIT. Try again in {WAIT} s, or raise that.",
                retry_after=WAIT,
            )
        self.among.size += more
        self.size += more
