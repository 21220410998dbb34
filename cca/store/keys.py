"""The API keys in the database, as functions of a connection: what of them is in the file tells nobody a key."""

import sqlite3
from collections.abc import Callable
from typing import Any

from attrs import frozen

from cca.errors import Conflict, NotFound
from cca.keys import DIGEST_KEY_SIZE, RANDOM_SIZE, Key, digest, id_in, mint, parse_scopes, spelled_scopes
from cca.limits.policy import NO_LIMITS, Limits, parse_limits, spelled

_DIGEST_KEY = "digest key"

_SELECT = "SELECT id, name, digest, scopes, limits, created_at, expires_at, revoked_at FROM key"

Mark = tuple[Any, ...]
"""What differs when keys were made or revoked, or the file is another one."""


@frozen
class Held:
    """All keys, revoked and expired ones too, and the key of their digests, which is there from the first one on."""

    mark: Mark
    digest_key: bytes
    keys: tuple[Key, ...]


def make(
    connection: sqlite3.Connection,
    randomness: Callable[[int], bytes],
    name: str,
    scopes: frozenset[str],
    limits: Limits,
    now: float,
    expires_at: float | None = None,
) -> tuple[str, Key]:
    """Make a key of so many random bytes as ``randomness`` is asked for. Return it, and what is kept of it.

    Raise ``Conflict`` as ``create`` does.
    """
    text = mint(randomness(RANDOM_SIZE))
    key_id = id_in(text.encode())
    assert key_id is not None
    hidden = digest(_digest_key(connection, randomness), text.encode())
    key = Key(key_id, name, hidden, scopes, limits, now, expires_at)
    create(connection, key)
    return text, key


def create(connection: sqlite3.Connection, key: Key) -> None:
    """Keep a key. Raise ``Conflict`` if a key that is not revoked has its name."""
    if connection.execute("SELECT 1 FROM key WHERE name = ? AND revoked_at IS NULL", [key.name]).fetchone():
        raise Conflict(f"There is a key named {key.name!r}. Choose another name, or revoke that key first.")
    connection.execute(
        "INSERT INTO key (id, name, digest, scopes, limits, created_at, expires_at, revoked_at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        [
            *(key.id, key.name, key.digest, spelled_scopes(key.scopes), spelled(key.limits)),
            *(key.created_at, key.expires_at, key.revoked_at),
        ],
    )


def revoke(connection: sqlite3.Connection, name_or_id: str, now: float) -> Key:
    """Revoke a key and return it; one that is revoked already keeps its time.

    A name is that of the key which has it now, and else of the last that had it. Raise ``NotFound`` for neither.
    """
    row = connection.execute(
        "SELECT id FROM key WHERE id = ?1 OR name = ?1"
        " ORDER BY id = ?1 DESC, revoked_at IS NULL DESC, revoked_at DESC LIMIT 1",
        [name_or_id],
    ).fetchone()
    if row is None:
        raise NotFound("There is no key with this name or id. See `cca keys list`.")
    connection.execute("UPDATE key SET revoked_at = ? WHERE id = ? AND revoked_at IS NULL", [now, *row])
    return _key(*connection.execute(f"{_SELECT} WHERE id = ?", row).fetchone())


def listed(connection: sqlite3.Connection) -> tuple[Key, ...]:
    """Return all keys, the oldest first."""
    return tuple(_key(*row) for row in connection.execute(f"{_SELECT} ORDER BY created_at, id"))


def load(connection: sqlite3.Connection, seen: Mark | None) -> Held | None:
    """Return all keys, ``None`` where nothing has changed since ``seen`` was their mark."""
    mark = connection.execute(
        "SELECT count(*), count(revoked_at), max(created_at), max(revoked_at),"
        " (SELECT value FROM secret WHERE name = ?) FROM key",
        [_DIGEST_KEY],
    ).fetchone()
    return None if mark == seen else Held(mark, mark[-1] or b"", listed(connection))


def _digest_key(connection: sqlite3.Connection, randomness: Callable[[int], bytes]) -> bytes:
    """Return the key of all digests, a new one if there was none."""
    fresh = randomness(DIGEST_KEY_SIZE)
    connection.execute("INSERT OR IGNORE INTO secret (name, value) VALUES (?, ?)", [_DIGEST_KEY, fresh])
    [value] = connection.execute("SELECT value FROM secret WHERE name = ?", [_DIGEST_KEY]).fetchone()
    return bytes(value)


def _key(key_id: str, name: str, hidden: bytes, scopes: str, limits: str, *times: Any) -> Key:
    may, limited = _permissions(scopes, limits)
    return Key(key_id, name, hidden, may, limited, *times)


def _permissions(scopes: str, limits: str) -> tuple[frozenset[str], Limits]:
    """Return what a key may do: nothing, where somebody wrote into the file what cca does not."""
    try:
        return parse_scopes(scopes), parse_limits(limits)
    except ValueError:
        return frozenset(), NO_LIMITS
