"""What a server looks at before it serves: that its Claude Code only passes on what is said."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import trio
from attrs import evolve
from live_cli import program
from live_server import SECONDS, serving

from cca.backends.live import LiveBackend, open_live, open_reaper
from cca.claude.launch import Directories, Launch, launch
from cca.doctor.behaviour import check, misbehaviour
from cca.errors import Unavailable

pytestmark = pytest.mark.live


def test_a_server_that_looks_first_serves() -> None:
    with serving(CCA_SELF_TEST="1") as server:
        assert server.chat("hello").json["choices"][0]["message"]["content"] == "hello"
        assert [path.name for path in server.temporary.glob("cca-*/check")] == []


PASSES_ON = '#!/bin/sh\nexec PROGRAM "$@"\n'
READS_FILES = """#!/bin/sh
[ "$1" = --version ] && exec PROGRAM --version
unset CLAUDE_CODE_DISABLE_ATTACHMENTS
sed -u 's/"client_composed":true/"client_composed":false/' | exec PROGRAM "$@"
"""


def replaced(path: Path, script: str) -> None:
    """As an update does: another file in its place."""
    beside = path.with_name("beside")
    beside.write_text(script.replace("PROGRAM", program()))
    beside.chmod(0o700)
    beside.rename(path)


def test_what_takes_its_place_later_is_looked_at_before_it_is_used(tmp_path: Path) -> None:
    """S-30: Claude Code updates itself under a server that runs. One that reads files gets nobody's words."""
    path = tmp_path / "claude"
    replaced(path, PASSES_ON)
    with serving(f"--claude={path}", CCA_SELF_TEST="1") as server:
        replaced(path, READS_FILES)
        refused = server.chat("hello")
        assert refused.status == 503
        assert "was replaced while cca ran, and what is there now is not used" in refused.json["error"]["message"]
        replaced(path, PASSES_ON)
        assert server.chat("hello").json["choices"][0]["message"]["content"] == "hello"


LOGINS = pytest.mark.parametrize("login", ["ANTHROPIC_API_KEY", "CLAUDE_CODE_OAUTH_TOKEN", "NONE"])

OLD = 'sed -u \'s/"client_composed":true/"client_composed":false/\' | exec "$@"'
"""A shell's command for a program that does not know our frames' field, as Claude Code before 2.1.248."""

SWITCHED = "CLAUDE_CODE_DISABLE_ATTACHMENTS"


def as_it_is(launch: Launch) -> Launch:
    return launch


def old(launch: Launch) -> Launch:
    env = {name: value for name, value in launch.env.items() if name != SWITCHED}
    return Launch(("sh", "-c", OLD, "sh", *launch.argv), env, launch.cwd)


def ending(launch: Launch) -> Launch:
    return evolve(launch, argv=(*launch.argv, "--no-such-argument"))


async def found(tmp_path: Path, login: str, changed: Callable[[Launch], Launch]) -> Sequence[str]:
    environ = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), login: "nobody's"}

    def launcher(directories: Directories) -> Launch:
        return changed(launch(program(), environ, directories, retries=0))

    run = tmp_path / "run"
    run.mkdir()
    async with open_reaper(run) as reaper:
        with trio.fail_after(SECONDS):
            wrong = await misbehaviour(LiveBackend(launcher, reaper, run))
        assert list(run.iterdir()) == []
    return wrong


@LOGINS
async def test_claude_code_as_cca_starts_it_only_passes_on_what_is_said(tmp_path: Path, login: str) -> None:
    """S-30: with a key, with a token, and as with a login of the user's."""
    assert await found(tmp_path, login, as_it_is) == []


async def test_one_that_reads_files_and_runs_commands_is_told(tmp_path: Path) -> None:
    """S-30: the look finds what it is there for."""
    first, *_ = await found(tmp_path, "NONE", old)
    assert first == "it does not ask the model"


async def test_one_that_does_not_take_our_arguments_is_told(tmp_path: Path) -> None:
    assert "it does not ask the model" in await found(tmp_path, "NONE", ending)


async def test_a_server_does_not_start_with_one_that_cannot_be_trusted(tmp_path: Path) -> None:
    nobody = {"ANTHROPIC_API_KEY": "nobody's", "ANTHROPIC_BASE_URL": "http://127.0.0.1:9"}
    environ = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), **nobody}

    def launcher(directories: Directories) -> Launch:
        return old(launch(program(), environ, directories, retries=0))

    with pytest.RaisesGroup(pytest.RaisesExc(Unavailable, match="cannot be trusted with prompts: ")):
        async with open_live(launcher, check):
            pass
