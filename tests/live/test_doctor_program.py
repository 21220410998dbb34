"""``cca doctor`` with the real Claude Code."""

import os
from pathlib import Path

import pytest
import trio

from cca.claude.launch import Directories, Launch
from cca.doctor import program
from cca.doctor.finding import Finding, failed, ok
from cca.settings import Settings
from survival import Survival

pytestmark = pytest.mark.live

MOST = 3.0
"""Seconds that the look at it may take, on a machine that does nothing else."""

NO_NAMESPACES = "#!/bin/sh\necho 'bwrap: no namespaces here' >&2\nexit 1\n"


async def test_claude_code_as_it_is_passes(tmp_path: Path) -> None:
    environ = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    found = await program.claude(Settings(), environ)
    assert [(finding.checked, finding.level != "fail") for finding in found] == [
        ("claude code", True),
        ("sandbox", True),
        ("behaviour", True),
    ]
    assert "no file is read, no command run" in found[-1].said


@pytest.mark.soak
async def test_the_look_takes_as_long_as_one_start_of_claude_code(tmp_path: Path, survival: Survival) -> None:
    """S-30. Most of it is Claude Code's own start; the first look loads the server of the scripted model, too."""
    environ = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    took, passed = [], 0
    for _ in range(10):
        began = trio.current_time()
        found = await program.claude(Settings(), environ)
        took.append(trio.current_time() - began)
        passed += not failed(found)
    figure = f"{took[0]:.1f} s the first, then {max(took[1:]):.1f} s at most, of {MOST:.0f} s on an idle machine"
    survival("S-30", "looks at Claude Code before it is used", tried=len(took), lost=len(took) - passed, figure=figure)
    assert passed == len(took)


async def test_no_program_is_a_failure_that_says_what_to_do(tmp_path: Path) -> None:
    [found] = await program.claude(Settings(claude=tmp_path / "nowhere"), {})
    assert (found.level, "is not a program" in found.said) == ("fail", True)


@pytest.mark.parametrize(
    ("bwrap", "why"), [(None, "there is no bwrap on PATH"), (NO_NAMESPACES, "bwrap: no namespaces here")]
)
@pytest.mark.parametrize(
    ("wanted", "level", "checked"),
    [
        ("off", "ok", ["claude code", "sandbox", "behaviour"]),
        ("auto", "warn", ["claude code", "sandbox", "behaviour"]),
        ("on", "fail", ["claude code", "sandbox"]),
    ],
)
async def test_where_there_is_no_sandbox_it_says_why(
    wanted: str,
    level: str,
    checked: list[str],
    bwrap: str | None,
    why: str,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A failure only where one must be had: then nothing is started. The log does not say it once more."""

    async def not_looked_at(_: object) -> Finding:
        return ok("behaviour", "not looked at")

    monkeypatch.setattr(program, "behaviour", not_looked_at)
    if bwrap is not None:
        (tmp_path / "bwrap").write_text(bwrap)
        (tmp_path / "bwrap").chmod(0o700)
    found = await program.claude(Settings(sandbox=wanted), {"PATH": str(tmp_path), "HOME": str(tmp_path)})
    assert [finding.checked for finding in found] == checked
    assert (found[1].level, why in found[1].said) == (level, wanted != "off")
    assert not caplog.records


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
