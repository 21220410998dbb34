"""Conversations that stay: processes that have answered, and wait for what comes next.

A process stays after an answer that ended by itself, and after one that calls tools. The next request of the same owner
that says exactly what was said, and adds a user's turn or just these results, is answered by it: that takes a tenth of
a fresh process and all that was said before. Any other request is answered by a fresh one, from the history that it
sends.

A process that may stay belongs to this room, not to its request: the request ends it when it leaves otherwise than with
such an answer, and waits until it is gone.
"""

import hashlib
import logging
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable
from collections.abc import Set as AbstractSet
from contextlib import asynccontextmanager
from functools import partial

import orjson
import trio
from attrs import define, evolve, field, frozen

from cca import marks
from cca.aside import aside
from cca.backends import Backend
from cca.backends.transcript import request_json
from cca.claude.form import ends_at_once, way_of
from cca.claude.script import introduction, is_thinking_off
from cca.message import Message
from cca.model import (
    AssistantPart,
    AssistantTurn,
    Conversation,
    RedactedThinking,
    Sampling,
    Text,
    Thinking,
    ToolChoice,
    ToolUse,
    Turn,
    UserTurn,
)
from cca.talk import Talk, fresh, nothing, talk_of

log = logging.getLogger(__name__)

GONE_TIMEOUT = 10.0
"""Seconds for a process that was ended to be gone with its files; the backend's own bounds are shorter."""

REST_TIMEOUT = 5.0
"""Seconds for a program to end its turn after its answer. It takes 5 ms."""

LOOK_INTERVAL = 5.0
"""Seconds between looks at the memory that there is, and at the processes that stay."""


@frozen
class Room:
    """How much may stay: ``most`` processes, the last to have answered, in ``memory`` bytes, for ``patience`` seconds.

    ``short`` is whether the machine has too little memory for any to stay;
    ``barred`` has the owners who may ask no more.
    """

    most: int
    patience: float
    memory: float = float("inf")
    short: Callable[[], bool] = lambda: False
    barred: Callable[[], AbstractSet[str]] = frozenset


@frozen
class _Place:
    """Whose process it is, and what was said in it."""

    owner: str
    digest: bytes


@define(eq=False)
class _Bay:
    """A process of this room, which is found at ``place``.

    ``left`` once nobody wants it any more, ``gone`` once it is; ``rested`` once its program has ended its turn, or is
    known not to; ``parted`` once nobody waits with it any more.
    """

    talk: Talk
    place: _Place | None = field(default=None, init=False)
    left: trio.Event = field(factory=trio.Event, init=False)
    gone: trio.Event = field(factory=trio.Event, init=False)
    rested: trio.Event = field(factory=trio.Event, init=False)
    parted: trio.Event = field(factory=trio.Event, init=False)
    waiting: trio.CancelScope = field(factory=trio.CancelScope, init=False)

    def leave(self) -> None:
        self.left.set()
        self.talk.process.end()

    def arrive(self, place: _Place) -> None:
        self.place = place
        self.rested, self.parted = trio.Event(), trio.Event()
        self.waiting = trio.CancelScope()

    def part(self) -> None:
        self.rested.set()
        self.parted.set()


