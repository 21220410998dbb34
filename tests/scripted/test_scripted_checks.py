"""Requests that the API would refuse."""

from typing import Any

import pytest

from cca.scripted.checks import refusal
from cca.scripted.script import HttpError

MARKED = {"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}}
CALL = {"type": "tool_use", "id": "t1", "name": "f", "input": {}}
RESULT = {"type": "tool_result", "tool_use_id": "t1", "content": "ok"}

TOOL = {"name": "f", "input_schema": {"type": "object"}}
CLEARING = {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]}


def body(*turns: Any, **others: Any) -> dict[str, Any]:
    roles = ("user", "assistant") * len(turns)
    messages = [{"role": role, "content": content} for role, content in zip(roles, turns, strict=False)]
    return {"model": "claude-x", "max_tokens": 10, "messages": messages, **others}


@pytest.mark.parametrize(
    "accepted",
    [
        body("hi"),
        body([MARKED] * 4),
        body("hi", [CALL], [RESULT], system=[{"type": "text", "text": "s"}], tools=[TOOL]),
        body("hi", tools=[TOOL], tool_choice={"type": "any"}, thinking={"type": "disabled"}),
        body("hi", tools=[TOOL, {"type": "web_search_20250305", "name": "web_search"}]),
        body("hi", tools=[TOOL], tool_choice={"type": "tool", "name": "f"}),
        body("hi", context_management=CLEARING, thinking={"type": "adaptive"}),
        body("hi", context_management={"edits": []}, thinking={"type": "disabled"}),
        body("hi", [CALL], [RESULT, {"type": "text", "text": "so?"}], tools=[TOOL], tool_choice={"type": "none"}),
        body("hi") | {"messages": [{"role": "user", "content": "hi"}, {"role": "system", "content": []}]},
    ],
)
def test_accepted(accepted: dict[str, Any]) -> None:
    assert refusal(accepted) is None


@pytest.mark.parametrize(
    ("refused", "status", "words"),
    [
        ([], 400, "not valid JSON"),
        ({"model": "claude-x", "max_tokens": 1}, 400, "messages: Field required"),
        (body("hi", max_tokens=True), 400, "max_tokens: Input should be"),
        (body("hi", max_tokens=0), 400, "greater than"),
        (body(), 400, "at least one message"),
        (body("hi", model="gpt-4"), 404, "model: gpt-4"),
        (body(None), 400, "messages.0"),
        (body([{"text": "x"}]), 400, "messages.0.content.0.type"),
        (body([{"type": "text"}]), 400, "messages.0.content.0.text.text"),
        (body([{"type": "text", "text": ""}]), 400, "non-empty"),
        (body([MARKED] * 5), 400, "Found 5"),
        (body([MARKED] * 4, tools=[{"name": "f", "cache_control": {"type": "ephemeral"}}]), 400, "Found 5"),
        (body("hi", [CALL], [RESULT]), 400, "must define tools"),
        (body("hi", [CALL], [RESULT], tools=[]), 400, "must define tools"),
        (body("hi", [CALL]), 400, "`tool_use` ids were found without"),
        (body("hi", [CALL], "no"), 400, "t1"),
        (body("hi", "x", [RESULT]), 400, "unexpected `tool_use_id`"),
        (body("hi", tool_choice={"type": "any"}, thinking={"type": "adaptive"}), 400, "Thinking may not"),
        (body("hi", context_management=CLEARING, thinking={"type": "disabled"}), 400, "requires `thinking`"),
        (body("hi", [CALL], [{"type": "text", "text": "so?"}, RESULT], tools=[TOOL]), 400, "messages.2.content"),
        (body("hi", tools=[TOOL, TOOL]), 400, "must be unique"),
        (body("hi", tools=[{"name": "f", "input_schema": {"anyOf": []}}]), 400, "tools.0.custom.input_schema.type"),
        (body("hi", tools=[TOOL], tool_choice={"type": "tool", "name": "g"}), 400, "Tool 'g' not found"),
        (body("hi", tool_choice={"type": "auto"}), 400, "while providing tools"),
    ],
)
def test_refused(refused: Any, status: int, words: str) -> None:
    error = refusal(refused)
    assert isinstance(error, HttpError)
    assert error.status == status
    assert words in error.message
