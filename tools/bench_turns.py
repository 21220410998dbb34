"""One request at a time: every way to ask, in turns, so that a slow moment of the machine is everybody's.

A turn that finds a process waiting comes when that process, and whatever was started beside it, has been at rest for a
while: how long a first token takes is measured, not how soon the next request may come.
"""

import os
import statistics
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack

import trio
from attrs import define, evolve, field, frozen

from cca.model import Json
from tools.bench_asks import Answered, Bare, NotAnswered, Times, cold, one_more, running, told
from tools.bench_bodies import Bodies
from tools.bench_machine import at_rest, cpu_seconds
from tools.bench_servers import Subject

REST, LONGEST_REST = 1.3, 8.0
"""Seconds for what was started to start, and to wait untouched: half of one, and one, if nothing else runs."""

AFTERWARDS = 0.1
"""Seconds after an answer that are the server's to do what is left of it, and count as its CPU time."""

ASK_TIMEOUT = 60.0
"""Seconds for one answer; one that takes longer is a fault, not a figure."""

FIRST, CONFIGURED, FOLLOW_UP, TOOLS = "first turn", "configured first turn", "follow-up", "tool follow-up"

BARE_COLD = "Claude Code, started for it"
BARE_WAITING = "Claude Code, waiting"
BARE_WARM = "Claude Code, that has answered"

Way = tuple[str, str]
"""Who is asked, and for what."""


@frozen
class Spread:
    """Milliseconds to the first text and to the end: of ``number`` answers the median, and what 95 % came within.

    ``first_least`` is that of the fastest, which says most of a machine that others use, too.
    ``cpu`` is the mean of the server's own CPU time for one, in milliseconds, where it is to be seen.
    """

    who: str
    what: str
    number: int
    first_median: float
    first_p95: float
    total_median: float
    total_p95: float
    first_least: float
    cpu: float | None = None

    @property
    def times(self) -> tuple[float, ...]:
        return self.first_least, self.first_median, self.first_p95, self.total_median, self.total_p95


@define
class Turns:
    """What was measured of each way to ask, and why one could not be."""

    times: dict[Way, list[Times]] = field(factory=dict, init=False)
    cpu: dict[Way, list[float]] = field(factory=dict, init=False)
    missing: dict[Way, str] = field(factory=dict, init=False)

    def note(self, who: str, what: str, times: Times, cpu: float | None = None) -> None:
        self.times.setdefault((who, what), []).append(times)
        if cpu is not None:
            self.cpu.setdefault((who, what), []).append(cpu)

    @property
    def spreads(self) -> list[Spread]:
        return [evolve(spread(*way, taken), cpu=_mean(self.cpu.get(way, ()))) for way, taken in self.times.items()]

    def cpu_of(self, who: str) -> float | None:
        """Return the mean of a server's CPU time for an answer of any kind, in milliseconds."""
        return _mean([each for way, taken in self.cpu.items() if way[0] == who for each in taken])


@define
class Asked:
    """A server that is asked for whole answers."""

    subject: Subject
    bodies: Bodies

    async def ask(self, body: Json) -> Answered:
        """Return a whole answer. Raise ``NotAnswered``."""
        with trio.move_on_after(ASK_TIMEOUT):
            answered = await self.subject.server.ask(body)
            if not answered.message.get("tool_calls") and not self.bodies.is_whole(answered.message):
                raise NotAnswered(f"{self.subject.name} answered {answered.message!r:.300}")
            return answered
        raise NotAnswered(f"{self.subject.name} did not answer within {ASK_TIMEOUT:.0f} seconds.")


