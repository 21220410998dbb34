"""What a server makes of the file that it finds at its start, and leaves at its end. One it cannot use is untouched."""

import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from functools import partial
from pathlib import Path

import pytest
import trio
from database_faults import room_for
from trio.testing import MockClock, wait_all_tasks_blocked
from wire_harness import inline, serving

from cca.errors import Unavailable
from cca.model import Usage
from cca.service import open_service
from cca.sessions import SWEEP_INTERVAL
from cca.settings import Settings
from cca.store import database as database_room
from cca.store import exchanges
from cca.store.database import Database, open_database
from cca.store.exchanges import Exchange
from cca.store.migrations import MIGRATIONS
from survival import Survival

FIXTURES = Path(__file__).parents[2] / "fixtures"


@pytest.fixture(autouse=True)
def short_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nobody wait for long for a lock that stays."""
    monkeypatch.setattr(database_room, "BUSY_TIMEOUT", 0.02)


def started_with(path: Path) -> Settings:
    return Settings(database=path, replay=FIXTURES)


@contextmanager
def nothing(_: Path) -> Iterator[None]:
    yield


def ours(path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for migration in MIGRATIONS:
            for statement in migration:
                connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {database_room.APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")
        connection.execute("INSERT INTO session VALUES (1, '', 's', 0, 0, 1, 1, NULL, NULL, 0, 0)")


@contextmanager
def started_locked(path: Path) -> Iterator[None]:
    ours(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as another:
        another.execute("BEGIN EXCLUSIVE")
        yield


@contextmanager
def started_garbage(path: Path) -> Iterator[None]:
    path.write_bytes(b"garbage" * 1000)
    yield


@contextmanager
def started_cut(path: Path) -> Iterator[None]:
    ours(path)
    os.truncate(path, 5000)
    yield


@contextmanager
def started_foreign(path: Path) -> Iterator[None]:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE theirs (x)")
    yield


@contextmanager
def started_newer(path: Path) -> Iterator[None]:
    ours(path)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    yield


@contextmanager
def started_without_room(path: Path) -> Iterator[None]:
    path.touch()
    with room_for(0):
        yield


@contextmanager
def started_with_a_directory(path: Path) -> Iterator[None]:
    path.mkdir()
    yield
    path.rmdir()
    path.touch()


REFUSED: dict[str, tuple[Callable[[Path], AbstractContextManager[None]], str]] = {
    "locked": (started_locked, "database is locked. Another program has it open and is writing"),
    "garbage": (started_garbage, "is not a database of cca's, or damaged: file is not a database. Put a good copy"),
    "cut": (started_cut, "is not a database of cca's, or damaged: database disk image is malformed. Put a good copy"),
    "another program's": (started_foreign, "is a database of another program. Name another with --database."),
    "of a newer cca": (started_newer, "is of a newer cca"),
    "no room": (started_without_room, "disk I/O error. See whether its disk is full or failing"),
    "a directory": (started_with_a_directory, "cannot be opened: Is a directory. Name another with --database."),
}


@pytest.mark.parametrize(("begin", "told"), REFUSED.values(), ids=REFUSED)
async def test_a_start_is_refused_and_leaves_the_file_as_it_is(
    begin: Callable[[Path], AbstractContextManager[None]], told: str, tmp_path: Path
) -> None:
    path = tmp_path / "cca.db"
    with begin(path):
        before = None if path.is_dir() else path.read_bytes()
        with pytest.raises(Unavailable) as refused:
            async with open_service(started_with(path), {}):
                pass
        assert (None if path.is_dir() else path.read_bytes()) == before
    assert told in refused.value.message
    assert str(path) in refused.value.message


@contextmanager
def started_while_written(path: Path) -> Iterator[None]:
    ours(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as another:
        another.execute("BEGIN IMMEDIATE")
        another.execute("DELETE FROM session")
        yield
        another.execute("ROLLBACK")


@contextmanager
def started_after_a_crash(path: Path) -> Iterator[None]:
    """Leave the journal of a program that ended in the middle of a transaction."""
    ours(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as another:
        another.execute("PRAGMA cache_size = 1")
        another.execute("PRAGMA cache_spill = 1")
        another.execute("BEGIN IMMEDIATE")
        another.execute("DELETE FROM session")
        another.executemany(
            "INSERT INTO secret VALUES (?, zeroblob(5000))", [(f"secret{number}",) for number in range(100)]
        )
        for name in ("cca.db", "cca.db-journal"):
            shutil.copy(path.with_name(name), path.with_name(f"crashed-{name}"))
        another.execute("ROLLBACK")
    for name in ("cca.db", "cca.db-journal"):
        path.with_name(f"crashed-{name}").replace(path.with_name(name))
    with closing(sqlite3.connect(f"file:{path}?immutable=1", uri=True)) as without_its_journal:
        assert without_its_journal.execute("SELECT count(*) FROM session").fetchone() == (0,)
    yield


@contextmanager
def started_in_no_directory(path: Path) -> Iterator[None]:
    shutil.rmtree(path.parent)
    yield


@contextmanager
def started_empty(path: Path) -> Iterator[None]:
    path.touch()
    yield


STARTED: dict[str, tuple[Callable[[Path], AbstractContextManager[None]], int]] = {
    "nothing there": (nothing, 0),
    "an empty file": (started_empty, 0),
    "no directory": (started_in_no_directory, 0),
    "another program writes": (started_while_written, 1),
    "after a crash": (started_after_a_crash, 1),
}


@pytest.mark.parametrize(("begin", "sessions"), STARTED.values(), ids=STARTED)
async def test_a_start_works_and_finds_what_was_committed(
    begin: Callable[[Path], AbstractContextManager[None]], sessions: int, tmp_path: Path
) -> None:
    path = tmp_path / "state" / "cca.db"
    path.parent.mkdir()
    with begin(path):
        async with open_service(started_with(path), {}) as service:
            [found] = await service.database.read(
                lambda connection: connection.execute("SELECT count(*) FROM session").fetchone()
            )
            checked = await service.database.read(
                lambda connection: connection.execute("PRAGMA integrity_check").fetchall()
            )
    assert (found, checked) == (sessions, [("ok",)])


def exchange(name: str) -> Exchange:
    return Exchange(name, 1.0, "test", None, "claude", "end_turn", None, 1.0, 0.0, Usage())


async def count(database: Database) -> int:
    [found] = await database.read(lambda connection: connection.execute("SELECT count(*) FROM exchange").fetchone())
    return int(found)


async def test_what_could_not_be_counted_is_when_the_server_ends(tmp_path: Path) -> None:
    path = tmp_path / "cca.db"
    async with open_service(started_with(path), {}) as service:
        with room_for(0):
            await service.ledger.keep(exchange("req_1"))
            assert await count(service.database) == 0
    async with open_database(path) as database:
        assert await count(database) == 1


async def test_what_could_not_be_counted_is_from_time_to_time(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with open_database(tmp_path / "cca.db", inline) as database, serving(database=database) as server:
        server.nursery.start_soon(server.service.sweep)
        await wait_all_tasks_blocked()
        with room_for(0):
            await server.service.ledger.keep(exchange("req_1"))
            await trio.sleep(SWEEP_INTERVAL)
        assert await count(database) == 0
        await trio.sleep(SWEEP_INTERVAL)
        assert await count(database) == 1


@pytest.mark.parametrize("step", [pytest.param(512, id="512"), pytest.param(64, id="64", marks=pytest.mark.soak)])
async def test_a_log_that_is_cut_anywhere_leaves_what_was_committed_before(
    step: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, survival: Survival
) -> None:
    """R-18, for a SQLite with a write-ahead log: the file is found with one that is cut at each 512 bytes of it."""
    monkeypatch.setattr(database_room, "_wal_is_safe", lambda _: True)
    path, log = tmp_path / "cca.db", tmp_path / "cca.db-wal"
    async with open_database(path) as database:
        for number in range(20):
            await database.write(partial(exchanges.add, exchanges=[exchange(f"req_{number}")]))
        left = path.read_bytes(), log.read_bytes()
    found: list[int] = []
    sizes = range(0, len(left[1]) + step, step)
    for size in sizes:
        path.write_bytes(left[0])
        log.write_bytes(left[1][:size])
        with closing(sqlite3.connect(path)) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            if connection.execute("SELECT count(*) FROM sqlite_schema WHERE name = 'exchange'").fetchone() != (0,):
                found += connection.execute("SELECT count(*) FROM exchange").fetchone()
        log.unlink(missing_ok=True)
    survival("R-18", f"logs of the database, cut at each {step} bytes", tried=len(sizes), lost=0)
    assert found == sorted(found)
    assert set(found) == set(range(21))
