"""One request from its place in the line to what is kept of it.

its turn in the session, if it names one      409 when too many wait
what its key, and all together, may use       429, before anything was started
a process                                     429 or 529 when too many wait for one
the conversation with it                      its events go to the client as they come
what is kept                                  before the client is told of the end
"""

import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

import trio
from attrs import frozen

from cca.dialects.contract import Ask
from cca.errors import CcaError
from cca.estimate import estimated_tokens
from cca.exchange import Answer, answer_on, hold
from cca.keys import Principal
from cca.limits.limiter import Grant
from cca.model import Event
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


async def attend(service: Service, request: Request, events: trio.MemorySendChannel[Event]) -> None:
    """Answer ``request`` on ``events``, and keep what it came to, however it ended. Cancelling kills its process."""
    tally = Tally(
        request.id,
        service.now(),
        request.dialect,
        request.principal.key_id,
        request.ask.conversation.model,
        service.prices,
        trio.current_time,
    )
    await answer_on(events, partial(_answer, service, request, tally), tally.note)


async def _answer(service: Service, request: Request, tally: Tally, answer: Answer) -> None:
    principal = request.principal
    stream = request.ask.stream
    async with _session(service, request) as session, AsyncExitStack() as after:
        conversation = request.ask.conversation if session is None else session.continued(request.ask.conversation)
        tokens = estimated_tokens(conversation)
        with service.limiter.admit(principal.key_id, principal.limits, tokens) as grant:
            async with service.gate.slot():
                # After its place and its process are free for others: a database that is busy keeps nobody waiting.
                after.push_async_callback(_keep, service, session, tally, stream=stream)
                settle = partial(_settle, session, grant, tally, stream=stream)
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


async def _settle(session: OpenSession | None, grant: Grant, tally: Tally, *, stream: bool) -> None:
    """Commit an answer that is complete: one that cannot be kept has failed. Then charge for it.

    Who has its end may ask again at once, and its process takes a while to be gone.
    """
    if session is not None:
        await session.keep(tally, stream=stream)
    grant.settle(tally.tokens, tally.cost)


async def _keep(service: Service, session: OpenSession | None, tally: Tally, *, stream: bool) -> None:
    """Keep what is not kept yet. Bounded; a failure is logged, and the ledger tries again."""
    with trio.move_on_after(KEEP_TIMEOUT, shield=True) as scope:
        # What never began is a failure, which the client was told of: it will ask again.
        if session is not None and tally.begun:
            try:
                await session.keep(tally, stream=stream)
            except CcaError as error:
                log.error("An exchange is not in its session: %s", error)  # noqa: TRY400 - its message says all
            else:
                return
        await service.ledger.keep(tally.exchange())
    if scope.cancelled_caught:
        log.error("An exchange was not kept within %.0f s: the database is busy.", KEEP_TIMEOUT)
