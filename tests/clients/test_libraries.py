"""Libraries that speak as OpenAI's or as Anthropic's do, each in a program like those of its own documentation.

A program runs once, and prints what each of its checks came to. What they ask is in ``python/tell.py``.
"""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import MappingProxyType

import pytest
from attrs import frozen
from client_programs import HEARTBEAT, HERE, environment, run
from live_server import SECONDS, Server, children, serving, within

from cca.model import Json

pytestmark = [pytest.mark.live, pytest.mark.clients]

AT_ONCE = 2
"""Programs that run at once; each waits for Claude Code most of the time, and another file's run beside."""

CITY = {"name": "Paris", "population": 2100000}

ANSWERS: dict[str, Json] = {
    "chat": "Hello there",
    "pings": [True, True],  # before the message begins, and in it
    "stream": ["1,", " 2,", " 3,", " 4,", " 5"],
    "printed": "1, 2, 3, 4, 5",
    "turns": ["Ada", 15],  # the words of the system prompt and of three messages
    "remembered": ["Ada", 8],  # the words of the answer before, and of this question
    "tools": "The tool get_weather says: sunny in Paris",
    "streamed_tools": "The tool get_weather says: sunny in Paris",
    "structured": CITY,
    "by_tool": CITY,
    "by_strict_tool": CITY,
    "by_schema": CITY,
    "by_json": CITY,
    "streamed_object": CITY,
    "image": "You sent no words, but this: image.",
    "seen": "seen",
    "error": 429,
    "error_after_pings": "rate_limit_error",
    "broken": "an error",
    "asynchronous": "Hello there",
    "three_steps": [4, "The tool ask_again says: enough"],  # the calls, and what is said at last
    "thinking": ["so be it", True, "Hello there"],  # what was thought, whether that is signed, what was said
    "thinking_is_told_back": ["Hello there", 17],  # 16 words, and a block of what was thought
    "document": "You sent no words, but this: document.",
    "cache": [7, 5],
    "stop_sequence": ["stop_sequence", " 4", "1, 2, 3,"],
    "max_tokens": ["max_tokens", 3],
    "counted": True,
    "models": True,
    # what the next one is answered
    "leaves": "Hello there",
    "leaves_while_it_pings": "Hello there",
    "gives_up": "Hello there",
    # the class, the type, how often it was asked again, whether the body has the request's id
    "bad_request": ["BadRequestError", "invalid_request_error", 0, True],
    "unauthorized": ["AuthenticationError", "authentication_error", 0, True],
    "unknown_model": ["NotFoundError", "not_found_error", 0, True],
    "too_large": ["ContentTooLargeError", "request_too_large", 0, True],
    "limited": ["RateLimitError", "rate_limit_error", 1, True],
    "overloaded": ["OverloadedError", "overloaded_error", 1, True],
    "gets_through": "through",
    "bearer": "Hello there",
    "x_api_key": "Hello there",
    "new_version": ["BadRequestError", "invalid_request_error", 0, True],  # it takes no temperature
    "old_version": "Hello there",
    "server_tool": ["BadRequestError", "invalid_request_error", 0, True],
}

NOTHING: Mapping[str, Json] = MappingProxyType({})

LEAVING = ("leaves", "leaves_while_it_pings", "gives_up")

USUAL = ("chat", "stream", "turns", "tools", "streamed_tools", "structured", "image", "error", "broken")


@frozen
class Program:
    environment: str
    script: str
    argument: str = ""
    checks: tuple[str, ...] = USUAL
    otherwise: Mapping[str, Json] = NOTHING
    """What a check comes to with this client alone."""
    alone: bool = False
    """Whether it has a cca for itself, which has one process."""

    def command(self) -> list[str | Path]:
        folder = "node" if self.environment == "node" else "python"
        interpreter = "node" if folder == "node" else environment(self.environment) / "python"
        return [interpreter, HERE / folder / self.script, self.argument]


