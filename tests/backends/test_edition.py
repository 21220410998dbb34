"""Which program and which login a process is of: a change of either is seen, and nothing else is."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from cca.backends.edition import edition_of
from cca.claude.launch import Launch

KEY = {"ANTHROPIC_API_KEY": "k"}
LATER = (2_000_000_000, 2_000_000_000)


@pytest.fixture
def program(tmp_path: Path) -> Path:
    path = tmp_path / "claude"
    path.write_text("#!/bin/sh\n")
    return path


def launch_of(program: Path, env: Mapping[str, str]) -> Launch:
    return Launch((str(program), "-p"), dict(env), "/")


def replaced(path: Path) -> None:
    """As a package manager does: another file in its place, of the same size, and said to be as old."""
    was = path.stat()
    beside = path.with_name("beside")
    beside.write_bytes(path.read_bytes())
    os.utime(beside, ns=(was.st_atime_ns, was.st_mtime_ns))
    beside.rename(path)


def rewritten(path: Path) -> None:
    was = path.stat()
    path.write_text("#!/bin/sh\nexit\n")
    os.utime(path, ns=(was.st_atime_ns, was.st_mtime_ns))


def touched(path: Path) -> None:
    os.utime(path, LATER)


def linked_elsewhere(path: Path) -> None:
    """As Claude Code's own updates do: the name is a link to a version."""
    other = path.with_name("2.1.331")
    other.write_bytes(path.read_bytes())
    path.unlink()
    path.symlink_to(other)


CHANGES = [Path.unlink, replaced, rewritten, touched, linked_elsewhere]
changes = pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)


@changes
def test_a_change_of_the_program_is_seen(change: Callable[[Path], None], program: Path) -> None:
    launch = launch_of(program, KEY)
    before = edition_of(launch)
    assert edition_of(launch) == before
    change(program)
    assert edition_of(launch) != before


def login(home: Path, env: Mapping[str, str]) -> Path:
    directory = Path(env.get("CLAUDE_CONFIG_DIR") or home / ".claude")
    directory.mkdir(exist_ok=True)
    file = directory / ".credentials.json"
    file.write_text("{}")
    return file


@changes
@pytest.mark.parametrize("where", ["HOME", "CLAUDE_CONFIG_DIR"])
def test_a_change_of_the_login_is_seen(
    where: str, change: Callable[[Path], None], program: Path, tmp_path: Path
) -> None:
    env = {"HOME": str(tmp_path)} | ({where: str(tmp_path / "own")} if where != "HOME" else {})
    file = login(tmp_path, env)
    launch = launch_of(program, env)
    before = edition_of(launch)
    assert edition_of(launch) == before
    change(file)
    assert edition_of(launch) != before


def test_a_first_login_is_seen(program: Path, tmp_path: Path) -> None:
    launch = launch_of(program, {"HOME": str(tmp_path)})
    before = edition_of(launch)
    login(tmp_path, {})
    assert edition_of(launch) != before


@pytest.mark.parametrize("env", [KEY, {"CLAUDE_CODE_OAUTH_TOKEN": "t"}], ids=["a key", "a token"])
def test_with_a_login_of_the_servers_own_the_users_does_not_matter(
    env: Mapping[str, str], program: Path, tmp_path: Path
) -> None:
    launch = launch_of(program, {**env, "HOME": str(tmp_path)})
    before = edition_of(launch)
    login(tmp_path, {})
    assert edition_of(launch) == before


def test_a_program_that_is_not_there_is_of_no_edition_and_that_is_told_from_one(program: Path) -> None:
    launch = launch_of(program, KEY)
    there = edition_of(launch)
    program.unlink()
    assert edition_of(launch) == edition_of(launch) != there
