"""Live processes that wait and stay, on real pipes: which are given to a request, and that nothing is left of them."""

import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio
from attrs import evolve
from fakes import CONVERSATION, SECONDS, alive, argv, launching, nothing_left, open_backend, read_frame, until

from cca import staying as staying_module
from cca.backends import pool as pool_module
from cca.backends.pool import Pool
from cca.backends.process import LiveProcess
from cca.claude.launch import Directories, Launch
from cca.model import AssistantTurn, Conversation, Text, UserTurn
from cca.staying import Room, Staying
from staying_room import said

SERVE = ("serve", "I am {pid}.")
NO_LOGIN = {"ANTHROPIC_API_KEY": "k"}


@pytest.fixture(autouse=True)
def looking_often(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (pool_module, staying_module):
        monkeypatch.setattr(module, "LOOK_INTERVAL", 0.05)


@pytest.fixture(autouse=True)
def nothing_is_at_fault(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    yield
    assert caplog.get_records("call") == []


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """Return a program that can be replaced."""
    path = tmp_path / "claude"
    path.symlink_to(os.path.realpath(sys.executable))
    return path


def starting(program: Path, env: Mapping[str, str] = NO_LOGIN) -> Callable[[Directories], Launch]:
    def launcher(directories: Directories) -> Launch:
        return Launch((str(program), *argv(SERVE)[1:]), env, directories.work)

    return launcher


def updated(program: Path) -> None:
    """Put another file in the program's place, which does the same."""
    program.unlink()
    other = program.with_name("claude-2")
    other.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    other.chmod(0o700)
    program.symlink_to(other)


def logged_in(home: Path) -> None:
    (home / ".claude").mkdir(exist_ok=True)
    (home / ".claude/.credentials.json").write_text("{}")


# What a process is.


async def test_a_process_is_fit_while_it_lives_and_has_memory_of_its_own(tmp_path: Path) -> None:
    async with open_backend(tmp_path / "run", launching(("pid",), ("hang",))) as backend, backend.start() as process:
        await read_frame(process)
        assert (process.fit, process.ended) == (True, False)
        assert process.memory > (100_000 if sys.platform == "linux" else -1)
        process.end()
        assert (process.fit, process.ended) == (False, True)
        process.end()
    assert process.memory == 0


async def test_a_process_that_was_killed_is_unfit_before_anybody_has_waited_for_it(tmp_path: Path) -> None:
    async with open_backend(tmp_path / "run", launching(("pid",), ("hang",))) as backend, backend.start() as process:
        os.kill((await read_frame(process))["pid"], signal.SIGKILL)
        await until(lambda: not process.fit)
        assert process.ended


async def test_a_process_of_another_program_is_unfit_and_lives(tmp_path: Path, program: Path) -> None:
    async with open_backend(tmp_path / "run", starting(program)) as backend, backend.start() as process:
        assert process.fit
        updated(program)
        assert (process.fit, process.ended) == (False, False)
        async with backend.start() as another:
            assert another.fit


@pytest.mark.parametrize("change", [logged_in, lambda home: (home / ".claude/.credentials.json").unlink()])
async def test_a_process_of_another_login_is_unfit_and_lives(
    change: Callable[[Path], None], tmp_path: Path, program: Path
) -> None:
    if change is not logged_in:
        logged_in(tmp_path)
    launcher = starting(program, {"HOME": str(tmp_path)})
    async with open_backend(tmp_path / "run", launcher) as backend, backend.start() as process:
        assert process.fit
        change(tmp_path)
        assert (process.fit, process.ended) == (False, False)


# Processes that wait.


@asynccontextmanager
async def pool_of(launcher: Callable[[Directories], Launch], run: Path, *, most: int = 3) -> AsyncIterator[Pool]:
    """Own a pool in which two processes wait, and hold that nothing is left of it."""
    with nothing_left(run):
        async with open_backend(run, launcher) as backend:
            pool = Pool(backend, most, waiting=2, starts=2)
            async with pool.opened():
                await until(lambda: pool.ready == 2)
                yield pool


def waiting(pool: Pool) -> list[LiveProcess]:
    return [berth.process for berth in pool._ready]


async def test_one_that_waits_is_given_and_replaced_and_gone_when_it_is_left(tmp_path: Path) -> None:
    async with pool_of(launching(SERVE), tmp_path / "run") as pool:
        first, _ = waiting(pool)
        async with pool.open(CONVERSATION) as process:
            assert process is first
            assert process.fit
            await until(lambda: pool.ready == 2)
            assert pool.alive == 3
        assert not alive(process.popen.pid)
        assert pool.alive == 2


async def test_one_that_was_killed_while_it_waited_is_not_given(tmp_path: Path) -> None:
    async with pool_of(launching(SERVE), tmp_path / "run") as pool:
        first, _ = waiting(pool)
        os.kill(first.popen.pid, signal.SIGKILL)
        await until(lambda: first.ended)
        async with pool.open(CONVERSATION) as process:
            assert process is not first
            assert process.fit


async def test_one_that_was_killed_while_it_waited_is_replaced(tmp_path: Path) -> None:
    async with pool_of(launching(SERVE), tmp_path / "run") as pool:
        dead, _ = waiting(pool)
        os.kill(dead.popen.pid, signal.SIGKILL)
        await until(lambda: pool.ready == 2 and dead not in waiting(pool))


async def test_after_an_update_all_that_wait_are_replaced(tmp_path: Path, program: Path) -> None:
    async with pool_of(starting(program), tmp_path / "run") as pool:
        old = waiting(pool)
        updated(program)
        async with pool.open(CONVERSATION) as process:
            assert process not in old
        await until(lambda: pool.ready == 2 and not set(old) & set(waiting(pool)))
        assert not any(alive(each.popen.pid) for each in old)


async def test_who_leaves_takes_the_process_along(tmp_path: Path) -> None:
    async with pool_of(launching(SERVE), tmp_path / "run") as pool:
        with trio.CancelScope() as scope:
            async with pool.open(CONVERSATION) as process:
                scope.cancel()
                await process.read()
        assert not alive(process.popen.pid)


# Conversations that stay.


@asynccontextmanager
async def staying_in(pool: Pool) -> AsyncIterator[Staying]:
    staying = Staying(pool, Room(most=2, patience=60), lambda: 1e9)
    pool.spare = staying.spare
    async with staying.opened():
        yield staying


async def answered(staying: Staying, conversation: Conversation, owner: str = "ann") -> tuple[int, Conversation]:
    """Return which process answered, and the conversation as it goes on."""
    with trio.fail_after(SECONDS):
        text = (await said(staying, conversation, owner)).said
    more = (AssistantTurn((Text(text),)), UserTurn((Text("And?"),)))
    return int(text.strip("I am.")), evolve(conversation, turns=(*conversation.turns, *more))


async def test_a_conversation_goes_on_in_its_process_until_it_is_killed(tmp_path: Path) -> None:
    async with pool_of(launching(SERVE), tmp_path / "run") as pool, staying_in(pool) as staying:
        first, conversation = await answered(staying, CONVERSATION)
        again, conversation = await answered(staying, conversation)
        assert again == first
        another, _ = await answered(staying, conversation, "bob")
        assert another != first
        again, conversation = await answered(staying, conversation)
        assert again == first
        os.kill(first, signal.SIGKILL)
        await until(lambda: not alive(first))
        fresh, _ = await answered(staying, conversation)
        assert fresh not in (first, another)


async def test_after_an_update_no_conversation_goes_on_in_its_process(tmp_path: Path, program: Path) -> None:
    async with pool_of(starting(program), tmp_path / "run") as pool, staying_in(pool) as staying:
        first, conversation = await answered(staying, CONVERSATION)
        other, _ = await answered(staying, CONVERSATION, "bob")
        await until(lambda: pool.ready == 1)
        updated(program)
        fresh, _ = await answered(staying, conversation)
        assert fresh != first
        await until(lambda: not alive(first) and not alive(other))
        assert staying.number == 1


async def test_where_there_is_no_room_what_stayed_makes_it(tmp_path: Path) -> None:
    async with pool_of(launching(SERVE), tmp_path / "run", most=2) as pool, staying_in(pool) as staying:
        processes = [(await answered(staying, CONVERSATION, str(number)))[0] for number in range(6)]
        assert len(set(processes)) == 6
        assert sum(map(alive, processes)) == staying.number <= 2