@define
class Staying:
    """The processes that stay, each for who goes on with its conversation."""

    backend: Backend
    room: Room
    now: Callable[[], float]
    _nursery: trio.Nursery | None = field(default=None, init=False)
    _bays: OrderedDict[_Place, _Bay] = field(factory=OrderedDict, init=False)

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        """Let processes stay, until this is left: then all are killed. Before it, each is its request's alone."""
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            nursery.start_soon(self._tend)
            try:
                yield
            finally:
                self._nursery = None
                self._bays.clear()
                nursery.cancel_scope.cancel()

    @property
    def number(self) -> int:
        return len(self._bays)

    def spare(self) -> bool:
        """End the process that has waited longest. Return whether there was one."""
        if not self._bays:
            return False
        self._let_go(next(iter(self._bays)))
        return True

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
            if self._nursery is None or not self.room.most or not _may_stay(said):
                async with fresh(self.backend, conversation, self.now, size) as talk:
                    yield talk
                return
            bay = await self._nursery.start(self._hold, conversation, size)
        bay.talk.arrange = partial(self._arrange, bay, owner, said, size)
        stays = False
        try:
            if waiting is not None:
                await aside(size, bay.talk.go_on, said, self.now())
            yield bay.talk
            stays = bay.place is not None
        finally:
            # It has the whole conversation.
            bay.talk.arrange = nothing
            if stays and self._nursery is not None:
                self._nursery.start_soon(self._wait, bay)
            else:
                await self._end(bay)

    async def _hold(self, conversation: Conversation, size: int, task_status: trio.TaskStatus[_Bay]) -> None:
        """Own a process until it is left."""
        bay: _Bay | None = None
        try:
            async with self.backend.open(conversation) as process:
                bay = _Bay(await aside(size, partial(talk_of, may_stay=True), process, conversation, self.now()))
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

    async def _arrange(self, bay: _Bay, owner: str, said: Conversation, size: int) -> None:
        """Let a process be found, if it stays after its answer to ``said``."""
        message = bay.talk.message
        if not bay.talk.stays or not (message.said.strip() or message.calls) or message.cites:
            # Of what an answer cites, its program remembers nothing but that it does.
            return
        place = await aside(size, _place, owner, evolve(said, turns=(*said.turns, _turn(message))))
        if place is None or self._nursery is None:
            return
        self._let_go(place)
        bay.arrive(place)
        self._bays[place] = bay
        if len(self._bays) > self.room.most:
            self.spare()

    async def _take(self, owner: str, conversation: Conversation, size: int) -> _Bay | None:
        """Return the process that waits for what ends ``conversation``."""
        *before, last = conversation.turns
        if not self._bays or not before or not await aside(size, _may_stay, conversation):
            return None
        place = await aside(size, _place, owner, evolve(conversation, turns=tuple(before)))
        bay = None if place is None else self._bays.pop(place, None)
        if bay is None:
            return None
        try:
            with trio.move_on_after(REST_TIMEOUT):
                await bay.rested.wait()
                bay.waiting.cancel()
                await bay.parted.wait()
        except BaseException:
            bay.leave()
            raise
        if not bay.parted.is_set() or not bay.talk.process.fit or not bay.talk.dialogue.takes(last):
            # The conversation goes on, and not with this process.
            bay.leave()
            return None
        bay.place = None
        return bay

    async def _wait(self, bay: _Bay) -> None:
        """Hear the program's turn out, and let the process go that nobody comes for in time, or that has ended."""
        try:
            with bay.waiting:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(_then, bay.gone.wait, nursery.cancel_scope)
                    nursery.start_soon(_then, partial(_rest, bay), nursery.cancel_scope)
                    nursery.start_soon(_then, partial(trio.sleep, self.room.patience), nursery.cancel_scope)
                self._forget(bay)
                bay.leave()
        except* Exception:
            log.exception("A fault in cca ended a process that stayed.")
            self._forget(bay)
            bay.leave()
        finally:
            bay.part()

    async def _end(self, bay: _Bay) -> None:
        self._forget(bay)
        bay.leave()
        bay.part()
        with trio.move_on_after(GONE_TIMEOUT, shield=True):
            await bay.gone.wait()

    def _forget(self, bay: _Bay) -> None:
        """Let a process be found no more. By now another may be where it was."""
        if bay.place is not None and self._bays.get(bay.place) is bay:
            del self._bays[bay.place]

    def _let_go(self, place: _Place) -> None:
        bay = self._bays.pop(place, None)
        if bay is not None:
            bay.leave()

    async def _tend(self) -> None:
        """Look at what stays, from time to time, until cancelled."""
        while True:
            await trio.sleep(LOOK_INTERVAL)
            try:
                self._look()
            except Exception:
                log.exception("A fault in cca kept it from looking at the processes that stay.")

    def _look(self) -> None:
        """Let go what has ended, what nobody may come for, and what there is no memory for."""
        barred = self.room.barred()
        for place in [place for place, bay in self._bays.items() if place.owner in barred or not bay.talk.process.fit]:
            self._let_go(place)
        if self.room.short():
            # One at a time: what it had is free only when it is gone.
            self.spare()
        while sum(bay.talk.process.memory for bay in self._bays.values()) > self.room.memory:
            self.spare()


async def _rest(bay: _Bay) -> None:
    """Hear the program's turn out, then whatever it says unasked: until it ends, or says what it should not."""
    talk = bay.talk
    with trio.move_on_after(REST_TIMEOUT):
        while talk.dialogue.ending and (chunk := await talk.process.read()):
            talk.hear(chunk)
    if talk.dialogue.ending:
        return
    bay.rested.set()
    while talk.dialogue.may_go_on and (chunk := await talk.process.read()):
        talk.hear(chunk)


def _may_stay(conversation: Conversation) -> bool:
    """Whether a process for ``conversation`` can go on with it.

    An answer that is told as the arguments of a tool is no text of the program's. A mark for the cache that stands in a
    turn would stay where it is.
    """
    return way_of(conversation) != "tool" and not ends_at_once(conversation) and not marks.placed(conversation)


def _turn(message: Message) -> AssistantTurn:
    calls = [ToolUse(call.id, call.name, orjson.loads(call.arguments or "{}")) for call in message.calls]
    return AssistantTurn((Text(message.said), *calls))


async def _then(end: Callable[[], Awaitable[object]], scope: trio.CancelScope) -> None:
    await end()
    scope.cancel()


def _place(owner: str, conversation: Conversation) -> _Place | None:
    """Return where a process waits after ``conversation``; nothing, for one with values that JSON is not written of."""
    if not isinstance(conversation.turns[-1], AssistantTurn):
        return None
    try:
        return _Place(owner, _digest(conversation))
    except TypeError:
        return None


def _digest(conversation: Conversation) -> bytes:
    """Return what two conversations have in common that can be held by one process, one after the other.

    That is all but what a process can be told anew at any time. What was thought in them the process knows by itself: a
    client may leave it out, and has no way to change it. However the text of their last answer is cut, it is the same.
    """
    *before, last = map(_said, conversation.turns)
    assert isinstance(last, AssistantTurn), "it is an answer"
    said = "".join(part.text for part in last.content if isinstance(part, Text))
    text: tuple[AssistantPart, ...] = (Text(said),) if said.strip() else ()
    calls = (part for part in last.content if isinstance(part, ToolUse))
    once = evolve(
        conversation,
        turns=(*before, AssistantTurn((*text, *calls))),
        system=(),
        system_marks=(),
        tools=(),
        tool_choice=ToolChoice(),
        output_schema=None,
        sampling=Sampling(effort=conversation.sampling.effort),
        cache=None,
    )
    # Settings that were told are not taken back: only their values change.
    sticky = [is_thinking_off(conversation), marks.count(conversation) > 0]
    shaped = orjson.dumps([request_json(once), sticky], option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(introduction(conversation) + shaped).digest()


def _said(turn: Turn) -> Turn:
    if isinstance(turn, UserTurn):
        return turn
    return AssistantTurn(tuple(part for part in turn.content if not isinstance(part, Thinking | RedactedThinking)))
