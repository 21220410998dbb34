"""How much memory processes take, and how much there is, by what Linux says of both; elsewhere nothing is known."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from cca.backends.memory import PAGE, all_memory, free_memory, own_memory

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="it has no /proc")
MEGABYTE = 1_000_000


def saying(monkeypatch: pytest.MonkeyPatch, said: bytes | OSError) -> list[str]:
    """Let the system say this. Return which files were read."""
    read: list[str] = []

    def read_bytes(path: Path) -> bytes:
        read.append(str(path))
        if isinstance(said, OSError):
            raise said
        return said

    monkeypatch.setattr(Path, "read_bytes", read_bytes)
    return read


@pytest.mark.parametrize(
    ("said", "pages"),
    [
        pytest.param(b"5000 700 200 10 0 300 0\n", 500, id="what is resident, but for what is shared"),
        pytest.param(b"", 0, id="a process that has died"),
        pytest.param(FileNotFoundError(), 0, id="a process that is gone, or no /proc"),
        pytest.param(PermissionError(), 0, id="what may not be read"),
    ],
)
def test_a_process_has_for_itself(said: bytes | OSError, pages: int, monkeypatch: pytest.MonkeyPatch) -> None:
    read = saying(monkeypatch, said)
    assert own_memory(4711) == pages * PAGE
    assert read == ["/proc/4711/statm"]


@pytest.mark.parametrize(
    ("said", "free"),
    [
        pytest.param(b"MemTotal:  8000000 kB\nMemFree:  90 kB\nMemAvailable:    1234 kB\n", 1234 * 1024, id="its line"),
        pytest.param(b"MemTotal:  8000000 kB\nMemFree:  90 kB\n", None, id="none, on an old kernel"),
        pytest.param(FileNotFoundError(), None, id="no /proc"),
    ],
)
def test_there_is_free(said: bytes | OSError, free: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    read = saying(monkeypatch, said)
    assert free_memory() == free
    assert read == ["/proc/meminfo"]


@LINUX
def test_of_a_real_machine_some_is_free_and_no_more_than_all() -> None:
    free = free_memory()
    assert free is not None
    assert 0 < free <= all_memory()


@LINUX
def test_a_real_process_that_takes_memory_has_it() -> None:
    program = "import sys; held = bytearray(int(sys.argv[1])); print('.', flush=True); sys.stdin.read()"

    def taken(size: int) -> int:
        with subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", program, str(size)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as process:
            assert process.stdout is not None
            process.stdout.readline()
            return own_memory(process.pid)

    assert taken(40 * MEGABYTE) - taken(0) == pytest.approx(40 * MEGABYTE, rel=0.1)


@LINUX
def test_one_that_has_ended_has_none() -> None:
    with subprocess.Popen([sys.executable, "-I", "-S", "-c", ""]) as process:
        process.wait()
        assert own_memory(process.pid) == 0


def test_this_process_has_less_than_there_is() -> None:
    assert 0 <= own_memory(os.getpid()) < all_memory()
