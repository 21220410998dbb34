"""Live Claude Code processes: started, owned, killed.

A process lives in the ``async with`` that opened it, in a process group and directories of its own. Leaving kills the
group with SIGKILL at once: nothing of Claude Code needs saving, and after SIGTERM it would still send a request.
"""

import logging
import math
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, contextmanager, suppress
from pathlib import Path
from subprocess import PIPE
from typing import Protocol

import trio
from attrs import define, field, frozen

from cca.backends import Exit, reaper
from cca.backends.edition import Edition, edition_of
from cca.backends.memory import own_memory
from cca.claude import introduction
from cca.claude.form import ends_at_once
from cca.claude.launch import Directories, Launch, for_one_message, from_file, knows_history, needs_login
from cca.claude.session_file import goes_by_file, is_long, session_file
from cca.errors import Unavailable, UpstreamFailed
from cca.model import Conversation, ModelEntry

log = logging.getLogger(__name__)

READ_SIZE = 64 * 1024
STDERR_TAIL = 8 * 1024
"""Bytes kept of what a process wrote to stderr: enough for a stack trace, bounded for a flood."""

STDERR_PATIENCE = 0.5
"""Seconds that the last of a process's stderr may take after its end; only a descendant that fled its group, and holds
the pipe, makes it wait.
"""

REAP_TIMEOUT = 5.0
"""Seconds that a killed process may take to be gone. It takes 20 ms; one stuck in the kernel must not hold a
request.
"""

START_TIMEOUT = 30.0
"""Seconds for Claude Code to answer after its start. It takes under one; a first start on a cold disk takes ten."""

HISTORY = "history.jsonl"

Launcher = Callable[[Directories], Launch]


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


@define
class LiveBackend:
    """Starts a process for each conversation. Made by ``open_live``.

    A history of ``file_from`` past turns of the user's, or more, goes in as a file; 0 is never.
    """

    launcher: Launcher
    reaper: Reaper
    directory: Path
    name: str = "claude"
    cli_version: str = ""
    models: tuple[ModelEntry, ...] = ()
    file_from: int = 0
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
        with self._directories() as directories:
            launch = self.launcher(directories)
            if conversation is not None:
                launch = await self._for(conversation, launch)
            edition = edition_of(launch)
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

    @contextmanager
    def _directories(self) -> Iterator[Directories]:
        self._started += 1
        own = self.directory / str(self._started)
        places = [own / name for name in ("work", "tmp", "config")]
        try:
            try:
                # It is made again when something cleaned it away: temporary directories are swept after some days.
                self.directory.mkdir(mode=0o700, exist_ok=True)
                for place in (own, *places):
                    place.mkdir(mode=0o700)
            except OSError as error:
                raise Unavailable(f"cca cannot make a directory under {self.directory}: {error.strerror}") from error
            yield Directories(*map(str, places))
        finally:
            shutil.rmtree(own, ignore_errors=True)


