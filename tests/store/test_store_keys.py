"""Keys in the database: a name is one key's at a time, what is revoked stays so, and what was made comes back."""

import sqlite3
from collections.abc import Iterator

import pytest
from attrs import evolve

from cca.errors import Conflict, NotFound
from cca.keys import DEFAULT_SCOPES, DIGEST_KEY_SIZE, RANDOM_SIZE, Key, digest, mint
from cca.limits.policy import NO_LIMITS, Limits
from cca.store import keys
from cca.store.migrations import MIGRATIONS

KEY = Key(
    id="0001020304050607",
    name="ann",
    digest=b"\x00\xff digest",
    scopes=frozenset(("chat", "usage")),
    limits=Limits(rpm=60, usd_per_day=2.5),
    created_at=1_767_225_600.25,
    expires_at=1_767_312_000.0,
)
OTHER = evolve(KEY, id="ffffffffffffffff", name="bob", limits=NO_LIMITS, created_at=KEY.created_at + 1, expires_at=None)


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    for migration in MIGRATIONS:
        for statement in migration:
            connection.execute(statement)
    yield connection
    connection.close()


def test_keys_come_back_as_they_were_made_the_oldest_first(connection: sqlite3.Connection) -> None:
    for key in (OTHER, KEY):
        keys.create(connection, key)
    assert keys.listed(connection) == (KEY, OTHER)


def test_a_name_in_use_is_refused_and_one_whose_key_was_revoked_is_free(connection: sqlite3.Connection) -> None:
    again = evolve(OTHER, name=KEY.name)
    keys.create(connection, KEY)
    with pytest.raises(Conflict, match="There is a key named 'ann'"):
        keys.create(connection, again)
    keys.revoke(connection, "ann", 5.0)
    keys.create(connection, again)
    assert keys.listed(connection) == (evolve(KEY, revoked_at=5.0), again)


@pytest.mark.parametrize("by", [KEY.name, KEY.id])
def test_a_key_is_revoked_once_by_name_or_by_id(connection: sqlite3.Connection, by: str) -> None:
    keys.create(connection, KEY)
    keys.create(connection, OTHER)
    revoked = evolve(KEY, revoked_at=5.0)
    assert [keys.revoke(connection, by, now) for now in (5.0, 6.0)] == [revoked, revoked]
    assert keys.listed(connection) == (revoked, OTHER)


def test_a_name_is_that_of_the_key_that_has_it_now(connection: sqlite3.Connection) -> None:
    keys.create(connection, KEY)
    keys.revoke(connection, "ann", 5.0)
    keys.create(connection, evolve(OTHER, name="ann"))
    assert [keys.revoke(connection, "ann", now).id for now in (6.0, 7.0)] == [OTHER.id, OTHER.id]
    assert [key.revoked_at for key in keys.listed(connection)] == [5.0, 6.0]


@pytest.mark.parametrize("unknown", ["", "carl", "%", "ann' OR '1'='1", "0001020304050608", "\x00", "ann\x00"])
def test_an_unknown_key_is_told_and_none_is_revoked(connection: sqlite3.Connection, unknown: str) -> None:
    keys.create(connection, KEY)
    with pytest.raises(NotFound, match="no key with this name or id"):
        keys.revoke(connection, unknown, 5.0)
    assert keys.listed(connection) == (KEY,)


def test_a_name_is_a_value_and_no_sql(connection: sqlite3.Connection) -> None:
    named = evolve(KEY, name="'); DROP TABLE key; --")
    keys.create(connection, named)
    assert keys.revoke(connection, named.name, 5.0).name == named.name


def make(connection: sqlite3.Connection, filling: int, name: str) -> tuple[bytes, Key]:
    """Make a key of bytes that are all the same."""
    text, key = keys.make(connection, lambda size: bytes([filling]) * size, name, DEFAULT_SCOPES, NO_LIMITS, 7.0, 8.0)
    return text.encode(), key


def test_a_key_is_made_of_random_bytes_and_of_its_digest_the_file_keeps_no_more(connection: sqlite3.Connection) -> None:
    text, key = make(connection, 1, "ann")
    assert (text, key.id) == (mint(bytes([1]) * RANDOM_SIZE).encode(), "01" * 8)
    assert (key.name, key.created_at, key.expires_at) == ("ann", 7.0, 8.0)
    assert keys.listed(connection) == (key,)
    held = keys.load(connection, None)
    assert held is not None
    assert key.digest == digest(held.digest_key, text)


def test_the_digests_key_is_made_with_the_first_key(connection: sqlite3.Connection) -> None:
    (first, ann), (second, bob) = make(connection, 1, "ann"), make(connection, 2, "bob")
    held = keys.load(connection, None)
    assert held is not None
    assert held.digest_key == bytes([1]) * DIGEST_KEY_SIZE
    assert [digest(held.digest_key, text) for text in (first, second)] == [ann.digest, bob.digest]


def test_a_name_in_use_makes_no_key(connection: sqlite3.Connection) -> None:
    _, key = make(connection, 1, "ann")
    with pytest.raises(Conflict):
        make(connection, 2, "ann")
    assert keys.listed(connection) == (key,)


def test_no_keys_are_loaded_while_there_are_none(connection: sqlite3.Connection) -> None:
    held = keys.load(connection, None)
    assert held is not None
    assert (held.keys, held.digest_key) == ((), b"")


def test_keys_are_loaded_when_something_changed(connection: sqlite3.Connection) -> None:
    mark = None
    for change in (
        lambda: make(connection, 1, "carl"),
        lambda: keys.create(connection, KEY),
        lambda: keys.create(connection, OTHER),
        lambda: keys.revoke(connection, "ann", 5.0),
        lambda: keys.revoke(connection, "bob", 5.0),
    ):
        change()
        held = keys.load(connection, mark)
        assert held is not None
        assert held.keys == keys.listed(connection)
        mark = held.mark
        assert keys.load(connection, mark) is None
    keys.revoke(connection, "ann", 6.0)
    assert keys.load(connection, mark) is None, "nothing was revoked"


@pytest.mark.parametrize("column", ["scopes", "limits"])
def test_a_row_that_somebody_wrote_into_is_a_key_that_may_do_nothing(
    connection: sqlite3.Connection, column: str
) -> None:
    keys.create(connection, KEY)
    connection.execute(f"UPDATE key SET {column} = 'everything'")  # noqa: S608 - one of two
    assert keys.listed(connection) == (evolve(KEY, scopes=frozenset(), limits=NO_LIMITS),)
