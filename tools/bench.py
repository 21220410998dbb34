"""How fast cca is, beside the bare Claude Code and whoever else is given, in one command and one run.

    python -m tools.bench [--rounds 12] [--seconds 30] [--url NAME=http://...] [--json FILE] [--chart FILE.svg]

Requests one at a time, then many at once, then sessions, then the chunks of streams; ``tools.bench_streams`` has more
of these. One scripted model answers for all, so that it is neither the network nor the model that is measured: what
differs is how a conversation comes to Claude Code and back. The figures of one run compare with each other, and with
nothing else: the machine's speed is in all of them.

A server given with --url is one that is running, and whose Claude Code asks the scripted model that --api names:
``python -m cca.scripted --port 9100``, for ``ANTHROPIC_BASE_URL=http://127.0.0.1:9100``.
"""

import argparse
import json
import os
import sys
import tempfile
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import trio
from attrs import define

from cca.backends.discovery import find_claude
from cca.claude.launch import offline_environ
from tools.bench_asks import MODEL, Server, Times, cold
from tools.bench_bodies import Bodies
from tools.bench_load import Contender, compare_loads
from tools.bench_machine import cpu_seconds, listener, load_average, taken
from tools.bench_report import Report
from tools.bench_servers import Subject, scripted_model, serving
from tools.bench_sessions import compare_sessions
from tools.bench_streams import measure
from tools.bench_targets import CCA, CCA_COLD
from tools.bench_turns import BARE_COLD, Asked, Rounds, take_turns

TOKENS = 50

AT_ONCE = (8, 16)

SESSION_ROUNDS = 5
"""Rounds of sessions for one of turns: they are quick, and their differences small."""

STAYING = 6.0
"""Seconds that a conversation stays in the cca that is measured: no more than the end of them may be waited for."""

GONE = 4.0
"""Seconds after these in which processes end, and others may start that wait."""

START = 2.5
"""Seconds in which the processes start that wait from the beginning."""

PARTS = ("turns", "load", "sessions", "streams")


@define
class Bench:
    """A run: the servers that are measured, and what is known of them so far."""

    program: str
    environ: dict[str, str]
    bodies: Bodies
    cold: Subject
    waiting: list[Subject]
    report: Report
    scripted: int | None

    async def turns(self, number: int) -> None:
        rounds = Rounds(
            self.program,
            self.environ,
            self.bodies,
            Asked(self.cold, self.bodies),
            [Asked(subject, self.bodies) for subject in self.waiting],
            frozenset((CCA, CCA_COLD)),
        )
        self.report.turns = await take_turns(rounds, number)

    async def load(self, at_once: int, seconds: float) -> None:
        contenders = [
            *(Contender(each.name, partial(self._through, each), each.pid) for each in self.waiting),
            Contender(BARE_COLD, self._cold),
        ]
        before = cpu_seconds(self.scripted), cpu_seconds(os.getpid())
        loads = await compare_loads(contenders, at_once, seconds)
        self.report.loads[at_once] = loads
        answers = sum(each.answers for each in loads.values())
        self.report.beside(at_once, answers, before, (cpu_seconds(self.scripted), cpu_seconds(os.getpid())))

    async def _through(self, subject: Subject) -> Times:
        return (await Asked(subject, self.bodies).ask(self.bodies.plain())).times

    async def _cold(self) -> Times:
        return await cold(self.program, self.environ, self.bodies.plain())

    def look(self, when: str) -> None:
        self.report.memory[when] = {each.name: taken(each.pid) for each in (self.cold, *self.waiting)}


@asynccontextmanager
async def prepared(options: argparse.Namespace, report: Report) -> AsyncIterator[Bench]:
    """Own all that the first two parts need."""
    program = find_claude(None, os.environ)
    async with AsyncExitStack() as stack:
        api, scripted = options.api, listener(urlsplit(options.api).port or 80) if options.api else None
        if api is None:
            model = await stack.enter_async_context(scripted_model())
            api, scripted = model.address, model.pid

        def environ(**settings: str) -> dict[str, str]:
            home = stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True))
            return offline_environ({"PATH": os.environ["PATH"], "HOME": home, **settings}, api)

        once = environ(CCA_WAITING="0", CCA_STAYING="0")
        yield Bench(
            program,
            environ(),
            Bodies(TOKENS, uuid.uuid4().hex[:8]),
            await stack.enter_async_context(serving(CCA_COLD, once, program)),
            [
                await stack.enter_async_context(serving(CCA, environ(CCA_STAYING_TIMEOUT=f"{STAYING}"), program)),
                *options.url,
            ],
            report,
            scripted,
        )


async def run(options: argparse.Namespace, report: Report) -> None:
    """Find out what the first two parts are about."""
    async with prepared(options, report) as bench:
        await trio.sleep(START)
        bench.look("idle")
        if "turns" in options.only:
            await bench.turns(options.rounds)
        if "load" in options.only:
            for at_once in options.at_once or AT_ONCE:
                await bench.load(at_once, options.seconds)
        bench.look("at the end")
        await trio.sleep(STAYING + GONE)
        bench.look("later")


def named(given: str) -> Subject:
    """Read ``NAME=http://host:port``; after a # there may be a model, if it does not know cca's."""
    name, equals, address = given.partition("=")
    base, _, model = address.partition("#")
    if not equals or urlsplit(base).scheme != "http":
        raise argparse.ArgumentTypeError(f"{given!r} is not NAME=http://HOST:PORT")
    server = Server(base.rstrip("/").removesuffix("/v1"), model or MODEL)
    return Subject(name, server, listener(urlsplit(base).port or 80))


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.bench", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=12, help="of requests one at a time")
    parser.add_argument("--seconds", type=float, default=30, help="for each of those that are asked many at once")
    parser.add_argument("--at-once", type=int, action="append", help="how many; may be given again (8 and 16)")
    parser.add_argument("--url", type=named, action="append", default=[], metavar="NAME=URL[#MODEL]", help="a server")
    parser.add_argument("--api", help="the address of a scripted model that runs, as such a server's must")
    parser.add_argument("--only", choices=PARTS, action="append", help="one part; may be given again")
    parser.add_argument("--json", type=Path, help="write the figures here, too")
    parser.add_argument("--chart", type=Path, help="draw them here, as SVG")
    options = parser.parse_args(arguments)
    if options.url and not options.api:
        parser.error("--url needs --api: the Claude Code of each server must ask the same scripted model.")
    options.only = options.only or PARTS
    report = Report(load_average())
    if {"turns", "load"}.intersection(options.only):
        trio.run(run, options, report)
    if "sessions" in options.only:
        report.sessions = trio.run(compare_sessions, options.rounds * SESSION_ROUNDS)
    if "streams" in options.only:
        report.streams = measure(options.rounds, "chunks").get("chunks", ())
    print(report.text())
    if options.json is not None:
        options.json.write_text(json.dumps(report.plain(), indent=2) + "\n")
    if options.chart is not None:
        options.chart.write_text(report.chart())
    return 1 if list(report.faults()) else 0


if __name__ == "__main__":
    sys.exit(main())
