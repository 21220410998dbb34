"""Backends whose processes are the program in ``fake_claude.py``, and what is left of them."""

import json
import os
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, TypeAlias

import orjson
import pytest
import trio

from cca.backends import Process
from cca.backends.live import Launcher, LiveBackend, Reaper, open_reaper
from cca.claude.launch import Directories, Launch
from cca.model import Conversation, Text, UserTurn

Step: TypeAlias = "tuple[str | int, ...]"

FAKE = Path(__file__).with_name("fake_claude.py")
CONVERSATION = Conversation("haiku", (UserTurn((Text("hi"),)),))
SECONDS = 20.0
"""For what takes some milliseconds: a test that waits so long has failed. What nobody kills here lives for longer."""


def argv(*steps: Step) -> tuple[str, ...]:
    return (sys.executable, "-I", "-S", str(FAKE), json.dumps(steps))


def launching(*steps: Step, env: Mapping[str, str] | None = None) -> Launcher:
    def launcher(directories: Directories) -> Launch:
        return Launch(argv(*steps), {"ANTHROPIC_API_KEY": "k"} if env is None else env, directories.work)

    return launcher


@asynccontextmanager
async def open_backend(directory: Path, launcher: Launcher) -> AsyncIterator[LiveBackend]:
    """Own a backend that was not introduced."""
    async with open_reaper(directory) as watch:
        yield LiveBackend(launcher, watch, directory, cli_version="2.1.330")


@contextmanager
def unwatched(directory: Path, launcher: Launcher) -> Iterator[LiveBackend]:
    """Own a backend without a reaper, for a test that is not killed: each process starts in half the time."""
    directory.parent.mkdir(exist_ok=True)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        yield LiveBackend(launcher, Reaper(nowhere), directory, cli_version="2.1.330")
    finally:
        os.close(nowhere)


async def read_frames(process: Process, count: int) -> list[Any]:
    """Return the next lines of a process that then prints nothing for now."""
    read = b""
    with trio.fail_after(SECONDS):
        while read.count(b"\n") < count:
            chunk = await process.read()
            assert chunk, f"it ended after {read!r}"
            read += chunk
    return [orjson.loads(line) for line in read.splitlines()]


async def read_frame(process: Process) -> Any:
    (frame,) = await read_frames(process, 1)
    return frame


async def read_all(process: Process) -> bytes:
    read = []
    with trio.fail_after(SECONDS):
        while chunk := await process.read():
            read.append(chunk)
    return b"".join(read)


def alive(pid: int) -> bool:
    """Whether a process runs. One that died, and that nobody reaped, does not."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii")
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


async def until(happened: Callable[[], bool], seconds: float = SECONDS) -> None:
    with trio.fail_after(seconds):
        while not happened():  # noqa: ASYNC110 - of another process; it has no event
            await trio.sleep(0.002)


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - the shortest way to count


@contextmanager
def nothing_left(run: Path) -> Iterator[None]:
    """Assert that what happens in here leaves no child, no zombie, no descriptor, no file under ``run``."""
    before = descriptors()
    yield
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)
    assert descriptors() == before
    assert not run.exists() or not list(run.iterdir())
