"""Messages on the wire, to the letter of what Anthropic's clients rely on."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import trio
from claude_says import HELLO, MODEL, arguments, line, start, stop, text, thinking, tool
from messages_wire import NEW, OLD, body, error, error_in, events, post, said, streamed, user
from trio.testing import MockClock
from wire_harness import Client, FakeBackend, Said, get, serving

from cca.backends import Exit
from cca.model import AssistantTurn, Sampling, Text, ToolResult, ToolUse, UserTurn

USAGE = {
    "input_tokens": 7,
    "cache_creation_input_tokens": 0,
    "cache_read_input_tokens": 0,
    "output_tokens": 3,
    "output_tokens_details": {"thinking_tokens": 0},
    "server_tool_use": None,
}
SHARED = {"cache_creation": None, "inference_geo": None, "service_tier": None}
OPEN = {"stop_reason": None, "stop_sequence": None, "stop_details": None, "container": None}
ENDED = {**OPEN, "stop_reason": "end_turn"}
MESSAGE = {"id": "msg_1", "type": "message", "role": "assistant", "model": MODEL}
PING = {"type": "ping"}


async def test_a_stream_is_this(autojump_clock: MockClock) -> None:
    async with serving(*HELLO) as server:
        reply = await server.ask(post(streamed(), NEW))
    assert reply.status == 200
    begun = {**USAGE, **SHARED, "output_tokens": 1}
    assert list(events(reply)) == [
        {"type": "message_start", "message": {**MESSAGE, "content": [], **OPEN, "usage": begun}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hel"}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "lo"}},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": ENDED, "usage": USAGE},
        {"type": "message_stop"},
    ]
    headers = dict(reply.headers)
    assert headers.pop("date")
    assert headers == {
        "content-type": "text/event-stream; charset=utf-8",
        "cache-control": "no-cache",
        "x-accel-buffering": "no",
        "x-request-id": "req_id1",
        "request-id": "req_id1",
        "transfer-encoding": "chunked",
    }


async def test_a_whole_answer_is_this(autojump_clock: MockClock) -> None:
    async with serving(*HELLO) as server:
        reply = await server.ask(post(body(), NEW))
    assert (reply.status, reply.headers["request-id"]) == (200, "req_id1")
    content = [{"type": "text", "text": "Hello"}]
    assert reply.json == {**MESSAGE, "content": content, **ENDED, "usage": {**USAGE, **SHARED}}


# While the model is silent


LATE: tuple[Said, ...] = (start(), text("Hel"), 2.5, text("lo"), stop())


async def test_a_silent_model_pings(autojump_clock: MockClock) -> None:
    async with serving(*LATE, heartbeat=1.0) as server:
        reply = await server.ask(post(streamed()))
    kinds = [event["type"] for event in events(reply)]
    assert kinds == [
        "message_start",
        "content_block_start",
        "content_block_delta",
        "ping",
        "ping",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]
    assert b": keep-alive" not in reply.body


@pytest.mark.parametrize(("seconds", "pings"), [(0.9, 0), (1.5, 1), (3.5, 3), (100.5, 100)])
async def test_a_model_that_takes_its_time_begins_with_pings(
    seconds: float, pings: int, autojump_clock: MockClock
) -> None:
    async with serving(seconds, *HELLO, heartbeat=1.0) as server:
        client = await server.connect()
        await client.send(post(streamed()))
        before = autojump_clock.current_time()
        head = await client.head()
        assert autojump_clock.current_time() - before == pytest.approx(min(seconds, 1.0))
        said = await client.reply_body()
    assert head.status == 200
    assert said.count(b'event: ping\ndata: {"type":"ping"}\n\n') == pings
    assert said.index(b"event: message_start") == pings * len(b'event: ping\ndata: {"type":"ping"}\n\n')
    assert said.endswith(b'event: message_stop\ndata: {"type":"message_stop"}\n\n')


async def test_a_whole_answer_waits_for_its_status(autojump_clock: MockClock) -> None:
    async with serving(5.0, Exit(1), heartbeat=1.0) as server:
        reply = await server.ask(post(body()))
    assert (reply.status, error(reply)["type"]) == (502, "api_error")


@pytest.mark.parametrize(("seconds", "status"), [(0.5, 502), (1.5, 200)], ids=["soon", "late"])
async def test_a_failure_has_its_status_until_the_stream_began(
    seconds: float, status: int, autojump_clock: MockClock
) -> None:
    async with serving(seconds, line({"type": "system"}), Exit(1), heartbeat=1.0) as server:
        reply = await server.ask(post(streamed()))
    assert reply.status == status
    if status == 200:
        first, last = events(reply)
        assert first == PING
        assert error_in(last, reply)["type"] == "api_error"
    else:
        assert error(reply)["type"] == "api_error"


async def test_a_failure_in_a_stream_is_its_last_event(autojump_clock: MockClock) -> None:
    async with serving(start(), text("a"), 0.5, Exit(1)) as server:
        reply = await server.ask(post(streamed()))
    *_, last = events(reply)
    message = "Claude Code ended (exit code 1) before its answer was complete."
    assert error_in(last, reply) == {"type": "api_error", "message": message}
    assert b"message_stop" not in reply.body


async def test_a_dialect_without_pings_waits_for_its_status(autojump_clock: MockClock) -> None:
    """OpenAI's clients know of no event that says nothing."""
    async with serving(50.0, Exit(1), heartbeat=1.0) as server:
        reply = await server.ask(post(streamed(), path="/v1/chat/completions"))
    assert reply.status == 502


