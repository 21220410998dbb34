"""Live Claude Code processes: started, owned, killed.

A process lives in the ``async with`` that opened it, in a process group and directories of its own. Leaving kills the
group with SIGKILL at once: nothing of Claude Code needs saving, and after SIGTERM it would still send a request.
"""

import errno
import logging
import os
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, contextmanager, suppress
from functools import partial
from pathlib import Path
from subprocess import PIPE
from typing import TypeAlias

import trio
from attrs import define, evolve, field, frozen

from cca.backends import reaper
from cca.backends.edition import Edition, edition_of
from cca.backends.process import REAP_TIMEOUT, LiveProcess, hear
from cca.backends.rlimits import forbid_core_dumps
from cca.backends.vouching import Vouching, new_enough
from cca.claude import introduction
from cca.claude.form import ends_at_once
from cca.claude.launch import Directories, Launch, for_one_message, from_file, needs_login
from cca.claude.session_file import goes_by_file, is_long, session_file
from cca.errors import Unavailable
from cca.model import Conversation, ModelEntry

log = logging.getLogger(__name__)

REMOVE_TIMEOUT = 4.0
"""Seconds for a process's directories to be removed; what is left of them goes with the server's."""

HISTORY = "history.jsonl"

Launcher = Callable[[Directories], Launch]

NOWHERE = Directories("", "", "")
"""For what is not started."""


@frozen
class Reaper:
    """The server's end of the pipe to the program in ``reaper.py``."""

    pipe: int

    @contextmanager
    def watching(self, group: int) -> Iterator[None]:
        """Have ``group`` killed if this server dies in here."""
        self._tell(f"+{group}\n")
        try:
            yield
        finally:
            self._tell(f"-{group}\n")

    def _tell(self, line: str) -> None:
        try:
            os.write(self.pipe, line.encode())
        except OSError:
            log.exception("The reaper is gone: if cca is killed now, its Claude Code processes outlive it.")


@asynccontextmanager
async def open_reaper(directory: Path) -> AsyncIterator[Reaper]:
    """Run a reaper, which removes ``directory`` at the end. Raise ``OSError`` when it cannot be started."""
    reading, writing = os.pipe()
    try:
        # A reaper that hangs must not hold the server: what cannot be told is an error.
        os.set_blocking(writing, False)
        with _closing(reading):
            # In a session of its own: the terminal's Ctrl-C is for the server, and the reaper ends after it.
            process = await trio.lowlevel.open_process(
                [sys.executable, "-I", "-S", reaper.__file__, str(directory)],
                stdin=reading,
                stdout=subprocess.DEVNULL,
                start_new_session=True,
                env={},
            )
    except BaseException:
        os.close(writing)
        raise
    try:
        yield Reaper(writing)
    finally:
        os.close(writing)
        # Bounded: the reaper has half a second of work at most once its pipe is closed.
        with trio.move_on_after(REAP_TIMEOUT, shield=True):
            await process.wait()


@contextmanager
def _closing(descriptor: int) -> Iterator[None]:
    try:
        yield
    finally:
        os.close(descriptor)


async def as_it_is(launch: Launch) -> Edition:
    """Return what there is of the program and the login."""
    return edition_of(launch)


@define
class LiveBackend:
    """Starts a process for each conversation. Made by ``open_live``.

    A history of ``file_from`` past turns of the user's, or more, goes in as a file; 0 is never. ``vouch`` returns what
    there is of what is launched, once that may be.
    """

    launcher: Launcher
    reaper: Reaper
    directory: Path
    name: str = "claude"
    cli_version: str = ""
    models: tuple[ModelEntry, ...] = ()
    file_from: int = 0
    vouch: Callable[[Launch], Awaitable[Edition]] = as_it_is
    _started: int = field(default=0, init=False)

    def open(self, conversation: Conversation) -> AbstractAsyncContextManager["LiveProcess"]:
        """Own a fresh process. Of ``conversation`` it knows what the dialogue writes, and what makes it special."""
        return self.start(conversation)

    def is_special(self, conversation: Conversation) -> bool:
        """Whether a process for ``conversation`` is started otherwise than for another."""
        return ends_at_once(conversation) or goes_by_file(conversation, self.file_from)

    @asynccontextmanager
    async def start(self, conversation: Conversation | None = None) -> AsyncIterator["LiveProcess"]:
        """Own a fresh process, its process group and its directories."""
        async with self._directories() as directories:
            launch = self.launcher(directories)
            if conversation is not None:
                launch = await self._for(conversation, launch)
            edition = await self.vouch(launch)
            process = LiveProcess(launch, await _spawn(launch), edition)
            popen = process.popen
            with self.reaper.watching(popen.pid), _litter_removed(launch, popen.pid):
                try:
                    async with trio.open_nursery() as nursery:
                        nursery.start_soon(process.drain_stderr)
                        nursery.start_soon(process.feed_stdin)
                        nursery.start_soon(process.outlast_leader)
                        yield process
                        process.end()
                        nursery.cancel_scope.cancel()
                finally:
                    await process.kill()

    async def _for(self, conversation: Conversation, launch: Launch) -> Launch:
        """Return a launch of what is just right for ``conversation``."""
        if ends_at_once(conversation):
            launch = for_one_message(launch)
        if not is_long(conversation, self.file_from):
            return launch
        # Its own directory goes with the process. A user's configuration, where Claude Code has its own, would not.
        path = Path(launch.cwd).with_name(HISTORY)
        # Not abandoned: the directory would be removed, and a file be left in it.
        written = await trio.to_thread.run_sync(_write_history, path, conversation, self.file_from)
        return from_file(launch, str(path)) if written else launch

    @asynccontextmanager
    async def _directories(self) -> AsyncIterator[Directories]:
        self._started += 1
        own = self.directory / str(self._started)
        places = [own / name for name in ("work", "tmp", "config")]
        try:
            try:
                _make_own(self.directory)
                for place in (own, *places):
                    place.mkdir(mode=0o700)
            except OSError as error:
                raise Unavailable(f"cca cannot make a directory under {self.directory}: {error.strerror}") from error
            yield Directories(*map(str, places))
        finally:
            # A busy disk takes 40 ms for it, which is not everybody's.
            with trio.move_on_after(REMOVE_TIMEOUT, shield=True):
                await trio.to_thread.run_sync(partial(shutil.rmtree, own, ignore_errors=True), abandon_on_cancel=True)


