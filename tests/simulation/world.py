"""A server in memory that lives through a plan, and what must hold of it whatever happened."""

import json
import math
import sqlite3
from collections import deque
from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, closing, suppress
from functools import partial
from pathlib import Path
from random import Random

import trio
from attrs import define, field, frozen
from database_faults import FAULTS
from held import Held
from plan import OWNERS, Plan, Trouble, Visit
from wire_harness import NOW, WAITING, Client, FakeBackend, FakeProcess, Said, Server, inline, posted, serving

from cca.errors import Unavailable
from cca.keys import DEFAULT_SCOPES
from cca.limits.policy import NO_LIMITS
from cca.model import Conversation, Text, Turn, UserTurn
from cca.store import keys
from cca.store.database import Connection, open_database
from cca.store.text import Place
from cca.store.text import get as text_at
from cca.web.sessions import SESSION_HEADER
from outcomes import WAYS, Outcome

ROLES = ("user", "assistant")

AGES = 1e5
"""Seconds after which a client that is still there was forgotten."""

SETTLED = 130.0
"""Seconds after which nothing stays, and all that failed was tried again."""

REFUSALS = frozenset({400, 401, 409, 429, 502, 503, 504, 529})
"""Statuses that an answer may fail with; 500 only where a fault of ours is planned."""


@define
class Programs(FakeBackend):
    """Processes that do as the visits say whose prompts they hear, and start as it is planned."""

    scripts: Mapping[str, tuple[Said, ...]] = field(factory=dict)
    starts: deque[float | None] = field(factory=deque)
    all_started: list[FakeProcess] = field(factory=list)

    def says(self, conversation: Conversation) -> Iterable[Said]:
        assert self.processes[-1].stale_from >= trio.current_time(), "it is of a program that was replaced before"
        [part] = conversation.turns[-1].content
        assert isinstance(part, Text)
        return self.scripts[part.text]

    @asynccontextmanager
    async def start(self, conversation: Conversation | None = None) -> AsyncIterator[FakeProcess]:
        seconds = self.starts.popleft() if self.starts else 0.0
        await trio.sleep(seconds or 0.0)
        if seconds is None:
            raise Unavailable("Claude Code cannot be started: no memory.")
        async with FakeBackend.start(self, conversation) as process:
            self.all_started.append(process)
            yield process

    def replace(self) -> None:
        """Put another program in the place of what these processes are of."""
        for process in self.all_started:
            process.stale_from = min(process.stale_from, trio.current_time())


@frozen
class Kept:
    """A turn of a session."""

    text: str
    status: str