@pytest.mark.parametrize("seconds", [0.5, 5.5], ids=["before it began", "while it pings"])
@pytest.mark.parametrize("leave", [Client.half_close, Client.leave], ids=["FIN", "RST"])
async def test_a_client_that_leaves_takes_its_process_along(
    leave: Callable[[Client], Awaitable[None]], seconds: float, autojump_clock: MockClock
) -> None:
    async with serving(heartbeat=1.0) as server:
        client = await server.connect()
        await client.send(post(streamed()))
        await trio.sleep(seconds)
        await leave(client)
        before = autojump_clock.current_time()
        await server.backend.all_left.wait()
        assert autojump_clock.current_time() - before < 1.5
        assert server.backend.opened == 1


async def test_the_end_of_the_server_is_an_event_of_a_stream_that_pings(autojump_clock: MockClock) -> None:
    async with serving(heartbeat=1.0) as server:
        client = await server.connect()
        await client.send(post(streamed()))
        await trio.sleep(2.5)
        server.app.ending.come()
        reply = await client.reply()
    first, second, last = events(reply)
    assert first == second == PING
    assert error_in(last, reply)["type"] == "overloaded_error"
    assert "cca was stopped" in last["error"]["message"]


# Headers, queries and versions


IGNORED = (
    "anthropic-beta: interleaved-thinking-2025-05-14,unheard-of-2030-01-01",
    "anthropic-dangerous-direct-browser-access: true",
    "x-claude-code-session-id: 0f5f",
    "x-stainless-retry-count: 3",
    "x-stainless-timeout: 600",
    "x-stainless-helper-method: stream",
    "x-app: cli",
    "User-Agent: claude-cli/2.1.330 (external, cli)",
)


@pytest.mark.parametrize("path", ["/v1/messages", "/v1/messages?beta=true", "/v1/messages?beta=true&x=y"])
async def test_what_claude_code_sends_besides_changes_nothing(path: str, autojump_clock: MockClock) -> None:
    async with serving(*HELLO) as server:
        reply = await server.ask(post(body(), OLD, *IGNORED, path=path))
    assert (reply.status, reply.json["content"]) == (200, [{"type": "text", "text": "Hello"}])
    assert "x-cca-ignored" not in reply.headers


SAMPLED = {"model": "haiku", "temperature": 0.5, "top_k": 5}


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        pytest.param((), 200, id="none is the oldest"),
        pytest.param((OLD,), 200, id="the oldest"),
        pytest.param(("anthropic-version: 2024-01-01",), 200, id="a day after it"),
        pytest.param((NEW,), 400, id="the newest"),
        pytest.param(("anthropic-version: 2030-01-01",), 400, id="a day after that"),
    ],
)
async def test_how_to_sample_may_be_said_in_the_older_version_alone(
    headers: tuple[str, ...], status: int, autojump_clock: MockClock
) -> None:
    async with serving(*HELLO) as server:
        reply = await server.ask(post(body(**SAMPLED), *headers))
    assert reply.status == status
    if status == 200:
        (conversation,) = server.backend.conversations
        assert conversation.sampling == Sampling(100, temperature=0.5, top_k=5, thinking=False)
    else:
        assert error(reply)["message"].startswith("temperature is not permitted from version 2026-10-21")
        assert server.backend.opened == 0


# Sessions


SESSION = "x-session-id: walk"
CALLS = (start(), tool("toolu_1", "f"), arguments('{"a":1}'), stop("tool_use"))
OFFER: dict[str, Any] = {"tools": [{"name": "f", "input_schema": {"type": "object"}}]}


