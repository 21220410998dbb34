"""R-03. Clients that leave, over TCP and real pipes: at every endpoint, streamed and whole, in every phase."""

import os
import statistics
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping
from itertools import product
from pathlib import Path
from random import Random

import pytest
import trio
from attrs import define, field
from fakes import SECONDS, alive, until
from served_fakes import Base, Served, open_served

from outcomes import WAYS, Way
from survival import Survival

GONE = 1.0
"""Seconds in which the process of a client that left must be gone, of the long runs."""

SETTLED = 2.0
"""Seconds after which nothing may be left of the last one, of those."""

AT_ONCE = 4
PATIENCE = 30.0


@define
class Leaver:
    """A client that asks through one endpoint, and leaves."""

    server: Served
    number: int
    way: Way
    stream: bool
    chance: Random
    connection: trio.SocketStream
    heard: bytes = field(default=b"", init=False)

    @property
    def name(self) -> str:
        return f"client-{self.number}-"

    @property
    def pid(self) -> int | None:
        return self.server.backend.of.get(self.name)

    def asked(self, word: str) -> bytes:
        return self.server.request(self.way.path, self.way.body(f"{self.name} {word}", stream=self.stream))

    async def ask(self, word: str) -> None:
        await self.connection.send_all(self.asked(word))

    async def hear(self, wanted: bytes) -> None:
        while wanted not in self.heard:
            piece = await self.connection.receive_some()
            assert piece, self.heard
            self.heard += piece

    async def dawdle(self, most: float) -> None:
        await trio.sleep(self.chance.random() * most)


async def body(leaver: Leaver) -> None:
    asked = leaver.asked("endless")
    await leaver.connection.send_all(asked[: leaver.chance.randrange(len(asked))])
    await leaver.dawdle(0.005)


async def queued(leaver: Leaver) -> None:
    await leaver.ask("endless")
    await leaver.dawdle(0.02)
    assert leaver.pid is None


async def spawn(leaver: Leaver) -> None:
    await leaver.ask("endless")
    await leaver.dawdle(0.05)


async def before(leaver: Leaver) -> None:
    await leaver.ask("silent")
    await until(lambda: leaver.pid is not None)
    await leaver.dawdle(0.02)


async def mid(leaver: Leaver) -> None:
    await leaver.ask("endless")
    await until(lambda: leaver.pid is not None)
    if leaver.stream:
        await leaver.hear(b"2 ")
    await leaver.dawdle(0.03)


async def last(leaver: Leaver) -> None:
    await leaver.ask("bye")
    await leaver.hear(b"bye")
    await leaver.dawdle(0.005)


PHASES: Mapping[str, Callable[[Leaver], Awaitable[None]]] = {
    phase.__name__: phase for phase in (body, queued, spawn, before, mid, last)
}

CASES = list(product(PHASES, WAYS, (True, False)))


async def counts_on(server: Served, counted: list[int]) -> None:
    """Stay until cancelled, and hold that each piece comes after the one before it."""
    way = WAYS["messages"]
    async with await server.connect() as connection:
        await connection.send_all(server.request(way.path, way.body("stays- endless", stream=True)))
        heard = b""
        async for piece in connection:
            heard += piece
            while (wanted := f'"text":"{len(counted)} "'.encode()) in heard:
                counted.append(len(counted))
                heard = heard.partition(wanted)[2]
        raise AssertionError("its stream has ended")


def is_reaped(pid: int) -> bool:
    """Whether nothing of a process group is left, not even to be waited for."""
    try:
        os.killpg(pid, 0)
    except ProcessLookupError:
        return True
    return False


@define
class Departures:
    """Seconds that processes lived on after their clients, by phase."""

    took: dict[str, list[float]] = field(factory=lambda: defaultdict(list))

    async def of_one(self, roomy: Served, full: Served, number: int) -> None:
        phase, way, stream = CASES[number % len(CASES)]
        server = full if phase == "queued" else roomy
        with trio.fail_after(PATIENCE):
            async with await server.connect() as connection:
                chance = Random(number)  # noqa: S311 - the same on every run
                leaver = Leaver(server, number, WAYS[way], stream, chance, connection)
                await PHASES[phase](leaver)
            left = trio.current_time()
            if leaver.pid is not None and alive(leaver.pid):
                pid = leaver.pid
                await until(lambda: is_reaped(pid))
                self.took[phase].append(trio.current_time() - left)

    @property
    def all(self) -> list[float]:
        return [seconds for each in self.took.values() for seconds in each]


@pytest.mark.parametrize(
    ("number", "gone", "settled"),
    [
        pytest.param(len(CASES), SECONDS, SECONDS, id="each once"),
        pytest.param(1000, GONE, SETTLED, marks=pytest.mark.soak, id="1000"),
        pytest.param(10_000, GONE, SETTLED, marks=pytest.mark.soak, id="10000"),
    ],
)
async def test_a_client_that_leaves_leaves_nothing(
    number: int, gone: float, settled: float, tmp_path: Path, survival: Survival
) -> None:
    async with (
        open_served(tmp_path / "roomy") as roomy,
        open_served(tmp_path / "full", processes=1) as full,
        trio.open_nursery() as staying,
    ):
        counts: list[list[int]] = [[], []]
        for server, counted in zip((roomy, full), counts, strict=True):
            staying.start_soon(counts_on, server, counted)
        await until(lambda: all(counts))
        base, departures, limit = Base.of(roomy, full), Departures(), trio.CapacityLimiter(AT_ONCE)

        async def leave(each: int) -> None:
            async with limit:
                await departures.of_one(roomy, full, each)

        async with trio.open_nursery() as leaving:
            for each in range(number):
                leaving.start_soon(leave, each)
        with trio.move_on_after(settled):
            await until(lambda: Base.of(roomy, full) == base)
        found, before = Base.of(roomy, full), [len(counted) for counted in counts]
        await until(lambda: all(len(counted) > had for counted, had in zip(counts, before, strict=True)))
        staying.cancel_scope.cancel()
    late = [took for took in departures.all if took > gone]
    figure = f"gone after {max(departures.all):.2f} s, half of them after {statistics.median(departures.all):.3f} s"
    survival("R-03", "clients that left", tried=number, lost=len(late), figure=figure)
    assert found == base
    assert not late
    # Of one that was being started nobody knows whose it was to be: the base has it.
    assert {"before", "mid"} <= set(departures.took) <= {"spawn", "before", "mid", "last"}
