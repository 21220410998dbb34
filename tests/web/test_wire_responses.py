"""Responses on the wire, to the letter of what OpenAI's clients rely on."""

import json
from collections.abc import Iterator
from math import ceil
from typing import Any

import pytest
from claude_says import HELLO, MODEL, api_error, arguments, start, stop, text, thinking, tool
from trio.testing import MockClock
from wire_harness import HOST, JSON, Reply, raw, serving

from cca.backends import Exit
from cca.estimate import START_TOKENS, TURN_TOKENS
from cca.model import Text, UserTurn

RESPONSES = "/v1/responses"


def post(given: Any, path: str = RESPONSES) -> bytes:
    content = given if isinstance(given, bytes) else json.dumps(given).encode()
    return raw("POST", path, HOST, JSON, f"Content-Length: {len(content)}", body=content)


def body(given: Any = "Hello", **fields: Any) -> dict[str, Any]:
    return {"model": "sonnet", "input": given, **fields}


def streamed(**fields: Any) -> dict[str, Any]:
    return body(stream=True, **fields)


def named_events(reply: Reply) -> Iterator[tuple[str, Any]]:
    """Yield the events of a stream with their names; the end of it has none."""
    *blocks, rest = reply.body.decode().split("\n\n")
    assert rest == ""
    for block in blocks:
        name, _, said = block.rpartition("\n")
        said = said.removeprefix("data: ")
        yield name.removeprefix("event: "), said if said == "[DONE]" else json.loads(said)


NAMES = [
    "response.created",
    "response.in_progress",
    "response.output_item.added",
    "response.content_part.added",
    "response.output_text.delta",
    "response.output_text.delta",
    "response.output_text.done",
    "response.content_part.done",
    "response.output_item.done",
    "response.completed",
    "",
]


async def test_a_stream_is_this(autojump_clock: MockClock) -> None:
    async with serving(*HELLO) as server:
        reply = await server.ask(post(streamed()))
    assert (reply.status, reply.headers["content-type"]) == (200, "text/event-stream; charset=utf-8")
    events = list(named_events(reply))
    assert [name for name, _ in events] == NAMES
    assert [event["type"] for _, event in events[:-1]] == NAMES[:-1]
    assert [event["sequence_number"] for _, event in events[:-1]] == list(range(len(NAMES) - 1))
    assert "".join(event["delta"] for _, event in events[:-1] if "delta" in event) == "Hello"
    assert events[-1] == ("", "[DONE]")


@pytest.mark.parametrize(
    ("said", "status"), [(HELLO, "completed"), ((start(), text("Hello"), stop("max_tokens")), "incomplete")]
)
async def test_a_stream_ends_with_what_a_whole_answer_is(said: Any, status: str, autojump_clock: MockClock) -> None:
    async with serving(*said) as server:
        stream = await server.ask(post(streamed(store=False)))
        whole = (await server.ask(post(body(store=False)))).json
    name, last = list(named_events(stream))[-2]
    assert (name, whole["status"]) == (f"response.{status}", status)
    assert whole["model"] == MODEL
    # Each is an answer of its own.
    mine, its = whole["id"].removeprefix("resp_"), last["response"]["id"].removeprefix("resp_")
    assert json.loads(json.dumps(last["response"]).replace(its, mine)) == whole


CODEX_TOOLS = [
    {"type": "function", "name": "exec_command", "strict": False, "parameters": {"type": "object"}},
    {
        "type": "namespace",
        "name": "mcp__files__",
        "description": "Tools of files.",
        "tools": [{"type": "function", "name": "read", "description": "Read.", "parameters": {"type": "object"}}],
    },
    {"type": "custom", "name": "apply_patch", "description": "Patch.", "format": {"type": "grammar"}},
    {"type": "web_search", "external_web_access": False},
]


async def test_codex_is_told_whose_function_is_called(autojump_clock: MockClock) -> None:
    said = (start(), tool("t1", "mcp__files__read"), arguments('{"path":"a"}'), stop("tool_use"))
    fields = {
        "instructions": "You code.",
        "tools": CODEX_TOOLS,
        "tool_choice": "auto",
        "parallel_tool_calls": True,
        "reasoning": {"effort": "medium", "summary": "auto"},
        "store": False,
        "include": ["reasoning.encrypted_content"],
        "prompt_cache_key": "k",
        "text": {"verbosity": "low"},
    }
    async with serving(*said) as server:
        reply = await server.ask(post(streamed(**fields)))
    (call,) = list(named_events(reply))[-2][1]["response"]["output"]
    assert (call["namespace"], call["name"], call["arguments"]) == ("mcp__files__", "read", '{"path":"a"}')
    assert [offered.name for offered in server.backend.conversations[0].tools] == ["exec_command", "mcp__files__read"]
    assert reply.headers["x-cca-ignored"] == (
        "prompt_cache_key, include.reasoning.encrypted_content, text.verbosity, tools[2] (custom), "
        "tools[3] (web_search)"
    )


