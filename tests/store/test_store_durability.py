"""What is promised of the file: what was acknowledged is there, what was deleted is not, and looking is fast."""

import json
import random
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import pytest
from attrs import evolve

from cca.store import database as database_module
from cca.store import sessions, stored
from cca.store.database import PAGE_SIZE, Database, open_database
from cca.store.exchanges import spending
from cca.store.sessions import Name, Said, Session
from cca.store.stored import Answer
from cca.store.text import OVERHEAD, Place, get
from cca.store.turns import Row
from cca.store.usage import piece
from survival import Survival

WRITER = Path(__file__).with_name("writer.py")

ROUNDS = [pytest.param(10, id="10"), pytest.param(200, id="200", marks=pytest.mark.soak)]


@pytest.fixture(params=["TRUNCATE", "WAL"])
def journal(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the journal mode: the one of this SQLite's, and the other one, which one connection may use safely."""
    monkeypatch.setattr(database_module, "_wal_is_safe", lambda _: request.param == "WAL")
    return str(request.param)


@pytest.mark.parametrize("rounds", ROUNDS)
def test_what_was_acknowledged_is_there_after_sigkill(rounds: int, survival: Survival, tmp_path: Path) -> None:
    """R-19. Each round kills a program that writes four sessions, at a random moment, and reads what it left."""
    path = tmp_path / "cca.db"
    acknowledged: dict[str, list[str]] = {}
    randomness = random.Random(19)  # noqa: S311 - when to kill
    for _ in range(rounds):
        for session, text in killed_writer(path, randomness.uniform(0, 0.05)):
            acknowledged.setdefault(session, []).append(text)
        check(path, acknowledged)
    total = sum(map(len, acknowledged.values()))
    survival(
        "R-19", "kills of a program that writes", tried=rounds, lost=0, figure=f"{total} turns, all there, none half"
    )
    assert total >= rounds


def killed_writer(path: Path, seconds: float) -> Iterator[tuple[str, str]]:
    """Run a writer for so long after its first acknowledgement, kill it, and yield what it acknowledged."""
    writer = subprocess.Popen([sys.executable, str(WRITER), str(path)], stdout=subprocess.PIPE, text=True)
    assert writer.stdout is not None
    with writer:
        lines = [writer.stdout.readline()]
        time.sleep(seconds)
        writer.kill()
        lines += writer.stdout.readlines()
    for line in lines:
        # The last one may be cut: then nobody was told.
        if line.endswith("\n"):
            session, text = line.split()
            yield session, text


def check(path: Path, acknowledged: dict[str, list[str]]) -> None:
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
    there = connection.execute("SELECT number, id, turns FROM session").fetchall()
    assert acknowledged.keys() <= {id_ for _, id_, _ in there}
    for number, id_, turns in there:
        rows = connection.execute(
            "SELECT position, role, content, pieces FROM turn WHERE session = ? ORDER BY 1", [number]
        )
        found = [
            (position, role, json.loads(get(connection, Place(first, pieces)))[0]["text"])
            for position, role, first, pieces in rows.fetchall()
        ]
        assert [position for position, _, _ in found] == list(range(turns))
        assert [role for _, role, _ in found] == ["user", "assistant"] * (turns // 2)
        texts = [text for _, role, text in found if role == "user"]
        assert texts == [text for _, role, text in found if role == "assistant"]
        # What was written and not acknowledged any more may be there; it is whole, and in its place.
        known = iter(texts)
        assert all(text in known for text in acknowledged.get(id_, []))
    [exchanges] = connection.execute("SELECT count(*) FROM exchange").fetchone()
    [turns] = connection.execute("SELECT count(*) FROM turn").fetchone()
    assert turns == 2 * exchanges
    answers = connection.execute("SELECT turns, body, body_pieces, id FROM stored").fetchall()
    assert len(answers) == exchanges
    assert all(turns % 2 == 0 for turns, *_ in answers)
    assert [json.loads(get(connection, Place(*place)))["id"] for _, *place, _ in answers] == [
        row[-1] for row in answers
    ]
    connection.close()


def said(*texts: str, at: float = 1.0) -> Said:
    rows = [Row("user", json.dumps([{"type": "text", "text": text}])) for text in texts]
    return Said((), rows, [f"turn_{index}" for index in range(len(rows))], "completed", at)


async def with_texts(
    database: Database, name: str, *texts: str, title: str | None = None, expires_after: float | None = None
) -> None:
    def write(connection: sqlite3.Connection) -> None:
        session = sessions.begin(connection, Name("", name), 1.0, expires_after)
        sessions.change(connection, session, title, expires_after)
        sessions.append(connection, session, said(*texts))

    await database.write(write)


SIZES = (1, 100, 3_000, 5_000, 100_000)
"""Characters around the text that is looked for: in a page, over many, and next to a page's end."""

CANARY = "CANARY-IN-THE-FILE"


@pytest.mark.parametrize("seed", [7, *range(3)])
@pytest.mark.parametrize("way", ["delete", "delete in order", "sweep"])
async def test_what_was_deleted_is_in_no_file(way: str, seed: int, journal: str, tmp_path: Path) -> None:
    """Sessions that stay stand between those that go.

    With rows that share pages, as SQLite keeps them by itself, the first of these seeds leaves a copy.
    """
    randomness = random.Random(seed)  # noqa: S311
    async with open_database(tmp_path / "cca.db") as database:
        [mode] = await database.read(lambda connection: connection.execute("PRAGMA journal_mode").fetchone())
        assert mode == journal.lower()
        for number in range(60):
            size = randomness.choice(SIZES)
            await with_texts(database, f"stay{number}", "s" * size)
            await with_texts(database, f"go{number}", CANARY + "g" * size, CANARY, title=CANARY, expires_after=1.0)
        assert CANARY in found_in(tmp_path)
        if way == "sweep":
            assert await database.erase(lambda connection: sessions.sweep(connection, 2.0, ())) == 60
        else:
            order = range(60) if way == "delete in order" else randomness.sample(range(60), 60)
            for number in order:
                await database.erase(partial(remove, name=Name("", f"go{number}")))
        assert CANARY not in found_in(tmp_path)
        assert len(await database.read(lambda connection: sessions.page(connection, "", 1.0, 100, None))) == 60


async def test_a_title_that_was_changed_is_in_no_file(journal: str, tmp_path: Path) -> None:
    def change(connection: sqlite3.Connection) -> None:
        session = sessions.find(connection, Name("", "s"), 1.0)
        assert session is not None
        sessions.change(connection, session, "another", None)

    async with open_database(tmp_path / "cca.db") as database:
        await with_texts(database, "s", "a", title=CANARY)
        await database.erase(change)
        assert CANARY not in found_in(tmp_path)


def answer(answer_id: str, text: str = "a") -> Answer:
    return Answer(answer_id, "response", 1, "m", "m", {"k": text}, (text,), [text], {"id": answer_id, "said": text})


@pytest.mark.parametrize("lone", [True, False], ids=["with its session", "alone"])
async def test_a_stored_answer_that_was_deleted_is_in_no_file(
    lone: bool,  # noqa: FBT001
    journal: str,
    tmp_path: Path,
) -> None:
    """Those that stay stand between those that go. Of a session of its own, what was said goes, too."""

    def write(connection: sqlite3.Connection, name: str, text: str) -> None:
        session = sessions.begin(connection, Name("", name), 1.0, None, lone=lone)
        sessions.append(connection, session, said(text if lone else "a"))
        stored.add(connection, session, 1, answer(name, text))

    def erase(connection: sqlite3.Connection, name: str) -> None:
        found = stored.find(connection, "", "response", name, 1.0)
        assert found is not None
        stored.remove(connection, found)

    async with open_database(tmp_path / "cca.db") as database:
        for number in range(20):
            await database.write(partial(write, name=f"stay{number}", text="s" * SIZES[number % 5]))
            await database.write(partial(write, name=f"go{number}", text=CANARY + "g" * SIZES[number % 4]))
        assert CANARY in found_in(tmp_path)
        for number in range(20):
            await database.erase(partial(erase, name=f"go{number}"))
        assert CANARY not in found_in(tmp_path)
        page = await database.read(lambda connection: sessions.page(connection, "", 1.0, 100, None))
    assert len(page) == (20 if lone else 40)


async def test_metadata_that_was_changed_is_in_no_file(journal: str, tmp_path: Path) -> None:
    def write(connection: sqlite3.Connection) -> None:
        session = sessions.begin(connection, Name("", "s"), 1.0, None)
        stored.add(connection, session, 0, evolve(answer("r"), metadata={"k": CANARY}))

    def found(connection: sqlite3.Connection) -> stored.Stored:
        there = stored.find(connection, "", "response", "r", 1.0)
        assert there is not None
        return there

    async with open_database(tmp_path / "cca.db") as database:
        await database.write(write)
        assert CANARY in found_in(tmp_path)
        await database.erase(lambda connection: stored.change(connection, found(connection), {"k": "v"}))
        assert CANARY not in found_in(tmp_path)
        there = await database.read(found)
    assert (there.metadata, there.system) == ({"k": "v"}, ("a",))


def remove(connection: sqlite3.Connection, name: Name) -> None:
    session = sessions.find(connection, name, 1.0)
    assert session is not None
    sessions.remove(connection, session)


def found_in(directory: Path) -> str:
    """Return all that is in all files: the database, its journal, its log."""
    return "".join(path.read_bytes().decode("latin-1") for path in directory.iterdir())


async def test_what_is_looked_for_often_is_found_by_an_index(tmp_path: Path) -> None:
    """No query of these walks over a table or sorts: it takes the same with 100 sessions and with 100,000."""
    async with open_database(tmp_path / "cca.db") as database:
        plans = await database.write(plans_of_all)
    assert plans
    for statement, plan in plans.items():
        assert not [step for step in plan if step.startswith("SCAN") or "TEMP B-TREE" in step], (statement, plan)


def plans_of_all(connection: sqlite3.Connection) -> dict[str, list[str]]:
    """Return the plan of each statement that the functions below run."""
    statements: list[str] = []
    session = sessions.begin(connection, Name("", "s"), 1.0, 1.0)
    connection.set_trace_callback(statements.append)
    sessions.load(connection, Name("", "s"), 1.0, 10**9)
    sessions.page(connection, "", 1.0, 20, None)
    sessions.page(connection, "", 1.0, 20, session)
    sessions.everybodys(connection, 1.0, 1000, session)
    sessions.turns(connection, session, 20, 3)
    sessions.turn_page(connection, session, 20, 4_000_000, 3)
    sessions.position_of(connection, session, "turn_1")
    sessions.change(connection, session, "T", None)
    sessions.append(connection, session, said("a"))
    stored_answers(connection, session)
    sessions.sweep(connection, 1.0, ())
    sessions.remove(connection, session)
    spending(connection, 1.0)
    piece(connection, 1.0, 2.0, (), None)
    connection.set_trace_callback(None)
    explained = [each for each in statements if each.startswith(("SELECT", "UPDATE", "DELETE"))]
    return {each: [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {each}")] for each in explained}


def stored_answers(connection: sqlite3.Connection, session: Session) -> None:
    """Store two answers, look at them in each way, and delete one."""
    for name in ("a", "b"):
        stored.add(connection, session, 1, answer(name))
    found = stored.find(connection, "", "response", "a", 1.0)
    assert found is not None
    stored.page(connection, "", "response", "asc", 20, None, 1.0)
    stored.page(connection, "", "response", "desc", 20, found, 1.0)
    stored.change(connection, found, {})
    sessions.claim(connection, session)
    sessions.label(connection, session, {})
    sessions.cut(connection, session, 1, ("B",))
    stored.remove(connection, found)


@pytest.mark.soak
async def test_looking_is_fast_in_100_000_sessions(tmp_path: Path) -> None:
    """The figure asked for: 10 ms for a page of the list and for a session, in 2 million turns."""
    path = tmp_path / "cca.db"
    async with open_database(path) as database:
        await database.write(fill)
        print(f"\n100,000 sessions of 20 turns, {path.stat().st_size / 1e6:.0f} MB:")
        known: Any = await database.read(lambda connection: sessions.find(connection, Name("", "s50000"), 0.0))
        asked: dict[str, Any] = {
            "first page": lambda connection: sessions.page(connection, "", 0.0, 20, None),
            "page in the middle": lambda connection: sessions.page(connection, "", 0.0, 20, known),
            "session": lambda connection: sessions.find(connection, Name("", "s77777"), 0.0),
            "history": lambda connection: sessions.load(connection, Name("", "s77777"), 0.0, 10**9),
            "turns": lambda connection: sessions.turns(connection, known, 20),
        }
        for what, query in asked.items():
            took = [await seconds(database, query) for _ in range(200)]
            print(f"  {what}: {median(took) * 1000:.2f} ms, at most {max(took) * 1000:.2f} ms")
            assert median(took) <= 0.010


async def seconds(database: Database, query: Any) -> float:
    began = time.perf_counter()
    assert await database.read(query)
    return time.perf_counter() - began


SESSIONS = 100_000


def fill(connection: sqlite3.Connection) -> None:
    content = json.dumps([{"type": "text", "text": "What is said in a turn, more or less. " * 4}]).encode()
    connection.executemany(
        "INSERT INTO session VALUES (?, '', ?, 0, 0, 1.0, ?, NULL, NULL, 20, 0)",
        ((number, f"s{number}", float(number)) for number in range(SESSIONS)),
    )
    # Turn by turn over all sessions: one session's are spread over the file, as they are in use.
    places = [(position, number) for position in range(20) for number in range(SESSIONS)]
    connection.executemany(
        "INSERT INTO turn VALUES (?, ?, 'turn_', ?, ?, 1, 1.0, 'completed', NULL)",
        (
            (number, position, ("user", "assistant")[position % 2], row)
            for row, (position, number) in enumerate(places, 1)
        ),
    )
    piece = content.ljust(PAGE_SIZE - OVERHEAD, b"\0")
    connection.executemany(
        "INSERT INTO text VALUES (?, ?, ?)", ((row, each[1], piece) for row, each in enumerate(places, 1))
    )
