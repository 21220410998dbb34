"""Where the Claude Code program is looked for, and what is said when it is not there."""

import sys
from pathlib import Path

import pytest
import trio
from fakes import alive, nothing_left, until

from cca.backends import discovery
from cca.backends.discovery import find_claude, version_at, version_told
from cca.errors import Unavailable

GOOD = "echo '2.1.330 (Claude Code)'"
OLDEST = "echo '2.1.248 (Claude Code)'"
TOO_OLD = "echo '2.1.247 (Claude Code)'"
OTHER = "echo 'GNU bash, version 5.2'"
BINARY = r"printf '\377\376'"
SILENT = "exec sleep 30"


def program(path: Path, script: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o700)
    return path


@pytest.fixture(autouse=True)
def sdk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put a claude-agent-sdk without its program before any that is installed; return where its program would be."""
    package = tmp_path / "sdk" / "claude_agent_sdk"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("raise AssertionError('it is imported')")
    monkeypatch.syspath_prepend(package.parent)
    return package / "_bundled" / "claude"


def environ(tmp_path: Path) -> dict[str, str]:
    return {"PATH": f"{tmp_path / 'bin'}:/usr/bin:/bin"}


@pytest.mark.parametrize("script", [GOOD, OLDEST])
def test_the_program_that_is_named(tmp_path: Path, script: str) -> None:
    told = program(tmp_path / "my claude", script)
    program(tmp_path / "bin" / "claude", GOOD)
    assert find_claude(told, environ(tmp_path)) == str(told)


def test_a_relative_name_is_of_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Claude Code is started in another directory."""
    program(tmp_path / "claude", GOOD)
    monkeypatch.chdir(tmp_path)
    assert find_claude(Path("claude"), environ(tmp_path)) == str(tmp_path / "claude")


def test_a_program_keeps_the_name_that_it_is_called_by(tmp_path: Path) -> None:
    """Version managers make ``claude`` a link to one program, which looks at its name."""
    program(tmp_path / "shim", f'case "$0" in */claude) {GOOD};; esac')
    link = tmp_path / "claude"
    link.symlink_to(tmp_path / "shim")
    assert find_claude(link, environ(tmp_path)) == str(link)


@pytest.mark.parametrize(
    ("script", "message"),
    [
        (TOO_OLD, r"is version 2\.1\.247; cca needs 2\.1\.248 or newer"),
        (OTHER, "does not say that it is Claude Code"),
        (BINARY, "does not say that it is Claude Code"),
        ("exit 1", "does not say that it is Claude Code"),
        (SILENT, "does not say that it is Claude Code"),
        ("cat", "does not say that it is Claude Code"),
    ],
)
def test_a_named_program_that_does_not_serve(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, message: str
) -> None:
    """It is not replaced by another that would; and one that reads its input is not waited for."""
    monkeypatch.setattr(discovery, "VERSION_TIMEOUT", 0.2 if script == SILENT else 10.0)
    program(tmp_path / "bin" / "claude", GOOD)
    with pytest.raises(Unavailable, match=f"^--claude {tmp_path}/told {message}"):
        find_claude(program(tmp_path / "told", script), environ(tmp_path))


def test_a_name_that_is_no_program(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for name in ("missing", "file", "sdk"):
        with pytest.raises(Unavailable, match=f"^--claude {tmp_path}/{name} is not a program"):
            find_claude(tmp_path / name, environ(tmp_path))


def test_the_one_on_path_comes_first(tmp_path: Path, sdk: Path) -> None:
    program(sdk, GOOD)
    assert find_claude(None, environ(tmp_path)) == str(sdk)
    on_path = program(tmp_path / "bin" / "claude", GOOD)
    assert find_claude(None, environ(tmp_path)) == str(on_path)


@pytest.mark.parametrize(
    ("script", "found"),
    [(TOO_OLD, "it is version 2.1.247, and cca needs 2.1.248"), (OTHER, "it does not say its version")],
)
def test_one_on_path_that_does_not_serve_is_passed_over(
    tmp_path: Path, sdk: Path, caplog: pytest.LogCaptureFixture, script: str, found: str
) -> None:
    program(sdk, GOOD)
    on_path = program(tmp_path / "bin" / "claude", script)
    assert find_claude(None, environ(tmp_path)) == str(sdk)
    (warning,) = [record.getMessage() for record in caplog.records]
    assert f"on PATH ({on_path})" in warning
    assert found in warning


@pytest.mark.parametrize("installed", [True, False], ids=["sdk without its program", "no sdk"])
def test_none_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, installed: bool) -> None:
    if not installed:
        monkeypatch.setattr(sys, "path", [])
    with pytest.raises(Unavailable, match=r"no Claude Code 2\.1\.248 or newer.*pip install.*--claude PATH"):
        find_claude(None, {"PATH": str(tmp_path)})


def test_only_path_and_home_are_shown_to_it(tmp_path: Path) -> None:
    told = program(tmp_path / "told", f"env > {tmp_path}/seen; {GOOD}")
    find_claude(told, {**environ(tmp_path), "HOME": "/h", "ANTHROPIC_API_KEY": "k", "LD_PRELOAD": ""})
    seen = {line.partition("=")[0] for line in (tmp_path / "seen").read_text().splitlines()}
    assert seen - {"PWD", "SHLVL", "_", "OLDPWD"} == {"PATH", "HOME"}


TELLING = {
    "one that serves": (OLDEST, (2, 1, 248)),
    "another program": (OTHER, None),
    "no program": (BINARY, None),
    "one that fails": ("exit 1", None),
    "one that says nothing": (SILENT, None),
    "one that reads its input": ("cat", None),
}


@pytest.mark.parametrize(("script", "version"), TELLING.values(), ids=TELLING)
async def test_a_server_that_runs_is_told_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, version: tuple[int, int, int] | None
) -> None:
    monkeypatch.setattr(discovery, "VERSION_TIMEOUT", 0.2 if script == SILENT else 10.0)
    told = str(program(tmp_path / "told", script))
    with nothing_left(tmp_path / "run"):
        assert await version_told(told, environ(tmp_path)) == version == version_at(told, environ(tmp_path))


async def test_no_program_tells_none(tmp_path: Path) -> None:
    assert await version_told(str(tmp_path / "missing"), environ(tmp_path)) is None


async def test_a_server_that_ends_waits_for_no_program_and_leaves_none(tmp_path: Path) -> None:
    """Nor what that started."""
    pids = tmp_path / "pids"
    told = str(program(tmp_path / "told", f"sleep 30 & echo $! $$ > {pids}; sleep 30"))
    with nothing_left(tmp_path / "run"):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(version_told, told, environ(tmp_path))
            await until(lambda: pids.is_file() and bool(pids.read_text()))
            nursery.cancel_scope.cancel()
    started = [int(pid) for pid in pids.read_text().split()]
    await until(lambda: not any(map(alive, started)), seconds=5)