async def test_what_the_model_thought_is_told_to_who_asks(autojump_clock: MockClock) -> None:
    async with serving(start(), thinking("Hm"), text("Yes"), stop()) as server:
        asked = (await server.ask(post(body(reasoning={"summary": "auto"})))).json
        other = (await server.ask(post(body()))).json
    assert (
        [item["type"] for item in asked["output"]]
        == [item["type"] for item in other["output"]]
        == ["reasoning", "message"]
    )
    assert asked["output"][0]["summary"] == [{"type": "summary_text", "text": "Hm"}]
    assert other["output"][0]["summary"] == []


async def test_a_failure_before_the_answer_has_its_own_status(autojump_clock: MockClock) -> None:
    async with serving(api_error(429)) as server:
        reply = await server.ask(post(streamed()))
    assert (reply.status, reply.error["type"]) == (429, "rate_limit_error")


async def test_a_failure_in_the_answer_is_a_response_that_failed(autojump_clock: MockClock) -> None:
    async with serving(start(), text("Hel"), Exit(1)) as server:
        reply = await server.ask(post(streamed()))
    events = list(named_events(reply))
    name, failed = events[-2]
    assert (name, failed["response"]["status"]) == ("response.failed", "failed")
    assert failed["response"]["error"]["code"] == "server_error"
    assert failed["response"]["output"][0]["content"][0]["text"] == "Hel"
    assert events[-1] == ("", "[DONE]")


@pytest.mark.parametrize(
    ("given", "param"),
    [
        pytest.param({"input": "Hello"}, "model", id="no model"),
        pytest.param(body(background=True), "background", id="in the background"),
        pytest.param(body([{"type": "computer_call"}]), "input[0].type", id="an item that cca has not"),
        pytest.param(
            body([{"type": "function_call_output", "call_id": "c", "output": "1"}]),
            "input[0]",
            id="an output of no call",
        ),
        pytest.param(b"{", None, id="no JSON"),
    ],
)
async def test_what_is_wrong_is_told_before_a_process_is_started(
    given: Any, param: str | None, autojump_clock: MockClock
) -> None:
    async with serving() as server:
        reply = await server.ask(post(given))
        assert server.backend.opened == 0
    assert (reply.status, reply.error["param"]) == (400, param)


async def test_a_prompt_arrives_as_it_was_sent(autojump_clock: MockClock) -> None:
    async with serving(*HELLO) as server:
        await server.ask(post(body(" <b>&amp;\u2028 ", instructions="Be brief.")))
    (conversation,) = server.backend.conversations
    assert conversation.turns == (UserTurn((Text(" <b>&amp;\u2028 "),)),)
    assert conversation.system == ("Be brief.",)


COUNT = "/v1/responses/input_tokens"
NOTHING = START_TOKENS + TURN_TOKENS
"""What one message is before it says anything."""


async def test_tokens_are_counted_with_what_the_input_goes_on_from_and_no_process(autojump_clock: MockClock) -> None:
    async with serving(*HELLO) as server:
        stored = (await server.ask(post(body("a" * 40)))).json["id"]
        opened = server.backend.opened
        alone = await server.ask(post(body("b" * 40, instructions="c" * 40, max_tool_calls=1), COUNT))
        after = await server.ask(post(body("b" * 40, previous_response_id=stored), COUNT))
        assert server.backend.opened == opened
    assert alone.json == {"object": "response.input_tokens", "input_tokens": NOTHING + 20}
    assert alone.headers["x-cca-ignored"] == "max_tool_calls"
    assert after.json["input_tokens"] == NOTHING + 2 * TURN_TOKENS + ceil((40 + len("Hello") + 40) / 4)


@pytest.mark.parametrize(
    ("given", "param"),
    [
        (body(tools=7), "tools"),
        (body(previous_response_id="none"), "previous_response_id"),
        (body([{"type": "function_call_output", "call_id": "c", "output": "1"}]), "input[0]"),
    ],
    ids=["tools", "previous", "an output of no call"],
)
async def test_what_cannot_be_asked_cannot_be_counted(given: Any, param: str, autojump_clock: MockClock) -> None:
    async with serving() as server:
        reply = await server.ask(post(given, COUNT))
    assert (reply.status, reply.error["param"]) == (400, param)


async def test_what_is_counted_needs_no_model(autojump_clock: MockClock) -> None:
    async with serving() as server:
        reply = await server.ask(post({"input": "abc"}, COUNT))
    assert reply.json["input_tokens"] == NOTHING + 1


async def test_nothing_is_compacted(autojump_clock: MockClock) -> None:
    async with serving() as server:
        reply = await server.ask(post(body(), "/v1/responses/compact"))
    assert (reply.status, reply.error["code"]) == (404, "unknown_url")
