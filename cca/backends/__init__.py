"""The seam: where a Claude Code process comes from. A live one, a recorded one, a recording of a live one.

Above it everything is the same code, byte for byte; what differs is only who reads the frames and prints the lines.
"""

from contextlib import AbstractAsyncContextManager
from typing import Protocol

from attrs import frozen

from cca.model import Conversation, ModelEntry


@frozen
class Exit:
    """How a process ended: its exit code, negative for a signal, and the last of what it wrote to stderr."""

    code: int
    stderr: str = ""

    def __str__(self) -> str:
        return f"killed by signal {-self.code}" if self.code < 0 else f"exit code {self.code}"


class Process(Protocol):
    """A Claude Code process that belongs to one conversation."""

    def write(self, frames: bytes) -> None:
        """Queue ``frames`` for its stdin. Never blocks; once the process is gone, they are dropped."""

    async def read(self) -> bytes:
        """Return some of its stdout, and nothing at its end: ask ``wait`` then. Cancelling loses nothing."""

    async def wait(self) -> Exit:
        """Return how it ended, once it has."""

    def end(self) -> None:
        """Kill it, now, without waiting for it to be gone: it must not go on. Safe to call again."""

    @property
    def recalled(self) -> bool:
        """Whether it knows the history already, from a file, but for what is written beside one."""

    @property
    def fit(self) -> bool:
        """Whether it may go on with a request: it lives, and is of the program and the login that there are now."""

    @property
    def memory(self) -> int:
        """Bytes that it has for itself, besides what all share; 0 where the system does not say."""


class Named(Protocol):
    """What tells where processes come from. ``name`` and ``cli_version`` are for people."""

    @property
    def name(self) -> str: ...

    @property
    def cli_version(self) -> str: ...

    @property
    def models(self) -> tuple[ModelEntry, ...]: ...


class Backend(Named, Protocol):
    """Where processes come from."""

    def open(self, conversation: Conversation) -> AbstractAsyncContextManager[Process]:
        """Own a process for ``conversation``. Whatever it started is dead, and its files gone, when this is left.

        Raise ``Unavailable`` when there is none to be had. Cancelling kills it.
        """
