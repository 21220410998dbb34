"""The sandbox: whether it is taken where it works, and that what is in it dies and tells as it would without."""

import logging
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from fakes import FAKE, Step, alive, argv, nothing_left, read_all, read_frame, read_frames, until, unwatched

from cca.backends import Exit, bubblewrap
from cca.backends.bubblewrap import HOW, entries, find_sandbox
from cca.backends.live import Launcher
from cca.claude.launch import Directories, Launch
from cca.claude.sandbox import Sandbox
from cca.errors import Unavailable

NOT_CLAUDE = "#!/bin/sh\necho 'no namespaces here' >&2\nexit 1\n"
CLAUDE = "#!/bin/sh\necho '2.1.330 (Claude Code)'\n"
PASSES_ON = '#!/bin/sh\nwhile [ "$1" != -- ]; do shift; done\nshift\nexec "$@"\n'


def works() -> bool:
    """Whether bubblewrap works here."""
    tried = ("bwrap", "--unshare-pid", "--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc", "true")
    return shutil.which("bwrap") is not None and subprocess.run(tried, check=False, capture_output=True).returncode == 0


CONFINED = pytest.mark.skipif(not works(), reason="bubblewrap does not work here")


@pytest.fixture
def program(tmp_path: Path) -> str:
    return script(tmp_path / "claude", CLAUDE)


def script(path: Path, content: str) -> str:
    path.write_text(content)
    path.chmod(0o700)
    return str(path)


def on_path(tmp_path: Path, bwrap: str | None) -> dict[str, str]:
    """Return an environment with such a program of bubblewrap."""
    place = tmp_path / "bin"
    place.mkdir()
    if bwrap is not None:
        script(place / "bwrap", bwrap)
    return {"PATH": f"{place}", "HOME": str(tmp_path), "ANTHROPIC_API_KEY": "k"}


@pytest.mark.parametrize("wanted", ["auto", "on"])
def test_it_is_used_where_it_works(wanted: str, tmp_path: Path, program: str, caplog: pytest.LogCaptureFixture) -> None:
    environ = on_path(tmp_path, PASSES_ON)
    assert find_sandbox(wanted, program, environ) == Sandbox(
        f"{tmp_path}/bin/bwrap", (program, os.path.realpath("/etc/resolv.conf")), os.path.exists, entries
    )
    assert not caplog.records


def test_it_is_not_looked_for_where_it_is_not_wanted(tmp_path: Path, program: str) -> None:
    assert find_sandbox("off", program, on_path(tmp_path, PASSES_ON)) is None


@pytest.mark.parametrize(
    ("bwrap", "why"),
    [(None, "there is no bwrap on PATH"), (NOT_CLAUDE, "no namespaces here")],
    ids=["none", "one that does not work"],
)
def test_where_it_does_not_work_auto_says_so_and_on_refuses(
    bwrap: str | None, why: str, tmp_path: Path, program: str, caplog: pytest.LogCaptureFixture
) -> None:
    environ = on_path(tmp_path, bwrap)
    assert find_sandbox("auto", program, environ) is None
    [record] = caplog.records
    assert (record.levelno, record.getMessage()) == (
        logging.WARNING,
        f"Claude Code runs without a sandbox: {why}. {HOW}",
    )
    with pytest.raises(Unavailable, match=rf"{why}\. Install bubblewrap, .* or use --sandbox off\."):
        find_sandbox("on", program, environ)


def test_a_sandbox_that_hangs_is_none(tmp_path: Path, program: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bubblewrap, "TRIAL_TIMEOUT", 0.05)
    with pytest.raises(Unavailable, match="timed out"):
        find_sandbox("on", program, on_path(tmp_path, "#!/bin/sh\nexec sleep 30\n".replace("sleep", "/bin/sleep")))


def test_a_sandbox_that_says_nothing_is_none(tmp_path: Path, program: str) -> None:
    with pytest.raises(Unavailable, match="does not say its version"):
        find_sandbox("on", program, on_path(tmp_path, "#!/bin/sh\n"))


