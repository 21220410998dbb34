"""What of the machine reaches the program, and what the program leaves on the machine.

Each test is one statement about Claude Code that cca relies on. A release of it that changes one fails by name.
"""

import json
import re
from functools import partial
from pathlib import Path

import pytest
import trio
from attrs import evolve
from live_cli import CREDENTIALS, Cli, Surroundings, asked, converse, open_cli, prompt

from cca.model import Finished, Json
from cca.scripted import open_scripted_model

pytestmark = pytest.mark.live

LOGIN = Surroundings(environ={"ANTHROPIC_API_KEY": "", "CLAUDE_CODE_OAUTH_TOKEN": "a-token"})

GIVEN_UP = frozenset({"--bare", "--setting-sources=", "--strict-mcp-config"})
"""What cca starts it with, that keeps it from what lies around."""

CANARY = "the canary sings"


def plant(place: Path, marker: Path) -> None:
    """Put into ``place`` all that Claude Code would take there: memory, hooks, servers, an output style."""
    command = f"echo hook >> {marker}"
    hook = [{"hooks": [{"type": "command", "command": command}]}]
    hooks = {"hooks": {"SessionStart": hook, "UserPromptSubmit": hook, "Stop": hook}}
    server = {"mcpServers": {"planted": {"command": "/bin/sh", "args": ["-c", f"echo server >> {marker}"]}}}
    trusted = {"projects": {str(place): {"hasTrustDialogAccepted": True, "enabledMcpjsonServers": ["planted"]}}}
    (place / ".claude").mkdir(parents=True)
    for name, content in {
        "CLAUDE.md": CANARY,
        ".claude/CLAUDE.md": CANARY,
        "AGENTS.md": CANARY,
        ".claude/settings.json": json.dumps(hooks),
        ".claude/settings.local.json": json.dumps(hooks),
        ".mcp.json": json.dumps(server),
        ".claude.json": json.dumps(trusted | server),
    }.items():
        (place / name).write_text(content)


def planted(directory: Path, marker: Path) -> Surroundings:
    """Return surroundings with the plants in the home, and in the parents of the working directory and in itself."""
    home, run = directory / "home", directory / "parent" / "run"
    for place in (home, directory / "parent", run):
        plant(place, marker)
    return Surroundings(home=home, directory=run, furnish=partial(plant, marker=marker))


@pytest.mark.parametrize("login", [False, True], ids=["key", "login"])
async def test_what_lies_around_is_not_loaded(tmp_path: Path, login: bool) -> None:  # noqa: FBT001
    marker = tmp_path / "marker"
    surroundings = planted(tmp_path, marker)
    if login:
        surroundings = evolve(surroundings, environ=LOGIN.environ)
    events, _, requests = await converse(prompt("hello"), surroundings)
    assert isinstance(events[-1], Finished)
    assert CANARY not in json.dumps(requests)
    assert not marker.exists()


async def test_it_would_be_loaded_without_our_arguments(tmp_path: Path) -> None:
    """The plants above are real: without what cca starts it with, the program takes them all."""
    marker = tmp_path / "marker"
    open_door = evolve(planted(tmp_path, marker), environ=LOGIN.environ, without=GIVEN_UP)
    async with open_scripted_model() as model, open_cli(model, open_door) as cli:
        cli.ask("hello")
        await cli.until(type="result")
        assert CANARY in json.dumps(asked(model))
    assert "hook" in marker.read_text()


async def test_the_program_has_no_tools_skills_or_servers_of_its_own() -> None:
    async with open_scripted_model() as model, open_cli(model) as cli:
        cli.ask("hello")
        started: Json = await cli.until(type="system", subtype="init")
        assert [started[name] for name in ("tools", "mcp_servers", "skills", "slash_commands")] == [[], [], [], []]


async def test_nothing_but_the_answer_goes_to_the_api() -> None:
    async with open_scripted_model() as model, open_cli(model) as cli:
        cli.ask("hello")
        await cli.until(type="result")
        assert [(received.method, received.path) for received in model.received] == [("POST", "/v1/messages")]


async def test_the_working_directory_stays_empty() -> None:
    async with open_scripted_model() as model, open_cli(model) as cli:
        cli.ask("hello")
        await cli.until(type="result")
        assert list(await trio.Path(cli.process.launch.cwd).iterdir()) == []


async def test_sigkill_leaves_a_session_file_and_a_key_by_its_pid(tmp_path: Path) -> None:
    config = tmp_path / "config"
    own = evolve(LOGIN, env={"CLAUDE_CONFIG_DIR": str(config)})
    async with open_scripted_model() as model, open_cli(model, own) as cli:
        await cli.converse(prompt("hello"))
        await killed(cli)
        left = {path.name for path in (config / "sessions").iterdir()}
        pid = cli.process.popen.pid
        assert f"{pid}.json" in left
        assert [name for name in left if re.fullmatch(rf"{pid}\.[0-9a-f]+\.key", name)]
        assert all(name.startswith(f"{pid}.") for name in left)


async def test_sigkill_leaves_more_in_its_temporary_directory_which_is_private() -> None:
    async with open_scripted_model() as model, open_cli(model, LOGIN) as cli:
        await cli.converse(prompt("hello"))
        await killed(cli)
        temporary = trio.Path(cli.process.launch.env["TMPDIR"])
        assert (await temporary.stat()).st_mode & 0o777 == 0o700
        assert await (temporary / "cc-socks").is_dir()


async def test_nothing_of_a_killed_program_stays_by_its_pid_in_the_users_own_configuration(tmp_path: Path) -> None:
    """With the user's login, it runs on the user's own files."""
    (tmp_path / ".claude").mkdir()
    (tmp_path / ".claude" / ".credentials.json").write_text(json.dumps(CREDENTIALS))
    own = Surroundings(environ={"ANTHROPIC_API_KEY": ""}, home=tmp_path)
    async with open_scripted_model() as model:
        async with open_cli(model, own) as cli:
            events = await cli.converse(prompt("hello"))
            pid = cli.process.popen.pid
            assert list((tmp_path / ".claude" / "sessions").iterdir())
        assert isinstance(events[-1], Finished)
        assert "authorization" in model.received[0].headers
    assert [path for path in (tmp_path / ".claude").rglob("*") if str(pid) in path.name] == []


async def killed(cli: Cli) -> None:
    cli.process.popen.kill()
    await cli.process.wait()
