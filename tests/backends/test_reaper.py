"""The program that kills what a killed server left behind."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from fakes import SECONDS, alive, argv

from cca.backends import reaper
from survival import Survival

DOOMED = Path(__file__).with_name("doomed_server.py")


@pytest.mark.parametrize(
    ("lines", "live"),
    [
        ([], set()),
        (["+1\n"], {1}),
        (["+1\n", "-1\n"], set()),
        (["+1\n", "+2\n", "-1\n"], {2}),
        (["+1\n", "-1\n", "+1\n"], {1}),
        (["-1\n"], set()),
        (["+1\n", "+23"], {1}),
        (["+1\n", "+"], {1}),
        (["+1\n", "-1"], {1}),
    ],
    ids=repr,
)
def test_groups_that_started_and_did_not_end(lines: list[str], live: set[int]) -> None:
    """A last line that was cut short counts for nothing: ``+23`` may have been ``+234``."""
    assert reaper.live_groups(lines) == live


@pytest.fixture
def groups() -> Iterator[list[subprocess.Popen[bytes]]]:
    started = [subprocess.Popen(argv(("hang",)), start_new_session=True) for _ in range(2)]
    yield started
    for each in started:
        each.kill()
        each.wait()


def run(directory: Path) -> "subprocess.Popen[str]":
    command = [sys.executable, "-I", "-S", reaper.__file__, str(directory)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={})


def test_it_kills_what_lives_and_removes_the_directory(tmp_path: Path, groups: "list[subprocess.Popen[bytes]]") -> None:
    """Not a group that ended; and groups that are gone, or another user's, do not stop it."""
    (tmp_path / "run" / "1" / "work").mkdir(parents=True)
    living, ended = groups
    gone = subprocess.Popen(["true"])
    gone.wait()
    told = f"+{ended.pid}\n+{gone.pid}\n+{living.pid}\n-{ended.pid}\n"
    with run(tmp_path / "run") as process:
        assert process.communicate(told, timeout=SECONDS)[1] == ""
    assert process.returncode == 0
    assert living.wait(timeout=SECONDS) == -signal.SIGKILL
    assert ended.poll() is None
    assert not (tmp_path / "run").exists()


def ignored(pid: int) -> set[int]:
    """Return the signals that a process ignores."""
    (row,) = [row for row in Path(f"/proc/{pid}/status").read_text().splitlines() if row.startswith("SigIgn:")]
    bits = int(row.split()[1], 16)
    return {number for number in range(1, 65) if bits >> (number - 1) & 1}


def test_it_outlives_the_signals_that_end_a_server(tmp_path: Path, groups: "list[subprocess.Popen[bytes]]") -> None:
    with run(tmp_path / "run") as process:
        assert process.stdin is not None
        numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        deadline = time.monotonic() + SECONDS
        while not ignored(process.pid).issuperset(numbers):
            assert time.monotonic() < deadline
            time.sleep(0.005)
        for number in numbers:
            process.send_signal(number)
        process.communicate(f"+{groups[0].pid}\n", timeout=SECONDS)
    assert process.returncode == 0
    assert groups[0].wait(timeout=SECONDS) == -signal.SIGKILL


def test_a_group_of_another_users_does_not_stop_it(monkeypatch: pytest.MonkeyPatch) -> None:
    killed = []

    def killpg(group: int, number: int) -> None:
        killed.append(group)
        raise PermissionError

    monkeypatch.setattr(os, "killpg", killpg)
    reaper.kill({1, 2})
    assert sorted(killed) == [1, 2]


def test_the_directory_goes_with_what_is_in_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "run" / "1" / "work").mkdir(parents=True)
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    monkeypatch.setattr(sys, "stdin", ["+1000000\n", "-1000000\n"])
    reaper.main(str(tmp_path / "run"))
    assert not list(tmp_path.iterdir())


def test_a_directory_that_is_still_written_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It tries again for half a second, and then leaves the rest: a reaper must end."""
    (tmp_path / "run").mkdir()
    slept: list[float] = []
    monkeypatch.setattr(shutil, "rmtree", lambda *_, **__: None)
    monkeypatch.setattr(time, "sleep", slept.append)
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    monkeypatch.setattr(sys, "stdin", [])
    reaper.main(str(tmp_path / "run"))
    assert sum(slept) == pytest.approx(0.5)


@pytest.mark.parametrize(("number", "seconds"), [(4, 60), pytest.param(50, 1, marks=pytest.mark.soak)])
def test_nothing_outlives_a_server_that_was_killed(
    number: int, seconds: int, tmp_path: Path, survival: Survival
) -> None:
    """R-05: its processes, each with a child of its own, and the directory, are gone within a second."""
    command = [sys.executable, str(DOOMED), str(tmp_path / "run"), str(number)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as server:
        assert server.stdout is not None
        pids = json.loads(server.stdout.readline())
        assert len(pids) == 2 * number
        assert all(map(alive, pids))
        server.kill()
        killed = time.monotonic()
    took = 0.0
    while left := [pid for pid in pids if alive(pid)] or list(tmp_path.glob("run")):
        if (took := time.monotonic() - killed) > seconds:
            break
        time.sleep(0.005)
    survival("R-05", "processes of a server killed by SIGKILL", tried=len(pids), lost=len(left), figure=f"{took:.2f} s")
    assert not left
