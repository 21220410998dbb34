"""Processes that stay for the results of the tools that their answers call.

A process that has called tools waits for their results as long as one likes. The next request of the same owner that
says exactly what was said, and adds these results, is answered by it: that takes a fifteenth of a fresh process and all
that was said before. Any other request is answered by a fresh one, from the history that it sends.

A process that may stay belongs to this room, not to its request: the request ends it when it leaves otherwise than with
such calls, and waits until it is gone.
"""

import hashlib
import logging
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial

import orjson
import trio
from attrs import define, evolve, field, frozen

from cca import marks
from cca.aside import aside
from cca.backends import Backend, Process
from cca.backends.transcript import request_json
from cca.claude.dialogue import Dialogue
from cca.claude.lines import LineFramer
from cca.message import Message
from cca.model import (
    AssistantPart,
    AssistantTurn,
    Conversation,
    RedactedThinking,
    Text,
    Thinking,
    ToolResult,
    ToolUse,
    Turn,
    UserTurn,
)

log = logging.getLogger(__name__)

GONE_TIMEOUT = 10.0
"""Seconds for a process that was ended to be gone with its files; the backend's own bounds are shorter."""


@define
class Talk:
    """A dialogue with a process. ``opening`` is to be written first; ``may_stay`` after an answer that calls tools.

    ``message`` is the answer of one that may: what its process waits after.
    """

    process: Process
    dialogue: Dialogue
    opening: bytes
    may_stay: bool = False
    framer: LineFramer = field(factory=LineFramer, init=False)
    message: Message = field(factory=Message, init=False)

    @property
    def stays(self) -> bool:
        """Whether the process waits for the results of the calls that it has made, and may."""
        return self.may_stay and bool(self.dialogue.calls)

    def go_on(self, conversation: Conversation, now: float) -> None:
        """Answer the calls with the results that end ``conversation``."""
        self.opening = self.dialogue.resume(conversation, now)
        self.message = Message()


@asynccontextmanager
async def fresh(
    backend: Backend, conversation: Conversation, now: Callable[[], float], size: int = 0
) -> AsyncIterator[Talk]:
    """Own a process for ``conversation``, of about so many bytes, until this is left.

    Raise ``Unavailable``; cancelling kills it.
    """
    async with backend.open(conversation) as process:
        yield await aside(size, _talk, process, conversation, now())


@frozen
class _Place:
    """Whose process it is, and what was said in it."""

    owner: str
    digest: bytes


@define(eq=False)
class _Bay:
    """A process of this room. ``left`` once nobody wants it any more, ``gone`` once it is; ``waiting`` for results."""

    talk: Talk
    left: trio.Event = field(factory=trio.Event, init=False)
    gone: trio.Event = field(factory=trio.Event, init=False)
    waiting: trio.CancelScope = field(factory=trio.CancelScope, init=False)


