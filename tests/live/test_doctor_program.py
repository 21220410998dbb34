"""``cca doctor`` with the real Claude Code."""

import os
from pathlib import Path

import pytest
import trio

from cca.claude.launch import Directories, Launch
from cca.doctor import program
from cca.settings import Settings

pytestmark = pytest.mark.live

MOST = 3.0
"""Seconds that the look at it may take, on a machine that does nothing else."""


async def test_claude_code_as_it_is_passes_in_time(tmp_path: Path) -> None:
    environ = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    began = trio.current_time()
    found = await program.claude(Settings(), environ)
    assert [(finding.checked, finding.level != "fail") for finding in found] == [
        ("claude code", True),
        ("sandbox", True),
        ("behaviour", True),
    ]
    assert trio.current_time() - began < 10 * MOST
    assert "no file is read, no command run" in found[-1].said


async def test_no_program_is_a_failure_that_says_what_to_do(tmp_path: Path) -> None:
    [found] = await program.claude(Settings(claude=tmp_path / "nowhere"), {})
    assert (found.level, "is not a program" in found.said) == ("fail", True)


async def test_a_sandbox_that_must_be_had_and_is_not_there_is_a_failure(tmp_path: Path) -> None:
    found = await program.claude(Settings(sandbox="on"), {"PATH": str(tmp_path), "HOME": str(tmp_path)})
    assert [(finding.checked, finding.level) for finding in found] == [("claude code", "ok"), ("sandbox", "fail")]


async def test_a_sandbox_that_is_not_wanted_is_none(tmp_path: Path) -> None:
    environ = {"PATH": str(tmp_path), "HOME": str(tmp_path)}
    levels = [(await program.claude(Settings(sandbox=wanted), environ))[1].level for wanted in ("off", "auto")]
    assert levels == ["ok", "warn"]


async def test_what_cannot_be_started_is_a_failure(tmp_path: Path) -> None:
    def launcher(directories: Directories) -> Launch:
        return Launch((str(tmp_path / "nowhere"),), {"TMPDIR": directories.temporary}, directories.work)

    found = await program.behaviour(launcher)
    assert (found.level, "cannot be started" in found.said) == ("fail", True)


async def test_what_says_nothing_of_claude_codes_is_a_failure() -> None:
    def launcher(directories: Directories) -> Launch:
        return Launch(("/bin/true",), {"TMPDIR": directories.temporary}, directories.work)

    found = await program.behaviour(launcher)
    assert (found.level, "it does not ask the model" in found.said) == ("fail", True)
