"""Where the Claude Code program is: as told, on PATH, inside claude-agent-sdk. The first that is new enough."""

import importlib.util
import logging
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TypeAlias

import trio

from cca.claude.launch import MINIMUM_VERSION, version_of
from cca.errors import Unavailable

log = logging.getLogger(__name__)

VERSION_TIMEOUT = 30.0
"""Seconds for ``claude --version``, which takes a tenth of one on a warm disk."""

HOW_TO_GET = (
    "Install one with `pip install 'cca[claude]'` or from https://claude.com/claude-code, or name it with "
    "--claude PATH."
)


Version: TypeAlias = tuple[int, int, int]


def find_claude(told: Path | None, environ: Mapping[str, str]) -> str:
    """Return the path of a program that serves. Raise ``Unavailable`` that says what to do when there is none."""
    minimum = ".".join(map(str, MINIMUM_VERSION))
    if told is not None:
        return _told(told, environ, minimum)
    for where, path in _candidates(environ):
        version = version_at(path, environ)
        if version is not None and version >= MINIMUM_VERSION:
            return path
        found = "does not say its version" if version is None else f"is version {'.'.join(map(str, version))}"
        log.warning("Passed over the Claude Code %s (%s): it %s, and cca needs %s.", where, path, found, minimum)
    raise Unavailable(f"There is no Claude Code {minimum} or newer on this machine. {HOW_TO_GET}")


def _told(told: Path, environ: Mapping[str, str], minimum: str) -> str:
    if not (os.access(told, os.X_OK) and told.is_file()):
        raise Unavailable(f"--claude {told} is not a program. Name the Claude Code executable itself.")
    # Absolute, since it is started elsewhere; not resolved, since a program may go by the name that it is called by.
    program = str(told.absolute())
    version = version_at(program, environ)
    if version is None:
        raise Unavailable(f"--claude {told} does not say that it is Claude Code when asked with --version.")
    if version < MINIMUM_VERSION:
        raise Unavailable(f"--claude {told} is version {'.'.join(map(str, version))}; cca needs {minimum} or newer.")
    return program


def _candidates(environ: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    on_path = shutil.which("claude", path=environ.get("PATH", ""))
    if on_path is not None:
        yield "on PATH", str(Path(on_path).absolute())
    sdk = importlib.util.find_spec("claude_agent_sdk")
    if sdk is not None and sdk.origin is not None:
        bundled = Path(sdk.origin).parent / "_bundled" / "claude"
        if bundled.is_file():
            yield "in claude-agent-sdk", str(bundled)


def version_at(path: str, environ: Mapping[str, str]) -> Version | None:
    """Return the version that the program at ``path`` tells; nothing, where it tells none of Claude Code's."""
    try:
        asked = subprocess.run(
            [path, "--version"],
            env=_shown(environ),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=VERSION_TIMEOUT,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return version_of(asked.stdout.decode("utf-8", "replace"))


async def version_told(path: str, environ: Mapping[str, str]) -> Version | None:
    """Return the same for a server that runs, whose end waits for no program. Cancelling kills it and its group."""
    version = None
    with trio.move_on_after(VERSION_TIMEOUT):
        try:
            asked = await trio.run_process(
                [path, "--version"],
                env=_shown(environ),
                capture_stdout=True,
                stderr=subprocess.DEVNULL,
                check=False,
                start_new_session=True,
                deliver_cancel=_kill,
            )
            version = version_of(asked.stdout.decode("utf-8", "replace"))
        except* OSError:
            pass
    return version


def _shown(environ: Mapping[str, str]) -> dict[str, str]:
    return {name: environ[name] for name in ("PATH", "HOME") if name in environ}


async def _kill(process: trio.Process) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
