"""What ends processes that wait, are taken, or stay: signals, clients that leave, deadlines, a new program or login."""

import json
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio
from live_cli import CREDENTIALS, asked, program
from live_inside import PROGRAM, Inside, open_inside, until
from live_server import Server, alive, children, serving, within

from cca.model import Json

pytestmark = pytest.mark.live

PATIENCE = 60.0
"""Seconds for what takes a few: a busy machine starts a process in three."""

ENDLESS = "[[silent after 2]] one two three"
SILENT = "[[silent]] never"
HELLO: Json = {"role": "user", "content": "hello"}


def body(*messages: Json, **fields: Json) -> Json:
    return {"model": "haiku", "messages": list(messages), **fields}


def user(text: str) -> Json:
    return {"role": "user", "content": text}


async def ask(server: Inside, *messages: Json, **fields: Json) -> tuple[int, Json]:
    """Return the status of an answer, and its text or its error."""
    head, _, content = (await server.chat(body(*messages, **fields))).partition(b"\r\n\r\n")
    told = json.loads(content)
    return int(head.split()[1]), told["error"] if "error" in told else told["choices"][0]["message"]["content"]


@asynccontextmanager
async def open_settled(**given: Any) -> AsyncIterator[Inside]:
    """Own a server whose processes wait already. Nothing in here may take long."""
    with trio.fail_after(PATIENCE):
        async with open_inside(**{"waiting": 1, "staying": 4, **given}) as server:
            await until(lambda: server.pool.ready == server.pool.waiting)
            yield server


async def settled(server: Inside) -> None:
    """Wait until there is nothing but what waits and what stays, and of each as much as is counted."""
    await until(lambda: server.pool.ready == server.pool.waiting)
    await until(lambda: server.pool.alive == server.pool.ready + server.service.staying.number)
    await until(lambda: len(server.processes) == server.pool.alive)
    await until(lambda: server.model.open_streams == 0)


def has_ended(pid: int) -> bool:
    """Whether a child has ended with all its threads: from then on its parent can know."""
    try:
        return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    except ChildProcessError:
        return True


async def test_a_waiting_process_that_was_killed_is_given_to_nobody() -> None:
    async with open_settled() as server:
        [killed] = server.processes
        os.kill(killed, signal.SIGKILL)
        await until(lambda: has_ended(killed))
        assert server.pool.ready == 1, "nobody has looked"
        assert await ask(server, HELLO) == (200, "hello")
        await settled(server)


async def test_a_waiting_process_that_was_killed_is_replaced_though_nobody_asks() -> None:
    async with open_settled() as server:
        [killed] = server.processes
        os.kill(killed, signal.SIGKILL)
        await until(lambda: len(server.processes - {killed}) == 1)
        await settled(server)
        assert await ask(server, HELLO) == (200, "hello")


@pytest.mark.parametrize("text", [SILENT, ENDLESS], ids=["before its first token", "in its answer"])
async def test_a_taken_process_that_was_killed_is_an_error_and_the_next_answers(text: str) -> None:
    async with open_settled() as server, trio.open_nursery() as nursery:
        told: list[tuple[int, Json]] = []

        async def asking() -> None:
            told.append(await ask(server, user(text)))

        nursery.start_soon(asking)
        await until(lambda: server.model.open_streams == 1)
        [taken] = server.backend.pids
        os.kill(taken, signal.SIGKILL)
        await until(lambda: len(told) == 1)
        [(status, error)] = told
        assert status == 502
        assert "signal 9" in error["message"]
        await settled(server)
        assert await ask(server, HELLO) == (200, "hello")


async def test_a_process_that_stayed_and_was_killed_is_not_found_and_a_fresh_one_goes_on() -> None:
    async with open_settled() as server:
        await ask(server, HELLO)
        [stayed] = server.backend.pids
        os.kill(stayed, signal.SIGKILL)
        await until(lambda: has_ended(stayed))
        follow = [HELLO, {"role": "assistant", "content": "hello"}, user("and more")]
        assert await ask(server, *follow) == (200, "and more")
        assert server.backend.opened == 2
        await settled(server)
        assert server.service.staying.number == 1


async def queued(server: Inside, stream: trio.SocketStream) -> None:
    """Ask, and be one too many."""
    await until(lambda: server.pool.alive == 1)
    await stream.send_all(server.request(body(HELLO)))
    await trio.sleep(0.1)


async def started(server: Inside, stream: trio.SocketStream) -> None:
    await stream.send_all(server.request(body(HELLO)))
    await until(lambda: server.pool.alive > server.pool.ready)


async def taken(server: Inside, stream: trio.SocketStream) -> None:
    await stream.send_all(server.request(body(user(SILENT))))
    await until(lambda: server.model.open_streams == 1)


async def answered(server: Inside, stream: trio.SocketStream) -> None:
    await stream.send_all(server.request(body(user(ENDLESS), stream=True)))
    heard = b""
    while b"two" not in heard:
        heard += await stream.receive_some()


async def let_stay(server: Inside, stream: trio.SocketStream) -> None:
    await stream.send_all(server.request(body(HELLO)))
    await until(lambda: server.service.staying.number == 1)
    await stream.receive_some()


PHASES: Mapping[str, tuple[Callable[[Inside, trio.SocketStream], Awaitable[None]], Mapping[str, int], int]] = {
    "being started": (started, {"waiting": 0}, 0),
    "taken, before its first token": (taken, {}, 0),
    "in the middle of its answer": (answered, {}, 0),
    "while its process stays": (let_stay, {}, 1),
}