@define
class Rounds:
    """``waiting`` are servers that answer all kinds of turn, ``cold`` is one that starts a process for each."""

    program: str
    environ: Mapping[str, str]
    bodies: Bodies
    cold: Asked
    waiting: Sequence[Asked]
    must: frozenset[str]
    """Names of the servers that must do everything; what another cannot do is left out."""

    async def rest(self) -> None:
        """Let what was started start, here and in the servers, so that it is not a later turn's time."""
        known = (asked.subject.pid for asked in (self.cold, *self.waiting))
        await at_rest([os.getpid(), *(pid for pid in known if pid is not None)], REST, LONGEST_REST)

    async def one(self, turns: Turns) -> None:
        async with AsyncExitStack() as stack:
            plain, configured = [await stack.enter_async_context(running(self.program, self.environ)) for _ in range(2)]
            await self.rest()
            await self._bare(turns, plain, configured)
            for asked in self.waiting:
                await self._first_and_next(turns, asked)
            await plain.settle()
            turns.note(BARE_WARM, FOLLOW_UP, await plain.ask(one_more(self.bodies.wish)))
        for asked in self.waiting:
            await self._timed(turns, asked, CONFIGURED, self.bodies.configured)
            await self._calls(turns, asked)
        for what, body in ((FIRST, self.bodies.plain), (CONFIGURED, self.bodies.configured)):
            if what == FIRST:
                turns.note(BARE_COLD, what, await cold(self.program, self.environ, body()))
            await self._timed(turns, self.cold, what, body)

    async def _bare(self, turns: Turns, plain: Bare, configured: Bare) -> None:
        with trio.fail_after(ASK_TIMEOUT):
            turns.note(BARE_WAITING, FIRST, await plain.ask(told(self.bodies.plain())))
            turns.note(BARE_WAITING, CONFIGURED, await configured.ask(told(self.bodies.configured())))

    async def _first_and_next(self, turns: Turns, asked: Asked) -> None:
        body = self.bodies.plain()
        answered = await self._timed(turns, asked, FIRST, lambda: body)
        await self.rest()
        if answered is not None:
            message = answered.message
            await self._timed(turns, asked, FOLLOW_UP, lambda: self.bodies.going_on(body, message))

    async def _calls(self, turns: Turns, asked: Asked) -> None:
        """Have a tool called, which is not measured, and send its results, which is."""
        await self.rest()
        body = self.bodies.calling()
        called = await self._tried(turns, asked, TOOLS, lambda: body)
        await self.rest()
        if called is not None:
            message = called.message
            await self._timed(turns, asked, TOOLS, lambda: self.bodies.with_results(body, message))

    async def _timed(self, turns: Turns, asked: Asked, what: str, make: Callable[[], Json]) -> Answered | None:
        before = cpu_seconds(asked.subject.pid)
        answered = await self._tried(turns, asked, what, make)
        if answered is not None:
            await trio.sleep(AFTERWARDS)
            cpu = per_answer(before, cpu_seconds(asked.subject.pid), 1)
            turns.note(asked.subject.name, what, answered.times, cpu)
        return answered

    async def _tried(self, turns: Turns, asked: Asked, what: str, make: Callable[[], Json]) -> Answered | None:
        try:
            return await asked.ask(make())
        except (NotAnswered, OSError, trio.BrokenResourceError) as why:
            if asked.subject.name in self.must:
                raise
            turns.missing[asked.subject.name, what] = str(why)
            return None


async def take_turns(rounds: Rounds, number: int) -> Turns:
    """Return what was measured in ``number`` rounds."""
    await rounds.one(Turns())  # the first warms the disk
    turns = Turns()
    for _ in range(number):
        await rounds.one(turns)
    return turns


def per_answer(before: float | None, after: float | None, answers: int) -> float | None:
    """Return the milliseconds of CPU time for each of the ``answers`` between two looks at a process."""
    return None if before is None or after is None or not answers else (after - before) * 1000 / answers


def spread(who: str, what: str, taken: Sequence[Times]) -> Spread:
    first = sorted(each.first * 1000 for each in taken)
    total = sorted(each.total * 1000 for each in taken)
    middle = statistics.median
    return Spread(who, what, len(taken), middle(first), p95(first), middle(total), p95(total), first[0])


def _mean(values: Sequence[float]) -> float | None:
    return statistics.fmean(values) if values else None


def p95(values: Sequence[float]) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * 0.95))]
