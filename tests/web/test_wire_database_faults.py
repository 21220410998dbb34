"""Faults of the database, as clients see them, and a start with each.

A session's request is a 503 and nothing of it is half there, any other one is answered, and all goes on once the fault
is over, without a restart. Every fault is one of SQLite's own, or of the system's.
"""

import math
import re
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio
from claude_says import HELLO, start, stop, text
from database_faults import (
    FAULTS,
    READABLE,
    UNREADABLE,
    Fault,
    Kept,
    each,
    full,
    kept,
    locked_by_another,
    room_for,
    told_to_sqlite,
)
from trio.testing import MockClock, wait_all_tasks_blocked
from wire_harness import CHAT, HOST, JSON, Reply, Server, chat, get, inline, post, raw, serving, user

from cca.store import database as database_room
from cca.store.database import Database, open_database
from cca.web.sessions import SESSION_HEADER
from survival import Survival

STREAM = pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])


@pytest.fixture(autouse=True)
def short_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nobody wait for long for a lock that stays."""
    monkeypatch.setattr(database_room, "BUSY_TIMEOUT", 0.02)


FIRST = Kept(("One", "Hello"), 1, ("Hello",))


def asked(said: str, *, stream: bool = False, session: bool = True, store: bool | None = None) -> bytes:
    """Return a request whose answer is stored with its session, or one of which nothing is kept."""
    store = session if store is None else store
    return post(chat(user(said), stream=stream, store=store), *([f"{SESSION_HEADER}: s"] if session else []))


def sent(method: str, path: str, body: bytes = b"{}") -> bytes:
    return raw(method, path, HOST, JSON, f"Content-Length: {len(body)}", body=body)


@asynccontextmanager
async def begun(tmp_path: Path, *said: Any) -> AsyncIterator[tuple[Server, Database]]:
    """Serve, with one exchange of a session there already."""
    async with (
        open_database(tmp_path / "cca.db", inline) as database,
        serving(*(said or HELLO), database=database) as server,
    ):
        server.backend.said = HELLO
        assert (await server.ask(asked("One"))).status == 200
        server.backend.said = said or HELLO
        assert kept(database.path) == FIRST
        yield server, database


def failure(reply: Reply, *, streaming: bool = False) -> str:
    """Return what a client is told, as a status or as the last event of a stream, and hold its form."""
    error = reply.events[-1]["error"] if streaming else reply.error
    assert reply.status == (200 if streaming else 503)
    assert (error["type"], error["param"], error["code"]) == ("server_error", None, None)
    return str(error["message"])


async def goes_on(server: Server, database: Database, *, before: Kept = FIRST) -> None:
    """Hold that a session's next request works, on the history of what was acknowledged, and nothing is lost."""
    server.backend.said = HELLO
    assert (await server.ask(asked("Later"))).status == 200
    said = [part.text for turn in server.backend.conversations[-1].turns for part in turn.content]  # type: ignore[union-attr]
    assert said == [*before.texts, "Later"]
    after = kept(database.path)
    assert after.texts == (*before.texts, "Later", "Hello")
    assert after.exchanges >= before.exchanges + 1
    assert after.stored[-1:] == ("Hello",)


# While a fault lasts


@each(READABLE)
@STREAM
async def test_an_answer_of_a_session_that_cannot_be_written_has_failed(
    fault: Fault,
    told: str,
    stream: bool,  # noqa: FBT001
    tmp_path: Path,
    autojump_clock: MockClock,
) -> None:
    async with begun(tmp_path) as (server, database):
        with fault(database):
            reply = await server.ask(asked("Two", stream=stream))
            again = await server.ask(asked("Two", stream=stream))
        message = failure(reply, streaming=stream)
        assert message == failure(again, streaming=stream)
        assert message.startswith(f"The database {database.path} cannot be used: ")
        assert re.search(told, message)
        assert b'"finish_reason":"' not in reply.body
        assert kept(database.path).texts == FIRST.texts
        await goes_on(server, database)
        # What was used is kept with the next one, whatever became of its text.
        await server.ask(asked("Another", session=False))
        await wait_all_tasks_blocked()
        assert kept(database.path).exchanges == 5


