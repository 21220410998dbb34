"""R-20: 32 clients write one session at once. Its history is linear and complete, and is what the model heard."""

import hashlib
import sqlite3
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from contextlib import closing
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import trio
from attrs import define, field
from claude_says import start, stop, text
from wire_harness import FakeBackend, Said, Server, chat, get, post, serving, user

from cca.model import Conversation, Text, Turn
from cca.store.database import open_database
from cca.web.sessions import SESSION_HEADER
from survival import Survival

WRITERS = 32

PATIENCE = 30.0
"""Seconds that a request may take: it waits for 31 others."""


def digest(texts: Iterable[str]) -> str:
    """Return what stands for a whole history: those that the model heard would not fit into memory."""
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()


def said_in(turns: Iterable[Turn]) -> list[str]:
    return [part.text for turn in turns for part in turn.content if isinstance(part, Text)]


@define
class Echo(FakeBackend):
    """Answers at once, by the last thing that was said to it, and notes what it heard."""

    heard: list[tuple[int, str]] = field(factory=list, init=False)

    def says(self, conversation: Conversation) -> Iterable[Said]:
        said = said_in(conversation.turns)
        self.heard.append((len(said), digest(said)))
        return (start(), text(f"to {said[-1]}"), stop())


@define
class Writers:
    """What each client was told is kept, in the order in which it was told."""

    server: Server
    more: Callable[[], bool]
    acknowledged: defaultdict[int, list[str]] = field(factory=lambda: defaultdict(list), init=False)

    async def write(self, writer: int) -> None:
        for number in count():
            if not self.more():
                return
            said = f"{writer} says {number}"
            body = chat(user(said), stream=number % 2 == 0)
            with trio.fail_after(PATIENCE):
                reply = await self.server.ask(post(body, f"{SESSION_HEADER}: s"))
            assert reply.status == 200, reply
            assert f"to {said}".encode() in reply.body
            self.acknowledged[writer].append(said)

    async def run(self) -> float:
        """Write, and return the seconds that it took."""
        began = time.perf_counter()
        async with trio.open_nursery() as nursery:
            for writer in range(WRITERS):
                nursery.start_soon(self.write, writer)
        return time.perf_counter() - began


async def all_turns(server: Server) -> list[Any]:
    turns: list[Any] = []
    more = True
    while more:
        after = f"&after={turns[-1]['position']}" if turns else ""
        page = (await server.ask(get(f"/v1/sessions/s/turns?limit=100{after}"))).json
        turns += page["data"]
        more = page["has_more"]
    return turns


def hold_that_it_is_linear_and_complete(turns: list[Any], writers: Writers, backend: Echo) -> None:
    texts = [turn["content"][0]["text"] for turn in turns]
    asked, answered = texts[::2], texts[1::2]
    assert [turn["position"] for turn in turns] == list(range(len(turns)))
    assert [turn["role"] for turn in turns] == ["user", "assistant"] * (len(turns) // 2)
    assert {turn["status"] for turn in turns} == {"completed"}
    assert len({turn["id"] for turn in turns}) == len(turns)
    assert answered == [f"to {said}" for said in asked]
    for writer, acknowledged in writers.acknowledged.items():
        assert [said for said in asked if said.startswith(f"{writer} says ")] == acknowledged
    assert len(asked) == sum(map(len, writers.acknowledged.values()))
    # What the model heard each time is the beginning of it, one question longer than the time before.
    assert [length for length, _ in backend.heard] == list(range(1, len(turns), 2))
    for length, heard in backend.heard[:: max(1, len(turns) // 500)]:
        assert heard == digest(texts[:length])


async def write_and_check(path: Path, more: Callable[[], bool], survival: Survival) -> None:
    backend = Echo()
    async with open_database(path) as database, serving(backend=backend, database=database) as server:
        writers = Writers(server, more)
        took = await writers.run()
        turns = await all_turns(server)
    told = sum(map(len, writers.acknowledged.values()))
    requests = len(turns) // 2
    figure = f"{requests / took:.0f} a second"
    survival("R-20", f"turns of {WRITERS} writers of one session", tried=told, lost=told - requests, figure=figure)
    hold_that_it_is_linear_and_complete(turns, writers, backend)
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("SELECT count(*) FROM exchange").fetchone() == (len(turns) // 2,)


async def test_32_writers_of_one_session(tmp_path: Path, survival: Survival) -> None:
    left = iter(range(200))
    await write_and_check(tmp_path / "cca.db", lambda: next(left, None) is not None, survival)


@pytest.mark.soak
async def test_32_writers_of_one_session_for_a_minute(tmp_path: Path, survival: Survival) -> None:
    until = time.monotonic() + 60
    await write_and_check(tmp_path / "cca.db", lambda: time.monotonic() < until, survival)
