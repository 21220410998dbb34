"""One request from its place in the line to what is kept of it.

its turn in the session, if it names one      409 when too many wait
what its key, and all together, may use       429, before anything was started
a process for each choice                     429 or 529 when too many wait for one
the conversation with it                      its events go to the client as they come
what is kept                                  before the client is told of the end
"""

import logging
import math
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager, AsyncExitStack, nullcontext
from functools import partial
from typing import Protocol, TypeVar

import trio
from attrs import evolve, field, frozen

from cca.aside import aside
from cca.backends.transcript import request_json
from cca.dialects.contract import Ask, Dialect, Stamp
from cca.dialects.pairing import check_pairs
from cca.errors import CcaError, Unheard
from cca.estimate import estimated_tokens
from cca.exchange import Answer, Choice, answer_on, hold
from cca.keys import Principal
from cca.limits.limiter import Grant
from cca.logs import FIELDS
from cca.model import Conversation, Failed, Told
from cca.service import Service
from cca.sessions import OpenSession
from cca.store import stored
from cca.store.sessions import Name
from cca.tally import Tally

T = TypeVar("T")

log = logging.getLogger(__name__)

KEEP_TIMEOUT = 10.0
"""Seconds for a request to be kept that ended otherwise than well: twice what SQLite waits for another's lock."""


@frozen
class Request:
    """Who asks for what, in how many bytes, through which dialect.

    ``stamp`` is the answer's; ``session`` is the one that the request names.
    """

    id: str
    principal: Principal
    dialect: Dialect
    ask: Ask
    stamp: Stamp
    size: int
    session: str | None = None


@frozen
class Asked:
    """One choice: the conversation as it is held, of ``size`` bytes, what it is kept in, and what it comes to."""

    conversation: Conversation
    session: OpenSession | None
    tally: Tally
    size: int
    tokens: int = field(init=False)

    @tokens.default
    def _estimate(self) -> int:
        return estimated_tokens(self.conversation)


class End(Protocol):
    """An end that came to an answer from outside, or not. ``error`` is what the client is told of it."""

    @property
    def cancelled_caught(self) -> bool: ...

    @property
    def error(self) -> CcaError: ...


class Bounding(Protocol):
    """Makes a scope that such an end cancels, or else its deadline."""

    def __call__(self, seconds: float = math.inf) -> AbstractContextManager[End, bool]: ...


async def attend(
    service: Service,
    request: Request,
    events: trio.MemorySendChannel[Told],
    bound: Bounding,
    note: Callable[[Sequence[Tally]], None],
) -> None:
    """Answer ``request`` on ``events``, and keep what it came to, however it ended. Cancelling kills its processes.

    An end that comes from outside kills them, too, and its error is the last event. ``note`` is told what counts.
    """
    tallies = [_tally(service, request, conversation) for conversation in request.ask.conversations]
    note(tallies)

    def failed(event: Failed) -> None:
        for tally in tallies:
            tally.note(event)

    try:
        await answer_on(events, partial(_answer, service, request, bound, tallies, failed), failed, len(tallies))
    finally:
        if service.settings.log_content and log.isEnabledFor(logging.DEBUG):
            _log_content(request, tallies)


def _log_content(request: Request, tallies: Sequence[Tally]) -> None:
    """Log what was said, for whoever has asked for it."""
    for conversation, tally in zip(request.ask.conversations, tallies, strict=True):
        answered = ["".join(part.pieces) for part in tally.message.parts]
        said = {"request": request.id, "asked": request_json(conversation), "answered": answered}
        log.debug("said", extra={FIELDS: said})


def _tally(service: Service, request: Request, conversation: Conversation) -> Tally:
    asked = conversation.model
    entry = service.catalogue.entry(asked)
    return Tally(
        request.id,
        service.now(),
        request.dialect.name,
        request.principal.key_id,
        asked if entry is None else entry.id,
        service.prices,
        trio.current_time,
    )


async def _answer(
    service: Service,
    request: Request,
    bound: Bounding,
    tallies: Sequence[Tally],
    failed: Callable[[Failed], None],
    answer: Answer,
) -> None:
    async with AsyncExitStack() as after:
        with bound() as end:
            sessions = [await after.enter_async_context(_session(service, request)) for _ in tallies]
            await _converse(service, request, sessions, tallies, answer, after)
        if end.cancelled_caught:
            failed(Failed(end.error))
            raise end.error


async def _converse(
    service: Service,
    request: Request,
    sessions: Sequence[OpenSession | None],
    tallies: Sequence[Tally],
    answer: Answer,
    after: AsyncExitStack,
) -> None:
    size = _size(request, sessions)
    choices = await aside(size, _choices, request, sessions, tallies, size)
    principal = request.principal
    with service.limiter.admit(principal.key_id, principal.limits, sum(each.tokens for each in choices)) as grant:

        async def all_choices(answer: Answer) -> None:
            turn = trio.Lock()
            async with trio.open_nursery() as nursery:
                for number, asked in enumerate(choices):
                    choice = answer.choice(number, asked.tally.note)
                    settle = partial(_settle, request, asked, tallies, turn, partial(_charge, grant, tallies))
                    nursery.start_soon(_choose, service, request, asked, choice, settle, after)

        try:
            await answer.of(all_choices)
        finally:
            _charge(grant, tallies, complete=True)