Check: TypeAlias = Callable[[LiveBackend], Awaitable[None]]


@asynccontextmanager
async def open_live(launcher: Launcher, check: Check | None = None) -> AsyncIterator[LiveBackend]:
    """Own a backend of live processes: its reaper and its directory. Ask Claude Code what it is, and what it offers.

    Raise ``Unavailable``, in a group if there is a ``check``, when it cannot be started, does not say, or fails that.
    What takes its place later is not used before it was checked, too.
    """
    # Of this process, too: it has what they have.
    forbid_core_dumps()
    async with AsyncExitStack() as stack:
        try:
            directory = Path(stack.enter_context(_temporary_directory()))
            watch = await stack.enter_async_context(open_reaper(directory))
        except OSError as error:
            raise Unavailable(f"cca cannot prepare to start Claude Code: {error}") from error
        first = LiveBackend(launcher, watch, directory)
        program, *_ = edition_of(launcher(NOWHERE))
        if check is None:
            await _introduce(first)
        else:
            await _introduce_and(check, first)

        async def look(launch: Launch) -> None:
            version = await new_enough(launch)
            if check is not None:
                await check(first)
            backend.cli_version = version
            log.warning("Claude Code was replaced while cca ran, and the new one is used: version %s.", version)

        nursery = await stack.enter_async_context(trio.open_nursery())
        backend = evolve(first, vouch=Vouching(nursery, program, look).edition)
        yield backend
        nursery.cancel_scope.cancel()


def _make_own(directory: Path) -> None:
    """Make it again, where something cleaned it away: temporary directories are swept after some days.

    Raise ``OSError`` where somebody else did: what is in it is for nobody else.
    """
    directory.mkdir(mode=0o700, exist_ok=True)
    found = directory.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o022:
        raise PermissionError(errno.EPERM, "another user has made it; start cca again")


@contextmanager
def _temporary_directory() -> Iterator[str]:
    directory = tempfile.mkdtemp(prefix="cca-")
    try:
        yield directory
    finally:
        # The reaper removes it, if it lives.
        shutil.rmtree(directory, ignore_errors=True)


async def _introduce(backend: LiveBackend) -> None:
    async with backend.start() as process:
        process.write(introduction.ask())
        said = introduction.Introduction()
        await hear(process, said)
    backend.cli_version, backend.models = said.cli_version, said.models


async def _introduce_and(check: Check, backend: LiveBackend) -> None:
    """Do both at once. The failure to introduce itself is the one that is told."""
    introduced = trio.Event()

    async def checked() -> None:
        try:
            await check(backend)
        except Unavailable:
            await introduced.wait()
            raise

    async with trio.open_nursery() as nursery:
        nursery.start_soon(checked)
        await _introduce(backend)
        introduced.set()


def _write_history(path: Path, conversation: Conversation, least: int) -> bool:
    """Write the file of a long history, and return whether it goes by file."""
    if not goes_by_file(conversation, least):
        return False
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(session_file(conversation))
    except OSError as error:
        raise Unavailable(f"cca cannot write a conversation's history to {path}: {error.strerror}") from error
    return True


async def _spawn(launch: Launch) -> trio.Process:
    try:
        return await trio.lowlevel.open_process(
            (*launch.sandbox, *launch.argv),
            stdin=PIPE,
            stdout=PIPE,
            stderr=PIPE,
            cwd=launch.cwd,
            env=launch.env,
            start_new_session=True,
        )
    except OSError as error:
        raise Unavailable(f"Claude Code cannot be started ({launch.argv[0]}): {error.strerror}") from error


@contextmanager
def _litter_removed(launch: Launch, pid: int) -> Iterator[None]:
    """Remove what a killed process leaves in the user's own configuration, where it has no private one."""
    try:
        yield
    finally:
        if needs_login(dict(launch.env)):
            for litter in _litter(launch.env, pid):
                with suppress(OSError):
                    litter.unlink()


def _litter(env: Mapping[str, str], pid: int) -> Iterator[Path]:
    """Yield the files of process ``pid`` in the user's configuration: in ``CLAUDE_CONFIG_DIR``, or in ``HOME``."""
    if env.get("CLAUDE_CONFIG_DIR"):
        configuration = beside = Path(env["CLAUDE_CONFIG_DIR"])
    elif env.get("HOME"):
        beside = Path(env["HOME"])
        configuration = beside / ".claude"
    else:
        return
    # PID.json, and PID.<64 hexadecimal digits>.key.
    yield from configuration.glob(f"sessions/{pid}.*")
    # A configuration that was being written.
    yield from beside.glob(f".claude.json.tmp.{pid}.*")