async def test_a_session_goes_on_from_what_was_said(autojump_clock: MockClock) -> None:
    async with serving(*HELLO) as server:
        first = await server.ask(post(body(user("He"), system="Be brief."), SESSION))
        await server.ask(post(streamed(user("She")), SESSION))
        turns = await server.ask(get("/v1/sessions/walk/turns"))
    assert first.headers["x-session-id"] == "walk"
    assert server.backend.conversations[1].system == ("Be brief.",)
    assert server.backend.conversations[1].turns == (
        UserTurn((Text("He"),)),
        AssistantTurn((Text("Hello"),)),
        UserTurn((Text("She"),)),
    )
    assert [turn["role"] for turn in turns.json["data"]] == ["user", "assistant"] * 2


async def test_a_session_s_call_gets_its_result_alone(autojump_clock: MockClock) -> None:
    backend = FakeBackend(each=(CALLS, HELLO))
    result = {"type": "tool_result", "tool_use_id": "toolu_1", "content": "r"}
    async with serving(backend=backend) as server:
        called = await server.ask(post(body(user("He"), **OFFER), SESSION))
        reply = await server.ask(post(body(user([result]), **OFFER), SESSION))
    use = {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {"a": 1}, "caller": {"type": "direct"}}
    assert (called.json["stop_reason"], called.json["content"]) == ("tool_use", [use])
    assert reply.status == 200
    assert backend.conversations[1].turns == (
        UserTurn((Text("He"),)),
        AssistantTurn((ToolUse("toolu_1", "f", {"a": 1}),)),
        UserTurn((ToolResult("toolu_1", (Text("r"),)),)),
    )


async def test_what_a_session_has_found_stays_there_to_be_called(autojump_clock: MockClock) -> None:
    """None of its requests has what was found by one before it."""
    searched = {"tools": [*OFFER["tools"], {**OFFER["tools"][0], "name": "g", "defer_loading": True}]}
    backend = FakeBackend(each=(CALLS, HELLO, HELLO))
    found = {"type": "tool_result", "tool_use_id": "toolu_1", "content": [{"type": "tool_reference", "tool_name": "g"}]}
    async with serving(backend=backend) as server:
        for message in (user("He"), user([found]), user("She")):
            reply = await server.ask(post(body(message, **searched), SESSION))
            assert reply.status == 200
    assert [[each.name for each in asked.tools] for asked in backend.conversations] == [["f", "g"]] * 3


async def test_a_session_is_the_same_in_whatever_dialect_it_goes_on(autojump_clock: MockClock) -> None:
    chatted = {"model": "sonnet", "messages": [user("He")]}
    async with serving(*HELLO) as server:
        await server.ask(post(chatted, SESSION, path="/v1/chat/completions"))
        await server.ask(post(body(user("She")), SESSION))
    assert server.backend.conversations[1].turns[:2] == (UserTurn((Text("He"),)), AssistantTurn((Text("Hello"),)))


async def test_a_history_and_its_results_are_heard_by_their_roles(autojump_clock: MockClock) -> None:
    use = {"type": "tool_use", "id": "c", "name": "f", "input": {"a": 1}}
    result = {"type": "tool_result", "tool_use_id": "c", "content": [{"type": "text", "text": "r"}], "is_error": True}
    async with serving(*HELLO) as server:
        reply = await server.ask(post(body(user("He"), said([use]), user([result]), **OFFER), NEW))
    assert reply.status == 200
    (conversation,) = server.backend.conversations
    assert conversation.turns == (
        UserTurn((Text("He"),)),
        AssistantTurn((ToolUse("c", "f", {"a": 1}),)),
        UserTurn((ToolResult("c", (Text("r"),), is_error=True),)),
    )


# What the model thinks, cites and stops at


THOUGHT = (start(), thinking("Hm.", "c2ln"), text("Yes"), stop())


async def test_what_it_thought_is_a_block_with_its_signature(autojump_clock: MockClock) -> None:
    async with serving(*THOUGHT) as server:
        whole = await server.ask(post(body(thinking={"type": "adaptive"}), NEW))
        reply = await server.ask(post(streamed(thinking={"type": "adaptive"}), NEW))
    assert whole.json["content"] == [
        {"type": "thinking", "thinking": "Hm.", "signature": "c2ln"},
        {"type": "text", "text": "Yes"},
    ]
    deltas = [event["delta"]["type"] for event in events(reply) if event["type"] == "content_block_delta"]
    assert deltas == ["thinking_delta", "signature_delta", "text_delta"]
    assert [conversation.sampling.thinking for conversation in server.backend.conversations] == [True, True]
