"""Processes that wait: started ahead of demand, each for one conversation, and never more than a cap at once.

A request takes one that waits, or the next to be ready. One that is taken is its request's, and is gone when that
leaves it. When nobody asks, as many are started as are to wait; while requests wait, just one for each of them.
"""

import logging
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, suppress
from typing import Protocol

import trio
from attrs import define, field

from cca.backends import Named
from cca.backends.process import LiveProcess, hear
from cca.backends.vouching import Refused
from cca.claude import preparation
from cca.errors import CcaError, InternalError, Unavailable, innermost
from cca.model import Conversation, ModelEntry

log = logging.getLogger(__name__)

GONE_TIMEOUT = 10.0
"""Seconds for a process that was ended to be gone with its files; the backend's own bounds are shorter."""

LOOK_INTERVAL = 5.0
"""Seconds between looks at the processes that wait: one that died, or is of another program by now, is replaced."""

CALM = 0.2
"""Seconds without a start ahead of demand after a process was taken: on two cores it would double the time to the first
token, which is 0.1.
"""

MANY_PARTS = 10_000
"""Parts of a conversation from which it is looked at in a thread: of as many that takes 10 ms."""

FIRST_DELAY, LONGEST_DELAY = 1.0, 60.0
"""Seconds without a start ahead of demand after one that failed, twice as many after each further one."""

STARTS = 3
"""Processes that one start may take: Claude Code renews its login, and is updated, just as another is being started."""


ENDING = "cca is ending: it starts no Claude Code process any more."


class Starter(Named, Protocol):
    """Starts processes: the live backend."""

    def is_special(self, conversation: Conversation) -> bool: ...

    def start(self, conversation: Conversation | None = None) -> AbstractAsyncContextManager[LiveProcess]: ...


@define(eq=False)
class _Berth:
    """A process of the pool. ``left`` once nobody wants it any more, ``gone`` once it is."""

    process: LiveProcess
    left: trio.Event = field(factory=trio.Event, init=False)
    gone: trio.Event = field(factory=trio.Event, init=False)

    def leave(self) -> None:
        self.left.set()
        self.process.end()


@define(eq=False)
class _Ask:
    """A request that waits for a process, or for room for one of its own."""

    answered: trio.Event = field(factory=trio.Event, init=False)
    berth: _Berth | None = field(default=None, init=False)
    error: CcaError | None = field(default=None, init=False)

    def answer(self, berth: _Berth | None = None, error: CcaError | None = None) -> None:
        self.berth, self.error = berth, error
        self.answered.set()


