"""What serves requests: a backend, the models it offers, and where time and ids come from."""

import logging
import os
import socket
import time
import uuid
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path

import trio
from attrs import field, frozen

from cca.backends import Backend
from cca.backends.bubblewrap import find_sandbox
from cca.backends.discovery import find_claude
from cca.backends.live import Launcher, open_live
from cca.backends.memory import all_memory, free_memory
from cca.backends.pool import Pool
from cca.backends.record import Recorder
from cca.backends.replay import open_replay
from cca.backends.telltales import Identity
from cca.catalogue import Catalogue, patterns_of
from cca.claude.launch import launch, offline_environ
from cca.dialects.contract import Stamp
from cca.doctor.behaviour import check
from cca.errors import Unavailable
from cca.exchange import Deadlines
from cca.keyring import Keyring
from cca.limits.gate import Gate
from cca.limits.limiter import Limiter
from cca.prices import Prices, prices_of
from cca.sessions import SWEEP_INTERVAL, Sessions
from cca.settings import Settings, spelled
from cca.staying import Room, Staying
from cca.store.database import Database, open_database
from cca.store.exchanges import spending
from cca.store.ledger import Ledger

log = logging.getLogger(__name__)

OFFLINE_NAME = "claude, scripted model"
"""The backend's name where no model answers: nobody shall take its echoes for Claude's words."""

MEMORY_PER_PROCESS = 400_000_000
"""Bytes: a Claude Code process takes 190 MB, and 300 MB at its most."""

MOST_PROCESSES = 8
"""By default. More of them are faster for nobody on most machines."""

SMALL = 4
"""Processes at once: a machine that has fewer keeps one waiting, and not two."""

MANY_TURNS, FEW_TURNS = 40, 5
"""Past turns that take as long to tell as a history in a file: to a process that waits, and to one that is started."""

DAY = 86_400.0


def new_id() -> str:
    return uuid.uuid4().hex


@frozen
class Service:
    """``now`` is the wall clock in seconds since the epoch; ``new_id`` makes ids that nobody guesses."""

    settings: Settings
    backend: Backend
    database: Database
    now: Callable[[], float] = time.time
    new_id: Callable[[], str] = new_id
    catalogue: Catalogue = field(init=False)
    prices: Prices = field(init=False)
    keyring: Keyring = field(init=False)
    limiter: Limiter = field(init=False)
    gate: Gate = field(init=False)
    staying: Staying = field(init=False)
    sessions: Sessions = field(init=False)
    ledger: Ledger = field(init=False)

    @catalogue.default
    def _catalogue(self) -> Catalogue:
        return Catalogue(self.backend.models, patterns_of(self.settings.models))

    @prices.default
    def _prices(self) -> Prices:
        return prices_of(self.settings.prices)

    @keyring.default
    def _keyring(self) -> Keyring:
        return Keyring(self.database, self.now)

    @limiter.default
    def _limiter(self) -> Limiter:
        return Limiter(self.settings.limits, trio.current_time)

    @gate.default
    def _gate(self) -> Gate:
        return Gate(_processes(self.settings), self.settings.queue, trio.current_time)

    @staying.default
    def _staying(self) -> Staying:
        settings = self.settings
        # A recording is of one answer, and a recorded process has said all that it can say.
        most = 0 if settings.replay or settings.record else _staying(settings)
        room = Room(most, settings.staying_timeout, settings.staying_memory, _is_memory_short, self.keyring.ended)
        return Staying(self.backend, room, self.now)

    @sessions.default
    def _sessions(self) -> Sessions:
        return Sessions(
            self.database,
            self.settings.session_queue,
            self.settings.expires_after,
            self.settings.body_limit,
            self.now,
            self.new_id,
        )

    @ledger.default
    def _ledger(self) -> Ledger:
        return Ledger(self.database)

    @property
    def deadlines(self) -> Deadlines:
        settings = self.settings
        return Deadlines(settings.first_event_timeout, settings.silence_timeout, settings.answer_timeout)

    def stamp(self) -> Stamp:
        return Stamp(self.new_id(), int(self.now()))

    async def recall(self) -> None:
        """Take in what the database holds: the keys, and what they spent in the last day. Raise ``Unavailable``."""
        await self.keyring.refresh()
        now = self.now()
        for key, at, cost in await self.database.read(lambda connection: spending(connection, now - DAY)):
            self.limiter.seed(key, max(0.0, now - at), cost)

    async def sweep(self) -> None:
        """Delete what has expired, and keep what could not be kept, now and from time to time, until cancelled."""
        while True:
            await self.ledger.flush()
            try:
                await self.sessions.sweep()
            except Unavailable as error:
                log.error("Expired sessions are still there: %s", error)  # noqa: TRY400 - its message says all
            await trio.sleep(SWEEP_INTERVAL)


