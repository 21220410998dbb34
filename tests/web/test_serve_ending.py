"""R-07. What is under way when the server is told to end, of every kind: it ends whole, or in an error of its form."""

import os
import signal
from contextlib import suppress
from itertools import product
from typing import Any

import pytest
import trio
from claude_says import start, stop, text
from test_serve import Running, running, seconds_to_end
from wire_harness import Client, FakeBackend, Said, posted

from outcomes import WAYS, Outcome
from survival import Survival

AT_ONCE = 20
GRACE = 2.0
"""Seconds in which half of them end, which takes a tenth of it."""

BEGUN: tuple[Said, ...] = (start(), text("Hel"), *[0.1] * 1000)
"""It does not go on, unless it is told."""

CASES = [(way, stream, ends) for way, stream, ends in product(WAYS.values(), (True, False), (True, False))]
UNDER_WAY = (CASES * 2)[:AT_ONCE]


async def begin(server: Running, path: str, body: Any) -> Client:
    """Send a request, and wait until a process answers it."""
    begun = len(server.backend.processes)
    client = await server.connect()
    await client.send(server.ask(posted(path, body)))
    while len(server.backend.processes) == begun:  # noqa: ASYNC110 - the fake has no event for it
        await trio.sleep(0.005)
    return client


async def end_listening(server: Running) -> None:
    """Tell the server to end, and wait until it lets nobody in."""
    os.kill(os.getpid(), signal.SIGTERM)
    with suppress(OSError):
        while True:
            await server.connect()
            await trio.sleep(0.005)


def wanted(*, stream: bool, ends: bool) -> Outcome:
    """Return how an answer ends: what there was of it is there, where the client has it by then."""
    if ends:
        return Outcome("answered", "Hello")
    return Outcome("failed", "Hel") if stream else Outcome("failed", status=503)


async def test_what_is_under_way_ends_whole_or_in_an_error(survival: Survival) -> None:
    """Of each dialect, streamed and whole; nothing is cut, and nobody new is let in."""
    backend = FakeBackend(BEGUN)
    async with running(backend, grace=GRACE, processes=AT_ONCE) as server:
        clients = [await begin(server, way.path, way.body("Hi", stream=stream)) for way, stream, _ in UNDER_WAY]
        await end_listening(server)
        for process, (_, _, ends) in zip(backend.processes, UNDER_WAY, strict=True):
            if ends:
                process.answer((text("lo"), stop()))
        told: list[Outcome] = []
        for client, (way, stream, _) in zip(clients, UNDER_WAY, strict=True):
            reply = await client.reply()
            told.append(way.outcome(reply.status, reply.body, stream=stream))
        await server.ended.wait()
    hoped = [wanted(stream=stream, ends=ends) for _, stream, ends in UNDER_WAY]
    lost = sum(end != want for end, want in zip(told, hoped, strict=True))
    survival("R-07", "answers of every kind under way at SIGTERM", tried=AT_ONCE, lost=lost)
    assert told == hoped
    assert backend.opened == AT_ONCE


@pytest.mark.soak
async def test_a_second_signal_ends_all_of_it_within_a_second(survival: Survival) -> None:
    """The other tier has it for one answer, without the second."""
    backend = FakeBackend(BEGUN)
    async with running(backend, processes=AT_ONCE) as server:
        for way, stream, _ in UNDER_WAY:
            await begin(server, way.path, way.body("Hi", stream=stream))
        took = await seconds_to_end(server, signal.SIGTERM, signal.SIGTERM)
    survival("R-07", "second signals", tried=1, lost=int(took > 1.0), figure=f"gone after {took:.2f} s")
    assert took < 1.0
