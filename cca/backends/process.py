"""A live Claude Code process: what is written to it, what it prints, how it ends."""

import logging
import math
import os
import signal
from contextlib import suppress
from typing import Protocol

import trio
from attrs import define, field

from cca.backends import Exit
from cca.backends.edition import Edition, edition_of
from cca.backends.memory import family_memory, own_memory
from cca.claude.launch import Launch, knows_history
from cca.errors import Unavailable, UpstreamFailed

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

SIGNALLED = 128
"""An exit code over this tells of a signal, as bubblewrap passes one on."""

START_TIMEOUT = 30.0
"""Seconds for Claude Code to answer after its start. It takes under one; a first start on a cold disk takes ten."""


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
        if self.launch.sandbox and code > SIGNALLED:
            code = SIGNALLED - code
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
        # In a sandbox it is a child of what was started.
        return family_memory(self.popen.pid) if self.launch.sandbox else own_memory(self.popen.pid)

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


@define(slots=False)
class EndedAtStart(Unavailable):
    """A client is told that it ended; whoever runs cca, and reads its log, what it ``wrote`` to stderr, too."""

    wrote: str = ""

    def __str__(self) -> str:
        return f"{self.message.removesuffix('.')}: {self.wrote or 'no reason given'}"


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
                raise EndedAtStart(f"Claude Code ended at its start ({how}).", wrote=how.stderr.strip())
            try:
                heard.feed(chunk)
            except UpstreamFailed as error:
                raise Unavailable(f"{process.launch.argv[0]} does not behave as Claude Code: {error}") from error
        return
    raise Unavailable(f"Claude Code said nothing for {START_TIMEOUT:.0f} seconds after its start.")
