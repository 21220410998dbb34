"""Whatever is in a body, of whatever route: it is answered, or the client is told what to change, and no fault is ours.

The bodies come from the types in clients' libraries, which are made from the published schemas, and from good bodies.
"""

import importlib
import json
import time
from collections.abc import Mapping
from random import Random
from typing import Any

import pytest
from claude_says import HELLO
from fuzzed_bodies import PNG, mutated, of_type
from messages_wire import COUNT, MESSAGES
from test_wire_keys import ROUTES
from trio.testing import MockClock
from wire_harness import CHAT, Client, Reply, chat, events_of, posted, serving, user

from survival import Survival

RESPONSES, COMPLETIONS, CONVERSATIONS = "/v1/responses", "/v1/completions", "/v1/conversations"

SCHEMA = {"type": "object", "properties": {"a": {"type": "string", "enum": ["x", "y"]}}, "required": ["a"]}
FUNCTION = {"name": "f", "description": "does", "parameters": SCHEMA}
CALL = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
IMAGE = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}", "detail": "low"}}
SOURCE = {"type": "base64", "media_type": "image/png", "data": PNG}

GOOD: Mapping[str, tuple[Any, ...]] = {
    CHAT: (
        chat(user([{"type": "text", "text": "Hi"}, IMAGE]), temperature=1, top_p=1, stop=["a"], max_tokens=9, n=1),
        chat({"role": "system", "content": "s"}, user(), store=True, metadata={"a": "b"}, reasoning_effort="low"),
        chat(
            user(), {"role": "assistant", "content": None, "tool_calls": [CALL]},
            {"role": "tool", "tool_call_id": "c", "content": "r"},
            tools=[{"type": "function", "function": FUNCTION}], tool_choice="auto", parallel_tool_calls=False,
        ),
        chat(stream=True, stream_options={"include_usage": True}, n=2),
        chat(functions=[FUNCTION], function_call="auto"),
    ),
    COMPLETIONS: (
        {"model": "sonnet", "prompt": "Hi", "max_tokens": 9, "stop": "x", "echo": False, "stream": True},
        {"model": "sonnet", "prompt": ["a", "b"], "n": 1, "temperature": 0, "suffix": None},
    ),
    RESPONSES: (
        {"model": "sonnet", "input": "Hi", "instructions": "s", "stream": True, "store": False},
        {
            "model": "sonnet", "store": True, "metadata": {"a": "b"}, "reasoning": {"effort": "low"},
            "input": [
                {"role": "user", "content": [{"type": "input_text", "text": "Hi"}]},
                {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
                {"type": "function_call_output", "call_id": "c", "output": "r"},
            ],
            "tools": [{"type": "function", "name": "f", "parameters": SCHEMA, "strict": False}],
            "text": {"format": {"type": "text"}},
        },
    ),
    f"{RESPONSES}/input_tokens": ({"model": "sonnet", "input": "Hi"},),
    f"{RESPONSES}/compact": ({"model": "sonnet", "input": "Hi"},),
    f"{RESPONSES}/r1/cancel": ({},),
    MESSAGES: (
        chat(user([{"type": "text", "text": "Hi"}, {"type": "image", "source": SOURCE}]), max_tokens=9, system="s"),
        chat(
            user(),
            {"role": "assistant", "content": [{"type": "tool_use", "id": "c", "name": "f", "input": {"a": "x"}}]},
            user([{"type": "tool_result", "tool_use_id": "c", "content": [{"type": "text", "text": "r"}]}]),
            max_tokens=9, stream=True, tools=[{"name": "f", "input_schema": SCHEMA}], tool_choice={"type": "auto"},
            metadata={"user_id": "u"}, stop_sequences=["a"], temperature=1.0,
        ),
        chat(max_tokens=4096, thinking={"type": "enabled", "budget_tokens": 2000},
             system=[{"type": "text", "text": "s"}]),
    ),
    COUNT: (chat(user(), system="s"),),
    CONVERSATIONS: ({"items": [{"type": "message", "role": "user", "content": "Hi"}], "metadata": {"a": "b"}},),
    f"{CONVERSATIONS}/c1": ({"metadata": {"a": "b"}},),
    f"{CONVERSATIONS}/c1/items": ({"items": [{"role": "user", "content": "Hi"}]},),
    f"{CHAT}/c1": ({"metadata": {"a": "b"}},),
    "/v1/sessions/s1/fork": ({"id": "s2", "at": 1},),
}  # fmt: skip
"""What is right of each route that takes a body."""

PUBLISHED = {
    CHAT: "openai.types.chat.completion_create_params.CompletionCreateParamsNonStreaming",
    COMPLETIONS: "openai.types.completion_create_params.CompletionCreateParamsNonStreaming",
    RESPONSES: "openai.types.responses.response_create_params.ResponseCreateParamsNonStreaming",
    f"{RESPONSES}/input_tokens": "openai.types.responses.input_token_count_params.InputTokenCountParams",
    CONVERSATIONS: "openai.types.conversations.conversation_create_params.ConversationCreateParams",
    MESSAGES: "anthropic.types.message_create_params.MessageCreateParamsNonStreaming",
    COUNT: "anthropic.types.message_count_tokens_params.MessageCountTokensParams",
}
"""The types of their bodies. OpenAI's library is not there in every environment: then good bodies are all there is."""


def published(path: str) -> Any:
    module, _, name = PUBLISHED.get(path, "").rpartition(".")
    try:
        return getattr(importlib.import_module(module), name) if module else None
    except ImportError:
        return None


def body_of(path: str, hint: Any, random: Random) -> Any:
    if hint is None or random.random() < 0.6:
        return mutated(random.choice(GOOD[path]), random)
    body = of_type(hint, random)
    if isinstance(body, dict) and random.random() < 0.9:
        body["model"] = "sonnet"
    return mutated(body, random) if random.random() < 0.3 else body


def test_each_route_that_takes_a_body_is_tried() -> None:
    """A new one fails here until it has a good body."""
    taking = {route.split()[1] for route in ROUTES if route.startswith("POST ")}
    names = {path: path.replace("/r1", "/<id>").replace("/c1", "/<id>").replace("/s1", "/<id>") for path in GOOD}
    assert set(names.values()) == taking


def check_refused(path: str, reply: Reply, *, known: bool) -> None:
    """Assert that a refusal is in the shape of its dialect, and says where in the body it points."""
    assert reply.headers["content-type"] == "application/json"
    told = reply.json
    if path.startswith(MESSAGES):
        assert set(told) == {"type", "error", "request_id"}
        assert set(told["error"]) == {"type", "message"}
    else:
        error = reply.error
        assert error["type"] in ("invalid_request_error", "not_found_error")
        # What is no JSON as cca reads it, a number of 400 digits too, has a line and a column.
        placed = error["param"] is not None or ": line 1 column " in error["message"]
        assert placed or reply.status != 400 or not known
    assert told["error"]["message"]
    assert len(reply.body) < 2000


async def check_one(client: Client, path: str, content: bytes, *, known: bool) -> int:
    reply = await client.ask(posted(path, content, "anthropic-version: 2023-06-01"))
    assert reply.status == 200 or 400 <= reply.status < 500
    if reply.status != 200:
        check_refused(path, reply, known=known)
    elif reply.headers["content-type"].startswith("text/event-stream") and path in (CHAT, COMPLETIONS):
        assert list(events_of(reply.body))[-1] == "[DONE]"
    return reply.status


TRIES = [pytest.param(500, id="some"), pytest.param(100_000, id="many", marks=pytest.mark.soak)]
EACH = 500
"""Bodies that a server answers before it is another one: what is stored and logged would slow it down."""


@pytest.mark.parametrize("tries", TRIES)
async def test_whatever_is_in_a_body_no_fault_is_ours(
    tries: int, survival: Survival, autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    """S-16: no 5xx, each refusal points into the body in the shape of its dialect, and starts no process."""
    hints = {path: published(path) for path in GOOD}
    told: dict[int, int] = {}
    slowest, worst = 0.0, ""
    for start in range(0, tries, EACH):
        caplog.clear()
        async with serving(*HELLO) as server:
            client = await server.connect()
            for seed in range(start, start + EACH):
                random = Random(seed)  # noqa: S311 - to be had again
                path = random.choice(list(GOOD))
                body = body_of(path, hints[path], random)
                content = json.dumps(body).encode()
                opened, began = server.backend.opened, time.perf_counter()
                try:
                    status = await check_one(client, path, content, known=isinstance(body, dict))
                    assert status == 200 or server.backend.opened == opened
                    assert [record for record in caplog.records if record.levelname == "ERROR"] == []
                except AssertionError as error:
                    error.add_note(f"seed {seed}: POST {path} {content[:3000]!r}")
                    survival("S-16", "bodies that nobody would write", tried=tries, lost=1, figure=f"seed {seed}")
                    raise
                told[status] = told.get(status, 0) + 1
                took = time.perf_counter() - began
                slowest, worst = max((slowest, worst), (took, f"seed {seed}"))
    assert told[200] > tries / 20
    assert told[400] > tries / 4
    statuses = ", ".join(f"{number:,} x {status}" for status, number in sorted(told.items()))
    survival("S-16", "bodies that nobody would write", tried=tries, lost=0, figure=f"{statuses}; {slowest:.2f} s")