@each(UNREADABLE)
@STREAM
async def test_a_request_of_a_session_that_cannot_be_read_starts_nothing(
    fault: Fault,
    told: str,
    stream: bool,  # noqa: FBT001
    tmp_path: Path,
    autojump_clock: MockClock,
) -> None:
    async with begun(tmp_path) as (server, database):
        with fault(database):
            replies = [await server.ask(asked("Two", stream=stream)) for _ in range(2)]
        messages = [failure(reply) for reply in replies]
        assert all(re.search(told, message) and str(database.path) in message for message in messages)
        assert server.backend.opened == 1
        assert kept(database.path) == FIRST
        await goes_on(server, database)


@each(FAULTS)
@STREAM
async def test_a_fault_in_the_middle_of_an_answer_fails_it(
    fault: Fault,
    told: str,
    stream: bool,  # noqa: FBT001
    tmp_path: Path,
    autojump_clock: MockClock,
) -> None:
    async with begun(tmp_path, start(), text("Slow"), 10.0, stop()) as (server, database):
        client = await server.connect()
        await client.send(asked("Two", stream=stream))
        await trio.sleep(5)
        with fault(database):
            message = failure(await client.reply(), streaming=stream)
        assert re.search(told, message)
        assert kept(database.path).texts == FIRST.texts
        await goes_on(server, database)


