"""One answer: take a process, hold the dialogue, put its events on a channel, failures among them.

It runs as a task in the request's nursery. The channel's last event is ``Finished`` or ``Failed``, always one of them
unless the task is cancelled; the process is dead by the time the task ends.
"""

import logging
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, suppress

import trio
from attrs import define, frozen

from cca.claude.dialogue import Dialogue
from cca.errors import CcaError, DeadlineExceeded, InternalError, Unheard, UpstreamFailed, innermost
from cca.model import Event, Failed, Finished, Told
from cca.talk import Talk

log = logging.getLogger(__name__)

CHANNEL_SIZE = 4096
"""Events that may wait for a client that reads slowly, about 1 MB; past it the process is not read, and blocks. So
many, because a stop reason must be read to kill the process at it."""

MOST_HEARD = 256 * 1024 * 1024
"""Bytes that Claude Code may print for one answer, which is kept while it goes out. The longest that a model gives,
with a line for each token, is a fifth of it."""


@frozen
class Deadlines:
    """In seconds: to the model's first event, of silence after it, for the whole answer."""

    first_event: float
    silence: float
    answer: float


class _NobodyReads(Exception):
    """The other end of the channel is closed."""


@define
class Answer:
    """An answer's events on their way out. ``unfinished`` are its choices without an end: none after its last event."""

    _channel: trio.MemorySendChannel[Told]
    _note: Callable[[Failed], None]
    unfinished: int

    async def send(self, told: Told) -> None:
        """Send an event: without a checkpoint while there is room, so that events of one read share a write.

        And so that what was kept as complete is told as that, though an end came in that moment.
        """
        try:
            try:
                self._channel.send_nowait(told)
            except trio.WouldBlock:
                await self._channel.send(told)
        except trio.BrokenResourceError:
            raise _NobodyReads from None

    def choice(self, number: int, note: Callable[[Event], None]) -> "Choice":
        return Choice(self, number, note)

    async def finish(self, told: Told) -> None:
        """Send the end of a choice."""
        await self.send(told)
        self.unfinished -= 1

    async def fail(self, error: CcaError) -> None:
        """Let ``error`` be the last event, unless there was a last one."""
        if not self.unfinished:
            return
        # Not its message: one of the API's may quote the prompt.
        log.warning("An answer failed with %d (%s).", error.status, error.code or type(error).__name__)
        failed = Failed(error)
        self._note(failed)
        with suppress(_NobodyReads):
            await self.send(Told(0, failed))
            self.unfinished = 0

    async def of(self, work: Callable[["Answer"], Awaitable[None]]) -> None:
        """Let ``work`` answer: a failure of it is the last event. Cancelling cancels it."""
        try:
            await work(self)
        except* CcaError as group:
            await self.fail(innermost(group))
        except* _NobodyReads:
            # The process is gone already.
            pass
        except* Exception:
            log.exception("A fault in cca ended an answer.")
            await self.fail(InternalError("A fault in cca ended the answer; its log says more."))


@define
class Choice:
    """One of an answer's choices: ``note`` is told of each event before it is sent."""

    answer: Answer
    number: int
    note: Callable[[Event], None]

    async def send(self, event: Event) -> None:
        self.note(event)
        await self.answer.send(Told(self.number, event))

    async def finish(self, event: Finished, settle: Callable[[], Awaitable[None]]) -> None:
        """Send the end of a complete choice once it is settled. What ``settle`` raises comes out here instead."""
        self.note(event)
        await settle()
        await self.answer.finish(Told(self.number, event))


async def answer_on(
    events: trio.MemorySendChannel[Told],
    work: Callable[[Answer], Awaitable[None]],
    note: Callable[[Failed], None] = lambda _: None,
    choices: int = 1,
) -> None:
    """Let ``work`` answer on ``events``, and close it: a failure of ``work`` is the last event.

    ``note`` is told of the failure before it is sent. Cancelling cancels ``work``.
    """
    async with events:
        await Answer(events, note, choices).of(work)


async def converse(
    talk: AbstractAsyncContextManager[Talk], deadlines: Deadlines, events: trio.MemorySendChannel[Told]
) -> None:
    """Hold ``talk`` on ``events``, as ``answer_on`` and ``hold`` do, and keep nothing of it."""

    async def work(answer: Answer) -> None:
        await hold(talk, deadlines, answer.choice(0, lambda _: None))

    await answer_on(events, work)


async def settled() -> None:
    """Settle an answer of which nothing needs to be kept before its end is told."""


async def hold(
    talk: AbstractAsyncContextManager[Talk],
    deadlines: Deadlines,
    choice: Choice,
    settle: Callable[[], Awaitable[None]] = settled,
) -> None:
    """Send the events of an answer. ``talk`` is entered, and left at its end; cancelling kills its process.

    ``settle`` is called once the answer is complete, before its end is sent; what it raises is raised, and so is the
    failure of the answer: ``Unheard`` is one that another process may not have.
    """
    failed = None
    with trio.move_on_after(deadlines.answer) as whole:
        async with talk as opened:
            failed = await _relay(opened, deadlines, choice, settle)
            # A new Claude Code prints more of them: where an answer is odd, that is the first thing to ask.
            log.debug("Lines of Claude Code's that cca has no use for: %d.", opened.dialogue.ignored_lines)
    if whole.cancelled_caught:
        raise DeadlineExceeded(f"The answer took longer than {deadlines.answer:g} seconds. Ask for less.")
    if failed is not None:
        raise failed


async def _relay(
    talk: Talk,
    deadlines: Deadlines,
    choice: Choice,
    settle: Callable[[], Awaitable[None]],
) -> CcaError | None:
    """Return the failure that ended the answer, if one did."""
    dialogue, process = talk.dialogue, talk.process
    first_by = trio.current_time() + deadlines.first_event
    heard = 0
    process.write(talk.opened())
    while True:
        by = trio.current_time() + deadlines.silence if dialogue.answering else first_by
        with trio.move_on_at(by) as silence:
            chunk = await process.read()
            how = None if chunk else await process.wait()
        if silence.cancelled_caught:
            events = dialogue.fail(_silent(dialogue, deadlines))
        elif how is None:
            heard += len(chunk)
            events = talk.hear(chunk) if heard <= MOST_HEARD else dialogue.fail(_endless())
        elif not heard:
            return Unheard(f"Claude Code ended ({how}) before it said anything.")
        else:
            # What came after the last newline was cut off, however complete it looks.
            events = dialogue.close(str(how))
        if dialogue.over and not talk.stays:
            # Before the client is told, which can take it long: the program would ask its API for more.
            process.end()
        for event in events:
            if talk.may_stay:
                talk.message.take(event)
            match event:
                case Failed(error):
                    return error
                case Finished():
                    # Before its client knows, and asks for more.
                    await talk.arrange()
                    await choice.finish(event, settle)
                    return None
                case _:
                    await choice.send(event)


def _endless() -> CcaError:
    return UpstreamFailed(f"Claude Code printed more than {MOST_HEARD:,} bytes for one answer, and was stopped.")


def _silent(dialogue: Dialogue, deadlines: Deadlines) -> CcaError:
    if dialogue.answering:
        return DeadlineExceeded(f"Claude Code fell silent for {deadlines.silence:g} seconds in its answer.")
    return DeadlineExceeded(f"The model did not begin to answer within {deadlines.first_event:g} seconds.")
