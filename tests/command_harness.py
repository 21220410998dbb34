"""Commands beside ``serve``, run in this process with a clock and a randomness of the test's."""

import shlex
import subprocess
import sys
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import TypeVar

import trio
from attrs import frozen

from cca.__main__ import _parser
from cca.archive import Archive
from cca.commands import Surroundings
from cca.keys import Key
from cca.limits.policy import NO_LIMITS
from cca.store import keys, sessions
from cca.store.archives import archive, restore
from cca.store.database import Connection, open_database
from cca.store.sessions import Name, Session

T = TypeVar("T")

NOW = 1_767_312_000.0
"""2026-01-02 00:00:00 UTC."""

ANN = Key("0001020304050607", "ann", b"ann", frozenset(("chat", "sessions")), NO_LIMITS, NOW - 10)
BOB = Key("ffffffffffffffff", "bob", b"bob", frozenset(("chat", "sessions")), NO_LIMITS, NOW - 5)


def in_shell(redirected: str, *arguments: str, stdin: int | None = None) -> "subprocess.CompletedProcess[str]":
    """Run a command with its output ``redirected`` as a shell does that."""
    command = shlex.join([sys.executable, "-m", "cca", *arguments])
    return subprocess.run(
        ["sh", "-c", f"{command} {redirected}"], stdin=stdin, capture_output=True, check=False, text=True
    )


@frozen
class Desk:
    """A machine with a database at ``path``."""

    path: Path
    now: float = NOW

    def run(self, *arguments: str, **environ: str) -> None:
        """Run a command. What it raises comes out here."""
        flags = _parser().parse_args(arguments)
        numbers = count()
        around = Surroundings(
            {"CCA_DATABASE": str(self.path), **environ},
            lambda: self.now,
            lambda size: next(numbers).to_bytes(size, "big"),
        )
        trio.run(flags.run, flags, around)

    def within(self, transaction: Callable[[Connection], T]) -> T:
        """Return what ``transaction`` returns, committed."""

        async def write() -> T:
            async with open_database(self.path) as database:
                return await database.write(transaction)

        return trio.run(write)

    def make_key(self, key: Key) -> None:
        self.within(lambda connection: keys.create(connection, key))

    def keep(self, archived: Archive, owner: str = "", expires_after: float | None = None) -> Session:
        name = Name(owner, archived.id)
        return self.within(lambda connection: restore(connection, archived, name, self.now, expires_after))

    def kept(self, session_id: str, owner: str = "") -> Archive | None:
        def read(connection: Connection) -> Archive | None:
            session = sessions.find(connection, Name(owner, session_id), self.now)
            return None if session is None else archive(connection, session)

        return self.within(read)
