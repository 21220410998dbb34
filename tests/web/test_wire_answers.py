"""Chat completions on the wire, to the letter of what OpenAI's clients rely on."""

from typing import Any

import pytest
import trio
from claude_says import HELLO, MODEL, api_error, arguments, retrying, start, stop, text, thinking, tool
from trio.testing import MockClock
from wire_harness import FakeBackend, chat, post, serving, streamed, user

from cca.backends import Exit
from cca.errors import Unavailable

USAGE = {
    "prompt_tokens": 7,
    "completion_tokens": 3,
    "total_tokens": 10,
    "prompt_tokens_details": {"cached_tokens": 0},
    "completion_tokens_details": {"reasoning_tokens": 0},
}


def chunk(delta: Any, finish_reason: str | None = None, **others: Any) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
    return {**HEAD, "choices": [choice], **others}


HEAD = {"id": "chatcmpl-id2", "object": "chat.completion.chunk", "created": 1_700_000_000, "model": MODEL}
ROLE = {"role": "assistant", "content": ""}


async def test_a_stream_is_this(autojump_clock: MockClock) -> None:
    async with serving(*HELLO) as server:
        reply = await server.ask(post(streamed()))
    assert reply.status == 200
    assert reply.events == [
        chunk(ROLE),
        chunk({"content": "Hel"}),
        chunk({"content": "lo"}),
        chunk({}, "stop"),
        "[DONE]",
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
        reply = await server.ask(post(chat()))
    assert reply.status == 200
    assert reply.headers["content-type"] == "application/json"
    assert reply.headers["x-request-id"] == "req_id1"
    assert reply.json == {
        "id": "chatcmpl-id2",
        "object": "chat.completion",
        "created": 1_700_000_000,
        "model": MODEL,
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "Hello", "refusal": None, "annotations": []},
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": USAGE,
    }


async def test_usage_is_null_in_each_chunk_and_then_a_chunk_of_its_own_when_it_is_asked_for(
    autojump_clock: MockClock,
) -> None:
    async with serving(start(cache_read_input_tokens=90), text("Hi"), stop()) as server:
        reply = await server.ask(post(streamed(stream_options={"include_usage": True})))
    cached = {**USAGE, "prompt_tokens": 97, "total_tokens": 100, "prompt_tokens_details": {"cached_tokens": 90}}
    assert reply.events == [
        chunk(ROLE, usage=None),
        chunk({"content": "Hi"}, usage=None),
        chunk({}, "stop", usage=None),
        {**HEAD, "choices": [], "usage": cached},
        "[DONE]",
    ]


CALLS = (start(), text("So"), tool("a", "f"), arguments('{"x"'), arguments(":1}"), tool("b", "g"), stop("tool_use"))


async def test_tool_calls_in_fragments_name_themselves_once(autojump_clock: MockClock) -> None:
    async with serving(*CALLS) as server:
        reply = await server.ask(post(streamed()))
    deltas = [event["choices"][0]["delta"] for event in reply.events[:-1]]
    assert deltas == [
        ROLE,
        {"content": "So"},
        {"tool_calls": [{"index": 0, "id": "a", "type": "function", "function": {"name": "f", "arguments": ""}}]},
        {"tool_calls": [{"index": 0, "function": {"arguments": '{"x"'}}]},
        {"tool_calls": [{"index": 0, "function": {"arguments": ":1}"}}]},
        {"tool_calls": [{"index": 1, "id": "b", "type": "function", "function": {"name": "g", "arguments": ""}}]},
        {},
    ]
    assert reply.events[-2]["choices"][0]["finish_reason"] == "tool_calls"


async def test_tool_calls_whole(autojump_clock: MockClock) -> None:
    async with serving(start(), *CALLS[2:]) as server:
        choice = (await server.ask(post(chat()))).json["choices"][0]
    assert choice["finish_reason"] == "tool_calls"
    assert choice["message"]["content"] is None
    assert choice["message"]["tool_calls"] == [
        {"id": "a", "type": "function", "function": {"name": "f", "arguments": '{"x":1}'}},
        {"id": "b", "type": "function", "function": {"name": "g", "arguments": "{}"}},
    ]


THOUGHT = (start(), thinking("Hm"), thinking("m."), text("Yes"), stop(output_tokens_details={"thinking_tokens": 2}))


async def test_thinking_is_reasoning_content(autojump_clock: MockClock) -> None:
    async with serving(*THOUGHT) as server:
        reply = await server.ask(post(streamed()))
        whole = (await server.ask(post(chat()))).json
    deltas = [event["choices"][0]["delta"] for event in reply.events[:-1]]
    assert deltas == [ROLE, {"reasoning_content": "Hm"}, {"reasoning_content": "m."}, {"content": "Yes"}, {}]
    assert whole["choices"][0]["message"]["reasoning_content"] == "Hmm."
    assert whole["usage"]["completion_tokens_details"] == {"reasoning_tokens": 2}


async def test_events_that_wait_for_a_slow_client_share_one_write(autojump_clock: MockClock) -> None:
    async with serving(start(), text("a"), text("b"), text("c"), text("d"), stop()) as server:
        client = await server.connect(stalling=True)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(client.send, post(streamed()))
            await trio.sleep(1)
            reply = await client.reply()
    # What was there when the first write began, and all the rest: it came while the client took that.
    assert len(reply.chunks) <= 2
    assert len(reply.events) == 7


async def test_a_silent_model_is_kept_alive_by_comments(autojump_clock: MockClock) -> None:
    async with serving(start(), text("a"), 3.5, text("b"), 0.5, stop(), heartbeat=1.0) as server:
        reply = await server.ask(post(streamed()))
    kept = [event for event in reply.events if event == ": keep-alive"]
    assert reply.events[2:6] == [*kept, chunk({"content": "b"})]
    assert len(kept) == 3


