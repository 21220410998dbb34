"""Coding agents, each asked once and not interactively. What cca then asked of Claude Code is in its recordings.

They put much before and around what they are asked, so the scripted model is told by directives what to answer.
"""

import base64
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from attrs import frozen
from client_programs import Ended, environment, run
from live_server import SECONDS, Server, serving

pytestmark = [pytest.mark.live, pytest.mark.clients]

PIXEL = base64.b64decode(  # PNG, 1 x 1
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg=="
)

COMMAND = "echo made > made.txt"

SCHEMA = {
    "type": "object",
    "properties": {"name": {"type": "string"}},
    "required": ["name"],
    "additionalProperties": False,
}


@frozen
class Desk:
    """Where an agent works: a home and a directory of its own, and cca with the recordings of what it was asked."""

    server: Server
    recordings: Path
    home: Path
    directory: Path

    @property
    def address(self) -> str:
        return f"{self.server.address}/v1"

    def run(self, *command: str | Path, given: str = "") -> Ended:
        for recording in self.recordings.iterdir():
            recording.unlink()
        return run(command, self.home, self.directory, given)

    def heard(self, text: str) -> bool:
        """Tell whether Claude Code was told this in the last run. A recording is there when its process has ended."""
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline:
            if any(text in recording.read_text() for recording in self.recordings.glob("*.ndjson")):
                return True
            time.sleep(0.05)
        return False


def codex(desk: Desk, text: str, *flags: str, model: str = "gpt-5-mini") -> Ended:
    (desk.home / ".codex").mkdir(exist_ok=True)
    (desk.home / ".codex" / "config.toml").write_text(f"""
model = "{model}"
model_provider = "cca"
check_for_update_on_startup = false
analytics.enabled = false

[model_providers.cca]
name = "cca"
base_url = "{desk.address}"
wire_api = "responses"
request_max_retries = 0
stream_max_retries = 0
""")
    # The sandbox needs namespaces, which a container has not; what is run here is what a test says.
    free = ("--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox")
    return desk.run(environment("node") / "codex", "exec", *free, *flags, given=text)


def opencode(desk: Desk, text: str, *flags: str) -> Ended:
    # It puts quotes around an argument with spaces, and none around what it reads.
    sees = {"input": ["text", "image"], "output": ["text"]}
    provider = {
        "npm": "@ai-sdk/openai-compatible",
        "options": {"baseURL": desk.address, "apiKey": "any"},
        "models": {"haiku": {"attachment": True, "modalities": sees}},
    }
    configured = {"model": "cca/haiku", "small_model": "cca/haiku", "share": "disabled", "provider": {"cca": provider}}
    (desk.directory / "opencode.json").write_text(json.dumps(configured))
    return desk.run(environment("node").parent / "opencode-linux-x64-baseline/bin/opencode", "run", *flags, given=text)


def continue_cli(desk: Desk, text: str, *flags: str) -> Ended:
    (desk.home / "config.yaml").write_text(f"""
name: cca
version: 0.0.1
schema: v1
models:
  - name: haiku
    provider: openai
    model: haiku
    apiBase: {desk.address}
    apiKey: any
""")
    return desk.run(
        environment("node") / "cn", "--config", str(desk.home / "config.yaml"), "--auto", *flags, "-p", text
    )


def aider(desk: Desk, text: str) -> Ended:
    quiet = ("--no-git", "--yes-always", "--no-pretty", "--analytics-disable", "--no-check-update", "--no-detect-urls")
    model = ("--model", "openai/haiku", "--no-show-model-warnings", "--no-show-release-notes")
    server = ("--openai-api-base", desk.address, "--openai-api-key", "any")
    return desk.run(environment("openai-2") / "aider", *quiet, *model, *server, "--message", text)


Agent = Callable[..., Ended]

AGENTS: dict[str, Agent] = {"codex": codex, "opencode": opencode, "continue": continue_cli, "aider": aider}

SHELLS = {"codex": ("exec_command", "cmd"), "opencode": ("bash", "command"), "continue": ("Bash", "command")}
"""The tool of each that runs a command, and its argument."""

GOES_ON: dict[str, tuple[str, ...]] = {
    "codex": ("resume", "--last"),
    "opencode": ("--continue",),
    "continue": ("--resume",),
}

SHOWS: dict[str, str] = {"codex": "--image", "opencode": "--file"}


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Path]]:
    recordings = tmp_path_factory.mktemp("recordings")
    with serving("--record", str(recordings), CCA_RETRIES="0") as server:
        yield server, recordings


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return one home for all: the first start of an agent in a home takes seconds."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture
def desk(recording: tuple[Server, Path], home: Path, tmp_path: Path) -> Desk:
    return Desk(*recording, home, tmp_path)


@pytest.mark.parametrize("agent", SHELLS)
def test_an_agent_runs_the_tool_that_is_called_and_tells_its_result(agent: str, desk: Desk) -> None:
    tool, argument = SHELLS[agent]
    more = {"description": "make a file"} if agent == "opencode" else {}
    call = json.dumps({argument: COMMAND, **more})
    ended = AGENTS[agent](desk, f"[[call {tool} {call}]]")
    assert (desk.directory / "made.txt").read_text() == "made\n", ended
    assert f"The tool {tool} says:" in ended.output


@pytest.mark.parametrize("agent", GOES_ON)
def test_an_agent_goes_on_from_what_was_said(agent: str, desk: Desk) -> None:
    assert AGENTS[agent](desk, "[[tokens 3]]").code == 0
    ended = AGENTS[agent](desk, "[[tokens 4]]", *GOES_ON[agent])
    assert "t1 t2 t3 t4" in ended.output, ended
    assert desk.heard('"text":"t1 t2 t3"')


@pytest.mark.parametrize("agent", SHOWS)
def test_an_agent_shows_an_image(agent: str, desk: Desk) -> None:
    (desk.directory / "pixel.png").write_bytes(PIXEL)
    ended = AGENTS[agent](desk, "[[tokens 3]]", SHOWS[agent], "pixel.png")
    assert "t1 t2 t3" in ended.output, ended
    assert desk.heard(base64.b64encode(PIXEL).decode())


@pytest.mark.parametrize("agent", AGENTS)
def test_an_agent_tells_why_it_was_refused(agent: str, desk: Desk) -> None:
    ended = AGENTS[agent](desk, "[[error 400]]")
    assert "The model's API refused the request" in ended.output + ended.errors, ended


def test_codex_gets_an_answer_of_its_schema(desk: Desk) -> None:
    (desk.directory / "schema.json").write_text(json.dumps(SCHEMA))
    ended = codex(desk, "name=Paris", "--output-schema", "schema.json")
    assert json.loads(ended.output).keys() == {"name"}, ended


def test_codex_with_the_tools_of_a_model_that_it_knows(desk: Desk) -> None:
    """Of those some are of types of OpenAI's own: a grammar, a search of tools, one of the web."""
    call = json.dumps({"cmd": COMMAND})
    ended = codex(desk, f"[[call exec_command {call}]]", model="gpt-5.5")
    assert (desk.directory / "made.txt").read_text() == "made\n", ended


def test_aider_writes_what_it_is_told(desk: Desk) -> None:
    """The scripted model says what it is told, so the file is in the message."""
    ended = aider(desk, "greeting.txt\n```\nHello there\n```")
    assert (desk.directory / "greeting.txt").read_text() == "Hello there\n", ended
