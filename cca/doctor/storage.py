"""What is checked of the database, and of the keys in it."""

import os
from pathlib import Path

import trio

from cca.doctor.finding import Finding, fail, ok, warn
from cca.errors import Unavailable
from cca.keyring import Keyring
from cca.store.database import Connection, Database, open_database

FOR_ITS_OWNER = 0o600

LOOPBACK = frozenset(("127.0.0.1", "::1", "localhost"))


async def database(path: Path, host: str, now: float) -> list[Finding]:
    """Find whether the database can be used, by its owner alone, and whether cca may listen on ``host``.

    One that is not there yet is not made.
    """
    if not await trio.Path(path).exists():
        return [_absent(path), _bind(host, keys=False)]
    try:
        async with open_database(path) as opened:
            found = await opened.read(_faults)
            await opened.write(lambda _: None)
            keys = await _has_keys(opened, now)
    except Unavailable as error:
        return [fail("database", str(error), "Name another with --database, or put this one right.")]
    return [_present(path, found), _bind(host, keys=keys)]


def _absent(path: Path) -> Finding:
    nearest = next(parent for parent in path.absolute().parents if parent.exists())
    if not (nearest.is_dir() and os.access(nearest, os.W_OK | os.X_OK)):
        why = f"{path} cannot be made: {nearest} is no directory that can be written"
        return fail("database", why, "Name another with --database.")
    return ok("database", f"{path} will be made")


def _present(path: Path, found: list[str]) -> Finding:
    if found:
        return fail("database", f"{path} is damaged: {found[0]}", "Move it away, and cca makes another; or restore it.")
    mode = path.stat().st_mode & 0o777
    if mode & ~FOR_ITS_OWNER:
        return warn("database", f"others may read {path} (mode {mode:o})", f"chmod 600 {path}")
    return ok("database", str(path))


def _faults(connection: Connection) -> list[str]:
    return [str(row[0]) for row in connection.execute("PRAGMA integrity_check(1)") if row[0] != "ok"]


async def _has_keys(opened: Database, now: float) -> bool:
    keyring = Keyring(opened, lambda: now)
    await keyring.refresh()
    return keyring.exists


def _bind(host: str, *, keys: bool) -> Finding:
    if keys:
        return ok("keys", f"cca asks everybody for a key, and may listen on {host}")
    if host.strip("[]").lower() in LOOPBACK:
        return ok("keys", f"none, and none needed on {host}: every program of this machine may ask")
    return fail("keys", f"cca does not listen on {host} without any key", "Make one: cca keys create NAME")
