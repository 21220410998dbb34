"""Exchanges on their way into a database that cannot always be written: none is lost, none is there twice."""

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import pytest
import trio
from attrs import define
from trio.testing import MockClock

from cca.errors import Unavailable
from cca.model import Usage
from cca.store import ledger as ledger_room
from cca.store.database import Database, open_database
from cca.store.exchanges import Exchange, latest
from cca.store.ledger import Ledger

T = TypeVar("T")


@define
class Stubborn:
    """Runs a database's calls, each after ``seconds``, and none of them while it ``refuses``."""

    refuses: bool = False
    seconds: float = 0.0

    async def __call__(self, function: Callable[..., T], *arguments: Any) -> T:
        await trio.sleep(self.seconds)
        if self.refuses:
            raise Unavailable("There is no room.")
        return function(*arguments)


@asynccontextmanager
async def keeping(tmp_path: Path) -> AsyncIterator[tuple[Ledger, Stubborn]]:
    runner = Stubborn()
    async with open_database(tmp_path / "cca.db", runner) as database:
        yield Ledger(database), runner


def exchange(name: str) -> Exchange:
    return Exchange(name, 1.0, "openai_chat", None, "claude-x", "end_turn", 0.5, 1.0, 0.0, Usage())


async def names(database: Database) -> list[str]:
    kept = await database.read(lambda connection: latest(connection, 100))
    return [each.request_id for each in reversed(kept)]


async def keep(ledger: Ledger, *of: str) -> None:
    for name in of:
        await ledger.keep(exchange(name))


async def test_what_could_not_be_written_is_written_with_the_next_one_in_its_order(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with keeping(tmp_path) as (ledger, runner):
        await keep(ledger, "a")
        runner.refuses = True
        await keep(ledger, "b", "c")
        runner.refuses = False
        assert await names(ledger.database) == ["a"]
        await keep(ledger, "d", "e")
        assert await names(ledger.database) == ["a", "b", "c", "d", "e"]
    assert [(each.levelno, each.getMessage()) for each in caplog.records] == [
        (logging.ERROR, "1 exchanges wait to be kept: There is no room."),
        (logging.ERROR, "2 exchanges wait to be kept: There is no room."),
    ]


async def test_past_the_limit_the_oldest_are_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger_room, "PENDING_LIMIT", 3)
    async with keeping(tmp_path) as (ledger, runner):
        runner.refuses = True
        await keep(ledger, "a", "b", "c", "d")
        runner.refuses = False
        await keep(ledger, "e")
        assert await names(ledger.database) == ["c", "d", "e"]


async def test_those_that_come_while_others_are_refused_keep_their_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, autojump_clock: trio.testing.MockClock
) -> None:
    monkeypatch.setattr(ledger_room, "PENDING_LIMIT", 3)
    async with keeping(tmp_path) as (ledger, runner):
        runner.refuses, runner.seconds = True, 1.0
        await keep(ledger, "a", "b")
        async with trio.open_nursery() as nursery:
            for name in ("c", "d"):
                nursery.start_soon(keep, ledger, name)
                await trio.sleep(0.5)
        runner.refuses = False
        await keep(ledger, "e")
        assert await names(ledger.database) == ["c", "d", "e"]


async def test_those_that_wait_for_their_turn_are_written_together(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    async with keeping(tmp_path) as (ledger, runner):
        runner.seconds = 1.0
        began = trio.current_time()
        async with trio.open_nursery() as nursery:
            for name in ("a", "b", "c", "d"):
                nursery.start_soon(keep, ledger, name)
                await trio.testing.wait_all_tasks_blocked()
        assert trio.current_time() - began == pytest.approx(2.0)
        assert await names(ledger.database) == ["a", "b", "c", "d"]


async def test_one_that_is_cancelled_before_its_turn_is_written_with_the_next(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    async with keeping(tmp_path) as (ledger, runner):
        runner.seconds = 10.0
        with trio.move_on_after(1.0) as scope:
            await keep(ledger, "a")
        assert scope.cancelled_caught
        await keep(ledger, "b")
        assert await names(ledger.database) == ["a", "b"]


async def test_where_transactions_take_longer_than_requests_nobody_waits_for_more_than_two(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with keeping(tmp_path) as (ledger, runner):
        runner.seconds = 0.05
        waited: list[float] = []

        async def keep_one(name: str) -> None:
            began = trio.current_time()
            await ledger.keep(exchange(name))
            waited.append(trio.current_time() - began)

        async with trio.open_nursery() as nursery:
            for number in range(500):
                nursery.start_soon(keep_one, str(number))
                await trio.sleep(0.01)
        kept = await ledger.database.read(lambda connection: latest(connection, 1000))
    assert len(waited) == len(kept) == 500
    assert max(waited) <= 2 * runner.seconds + 1e-6