@asynccontextmanager
async def open_service(settings: Settings, environ: Mapping[str, str]) -> AsyncIterator[Service]:
    """Own all that answering needs. Raise ``Unavailable`` or ``SettingsError`` that says what to do."""
    async with AsyncExitStack() as stack:
        path = settings.database or default_database(environ)
        database = await stack.enter_async_context(open_database(path))

        def spare() -> bool:
            return service.staying.spare()

        service = Service(settings, await _open_backend(settings, environ, stack, spare), database)
        await service.recall()
        for name in _without_effect(settings, guarded=service.keyring.exists):
            log.warning("%s has no effect while there is no API key. Create one with `cca keys create`.", spelled(name))
        async with trio.open_nursery() as nursery, service.staying.opened():
            nursery.start_soon(service.sweep)
            yield service
            nursery.cancel_scope.cancel()
        await service.ledger.flush()


def _without_effect(settings: Settings, *, guarded: bool) -> Iterator[str]:
    """Yield the settings that let in who has a key, where there is none."""
    if not guarded:
        yield from (name for name in ("allowed_hosts", "allowed_origins") if getattr(settings, name))


def default_database(environ: Mapping[str, str]) -> Path:
    """Return where sessions are kept by default. Source: the XDG base directory specification."""
    given = environ.get("XDG_STATE_HOME", "")
    state = Path(given) if Path(given).is_absolute() else Path(environ.get("HOME", "~"), ".local", "state").expanduser()
    return state / "cca" / "sessions.db"


def _processes(settings: Settings) -> int:
    return settings.processes or max(1, min(MOST_PROCESSES, all_memory() // MEMORY_PER_PROCESS))


def _waiting(settings: Settings) -> int:
    if settings.waiting is not None:
        return settings.waiting
    return 2 if _processes(settings) >= SMALL and _cores() > 1 else 1


def _file_from(settings: Settings) -> int:
    """Return the past turns of a user's from which on a history goes in as a file; 0 is never."""
    if settings.history_file_from is not None:
        return settings.history_file_from
    return MANY_TURNS if _waiting(settings) else FEW_TURNS


def _staying(settings: Settings) -> int:
    """Return how many may stay: with more of them there would be no room for those that wait."""
    return min(settings.staying, max(1, _processes(settings) - _waiting(settings)))


def _cores() -> int:
    return os.cpu_count() or 1


def _is_memory_short() -> bool:
    free = free_memory()
    return free is not None and free < MEMORY_PER_PROCESS


async def _open_backend(
    settings: Settings, environ: Mapping[str, str], stack: AsyncExitStack, spare: Callable[[], bool]
) -> Backend:
    if settings.replay is not None:
        return await open_replay(settings.replay)
    program = await trio.to_thread.run_sync(find_claude, settings.claude, environ)
    if settings.offline:
        from cca.scripted import open_scripted_model  # noqa: PLC0415 - a server of its own, which nothing else needs

        model = await stack.enter_async_context(open_scripted_model())
        environ = offline_environ(environ, model.base_url)
    sandbox = await trio.to_thread.run_sync(find_sandbox, settings.sandbox, program, environ)
    launcher: Launcher = partial(
        launch, program, environ, retries=settings.retries, inherit=settings.inherit, sandbox=sandbox
    )
    live = await stack.enter_async_context(open_live(launcher, check if settings.self_test else None))
    if settings.offline:
        live.name = OFFLINE_NAME
    live.file_from = _file_from(settings)
    backend = Pool(live, _processes(settings), _waiting(settings), _cores(), spare)
    await stack.enter_async_context(backend.opened())
    if settings.record is not None:
        return Recorder(backend, settings.record, Identity(environ.get("USER"), socket.gethostname()))
    return backend


def process_environ() -> Mapping[str, str]:
    return dict(os.environ)
