"""Which program, and which login, a process was started with: both can change under a server that runs on."""

import os
from pathlib import Path
from typing import TypeAlias

from cca.claude.launch import Launch, needs_login

Stamp: TypeAlias = tuple[int, int, int]
"""What tells a file from what was in its place before."""

Edition: TypeAlias = tuple[Stamp | None, ...]
"""The program's first, then the login's, where there is one; nothing, for a file that is not there."""


def edition_of(launch: Launch) -> Edition:
    """Return what there is now of the program and the login. A login in the keychain of macOS is not seen."""
    files = [Path(launch.argv[0])]
    if needs_login(launch.env):
        home = Path(launch.env.get("HOME", "~"), ".claude").expanduser()
        files.append(Path(launch.env.get("CLAUDE_CONFIG_DIR") or home, ".credentials.json"))
    return tuple(map(_stamp, files))


def _stamp(file: Path) -> Stamp | None:
    try:
        found = os.stat(file)  # noqa: PTH116 - the same
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns
