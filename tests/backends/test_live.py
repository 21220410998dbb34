"""Live processes on real pipes: what they are started with, how they end, and that nothing is left of them."""

import errno
import os
import resource
import signal
import statistics
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest
import trio
from attrs import evolve
from fakes import (
    CONVERSATION,
    SECONDS,
    Step,
    alive,
    argv,
    launching,
    nothing_left,
    open_backend,
    read_all,
    read_frame,
    read_frames,
    until,
)

from cca.backends import Exit
from cca.backends import process as process_module
from cca.backends.live import LiveBackend, Reaper, open_live
from cca.backends.process import STDERR_TAIL, LiveProcess
from cca.claude import frames
from cca.claude.launch import Directories, Launch
from cca.claude.session_file import session_file
from cca.errors import Unavailable
from cca.model import AssistantTurn, Conversation, ModelEntry, Sampling, Text, UserTurn

FRAME = frames.apply_settings("1", {"model": "haiku"})
PAST = (UserTurn((Text("a"),)), AssistantTurn((Text("b"),)))
LONG = Conversation("haiku", (*PAST, *PAST, UserTurn((Text("c"),))))


async def test_a_process_has_what_its_launch_says_and_no_more(tmp_path: Path) -> None:
    """S-38, S-39: the environment, the directory, the descriptors; a group of its own, and no death signal (R-06)."""
    env = {"HOME": "/home/é", "EMPTY": "", "LC_ALL": "C"}
    kept_open = os.open("/", os.O_RDONLY)
    launcher = launching(("report",), env=env)
    async with open_backend(tmp_path / "run", launcher) as backend, backend.start() as process:
        said = await read_frame(process)
    os.close(kept_open)
    assert said["cwd"] == process.launch.cwd
    assert said["env"] == env
    assert said["descriptors"] == [0, 1, 2]
    assert said["group"] == said["session"] == said["pid"] != os.getpgid(0)
    assert said["signal_of_death"] == 0


@pytest.mark.parametrize(("limit", "more"), [(None, []), (5, ["--max-budget-usd=0.0000000001"])])
async def test_a_conversation_with_a_limit_gets_a_program_that_cannot_go_on(
    limit: int | None, more: list[str], tmp_path: Path
) -> None:
    plain = launching(("hang",))
    conversation = Conversation("haiku", (), sampling=Sampling(max_tokens=limit))
    async with open_backend(tmp_path / "run", plain) as backend, backend.start(conversation) as process:
        written_for_all = plain(Directories("w", "t", "c")).argv
        assert process.launch.argv == (*written_for_all, *more)


async def test_a_long_history_is_in_a_file_of_its_process_that_goes_with_it(tmp_path: Path) -> None:
    """It is for nobody else to read, nothing of it is in the arguments, and it is not where the program works."""
    async with open_backend(tmp_path / "run", launching(("hang",))) as backend:
        backend.file_from = 2
        async with backend.start(LONG) as process:
            [path] = (tmp_path / "run").rglob("*.jsonl")
            assert process.launch.argv == (*argv(("hang",)), f"--resume={path}")
            assert path.read_bytes() == session_file(LONG)
            assert path.stat().st_mode & 0o777 == 0o600
            assert not path.is_relative_to(process.launch.cwd)
            assert process.recalled
            assert backend.is_special(LONG)
        assert not path.exists()


@pytest.mark.parametrize("file_from", [0, 3])
async def test_a_shorter_history_is_in_no_file(file_from: int, tmp_path: Path) -> None:
    async with open_backend(tmp_path / "run", launching(("hang",))) as backend:
        backend.file_from = file_from
        async with backend.start(LONG) as process:
            assert not process.recalled
            assert not backend.is_special(LONG)
            assert not list((tmp_path / "run").rglob("*.jsonl"))


async def test_a_long_history_that_would_arrive_otherwise_is_in_no_file(tmp_path: Path) -> None:
    silent = (UserTurn((Text("a"),)), AssistantTurn((Text(""),)))
    conversation = evolve(LONG, turns=(*silent, *LONG.turns))
    async with open_backend(tmp_path / "run", launching(("hang",))) as backend:
        backend.file_from = 2
        async with backend.start(conversation) as process:
            assert not process.recalled
            assert not backend.is_special(conversation)
            assert not list((tmp_path / "run").rglob("*.jsonl"))