@define(eq=False)
class LiveProcess:
    """A started process; the methods besides the protocol's are run, or called, by the backend."""

    launch: Launch
    popen: trio.Process
    edition: Edition
    _stderr: bytearray = field(factory=bytearray, init=False)
    _stderr_cut: bool = field(default=False, init=False)
    _stderr_ended: trio.Event = field(factory=trio.Event, init=False)
    _group_killed: bool = field(default=False, init=False)
    _leader_gone: bool = field(default=False, init=False)
    _reading: trio.CancelScope = field(factory=trio.CancelScope, init=False)
    _frames: trio.MemorySendChannel[bytes] = field(init=False)
    _queue: trio.MemoryReceiveChannel[bytes] = field(init=False)

    def __attrs_post_init__(self) -> None:
        # Unbounded, but a request's frames are bounded by the limit of its body.
        self._frames, self._queue = trio.open_memory_channel(math.inf)

    def write(self, frames: bytes) -> None:
        self._frames.send_nowait(frames)

    async def read(self) -> bytes:
        assert isinstance(self.popen.stdout, trio.lowlevel.FdStream)
        # Whoever waits with a process may read on while it is left by another task, which closes the pipe.
        with suppress(trio.ClosedResourceError), trio.CancelScope() as self._reading:
            if not self._leader_gone:
                return bytes(await self.popen.stdout.receive_some(READ_SIZE))
        if self.popen.stdout.fileno() < 0:
            return b""
        # What is in the pipe is all there is, even if a descendant that fled the group still holds its other end.
        try:
            return os.read(self.popen.stdout.fileno(), READ_SIZE)
        except BlockingIOError:
            return b""

    async def wait(self) -> Exit:
        code = await self.popen.wait()
        with trio.move_on_after(STDERR_PATIENCE):
            await self._stderr_ended.wait()
        return Exit(code, self._stderr_tail().decode("utf-8", "replace"))

    async def feed_stdin(self) -> None:
        assert self.popen.stdin is not None
        # When it died, whoever reads its stdout learns of it.
        with suppress(trio.BrokenResourceError):
            while True:
                await self.popen.stdin.send_all(await self._queue.receive())

    async def drain_stderr(self) -> None:
        assert self.popen.stderr is not None
        async for chunk in self.popen.stderr:
            self._stderr += chunk
            self._stderr_cut |= len(self._stderr) > STDERR_TAIL
            del self._stderr[:-STDERR_TAIL]
        self._stderr_ended.set()

    async def outlast_leader(self) -> None:
        """Once the leader is gone, kill the rest of its group: a descendant that holds stdout would hide its end."""
        await self.popen.wait()
        self.end()
        self._leader_gone = True
        self._reading.cancel()

    async def kill(self) -> None:
        """Kill the group and reap its leader. Safe to call again; bounded, so it is shielded."""
        self.end()
        with trio.move_on_after(REAP_TIMEOUT, shield=True) as scope:
            await self.popen.wait()
        if scope.cancelled_caught:
            log.error("Claude Code process %d did not end %.0f s after SIGKILL.", self.popen.pid, REAP_TIMEOUT)
        for stream in (self.popen.stdin, self.popen.stdout, self.popen.stderr):
            assert isinstance(stream, trio.lowlevel.FdStream)
            stream.close()

    @property
    def ended(self) -> bool:
        """Whether it was killed, or has ended by itself."""
        return self._group_killed or self.popen.poll() is not None

    @property
    def recalled(self) -> bool:
        return knows_history(self.launch.argv)

    @property
    def fit(self) -> bool:
        return not self.ended and edition_of(self.launch) == self.edition

    @property
    def memory(self) -> int:
        return own_memory(self.popen.pid)

    def _stderr_tail(self) -> bytes:
        """Return what is kept, without the rest of a line whose start is not: a secret cut in two is not recognized."""
        tail = bytes(self._stderr)
        return tail.partition(b"\n")[2] or tail if self._stderr_cut else tail

    def end(self) -> None:
        """Kill the group, once: SIGKILL reaches all of it, and later its number may be another group's."""
        if not self._group_killed:
            self._group_killed = True
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self.popen.pid, signal.SIGKILL)


@asynccontextmanager
async def open_live(launcher: Launcher) -> AsyncIterator[LiveBackend]:
    """Own a backend of live processes: its reaper and its directory. Ask Claude Code what it is, and what it offers.

    Raise ``Unavailable`` when it cannot be started or does not say.
    """
    async with AsyncExitStack() as stack:
        try:
            directory = Path(stack.enter_context(_temporary_directory()))
            watch = await stack.enter_async_context(open_reaper(directory))
        except OSError as error:
            raise Unavailable(f"cca cannot prepare to start Claude Code: {error}") from error
        backend = LiveBackend(launcher, watch, directory)
        await _introduce(backend)
        yield backend


@contextmanager
def _temporary_directory() -> Iterator[str]:
    directory = tempfile.mkdtemp(prefix="cca-")
    try:
        yield directory
    finally:
        # The reaper removes it, if it lives.
        shutil.rmtree(directory, ignore_errors=True)


class Heard(Protocol):
    """What reads a process's stdout up to the answer to what it was asked."""

    @property
    def complete(self) -> bool: ...

    def feed(self, chunk: bytes) -> None: ...


async def hear(process: LiveProcess, heard: Heard) -> None:
    """Read the stdout of a process that has just started until all is ``heard``.

    Raise ``Unavailable`` when it does not say it, or says something else.
    """
    with trio.move_on_after(START_TIMEOUT):
        while not heard.complete:
            chunk = await process.read()
            if not chunk:
                how = await process.wait()
                raise Unavailable(f"Claude Code ended at its start ({how}): {how.stderr.strip() or 'no reason given'}")
            try:
                heard.feed(chunk)
            except UpstreamFailed as error:
                raise Unavailable(f"{process.launch.argv[0]} does not behave as Claude Code: {error}") from error
        return
    raise Unavailable(f"Claude Code said nothing for {START_TIMEOUT:.0f} seconds after its start.")


async def _introduce(backend: LiveBackend) -> None:
    async with backend.start() as process:
        process.write(introduction.ask())
        said = introduction.Introduction()
        await hear(process, said)
    backend.cli_version, backend.models = said.cli_version, said.models


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
            launch.argv,
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
