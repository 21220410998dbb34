"""All that one run has found, as tables, as JSON and as a chart."""

import os
from collections.abc import Iterator, Mapping, Sequence

from attrs import asdict, define, field

from cca.model import Json
from tools.bench_chart import Bar, Bars, chart
from tools.bench_load import Load
from tools.bench_machine import Taken
from tools.bench_sessions import Added, session_table
from tools.bench_streams import Chunks
from tools.bench_targets import (
    BARE_STREAM,
    CCA,
    CCA_COLD,
    CPU,
    IDLE,
    LEFT,
    REPLAYED,
    Key,
    ratio_table,
    reached,
)
from tools.bench_turns import BARE_COLD, BARE_WAITING, BARE_WARM, CONFIGURED, FIRST, FOLLOW_UP, TOOLS, Turns, per_answer

CHARTED = (
    *((who, FIRST) for who in (BARE_COLD, BARE_WAITING)),
    (BARE_WARM, FOLLOW_UP),
    *((CCA, what) for what in (FIRST, CONFIGURED, FOLLOW_UP, TOOLS)),
)

CHARTED_LOAD = 8


@define
class Report:
    """``busy`` is the load average before the run: what others did on this machine while it was measured."""

    busy: float | None = None
    turns: Turns = field(factory=Turns, init=False)
    loads: dict[int, Mapping[str, Load]] = field(factory=dict, init=False)
    memory: dict[str, Mapping[str, Taken | None]] = field(factory=dict, init=False)
    own: dict[int, tuple[float | None, float | None]] = field(factory=dict, init=False)
    """Milliseconds of CPU an answer that the scripted model and this client took under each load."""
    sessions: Sequence[Added] = field(factory=tuple, init=False)
    streams: Sequence[Chunks] = field(factory=tuple, init=False)

    def beside(self, at_once: int, answers: int, before: Sequence[float | None], after: Sequence[float | None]) -> None:
        """Note what the scripted model and the client took while so many answers came."""
        model, client = (per_answer(*both, answers) for both in zip(before, after, strict=True))
        self.own[at_once] = model, client

    def figures(self) -> dict[Key, float | None]:
        """Return each figure by whose and what it is: times are medians, in milliseconds, to the first text."""
        found: dict[Key, float | None] = {(each.who, each.what): each.first_median for each in self.turns.spreads}
        found |= {(each.who, CPU): self.turns.cpu_of(each.who) for each in self.turns.spreads}
        for at_once, loads in self.loads.items():
            found |= {(name, f"answers a second, {at_once} at once"): load.rate for name, load in loads.items()}
        idle, later = (self.memory.get(when, {}) for when in ("idle", "later"))
        for name, now in idle.items():
            after = later.get(name)
            if now is not None and after is not None:
                found |= {(name, IDLE): now.server, (name, LEFT): after.processes - now.processes}
        for row in self.streams:
            if row.name == "openai_chat":
                found |= {(CCA, REPLAYED): row.cca, (BARE_STREAM, REPLAYED): row.bare}
        return found

    def text(self) -> str:
        parts = (
            *(self._machine(), self._turns(), self._loads(), self._memory(), self._sessions(), self._streams()),
            *(self._ratios(), self.faults()),
        )
        return "\n\n".join("\n".join(part) for part in map(list, parts) if part)

    def plain(self) -> Json:
        """Return everything, to be written as JSON."""
        return {
            "cores": os.cpu_count(),
            "busy": self.busy,
            "turns": [asdict(each) for each in self.turns.spreads],
            "missing": [{"who": who, "what": what, "why": why} for (who, what), why in self.turns.missing.items()],
            "loads": {n: {name: asdict(load) for name, load in loads.items()} for n, loads in self.loads.items()},
            "own": self.own,
            "memory": {
                when: {name: None if each is None else asdict(each) for name, each in seen.items()}
                for when, seen in self.memory.items()
            },
            "sessions": [asdict(each) for each in self.sessions],
            "streams": [asdict(each) for each in self.streams],
            "ratios": [
                {**asdict(each.target), "value": each.value, "met": each.met} for each in reached(self.figures())
            ],
        }

    def chart(self) -> str:
        figures = self.figures()
        known = {who for who, _ in CHARTED} | {CCA_COLD}
        peers = [(who, what) for who, what in figures if what in (FIRST, FOLLOW_UP) and who not in known]
        first = [
            Bar(f"{who}: {what}", value, who == CCA)
            for who, what in (*CHARTED, *peers)
            if (value := figures.get((who, what))) is not None
        ]
        loads = self.loads.get(CHARTED_LOAD, {})
        rates = [Bar(name, load.rate, name == CCA) for name, load in loads.items()]
        return chart(
            (
                Bars("Milliseconds to the first token, in the median: shorter is better", tuple(first)),
                Bars(f"Answers a second to {CHARTED_LOAD} clients at once: longer is better", tuple(rates)),
            )
        )

    def faults(self) -> Iterator[str]:
        """Yield what makes the figures worth nothing."""
        for at_once, loads in self.loads.items():
            for name in (CCA, BARE_COLD):
                refused = loads[name].refused if name in loads else 0
                if refused:
                    yield f"{name} refused {refused} requests of {at_once} at once: what it printed says why."

    def _machine(self) -> Iterator[str]:
        cores = os.cpu_count() or 1
        yield f"on {cores} cores, with a load of {_number(self.busy)} from others before the run"

    def _turns(self) -> Iterator[str]:
        if not self.turns.times:
            return
        yield f"{'one at a time: ms':58}{'least':>8}{'first':>8}{'p95':>8}{'whole':>8}{'p95':>8}{'CPU':>8}{'of':>5}"
        for each in self.turns.spreads:
            name, times = f"{each.who}, {each.what}", _row(each.times, 8, 8, 8, 8, 8)
            yield f"{name:58}{times}{_number(each.cpu, 8)}{each.number:5}"
        for (who, what), why in self.turns.missing.items():
            yield f"{who + ', ' + what:58}{'-':>8}  {why:.100}"
        yield "(CPU is the server's own, without Claude Code's)"

    def _loads(self) -> Iterator[str]:
        for at_once, loads in self.loads.items():
            yield (
                f"{f'{at_once} at once':30}{'a second':>9}{'least':>8}{'first':>8}{'p95':>8}{'whole':>8}{'p95':>8}"
                f"{'CPU ms':>8}{'MB':>6}{'in all':>8}{'Claudes':>9}{'refused':>9}"
            )
            for name, load in loads.items():
                spread, most = load.spread, load.most
                times = spread.times if spread is not None else None
                memory = (most.server, most.tree, most.processes) if most is not None else None
                shown = f"{_row(times, 8, 8, 8, 8, 8)}{_number(load.cpu, 8)}{_row(memory, 6, 8, 9)}"
                yield f"{name:30}{load.rate:9.2f}{shown}{load.refused:9}"
            model, client = self.own.get(at_once, (None, None))
            yield f"(an answer takes the scripted model {_number(model)} ms of CPU, and this client {_number(client)})"

    def _memory(self) -> Iterator[str]:
        for when, seen in self.memory.items():
            for name, now in seen.items():
                if now is None:
                    yield f"{when + ', ' + name:40}{'-':>6}"
                    continue
                yield f"{when + ', ' + name:40}{now.server:6.0f} MB, in all {now.tree:.0f}, Claudes {now.processes}"

    def _sessions(self) -> Iterator[str]:
        if self.sessions:
            yield session_table(self.sessions)

    def _streams(self) -> Iterator[str]:
        for row in self.streams:
            yield f"chunks a second in {row.name:22}{row.cca:8.0f}, bare {row.bare:8.0f}: {row.ratio:.2f} x"

    def _ratios(self) -> Iterator[str]:
        rows = list(reached(self.figures()))
        if rows:
            yield ratio_table(rows)


def _row(values: Sequence[float] | None, *widths: int) -> str:
    return "".join(_number(None if values is None else values[at], width, 0) for at, width in enumerate(widths))


def _number(value: float | None, width: int = 0, digits: int = 1) -> str:
    return f"{'-':>{width}}" if value is None else f"{value:{width}.{digits}f}"
