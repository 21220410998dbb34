"""What cca costs: the same prompt through the bare Claude Code and through cca, and with and without a session.

    python -m tools.bench [--rounds 20] [--tokens 50] [--only processes|sessions] [--json FILE]

The first two start a process for each prompt, and talk to one scripted model; what a session adds is in
``tools.bench_sessions``. The figures of one run compare with each other, and with nothing else: the machine's speed is
in all of them.
"""

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import orjson
import trio
from attrs import asdict, frozen

from cca.backends.discovery import find_claude
from cca.claude.launch import Directories, launch, offline_environ
from cca.claude.script import script
from cca.model import Conversation, Text, UserTurn
from cca.scripted import open_scripted_model
from tools.bench_sessions import compare_sessions, session_table

ROUND_TIMEOUT = 60.0
"""Seconds for one prompt; one that takes longer is a fault, not a figure."""

SESSION_ROUNDS = 5
"""Rounds of sessions for one of processes: they are quick, and their differences small."""

MODEL = "haiku"

STREAMED_TEXT = b'"text_delta"'
"""What stands in the line of Claude Code's that holds a piece of text."""

HTTP_TEXT = b'"delta":{"content":"'
"""What stands in a chunk of cca's that holds a piece of text; the first chunk's is empty."""


@frozen
class Times:
    """Seconds from asking to the first text, and to the end."""

    first: float
    total: float


@frozen
class Figures:
    """Milliseconds."""

    name: str
    first_median: float
    first_p95: float
    total_median: float
    total_p95: float


Ask = Callable[[str], Awaitable[Times]]


async def bare(program: str, environ: Mapping[str, str], prompt: str) -> Times:
    """Ask the program itself, started as cca starts it, and kill it at the end of its message, as cca does."""
    conversation = Conversation(MODEL, (UserTurn((Text(prompt),)),))
    with tempfile.TemporaryDirectory() as own:
        places = [Path(own, name) for name in ("work", "tmp", "config")]
        for place in places:
            place.mkdir()
        how = launch(program, environ, Directories(*map(str, places)), retries=0)
        started = trio.current_time()
        process = await trio.lowlevel.open_process(
            how.argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=how.cwd, env=how.env
        )
        try:
            assert process.stdin is not None
            assert process.stdout is not None
            await process.stdin.send_all(b"".join(script(conversation)))
            return await _until(process.stdout, started, STREAMED_TEXT, b'"message_delta"')
        finally:
            process.kill()
            with trio.CancelScope(shield=True):  # it was killed, and takes some 20 ms to be gone
                await process.wait()


async def through_cca(port: int, prompt: str) -> Times:
    """Ask cca for a streamed chat completion, on a connection of its own."""
    body = orjson.dumps({"model": MODEL, "stream": True, "messages": [{"role": "user", "content": prompt}]})
    head = (
        f"POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    started = trio.current_time()
    stream = await trio.open_tcp_stream("127.0.0.1", port)
    async with stream:
        await stream.send_all(head.encode() + body)
        return await _until(stream, started, HTTP_TEXT, b"data: [DONE]")


async def _until(stream: trio.abc.ReceiveStream, started: float, text: bytes, end: bytes) -> Times:
    seen = b""
    first: float | None = None
    while end not in seen:
        chunk = await stream.receive_some(65_536)
        if not chunk:
            raise EOFError(f"the answer broke off: {seen[-300:]!r}")
        seen += chunk
        if first is None and _has_text(seen, text):
            first = trio.current_time() - started
    assert first is not None
    return Times(first, trio.current_time() - started)


def _has_text(seen: bytes, text: bytes) -> bool:
    return text in seen.replace(text + b'"', b"")


@asynccontextmanager
async def serving(environ: Mapping[str, str], program: str) -> AsyncIterator[int]:
    """Own a running ``cca serve``, with the real Claude Code; yield its port."""
    command = [sys.executable, "-m", "cca", "serve", "--port", "0", "--claude", program]
    process = await trio.lowlevel.open_process(command, stdout=subprocess.PIPE, env=environ)
    try:
        assert process.stdout is not None
        line = b""
        while b"\n" not in line:
            line += await process.stdout.receive_some()
        yield int(line.rstrip().rpartition(b":")[2])
    finally:
        process.send_signal(signal.SIGTERM)
        with trio.move_on_after(15, shield=True):  # its grace time, and some
            await process.wait()


async def compare(rounds: int, tokens: int) -> list[Figures]:
    """Ask in turns, so that a slow moment of the machine is everybody's."""
    program = find_claude(None, os.environ)
    prompt = f"[[tokens {tokens}]] Say something."
    with tempfile.TemporaryDirectory() as home:
        async with open_scripted_model() as model:
            environ = offline_environ({"PATH": os.environ["PATH"], "HOME": home}, model.base_url)
            async with serving(environ, program) as port:
                asks: Mapping[str, Ask] = {
                    "Claude Code, started for it": partial(bare, program, environ),
                    "cca, a process each": partial(through_cca, port),
                }
                return await _take_turns(asks, prompt, rounds)


async def _take_turns(asks: Mapping[str, Ask], prompt: str, rounds: int) -> list[Figures]:
    times: dict[str, list[Times]] = {name: [] for name in asks}
    for number in range(rounds + 1):
        for name, ask in asks.items():
            with trio.fail_after(ROUND_TIMEOUT):
                taken = await ask(prompt)
            if number:  # the first round warms the disk
                times[name].append(taken)
    return [_figures(name, taken) for name, taken in times.items()]


def _figures(name: str, taken: Sequence[Times]) -> Figures:
    first = sorted(each.first * 1000 for each in taken)
    total = sorted(each.total * 1000 for each in taken)
    return Figures(name, statistics.median(first), _p95(first), statistics.median(total), _p95(total))


def _p95(values: Sequence[float]) -> float:
    return values[min(len(values) - 1, int(len(values) * 0.95))]


def table(figures: Sequence[Figures]) -> str:
    base = figures[0]
    rows = [f"{'ms':30}{'first':>8}{'p95':>8}{'total':>8}{'p95':>8}{'first, against bare':>24}"]
    for each in figures:
        against = f"{each.first_median / base.first_median:.2f} x, {each.first_median - base.first_median:+.0f} ms"
        rows.append(
            f"{each.name:30}{each.first_median:8.0f}{each.first_p95:8.0f}"
            f"{each.total_median:8.0f}{each.total_p95:8.0f}{against:>24}"
        )
    return "\n".join(rows)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--tokens", type=int, default=50)
    parser.add_argument("--only", choices=("processes", "sessions"), help="one of the two comparisons")
    parser.add_argument("--json", type=Path, help="write the figures here, too")
    options = parser.parse_args(arguments)
    figures: dict[str, list[Any]] = {}
    if options.only != "sessions":
        processes = trio.run(compare, options.rounds, options.tokens)
        print(table(processes))
        figures["processes"] = [asdict(each) for each in processes]
    if options.only != "processes":
        sessions = trio.run(compare_sessions, options.rounds * SESSION_ROUNDS)
        print(session_table(sessions))
        figures["sessions"] = [asdict(each) for each in sessions]
    if options.json is not None:
        options.json.write_text(json.dumps(figures, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
