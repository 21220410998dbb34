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
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import orjson
import trio
from attrs import define, evolve, field, frozen

from cca.backends import Backend, Process
from cca.backends.transcript import request_json
from cca.claude.dialogue import Dialogue
from cca.claude.lines import LineFramer
from cca.message import Message
from cca.model import AssistantPart, AssistantTurn, Conversation, Text, ToolResult, ToolUse

log = logging.getLogger(__name__)

GONE_TIMEOUT = 10.0
"""Seconds for a process that was ended to be gone with its files; the backend's own bounds are shorter."""


@define
class Talk:
    """A dialogue with a process. ``opening`` is to be written first; ``may_stay`` after an answer that calls tools."""

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

    def go_on(self, conversation: Conversation) -> None:
        """Answer the calls with the results that end ``conversation``."""
        self.opening = self.dialogue.resume(conversation)
        self.message = Message()


@asynccontextmanager
async def fresh(backend: Backend, conversation: Conversation, now: Callable[[], float]) -> AsyncIterator[Talk]:
    """Own a process for ``conversation`` until this is left. Raise ``Unavailable``; cancelling kills it."""
    async with backend.open(conversation) as process:
        yield _talk(process, conversation, now)


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
    async def talk(self, owner: str, conversation: Conversation) -> AsyncIterator[Talk]:
        """Own a process for ``conversation``: one that waits for just what it adds, or a fresh one.

        Raise ``Unavailable`` when there is none to be had. Cancelling kills it, and leaving does, but for one that
        stays.
        """
        bay = self._take(owner, conversation)
        if bay is not None:
            bay.talk.go_on(conversation)
        elif self._nursery is not None and self.most and _may_stay(conversation):
            bay = await self._nursery.start(self._hold, conversation)
        else:
            async with fresh(self.backend, conversation, self.now) as talk:
                yield talk
            return
        stays = False
        try:
            yield bay.talk
            stays = bay.talk.stays and self._nursery is not None
        finally:
            if stays:
                self._park(owner, conversation, bay)
            else:
                bay.left.set()
                bay.talk.process.end()
                with trio.move_on_after(GONE_TIMEOUT, shield=True):
                    await bay.gone.wait()

    async def _hold(self, conversation: Conversation, task_status: trio.TaskStatus[_Bay]) -> None:
        """Own a process until it is left."""
        bay: _Bay | None = None
        try:
            async with self.backend.open(conversation) as process:
                bay = _Bay(_talk(process, conversation, self.now, may_stay=True))
                task_status.started(bay)
                await bay.left.wait()
        except Exception:
            if bay is None:
                # It could not be started, which is for its request to tell.
                raise
            log.exception("A fault in cca ended a process that had answered.")
        finally:
            if bay is not None:
                bay.gone.set()

    def _park(self, owner: str, conversation: Conversation, bay: _Bay) -> None:
        assert self._nursery is not None, "else it does not stay"
        turns = (*conversation.turns, _turn(bay.talk.message))
        place = _Place(owner, _digest(evolve(conversation, turns=turns)))
        self._let_go(place)
        bay.waiting = trio.CancelScope()
        self._parked[place] = bay
        if len(self._parked) > self.most:
            self._let_go(next(iter(self._parked)))
        self._nursery.start_soon(self._wait, place, bay)

    def _take(self, owner: str, conversation: Conversation) -> _Bay | None:
        """Return the process that waits for what ends ``conversation``."""
        *before, last = conversation.turns
        if not self._parked or not before or not any(isinstance(part, ToolResult) for part in last.content):
            return None
        place = _Place(owner, _digest(evolve(conversation, turns=tuple(before))))
        bay = self._parked.get(place)
        if bay is None:
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
            with trio.move_on_after(self.patience):
                await bay.talk.process.wait()
            self._let_go(place)

    def _let_go(self, place: _Place) -> None:
        bay = self._parked.pop(place, None)
        if bay is not None:
            bay.waiting.cancel()
            bay.left.set()
            bay.talk.process.end()


def _talk(process: Process, conversation: Conversation, now: Callable[[], float], *, may_stay: bool = False) -> Talk:
    dialogue = Dialogue(conversation, now())
    return Talk(process, dialogue, dialogue.open(), may_stay)


def _may_stay(conversation: Conversation) -> bool:
    """Whether a process for ``conversation`` can answer the results of its calls.

    A choice that is forced would be forced again, and an answer of a schema is no text of the program's.
    """
    return bool(conversation.tools) and not conversation.tool_choice.forced and conversation.output_schema is None


def _turn(message: Message) -> AssistantTurn:
    calls = [ToolUse(call.id, call.name, orjson.loads(call.arguments or "{}")) for call in message.calls]
    return AssistantTurn((Text(message.said), *calls))


def _digest(conversation: Conversation) -> bytes:
    """Return what two conversations have in common that say the same, however their last answer's text is cut."""
    *before, last = conversation.turns
    assert isinstance(last, AssistantTurn), "it is an answer"
    said = "".join(part.text for part in last.content if isinstance(part, Text))
    text: tuple[AssistantPart, ...] = (Text(said),) if said.strip() else ()
    calls = (part for part in last.content if isinstance(part, ToolUse))
    same = evolve(conversation, turns=(*before, AssistantTurn((*text, *calls))))
    return hashlib.sha256(orjson.dumps(request_json(same), option=orjson.OPT_SORT_KEYS)).digest()
