"""The database: what is committed is there, what is not ours is left alone."""

import sqlite3
import stat
from pathlib import Path

import pytest
import trio

from cca.errors import Unavailable
from cca.model import Usage
from cca.store import exchanges
from cca.store.database import Database, _wal_is_safe, open_database
from cca.store.exchanges import Exchange
from cca.store.migrations import MIGRATIONS

EXCHANGE = Exchange(
    request_id="req_1",
    began_at=1_767_225_600.0,
    dialect="openai_chat",
    model="claude-haiku-5-5",
    outcome="end_turn",
    first_event=0.5,
    duration=1.25,
    usage=Usage(input_tokens=5, output_tokens=7, cache_read_tokens=30, cache_write_tokens=12, reasoning_tokens=2),
)


async def test_an_exchange_is_there_when_the_file_is_opened_again(tmp_path: Path) -> None:
    path = tmp_path / "state" / "cca.db"
    async with open_database(path) as database:
        await database.write(lambda connection: exchanges.add(connection, EXCHANGE))
    async with open_database(path) as database:
        assert await database.write(lambda connection: exchanges.latest(connection, 10)) == [EXCHANGE]


async def test_the_file_is_its_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "cca.db"
    async with open_database(path):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


async def test_a_transaction_that_fails_leaves_nothing(tmp_path: Path) -> None:
    def half(connection: sqlite3.Connection) -> None:
        exchanges.add(connection, EXCHANGE)
        raise ZeroDivisionError

    async with open_database(tmp_path / "cca.db") as database:
        with pytest.raises(ZeroDivisionError):
            await database.write(half)
        assert await database.write(lambda connection: exchanges.latest(connection, 10)) == []


async def test_a_cancelled_transaction_is_whole_or_not_there(tmp_path: Path) -> None:
    async def write(database: Database) -> None:
        await database.write(lambda connection: exchanges.add(connection, EXCHANGE))

    async with open_database(tmp_path / "cca.db") as database:
        async with trio.open_nursery() as nursery:
            for _ in range(20):
                nursery.start_soon(write, database)
            await trio.testing.wait_all_tasks_blocked()
            nursery.cancel_scope.cancel()
        kept = await database.write(lambda connection: exchanges.latest(connection, 100))
        assert all(exchange == EXCHANGE for exchange in kept)
        [check] = await database.write(lambda connection: connection.execute("PRAGMA integrity_check").fetchone())
        assert check == "ok"


def foreign(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE theirs (x)")
    connection.close()


def newer(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA application_id = 0x63636131")
        connection.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    connection.close()


def garbage(path: Path) -> None:
    path.write_bytes(b"not a database at all, but more than a hundred bytes of something else entirely" * 9)


@pytest.mark.parametrize(
    ("make", "said"),
    [(foreign, "of another program"), (newer, "of a newer cca"), (garbage, "not a database")],
    ids=lambda value: getattr(value, "__name__", None),
)
async def test_a_file_that_is_not_ours_is_refused_untouched(make: object, said: str, tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    assert callable(make)
    make(path)
    before = path.read_bytes()
    with pytest.raises(Unavailable, match=said):
        async with open_database(path):
            pass
    assert path.read_bytes() == before


async def test_a_directory_in_place_of_the_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="cannot be opened"):
        async with open_database(tmp_path):
            pass


async def test_a_fault_of_sqlites_is_a_503_that_names_the_file(tmp_path: Path) -> None:
    async with open_database(tmp_path / "cca.db") as database:
        with pytest.raises(Unavailable, match="no such table: missing"):
            await database.write(lambda connection: connection.execute("SELECT * FROM missing"))


@pytest.mark.parametrize(
    ("version", "safe"),
    [
        ((3, 40, 1), False),
        ((3, 44, 5), False),
        ((3, 44, 6), True),
        ((3, 45, 0), False),
        ((3, 50, 6), False),
        ((3, 50, 7), True),
        ((3, 51, 2), False),
        ((3, 51, 3), True),
        ((3, 52, 0), True),
    ],
)
def test_wal_is_used_where_it_is_safe_for_several_connections(version: tuple[int, ...], *, safe: bool) -> None:
    assert _wal_is_safe(version) is safe
