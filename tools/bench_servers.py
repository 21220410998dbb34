"""The programs that a run needs beside itself: the scripted model that answers for all, and cca, as a user runs it.

Each is a process of its own, so that what one takes is not another's: they share the machine's cores, but no loop.
"""

import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

import trio
from attrs import frozen

from tools.bench_asks import Server

START_TIMEOUT = 60.0
"""Seconds for a program to say where it listens; cca asks Claude Code first, which takes ten on a cold disk."""

END_TIMEOUT = 15.0
"""Seconds for a program to end; cca's grace time is five."""


@frozen
class Program:
    """A running program of ours, and where it listens."""

    pid: int
    address: str


@frozen
class Subject:
    """A server that is measured. ``pid`` is ``None`` where its process is not to be seen."""

    name: str
    server: Server
    pid: int | None


@asynccontextmanager
async def scripted_model() -> AsyncIterator[Program]:
    async with _program(["cca.scripted"], None) as program:
        yield program


@asynccontextmanager
async def serving(name: str, environ: Mapping[str, str], claude: str) -> AsyncIterator[Subject]:
    """Own a running ``cca serve``, with the real Claude Code."""
    async with _program(["cca", "serve", "--port", "0", "--claude", claude], environ) as program:
        yield Subject(name, Server(program.address), program.pid)


@asynccontextmanager
async def _program(arguments: Sequence[str], environ: Mapping[str, str] | None) -> AsyncIterator[Program]:
    process = await trio.lowlevel.open_process(
        [sys.executable, "-m", *arguments], stdout=subprocess.PIPE, env=environ, start_new_session=True
    )
    try:
        assert process.stdout is not None
        said = b""
        with trio.fail_after(START_TIMEOUT):
            while b"\n" not in said:
                piece = await process.stdout.receive_some()
                if not piece:
                    raise RuntimeError(f"{' '.join(arguments)} ended at its start.")
                said += piece
        yield Program(process.pid, said.split()[-1].decode())
    finally:
        process.send_signal(signal.SIGTERM)
        with trio.move_on_after(END_TIMEOUT, shield=True) as scope:
            await process.wait()
        if scope.cancelled_caught:
            process.kill()
            with trio.CancelScope(shield=True):  # nothing outlives SIGKILL
                await process.wait()
