"""``llm-comply``, which holds answers to OpenAI's description of chat completions and to that of Open Responses."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from client_programs import environment, run
from live_server import Server, serving

from cca.model import Json

pytestmark = [pytest.mark.live, pytest.mark.clients]

MODEL = "gpt-5-mini"
"""One that it takes to reason: else it leaves those of its tests out."""


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serving() as server:
        yield server


@pytest.mark.parametrize(("form", "tests"), [("openai-chat", 9), ("open-responses", 13)])
def test_it_finds_no_fault(server: Server, form: str, tests: int, tmp_path: Path) -> None:
    address = f"{server.address}/v1"
    asked = ("run", "--format", form, "--json", "--model", MODEL, "--base-url", address, "--api-key", "any")
    ended = run([environment("openai-3") / "llm-comply", *asked], tmp_path, tmp_path)
    results: list[Json] = json.loads(ended.output)["results"]
    assert len(results) == tests
    assert [result for result in results if result["status"] != "passed"] == []
