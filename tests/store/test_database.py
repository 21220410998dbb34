"""The database: what is committed is there, what is not ours is left alone, and what fails works again."""

import os
import sqlite3
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio
from attrs import evolve

from cca.errors import Unavailable
from cca.model import Usage
from cca.store import database as database_room
from cca.store import exchanges, sessions
from cca.store.database import APPLICATION_ID, Connection, Database, _wal_is_safe, open_database
from cca.store.exchanges import Exchange
from cca.store.migrations import MIGRATIONS
from cca.store.sessions import Name, Session

EXCHANGE = Exchange(
    request_id="req_1",
    began_at=1_767_225_600.0,
    dialect="openai_chat",
    key="k_1",
    model="claude-haiku-5-5",
    outcome="end_turn",
    first_event=0.5,
    duration=1.25,
    cost=0.0625,
    usage=Usage(input_tokens=5, output_tokens=7, cache_read_tokens=30, cache_write_tokens=12, reasoning_tokens=2),
)

NOBODY = 65_534
"""A user that no file here belongs to."""


async def add(database: Database) -> None:
    await database.write(lambda connection: exchanges.add(connection, [EXCHANGE]))


async def kept(database: Database) -> list[Exchange]:
    return await database.read(lambda connection: exchanges.latest(connection, 100))


async def test_an_exchange_is_there_when_the_file_is_opened_again(tmp_path: Path) -> None:
    path = tmp_path / "state" / "cca.db"
    async with open_database(path) as database:
        await add(database)
    async with open_database(path) as database:
        assert await kept(database) == [EXCHANGE]


async def test_the_file_is_its_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "state" / "cca.db"
    async with open_database(path) as database:
        await add(database)
        assert {stat.S_IMODE(each.stat().st_mode) for each in path.parent.iterdir()} == {0o600}
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


async def test_a_transaction_that_fails_leaves_nothing(tmp_path: Path) -> None:
    def half(connection: Connection) -> None:
        exchanges.add(connection, [EXCHANGE])
        raise ZeroDivisionError

    async with open_database(tmp_path / "cca.db") as database:
        with pytest.raises(ZeroDivisionError):
            await database.write(half)
        assert await kept(database) == []


async def test_a_cancelled_transaction_is_whole_or_not_there(tmp_path: Path) -> None:
    async with open_database(tmp_path / "cca.db") as database:
        async with trio.open_nursery() as nursery:
            for _ in range(20):
                nursery.start_soon(add, database)
            await trio.testing.wait_all_tasks_blocked()
            nursery.cancel_scope.cancel()
        assert all(exchange == EXCHANGE for exchange in await kept(database))
        [check] = await database.read(lambda connection: connection.execute("PRAGMA integrity_check").fetchone())
        assert check == "ok"


async def test_what_was_erased_is_in_no_file(tmp_path: Path) -> None:
    def everywhere() -> bytes:
        return b"".join(path.read_bytes() for path in tmp_path.iterdir())

    async with open_database(tmp_path / "cca.db") as database:
        await database.write(
            lambda connection: connection.execute("INSERT INTO secret VALUES ('x', CAST('zanzibar' AS BLOB))")
        )
        await add(database)
        assert b"zanzibar" in everywhere()
        await database.erase(lambda connection: connection.execute("DELETE FROM secret"))
        assert b"zanzibar" not in everywhere()
        assert await kept(database) == [EXCHANGE]


# What a file may be that is not a database of ours, or not one of this cca's.