async def test_a_history_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    def launcher(directories: Directories) -> Launch:
        Path(directories.work).with_name("history.jsonl").mkdir()
        return launching(("hang",))(directories)

    async with open_backend(tmp_path / "run", launcher) as backend:
        backend.file_from = 2
        with pytest.raises(Unavailable, match=r"cannot write a conversation's history to .*: File exists"):
            async with backend.start(LONG):
                pass
        assert not list((tmp_path / "run").iterdir())


async def test_whoever_reads_on_while_a_process_is_left_hears_its_end(tmp_path: Path) -> None:
    """In a task of another's: whoever waits with a process that stays, when its owner leaves it."""
    left, heard = trio.Event(), set[bytes]()

    async def read_on(process: LiveProcess) -> None:
        while not left.is_set():
            heard.add(await process.read())
            await trio.lowlevel.checkpoint()
        heard.add(await process.read())

    async with trio.open_nursery() as nursery, open_backend(tmp_path / "run", launching(("hang",))) as backend:
        async with backend.start() as process:
            nursery.start_soon(read_on, process)
            await trio.testing.wait_all_tasks_blocked()
        left.set()
    assert heard == {b""}


async def test_directories_are_empty_private_and_removed(tmp_path: Path) -> None:
    told: list[Directories] = []

    def launcher(directories: Directories) -> Launch:
        told.append(directories)
        return Launch(argv(("litter",), ("hang",)), {"CLAUDE_CONFIG_DIR": directories.config}, directories.work)

    async with open_backend(tmp_path / "run", launcher) as backend:
        async with backend.start() as one, backend.start() as other:
            places = [Path(place) for each in told for place in (each.work, each.temporary, each.config)]
            assert len(set(places)) == 6
            for place in (tmp_path / "run", *(place.parent for place in places), *places):
                assert place.stat().st_mode & 0o777 == 0o700
            assert not list(places[0].iterdir())
            for process in (one, other):
                await read_frame(process)
            assert len(list((places[2] / "sessions").iterdir())) == 2
        assert not list((tmp_path / "run").iterdir())


async def test_a_run_directory_that_was_swept_away_is_made_again(tmp_path: Path) -> None:
    async with open_backend(tmp_path / "run", launching(("pid",))) as backend:
        for _ in range(2):
            async with backend.start() as process:
                await read_frame(process)
            (tmp_path / "run").rmdir()


def open_to_others(run: Path) -> None:
    run.mkdir()
    run.chmod(0o777)


def a_link(run: Path) -> None:
    run.with_name("elsewhere").mkdir(mode=0o700)
    run.symlink_to(run.with_name("elsewhere"))


@pytest.mark.parametrize("made", [open_to_others, a_link])
async def test_a_run_directory_that_another_user_made_has_no_process(
    made: Callable[[Path], None], tmp_path: Path
) -> None:
    """Its owner could put a directory of their own in the place of a process's."""
    made(tmp_path / "run")
    async with open_backend(tmp_path / "run", launching(("hang",))) as backend:
        with pytest.raises(Unavailable, match="another user has made it"):
            async with backend.start():
                pass


