"""What took Claude Code's place under a server that runs: nobody's words reach it before it was looked at, once."""

import logging
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing
from attrs import define, evolve, field
from fakes import CONVERSATION, FAKE, nothing_left, until

from cca.backends import pool as pool_module
from cca.backends.edition import Edition, edition_of
from cca.backends.live import LiveBackend, as_it_is, open_live
from cca.backends.pool import Pool
from cca.backends.process import LiveProcess
from cca.backends.vouching import LOOKS, PATIENCE, Refused, Vouching
from cca.claude.launch import Directories, Launch
from cca.errors import CcaError, Unavailable
from cca.model import Conversation, Sampling

LOOKING = 1.0
"""Seconds that a look takes, of a clock that jumps."""


@pytest.fixture
def program(tmp_path: Path) -> Path:
    path = tmp_path / "claude"
    path.write_text("the first")
    return path


def back(program: Path) -> None:
    """Put what was there in the place of what is."""
    away = program.with_name("away")
    program.rename(away)
    replaced(program)
    away.rename(program)


def replaced(program: Path, content: str = "another") -> None:
    beside = program.with_name("beside")
    beside.write_text(content)
    beside.chmod(0o700)
    beside.rename(program)


@define
class Looks:
    """Looks at a program, and notes what it was; what is ``wrong`` is raised, and ``begun`` is called first."""

    program: Path
    wrong: Exception | None = None
    begun: Callable[[], None] = lambda: None
    seen: list[str] = field(factory=list)
    at_once: int = 0

    async def look(self, launch: Launch) -> None:
        assert launch.argv == (str(self.program),)
        assert self.at_once == 0, "they have one directory"
        self.at_once += 1
        self.seen.append(self.program.read_text())
        self.begun()
        try:
            await trio.sleep(LOOKING)
            if self.wrong is not None:
                raise self.wrong
        finally:
            self.at_once -= 1


@define
class Asked:
    """A request that waits for a program that may be used."""

    scope: trio.CancelScope = field(factory=trio.CancelScope)
    edition: Edition | None = None
    error: CcaError | None = None

    async def run(self, vouching: Vouching, program: Path) -> None:
        try:
            with self.scope:
                self.edition = await vouching.edition(launch_of(program))
        except Unavailable as error:
            self.error = error


def launch_of(program: Path) -> Launch:
    return Launch((str(program),), {"ANTHROPIC_API_KEY": "k"}, "/")


@asynccontextmanager
async def vouching_of(looks: Looks) -> AsyncIterator[Vouching]:
    async with trio.open_nursery() as nursery:
        known, *_ = edition_of(launch_of(looks.program))
        yield Vouching(nursery, known, looks.look)
        nursery.cancel_scope.cancel()


async def ask(vouching: Vouching, program: Path, *asked: Asked, meanwhile: float = 100.0) -> None:
    """Let them ask at once, and wait for ``meanwhile`` at most."""
    with trio.move_on_after(meanwhile):
        async with trio.open_nursery() as nursery:
            for each in asked:
                nursery.start_soon(each.run, vouching, program)


async def test_the_one_that_was_there_at_the_start_is_used(program: Path) -> None:
    """Also when it was away in between."""
    looks = Looks(program)
    async with vouching_of(looks) as vouching:
        edition = await vouching.edition(launch_of(program))
        back(program)
        assert await vouching.edition(launch_of(program)) == edition == edition_of(launch_of(program))
    assert looks.seen == []


async def test_ten_requests_wait_for_one_look_at_another(program: Path, autojump_clock: trio.testing.MockClock) -> None:
    looks, asked = Looks(program), [Asked() for _ in range(10)]
    async with vouching_of(looks) as vouching:
        replaced(program)
        await ask(vouching, program, *asked)
        assert {each.edition for each in asked} == {edition_of(launch_of(program))}
        assert trio.current_time() == LOOKING
        await vouching.edition(launch_of(program))
    assert looks.seen == ["another"]


@pytest.mark.parametrize("leaving", [0, 4])
async def test_who_leaves_takes_no_look_along(
    leaving: int, program: Path, autojump_clock: trio.testing.MockClock
) -> None:
    looks, asked = Looks(program), [Asked() for _ in range(5)]
    looks.begun = asked[leaving].scope.cancel
    async with vouching_of(looks) as vouching:
        replaced(program)
        await ask(vouching, program, *asked)
    assert [each.edition is None for each in asked] == [number == leaving for number in range(5)]
    assert looks.seen == ["another"]


