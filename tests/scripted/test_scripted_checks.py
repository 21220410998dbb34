"""Requests that the API would refuse."""

from typing import Any

import pytest

from cca.scripted.checks import refusal
from cca.scripted.script import HttpError

MARKED = {"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}}
CALL = {"type": "tool_use", "id": "t1", "name": "f", "input": {}}
RESULT = {"type": "tool_result", "tool_use_id": "t1", "content": "ok"}
FAILED = {**RESULT, "is_error": True}

THOUGHT = {"type": "thinking", "thinking": "Hm", "signature": "c2ln"}
SAID = {"type": "text", "text": "x"}
BUDGET: Any = {"max_tokens": 2000, "thinking": {"type": "enabled", "budget_tokens": 1024}}

PIECES = {"type": "content", "content": [{"type": "text", "text": "x"}]}
DOCUMENT = {"type": "document", "source": PIECES, "citations": {"enabled": True}}
SEARCH_RESULT = {"type": "search_result", "source": "s", "title": "t", "content": [{"type": "text", "text": "x"}]}

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
        body([MARKED] * 2, system=[MARKED], cache_control={"type": "ephemeral", "ttl": "1h"}),
        body("hi", max_tokens=2000, thinking={"type": "enabled", "budget_tokens": 1024}),
        body("hi", thinking={"type": "adaptive", "display": "summarized"}, temperature=1, top_p=0.95),
        body("hi", thinking={"type": "disabled"}, temperature=0.5, top_p=0.1, top_k=5),
        body("hi", [THOUGHT, CALL], [RESULT], tools=[TOOL], **BUDGET),
        body("hi", [{"type": "redacted_thinking", "data": "eA=="}, CALL], [RESULT], tools=[TOOL], **BUDGET),
        body("hi", "said", "go on", **BUDGET),
        body("hi", [THOUGHT, SAID], "so?", "said", "go on", thinking={"type": "disabled"}),
        body("hi", [CALL], [RESULT], tools=[TOOL], thinking={"type": "adaptive"}),
        body([DOCUMENT, SEARCH_RESULT]),
        body([{"type": "document", "source": {"type": "text"}}], output_config={"format": {"type": "json_schema"}}),
        body("hi", [CALL], [RESULT], system=[{"type": "text", "text": "s"}], tools=[TOOL]),
        body("hi", [CALL], [FAILED], tools=[TOOL]),
        body("hi", [CALL], [{**FAILED, "content": [MARKED]}], tools=[TOOL]),
        body("hi", [CALL], [{**RESULT, "content": [], "is_error": False}], tools=[TOOL]),
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
        (body([MARKED] * 4, cache_control={"type": "ephemeral"}), 400, "Found 5"),
        (body("hi", [CALL], [{**RESULT, "content": [MARKED] * 5}], tools=[TOOL]), 400, "Found 5"),
        (body([{**DOCUMENT, "source": {"type": "content", "content": [MARKED] * 5}}]), 400, "Found 5"),
        (body("hi", [CALL], [{**FAILED, "content": ""}], tools=[TOOL]), 400, "content cannot be empty"),
        (body("hi", [CALL], [{**FAILED, "content": []}], tools=[TOOL]), 400, "content cannot be empty"),
        (body("hi", [CALL], [{**FAILED, "content": [MARKED, DOCUMENT]}], tools=[TOOL]), 400, "must be type `text`"),
        (body([{**SEARCH_RESULT, "content": [MARKED] * 4}, MARKED]), 400, "Found 5"),
        (body([{**MARKED, "cache_control": {"type": "ephemeral", "ttl": "2h"}}]), 400, "'5m' or '1h'"),
        (body([{**MARKED, "cache_control": {"type": "lasting"}}]), 400, "should be ephemeral"),
        (body("hi", [{"type": "thinking", "thinking": "Hm"}], "so?"), 400, "messages.1.content.0.thinking.signature"),
        (body("hi", [{"type": "redacted_thinking"}], "so?"), 400, "redacted_thinking.data"),
        (body("hi", [{**THOUGHT, "cache_control": {"type": "ephemeral"}}], "so?"), 400, "Extra inputs"),
        (body([{**SEARCH_RESULT, "content": [{"type": "text"}]}]), 400, "content.0.search_result.content.0.text.text"),
        (body("hi", thinking={"type": "enabled", "budget_tokens": 1023}), 400, "or equal to 1024"),
        (body("hi", thinking={"type": "enabled"}), 400, "or equal to 1024"),
        (body("hi", max_tokens=1024, thinking={"type": "enabled", "budget_tokens": 1024}), 400, "must be greater"),
        (body("hi", thinking={"type": "on"}), 400, "thinking.type"),
        (body("hi", thinking={"type": "adaptive"}, temperature=0.5), 400, "`temperature` may only"),
        (body("hi", temperature=0.5, **BUDGET), 400, "`temperature` may only"),
        (body("hi", thinking={"type": "adaptive"}, top_k=5), 400, "`top_k` must be unset"),
        (body("hi", thinking={"type": "adaptive"}, top_p=0.9), 400, "`top_p` must be"),
        (body("hi", top_k=-1), 400, "top_k"),
        (body("hi", top_k=1.5), 400, "top_k"),
        (body("hi", [CALL], [RESULT], tools=[TOOL], **BUDGET), 400, "Expected `thinking`"),
        (body("hi", [{**THOUGHT, "signature": "no"}, SAID], "so?"), 400, "messages.1.content.0: Invalid `signature`"),
        (body("hi", [{**THOUGHT, "signature": "?"}, SAID], "so?"), 400, "messages.1.content.0: Invalid `signature`"),
        (body("hi", [SAID, THOUGHT], "so?"), 400, "messages.1: The final block"),
        (body("hi", [THOUGHT, CALL], [RESULT], tools=[TOOL], thinking={"type": "disabled"}), 400, "is disabled"),
        (body([DOCUMENT], output_config={"format": {"type": "json_schema"}}), 400, "citations"),
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
        (
            body("hi", tools=[{"name": "f", "input_schema": {"type": "object", "anyOf": [{}]}}]),
            400,
            "does not support oneOf, allOf, or anyOf at the top level",
        ),
        (body("hi", tools=[TOOL], tool_choice={"type": "tool", "name": "g"}), 400, "Tool 'g' not found"),
        (body("hi", tool_choice={"type": "auto"}), 400, "while providing tools"),
    ],
)
def test_refused(refused: Any, status: int, words: str) -> None:
    error = refusal(refused)
    assert isinstance(error, HttpError)
    assert error.status == status
    assert words in error.message
