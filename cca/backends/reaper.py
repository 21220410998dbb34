"""Kill what a killed server left behind: a program of its own, which reads a pipe from the server.

``+N`` on a line says that process group N started, ``-N`` that it ended. At the end of the pipe, which comes when the
server dies, however it dies, the groups still there are killed, and the server's directory of temporary files removed.

Run with ``python -I -S reaper.py DIRECTORY``; it imports nothing of ours. A death signal from the kernel would not do:
it goes out when the thread that forked ends, and Trio's worker threads end after ten idle seconds.
"""

import os
import shutil
import signal
import sys
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path


def live_groups(lines: Iterable[str]) -> set[int]:
    """Return the groups that started and did not end. A last line that is cut short says nothing."""
    groups: set[int] = set()
    for line in lines:
        if not line.endswith("\n"):
            break
        group = int(line[1:])
        (groups.add if line[0] == "+" else groups.discard)(group)
    return groups


def kill(groups: set[int]) -> None:
    for group in groups:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(group, signal.SIGKILL)


def main(directory: str) -> None:
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    kill(live_groups(sys.stdin))
    # What was just killed may be writing its last file.
    for _ in range(10):
        shutil.rmtree(directory, ignore_errors=True)
        if not Path(directory).exists():
            return
        time.sleep(0.05)


if __name__ == "__main__":
    main(sys.argv[1])