async def test_one_that_fails_the_look_is_refused_without_another_look_for_a_while(
    program: Path, autojump_clock: trio.testing.MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    """A machine that was too busy is a reason, too: later it may pass. Until then the log says it once."""
    looks, asked = Looks(program, Unavailable("It sings.")), [Asked() for _ in range(10)]
    async with vouching_of(looks) as vouching:
        replaced(program)
        await ask(vouching, program, *asked)
        [told] = {str(each.error) for each in asked}
        assert told == (
            "Claude Code was replaced while cca ran, and what is there now is not used: It sings. Once that is "
            "replaced, too, cca looks at it by itself."
        )
        await trio.sleep(PATIENCE - 1)
        with pytest.raises(Refused):
            await vouching.edition(launch_of(program))
        assert len(looks.seen) == 1
        await trio.sleep(1)
        with pytest.raises(Refused):
            await vouching.edition(launch_of(program))
        assert [record.getMessage() for record in caplog.records] == [
            "Claude Code was replaced, and the new one is not used: It sings."
        ]
        await trio.sleep(PATIENCE)
        looks.wrong = None
        await vouching.edition(launch_of(program))
    assert len(looks.seen) == 3


async def test_after_one_that_was_refused_the_next_is_looked_at_at_once(
    program: Path, autojump_clock: trio.testing.MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    looks = Looks(program, Unavailable("It sings."))
    async with vouching_of(looks) as vouching:
        for name in ("second", "third"):
            replaced(program, name)
            with pytest.raises(Refused):
                await vouching.edition(launch_of(program))
        assert len(caplog.records) == 2
        looks.wrong = None
        replaced(program, "the fourth")
        await vouching.edition(launch_of(program))
        assert trio.current_time() == 3 * LOOKING
    assert looks.seen == ["second", "third", "the fourth"]


async def test_one_that_is_replaced_as_it_is_looked_at_is_not_used(
    program: Path, autojump_clock: trio.testing.MockClock
) -> None:
    """Nor is another looked at beside it: who asks for that waits."""
    looks, late = Looks(program), Asked()
    async with vouching_of(looks) as vouching, trio.open_nursery() as nursery:

        def once() -> None:
            looks.begun = lambda: None
            replaced(program, "the third")
            nursery.start_soon(late.run, vouching, program)

        looks.begun = once
        replaced(program)
        edition = await vouching.edition(launch_of(program))
        await trio.sleep(LOOKING)
        assert edition == late.edition == edition_of(launch_of(program))
    assert looks.seen == ["another", "the third"]


async def test_who_waits_for_what_changes_again_and_again_is_told(
    program: Path, autojump_clock: trio.testing.MockClock
) -> None:
    looks = Looks(program)
    looks.begun = lambda: replaced(program, f"{len(looks.seen)}")
    async with vouching_of(looks) as vouching:
        replaced(program)
        with pytest.raises(Unavailable, match="replaced again and again"):
            await vouching.edition(launch_of(program))
    assert len(looks.seen) == LOOKS


async def test_one_that_is_not_there_is_told_and_not_looked_at(program: Path) -> None:
    looks = Looks(program)
    async with vouching_of(looks) as vouching:
        Path.unlink(program)
        with pytest.raises(Unavailable, match=r"cannot be started \(.*claude\): it is not there any more\."):
            await vouching.edition(launch_of(program))
    assert looks.seen == []


async def test_a_fault_of_ours_in_a_look_is_told_and_ends_nothing(
    program: Path, autojump_clock: trio.testing.MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    looks = Looks(program, ValueError("a fault of ours"))
    async with vouching_of(looks) as vouching:
        replaced(program)
        with pytest.raises(Refused, match="A fault in cca kept it from being looked at"):
            await vouching.edition(launch_of(program))
        assert caplog.records[0].exc_info is not None
        looks.wrong = None
        await trio.sleep(PATIENCE)
        await vouching.edition(launch_of(program))


async def test_at_the_end_nobody_is_left_waiting(program: Path, autojump_clock: trio.testing.MockClock) -> None:
    looks, asked = Looks(program), Asked()
    async with trio.open_nursery() as nursery:
        async with vouching_of(looks) as vouching:
            replaced(program)
            nursery.start_soon(asked.run, vouching, program)
            await trio.testing.wait_all_tasks_blocked()
        with trio.fail_after(1):
            await trio.testing.wait_all_tasks_blocked()
    assert "cca is ending" in str(asked.error)


# With programs that are started.


def claude(path: Path, version: str) -> None:
    """Put a program there that says its version, and else stands for Claude Code."""
    steps = '\'[["serve", "I am {pid}."]]\''
    says = f'[ "$1" = --version ] && echo "{version}" && exit\n'
    replaced(path, f"#!/bin/sh\n{says}exec {sys.executable} -I -S {FAKE} {steps}\n")


SHORT = evolve(CONVERSATION, sampling=Sampling(max_tokens=1))
"""It takes a process that is started for it."""

OURS, NEWER, OLDER, NONE = "2.1.330 (Claude Code)", "2.1.400 (Claude Code)", "2.1.100 (Claude Code)", "bash 5"


@define
class Checks:
    """The check of a test: ``wrong`` is what it finds."""

    wrong: str | None = None
    backends: list[LiveBackend] = field(factory=list)
    held: trio.Event | None = None

    async def check(self, live: LiveBackend) -> None:
        self.backends.append(live)
        if self.held is not None:
            await self.held.wait()
        if self.wrong is not None:
            raise Unavailable(self.wrong)


@asynccontextmanager
async def pool_of(program: Path, checks: Checks | None) -> AsyncIterator[tuple[LiveBackend, Pool]]:
    """Own a pool in which one process waits; ``program`` can be replaced."""

    def launcher(directories: Directories) -> Launch:
        return Launch((str(program),), {"ANTHROPIC_API_KEY": "k"}, directories.work)

    async with open_live(launcher, None if checks is None else checks.check) as live:
        pool = Pool(live, 3, waiting=1, starts=2)
        async with pool.opened():
            await until(lambda: pool.ready == 1)
            yield live, pool


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    place = tmp_path / "tmp"
    place.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(place))
    monkeypatch.setattr(pool_module, "LOOK_INTERVAL", 0.05)
    monkeypatch.setattr(pool_module, "FIRST_DELAY", 0.02)
    monkeypatch.setattr(pool_module, "LONGEST_DELAY", 0.02)
    return place


async def test_after_an_update_a_request_gets_a_process_of_what_was_checked(
    program: Path, temporary: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """And none of those that waited. What checks it starts the new one without a check, which would wait for itself."""
    claude(program, OURS)
    checks = Checks()
    with nothing_left(temporary):
        async with pool_of(program, checks) as (live, pool):
            [old] = pool._ready
            claude(program, NEWER)
            async with pool.open(CONVERSATION) as process, pool.open(CONVERSATION) as another:
                assert old.process not in (process, another)
                assert process.fit
            await until(lambda: pool.ready == 1)
            assert live.cli_version == "2.1.400"
    assert [each.vouch for each in checks.backends] == [as_it_is] * 2, "at the start, and once"
    assert [(record.levelno, record.getMessage()) for record in caplog.records] == [
        (logging.WARNING, "Claude Code was replaced while cca ran, and the new one is used: version 2.1.400.")
    ]


@pytest.mark.parametrize("conversation", [CONVERSATION, SHORT], ids=["one that waits", "one of its own"])
async def test_requests_share_one_check_and_one_that_leaves_takes_nothing_along(
    conversation: Conversation, program: Path, temporary: Path
) -> None:
    claude(program, OURS)
    checks, got = Checks(), list[LiveProcess]()
    with nothing_left(temporary):
        async with pool_of(program, checks) as (_, pool), trio.open_nursery() as nursery:

            async def ask(scope: trio.CancelScope) -> None:
                with scope:
                    async with pool.open(conversation) as process:
                        got.append(process)

            claude(program, NEWER)
            checks.held, scopes = trio.Event(), [trio.CancelScope() for _ in range(10)]
            for scope in scopes:
                nursery.start_soon(ask, scope)
            await until(lambda: len(checks.backends) == 2)
            scopes[0].cancel()
            await trio.testing.wait_all_tasks_blocked()
            checks.held.set()
    assert len(got) == 9
    assert len(checks.backends) == 2, "at the start, and once"


@pytest.mark.parametrize(
    ("version", "wrong", "told"),
    [
        pytest.param(NEWER, "It cannot be trusted.", r"is not used: It cannot be trusted\. Once", id="it misbehaves"),
        pytest.param(OLDER, None, r"claude is version 2\.1\.100; cca needs 2\.1\.248 or newer\. Once", id="too old"),
        pytest.param(NONE, None, r"does not say that it is Claude Code when asked with --version\. Once", id="another"),
    ],
)
async def test_an_update_that_does_not_pass_is_refused_until_there_is_another(
    version: str, wrong: str | None, told: str, program: Path, temporary: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Each request is told, and the log once, however often a process is started ahead of demand."""
    claude(program, OURS)
    checks = Checks()
    with nothing_left(temporary):
        async with pool_of(program, checks) as (live, pool):
            checks.wrong = wrong
            claude(program, version)
            for _ in range(3):
                with pytest.raises(Refused, match=told):
                    async with pool.open(CONVERSATION):
                        pass
                await trio.sleep(0.05)
            assert len(checks.backends) == 1 + (wrong is not None)
            assert len(caplog.records) == 1
            assert live.cli_version == "2.1.330"
            checks.wrong = None
            claude(program, NEWER)
            await until(lambda: pool.ready == 1)
            async with pool.open(CONVERSATION) as process:
                assert process.fit
            assert live.cli_version == "2.1.400"


@pytest.mark.parametrize(
    ("version", "ends"), [(NEWER, nullcontext()), (OLDER, pytest.raises(Refused)), (NONE, pytest.raises(Refused))]
)
async def test_without_the_self_test_its_version_is_asked_for_all_the_same(
    version: str, ends: AbstractContextManager[Any], program: Path, temporary: Path
) -> None:
    claude(program, OURS)
    with nothing_left(temporary):
        async with pool_of(program, None) as (_, pool):
            claude(program, version)
            with ends:
                async with pool.open(CONVERSATION) as process:
                    assert process.fit