def test_another_system_has_none(program: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(Unavailable, match="bubblewrap is for Linux, and this is darwin"):
        find_sandbox("on", program, {})


# In one.


@pytest.fixture
def home(tmp_path: Path) -> Path:
    place = tmp_path / "home"
    place.mkdir()
    (place / "secret").write_text("of the user's")
    return place


def confined(home: Path, *steps: Step, login: bool = False) -> Launcher:
    """Return a launcher of the fake Claude Code, in the sandbox that there is."""
    bwrap, interpreter = shutil.which("bwrap"), os.path.realpath(sys.executable)
    assert bwrap is not None
    sandbox = Sandbox(bwrap, (str(FAKE), interpreter), os.path.exists, entries)
    env = {"HOME": str(home), "ANTHROPIC_API_KEY": "k"}

    def launcher(directories: Directories) -> Launch:
        before = sandbox.before(env, str(Path(directories.work).parent), directories.work, login=login)
        return Launch((interpreter, *argv(*steps)[1:]), env, directories.work, before)

    return launcher


def is_there(place: str) -> bool:
    return Path(place).exists()


def family(pid: int) -> set[int]:
    """Return a process and all that come from it."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return {pid}.union(*map(family, map(int, children)))


@CONFINED
async def test_a_process_in_it_is_as_any_other(tmp_path: Path, home: Path) -> None:
    """S-38, S-39, R-06: its environment, but for a name of the shell's, its descriptors, and no death signal."""
    with unwatched(tmp_path / "run", confined(home, ("report",))) as backend:
        async with backend.start() as process:
            said = await read_frame(process)
    env = process.launch.env
    assert said["env"] == {**env, "PWD": process.launch.cwd}
    assert (said["cwd"], said["descriptors"], said["signal_of_death"]) == (process.launch.cwd, [0, 1, 2], 0)


@CONFINED
async def test_it_sees_nothing_of_the_users_and_writes_to_its_own_alone(tmp_path: Path, home: Path) -> None:
    places = [str(home / "secret"), "/etc/passwd", str(tmp_path), "/tmp/new", "/etc/new", "/new", "new"]  # noqa: S108
    with unwatched(tmp_path / "run", confined(home, *[("look", place) for place in places])) as backend:
        async with backend.start() as process:
            looked = {frame["path"]: (frame["there"], frame["writable"]) for frame in await read_frames(process, 7)}
    assert looked == {
        places[0]: (False, True),
        "/etc/passwd": (True, False),
        places[2]: (True, True),
        "/tmp/new": (False, True),  # noqa: S108
        "/etc/new": (False, False),
        "/new": (False, False),
        "new": (False, True),
    }
    written = [place for place in ("/tmp/new", f"{home}/new", f"{tmp_path}/new") if is_there(place)]  # noqa: S108
    assert not written, "it was its own"


@CONFINED
async def test_with_a_login_it_changes_nothing_that_the_users_own_program_obeys(tmp_path: Path, home: Path) -> None:
    """A hook would run outside of the sandbox. What it needs is a directory that both lock, to renew the login."""
    config = home / ".claude"
    for directory in ("commands", "projects", "image-cache"):
        (config / directory).mkdir(parents=True)
    kept = ("settings.json", "statusline.sh", "projects/said.jsonl", "image-cache/1.png")
    for name in (*kept, ".credentials.json", "dots"):
        (config / name).write_text("{}")
    (config / "CLAUDE.md").symlink_to(config / "dots")
    names = [*kept, "commands/new.md", ".credentials.json"]
    steps: list[Step] = [("look", str(config / name)) for name in names]
    with unwatched(tmp_path / "run", confined(home, *steps, login=True)) as backend:
        async with backend.start() as process:
            looked = {frame["path"]: (frame["there"], frame["writable"]) for frame in await read_frames(process, 6)}
    assert [looked[str(config / name)] for name in names] == [
        *[(True, False)] * 2,
        *[(False, True)] * 3,
        (True, True),
    ]
    assert [(config / name).read_text() for name in kept] == ["{}"] * 4, "what was written was its own"
    assert not list((config / "commands").iterdir())


@CONFINED
async def test_it_reaches_no_socket_of_the_systems(tmp_path: Path, home: Path) -> None:
    places = [f"/run/{name}" for name in os.listdir("/run")]  # noqa: PTH208 - see fakes
    assert places
    with unwatched(tmp_path / "run", confined(home, *[("look", place) for place in places])) as backend:
        async with backend.start() as process:
            assert not any(frame["there"] for frame in await read_frames(process, len(places)))


@CONFINED
@pytest.mark.parametrize("descendant", ["child", "daemon"])
async def test_leaving_kills_all_of_it(descendant: str, tmp_path: Path, home: Path) -> None:
    """Also what fled from its group, which without a sandbox lives on; and all that the reaper knows by one number."""
    with unwatched(tmp_path / "run", confined(home, ("stay",), (descendant,), ("pid",), ("hang",))) as backend:
        async with backend.start() as process:
            await read_frames(process, 2)
            pids = family(process.popen.pid)
            assert len(pids) >= 4
            groups = {os.getpgid(pid) for pid in pids}
            assert process.popen.pid in groups
            assert descendant == "daemon" or len(groups) == 1
            assert process.memory > 2_000_000
        await until(lambda: not any(map(alive, pids)))


@CONFINED
@pytest.mark.parametrize(
    ("step", "code"), [(("exit", 0), 0), (("exit", 3), 3), (("die", 9), -9), (("die", 11), -11)], ids=repr
)
async def test_it_ends_as_it_would_without(step: Step, code: int, tmp_path: Path, home: Path) -> None:
    launcher = confined(home, ("stderr", "oops\n"), ("raw", "word"), step)
    with nothing_left(tmp_path / "run"), unwatched(tmp_path / "run", launcher) as backend:
        async with backend.start() as process:
            assert await read_all(process) == b"word"
            assert await process.wait() == Exit(code, "oops\n")
