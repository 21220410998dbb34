"""A dialogue with a process: what goes in, what has come out."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from attrs import define, field

from cca.aside import aside
from cca.backends import Backend, Process
from cca.claude.dialogue import Dialogue
from cca.claude.lines import LineFramer, LineTooLong
from cca.errors import UpstreamFailed
from cca.message import Message
from cca.model import Conversation, Event


async def nothing() -> None:
    """Do what is to be done for a process that stays nowhere."""


@define
class Talk:
    """A dialogue with a process. ``opening`` is to be written first; ``may_stay`` when its answer is over.

    ``message`` is the answer of one that may: what its process waits after. ``arrange`` is called when the answer is
    over, before its client hears of it: from then on the process can be found.
    """

    process: Process
    dialogue: Dialogue
    opening: bytes
    may_stay: bool = False
    arrange: Callable[[], Awaitable[None]] = nothing
    framer: LineFramer = field(factory=LineFramer, init=False)
    message: Message = field(factory=Message, init=False)

    @property
    def stays(self) -> bool:
        """Whether the process waits for what comes next, or will, and may."""
        return self.may_stay and self.dialogue.may_go_on

    def opened(self) -> bytes:
        """Return the opening, once: it may be large, and the talk may stay for long."""
        opening, self.opening = self.opening, b""
        return opening

    def go_on(self, conversation: Conversation, now: float) -> None:
        """Have the turn that ends ``conversation`` answered, which the process waits for."""
        self.opening = self.dialogue.resume(conversation, now)
        self.message = Message()

    def hear(self, chunk: bytes) -> tuple[Event, ...]:
        """Take in some of the process's stdout, and write what that leads to. Return what happened."""
        try:
            lines = self.framer.feed(chunk)
        except LineTooLong as error:
            return self.dialogue.fail(UpstreamFailed(f"Claude Code printed {error}."))
        events: list[Event] = []
        for line in lines:
            step = self.dialogue.feed(line)
            if step.write:
                self.process.write(step.write)
            events += step.events
        return tuple(events)


def talk_of(process: Process, conversation: Conversation, now: float, *, may_stay: bool = False) -> Talk:
    dialogue = Dialogue(conversation, now, process.recalled)
    return Talk(process, dialogue, dialogue.open(), may_stay)


@asynccontextmanager
async def fresh(
    backend: Backend, conversation: Conversation, now: Callable[[], float], size: int = 0
) -> AsyncIterator[Talk]:
    """Own a process for ``conversation``, of about so many bytes, until this is left.

    Raise ``Unavailable``; cancelling kills it.
    """
    async with backend.open(conversation) as process:
        yield await aside(size, talk_of, process, conversation, now())