async def test_without_a_place_for_directories_there_is_no_process(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("a file")
    async with open_backend(tmp_path / "run", launching(("hang",))) as backend:
        with pytest.raises(Unavailable, match=r"cannot make a directory under .*/run: File exists"):
            async with backend.start():
                pass


@pytest.mark.parametrize("descendant", ["child", "daemon"])
async def test_a_descendant_that_holds_stdout_does_not_delay_the_end(tmp_path: Path, descendant: str) -> None:
    """R-12: a child dies with the group; a daemon fled from it, lives on, and is not waited for."""
    steps: Sequence[Step] = ((descendant,), ("frame",), ("print", "last words"))
    async with open_backend(tmp_path / "run", launching(*steps)) as backend, backend.start() as process:
        pid = (await read_frame(process))["pid"]
        process.write(FRAME)
        with trio.fail_after(SECONDS):
            assert await read_all(process) == b"last words\n"
            assert await process.wait() == Exit(0)
        if descendant == "daemon":
            assert alive(pid)
            os.kill(pid, signal.SIGKILL)
    await until(lambda: not alive(pid))


async def test_the_last_words_of_a_daemon_that_holds_stdout_are_read(tmp_path: Path) -> None:
    steps: Sequence[Step] = (("daemon",), ("frame",), ("huge", 60_000))
    async with open_backend(tmp_path / "run", launching(*steps)) as backend, backend.start() as process:
        pid = (await read_frame(process))["pid"]
        process.write(FRAME)
        await process.wait()
        await trio.testing.wait_all_tasks_blocked()
        assert len(await read_all(process)) == 60_000
        os.kill(pid, signal.SIGKILL)


async def test_leaving_kills_the_group(tmp_path: Path) -> None:
    async with open_backend(tmp_path / "run", launching(("stay",), ("child",), ("pid",), ("hang",))) as backend:
        async with backend.start() as process:
            pids = [frame["pid"] for frame in await read_frames(process, 2)]
            assert all(map(alive, pids))
        assert not alive(pids[1])
    await until(lambda: not alive(pids[0]))


async def test_a_group_is_killed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The number of a process that was reaped may be another's by the time its client is done with its answer."""
    killed: list[int] = []
    monkeypatch.setattr(os, "killpg", lambda group, number: killed.append(group))
    async with open_backend(tmp_path / "run", launching()) as backend:
        async with backend.start() as process:
            await read_all(process)
            await process.wait()
        assert killed == [process.popen.pid]


async def test_a_process_that_cannot_be_reaped_does_not_hold_the_request(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    kill = os.killpg
    async with open_backend(tmp_path / "run", launching(("hang",))) as backend:
        monkeypatch.setattr(os, "killpg", lambda group, number: None)
        monkeypatch.setattr(process_module, "REAP_TIMEOUT", 0.05)
        async with backend.start() as process:
            pass
        monkeypatch.undo()
        kill(process.popen.pid, signal.SIGKILL)
        await process.popen.wait()
    assert "did not end" in caplog.text


@pytest.mark.parametrize(
    ("steps", "kept"),
    [
        pytest.param([("stderr", "oops\n")], "oops\n", id="short"),
        pytest.param([("stderr", "x" * 1000, 5000), ("stderr", "\nlast\n")], "last\n", id="5 MB of one line"),
        pytest.param([("stderr", "x" * 1000, 100)], "x" * STDERR_TAIL, id="no end of line"),
        pytest.param(
            [("stderr", "key sk-ant-" + "k" * 99 + "\n"), ("stderr", "y" * (STDERR_TAIL - 50) + "\n")],
            "y" * (STDERR_TAIL - 50) + "\n",
            id="a key cut in two",
        ),
        pytest.param([("stderr", "a\n"), ("daemon",), ("stderr", "b\n")], "a\nb\n", id="held by a daemon"),
    ],
)
async def test_the_tail_of_stderr_is_kept(tmp_path: Path, steps: Sequence[Step], kept: str) -> None:
    """R-12: bounded, whole lines where there are any, and complete though the process is gone already."""
    async with open_backend(tmp_path / "run", launching(*steps, ("exit", 1))) as backend, backend.start() as process:
        printed = await read_all(process)
        with trio.fail_after(SECONDS):
            assert await process.wait() == Exit(1, kept)
        for pid in [int(word) for word in printed.decode().strip('{"pid:}\n').split()]:
            os.kill(pid, signal.SIGKILL)


def missing(tmp_path: Path) -> Launch:
    return Launch((str(tmp_path / "claude"),), {}, str(tmp_path))


def not_executable(tmp_path: Path) -> Launch:
    (tmp_path / "claude").write_text("#!/bin/sh\n")
    return missing(tmp_path)


def not_a_program(tmp_path: Path) -> Launch:
    (tmp_path / "claude").write_bytes(b"\x7fELF, but for the rest")
    (tmp_path / "claude").chmod(0o700)
    return missing(tmp_path)


def directory(tmp_path: Path) -> Launch:
    (tmp_path / "claude").mkdir()
    return missing(tmp_path)


def long_argument(tmp_path: Path) -> Launch:
    return Launch((sys.executable, "x" * 200_000), {}, str(tmp_path))


@pytest.mark.parametrize(
    ("broken", "cause"),
    [
        (missing, "No such file or directory"),
        (not_executable, "Permission denied"),
        (not_a_program, "Exec format error"),
        (directory, "Permission denied"),
        (long_argument, "Argument list too long"),
    ],
)
async def test_a_program_that_cannot_be_started(tmp_path: Path, broken: Callable[[Path], Launch], cause: str) -> None:
    """R-22: 503 with the cause, nothing left, and the next one starts."""
    launches = [broken(tmp_path), Launch(argv(), {}, str(tmp_path))]
    with nothing_left(tmp_path / "run"):
        async with open_backend(tmp_path / "run", lambda _: launches.pop(0)) as backend:
            with pytest.raises(Unavailable, match=cause) as raised:
                async with backend.open(CONVERSATION):
                    pass
            assert raised.value.status == 503
            async with backend.open(CONVERSATION) as process:
                assert (await process.wait()).code == 0


@pytest.mark.parametrize("number", ["EAGAIN", "ENOMEM"])
async def test_no_process_can_be_forked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: str) -> None:
    code = getattr(errno, number)

    async def refuse(*_: object, **__: object) -> trio.Process:
        raise OSError(code, os.strerror(code))

    async with open_backend(tmp_path / "run", launching()) as backend:
        with monkeypatch.context() as patch:
            patch.setattr(trio.lowlevel, "open_process", refuse)
            with pytest.raises(Unavailable, match=os.strerror(code)):
                async with backend.start():
                    pass
        async with backend.start() as process:
            assert (await process.wait()).code == 0


async def test_no_descriptors_are_left(tmp_path: Path) -> None:
    """R-22: 503 with the cause; once there are some again, the next process starts."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with nothing_left(tmp_path / "run"):
        async with open_backend(tmp_path / "run", launching()) as backend:
            resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
            try:
                with pytest.raises(Unavailable, match="Too many open files"):
                    async with backend.start():
                        pass
            finally:
                resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
            async with backend.start() as process:
                assert (await process.wait()).code == 0


@pytest.mark.parametrize("variable", ["CLAUDE_CONFIG_DIR", "HOME"])
async def test_litter_in_the_users_own_configuration_is_removed(tmp_path: Path, variable: str) -> None:
    sessions = tmp_path / ("sessions" if variable == "CLAUDE_CONFIG_DIR" else ".claude/sessions")
    sessions.mkdir(parents=True)
    (sessions / "1.json").write_text("the user's own")
    launcher = launching(("litter",), ("hang",), env={variable: str(tmp_path)})
    async with open_backend(tmp_path / "run", launcher) as backend:
        async with backend.start() as process:
            await read_frame(process)
            assert len(list(sessions.iterdir())) == 3
        assert [path.name for path in sessions.iterdir()] == ["1.json"]


class CancelAtStep(trio.abc.Instrument):
    """Cancels ``scope`` when any task has taken so many steps."""

    def __init__(self, scope: trio.CancelScope, step: int) -> None:
        self.scope = scope
        self.left = step

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        self.left -= 1
        if self.left == 0:
            self.scope.cancel()


@pytest.mark.parametrize("first", range(1, 60, 12))
async def test_cancelling_at_any_step_leaves_nothing(tmp_path: Path, first: int) -> None:
    """R-04: while it is spawned, written to, read from, waited for; and while it is left."""
    steps: Sequence[Step] = (("child",), ("litter",), ("echo",), ("stay",), ("hang",))
    env: Mapping[str, str] = {"HOME": str(tmp_path / "home")}
    with nothing_left(tmp_path / "run"):
        async with open_backend(tmp_path / "run", launching(*steps, env=env)) as backend:
            for step in range(first, first + 12):
                with trio.CancelScope() as scope:
                    instrument = CancelAtStep(scope, step)
                    trio.lowlevel.add_instrument(instrument)
                    async with backend.open(CONVERSATION) as process:
                        process.write(FRAME + frames.user([{"type": "text", "text": "x" * 500_000}], query=True))
                        await process.read()
                        with trio.move_on_after(0.01):
                            await process.wait()
                trio.lowlevel.remove_instrument(instrument)
                assert not list((tmp_path / "run").iterdir())
    sessions = tmp_path / "home/.claude/sessions"
    assert not sessions.exists() or not os.listdir(sessions)  # noqa: PTH208 - see fakes


async def test_from_cancelling_to_reaped_takes_milliseconds(tmp_path: Path) -> None:
    took = []
    async with open_backend(tmp_path / "run", launching(("pid",), ("hang",))) as backend:
        for _ in range(20):
            with trio.CancelScope() as scope:
                async with backend.open(CONVERSATION) as process:
                    await process.read()
                    cancelled = trio.current_time()
                    scope.cancel()
                    await process.read()
            took.append(trio.current_time() - cancelled)
    # It takes 3 ms on a machine that does nothing else.
    assert statistics.median(took) < 0.2


async def test_twenty_processes_at_once(tmp_path: Path) -> None:
    said = []

    async def hold(backend: LiveBackend) -> None:
        async with backend.start() as process:
            process.write(FRAME)
            said.append((await read_frame(process))["result"])

    with nothing_left(tmp_path / "run"):
        launcher = launching(("echo",), ("hang",))
        async with open_backend(tmp_path / "run", launcher) as backend, trio.open_nursery() as nursery:
            for _ in range(20):
                nursery.start_soon(hold, backend)
    assert said == [FRAME.decode()] * 20


# What a backend asks Claude Code before it serves.


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


async def test_claude_code_says_what_it_is(temporary: Path) -> None:
    with nothing_left(temporary):
        async with open_live(launching(("serve",))) as backend:
            assert backend.cli_version == "2.1.330"
            assert backend.models == (ModelEntry("haiku", "claude-haiku-5-5", "Haiku", thinking_off=True),)
            assert backend.directory.parent == temporary


REFUSAL = '{"type":"control_response","response":{"subtype":"error","request_id":"introduction","error":"too busy"}}'


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        pytest.param(
            [("print", "GNU bash, version 5")], "does not behave as Claude Code: .*not JSON", id="another program"
        ),
        pytest.param([("print", REFUSAL)], "does not behave as Claude Code: .*refused.*too busy", id="refusal"),
        pytest.param([("huge", 65 * 1024 * 1024)], "does not behave as Claude Code", id="a line without end"),
        pytest.param(
            [("stderr", "no licence\n"), ("exit", 1)], r"ended at its start \(exit code 1\): no licence", id="dies"
        ),
        pytest.param([("die", 9)], r"ended at its start \(killed by signal 9\): no reason given", id="killed"),
        pytest.param([("hang",)], "said nothing for 0 seconds", id="silent"),
        pytest.param([("close",), ("hang",)], "said nothing for 0 seconds", id="closes stdout and lives on"),
        pytest.param([("print", '{"type":"system"}'), ("hang",)], "said nothing for 0 seconds", id="says other things"),
    ],
)
async def test_a_program_that_does_not_introduce_itself(
    temporary: Path, monkeypatch: pytest.MonkeyPatch, steps: Sequence[Step], message: str
) -> None:
    if "said nothing" in message:
        monkeypatch.setattr(process_module, "START_TIMEOUT", 0.1)
    unavailable = pytest.RaisesGroup(
        pytest.RaisesExc(Unavailable, match=message), allow_unwrapped=True, flatten_subgroups=True
    )
    with nothing_left(temporary), unavailable, trio.fail_after(SECONDS):
        async with open_live(launching(*steps)):
            pass


async def test_no_reaper_can_be_started(temporary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", str(temporary / "python"))
    with nothing_left(temporary), pytest.raises(Unavailable, match=r"cannot prepare .*No such file"):
        async with open_live(launching()):
            pass


async def test_there_is_no_temporary_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))
    with pytest.raises(Unavailable, match=r"cannot prepare .*No such file"):
        async with open_live(launching()):
            pass


async def test_the_death_of_the_reaper_is_logged_and_harms_nobody(caplog: pytest.LogCaptureFixture) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with Reaper(writing).watching(1_000_000):
        pass
    os.close(writing)
    assert [record.getMessage() for record in caplog.records] == [
        "The reaper is gone: if cca is killed now, its Claude Code processes outlive it."
    ] * 2