@define
class Parking:
    """``most`` processes wait at once, the last to come; each for ``patience`` seconds."""

    backend: Backend
    most: int
    patience: float
    now: Callable[[], float]
    _nursery: trio.Nursery | None = field(default=None, init=False)
    _parked: OrderedDict[_Place, _Bay] = field(factory=OrderedDict, init=False)

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        """Let processes stay, until this is left: then all are killed. Before it, each is its request's alone."""
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            try:
                yield
            finally:
                self._nursery = None
                self._parked.clear()
                nursery.cancel_scope.cancel()

    @property
    def parked(self) -> int:
        return len(self._parked)

    @asynccontextmanager
    async def talk(self, owner: str, conversation: Conversation, size: int = 0) -> AsyncIterator[Talk]:
        """Own a process for ``conversation``: one that waits for just what it adds, or a fresh one.

        What is of ``size`` bytes, about, is made aside of the event loop where that is long.

        Raise ``Unavailable`` when there is none to be had. Cancelling kills it, and leaving does, but for one that
        stays.
        """
        said = await aside(size, marks.settled, conversation)
        bay = waiting = await self._take(owner, said, size)
        if bay is None:
            if self._nursery is None or not self.most or not await aside(size, _may_stay, said):
                async with fresh(self.backend, conversation, self.now, size) as talk:
                    yield talk
                return
            bay = await self._nursery.start(self._hold, conversation, size)
        place = None
        try:
            if waiting is not None:
                bay.talk.go_on(conversation, self.now())
            yield bay.talk
            if bay.talk.stays:
                turns = (*said.turns, _turn(bay.talk.message))
                place = await aside(size, _place, owner, evolve(said, turns=turns))
        finally:
            if place is not None and self._nursery is not None and not bay.gone.is_set():
                self._park(place, bay, self._nursery)
            else:
                bay.left.set()
                bay.talk.process.end()
                with trio.move_on_after(GONE_TIMEOUT, shield=True):
                    await bay.gone.wait()

    async def _hold(self, conversation: Conversation, size: int, task_status: trio.TaskStatus[_Bay]) -> None:
        """Own a process until it is left."""
        bay: _Bay | None = None
        try:
            async with self.backend.open(conversation) as process:
                bay = _Bay(await aside(size, partial(_talk, may_stay=True), process, conversation, self.now()))
                task_status.started(bay)
                await bay.left.wait()
        except* Exception:
            if bay is None:
                # It could not be started, which is for its request to tell.
                raise
            log.exception("A fault in cca ended a process that had answered.")
        finally:
            if bay is not None:
                bay.gone.set()

    def _park(self, place: _Place, bay: _Bay, nursery: trio.Nursery) -> None:
        self._let_go(place)
        bay.waiting = trio.CancelScope()
        self._parked[place] = bay
        if len(self._parked) > self.most:
            self._let_go(next(iter(self._parked)))
        nursery.start_soon(self._wait, place, bay)

    async def _take(self, owner: str, conversation: Conversation, size: int) -> _Bay | None:
        """Return the process that waits for what ends ``conversation``."""
        *before, last = conversation.turns
        if not self._parked or not before or not any(isinstance(part, ToolResult) for part in last.content):
            return None
        if await aside(size, marks.placed, conversation):
            return None
        place = await aside(size, _place, owner, evolve(conversation, turns=tuple(before)))
        bay = None if place is None else self._parked.get(place)
        if place is None or bay is None:
            return None
        if not bay.talk.dialogue.takes(last):
            # The conversation goes on, and not with this process.
            self._let_go(place)
            return None
        del self._parked[place]
        bay.waiting.cancel()
        return bay

    async def _wait(self, place: _Place, bay: _Bay) -> None:
        """Let a process go that nobody came for in time, or that has ended."""
        with bay.waiting:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_then, bay.gone.wait, nursery.cancel_scope)
                nursery.start_soon(_then, bay.talk.process.wait, nursery.cancel_scope)
                nursery.start_soon(_then, partial(trio.sleep, self.patience), nursery.cancel_scope)
            self._let_go(place)

    def _let_go(self, place: _Place) -> None:
        bay = self._parked.pop(place, None)
        if bay is not None:
            bay.waiting.cancel()
            bay.left.set()
            bay.talk.process.end()


def _talk(process: Process, conversation: Conversation, now: float, *, may_stay: bool = False) -> Talk:
    dialogue = Dialogue(conversation, now)
    return Talk(process, dialogue, dialogue.open(), may_stay)


def _may_stay(conversation: Conversation) -> bool:
    """Whether a process for ``conversation`` can answer the results of its calls.

    A choice that is forced would be forced again, and an answer of a schema is no text of the program's. A mark for the
    cache that stands in a turn would stay where it is.
    """
    return (
        bool(conversation.tools)
        and not conversation.tool_choice.forced
        and conversation.output_schema is None
        and not marks.placed(conversation)
    )


def _turn(message: Message) -> AssistantTurn:
    calls = [ToolUse(call.id, call.name, orjson.loads(call.arguments or "{}")) for call in message.calls]
    return AssistantTurn((Text(message.said), *calls))


async def _then(end: Callable[[], Awaitable[object]], scope: trio.CancelScope) -> None:
    await end()
    scope.cancel()


def _place(owner: str, conversation: Conversation) -> _Place | None:
    """Return where a process waits after ``conversation``; nothing, for one with values that JSON is not written of."""
    try:
        return _Place(owner, _digest(conversation))
    except TypeError:
        return None


def _digest(conversation: Conversation) -> bytes:
    """Return what two conversations have in common that say the same, however their last answer's text is cut.

    What was thought in them the process knows by itself; a client may leave it out.
    """
    *before, last = map(_said, conversation.turns)
    assert isinstance(last, AssistantTurn), "it is an answer"
    said = "".join(part.text for part in last.content if isinstance(part, Text))
    text: tuple[AssistantPart, ...] = (Text(said),) if said.strip() else ()
    calls = (part for part in last.content if isinstance(part, ToolUse))
    same = evolve(conversation, turns=(*before, AssistantTurn((*text, *calls))))
    return hashlib.sha256(orjson.dumps(request_json(same), option=orjson.OPT_SORT_KEYS)).digest()


def _said(turn: Turn) -> Turn:
    if isinstance(turn, UserTurn):
        return turn
    return AssistantTurn(tuple(part for part in turn.content if not isinstance(part, Thinking | RedactedThinking)))
