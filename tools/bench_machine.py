"""What a process and all that it started take of the machine: CPU time, memory, how many they are.

From ``/proc``, so on Linux only: elsewhere everything here is ``None``, or nothing. CPU time is what the kernel has
counted for the process itself, user and system, without its children. Memory is the proportional set size: a page that
several processes share counts for each in part, so those of a tree may be added up.
"""

import os
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import trio
from attrs import define, field, frozen

PROC = Path("/proc")

CLAUDE = "claude"
"""The name of Claude Code's program, wherever it is."""

MB = 1024
"""In kB, in which ``/proc`` counts."""

SAMPLE_EVERY = 1.5
"""Seconds. Looking at a process of 100 MB takes 5 ms, in which it cannot change its memory."""


LOOK = 0.3
"""Seconds of a look at whether processes rest."""

IDLE = 0.15
"""Of a core, what processes may take that rest: the servers have clocks of their own, and this look takes some, too."""


@frozen
class Taken:
    """What a tree of processes holds at one moment: megabytes of its root and of all, and how many Claude Codes."""

    server: float
    tree: float
    processes: int


def cpu_seconds(pid: int | None) -> float | None:
    """Return the CPU time that a process has used, of its own threads alone, in steps of a hundredth of a second."""
    stat = "" if pid is None else _read(PROC / str(pid) / "stat")
    if not stat:
        return None
    user, system = stat_times(stat)
    return (user + system) / os.sysconf("SC_CLK_TCK")


def tree_cpu_seconds(roots: Iterable[int]) -> float:
    """Return the CPU time of all who live of the trees of ``roots``."""
    parents = _parents()
    return sum(cpu_seconds(pid) or 0.0 for root in roots for pid in tree(root, parents))


async def at_rest(roots: Sequence[int], least: float, most: float) -> None:
    """Sleep for ``least`` seconds, and on until next to nothing happens in these trees, or for ``most``.

    How long a process takes to start depends on what else the machine has to do.
    """
    await trio.sleep(least)
    with trio.move_on_after(most - least):
        busy = tree_cpu_seconds(roots)
        while True:
            await trio.sleep(LOOK)
            before, busy = busy, tree_cpu_seconds(roots)
            if busy - before < LOOK * IDLE:
                return


def stat_times(stat: str) -> tuple[int, int]:
    """Return a process's user and system time, in ticks. The name before them may hold spaces and brackets."""
    fields = stat.rpartition(")")[2].split()
    return int(fields[11]), int(fields[12])


def parent_of(stat: str) -> int:
    return int(stat.rpartition(")")[2].split()[1])


def tree(root: int, parents: Mapping[int, int]) -> list[int]:
    """Return ``root`` and all that descend from it, by the parent of each process."""
    found = [root]
    for pid in found:
        found += [child for child, parent in parents.items() if parent == pid and child != root]
    return found


def pss(rollup: str) -> float:
    """Return the megabytes in the text of an ``smaps_rollup``."""
    sizes = (line.split()[1] for line in rollup.splitlines() if line.startswith("Pss:"))
    return sum(map(int, sizes)) / MB


def taken(root: int | None) -> Taken | None:
    """Look at a server that runs and its tree, in which a Claude Code is what runs under that name."""
    if root is None or not _read(PROC / str(root) / "smaps_rollup"):
        return None
    everybody = tree(root, _parents())
    sizes = [pss(_read(PROC / str(pid) / "smaps_rollup")) for pid in everybody]
    return Taken(sizes[0], sum(sizes), sum(_name(pid) == CLAUDE for pid in everybody[1:]))


@define
class Peak:
    """The most that a server took while it was watched."""

    most: Taken | None = field(default=None, init=False)

    def see(self, now: Taken | None) -> None:
        if now is None or self.most is None:
            self.most = now or self.most
            return
        before = self.most
        self.most = Taken(
            max(before.server, now.server), max(before.tree, now.tree), max(before.processes, now.processes)
        )


@asynccontextmanager
async def watched(root: int | None) -> AsyncIterator[Peak]:
    """Look at a server from time to time, until this is left."""
    peak = Peak()

    async def look() -> None:
        while True:
            await trio.sleep(SAMPLE_EVERY)
            peak.see(taken(root))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(look)
        yield peak
        nursery.cancel_scope.cancel()


def load_average() -> float | None:
    """Return how many processes wanted to run in the last minute, where the system counts them."""
    try:
        return os.getloadavg()[0]
    except OSError:
        return None


def listener(port: int) -> int | None:
    """Return the process that listens on a port of this machine, if it is one that may be looked at."""
    sockets = {
        f"socket:[{inode}]" for name in ("tcp", "tcp6") for inode in _listening(_read(PROC / "net" / name), port)
    }
    return next((pid for pid in _parents() if sockets.intersection(_open_files(pid))), None)


def _listening(table: str, port: int) -> Iterable[str]:
    """Yield the inodes of the sockets that listen on ``port``. Source: proc_net_tcp in the kernel's documentation."""
    for line in table.splitlines()[1:]:
        fields = line.split()
        if fields[3] == "0A" and int(fields[1].rpartition(":")[2], 16) == port:
            yield fields[9]


def _open_files(pid: int) -> set[str]:
    try:
        return {str(each.readlink()) for each in (PROC / str(pid) / "fd").iterdir()}
    except OSError:
        return set()


def _parents() -> dict[int, int]:
    if not PROC.is_dir():
        return {}
    pids = (int(each.name) for each in PROC.iterdir() if each.name.isdecimal())
    return {pid: parent_of(stat) for pid in pids if (stat := _read(PROC / str(pid) / "stat"))}


def _name(pid: int) -> str:
    return Path(_read(PROC / str(pid) / "cmdline").partition("\0")[0]).name


def _read(path: Path) -> str:
    """Return a file's text; nothing, where there is none, or it is not for us, or its process has just ended."""
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""
