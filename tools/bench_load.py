"""Many at once: as many loops as one likes, each asking a new conversation as soon as its last was answered.

The contenders take turns, in slices, on the same machine: cca, as many loops that start the bare Claude Code for each
conversation, and whoever else is given.
"""

from collections.abc import Awaitable, Callable, Iterator, Sequence

import trio
from attrs import define, field, frozen

from tools.bench_asks import NotAnswered, Times
from tools.bench_machine import Peak, Taken, cpu_seconds, watched
from tools.bench_turns import Spread, per_answer, spread

SLICE = 15.0
"""Seconds at most in which one has the machine, before it is the next one's turn."""

ASK_TIMEOUT = 60.0
"""Seconds for an answer, after which it counts as refused."""

AFTER_REFUSAL = 0.2
"""Seconds before a loop that was refused asks again: a server that refuses at once is not to be asked at that rate."""

REST = 2.5
"""Seconds between two turns, for what a server starts or ends after its last answer."""


@frozen
class Contender:
    """``ask`` asks a conversation of its own, and raises ``NotAnswered``; ``pid`` is its server's, if it has one."""

    name: str
    ask: Callable[[], Awaitable[Times]]
    pid: int | None = None


@frozen
class Load:
    """What ``at_once`` loops came to. CPU time is the server's, in ms an answer; ``most`` is what it took of memory."""

    at_once: int
    spread: Spread | None
    rate: float
    refused: int
    cpu: float | None
    most: Taken | None

    @property
    def answers(self) -> int:
        return 0 if self.spread is None else self.spread.number


@define
class Tally:
    """One contender's answers so far, over all of its turns."""

    contender: Contender
    times: list[Times] = field(factory=list, init=False)
    seconds: float = field(default=0.0, init=False)
    refused: int = field(default=0, init=False)
    cpu: float | None = field(default=0.0, init=False)
    peak: Peak = field(factory=Peak, init=False)

    async def turn(self, at_once: int, seconds: float) -> None:
        """Let the loops ask for ``seconds``. The time of what they are in the midst of then counts, too."""
        before = cpu_seconds(self.contender.pid)
        started = trio.current_time()
        async with watched(self.contender.pid) as peak, trio.open_nursery() as nursery:
            for _ in range(at_once):
                nursery.start_soon(self._loop, started + seconds)
        self.seconds += trio.current_time() - started
        after = cpu_seconds(self.contender.pid)
        self.cpu = None if self.cpu is None or before is None or after is None else self.cpu + after - before
        self.peak.see(peak.most)

    async def _loop(self, until: float) -> None:
        while trio.current_time() < until:
            with trio.move_on_after(ASK_TIMEOUT) as patience:
                try:
                    self.times.append(await self.contender.ask())
                except (NotAnswered, OSError, trio.BrokenResourceError):
                    self.refused += 1
                    await trio.sleep(AFTER_REFUSAL)
            self.refused += patience.cancelled_caught

    def load(self, at_once: int) -> Load:
        what = f"{at_once} at once"
        return Load(
            at_once,
            spread(self.contender.name, what, self.times) if self.times else None,
            len(self.times) / self.seconds,
            self.refused,
            per_answer(0.0, self.cpu, len(self.times)),
            self.peak.most,
        )


async def compare_loads(contenders: Sequence[Contender], at_once: int, seconds: float) -> dict[str, Load]:
    """Return what each of the contenders came to, by their names, in ``seconds`` for each."""
    tallies = [Tally(contender) for contender in contenders]
    for length in slices(seconds):
        for tally in tallies:
            await tally.turn(at_once, length)
            await trio.sleep(REST)
    return {tally.contender.name: tally.load(at_once) for tally in tallies}


def slices(seconds: float) -> Iterator[float]:
    """Yield equal lengths, none over ``SLICE``, that add up to ``seconds``."""
    number = -(-int(seconds) // int(SLICE)) or 1
    yield from (seconds / number for _ in range(number))
