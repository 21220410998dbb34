"""What was used, out of the database: in transactions that hold nobody up, and what a limit counts of it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest
import trio
from attrs import define, evolve

from cca.model import Usage
from cca.store import exchanges, usage
from cca.store.database import open_database
from cca.store.exchanges import Exchange, spending
from cca.store.usage import report

T = TypeVar("T")

EXCHANGE = Exchange("req_1", 100.0, "openai_chat", None, "claude-x", "end_turn", 0.5, 1.0, 0.25, Usage())


@define
class Counting:
    """Runs a database's calls, and counts them."""

    calls: int = 0

    async def __call__(self, function: Callable[..., T], *arguments: Any) -> T:
        await trio.lowlevel.checkpoint()
        self.calls += 1
        return function(*arguments)


async def test_no_transaction_sums_up_more_than_a_piece(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A million exchanges would hold the file for seconds, and an answer beside them could not be kept."""
    monkeypatch.setattr(usage, "PIECE", 10)
    rows = [evolve(EXCHANGE, began_at=float(second)) for second in range(100)]
    runner = Counting()
    async with open_database(tmp_path / "cca.db", runner) as database:
        await database.write(lambda connection: exchanges.add(connection, rows))
        runner.calls = 0
        used = await report(database, 0.0, 100.0, ())
    assert used.total is not None
    assert used.total.requests == 100
    # The names of the keys are read once more.
    assert runner.calls == 10 + 1


async def test_what_ended_in_the_time_is_spent_in_it_whenever_it_began(tmp_path: Path) -> None:
    """In the order of the ends, which is that of the spending."""
    began = {10.0: 1.0, 20.0: 100.0, 90.0: 30.0, 100.0: 5.0}
    rows = [evolve(EXCHANGE, began_at=at, duration=duration) for at, duration in began.items()]
    async with open_database(tmp_path / "cca.db") as database:
        await database.write(lambda connection: exchanges.add(connection, rows))
        spent = await database.read(lambda connection: spending(connection, 50.0))
    assert [at for _, at, _ in spent] == [105.0, 120.0, 120.0]
