"""A process that was prepared before its request was known asks the model what one asks that was told of nothing else.

Each test is one statement about Claude Code that cca relies on. A release of it that changes one fails by name.
"""

import json
import re
from collections.abc import Mapping
from typing import Any

import pytest
from attrs import evolve
from live_cli import PLAIN, Surroundings, asked, assistant, open_cli, open_starter, prompt, user
from live_requests import process_of, received, substance
from live_talks import open_table

from cca.backends.process import hear
from cca.claude import preparation
from cca.model import (
    AssistantTurn,
    CacheMark,
    Conversation,
    Document,
    Image,
    Json,
    Sampling,
    Text,
    Thinking,
    Tool,
    ToolChoice,
    ToolResult,
    ToolUse,
    UserTurn,
)
from cca.scripted import Received, open_scripted_model

pytestmark = [pytest.mark.live, pytest.mark.soak]

LOGIN = Surroundings(environ={"ANTHROPIC_API_KEY": "", "CLAUDE_CODE_OAUTH_TOKEN": "a-token"})

LOOK = Tool("look", "Look.", {"type": "object", "properties": {"at": {"type": "string"}}})
OWN_NAME = Tool("Bash", "Run a command of the user's.", {"type": "object"})
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
SHAPE: Json = {"type": "object", "properties": {"a": {"type": "string"}}, "additionalProperties": False}
MARK = CacheMark("1h")

HISTORY = (
    user("Look."),
    AssistantTurn(
        (Thinking("A bird.", "c2lnbmF0dXJl"), ToolUse("call_1", "look", {"at": "birds"})), "claude-haiku-5-5"
    ),
    UserTurn((ToolResult("call_1", (Text("One bird."),)),)),
    assistant("One bird."),
    user("So?"),
)

KINDS: Mapping[str, Mapping[str, Any]] = {
    "words": {},
    "another model": {"model": "claude-opus-4-1"},
    "a system prompt": {"system": ("Be brief.", "Rhyme.")},
    "tools": {"tools": (LOOK, OWN_NAME)},
    "a forced call": {"tools": (LOOK,), "tool_choice": ToolChoice("any", parallel=False)},
    "a strict tool": {"tools": (evolve(LOOK, strict=True),), "tool_choice": ToolChoice("none")},
    "sampling": {"sampling": Sampling(77, ("END",), 0.5, 0.25, thinking=False, top_k=5)},
    "effort": {"sampling": Sampling(effort="max")},
    "thinking": {"sampling": Sampling(4000, thinking=True, thinking_budget=1024, thinking_display="omitted")},
    "a schema": {"output_schema": SHAPE},
    "a schema by a tool": {"output_schema": {**SHAPE, "minProperties": 1}, "tools": (LOOK,)},
    "a history": {"turns": HISTORY, "tools": (LOOK,), "sampling": Sampling(thinking=True)},
    "pictures and documents": {
        "turns": (UserTurn((Image("image/png", PIXEL), Document(text="Ada.", title="Notes"), Text("So?"))),)
    },
    "marks of the program's own": {"system": ("Be brief.",), "system_marks": (CacheMark(), CacheMark())}
    | {"cache": CacheMark()},
    "marks": {"turns": (UserTurn((Text("Ada.", MARK), Text("So?"))),), "tools": (evolve(LOOK, cache=MARK),)},
    "everything": {
        "system": ("Be brief.",),
        "tools": (LOOK, OWN_NAME),
        "turns": HISTORY,
        "sampling": Sampling(2000, ("END",), effort="high", thinking=True, thinking_display="summarized"),
        "tool_choice": ToolChoice(parallel=False),
        "output_schema": SHAPE,
        "cache": MARK,
    },
}


def placeless(request: Received) -> Json:
    """Return all of a request but what each process has of its own: the number in its directory's name, too."""
    return json.loads(re.sub(r"/\d+/work", "/work", json.dumps(substance(request))))


async def asked_of_both(conversation: Conversation, surroundings: Surroundings) -> list[Received]:
    """Return what a prepared process asks, and then what one asks that was not."""
    async with open_table(surroundings) as table:
        await table.say(conversation)
        await table.say_anew(conversation)
        return received(table.model)


@pytest.mark.parametrize("kind", KINDS)
async def test_the_model_is_asked_the_same(kind: str) -> None:
    prepared, fresh = await asked_of_both(evolve(prompt("hello"), **KINDS[kind]), PLAIN)
    assert process_of(prepared) != process_of(fresh)
    assert substance(prepared) == substance(fresh)


@pytest.mark.parametrize("kind", ["words", "everything"])
async def test_the_model_is_asked_the_same_with_a_login(kind: str) -> None:
    prepared, fresh = await asked_of_both(evolve(prompt("hello"), **KINDS[kind]), LOGIN)
    assert placeless(prepared) == placeless(fresh)


async def test_preparing_asks_the_model_of_nothing() -> None:
    async with open_scripted_model() as model:
        async with open_starter(model) as starter, starter.start() as process:
            process.write(preparation.ask())
            await hear(process, preparation.Preparation())
        assert [each.path for each in model.received if each.method == "POST"] == []


async def test_preparing_fixes_nothing_that_is_told_later() -> None:
    """A system prompt would be, once a turn was said."""
    async with open_scripted_model() as model, open_cli(model) as cli:
        cli.say(preparation.ask())
        await cli.until(type="control_response")
        await cli.converse(evolve(prompt("hello"), system=("Be brief.",), model="opus"))
        [request] = asked(model)
    assert request["system"][-1]["text"] == "Be brief."
    assert request["model"].startswith("claude-opus-")
