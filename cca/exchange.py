"""One answer: take a process, hold the dialogue, put its events on a channel, failures among them.

It runs as a task in the request's nursery. The channel's last event is ``Finished`` or ``Failed``, always one of them
unless the task is cancelled; the process is dead by the time the task ends.
"""

import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial

import trio
from attrs import define, field, frozen

from cca.backends import Backend, Process
from cca.claude.dialogue import Dialogue
from cca.claude.lines import LineFramer, LineTooLong
from cca.errors import CcaError, DeadlineExceeded, InternalError, UpstreamFailed, innermost
from cca.model import Conversation, Event, Failed, Finished

log = logging.getLogger(__name__)

CHANNEL_SIZE = 4096
"""Events that may wait for a client that reads slowly, about 1 MB; past it the process is not read, and blocks. So
many, because a stop reason must be read to kill the process at it."""


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
    """An answer's events on their way out. ``complete`` once its last one was taken."""

    _channel: trio.MemorySendChannel[Event]
    _note: Callable[[Event], None]
    complete: bool = field(default=False, init=False)

    async def send(self, event: Event) -> None:
        if isinstance(event, Failed):
            # Not its message: one of the API's may quote the prompt.
            log.warning(
                "An answer failed with %d (%s).", event.error.status, event.error.code or type(event.error).__name__
            )
        self._note(event)
        try:
            await self._channel.send(event)
        except trio.BrokenResourceError:
            raise _NobodyReads from None
        self.complete = isinstance(event, Finished | Failed)

    async def finish(self, event: Finished, settle: Callable[[], Awaitable[None]]) -> None:
        """Send the end of a complete answer once it is settled. What ``settle`` raises comes out here instead."""
        self._note(event)
        await settle()
        try:
            try:
                # Without a checkpoint: what was kept as complete is told as that, though an end came in that moment.
                self._channel.send_nowait(event)
            except trio.WouldBlock:
                await self._channel.send(event)
        except trio.BrokenResourceError:
            raise _NobodyReads from None
        self.complete = True

    async def fail(self, error: CcaError) -> None:
        """Let ``error`` be the last event, unless there was a last one."""
        if not self.complete:
            with suppress(_NobodyReads):
                await self.send(Failed(error))

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


async def answer_on(
    events: trio.MemorySendChannel[Event],
    work: Callable[[Answer], Awaitable[None]],
    note: Callable[[Event], None] = lambda _: None,
) -> None:
    """Let ``work`` answer on ``events``, and close it: a failure of ``work`` is the last event.

    ``note`` is told of each event before it is sent. Cancelling cancels ``work``.
    """
    async with events:
        await Answer(events, note).of(work)


async def converse(
    backend: Backend,
    conversation: Conversation,
    deadlines: Deadlines,
    now: Callable[[], float],
    events: trio.MemorySendChannel[Event],
    note: Callable[[Event], None] = lambda _: None,
) -> None:
    """Answer ``conversation`` on ``events``, as ``answer_on`` and ``hold`` do, and keep nothing of it."""
    await answer_on(events, partial(hold, backend, conversation, deadlines, now), note)


async def settled() -> None:
    """Settle an answer of which nothing needs to be kept before its end is told."""


async def hold(
    backend: Backend,
    conversation: Conversation,
    deadlines: Deadlines,
    now: Callable[[], float],
    answer: Answer,
    settle: Callable[[], Awaitable[None]] = settled,
) -> None:
    """Send the events of an answer to ``conversation``. ``now`` is the wall clock. Cancelling kills the process.

    ``settle`` is called once the answer is complete, before its end is sent; what it raises is raised.
    """
    dialogue = Dialogue(conversation, now())
    with trio.move_on_after(deadlines.answer) as whole:
        async with backend.open(conversation) as process:
            await _relay(dialogue, process, deadlines, answer, settle)
    if whole.cancelled_caught:
        raise DeadlineExceeded(f"The answer took longer than {deadlines.answer:g} seconds. Ask for less.")


async def _relay(
    dialogue: Dialogue,
    process: Process,
    deadlines: Deadlines,
    answer: Answer,
    settle: Callable[[], Awaitable[None]],
) -> None:
    framer = LineFramer()
    first_by = trio.current_time() + deadlines.first_event
    process.write(dialogue.open())
    while True:
        by = trio.current_time() + deadlines.silence if dialogue.answering else first_by
        with trio.move_on_at(by) as silence:
            chunk = await process.read()
            how = None if chunk else await process.wait()
        if silence.cancelled_caught:
            events = dialogue.fail(_silent(dialogue, deadlines))
        elif how is None:
            events = _take(dialogue, framer, chunk, process)
        else:
            # What came after the last newline was cut off, however complete it looks.
            events = dialogue.close(str(how))
        if dialogue.over:
            # Before the client is told, which can take it long: the program would ask its API for more.
            process.end()
        for event in events:
            if isinstance(event, Finished):
                await answer.finish(event, settle)
            else:
                await answer.send(event)
        if dialogue.over:
            return


def _take(dialogue: Dialogue, framer: LineFramer, chunk: bytes, process: Process) -> tuple[Event, ...]:
    try:
        lines = framer.feed(chunk)
    except LineTooLong as error:
        return dialogue.fail(UpstreamFailed(f"Claude Code printed {error}."))
    events: list[Event] = []
    for line in lines:
        step = dialogue.feed(line)
        if step.write:
            process.write(step.write)
        events += step.events
    return tuple(events)


def _silent(dialogue: Dialogue, deadlines: Deadlines) -> CcaError:
    if dialogue.answering:
        return DeadlineExceeded(f"Claude Code fell silent for {deadlines.silence:g} seconds in its answer.")
    return DeadlineExceeded(f"The model did not begin to answer within {deadlines.first_event:g} seconds.")
