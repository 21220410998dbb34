"""``llm-comply``, which holds answers to the vendors' descriptions: chat completions, Open Responses, messages."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from client_programs import HEARTBEAT, environment, run
from live_server import Server, serving

from cca.model import Json

pytestmark = [pytest.mark.live, pytest.mark.clients]

OPENAI, CLAUDE = "gpt-5-mini", "claude-haiku-4-5"
"""Models that it takes to reason: else it leaves those of its tests out."""

UNCITED = re.compile(r"content\.\d+: \{'type': 'text', 'text': .*\} is not valid under any of the given schemas")
"""A text without citations, where Anthropic's schema wants a null. There is a client that wants an array or nothing."""


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serving(CCA_HEARTBEAT=str(HEARTBEAT)) as server:
        yield server


@pytest.mark.parametrize(
    ("form", "model", "tests"), [("openai-chat", OPENAI, 9), ("open-responses", OPENAI, 13), ("anthropic", CLAUDE, 9)]
)
def test_it_finds_no_fault(server: Server, form: str, model: str, tests: int, tmp_path: Path) -> None:
    address = f"{server.address}/v1"
    asked = ("run", "--format", form, "--json", "--model", model, "--base-url", address, "--api-key", "any")
    ended = run([environment("openai-3") / "llm-comply", *asked], tmp_path, tmp_path)
    results: list[Json] = json.loads(ended.output)["results"]
    assert len(results) == tests
    assert [result for result in results if result["status"] != "passed" and not uncited(result)] == []


def uncited(result: Json) -> bool:
    return result["status"] == "failed" and all(UNCITED.fullmatch(error) for error in result["errors"])
