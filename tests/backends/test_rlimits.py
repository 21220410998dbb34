"""No process of cca's leaves its memory in a file."""

import os
import resource
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from fakes import launching

from cca.backends.live import open_live
from cca.backends.rlimits import PIPED_TO_NOBODY, forbid_core_dumps

DUMPS = "import resource; resource.setrlimit(resource.RLIMIT_CORE, (-1, -1)); "
FORBIDS = "from cca.backends.rlimits import forbid_core_dumps; forbid_core_dumps(); "
DIES = "import os; os.abort()"


def dumped(code: str) -> bool:
    """Whether a process that dies of ``code`` is said to have left a core dump."""
    child = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.DEVNULL)
    _, status = os.waitpid(child.pid, 0)
    child.returncode = 0
    assert os.WTERMSIG(status) == signal.SIGABRT
    return os.WCOREDUMP(status)


def test_a_process_that_may_not_leaves_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    if not dumped(DUMPS + DIES):
        pytest.skip("no process leaves one here")
    assert not dumped(DUMPS + FORBIDS + DIES)


@pytest.mark.parametrize(
    ("platform", "most", "limit"), [("linux", -1, (1, -1)), ("linux", 0, (0, 0)), ("darwin", -1, (0, -1))]
)
def test_the_limit(platform: str, most: int, limit: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[tuple[int, int]] = []
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setattr(resource, "getrlimit", lambda _: (most, most))
    monkeypatch.setattr(resource, "setrlimit", lambda _, given: told.append(given))
    forbid_core_dumps()
    assert told == [limit]


@pytest.fixture
def dumping() -> Iterator[None]:
    """Let this process leave a core dump, as far as it may: what was started before has forbidden it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_CORE)
    if hard in (0, PIPED_TO_NOBODY):
        pytest.skip("no process may leave one here")
    resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))
    yield
    resource.setrlimit(resource.RLIMIT_CORE, (soft, hard))


@pytest.mark.usefixtures("dumping")
async def test_a_process_that_is_started_has_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    async with open_live(launching(("serve",))) as backend, backend.start() as process:
        limits = Path(f"/proc/{process.popen.pid}/limits").read_text()  # noqa: ASYNC240 - it is no file on a disk
    [row] = [row for row in limits.splitlines() if row.startswith("Max core file size")]
    assert row.split()[4] == str(PIPED_TO_NOBODY)
