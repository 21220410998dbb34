"""The moment in which an answer is complete, and is being kept: what comes then, and what the client is told."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio
from attrs import define, field
from claude_says import HELLO, api_error, start, stop, text
from trio.testing import MockClock
from wire_harness import Reply, Server, chat, get, post, serving

from cca.estimate import START_TOKENS, TURN_TOKENS
from cca.store.database import Database
from cca.web.sessions import SESSION_HEADER


def asked(session: str, **fields: Any) -> bytes:
    return post(chat(**fields), f"{SESSION_HEADER}: {session}")


@define
class SlowWrites:
    """Writes that take an hour: before they begin, when cancelling still stops them, or after."""

    begun: bool
    waiting: trio.Event = field(factory=trio.Event, init=False)

    def of(self, write: Callable[..., Any]) -> Callable[..., Any]:
        async def slow(database: Database, transaction: Any) -> Any:
            with trio.CancelScope(shield=self.begun):
                self.waiting.set()
                await trio.sleep(3600)
                return await write(database, transaction)

        return slow


@asynccontextmanager
async def keeping(
    monkeypatch: pytest.MonkeyPatch, writes: SlowWrites, **settings: Any
) -> AsyncIterator[tuple[Server, trio.Event]]:
    """Serve, with one request for a session whose answer is just being kept."""
    async with serving(start(), text("Hello"), 1.0, stop(), **settings) as server:
        monkeypatch.setattr(Database, "write", writes.of(Database.write))
        yield server, writes.waiting


async def ended(server: Server, client: Any, waiting: trio.Event, come: Callable[[], None]) -> Reply:
    """Ask for a stream, let an end come while its answer is being kept, and return all of the reply."""
    await client.send(asked("s", stream=True))
    await waiting.wait()
    come()
    reply: Reply = await client.reply()
    return reply


async def kept(server: Server) -> list[str]:
    reply = await server.ask(get("/v1/sessions/s/turns"))
    return [turn["status"] for turn in reply.json["data"]] if reply.status == 200 else []


ENDS: dict[str, Callable[[Server], Callable[[], None]]] = {
    "the server's end": lambda server: server.app.ending.come,
    "the time for an answer": lambda server: lambda: None,
}


@pytest.mark.parametrize("end", ENDS)
async def test_an_answer_that_is_kept_as_complete_is_told_as_that(
    end: str, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What has begun is run to its end, and the client must not be told of an error, and ask again."""
    async with keeping(monkeypatch, SlowWrites(begun=True), answer_timeout=10.0) as (server, waiting):
        if end == "the server's end":
            monkeypatch.setattr("cca.web.answer.LAST_WORD", 4000.0)
        reply = await ended(server, await server.connect(), waiting, ENDS[end](server))
        monkeypatch.undo()
        assert await kept(server) == ["completed", "completed"]
    assert reply.events[-1] == "[DONE]"


@pytest.mark.parametrize("end", ENDS)
async def test_an_answer_of_whose_end_the_client_is_not_told_is_kept_as_incomplete(
    end: str, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with keeping(monkeypatch, SlowWrites(begun=False), answer_timeout=10.0) as (server, waiting):

        def come() -> None:
            # What is kept then is kept at once.
            monkeypatch.undo()
            ENDS[end](server)()

        reply = await ended(server, await server.connect(), waiting, come)
        await trio.sleep(5)
        assert await kept(server) == ["incomplete", "incomplete"]
    assert "error" in reply.events[-1]


async def test_a_client_that_left_before_its_answer_was_kept_has_an_incomplete_one(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with keeping(monkeypatch, SlowWrites(begun=False)) as (server, waiting):
        client = await server.connect()
        await client.send(asked("s", stream=True))
        await waiting.wait()
        monkeypatch.undo()
        await client.leave()
        await trio.sleep(5)
        turns = (await server.ask(get("/v1/sessions/s/turns"))).json["data"]
    assert [turn["status"] for turn in turns] == ["incomplete", "incomplete"]
    assert turns[1]["answer"]["outcome"] == "abandoned"


async def test_what_the_server_ended_is_not_told_as_a_client_that_left(autojump_clock: MockClock) -> None:
    async with serving(start(), text("Hello"), 1000.0) as server:
        client = await server.connect()
        await client.send(asked("s", stream=True))
        await client.head()
        await trio.sleep(10)
        server.app.ending.come()
        reply = await client.reply_body()
        server.app.ending.over = False
        turns = (await server.ask(get("/v1/sessions/s/turns"))).json["data"]
    assert b"cca was stopped" in reply
    assert (turns[1]["status"], turns[1]["answer"]["outcome"]) == ("incomplete", "503")


async def test_the_next_writers_wait_for_each_other_though_one_came_and_went_in_between(
    autojump_clock: MockClock,
) -> None:
    """A has kept its answer and waits for its process to end; B comes, and is refused at once; C and D take turns."""
    async with serving(start(), text("Yes"), 1.0, stop()) as server:
        server.backend.end_seconds = 5.0
        assert (await server.ask(asked("s"))).status == 200
        server.backend.said = (api_error(400),)
        server.backend.end_seconds = 0.0
        assert (await server.ask(asked("s"))).status == 400
        server.backend.said = (start(), text("Yes"), 10.0, stop())
        statuses: list[int] = []

        async def write() -> None:
            statuses.append((await server.ask(asked("s"))).status)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(write)
            await trio.sleep(6)
            nursery.start_soon(write)
        assert statuses == [200, 200]
        assert len(await kept(server)) == 6
        assert server.service.sessions.writing == frozenset()


async def test_without_a_queue_one_writer_is_served_and_the_next_one_told_to_come_later(
    autojump_clock: MockClock,
) -> None:
    async with serving(start(), text("Yes"), 10.0, stop(), session_queue=0) as server:
        client = await server.connect()
        await client.send(asked("s"))
        await trio.sleep(1)
        refused = await server.ask(asked("s"))
        assert (refused.status, refused.error["code"]) == (409, "session_busy")
        assert (await client.reply()).status == 200
        assert server.service.sessions.writing == frozenset()


async def test_a_session_that_has_grown_too_large_is_told_as_that(autojump_clock: MockClock) -> None:
    async with serving(*HELLO, body_limit=20_000) as server:
        statuses = []
        for _ in range(3):
            reply = await server.ask(asked("s", messages=[{"role": "user", "content": "x" * 8000}]))
            statuses.append(reply.status)
        opened = server.backend.opened
    assert statuses == [200, 200, 413]
    assert (reply.error["code"], opened) == ("session_too_large", 2)


async def test_a_client_that_leaves_before_the_answer_begins_is_charged_for_what_it_asked(
    autojump_clock: MockClock,
) -> None:
    async with serving(1000.0, *HELLO) as server:
        client = await server.connect()
        await client.send(asked("s", messages=[{"role": "user", "content": "x" * 4000}]))
        await trio.sleep(10)
        await client.leave()
        await server.backend.all_left.wait()
        await trio.sleep(1)
        [used] = (await server.ask(get("/v1/usage?group_by="))).json["data"]
        listed = (await server.ask(get("/v1/sessions"))).json["data"]
    assert (used["input_tokens"], used["completed"], listed) == (START_TOKENS + TURN_TOKENS + 1000, 0, [])
    assert used["cost_usd"] > 0