@pytest.mark.parametrize("phase", PHASES)
async def test_a_client_that_leaves_leaves_nothing_but_what_stays(phase: str) -> None:
    leaving, given, stay = PHASES[phase]
    async with open_settled(**given) as server:
        async with await server.connect() as stream:
            await leaving(server, stream)
        await settled(server)
        assert server.service.staying.number == stay
        assert await ask(server, user("next")) == (200, "next")


async def test_a_client_that_leaves_while_it_is_queued_is_not_in_the_way() -> None:
    async with open_settled(processes=1, waiting=0) as server:
        async with await server.connect() as first, await server.connect() as second:
            await answered(server, first)
            await queued(server, second)
        await settled(server)
        assert len(asked(server.model)) == 1
        assert await ask(server, user("next")) == (200, "next")


@pytest.mark.parametrize(
    ("text", "deadline"),
    [
        (SILENT, {"first_event_timeout": 0.5}),
        (ENDLESS, {"silence_timeout": 0.5}),
        ("[[delay 50ms]] [[tokens 3000]]", {"answer_timeout": 1.0}),
    ],
    ids=["first event", "silence", "answer"],
)
async def test_at_a_deadline_the_process_is_gone(text: str, deadline: Mapping[str, float]) -> None:
    async with open_settled(**deadline) as server:
        status, _ = await ask(server, user(text))
        assert status == 504
        await settled(server)
        assert server.service.staying.number == 0


@pytest.mark.soak
async def test_a_burst_is_answered_by_never_more_processes_than_there_may_be() -> None:
    """Each is a conversation of its own, so those that stay make room for those that come."""
    most, counted = 0, 0

    async def watch(server: Inside) -> None:
        nonlocal most, counted
        while True:
            most, counted = max(most, len(server.processes)), max(counted, server.pool.alive)
            await trio.sleep(0.005)

    async with open_settled(processes=3, staying=8, staying_timeout=1.0) as server, trio.open_nursery() as nursery:
        nursery.start_soon(watch, server)
        replies: list[tuple[int, Json]] = []

        async def asking(number: int) -> None:
            replies.append(await ask(server, user(f"number {number}")))

        async with trio.open_nursery() as clients:
            for number in range(20):
                clients.start_soon(asking, number)
        nursery.cancel_scope.cancel()
        assert sorted(replies) == sorted((200, f"number {number}") for number in range(20))
        assert (most, counted) == (3, 3)
        # What stays goes after its time, and what waits remains.
        await until(lambda: server.service.staying.number == 0)
        await settled(server)
        assert len(server.processes) == 1


def with_a_program(home: Path) -> Mapping[str, str]:
    renew_program(home)
    return {PROGRAM: str(home / "claude")}


def renew_program(home: Path) -> None:
    """Put a program in the place of the last, as an installer does."""
    fresh = home / "claude.new"
    fresh.write_text(f'#!/bin/sh\nexec {program()} "$@"\n')
    fresh.chmod(0o700)
    fresh.replace(home / "claude")


def with_a_login(home: Path) -> Mapping[str, str]:
    (home / ".claude").mkdir()
    renew_login(home)
    return {"ANTHROPIC_API_KEY": ""}


def renew_login(home: Path) -> None:
    (home / ".claude" / ".credentials.json").write_text(json.dumps({**CREDENTIALS, "more": "m" * os.getpid()}))


RENEWED = {"program": (with_a_program, renew_program), "login": (with_a_login, renew_login)}


@pytest.mark.parametrize("kind", RENEWED)
async def test_what_was_started_before_a_change_answers_nobody_after_it(kind: str) -> None:
    furnish, renew = RENEWED[kind]
    async with open_settled(furnish=furnish) as server:
        assert await ask(server, HELLO) == (200, "hello")
        await settled(server)
        before = server.processes
        assert len(before) == 2
        renew(server.home)
        follow = [HELLO, {"role": "assistant", "content": "hello"}, user("and more")]
        assert await ask(server, *follow) == (200, "and more")
        assert server.backend.pids[-1] not in before
        await until(lambda: not alive(before))
        await settled(server)


@pytest.mark.parametrize("kind", RENEWED)
async def test_what_was_started_before_a_change_is_gone_though_nobody_asks(kind: str) -> None:
    furnish, renew = RENEWED[kind]
    async with open_settled(furnish=furnish) as server:
        await ask(server, HELLO)
        await settled(server)
        before = server.processes
        renew(server.home)
        await until(lambda: not alive(before))
        await settled(server)
        assert (len(server.processes), server.service.staying.number) == (1, 0)


def busy(server: Server) -> set[int]:
    """Let a process stay beside two that wait, and return all that the server started: its reaper, too."""
    assert server.chat("hello").status == 200
    assert within(PATIENCE, lambda: len(children(server.process.pid)) == 4)
    return children(server.process.pid)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=["SIGTERM", "SIGKILL"])
def test_at_the_servers_end_none_is_left(number: signal.Signals) -> None:
    with serving(CCA_WAITING="2", CCA_STAYING="1") as server:
        started = busy(server)
        assert server.stop(number) == (0 if number == signal.SIGTERM else -number)
        assert within(5.0, lambda: not alive(started) and not list(server.temporary.iterdir()))