def foreign(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE theirs (x)")


def newer(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")


def garbage(path: Path) -> None:
    path.write_bytes(b"not a database at all, but more than a hundred bytes of something else entirely" * 9)


def of_version(path: Path, version: int) -> None:
    """Make a database as the cca of that schema did."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for migration in MIGRATIONS[:version]:
            for statement in migration:
                connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {version}")


def truncated(path: Path) -> None:
    of_version(path, len(MIGRATIONS))
    os.truncate(path, path.stat().st_size - 4096)


def cut_in_its_head(path: Path) -> None:
    of_version(path, len(MIGRATIONS))
    os.truncate(path, 50)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (foreign, "of another program"),
        (newer, "of a newer cca"),
        (garbage, "not a database"),
        (truncated, "or damaged: .* malformed. Put a good copy in its place, or name another with --database"),
        (cut_in_its_head, "or damaged"),
    ],
)
async def test_a_file_that_is_not_ours_is_refused_untouched(
    make: Callable[[Path], None], said: str, tmp_path: Path
) -> None:
    path = tmp_path / "other.db"
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


async def test_an_older_database_is_taken_to_the_newest_with_its_rows(tmp_path: Path) -> None:
    path = tmp_path / "cca.db"
    of_version(path, 1)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        row = ["req_1", 1_767_225_600.0, "openai_chat", "claude-haiku-5-5", "end_turn", 0.5, 1.25, 5, 7, 30, 12, 2]
        connection.execute(f"INSERT INTO exchange VALUES (1, {', '.join('?' * len(row))})", row)  # noqa: S608
    async with open_database(path) as database:
        assert await kept(database) == [evolve(EXCHANGE, key=None, cost=0.0)]
        await add(database)
        assert await kept(database) == [EXCHANGE, evolve(EXCHANGE, key=None, cost=0.0)]
        [version] = await database.read(lambda connection: connection.execute("PRAGMA user_version").fetchone())
        assert version == len(MIGRATIONS)


async def test_sessions_of_an_older_database_are_there_for_themselves(tmp_path: Path) -> None:
    path = tmp_path / "cca.db"
    of_version(path, 3)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("INSERT INTO session VALUES (1, '', 's', 0, 0, 1.0, 2.0, NULL, NULL, 0)")
    async with open_database(path) as database:
        session = await database.read(lambda connection: sessions.find(connection, Name("", "s"), 1.0))
    assert session == Session(1, "", "s", None, (), {}, 1.0, 2.0, None, None, 0, lone=False)


OPENING = """
    import sys
    from pathlib import Path
    import trio
    from cca.store.database import open_database

    async def main():
        for path in sys.argv[1:]:
            async with open_database(Path(path)) as database:
                await database.write(lambda connection: connection.execute(
                    "INSERT INTO secret VALUES (hex(randomblob(8)), x'')"
                ))

    print("ready", flush=True)
    sys.stdin.readline()
    trio.run(main)
"""


async def test_programs_that_open_a_new_file_at_once_all_use_it(tmp_path: Path) -> None:
    paths = [tmp_path / f"{number}.db" for number in range(10)]
    script = tmp_path / "opening.py"
    script.write_text("\n".join(line.removeprefix("    ") for line in OPENING.splitlines()))
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    programs = [subprocess.Popen([sys.executable, script, *paths], text=True, **pipes) for _ in range(3)]  # type: ignore[call-overload] # noqa: ASYNC220
    for program in programs:
        assert program.stdout.readline() == "ready\n"
    for program in programs:
        program.stdin.write("go\n")
        program.stdin.flush()
    assert [program.communicate(timeout=60)[0] for program in programs] == [""] * 3
    assert [program.returncode for program in programs] == [0] * 3
    for path in paths:
        async with open_database(path) as database:
            [count] = await database.read(
                lambda connection: connection.execute("SELECT count(*) FROM secret").fetchone()
            )
            assert count == 3


async def test_a_file_that_another_program_makes_while_it_is_looked_at_is_not_taken_for_a_strangers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "0.db"
    connect = sqlite3.connect
    looks = iter(["first"])

    class Meanwhile(sqlite3.Connection):
        def execute(self, sql: str, *parameters: Any) -> sqlite3.Cursor:
            if sql == "PRAGMA user_version" and next(looks, None):
                with closing(connect(path, timeout=0)) as other, suppress(sqlite3.OperationalError):
                    other.execute("CREATE TABLE another_programs (name TEXT)")
            return super().execute(sql, *parameters)

    monkeypatch.setattr(sqlite3, "connect", partial(connect, factory=Meanwhile))
    async with open_database(path) as database:
        await add(database)
    assert next(looks, None) is None


# What goes wrong while it is open is a 503 that says what to do, and what was kept is there afterwards.


async def test_a_fault_of_sqlites_names_the_file_and_the_next_call_has_a_connection_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "cca.db"
    async with open_database(path) as database:
        await add(database)
        await database.write(lambda connection: connection.execute("CREATE TEMP TABLE of_the_connection (x)"))
        with pytest.raises(Unavailable, match=f"{path} cannot be used: no such table: missing"):
            await database.write(lambda connection: connection.execute("SELECT * FROM missing"))
        with pytest.raises(Unavailable, match="no such table: of_the_connection"):
            await database.read(lambda connection: connection.execute("SELECT * FROM of_the_connection"))
        assert await kept(database) == [EXCHANGE]


async def test_a_full_disk_loses_nothing_and_room_is_enough_to_go_on(tmp_path: Path) -> None:
    def fill(connection: Connection) -> None:
        connection.execute("PRAGMA max_page_count = 1")
        for number in range(100):
            connection.execute("INSERT INTO secret VALUES (?, zeroblob(10000))", [number])

    async with open_database(tmp_path / "cca.db") as database:
        await add(database)
        with pytest.raises(Unavailable, match=r"disk is full\. Make room on its disk, and send the request again\."):
            await database.write(fill)
        await add(database)
        assert await kept(database) == [EXCHANGE, EXCHANGE]


async def test_a_file_that_is_gone_is_not_written_to_and_goes_on_when_it_is_back(tmp_path: Path) -> None:
    path, away = tmp_path / "cca.db", tmp_path / "away.db"
    async with open_database(path) as database:
        await add(database)
        path.rename(away)
        for use in (add, kept):
            with pytest.raises(
                Unavailable, match=f"The database {path} is gone: No such file .* Put it back, or restart"
            ):
                await use(database)
        assert not path.exists()
        away.rename(path)
        await add(database)
        assert await kept(database) == [EXCHANGE, EXCHANGE]


async def test_another_file_in_its_place_is_used(tmp_path: Path) -> None:
    path, other = tmp_path / "cca.db", tmp_path / "other.db"
    async with open_database(other) as database:
        await add(database)
    async with open_database(path) as database:
        assert await kept(database) == []
        other.rename(path)
        assert await kept(database) == [EXCHANGE]
        garbage(other)
        other.rename(path)
        with pytest.raises(Unavailable, match="not a database"):
            await add(database)
        path.unlink()
        path.touch()
        await add(database)
        assert await kept(database) == [EXCHANGE]


async def test_damage_while_it_is_open_is_told_and_a_good_copy_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "cca.db"
    async with open_database(path) as database:
        await add(database)
        good = path.read_bytes()
        for damaged in (good[:-4096], good[:50], b"x" * len(good)):
            path.write_bytes(damaged)
            for _ in range(2):
                with pytest.raises(Unavailable, match="Put a good copy in its place"):
                    await add(database)
            assert path.read_bytes() == damaged
        path.write_bytes(good)
        await add(database)
        assert await kept(database) == [EXCHANGE, EXCHANGE]


async def test_a_directory_in_its_place_is_told(tmp_path: Path) -> None:
    path = tmp_path / "cca.db"
    async with open_database(path) as database:
        path.unlink()
        path.mkdir()
        with pytest.raises(Unavailable, match=f"The database {path} cannot be opened: "):
            await add(database)
        path.rmdir()
        path.touch()
        await add(database)
        assert await kept(database) == [EXCHANGE]


@pytest.mark.parametrize("held", ["IMMEDIATE", "EXCLUSIVE"])
async def test_a_file_that_another_program_locks_is_waited_for_and_told(
    held: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_room, "BUSY_TIMEOUT", 0.05)
    path = tmp_path / "cca.db"
    async with open_database(path) as database:
        await add(database)
        with closing(sqlite3.connect(path, isolation_level=None)) as another:
            another.execute(f"BEGIN {held}")
            for _ in range(2):
                with pytest.raises(
                    Unavailable, match=r"database is locked\. Another program has it open and is writing"
                ):
                    await add(database)
            another.execute("COMMIT")
            await add(database)
        assert await kept(database) == [EXCHANGE, EXCHANGE]


async def test_a_lock_that_is_let_go_in_time_is_no_fault(tmp_path: Path) -> None:
    path = tmp_path / "cca.db"
    async with open_database(path) as database, trio.open_nursery() as nursery:
        with closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as another:
            another.execute("BEGIN EXCLUSIVE")
            nursery.start_soon(add, database)
            await trio.sleep(0.05)
            another.execute("COMMIT")
        nursery.start_soon(add, database)
    async with open_database(path) as database:
        assert await kept(database) == [EXCHANGE, EXCHANGE]


@contextmanager
def as_who_may_not_write(*places: Path) -> Iterator[None]:
    """Let nobody write to ``places`` while the block lasts. Root may, so it is another user there."""
    modes = [stat.S_IMODE(place.stat().st_mode) for place in places]
    for place in places:
        place.chmod(0o555 if place.is_dir() else 0o444)
    root = os.getuid() == 0
    if root:
        os.setresuid(NOBODY, NOBODY, 0)
    try:
        yield
    finally:
        if root:
            os.setresuid(0, 0, 0)
        for place, mode in zip(places, modes, strict=True):
            place.chmod(mode)


@pytest.fixture
def open_to_all() -> Iterator[Path]:
    """Return a directory that every user reaches, which those of pytest are not."""
    with tempfile.TemporaryDirectory() as place:
        Path(place).chmod(0o755)
        yield Path(place)


async def test_a_file_that_may_not_be_written_is_refused_at_the_start(open_to_all: Path) -> None:
    path = open_to_all / "cca.db"
    path.touch()
    with (
        as_who_may_not_write(path, open_to_all),
        pytest.raises(Unavailable, match=f"{path} cannot be opened: Permission denied. Name another"),
    ):
        async with open_database(path):
            pass


async def test_a_file_that_became_read_only_can_be_read_and_is_written_again_later(open_to_all: Path) -> None:
    path = open_to_all / "cca.db"
    async with open_database(path) as database:
        await add(database)
        with as_who_may_not_write(path, open_to_all):
            with pytest.raises(Unavailable, match=r"readonly database\. Let cca write to it and its directory"):
                await add(database)
            assert await kept(database) == [EXCHANGE]
        await add(database)
        assert await kept(database) == [EXCHANGE, EXCHANGE]


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


def test_a_sqlite_that_is_too_old_is_told_and_nothing_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def open_it() -> None:
        async with open_database(tmp_path / "cca.db"):
            pass

    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 36, 9))
    monkeypatch.setattr(sqlite3, "sqlite_version", "3.36.9")
    with pytest.raises(Unavailable, match=r"cca needs SQLite 3\.37 or newer, and this Python has 3\.36\.9\. Run"):
        trio.run(open_it)
    assert list(tmp_path.iterdir()) == []