def _choices(
    request: Request, sessions: Sequence[OpenSession | None], tallies: Sequence[Tally], size: int
) -> list[Asked]:
    choices = [
        Asked(_continued(request, conversation, session), session, tally, size)
        for conversation, session, tally in zip(request.ask.conversations, sessions, tallies, strict=True)
    ]
    for asked in choices:
        check_pairs(asked.conversation.turns, request.ask.results)
    return choices


def _size(request: Request, sessions: Iterable[OpenSession | None]) -> int:
    """Return how many bytes the model is to hear, about."""
    return request.size + sum(session.size for session in sessions if session is not None)


async def _choose(
    service: Service,
    request: Request,
    asked: Asked,
    choice: Choice,
    settle: Callable[[], Awaitable[None]],
    after: AsyncExitStack,
) -> None:
    async with service.gate.slot():
        # After its place and its process are free for others: a database that is busy keeps nobody waiting.
        after.push_async_callback(_keep, service, asked, stream=request.ask.stream)
        asked.tally.asked_tokens = asked.tokens - (asked.conversation.sampling.max_tokens or 0)
        for tried in (False, True):
            talk = service.staying.talk(request.principal.owner, asked.conversation, asked.size)
            try:
                await hold(talk, service.deadlines, choice, settle)
            except Unheard:
                # It was killed just as it was given away. Once may be that; twice is no accident.
                if tried:
                    raise
            else:
                return


def _session(
    service: Service, request: Request, *, write: bool = True
) -> AbstractAsyncContextManager[OpenSession | None]:
    """Return what owns the session that a choice is kept in, if it is in one, or only reads what is in it by now."""
    sessions, keep = service.sessions, service.settings.keep
    owner, keeping = request.principal.owner, request.ask.keeping
    if keeping.session is not None:
        return sessions.conversation(Name(owner, keeping.session), write=write)
    if request.session is not None:
        return sessions.open(Name(owner, request.session), write=write)
    if keeping.previous is not None:
        return sessions.going_on(owner, keeping.previous, keep=keep, store=keeping.store and write)
    return nullcontext(sessions.new(owner, keep=keep) if keep or keeping.store else None)


async def of_heard(service: Service, request: Request, function: Callable[[Conversation], T]) -> T:
    """Return what a function makes of the conversation that the model would hear of ``request`` by now.

    Nothing of it is asked or kept, and no answer that is under way is waited for. Raise what asking would.
    """
    [sent] = request.ask.conversations
    async with _session(service, request, write=False) as session:

        def of_all() -> T:
            conversation = _continued(request, sent, session)
            check_pairs(conversation.turns, request.ask.results)
            return function(conversation)

        return await aside(_size(request, [session]), of_all)


def _continued(request: Request, sent: Conversation, session: OpenSession | None) -> Conversation:
    instructions = request.ask.keeping.instructions
    if session is None:
        return evolve(sent, system=(*instructions, *sent.system))
    return session.continued(sent, instructions)


async def _settle(
    request: Request, asked: Asked, tallies: Sequence[Tally], turn: trio.Lock, charge: Callable[[], None]
) -> None:
    """Commit a choice that is complete: one that cannot be kept has failed. Then charge for the request.

    Who has its end may ask again at once, and its process takes a while to be gone.
    """
    tally, session = asked.tally, asked.session
    if session is None:
        tally.complete = True
    else:
        # One after the other: the last one is kept with the answer that all of them make, once the others are.
        async with turn:
            tally.complete = True
            try:
                await session.keep(tally, "completed", _answer_stored(request, session, tallies), asked.size)
            except BaseException:
                # It is not told of its end, and what there is of it is kept as that.
                tally.complete = False
                raise
    charge()


def _answer_stored(request: Request, session: OpenSession, tallies: Sequence[Tally]) -> stored.Answer | None:
    """Return what is to be stored of an answer under its own id, when it is complete."""
    ask, stamp = request.ask, request.stamp
    if not ask.keeping.store or not all(tally.complete for tally in tallies):
        return None
    body = request.dialect.whole(ask, stamp, [tally.message for tally in tallies])
    return stored.Answer(
        body["id"],
        body["object"],
        stamp.created,
        body["model"],
        tallies[0].model,
        ask.keeping.metadata,
        session.next_system,
        ask.keeping.input,
        body,
    )


def _charge(grant: Grant, tallies: Sequence[Tally], *, complete: bool = False) -> None:
    """Charge a request for all its choices, once: when they are complete, or when no more comes of them."""
    if grant.open and (complete or all(tally.complete for tally in tallies)):
        grant.settle(sum(tally.tokens for tally in tallies), sum(tally.cost for tally in tallies))


async def _keep(service: Service, asked: Asked, *, stream: bool) -> None:
    """Keep what is not kept yet. Bounded; a failure is logged, and the ledger tries again."""
    session, tally = asked.session, asked.tally
    with trio.move_on_after(KEEP_TIMEOUT, shield=True) as scope:
        # What never began is a failure, which the client was told of: it will ask again.
        if session is not None and tally.begun:
            try:
                if await session.keep(tally, tally.status(stream=stream), size=asked.size):
                    return
            except CcaError as error:
                log.error("An exchange is not in its session: %s", error)  # noqa: TRY400 - its message says all
        await service.ledger.keep(tally.exchange())
    if scope.cancelled_caught:
        log.error("An exchange was not kept within %.0f s: the database is busy.", KEEP_TIMEOUT)
