"""With a database, what each request came to is kept: its outcome, its tokens, its times. None of its text.

In real time: a database works in a thread, which a clock that jumps does not wait for.
"""

from pathlib import Path
from typing import Any

import attrs
import pytest
import trio
from claude_says import HELLO, MODEL, api_error, start, text
from wire_harness import Said, chat, post, serving, streamed

from cca.model import Usage
from cca.store import exchanges
from cca.store.database import open_database
from cca.store.exchanges import ABANDONED, Exchange


async def kept(tmp_path: Path, *said: Said, request: Any, stay: float = 20) -> list[Exchange]:
    """Return what was kept of one request, whose client leaves after ``stay`` seconds, or with its answer."""
    async with open_database(tmp_path / "cca.db") as database:
        async with serving(*said, database=database) as server:
            client = await server.connect()
            await client.send(post(request))
            with trio.move_on_after(stay):
                await client.reply()
            await client.leave()
        return await database.write(lambda connection: exchanges.latest(connection, 10))


@pytest.mark.parametrize("asked", [chat(), streamed()], ids=["whole", "stream"])
async def test_an_answer_is_kept(asked: Any, tmp_path: Path) -> None:
    [exchange] = await kept(tmp_path, 0.1, *HELLO, request=asked)
    assert exchange.first_event is not None
    assert 0.1 <= exchange.first_event <= exchange.duration
    assert attrs.evolve(exchange, first_event=None, duration=0) == Exchange(
        request_id="req_id1",
        began_at=1_700_000_000.9,
        dialect="openai_chat",
        model=MODEL,
        outcome="end_turn",
        first_event=None,
        duration=0,
        usage=Usage(input_tokens=7, output_tokens=3),
    )


async def test_a_failure_is_kept_with_its_status(tmp_path: Path) -> None:
    [exchange] = await kept(tmp_path, api_error(529, "Overloaded"), request=chat())
    assert (exchange.outcome, exchange.model) == ("529", "sonnet")


async def test_a_client_that_left_is_kept_with_what_it_had(tmp_path: Path) -> None:
    [exchange] = await kept(tmp_path, start(), text("Hel"), 100.0, text("lo"), request=streamed(), stay=0.3)
    assert (exchange.outcome, exchange.usage.input_tokens) == (ABANDONED, 7)


async def test_a_request_that_was_refused_is_not_kept(tmp_path: Path) -> None:
    assert await kept(tmp_path, request={"model": "sonnet"}) == []
