"""The README's examples, as they are printed, against the server that its first command starts."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest
from live_cli import program
from live_server import SECONDS, Server, serving

pytestmark = pytest.mark.live

README = (Path(__file__).parent.parent.parent / "README.md").read_text()
PRINTED_ADDRESS = "http://127.0.0.1:8000"


def run(command: list[str], server: Server) -> str:
    """Return what ``command`` prints, asked of ``server`` in place of the address that the README prints."""
    here = [word.replace(PRINTED_ADDRESS, server.address) for word in command]
    return subprocess.run(here, check=True, capture_output=True, text=True, timeout=SECONDS).stdout


def test_the_curl_example_answers() -> None:
    found = re.search(r"^    (curl .*?^    }')$", README, re.DOTALL | re.MULTILINE)
    assert found is not None
    with serving() as server:
        assert '"content":"Hello from Claude Code."' in run(["sh", "-c", found[1]], server)


def indented(section: str, command: str) -> list[str]:
    """Return the code blocks of a section that begin with ``command``, each as it can be run."""
    _, _, rest = README.partition(f"\n## {section}\n")
    text, _, _ = rest.partition("\n## ")
    blocks = re.findall(r"(?:^    .*\n)+", text, re.MULTILINE)
    return [dedent(block) for block in blocks if block.startswith(f"    {command} ")]


def test_the_examples_of_sessions_and_usage_do_what_they_say(tmp_path: Path) -> None:
    """In the order in which they are printed, and against one server."""
    [asking, on_the_machine], [counting, summing] = (
        indented("Sessions", "curl") + indented("Sessions", "cca"),
        indented("Usage", "curl") + indented("Usage", "cca"),
    )
    with serving("--database", str(tmp_path / "cca.db")) as server:
        # An error's status fails it, and each answer is a line.
        asked = asking.replace("curl ", r"curl --fail --silent --show-error -w '\n' ")
        said, listed, walk, turns, changed, forked, deleted = map(
            json.loads, run(["sh", "-ec", asked], server).splitlines()
        )
        assert said["choices"][0]["message"]["content"] == "My name is Ada."
        assert [each["id"] for each in listed["data"]] == [walk["id"]] == ["walk"]
        assert [turn["role"] for turn in turns["data"]] == ["user", "assistant"]
        assert (changed["title"], forked["id"], deleted["deleted"]) == ("A walk", "walk-2", True)
        assert json.loads(run(["sh", "-ec", counting], server))["object"] == "usage"

        program = f"{sys.executable} -m cca"
        for commands in (on_the_machine, summing):
            here = commands.replace("cca ", f"{program} ")
            done = subprocess.run(
                ["sh", "-ec", here],
                check=True,
                capture_output=True,
                text=True,
                timeout=SECONDS,
                cwd=tmp_path,
                env={**os.environ, "CCA_DATABASE": str(tmp_path / "cca.db")},
            )
        assert "total" in done.stdout
    assert sorted(path.name for path in tmp_path.glob("walk*")) == ["walk", "walk.md"]


def test_the_example_of_responses_answers() -> None:
    [asking] = indented("Responses", "curl")
    with serving() as server:
        assert '"text":"Hello from Claude Code."' in run(["sh", "-ec", asking], server)


def test_the_examples_of_messages_answer(tmp_path: Path) -> None:
    """One of them is Claude Code as the client."""
    [asking] = indented("Messages", "curl")
    curl, itself = asking.split("\nANTHROPIC_")
    (tmp_path / "claude").symlink_to(program())
    here = f"PATH={tmp_path}:$PATH HOME={tmp_path} CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC=1 ANTHROPIC_{itself}"
    with serving() as server:
        assert '"text":"Hello from Claude Code."' in run(["sh", "-ec", curl], server)
        assert run(["sh", "-ec", here], server) == "1, 2, 3, 4, 5\n"


@pytest.mark.clients
def test_the_python_examples_answer() -> None:
    openai, anthropic = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    with serving() as server:
        assert run([sys.executable, "-c", openai], server) == "1, 2, 3, 4, 5"
        assert run([sys.executable, "-c", anthropic], server) == "1, 2, 3, 4, 5"
