"""What a process may not do, by the system's own limits, which each process that it starts inherits.

There is one. What Claude Code maps of memory is a hundred times what it uses, and processes are counted for a user as a
whole, so that limits of these would end what is healthy.
"""

import resource
import sys

PIPED_TO_NOBODY = 1
"""Bytes. Linux writes no file that is so short, and pipes none to a program: with 0 it does. Source: its coredump.c."""


def forbid_core_dumps() -> None:
    """Let no process leave its memory in a file: prompts, answers and credentials are in it."""
    _, most = resource.getrlimit(resource.RLIMIT_CORE)
    wanted = PIPED_TO_NOBODY if sys.platform == "linux" and most else 0
    resource.setrlimit(resource.RLIMIT_CORE, (wanted, most))
