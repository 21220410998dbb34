"""One request from its place in the line to what is kept of it.

its turn in the session, if it names one      409 when too many wait
what its key, and all together, may use       429, before anything was started
a process                                     429 or 529 when too many wait for one
the conversation with it                      its events go to the client as they come
what is kept                                  before the client is told of the end
"""

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager, AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Protocol, TypeAlias

import trio
from attrs import frozen

from cca.dialects.contract import Ask
from cca.errors import CcaError
from cca.estimate import estimated_tokens
from cca.exchange import Answer, answer_on, hold
from cca.keys import Principal
from cca.limits.limiter import Grant
from cca.model import Event, Failed
from cca.service import Service
from cca.sessions import OpenSession
from cca.store.sessions import Name
from cca.tally import Tally

log = logging.getLogger(__name__)

KEEP_TIMEOUT = 10.0
"""Seconds for a request to be kept that ended otherwise than well: twice what SQLite waits for another's lock."""


@frozen
class Request:
    """Who asks for what, through which dialect. ``session`` is the one that it names."""

    id: str
    principal: Principal
    dialect: str
    ask: Ask
    session: str | None = None


class End(Protocol):
    """An end that came to an answer from outside, or not. ``error`` is what the client is told of it."""

    @property
    def cancelled_caught(self) -> bool: ...

    @property
    def error(self) -> CcaError: ...


Bounding: TypeAlias = Callable[[], AbstractContextManager[End]]
"""Opens a scope that such an end cancels."""


async def attend(service: Service, request: Request, events: trio.MemorySendChannel[Event], bound: Bounding) -> None:
    """Answer ``request`` on ``events``, and keep what it came to, however it ended. Cancelling kills its process.

    An end that comes from outside kills it, too, and its error is the last event.
    """
    asked = request.ask.conversation.model
    entry = service.catalogue.entry(asked)
    tally = Tally(
        request.id,
        service.now(),
        request.dialect,
        request.principal.key_id,
        asked if entry is None else entry.id,
        service.prices,
        trio.current_time,
    )
    await answer_on(events, partial(_answer, service, request, bound, tally), tally.note)


async def _answer(service: Service, request: Request, bound: Bounding, tally: Tally, answer: Answer) -> None:
    async with AsyncExitStack() as after:
        with bound() as end:
            session = await after.enter_async_context(_session(service, request))
            await _converse(service, request, session, tally, answer, after)
        if end.cancelled_caught:
            tally.note(Failed(end.error))
            raise end.error


async def _converse(
    service: Service,
    request: Request,
    session: OpenSession | None,
    tally: Tally,
    answer: Answer,
    after: AsyncExitStack,
) -> None:
    principal = request.principal
    conversation = request.ask.conversation if session is None else session.continued(request.ask.conversation)
    tokens = estimated_tokens(conversation)
    with service.limiter.admit(principal.key_id, principal.limits, tokens) as grant:
        async with service.gate.slot():
            # After its place and its process are free for others: a database that is busy keeps nobody waiting.
            after.push_async_callback(_keep, service, session, tally, stream=request.ask.stream)
            tally.asked_tokens = tokens - (conversation.sampling.max_tokens or 0)
            settle = partial(_settle, session, grant, tally)
            held = partial(hold, service.backend, conversation, service.deadlines, service.now)
            try:
                await answer.of(partial(held, settle=settle))
            finally:
                if grant.open:
                    grant.settle(tally.tokens, tally.cost)


@asynccontextmanager
async def _session(service: Service, request: Request) -> AsyncIterator[OpenSession | None]:
    owner = request.principal.owner
    if request.session is not None:
        async with service.sessions.open(Name(owner, request.session)) as session:
            yield session
    elif service.settings.keep:
        yield service.sessions.new(owner)
    else:
        yield None


async def _settle(session: OpenSession | None, grant: Grant, tally: Tally) -> None:
    """Commit an answer that is complete: one that cannot be kept has failed. Then charge for it.

    Who has its end may ask again at once, and its process takes a while to be gone.
    """
    tally.complete = True
    if session is not None:
        try:
            await session.keep(tally, "completed")
        except BaseException:
            # It is not told of its end, and what there is of it is kept as that.
            tally.complete = False
            raise
    grant.settle(tally.tokens, tally.cost)


async def _keep(service: Service, session: OpenSession | None, tally: Tally, *, stream: bool) -> None:
    """Keep what is not kept yet. Bounded; a failure is logged, and the ledger tries again."""
    with trio.move_on_after(KEEP_TIMEOUT, shield=True) as scope:
        # What never began is a failure, which the client was told of: it will ask again.
        if session is not None and tally.begun:
            try:
                await session.keep(tally, tally.status(stream=stream))
            except CcaError as error:
                log.error("An exchange is not in its session: %s", error)  # noqa: TRY400 - its message says all
            else:
                return
        await service.ledger.keep(tally.exchange())
    if scope.cancelled_caught:
        log.error("An exchange was not kept within %.0f s: the database is busy.", KEEP_TIMEOUT)