@define
class Pool:
    """``most`` processes live at once, of which ``waiting`` are started ahead of demand; ``starts`` start at once.

    ``spare`` ends a process that is of no request and not of those that wait, if there is one: it is asked where there
    is no room for a request's. Whoever asks for more processes at once than ``most`` waits until one is gone.
    """

    starter: Starter
    most: int
    waiting: int
    starts: int
    spare: Callable[[], bool] = lambda: False
    _nursery: trio.Nursery | None = field(default=None, init=False)
    _slots: trio.Semaphore = field(init=False)
    _ready: deque[_Berth] = field(factory=deque, init=False)
    _berths: set[_Berth] = field(factory=set, init=False)
    _asks: deque[_Ask] = field(factory=deque, init=False)
    _rooms: deque[_Ask] = field(factory=deque, init=False)
    _starting: int = field(default=0, init=False)
    _special: int = field(default=0, init=False)
    _own: set[LiveProcess] = field(factory=set, init=False)
    _delay: float = field(default=0.0, init=False)
    _not_before: float = field(default=0.0, init=False)
    _calm_until: float = field(default=0.0, init=False)

    def __attrs_post_init__(self) -> None:
        self._slots = trio.Semaphore(self.starts)

    @property
    def name(self) -> str:
        return self.starter.name

    @property
    def cli_version(self) -> str:
        return self.starter.cli_version

    @property
    def models(self) -> tuple[ModelEntry, ...]:
        return self.starter.models

    @property
    def alive(self) -> int:
        """The processes that there are, and those that are about to be."""
        return self._starting + len(self._berths) + self._special

    @property
    def ready(self) -> int:
        """The processes that wait."""
        return len(self._ready)

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        """Own the pool's processes, until this is left: then all are killed."""
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            nursery.start_soon(self._tend)
            try:
                yield
            finally:
                self._nursery = None
                for ask in (*self._asks, *self._rooms):
                    ask.answer(error=Unavailable(ENDING))
                self._asks.clear()
                self._rooms.clear()
                nursery.cancel_scope.cancel()

    @asynccontextmanager
    async def open(self, conversation: Conversation) -> AsyncIterator[LiveProcess]:
        """Own a process for ``conversation``, until this is left: then it is killed, and gone.

        Raise ``Unavailable`` when there is none to be had, as before the pool is opened and after. Cancelling kills it.
        """
        if await self._is_special(conversation):
            await self._room()
            process: LiveProcess | None = None
            try:
                async with AsyncExitStack() as stack:
                    process = await self._start(stack, conversation)
                    self._own.add(process)
                    yield process
            finally:
                self._special -= 1
                if process is not None:
                    self._own.discard(process)
                self._fill()
        else:
            berth = await self._take()
            try:
                yield berth.process
            finally:
                berth.leave()
                with trio.move_on_after(GONE_TIMEOUT, shield=True):
                    await berth.gone.wait()

    async def _is_special(self, conversation: Conversation) -> bool:
        if sum(len(turn.content) for turn in conversation.turns) < MANY_PARTS:
            return self.starter.is_special(conversation)
        return await trio.to_thread.run_sync(self.starter.is_special, conversation, abandon_on_cancel=True)

    async def _start(self, stack: AsyncExitStack, conversation: Conversation | None = None) -> LiveProcess:
        """Start a process that ``stack`` owns, when it is its turn, and prepare it."""
        async with self._slots:
            for _ in range(STARTS):
                # One that is of no use is gone before the next is started: they are never more than the cap.
                async with AsyncExitStack() as own:
                    process = await own.enter_async_context(self.starter.start(conversation))
                    process.write(preparation.ask())
                    await hear(process, preparation.Preparation())
                    if process.fit:
                        stack.push_async_exit(own.pop_all())
                        return process
        raise Unavailable(
            f"Claude Code ended, or it or its login was replaced, while it was being started, {STARTS} times in a row. "
            "Send the request again."
        )

    async def _take(self) -> _Berth:
        """Return one that waits, or the next to be ready."""
        while self._ready:
            berth = self._ready.popleft()
            if berth.process.fit:
                self._replace()
                return berth
            berth.leave()
        ask = self._asked(self._asks)
        try:
            await ask.answered.wait()
        except BaseException:
            if ask.berth is not None:
                self._offer(ask.berth)
            elif ask.error is None:
                self._asks.remove(ask)
            raise
        if ask.error is not None:
            raise ask.error
        assert ask.berth is not None, "it is there, or there is an error"
        return ask.berth

    def _replace(self) -> None:
        """Start another in the place of one that was taken, once that has had its time to answer."""
        self._calm_until = trio.current_time() + CALM
        if self._nursery is not None:
            self._nursery.start_soon(self._fill_after, CALM)

    async def _fill_after(self, seconds: float) -> None:
        await trio.sleep(seconds)
        self._fill()

    async def _room(self) -> None:
        """Wait until there may be one process more, and count it."""
        ask = self._asked(self._rooms)
        try:
            await ask.answered.wait()
        except BaseException:
            if not ask.answered.is_set():
                self._rooms.remove(ask)
            elif ask.error is None:
                self._special -= 1
                self._fill()
            raise
        if ask.error is not None:
            raise ask.error

    def _asked(self, line: deque[_Ask]) -> _Ask:
        if self._nursery is None:
            raise Unavailable(ENDING)
        ask = _Ask()
        line.append(ask)
        self._fill()
        return ask

    def _offer(self, berth: _Berth) -> None:
        """Give a process to who asks for one, or let it wait, or let it go where enough do, or it is of no use."""
        if not berth.process.fit:
            berth.leave()
        elif self._asks:
            self._asks.popleft().answer(berth)
        elif len(self._ready) < self.waiting:
            self._ready.append(berth)
        else:
            berth.leave()

    def _fill(self) -> None:
        """Start what is missing, as far as there is room."""
        nursery = self._nursery
        if nursery is None:
            return
        missing = self._missing()
        self._make_room(len(self._rooms) + missing - (self.most - self.alive))
        while self._rooms and self.alive < self.most:
            self._special += 1
            self._rooms.popleft().answer()
        for _ in range(min(missing, self.most - self.alive)):
            self._starting += 1
            nursery.start_soon(self._hold)

    def _missing(self) -> int:
        """Return how many processes are to be started for who asks; where nobody does, ahead of demand."""
        if self._asks or self._rooms:
            return max(0, len(self._asks) - self._starting)
        if trio.current_time() < max(self._not_before, self._calm_until):
            return 0
        return max(0, self.waiting - len(self._ready) - self._starting)

    def _make_room(self, wanted: int) -> None:
        """Where requests wait, let so many processes go that none of them has."""
        if not self._asks and not self._rooms:
            return
        self._retire()
        processes = (*self._own, *(berth.process for berth in self._berths))
        for _ in range(wanted - sum(process.ended for process in processes)):
            # A conversation that nobody has come back to for a while, before one that the next request needs.
            if self.spare():
                continue
            if not self._ready:
                break
            self._ready.pop().leave()

    async def _hold(self) -> None:
        """Own a process until it is left."""
        berth: _Berth | None = None
        try:
            async with AsyncExitStack() as stack:
                berth = self._started(await self._start(stack))
                self._offer(berth)
                self._fill()
                await berth.left.wait()
        except* CcaError as group:
            self._failed(innermost(group), berth)
        except* Exception:
            log.exception("A fault in cca ended a Claude Code process.")
            self._failed(InternalError("A fault in cca kept Claude Code from starting; its log says more."), berth)
        finally:
            if berth is None:
                self._starting -= 1
            else:
                self._berths.discard(berth)
                with suppress(ValueError):
                    self._ready.remove(berth)
                berth.gone.set()
        # Not when it is cancelled: then the pool is.
        self._fill()

    def _started(self, process: LiveProcess) -> _Berth:
        berth = _Berth(process)
        self._starting -= 1
        self._berths.add(berth)
        self._delay = self._not_before = 0.0
        return berth

    def _failed(self, error: CcaError, berth: _Berth | None) -> None:
        """Tell who asked for a process that it could not be started; where nobody did, try again later."""
        if berth is not None:
            return
        if trio.current_time() >= self._not_before:
            # Those that were started together fail together.
            self._delay = min(max(FIRST_DELAY, self._delay * 2), LONGEST_DELAY)
            self._not_before = trio.current_time() + self._delay
        if self._asks:
            self._asks.popleft().answer(error=error)
        elif not isinstance(error, Refused):
            log.error("No Claude Code process could be started ahead of demand: %s", error)

    async def _tend(self) -> None:
        """Replace the processes that wait and may no longer be given to a request, until cancelled."""
        while True:
            try:
                self._retire()
                self._fill()
            except Exception:
                log.exception("A fault in cca kept it from looking at the processes that wait.")
            await trio.sleep(LOOK_INTERVAL)

    def _retire(self) -> None:
        """Let those go that wait, and may no longer be given to a request."""
        for berth in [each for each in self._ready if not each.process.fit]:
            self._ready.remove(berth)
            berth.leave()
