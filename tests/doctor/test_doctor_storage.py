"""What is checked of the database and of its keys."""

from functools import partial
from pathlib import Path

import pytest
import trio

from cca.doctor.finding import Finding
from cca.doctor.storage import database
from cca.keys import Key
from cca.limits.policy import NO_LIMITS
from cca.store import keys
from cca.store.database import open_database

NOW = 1_000_000.0

ANN = Key("0001020304050607", "ann", b"ann", frozenset(("chat",)), NO_LIMITS, NOW - 10)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "cca.db"


def look(path: Path, host: str = "127.0.0.1") -> list[Finding]:
    return trio.run(database, path, host, NOW)


def levels(path: Path, host: str = "127.0.0.1") -> list[str]:
    return [finding.level for finding in look(path, host)]


def make(path: Path, *made: Key) -> None:
    async def fill() -> None:
        async with open_database(path) as opened:
            for key in made:
                await opened.write(partial(keys.create, key=key))

    trio.run(fill)


def test_one_that_is_not_there_is_not_made(path: Path) -> None:
    assert levels(path) == ["ok", "ok"]
    assert not path.exists()


def test_one_that_cannot_be_made(path: Path) -> None:
    path.write_text("")
    first, _ = look(path / "cca.db")
    assert (first.level, first.said.endswith(f"{path} is no directory that can be written")) == ("fail", True)


def test_one_that_can_be_used(path: Path) -> None:
    make(path)
    assert levels(path) == ["ok", "ok"]


def test_one_that_others_may_read(path: Path) -> None:
    """S-10."""
    make(path)
    path.chmod(0o644)
    [first, _] = look(path)
    assert (first.level, first.do) == ("warn", f"chmod 600 {path}")


def test_one_that_is_no_database(path: Path) -> None:
    path.write_bytes(b"garbage" * 1000)
    [found] = look(path)
    assert found.level == "fail"
    assert path.read_bytes() == b"garbage" * 1000


def test_one_that_is_damaged(path: Path) -> None:
    make(path, ANN)
    content = bytearray(path.read_bytes())
    content[-3000:-2000] = b"\xff" * 1000
    path.write_bytes(content)
    assert levels(path)[0] == "fail"


@pytest.mark.parametrize(
    ("host", "keyed", "level"),
    [("localhost", False, "ok"), ("[::1]", False, "ok"), ("0.0.0.0", False, "fail"), ("0.0.0.0", True, "ok")],
)
def test_a_host_that_others_reach_takes_a_key(path: Path, host: str, keyed: bool, level: str) -> None:  # noqa: FBT001
    """S-02."""
    make(path, *([ANN] if keyed else []))
    assert levels(path, host)[1] == level
