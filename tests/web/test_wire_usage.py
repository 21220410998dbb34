"""What was used, over HTTP: tokens and cost of each request, by day, key and model, for whom it may concern."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import pytest
from attrs import define
from claude_says import HELLO, MODEL, api_error, start, stop, text, thinking
from trio.testing import MockClock, wait_all_tasks_blocked
from wire_harness import FakeBackend, Reply, Server, chat, get, post, serving, streamed

from cca.backends import Exit
from cca.errors import Unavailable
from cca.keys import DEFAULT_SCOPES, id_in
from cca.limits.policy import NO_LIMITS, Limits
from cca.store import keys

DAY = 86_400.0
NOON = 1_700_049_600.0
"""Of the 15th of November 2023, in UTC."""

OPUS = "claude-opus-5-5"

FIXTURES = Path(__file__).parents[2] / "fixtures" / "2.1.330"


@define
class Desk:
    server: Server
    now: float = NOON

    async def key(self, name: str, scopes: frozenset[str] = DEFAULT_SCOPES) -> str:
        make = partial(
            keys.make,
            randomness=Random(name).randbytes,  # noqa: S311 - the same in every run
            name=name,
            scopes=scopes,
            limits=NO_LIMITS,
            now=self.now,
        )
        made, _ = await self.server.service.database.write(make)
        await self.server.service.keyring.refresh()
        return made

    async def ask(self, *said: Any, key: str | None = None, body: Any = None) -> Reply:
        """Ask, for an answer that is ``said``."""
        self.server.backend.said = said or HELLO
        return await self.server.ask(post(body or chat(), *_bearer(key)))

    async def usage(self, query: str = "", key: str | None = None) -> Any:
        reply = await self.server.ask(get(f"/v1/usage{query}", *_bearer(key)))
        assert reply.status == 200, reply
        return reply.json

    async def total(self, key: str | None = None) -> Any:
        """Return the sums of all."""
        [row] = (await self.usage("?group_by=", key))["data"]
        return row


def _bearer(key: str | None) -> list[str]:
    return [] if key is None else [f"Authorization: Bearer {key}"]


@asynccontextmanager
async def desk(**settings: Any) -> AsyncIterator[Desk]:
    async with serving(now=lambda: opened.now, **settings) as server:
        opened = Desk(server)
        yield opened


def sums(row: Any, *names: str) -> tuple[Any, ...]:
    return tuple(row[name] for name in names)


def answer_of(model: str) -> tuple[bytes, ...]:
    return tuple(line.replace(MODEL.encode(), model.encode()) for line in HELLO)


# What is summed up, and how


async def test_nothing_was_used_of_a_new_server(autojump_clock: MockClock) -> None:
    async with desk() as at:
        assert await at.usage() == {
            "object": "usage",
            "start": "2023-10-17",
            "end": "2023-11-16",
            "group_by": ["day"],
            "data": [],
        }
        assert (await at.usage("?group_by="))["data"] == []


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_each_kind_of_token_is_apart(
    stream: bool,  # noqa: FBT001
    autojump_clock: MockClock,
) -> None:
    """Reasoning is part of what came out; what the cache had is no part of what went in."""
    began = start(input_tokens=100, cache_read_input_tokens=2000, cache_creation_input_tokens=300)
    ended = stop(output_tokens=50, output_tokens_details={"thinking_tokens": 40})
    async with desk() as at:
        for _ in range(2):
            await at.ask(began, thinking("Hm."), 2.5, text("Yes"), ended, body=chat(stream=stream))
        [row] = (await at.usage())["data"]
    cost = (100 * 2 + 2000 * 0.1 + 300 * 2.5 + 50 * 10) / 1e6
    assert row.pop("cost_usd") == pytest.approx(2 * cost)
    assert row == {
        "day": "2023-11-15",
        "requests": 2,
        "completed": 2,
        "input_tokens": 200,
        "output_tokens": 100,
        "cache_read_tokens": 4000,
        "cache_write_tokens": 600,
        "reasoning_tokens": 80,
        "first_event": 0.0,
        "duration": 2.5,
    }


async def three_days_of_two_keys_and_models(at: Desk) -> tuple[str, str, str]:
    admin = await at.key("admin", frozenset(("admin",)))
    one, two = await at.key("one"), await at.key("two")
    await at.ask(key=one)
    at.now += DAY
    await at.ask(*answer_of(OPUS), key=one)
    await at.ask(key=two)
    at.now += DAY
    await at.ask(key=two)
    await at.ask(key=two)
    return admin, one, two


GROUPED: dict[str, tuple[str, list[str], list[tuple[Any, ...]]]] = {
    "by default": ("", ["day"], [("2023-11-15", 1), ("2023-11-16", 2), ("2023-11-17", 2)]),
    "day": ("?group_by=day", ["day"], [("2023-11-15", 1), ("2023-11-16", 2), ("2023-11-17", 2)]),
    "model": ("?group_by=model", ["model"], [(OPUS, 1), (MODEL, 4)]),
    "key": ("?group_by=key", ["key", "key_name"], [("one", 2), ("two", 3)]),
    "day and model": (
        "?group_by=day,model",
        ["day", "model"],
        [
            ("2023-11-15", MODEL, 1),
            ("2023-11-16", OPUS, 1),
            ("2023-11-16", MODEL, 1),
            ("2023-11-17", MODEL, 2),
        ],
    ),
    "all three, in an order of ours": (
        "?group_by=model,key,day",
        ["day", "key", "key_name", "model"],
        [
            ("2023-11-15", "one", MODEL, 1),
            ("2023-11-16", "one", OPUS, 1),
            ("2023-11-16", "two", MODEL, 1),
            ("2023-11-17", "two", MODEL, 2),
        ],
    ),
    "none": ("?group_by=", [], [(5,)]),
}


@pytest.mark.parametrize(("query", "columns", "rows"), GROUPED.values(), ids=GROUPED)
async def test_what_was_used_is_grouped(
    query: str, columns: list[str], rows: list[tuple[Any, ...]], autojump_clock: MockClock
) -> None:
    async with desk() as at:
        admin, *others = await three_days_of_two_keys_and_models(at)
        found = (await at.usage(query, admin))["data"]
    names = {id_in(key.encode()): name for key, name in zip(others, ("one", "two"), strict=True)}
    counted = [*columns, "requests"]
    assert all(list(row)[: len(columns)] == columns for row in found)
    assert all(names[row["key"]] == row["key_name"] for row in found if "key" in columns)
    shown = [name for name in counted if name != "key"]
    # Keys are in the order of their ids, which are random.
    assert sorted(sums(row, *shown) for row in found) == sorted(rows)
    assert "key" in columns or [sums(row, *shown) for row in found] == rows


SPANS: dict[str, tuple[str, list[str]]] = {
    "from a day on": ("?start=2023-11-16", ["2023-11-16", "2023-11-17"]),
    "before a day": ("?end=2023-11-17", ["2023-11-15", "2023-11-16"]),
    "one day": ("?start=2023-11-16&end=2023-11-17", ["2023-11-16"]),
    "a day of which nothing is": ("?start=2023-11-18&end=2023-11-19", []),
    "thirty days before the end": ("?end=2023-12-15", ["2023-11-15", "2023-11-16", "2023-11-17"]),
    "and no more": ("?end=2023-12-16", ["2023-11-16", "2023-11-17"]),
    "since ever": ("?start=1970-01-01", ["2023-11-15", "2023-11-16", "2023-11-17"]),
    "to the last day there is": ("?start=2023-11-17&end=9999-12-31", ["2023-11-17"]),
    "the first days of the epoch": ("?end=1970-01-02", []),
}


@pytest.mark.parametrize(("query", "days"), SPANS.values(), ids=SPANS)
async def test_what_was_used_in_some_days(query: str, days: list[str], autojump_clock: MockClock) -> None:
    async with desk() as at:
        admin, *_ = await three_days_of_two_keys_and_models(at)
        assert [row["day"] for row in (await at.usage(query, admin))["data"]] == days


async def test_a_day_is_from_midnight_to_midnight_utc(autojump_clock: MockClock) -> None:
    midnight = NOON + DAY / 2
    async with desk() as at:
        for at.now in (midnight - DAY, midnight - 0.0001, midnight):
            await at.ask()
        found = (await at.usage())["data"]
        [row] = (await at.usage("?end=2023-11-16&group_by="))["data"]
    assert [sums(each, "day", "requests") for each in found] == [("2023-11-15", 2), ("2023-11-16", 1)]
    assert row["requests"] == 2


BAD: dict[str, tuple[str, str]] = {
    "a day that is none": ("start=today", "start"),
    "a day that no month has": ("start=2023-02-30", "start"),
    "a time": ("end=2023-11-15T00:00:00Z", "end"),
    "digits of others": ("end=%EF%BC%92023-11-15", "end"),
    "an empty day": ("end=", "end"),
    "a year before all": ("end=0001-01-01", "end"),
    "a number": ("start=1700000000", "start"),
    "an unknown group": ("group_by=owner", "group_by"),
    "a group too many": ("group_by=day,colour", "group_by"),
    "the end before the start": ("start=2023-11-16&end=2023-11-15", "start"),
    "no day between them": ("start=2023-11-15&end=2023-11-15", "start"),
    "a start of the future": ("start=2023-11-17", "start"),
}


@pytest.mark.parametrize(("query", "param"), BAD.values(), ids=BAD)
async def test_what_cannot_be_asked_is_refused_by_its_name(query: str, param: str, autojump_clock: MockClock) -> None:
    async with desk() as at:
        reply = await at.server.ask(get(f"/v1/usage?{query}"))
    assert (reply.status, reply.error["param"], reply.error["code"]) == (400, param, "invalid_value")


# Whose it is


async def test_a_key_sees_its_own_and_an_admin_everybodys(autojump_clock: MockClock) -> None:
    async with desk() as at:
        admin, one, two = await three_days_of_two_keys_and_models(at)
        assert [(await at.total(key))["requests"] for key in (admin, one, two)] == [5, 2, 3]
        assert [row["key_name"] for row in (await at.usage("?group_by=key", one))["data"]] == ["one"]


async def test_without_keys_everybody_sees_all_and_later_only_an_admin_does(autojump_clock: MockClock) -> None:
    async with desk() as at:
        await at.ask()
        assert [sums(row, "key", "key_name", "requests") for row in (await at.usage("?group_by=key"))["data"]] == [
            (None, None, 1)
        ]
        one, admin = await at.key("one"), await at.key("admin", frozenset(("admin",)))
        assert (await at.usage("?group_by=", one))["data"] == []
        assert (await at.total(admin))["requests"] == 1


async def test_what_a_revoked_key_used_is_still_shown_with_its_name(autojump_clock: MockClock) -> None:
    async with desk() as at:
        admin, one, _ = await three_days_of_two_keys_and_models(at)
        await at.server.service.database.write(lambda connection: keys.revoke(connection, "one", at.now))
        await at.server.service.keyring.refresh()
        assert (await at.ask(key=one)).status == 401
        found = (await at.usage("?group_by=key", admin))["data"]
    assert {row["key_name"]: row["requests"] for row in found} == {"one": 2, "two": 3}


async def test_a_key_needs_the_scope(autojump_clock: MockClock) -> None:
    async with desk() as at:
        key = await at.key("chatting", frozenset(("chat",)))
        assert (await at.server.ask(get("/v1/usage", *_bearer(key)))).status == 403


# What counts


ENDS: dict[str, tuple[tuple[Any, ...], Exception | None, str, str, int, int]] = {
    # what Claude Code says, its fault; then the outcome, the model, the tokens in, and out
    "an error of the API before it began": ((api_error(529),), None, "529", "claude-sonnet-5-5", 0, 0),
    "an end in the middle": ((start(), text("x" * 400), Exit(1)), None, "502", MODEL, 7, 100),
    "silence in the middle": ((start(), text("x" * 400)), None, "504", MODEL, 7, 100),
    "silence": ((), None, "504", "claude-sonnet-5-5", 0, 0),
    "no Claude Code": ((), Unavailable("There is none."), "503", "claude-sonnet-5-5", 0, 0),
    "a fault of ours": ((), RuntimeError(), "500", "claude-sonnet-5-5", 0, 0),
}


@pytest.mark.parametrize(("said", "fault", "outcome", "model", "came_in", "came_out"), ENDS.values(), ids=ENDS)
async def test_an_answer_that_failed_counts_with_what_it_had(
    said: tuple[Any, ...],
    fault: Exception | None,
    outcome: str,
    model: str,
    came_in: int,
    came_out: int,
    autojump_clock: MockClock,
) -> None:
    """A failure is kept as what it is: only who left has abandoned an answer."""
    async with desk(backend=FakeBackend(said, fault=fault)) as at:
        assert (await at.server.ask(post(chat()))).status >= 500
        [row] = (await at.usage("?group_by=model"))["data"]
        kept = await at.server.service.database.read(
            lambda connection: connection.execute("SELECT outcome FROM exchange").fetchall()
        )
    assert kept == [(outcome,)]
    names = ("model", "requests", "completed", "input_tokens", "output_tokens")
    assert sums(row, *names) == (model, 1, 0, came_in, came_out)


async def test_an_answer_that_was_left_counts_with_what_had_come(autojump_clock: MockClock) -> None:
    async with desk(backend=FakeBackend((start(), text("x" * 400), 100.0, stop()))) as at:
        client = await at.server.connect()
        await client.send(post(streamed()))
        await client.head()
        await client.leave()
        await at.server.backend.all_left.wait()
        await wait_all_tasks_blocked()
        row = await at.total()
    assert sums(row, "requests", "completed", "input_tokens", "output_tokens") == (1, 0, 7, 100)
    assert row["cost_usd"] == pytest.approx((7 * 2 + 100 * 10) / 1e6)


async def test_what_was_refused_counts_nowhere(autojump_clock: MockClock) -> None:
    async with desk(backend=FakeBackend(HELLO), limits=Limits(rpm=1)) as at:
        statuses = [(await at.ask(body=body)).status for body in (b"{", chat(model="unheard-of"), chat(), chat())]
        row = await at.total()
    assert statuses == [400, 404, 200, 429]
    assert row["requests"] == 1


async def test_requests_of_sessions_count_once(autojump_clock: MockClock) -> None:
    async with desk(backend=FakeBackend(HELLO)) as at:
        for _ in range(3):
            await at.server.ask(post(chat(), "x-session-id: s"))
        await at.ask()
        assert sums(await at.total(), "requests", "completed", "input_tokens") == (4, 4, 28)


def recorded(name: str) -> tuple[bytes, ...]:
    """Return what the real Claude Code printed."""
    rows = [json.loads(line) for line in (FIXTURES / f"{name}.ndjson").read_bytes().splitlines()]
    return tuple(json.dumps(row["read"]).encode() + b"\n" for row in rows if "read" in row)


async def test_a_cost_is_what_claude_code_said_and_else_by_the_table(autojump_clock: MockClock) -> None:
    """The first answer has a result of Claude Code's, which counts a try that failed, too."""
    async with desk(prices=("claude-haiku-5-5*=1000/1000/0/0", "*=0/0/0/0")) as at:
        await at.ask(*recorded("broken_before_text"))
        said = await at.total()
        await at.ask(*recorded("plain"))
        both = await at.total()
    assert said["cost_usd"] == pytest.approx(3.4e-6)
    tokens = [both[name] - said[name] for name in ("input_tokens", "output_tokens")]
    assert both["cost_usd"] - said["cost_usd"] == pytest.approx(sum(tokens) * 1000 / 1e6)
    assert sum(tokens) > 0


async def test_a_model_of_no_price_costs_nothing(autojump_clock: MockClock) -> None:
    async with desk(prices=("gpt*=1/1/1/1",)) as at:
        await at.ask()
        assert sums(await at.total(), "requests", "cost_usd") == (1, 0.0)


async def test_a_database_that_cannot_be_read_is_a_503(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with desk() as at:
        path = at.server.service.database.path
        path.rename(tmp_path / "away.db")
        gone = await at.server.ask(get("/v1/usage"))
        (tmp_path / "away.db").rename(path)
        back = await at.server.ask(get("/v1/usage"))
    assert (gone.status, gone.error["type"], back.status) == (503, "server_error", 200)
    assert "is gone" in gone.error["message"]
