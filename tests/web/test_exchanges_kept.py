"""What each request came to is kept: its key, its outcome, its tokens, its cost, its times. None of its text."""

import logging
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio
from attrs import evolve
from claude_says import HELLO, MODEL, api_error, line, start, text
from trio.testing import MockClock
from wire_harness import NOW, Said, Server, chat, inline, post, serving, streamed

from cca.keys import DEFAULT_SCOPES, id_in
from cca.limits.policy import NO_LIMITS
from cca.model import Usage
from cca.store import database as database_room
from cca.store import exchanges, keys
from cca.store.database import Database, open_database
from cca.store.exchanges import Exchange
from cca.tally import ABANDONED

HELLO_EXCHANGE = Exchange(
    request_id="req_id1",
    began_at=NOW,
    dialect="openai_chat",
    key=None,
    model=MODEL,
    outcome="end_turn",
    first_event=2.0,
    duration=5.0,
    cost=(7 * 2 + 3 * 10) / 1e6,  # by the table of prices: 2 dollars a million tokens in, 10 out
    usage=Usage(input_tokens=7, output_tokens=3),
)


@asynccontextmanager
async def keeping(tmp_path: Path, *said: Said, **settings: Any) -> AsyncIterator[tuple[Server, Database]]:
    async with (
        open_database(tmp_path / "cca.db", inline) as database,
        serving(*said, database=database, **settings) as server,
    ):
        yield server, database


async def latest(database: Database) -> list[Exchange]:
    return await database.read(lambda connection: exchanges.latest(connection, 10))


async def kept(tmp_path: Path, *said: Said, request: Any, stay: float = 1e5) -> list[Exchange]:
    """Return what was kept of one request, whose client leaves after ``stay`` seconds, or with its answer."""
    async with keeping(tmp_path, *said) as (server, database):
        client = await server.connect()
        await client.send(post(request))
        with trio.move_on_after(stay):
            await client.reply()
        await client.leave()
        await trio.testing.wait_all_tasks_blocked()
        return await latest(database)


@pytest.mark.parametrize("asked", [chat(), streamed()], ids=["whole", "stream"])
async def test_an_answer_is_kept(asked: Any, tmp_path: Path, autojump_clock: MockClock) -> None:
    began, first, *rest = HELLO
    said: tuple[Said, ...] = (2.0, began, first, 3.0, *rest)
    assert await kept(tmp_path, *said, request=asked) == [HELLO_EXCHANGE]


async def test_the_cost_that_claude_code_tells_is_kept(tmp_path: Path, autojump_clock: MockClock) -> None:
    message = {"id": "m", "model": MODEL, "content": [{"type": "text", "text": "Hello"}], "usage": {"input_tokens": 7}}
    result = {"type": "result", "is_error": False, "num_turns": 1, "stop_reason": "end_turn", "total_cost_usd": 0.125}
    said = (line({"type": "assistant", "message": message}), line(result))
    [exchange] = await kept(tmp_path, *said, request=chat())
    assert (exchange.outcome, exchange.cost) == ("end_turn", 0.125)


async def test_it_is_kept_of_whose_key_it_was(tmp_path: Path, autojump_clock: MockClock) -> None:
    make = partial(
        keys.make, randomness=bytes, name="a", scopes=DEFAULT_SCOPES, limits=NO_LIMITS, now=NOW, expires_at=None
    )
    async with keeping(tmp_path, *HELLO) as (server, database):
        key, _ = await database.write(make)
        await server.connections.app.service.keyring.refresh()
        await server.ask(post(chat(), f"Authorization: Bearer {key}"))
        [exchange] = await latest(database)
    assert exchange.key == id_in(key.encode())


async def test_a_failure_is_kept_with_its_status(tmp_path: Path, autojump_clock: MockClock) -> None:
    [exchange] = await kept(tmp_path, api_error(529, "Overloaded"), request=chat())
    assert (exchange.outcome, exchange.model, exchange.usage, exchange.cost) == (
        "529",
        "claude-sonnet-5-5",
        Usage(),
        0.0,
    )


async def test_a_client_that_left_is_kept_with_what_it_had_and_about_what_that_cost(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    said = (start(), text("x" * 400), 1000.0, text("lo"))
    [exchange] = await kept(tmp_path, *said, request=streamed(), stay=10.0)
    assert (exchange.outcome, exchange.duration) == (ABANDONED, 10.0)
    assert exchange.usage == Usage(input_tokens=7, output_tokens=100)
    assert exchange.cost == (7 * 2 + 100 * 10) / 1e6


async def test_a_request_that_was_refused_is_not_kept(tmp_path: Path, autojump_clock: MockClock) -> None:
    assert await kept(tmp_path, request={"model": "sonnet"}) == []


# A database that cannot be written.


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Write to the database as another program, for as long as the block lasts."""
    with closing(sqlite3.connect(path, isolation_level=None)) as another:
        another.execute("BEGIN IMMEDIATE")
        yield
        another.execute("ROLLBACK")


@pytest.mark.parametrize("asked", [chat(), streamed()], ids=["whole", "stream"])
async def test_what_cannot_be_kept_now_is_kept_with_the_next_one_and_is_answered_all_the_same(
    asked: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    autojump_clock: MockClock,
) -> None:
    monkeypatch.setattr(database_room, "BUSY_TIMEOUT", 0.01)
    async with keeping(tmp_path, *HELLO) as (server, database):
        with locked(tmp_path / "cca.db"):
            replies = [await server.ask(post(asked)) for _ in range(2)]
            assert await latest(database) == []
        replies.append(await server.ask(post(asked)))
        found = await latest(database)
    assert [reply.status for reply in replies] == [200] * 3
    assert all(b'"finish_reason":"stop"' in reply.body for reply in replies)
    exchange = evolve(HELLO_EXCHANGE, first_event=0.0, duration=0.0)
    assert found == [evolve(exchange, request_id=reply.headers["x-request-id"]) for reply in reversed(replies)]
    told = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert [message.partition(" ")[0] for message in told] == ["1", "2"]
    assert all("wait to be kept: The database" in message and "is locked" in message for message in told)