@each(FAULTS)
async def test_a_fault_that_is_over_when_an_answer_ends_is_none(
    fault: Fault, told: str, tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with begun(tmp_path, start(), text("Slow"), 10.0, stop()) as (server, database):
        client = await server.connect()
        await client.send(asked("Two"))
        await trio.sleep(2)
        with fault(database):
            await trio.sleep(2)
            # Somebody sees it.
            await server.ask(sent("PATCH", "/v1/sessions/s"))
        assert (await client.reply()).status == 200
        await goes_on(server, database, before=Kept(("One", "Hello", "Two", "Slow"), 2))


@each(FAULTS)
@STREAM
async def test_a_request_of_no_session_is_answered_and_counted_later(
    fault: Fault,
    told: str,
    stream: bool,  # noqa: FBT001
    tmp_path: Path,
    autojump_clock: MockClock,
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with begun(tmp_path) as (server, database):
        with fault(database):
            replies = [await server.ask(asked("Two", stream=stream, session=False)) for _ in range(30)]
        assert [reply.status for reply in replies] == [200] * 30
        assert all(b'"finish_reason":"stop"' in reply.body for reply in replies)
        # On a full disk there is a page that is not full yet.
        assert kept(database.path).exchanges < 30 if fault is full else kept(database.path) == FIRST
        await server.ask(asked("Three", session=False))
        # What it was is written down once it was told.
        await wait_all_tasks_blocked()
        assert kept(database.path) == Kept(FIRST.texts, 32, FIRST.stored)
    logged = [record.getMessage() for record in caplog.records if "wait to be kept" in record.getMessage()]
    assert [int(message.split()[0]) for message in logged] == list(range(1, len(logged) + 1))
    assert logged
    assert all(re.search(told, message) for message in logged)


READING = ("/v1/sessions", "/v1/sessions/s", "/v1/sessions/s/turns", "/v1/usage")

WRITING = (
    ("PATCH", "/v1/sessions/s", b'{"title":"Set"}'),
    ("DELETE", "/v1/sessions/s", b""),
    ("POST", "/v1/sessions/s/fork", b"{}"),
)


@each({name: FAULTS[name] for name in FAULTS if name != "full"})
async def test_every_other_route_answers_or_tells(
    fault: Fault, told: str, tmp_path: Path, autojump_clock: MockClock
) -> None:
    readable = any(fault is each for each, _ in READABLE.values())
    async with begun(tmp_path) as (server, database):
        shown = [(await server.ask(get(path))).json for path in READING]
        with fault(database):
            read = [await server.ask(get(path)) for path in READING]
            written = [await server.ask(sent(*each)) for each in WRITING]
            unconcerned = [(await server.ask(get(path))).status for path in ("/health", "/v1/models")]
        if readable:
            assert [reply.json for reply in read] == shown
        else:
            assert all(re.search(told, failure(reply)) for reply in read)
        assert all(re.search(told, failure(reply)) for reply in written)
        assert unconcerned == [200, 200]
        assert [(await server.ask(get(path))).json for path in READING] == shown
        await goes_on(server, database)


async def test_on_a_full_disk_deleting_makes_room(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with begun(tmp_path) as (server, database):
        with full(database):
            assert [(await server.ask(get(path))).status for path in READING] == [200] * 4
            failure(await server.ask(sent("POST", "/v1/sessions/s/fork")))
            failure(await server.ask(asked("Two")))
            assert (await server.ask(sent("DELETE", "/v1/sessions/s", b""))).status == 200
            assert (await server.ask(asked("Two"))).status == 200
        assert kept(database.path).texts == ("Two", "Hello")


# A disk that is full at each of its bytes


async def test_a_disk_that_is_full_at_any_byte_loses_nothing(tmp_path: Path, autojump_clock: MockClock) -> None:
    """R-17. No file can be longer than so much, to which the journal, or the database, comes at each of its writes."""
    outcomes: set[int] = set()
    async with begun(tmp_path) as (server, database):
        good = database.path.read_bytes()
        for size in range(0, len(good) + 8 * 1024, 512):
            with room_for(size):
                reply = await server.ask(asked("Two", stream=size % 1024 == 0, store=False))
                listed = await server.ask(get("/v1/sessions/s"))
            acknowledged = b'"finish_reason":"stop"' in reply.body
            outcomes.add(200 if acknowledged else 503)
            # A journal that could not be rolled back is rolled back once there is room.
            assert (listed.status == 503) or listed.json["turns"] == (4 if acknowledged else 2)
            found = kept(database.path)
            assert found.texts == ((*FIRST.texts, "Two", "Hello") if acknowledged else FIRST.texts)
            await goes_on(server, database, before=found)
            # Back to the start; what waits to be counted goes with it.
            database.path.write_bytes(good)
            await server.ask(asked("Count", session=False))
            database.path.write_bytes(good)
    assert outcomes == {200, 503}


async def test_an_answer_is_stored_whole_or_not_at_all(tmp_path: Path, autojump_clock: MockClock) -> None:
    """With its session, which is there for nothing else: on a disk that is full at some byte neither is there."""
    outcomes: set[int] = set()
    async with begun(tmp_path) as (server, database):
        good = database.path.read_bytes()
        for size in range(0, len(good) + 16 * 1024, 1024):
            with room_for(size):
                reply = await server.ask(asked("Two", session=False, store=True, stream=size % 2048 == 0))
            acknowledged = b'"finish_reason":"stop"' in reply.body
            outcomes.add(200 if acknowledged else 503)
            stored = (await server.ask(get(CHAT))).json["data"]
            there = (await server.ask(get("/v1/sessions"))).json["data"]
            assert (len(stored), len(there)) == ((2, 2) if acknowledged else (1, 1))
            for completion in stored:
                assert (await server.ask(get(f"{CHAT}/{completion['id']}"))).json == completion
            database.path.write_bytes(good)
            await server.ask(asked("Count", session=False))
            database.path.write_bytes(good)
    assert outcomes == {200, 503}


async def test_a_file_that_grows_page_by_page_is_full_at_any_of_them(tmp_path: Path, autojump_clock: MockClock) -> None:
    """SQLite's own bound, which is told as a full disk."""
    async with begun(tmp_path) as (server, database):
        good = database.path.read_bytes()
        statuses = []
        for more in range(8):
            with told_to_sqlite(database, f"max_page_count = {len(good) // 1024 + more}"):
                statuses.append((await server.ask(asked("x" * 2000, store=False))).status)
            assert len(kept(database.path).texts) == (4 if statuses[-1] == 200 else 2)
            database.path.write_bytes(good)
    assert statuses == sorted(statuses, reverse=True)
    assert set(statuses) == {200, 503}


# Another file


async def test_an_older_copy_in_its_place_is_gone_on_from(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with begun(tmp_path) as (server, database):
        copy = tmp_path / "copy.db"
        shutil.copy(database.path, copy)
        await server.ask(asked("Two"))
        copy.replace(database.path)
        await goes_on(server, database)


async def test_an_answer_is_not_put_into_another_file(tmp_path: Path, autojump_clock: MockClock) -> None:
    """Where its session is one of the same number and length, of somebody else."""
    async with begun(tmp_path, start(), text("Slow"), 10.0, stop()) as (server, database):
        other = tmp_path / "other.db"
        async with open_database(other, inline) as theirs, serving(*HELLO, database=theirs) as elsewhere:
            await elsewhere.ask(post(chat(user("Theirs")), f"{SESSION_HEADER}: t"))
        client = await server.connect()
        await client.send(asked("Two"))
        await trio.sleep(5)
        other.replace(database.path)
        reply = await client.reply()
        assert kept(database.path).texts == ("Theirs", "Hello")
    assert (reply.status, reply.error["code"]) == (409, "session_changed")


async def test_a_file_that_is_deleted_and_made_anew_is_a_new_one(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with begun(tmp_path) as (server, database):
        database.path.unlink()
        failure(await server.ask(asked("Two")))
        database.path.touch()
        assert (await server.ask(get("/v1/sessions"))).json["data"] == []
        await goes_on(server, database, before=Kept((), 0))


# Many who wait


AS_SERVED = database_room.BUSY_TIMEOUT
"""Seconds, before any test sets it."""

OTHERS = (post(chat()), post(chat(stream=True)), get("/health"), get("/v1/models"))
"""Requests that have nothing to do with a session."""


@pytest.mark.parametrize(
    ("waits", "times", "most", "beside"),
    [
        pytest.param(1.0, 1, 10.0, math.inf, id="once"),
        pytest.param(AS_SERVED, 6, 7.0, 2.0, id="30 s", marks=pytest.mark.soak),
    ],
)
async def test_many_that_wait_for_a_locked_file_are_told_in_the_time_of_one(
    waits: float,
    times: int,
    most: float,
    beside: float,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    survival: Survival,
) -> None:
    """R-18. In real time, and in a thread, as it is served: each waits as long as it may, and no longer.

    Other requests are answered meanwhile, and the session is gone on with after it.
    """
    monkeypatch.setattr(database_room, "BUSY_TIMEOUT", waits)
    replies: list[Reply] = []
    others: list[Reply] = []
    took: list[float] = []
    others_took: list[float] = []

    async def ask(server: Server, number: int) -> None:
        replies.append(await server.ask(post(chat(), f"{SESSION_HEADER}: s{number}")))

    async def ask_beside(server: Server) -> None:
        began = trio.current_time()
        others.extend([await server.ask(request) for request in OTHERS])
        others_took.append(trio.current_time() - began)

    async with open_database(tmp_path / "cca.db") as database, serving(*HELLO, database=database) as server:
        with locked_by_another(database):
            for _ in range(times):
                began = trio.current_time()
                async with trio.open_nursery() as nursery:
                    for number in range(20):
                        nursery.start_soon(ask, server, number)
                    nursery.start_soon(ask_beside, server)
                took.append(trio.current_time() - began)
        after = await server.ask(asked("One"))
        kept_then = kept(database.path)
    told = sum(reply.status == 503 for reply in replies)
    survival(
        "R-18",
        f"requests of a database locked for {sum(took):.0f} s",
        tried=20 * times,
        lost=20 * times - told,
        figure=f"told after {max(took):.1f} s at most, others answered in {max(others_took):.1f} s",
    )
    assert told == 20 * times
    assert waits <= min(took)
    assert max(took) < most, "each for itself, they take twenty times that"
    assert [reply.status for reply in others] == [200] * len(OTHERS) * times
    assert max(others_took) < beside
    assert after.status == 200
    assert kept_then.texts == ("One", "Hello")