HOSTILE = "\n\nevent: x\ndata: [DONE]\n\n\r\r\n\u2028\u2029\x00\x85 \U0001f600"


async def test_no_text_of_the_model_ends_an_event(autojump_clock: MockClock) -> None:
    async with serving(start(), text(HOSTILE), stop()) as server:
        reply = await server.ask(post(streamed()))
    assert [event["choices"][0]["delta"] for event in reply.events[:-1]] == [ROLE, {"content": HOSTILE}, {}]
    assert not set(b"\r\x0b\x0c") & set(reply.body)


@pytest.mark.parametrize(
    ("said", "status", "kind", "code", "retried", "message"),
    [
        pytest.param((api_error(400),), 400, "invalid_request_error", None, False, "refused", id="400"),
        pytest.param((api_error(401),), 401, "invalid_request_error", "claude_code_login", False, "login", id="401"),
        pytest.param((api_error(404),), 404, "invalid_request_error", "model_not_found", False, "model", id="404"),
        pytest.param((api_error(413),), 413, "invalid_request_error", None, False, "large", id="413"),
        pytest.param((api_error(429),), 429, "rate_limit_error", "rate_limit_exceeded", True, "limited", id="429"),
        pytest.param((api_error(500),), 500, "server_error", None, True, "failed", id="500"),
        pytest.param((api_error(529),), 503, "server_error", None, True, "overloaded", id="529 is a 503"),
        pytest.param((Exit(1),), 502, "server_error", None, True, "ended (exit code 1)", id="crashed"),
        pytest.param((b"{\n",), 502, "server_error", None, True, "cannot be read", id="garbage"),
        pytest.param((start(), text("a"), Exit(-9)), 502, "server_error", None, True, "signal 9", id="killed late"),
        pytest.param((), 504, "server_error", None, True, "did not begin", id="silent"),
        pytest.param((start(), text("a")), 504, "server_error", None, True, "fell silent", id="silent later"),
        pytest.param((RuntimeError("s3cret"),), 500, "server_error", None, True, "A fault in cca", id="our fault"),
    ],
)
async def test_a_failure_has_its_own_status_whole(
    *,
    said: tuple[Any, ...],
    status: int,
    kind: str,
    code: str | None,
    retried: bool,
    message: str,
    autojump_clock: MockClock,
) -> None:
    async with serving(*said) as server:
        reply = await server.ask(post(chat()))
    assert reply.status == status
    assert reply.headers["content-type"] == "application/json"
    assert reply.headers["x-request-id"] == "req_id1"
    assert reply.headers.get("x-should-retry") == (None if retried else "false")
    assert (reply.error["type"], reply.error["code"], reply.error["param"]) == (kind, code, None)
    assert message in reply.error["message"]
    assert "s3cret" not in reply.error["message"]


async def test_a_failure_before_the_first_byte_of_a_stream_is_no_stream(autojump_clock: MockClock) -> None:
    async with serving(start(), Exit(1)) as server:
        reply = await server.ask(post(streamed()))
    assert (reply.status, reply.headers["content-type"]) == (502, "application/json")
    assert reply.error["type"] == "server_error"


async def test_a_failure_in_a_stream_is_its_last_event_and_there_is_no_done(autojump_clock: MockClock) -> None:
    async with serving(start(), text("a"), 1.0, Exit(1)) as server:
        reply = await server.ask(post(streamed()))
    message = "Claude Code ended (exit code 1) before its answer was complete."
    error = {"message": message, "type": "server_error", "param": None, "code": None}
    assert reply.status == 200
    assert reply.events[2:] == [{"error": error}]


async def test_a_process_that_cannot_be_had_is_a_503(autojump_clock: MockClock) -> None:
    async with serving(backend=FakeBackend(fault=Unavailable("There is no Claude Code."))) as server:
        reply = await server.ask(post(streamed()))
    assert (reply.status, reply.error["message"]) == (503, "There is no Claude Code.")


@pytest.mark.parametrize(("seconds", "header"), [(30.0, "30"), (0.2, "1"), (7.5, "8")])
async def test_retry_after_is_in_whole_seconds_and_never_too_soon(
    seconds: float, header: str, autojump_clock: MockClock
) -> None:
    async with serving(retrying(429, seconds)) as server:
        reply = await server.ask(post(chat()))
    assert (reply.status, reply.headers["retry-after"]) == (429, header)


async def test_deadlines_are_told_at_their_second(autojump_clock: MockClock) -> None:
    slow = [each for second in range(100) for each in (1.0, text(str(second)))]
    async with serving(start(), *slow, answer_timeout=10.5) as server:
        reply = await server.ask(post(streamed()))
    assert "longer than 10.5 seconds" in reply.events[-1]["error"]["message"]
    assert len(reply.events) == 12


async def test_each_request_has_an_id_of_its_own(autojump_clock: MockClock) -> None:
    async with serving(*HELLO) as server:
        client = await server.connect()
        ids = [(await client.ask(post(chat()))).headers["x-request-id"] for _ in range(3)]
    assert len(set(ids)) == 3


async def test_history_goes_in_by_its_roles(autojump_clock: MockClock) -> None:
    messages = [user("1"), {"role": "assistant", "content": "2"}, user("3")]
    async with serving(*HELLO) as server:
        reply = await server.ask(post(chat(*messages)))
        (process,) = server.backend.processes
    assert reply.json["choices"][0]["message"]["content"] == "Hello"
    assert [frames.count(b'"role":') for frames in process.written] == [1, 2]