PROGRAMS = {
    "openai-python": Program("openai-3", "openai_chat.py"),
    "openai-python-responses": Program("openai-3", "openai_responses.py", checks=(*USUAL, "remembered")),
    "anthropic-python": Program(
        "openai-3",
        "anthropic_messages.py",
        checks=(
            *USUAL,
            *("pings", "error_after_pings", "asynchronous", "three_steps", "thinking", "thinking_is_told_back"),
            *("document", "cache", "stop_sequence", "max_tokens", "counted", "models"),
        ),
    ),
    "anthropic-python-errors": Program(
        "openai-3",
        "anthropic_errors.py",
        checks=(
            *("bad_request", "unauthorized", "unknown_model", "too_large", "limited", "overloaded", "gets_through"),
            *("bearer", "x_api_key", "new_version", "old_version", "server_tool"),
        ),
    ),
    "anthropic-python-leaves": Program("openai-3", "anthropic_leaves.py", checks=LEAVING, alone=True),
    "claude-agents": Program("openai-3", "claude_agents.py", checks=("chat", "tools", "error")),
    "pydantic-ai": Program("openai-3", "pydantic_ai_agents.py", "chat"),
    "pydantic-ai-responses": Program("openai-3", "pydantic_ai_agents.py", "responses"),
    "pydantic-ai-messages": Program("openai-3", "pydantic_ai_agents.py", "messages"),
    "instructor": Program(
        "openai-2",
        "instructor_chat.py",
        checks=("by_tool", "by_strict_tool", "by_schema", "by_json", "streamed_object", "seen", "error"),
    ),
    "openai-agents": Program("openai-3", "openai_agents.py", "responses"),
    "openai-agents-chat": Program("openai-3", "openai_agents.py", "chat"),
    "llm": Program(
        "openai-3",
        "llm_command.py",
        checks=("chat", "printed", "turns", "tools", "structured", "image", "error"),
    ),
    "langchain": Program("openai-2", "langchain_chat.py", "chat"),
    # It hears that an answer is complete or incomplete, not that it failed.
    "langchain-responses": Program("openai-2", "langchain_chat.py", "responses", otherwise={"broken": None}),
    "langchain-messages": Program("openai-3", "langchain_messages.py", checks=(*USUAL, "by_tool", "counted")),
    "llama-index": Program(
        "openai-2",
        "llama_index_chat.py",
        checks=("chat", "stream", "turns", "tools", "structured", "image", "error", "broken"),
    ),
    "litellm": Program("openai-2", "litellm_completion.py", "openai/gpt-4o-mini"),
    "litellm-messages": Program("openai-2", "litellm_completion.py", "anthropic/claude-haiku-4-5"),
    "openai-node": Program("node", "openai_chat.mjs"),
    "openai-node-responses": Program("node", "openai_responses.mjs"),
    "anthropic-node": Program(
        "node",
        "anthropic_messages.mjs",
        checks=(*USUAL, "error_after_pings", "three_steps", "thinking", "counted", "models", "unauthorized"),
        otherwise={"unauthorized": ["authentication_error", True]},
    ),
    "anthropic-node-leaves": Program("node", "anthropic_leaves.mjs", checks=LEAVING, alone=True),
    "ai-sdk": Program("node", "ai_sdk.mjs", "responses"),
    "ai-sdk-chat": Program("node", "ai_sdk.mjs", "chat"),
    "ai-sdk-compatible": Program("node", "ai_sdk.mjs", "compatible"),
    "ai-sdk-messages": Program("node", "ai_sdk.mjs", "anthropic"),
}

CHECKS = [(name, check) for name, program in PROGRAMS.items() for check in program.checks]

Told = Callable[[str], dict[str, Json]]


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("state") / "cca.db"


@pytest.fixture(scope="module")
def server(database: Path) -> Iterator[Server]:
    with serving(f"--database={database}", CCA_RETRIES="0", CCA_HEARTBEAT=str(HEARTBEAT)) as server:
        yield server


@pytest.fixture(scope="module")
def key(database: Path) -> str:
    """Make one, so that no request without it is answered."""
    command = (sys.executable, "-m", "cca", "keys", "create", "--database", str(database), "--name", "clients")
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture(scope="module")
def told(
    server: Server, key: str, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Told]:
    """Run the programs of the tests that were chosen, and return what one of them printed."""
    chosen = dict.fromkeys(
        str(item.callspec.params["client"])
        for item in request.session.items
        if isinstance(item, pytest.Function) and "told" in item.fixturenames
    )
    commands = {name: PROGRAMS[name].command() for name in chosen}
    pool = ThreadPoolExecutor(AT_ONCE)

    def start(name: str) -> "Future[dict[str, Json]]":
        home = tmp_path_factory.mktemp(name)
        if PROGRAMS[name].alone:
            return pool.submit(_checks_alone, commands[name], key, home)
        return pool.submit(_checks, commands[name], server, key, home)

    running = {name: start(name) for name in chosen}
    try:
        yield lambda name: running[name].result()
    finally:
        pool.shutdown(cancel_futures=True)


def _checks(command: list[str | Path], server: Server, key: str, home: Path) -> dict[str, Json]:
    address = f"{server.address}/v1"
    openai = {"OPENAI_BASE_URL": address, "OPENAI_API_BASE": address, "OPENAI_API_KEY": key}
    ended = run(command, home, home, **openai, ANTHROPIC_BASE_URL=server.address, ANTHROPIC_API_KEY=key)
    lines = [json.loads(line) for line in ended.output.splitlines() if line.startswith('{"check"')]
    if not lines:
        pytest.fail(f"{command} ended with {ended.code}, and told nothing:\n{ended.errors}")
    return {line["check"]: line.get("answer", line.get("raised")) for line in lines}


def _checks_alone(command: list[str | Path], key: str, home: Path) -> dict[str, Json]:
    # None waits, and none stays: whatever is left was left by who has left.
    alone = {"CCA_PROCESSES": "1", "CCA_WAITING": "0", "CCA_STAYING": "0"}
    with serving(**alone, CCA_HEARTBEAT=str(HEARTBEAT)) as server:
        before = children(server.process.pid)
        told = _checks(command, server, key, home)
        if not within(SECONDS, lambda: children(server.process.pid) <= before):
            pytest.fail(f"A process stayed when all had left: {children(server.process.pid) - before}")
        return told


@pytest.mark.parametrize(("client", "check"), CHECKS, ids=[f"{name}-{check}" for name, check in CHECKS])
def test_a_client_gets_what_it_asked_for(told: Told, client: str, check: str) -> None:
    assert told(client)[check] == {**ANSWERS, **PROGRAMS[client].otherwise}[check]


@pytest.mark.parametrize("client", PROGRAMS)
def test_no_check_of_a_program_goes_unseen(told: Told, client: str) -> None:
    assert set(told(client)) == set(PROGRAMS[client].checks)