@define
class World:
    """One run. ``seen`` has how each visit ended whose client stayed to its end, and when."""

    plan: Plan
    path: Path
    server: Server
    tokens: Mapping[str, str]
    seen: dict[str, tuple[Outcome, float]] = field(factory=dict)
    revoked: float = math.inf

    async def come(self, visit: Visit) -> None:
        """Ask, and read to the end of the connection, or leave before."""
        await trio.sleep(visit.at)
        client = await self.server.connect(stalling=visit.pace > 0)
        with trio.move_on_after(visit.patience) as patience:
            with suppress(trio.BrokenResourceError):
                await client.send(self._request(visit))
            told = b"".join([piece async for piece in _pieces(client, visit.pace)])
        await client.leave()
        if not patience.cancelled_caught:
            status, body = _read(told)
            way = WAYS[visit.way]
            outcome = way.outcome(status, body, stream=visit.stream) if status else Outcome("cut", status=0)
            self.seen[visit.name] = outcome, trio.current_time()

    def _request(self, visit: Visit) -> bytes:
        way = WAYS[visit.way]
        headers = ["Connection: close"]
        if self.plan.keys:
            headers.append(f"Authorization: Bearer {self.tokens[visit.owner]}")
        if visit.session is not None:
            headers.append(f"{SESSION_HEADER}: {visit.session}")
        return posted(way.path, way.body(visit.name, stream=visit.stream), *headers)

    async def trouble(self, trouble: Trouble) -> None:
        await trio.sleep(trouble.at)
        fault, _ = FAULTS[{"locked": "written by another"}.get(trouble.fault, trouble.fault)]
        with fault(self.server.service.database):
            await trio.sleep(trouble.seconds)

    async def revoke(self, at: float) -> None:
        await trio.sleep(at)
        # Another process does, with a connection of its own; it waits for a lock, too.
        while True:
            try:
                await self.server.service.database.write(
                    lambda connection: keys.revoke(connection, OWNERS[0], NOW + at)
                )
            except Unavailable:
                await trio.sleep(1)
            else:
                self.revoked = trio.current_time()
                return

    async def update(self, at: float) -> None:
        await trio.sleep(at)
        assert isinstance(self.server.backend, Programs)
        self.server.backend.replace()

    async def end(self, at: float) -> None:
        await trio.sleep(at)
        await self.server.connections.end(5.0)
        self.server.connections.cut()

    async def live(self) -> None:
        plan = self.plan
        with trio.fail_after(AGES):
            async with trio.open_nursery() as nursery:
                for visit in plan.visits:
                    nursery.start_soon(self.come, visit)
                for trouble in plan.troubles:
                    nursery.start_soon(self.trouble, trouble)
                for number, seconds in plan.updates:
                    nursery.start_soon(self.update, max(0.0, plan.visits[number].at + seconds))
                if plan.revoked is not None:
                    nursery.start_soon(self.revoke, plan.revoked)
                if plan.ends is not None:
                    nursery.start_soon(self.end, plan.ends)
        await trio.sleep(SETTLED)

    def check(self) -> None:
        """Hold that each visit had one end, and the right one."""
        for visit in self.plan.visits:
            if visit.name not in self.seen:
                assert visit.patience < AGES / 10, f"{visit.name} is still waiting"
                continue
            outcome, at = self.seen[visit.name]
            self._check(visit, outcome, at)

    def _check(self, visit: Visit, outcome: Outcome, at: float) -> None:
        ended = self.plan.ends is not None and at >= self.plan.ends
        assert visit.text.startswith(outcome.text), f"{visit.name} was told what nobody said: {outcome.text!r}"
        match outcome.end:
            case "answered":
                assert outcome.text == visit.text, f"{visit.name} has less than the whole"
                assert not visit.garbled, f"{visit.name} was answered by what cannot be read"
                if visit.owner == OWNERS[0] and not visit.pace and not self.plan.troubles:
                    assert at <= self.revoked + 1, f"{visit.name} was answered though its key was revoked"
            case "cut":
                assert ended, f"{visit.name} was cut off"
            case "failed":
                ours = any(isinstance(each, ValueError) for each in visit.said) or b"500" in b"".join(
                    each for each in visit.said if isinstance(each, bytes)
                )
                assert outcome.status in REFUSALS | ({500} if ours else set()) | {200}, f"{visit.name}: {outcome}"
        if outcome.status == 401 and not _refused(visit):
            assert visit.owner == OWNERS[0]
            assert at >= self.revoked

    def check_history(self) -> None:
        """Hold that what is kept is whole turns, one after the other, and has each answer that a client was told of."""
        with closing(sqlite3.connect(self.path)) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            rows = connection.execute("SELECT session, position, role, status, content, pieces FROM turn ORDER BY 1, 2")
            said: dict[int, list[Kept]] = {}
            for session, position, role, status, first, pieces in rows.fetchall():
                turns = said.setdefault(session, [])
                assert position == len(turns)
                assert role == ROLES[position % 2]
                content = json.loads(text_at(connection, Place(first, pieces)))
                turns.append(Kept("".join(part.get("text", "") for part in content), status))
            counted = dict(connection.execute("SELECT number, turns FROM session").fetchall())
        assert {number: len(turns) for number, turns in said.items()} == {n: c for n, c in counted.items() if c}
        exchanges = [(turns[at].text, turns[at + 1].text) for turns in said.values() for at in range(0, len(turns), 2)]
        answers = dict(exchanges)
        assert len(answers) == len(exchanges), "an exchange was kept twice"
        for visit in self.plan.visits:
            outcome, _ = self.seen.get(visit.name, (None, 0.0))
            assert visit.text.startswith(answers.get(visit.name, "")), f"{visit.name}: what nobody said is kept"
            if visit.session is not None and outcome is not None and outcome.end == "answered":
                assert answers.get(visit.name) == visit.text, f"{visit.name} was told of what is not kept"
        self._check_heard(said.values())

    def _check_heard(self, kept: Collection[Sequence[Kept]]) -> None:
        """Hold that each process heard what its session had before, in order, and each turn of it once."""
        for conversation in self.server.backend.conversations:
            assert [role_of(turn) for turn in conversation.turns] == [*ROLES * 100][: len(conversation.turns)]
            *before, asked = [text_of(turn) for turn in conversation.turns]
            histories = _before(asked, kept)
            assert before in histories, f"{asked} heard {before}, and not one of {histories}"


