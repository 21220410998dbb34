"""How much memory processes take, and how much there is. Where the system has no /proc, nothing is known of either."""

import os
import re
from pathlib import Path

PAGE = os.sysconf("SC_PAGE_SIZE")


def own_memory(pid: int) -> int:
    """Return the bytes that a process has for itself, without its program, which all share; 0 where that is unknown."""
    try:
        _, resident, shared, *_ = Path(f"/proc/{pid}/statm").read_bytes().split()
    except (OSError, ValueError):
        return 0
    return (int(resident) - int(shared)) * PAGE


def family_memory(pid: int) -> int:
    """Return what a process, its children and all of theirs have for themselves, together."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_bytes().split()
    except OSError:
        children = []
    return own_memory(pid) + sum(map(family_memory, map(int, children)))


def all_memory() -> int:
    """Return the bytes of the machine."""
    return PAGE * os.sysconf("SC_PHYS_PAGES")


def free_memory() -> int | None:
    """Return the bytes that can be had without swapping; nothing, where that is unknown."""
    try:
        found = re.search(rb"^MemAvailable:\s+(\d+) kB$", Path("/proc/meminfo").read_bytes(), re.MULTILINE)
    except OSError:
        return None
    return None if found is None else int(found[1]) * 1024
