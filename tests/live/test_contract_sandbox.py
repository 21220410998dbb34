"""The real Claude Code in the sandbox: it answers as without, and leaves the user's home as it was."""

import json
import os
import shutil
import statistics
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest
import trio
from live_cli import CREDENTIALS, Cli, program, prompt, text_of

from cca.backends.bubblewrap import find_sandbox
from cca.backends.live import LiveBackend, open_live
from cca.claude.launch import launch, offline_environ
from cca.scripted import open_scripted_model


def works() -> bool:
    """Whether bubblewrap works here."""
    tried = ("bwrap", "--unshare-pid", "--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc", "true")
    return shutil.which("bwrap") is not None and subprocess.run(tried, check=False, capture_output=True).returncode == 0


pytestmark = [pytest.mark.live, pytest.mark.skipif(not works(), reason="bubblewrap does not work here")]

MOST_DELAY = 1.0
"""Seconds that a sandbox may add to an answer of a process that is started for it. It adds 0.05 on an idle machine."""


@asynccontextmanager
async def open_backend(home: Path, wanted: str, *, login: bool) -> AsyncIterator[LiveBackend]:
    async with open_scripted_model() as model:
        environ = offline_environ({"PATH": os.environ["PATH"], "HOME": str(home)}, model.base_url)
        if login:
            del environ["ANTHROPIC_API_KEY"]
        sandbox = find_sandbox(wanted, program(), environ)
        assert (sandbox is not None) is (wanted == "on")
        async with open_live(partial(launch, program(), environ, retries=0, sandbox=sandbox)) as backend:
            yield backend


def furnished(home: Path) -> dict[str, str]:
    """Put a login and a conversation of the user's into ``home``. Return what is in its files."""
    (home / ".claude" / "projects" / "p").mkdir(parents=True)
    (home / ".claude" / ".credentials.json").write_text(json.dumps(CREDENTIALS))
    (home / ".claude" / "projects" / "p" / "s.jsonl").write_text("{}\n")
    for name in ("settings.json", "CLAUDE.md", "history.jsonl", "policy-limits.json"):
        (home / ".claude" / name).write_text("{}\n")
    (home / ".claude.json").write_text(json.dumps({"numStartups": 7, "hasCompletedOnboarding": True}))
    return files(home)


def files(home: Path) -> dict[str, str]:
    return {str(path.relative_to(home)): path.read_text() for path in home.rglob("*") if path.is_file()}


@pytest.mark.parametrize("login", [False, True], ids=["a key", "a login"])
async def test_it_answers_and_leaves_nothing(*, login: bool, tmp_path: Path) -> None:
    before = furnished(tmp_path)
    async with open_backend(tmp_path, "on", login=login) as backend:
        for said in ("one", "two"):
            async with backend.start() as process:
                with trio.fail_after(60):
                    assert text_of(await Cli(process).converse(prompt(said))) == said
                assert process.memory > 20_000_000
    assert files(tmp_path) == before


@pytest.mark.soak
async def test_what_it_takes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    took: dict[str, list[float]] = {"off": [], "on": []}
    async with (
        open_backend(tmp_path, "off", login=False) as without,
        open_backend(tmp_path, "on", login=False) as within,
    ):
        for _ in range(10):
            for wanted, backend in (("off", without), ("on", within)):
                began = trio.current_time()
                async with backend.start() as process:
                    await Cli(process).converse(prompt("hello"))
                    took[wanted].append(trio.current_time() - began)
    with capsys.disabled():
        print("\n", {wanted: f"{statistics.median(each):.3f} s" for wanted, each in took.items()})
    assert statistics.median(took["on"]) - statistics.median(took["off"]) < MOST_DELAY