def _before(asked: str, kept: Collection[Sequence[Kept]]) -> list[list[str]]:
    """Return what a process may have heard before it was ``asked``, exactly that where this is kept."""
    for turns in kept:
        texts = [turn.text for turn in turns]
        if asked in texts:
            return [_told(turns[: texts.index(asked)])]
    return [_told(turns[:length]) for turns in (*kept, []) for length in range(0, len(turns) + 1, 2)]


def _told(turns: Sequence[Kept]) -> list[str]:
    """Return what its client knows of, and goes on from."""
    return [turn.text for turn in turns if turn.status != "undelivered"]


def role_of(turn: Turn) -> str:
    return "user" if isinstance(turn, UserTurn) else "assistant"


def text_of(turn: Turn) -> str:
    return "".join(part.text for part in turn.content if isinstance(part, Text))


def _refused(visit: Visit) -> bool:
    return any(isinstance(each, bytes) and b"api_error_status" in each for each in visit.said)


async def _pieces(client: Client, pace: float) -> AsyncIterator[bytes]:
    with suppress(trio.BrokenResourceError):
        async for piece in client.stream:
            yield bytes(piece)
            await trio.sleep(pace)


def _read(told: bytes) -> tuple[int, bytes]:
    """Return the status and the body of one response, as far as it came; no status, if not even its head did."""
    head, parted, rest = told.partition(b"\r\n\r\n")
    if not parted:
        return 0, b""
    status = int(head.split()[1])
    if b"chunked" not in head.lower():
        return status, rest
    body = b""
    while rest:
        size, _, rest = rest.partition(b"\r\n")
        body, rest = body + rest[: int(size or b"0", 16)], rest[int(size or b"0", 16) + 2 :]
    return status, body


def _make_keys(connection: Connection, seed: int) -> Mapping[str, str]:
    randomness = Random(seed).randbytes  # noqa: S311 - to be drawn again
    return {name: keys.make(connection, randomness, name, DEFAULT_SCOPES, NO_LIMITS, NOW)[0] for name in OWNERS}


async def live_through(plan: Plan, directory: Path) -> None:
    """Live through ``plan``. Raise ``AssertionError`` for what must not be."""
    scripts = {visit.name: visit.said for visit in plan.visits}
    backend = Programs(scripts=scripts)
    path = directory / f"{plan.seed}.db"

    def now() -> float:
        time = trio.current_time()
        return NOW + time + sum(far for at, far in plan.jumps if at <= time)

    async with open_database(path, inline) as database:
        tokens = await database.write(partial(_make_keys, seed=plan.seed)) if plan.keys else {}
        async with serving(backend=backend, database=database, now=now, pooled=plan.pooled, **plan.settings) as server:
            await server.service.recall()
            if plan.keys:
                server.nursery.start_soon(server.service.keyring.watch, server.app.ending.come_to)
            await trio.sleep(5)
            base = Held.of(server)
            backend.starts.extend(plan.starts)
            world = World(plan, path, server, tokens)
            await world.live()
            world.check()
            assert backend.alive == (WAITING if plan.pooled else 0)
            found = Held.of(server)
            assert found == base, f"{found} is not as before, {base}"
        world.check_history()
