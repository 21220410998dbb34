"""What serves requests: a backend, the models it offers, and where time and ids come from."""

import logging
import os
import socket
import time
import uuid
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

import trio
from attrs import frozen

from cca.backends import Backend
from cca.backends.discovery import find_claude
from cca.backends.live import Launcher, open_live
from cca.backends.record import Recorder
from cca.backends.replay import open_replay
from cca.backends.telltales import Identity
from cca.catalogue import Catalogue, patterns_of
from cca.claude.launch import launch, offline_environ
from cca.dialects.contract import Stamp
from cca.errors import Unavailable
from cca.exchange import Deadlines
from cca.scripted import open_scripted_model
from cca.settings import Settings
from cca.store import exchanges
from cca.store.database import Database, open_database
from cca.store.exchanges import Exchange

log = logging.getLogger(__name__)

OFFLINE_NAME = "claude, scripted model"
"""The backend's name where no model answers: nobody shall take its echoes for Claude's words."""

KEEP_TIMEOUT = 10.0
"""Seconds for a request to be kept: twice what SQLite waits for another program's lock."""


def new_id() -> str:
    return uuid.uuid4().hex


@frozen
class Service:
    """``now`` is the wall clock in seconds since the epoch; ``new_id`` makes ids that nobody guesses."""

    settings: Settings
    backend: Backend
    catalogue: Catalogue
    database: Database | None = None
    now: Callable[[], float] = time.time
    new_id: Callable[[], str] = new_id

    @property
    def deadlines(self) -> Deadlines:
        settings = self.settings
        return Deadlines(settings.first_event_timeout, settings.silence_timeout, settings.answer_timeout)

    def stamp(self) -> Stamp:
        return Stamp(self.new_id(), int(self.now()))

    async def keep(self, exchange: Exchange) -> None:
        """Keep what a request came to, where there is a database. Shielded and bounded; a failure is logged."""
        if self.database is None:
            return
        with trio.move_on_after(KEEP_TIMEOUT, shield=True) as scope:
            try:
                await self.database.write(partial(exchanges.add, exchange=exchange))
            except Unavailable as error:
                log.error("A request is missing in the database: %s", error)  # noqa: TRY400 - its message says all
        if scope.cancelled_caught:
            log.error("A request is missing in the database: it was busy for %.0f s.", KEEP_TIMEOUT)


def serve_backend(settings: Settings, backend: Backend, database: Database | None = None) -> Service:
    return Service(settings, backend, Catalogue(backend.models, patterns_of(settings.models)), database)


@asynccontextmanager
async def open_service(settings: Settings, environ: Mapping[str, str]) -> AsyncIterator[Service]:
    """Own all that answering needs. Raise ``Unavailable`` or ``SettingsError`` that says what to do."""
    async with AsyncExitStack() as stack:
        database = None
        if settings.database is not None:
            database = await stack.enter_async_context(open_database(settings.database))
        yield serve_backend(settings, await _open_backend(settings, environ, stack), database)


async def _open_backend(settings: Settings, environ: Mapping[str, str], stack: AsyncExitStack) -> Backend:
    if settings.replay is not None:
        return await open_replay(settings.replay)
    program = await trio.to_thread.run_sync(find_claude, settings.claude, environ)
    if settings.offline:
        model = await stack.enter_async_context(open_scripted_model())
        environ = offline_environ(environ, model.base_url)
    launcher: Launcher = partial(launch, program, environ, retries=settings.retries, inherit=settings.inherit)
    backend = await stack.enter_async_context(open_live(launcher))
    if settings.offline:
        backend.name = OFFLINE_NAME
    if settings.record is not None:
        return Recorder(backend, settings.record, Identity(environ.get("USER"), socket.gethostname()))
    return backend


def process_environ() -> Mapping[str, str]:
    return dict(os.environ)
