"""What comes of it when the model calls a tool that nobody offered: nothing is done, whatever it is called.

Each test is one statement about Claude Code that cca relies on. A release of it that changes one fails by name.
"""

import json
from pathlib import Path

import pytest
import trio
from attrs import evolve
from live_cli import Surroundings, asked, open_cli, prompt

from cca.model import Json, Tool
from cca.scripted import open_scripted_model

pytestmark = pytest.mark.live

LOGIN = Surroundings(environ={"ANTHROPIC_API_KEY": "", "CLAUDE_CODE_OAUTH_TOKEN": "a-token"})

SETTLED = 0.5
"""Seconds in which a tool that is run has left its marker; it takes 100 ms."""

CANARY = "the-canary-sings"


def calls(marker: Path, canary: Path) -> dict[str, Json]:
    """Return calls of Claude Code's own tools that would leave a marker, or tell a canary."""
    command = f"touch {marker}"
    return {
        "Bash": {"command": command},
        "PowerShell": {"command": command},
        "Write": {"file_path": str(marker), "content": "x"},
        "Edit": {"file_path": str(marker), "old_string": "", "new_string": "x"},
        "NotebookEdit": {"notebook_path": str(marker), "new_source": "x"},
        "Read": {"file_path": str(canary)},
        "Grep": {"pattern": "sings", "path": str(canary), "output_mode": "content"},
        "Glob": {"pattern": "*", "path": str(canary.parent)},
        "Task": {"description": "x", "prompt": command, "subagent_type": "general-purpose"},
        "Agent": {"description": "x", "prompt": command, "subagent_type": "general-purpose"},
        "Skill": {"skill": "init"},
        "SlashCommand": {"command": "/init"},
        "WebFetch": {"url": "http://127.0.0.1:9/", "prompt": command},
        "mcp__planted__run": {"command": command},
    }


@pytest.mark.parametrize("surroundings", [Surroundings(), LOGIN], ids=["key", "login"])
async def test_a_call_of_a_tool_that_is_not_offered_does_nothing(surroundings: Surroundings, tmp_path: Path) -> None:
    """S-37: also where the program goes on by itself, and is not killed."""
    marker, canary = tmp_path / "marker", tmp_path / "canary.txt"
    await trio.Path(canary).write_text(CANARY)
    said = " ".join(f"[[call {name} {json.dumps(value)}]]" for name, value in calls(marker, canary).items())
    async with open_scripted_model() as model, open_cli(model, surroundings) as cli:
        cli.ask(said)
        await cli.until(type="result")
        await trio.sleep(SETTLED)
        requests = asked(model)
    turns = [turn["content"] for turn in requests[-1]["messages"] if turn["role"] == "assistant"]
    made = [block["name"] for content in turns for block in content if block["type"] == "tool_use"]
    assert made == list(calls(marker, canary)), "each was called, and the program told the model of it"
    assert not await trio.Path(marker).exists()
    assert CANARY not in json.dumps(requests)


@pytest.mark.parametrize("name", ["Bash", "Write", "Read"])
async def test_a_clients_tool_of_such_a_name_is_the_clients_alone(name: str, tmp_path: Path) -> None:
    """S-37: the program asks for its result, and does nothing of its own."""
    marker, canary = tmp_path / "marker", tmp_path / "canary.txt"
    await trio.Path(canary).write_text(CANARY)
    call = calls(marker, canary)[name]
    conversation = evolve(prompt(f"[[call {name} {json.dumps(call)}]]"), tools=(Tool(name, "x", {"type": "object"}),))
    async with open_scripted_model() as model, open_cli(model) as cli:
        await cli.converse(conversation)
        await trio.sleep(SETTLED)
        assert len(asked(model)) == 1
        assert CANARY not in json.dumps(cli.lines)
    assert not await trio.Path(marker).exists()
