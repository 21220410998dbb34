"""What goes wrong with a message, in Anthropic's shape: before a route is known, before the answer, and in it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from claude_says import HELLO, api_error, retrying, start, stop, text
from messages_wire import COUNT, MESSAGES, NEW, OLD, body, counted, error, error_in, events, post, said, streamed, user
from trio.testing import MockClock, wait_all_tasks_blocked
from wire_harness import CHAT, HOST, JSON, FakeBackend, Reply, Server, get, raw, serving

from cca.backends import Exit
from cca.errors import Unavailable
from cca.limits.policy import Limits
from cca.store import exchanges

LENGTH = "Content-Length: 9"


@pytest.mark.parametrize(
    ("printed", "status", "kind", "retried", "message"),
    [
        pytest.param((api_error(400),), 400, "invalid_request_error", False, "refused", id="400"),
        pytest.param((api_error(401),), 401, "authentication_error", False, "login", id="401"),
        pytest.param((api_error(403),), 401, "authentication_error", False, "login", id="403, of the account"),
        pytest.param((api_error(404),), 404, "not_found_error", False, "model", id="404"),
        pytest.param((api_error(413),), 413, "request_too_large", False, "large", id="413"),
        pytest.param((api_error(429),), 429, "rate_limit_error", True, "limited", id="429"),
        pytest.param((api_error(500),), 500, "api_error", True, "failed", id="500"),
        pytest.param((api_error(529),), 529, "overloaded_error", True, "overloaded", id="529"),
        pytest.param((Exit(1),), 502, "api_error", True, "ended (exit code 1)", id="crashed"),
        pytest.param((b"{\n",), 502, "api_error", True, "cannot be read", id="garbage"),
        pytest.param((start(), text("a"), Exit(-9)), 502, "api_error", True, "signal 9", id="killed late"),
        pytest.param((), 504, "timeout_error", True, "did not begin", id="silent"),
        pytest.param((start(), text("a")), 504, "timeout_error", True, "fell silent", id="silent later"),
        pytest.param((RuntimeError("s3cret"),), 500, "api_error", True, "A fault in cca", id="our fault"),
    ],
)
async def test_a_failure_has_its_own_status_whole_and_its_event_in_a_stream(
    *,
    printed: tuple[Any, ...],
    status: int,
    kind: str,
    retried: bool,
    message: str,
    autojump_clock: MockClock,
) -> None:
    async with serving(*printed) as server:
        reply = await server.ask(post(body()))
    async with serving(20.0, *printed) as server:
        late = await server.ask(post(streamed()))
    assert reply.status == status
    assert reply.headers.get("x-should-retry") == (None if retried else "false")
    first, *_, last = events(late)
    assert first == {"type": "ping"}
    for told in (error(reply), error_in(last, late)):
        assert told["type"] == kind
        assert message in told["message"]
        assert "s3cret" not in told["message"]


async def test_a_process_that_cannot_be_had_is_a_503(autojump_clock: MockClock) -> None:
    async with serving(backend=FakeBackend(fault=Unavailable("There is no Claude Code."))) as server:
        reply = await server.ask(post(streamed()))
    assert reply.status == 503
    assert error(reply) == {"type": "overloaded_error", "message": "There is no Claude Code."}


@pytest.mark.parametrize(("seconds", "told", "retry"), [(7.5, "8", None), (600.0, "600", "false")])
async def test_a_client_is_told_how_long_to_wait_and_not_to_sleep_for_it(
    seconds: float, told: str, retry: str | None, autojump_clock: MockClock
) -> None:
    async with serving(retrying(429, seconds)) as server:
        reply = await server.ask(post(body()))
    assert (reply.status, error(reply)["type"]) == (429, "rate_limit_error")
    assert (reply.headers["retry-after"], reply.headers.get("x-should-retry")) == (told, retry)


async def test_a_full_cca_is_overloaded(autojump_clock: MockClock) -> None:
    """In OpenAI's shape it is a 429."""
    async with serving(start(), 30.0, stop(), processes=1, queue=1) as server:
        clients = [await server.connect() for _ in range(2)]
        for client in clients:
            await client.send(post(body()))
            await wait_all_tasks_blocked()
        reply = await server.ask(post(body()))
        assert [(await client.reply()).status for client in clients] == [200, 200]
    assert (reply.status, error(reply)["type"]) == (529, "overloaded_error")
    assert error(reply)["message"].startswith("cca is full. Requests that it answers at once (CCA_PROCESSES): 1. ")
    assert int(reply.headers["retry-after"]) > 0
    assert "x-should-retry" not in reply.headers


async def test_a_limit_is_told_with_its_headers(autojump_clock: MockClock) -> None:
    async with serving(*HELLO, limits=Limits(rpm=1)) as server:
        await server.ask(post(body()))
        reply = await server.ask(post(body()))
    assert (reply.status, error(reply)["type"]) == (429, "rate_limit_error")
    assert (reply.headers["retry-after"], reply.headers["anthropic-ratelimit-requests-remaining"]) == ("60", "0")


# Bodies


def row(name: str, given: Any, *said: str, status: int = 400, kind: str = "invalid_request_error") -> Any:
    return pytest.param(given, said, status, kind, id=name)


USE = {"type": "tool_use", "id": "c", "name": "f", "input": {}}
RESULT = {"type": "tool_result", "tool_use_id": "c", "content": "r"}
TOOL = {"name": "f", "input_schema": {"type": "object"}}
SEARCH = {"type": "web_search_20250305", "name": "web_search"}

BAD_TO_COUNT = [
    row("nothing", b"", "not JSON"),
    row("not JSON", b"model=x", "not JSON"),
    row("an array", b"[]", "must be an object"),
    row("deep", b"[" * 100_000, "not JSON"),
    row("no model", {"max_tokens": 1, "messages": [user()]}, "model", "missing"),
    row("no such model", body(model="llama"), "model", "llama", status=404, kind="not_found_error"),
    row("no messages", {"model": "sonnet", "max_tokens": 1}, "messages", "missing"),
    row("messages of text", body(messages="hi"), "messages must be an array"),
    row("an unknown role", body({"role": "tool", "content": "x"}), "messages[0].role"),
    row("a block of text", body(user(["x"])), "messages[0].content[0]"),
    row("a block of no type", body(user([{"text": "x"}])), "messages[0].content[0].type"),
    row("a block of a server tool", body(user([{"type": "web_search_tool_result"}])), "messages[0].content[0]"),
    row("empty content", body(user("")), "messages[0].content"),
    row("prefill", body(user(), said("{")), "messages[1]"),
    row("a result alone", body(user([RESULT])), "messages[0].content[0]"),
    row("a call without its result", body(user(), said([USE]), user()), "messages[1].content[0]"),
    row("a tool of Anthropic's", body(tools=[SEARCH]), "tools[0].type", "web_search_20250305"),
    row("a tool without a schema", body(tools=[{"name": "f"}]), "tools[0].input_schema"),
    row("a choice of no tool", body(tools=[TOOL], tool_choice={"type": "tool", "name": "g"}), "tool_choice"),
    row("MCP servers", body(mcp_servers=[{"type": "url", "url": "https://x", "name": "x"}]), "mcp_servers"),
]

BAD = [
    *BAD_TO_COUNT,
    row("no max_tokens", counted(), "max_tokens", "missing"),
    row("max_tokens of text", body(max_tokens="1"), "max_tokens must be an integer"),
    row("no tokens at all", body(max_tokens=0), "max_tokens"),
    row("stream of text", body(stream="yes"), "stream must be true or false"),
]


@pytest.mark.parametrize(("given", "told", "status", "kind"), BAD)
async def test_a_bad_body_starts_no_process(
    *, given: Any, told: tuple[str, ...], status: int, kind: str, autojump_clock: MockClock
) -> None:
    async with serving(*HELLO) as server:
        reply = await server.ask(post(given, OLD))
    holds(reply, status, kind, *told)
    assert server.backend.opened == 0


@pytest.mark.parametrize(("given", "told", "status", "kind"), BAD_TO_COUNT)
async def test_what_cannot_be_asked_cannot_be_counted(
    *, given: Any, told: tuple[str, ...], status: int, kind: str, autojump_clock: MockClock
) -> None:
    async with serving(*HELLO) as server:
        reply = await server.ask(post(given, OLD, path=COUNT))
    holds(reply, status, kind, *told)
    assert server.backend.opened == 0


def holds(reply: Reply, status: int, kind: str, *said: str) -> None:
    """Hold that a reply is a refusal that no retry mends, and says all of this."""
    assert (reply.status, error(reply)["type"]) == (status, kind)
    assert set(error(reply)) == {"type", "message"}
    assert reply.headers["x-should-retry"] == "false"
    for each in said:
        assert each in error(reply)["message"]


async def test_a_thread_is_refused_by_the_code_at_which_clients_send_all_of_it(autojump_clock: MockClock) -> None:
    async with serving(*HELLO) as server:
        reply = await server.ask(post(body(thread={"type": "continue", "id": "t"}), NEW))
        whole = await server.ask(post(body(), NEW))
    assert (reply.status, whole.status, server.backend.opened) == (400, 200, 1)
    assert error(reply)["details"] == {"error_code": "thread_unsupported_request", "unsupported": []}
    assert reply.headers["x-should-retry"] == "false"


@pytest.mark.parametrize("path", [MESSAGES, COUNT, "/v1/models", "/v1/models/sonnet"])
@pytest.mark.parametrize(
    "versions", [("latest",), ("",), ("2023-01-01",), ("2023-06-01", "2026-10-21")], ids=["word", "empty", "old", "two"]
)
async def test_a_version_that_is_none_is_refused(
    versions: tuple[str, ...], path: str, autojump_clock: MockClock
) -> None:
    headers = [f"anthropic-version: {version}" for version in versions]
    async with serving(*HELLO) as server:
        asked = get(path, *headers) if "models" in path else post(body(), *headers, path=path)
        holds(await server.ask(asked), 400, "invalid_request_error", "anthropic-version must be one date")
        assert server.backend.opened == 0


async def test_a_version_that_is_none_is_nothing_to_openai_s_routes(autojump_clock: MockClock) -> None:
    chatted = {"model": "sonnet", "messages": [user()]}
    async with serving(*HELLO) as server:
        assert (await server.ask(post(chatted, "anthropic-version: latest", path=CHAT))).status == 200


# Before a route, or its view


@asynccontextmanager
async def small() -> AsyncIterator[Server]:
    async with serving(*HELLO, body_limit=1000, body_timeout=5.0) as server:
        yield server


BREW = get(MESSAGES, method="BREW")
UPGRADE = ("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: eA==")
CHUNKED = "Transfer-Encoding: chunked"


@pytest.mark.parametrize(
    ("asked", "status", "kind"),
    [
        pytest.param(get(MESSAGES), 405, "invalid_request_error", id="a message read"),
        pytest.param(get(COUNT), 405, "invalid_request_error", id="a count read"),
        pytest.param(BREW, 405, "invalid_request_error", id="brewed"),
        pytest.param(post({}, path=f"{MESSAGES}/batches"), 404, "not_found_error", id="batches"),
        pytest.param(get(f"{MESSAGES}/batches/b/results"), 404, "not_found_error", id="their results"),
        pytest.param(post({}, path=f"{MESSAGES}/"), 404, "not_found_error", id="a slash at the end"),
        pytest.param(post({}, OLD, path="/v1/files"), 404, "not_found_error", id="files"),
        pytest.param(
            post({}, OLD, path="/api/event_logging/batch"), 404, "not_found_error", id="what Claude Code logs"
        ),
        pytest.param(get("/v1/models/llama", OLD), 404, "not_found_error", id="no such model"),
        pytest.param(post({}, OLD, path="/v1/models"), 405, "invalid_request_error", id="models posted"),
        pytest.param(raw("POST", MESSAGES, HOST, LENGTH), 415, "invalid_request_error", id="no type"),
        pytest.param(
            raw("POST", MESSAGES, HOST, "Content-Type: text/plain", LENGTH), 415, "invalid_request_error", id="text"
        ),
        pytest.param(raw("POST", MESSAGES, HOST, JSON, "Content-Length: 1001"), 413, "request_too_large", id="large"),
        pytest.param(
            raw("POST", COUNT, HOST, JSON, "Content-Length: 1001"), 413, "request_too_large", id="a large count"
        ),
        pytest.param(raw("POST", MESSAGES, "Host: evil.com", JSON), 403, "permission_error", id="another host"),
        pytest.param(post(body(), "Origin: null"), 403, "permission_error", id="a web page"),
        pytest.param(raw("POST", MESSAGES, HOST, version="2.0"), 505, "invalid_request_error", id="HTTP/2"),
        pytest.param(get(f"/{MESSAGES}", OLD), 400, "invalid_request_error", id="two slashes"),
        pytest.param(get("http://evil.com/v1/messages", NEW), 400, "invalid_request_error", id="a proxy"),
        pytest.param(get(MESSAGES, *UPGRADE), 400, "invalid_request_error", id="a WebSocket"),
        pytest.param(
            raw("POST", MESSAGES, HOST, JSON, CHUNKED, body=b"s3cret\r\n"), 400, "invalid_request_error", id="no chunks"
        ),
    ],
)
async def test_what_no_view_has_seen_is_told_in_anthropic_s_shape(
    *, asked: bytes, status: int, kind: str, autojump_clock: MockClock
) -> None:
    async with small() as server:
        holds(await server.ask(asked), status, kind)
        assert server.backend.opened == 0


async def test_a_slow_body_is_a_408_that_may_be_sent_again(autojump_clock: MockClock) -> None:
    async with small() as server:
        reply = await server.ask(raw("POST", MESSAGES, HOST, JSON, LENGTH, body=b"{"))
    assert (reply.status, error(reply)["type"]) == (408, "timeout_error")
    assert "x-should-retry" not in reply.headers


@pytest.mark.parametrize("path", ["/v1/files", "/api/event_logging/batch", "/v1/chat/nothing"])
async def test_what_is_no_route_and_names_no_version_is_told_in_openai_s_shape(
    path: str, autojump_clock: MockClock
) -> None:
    async with serving() as server:
        reply = await server.ask(post({}, path=path))
    assert (reply.status, reply.error["code"]) == (404, "unknown_url")


async def test_the_greeting_of_claude_code_is_a_plain_404_on_a_connection_that_stays(
    autojump_clock: MockClock,
) -> None:
    """Claude Code 2.1.330 sends it to open its connection, without a version or a key, and takes any status."""
    async with serving(*HELLO) as server:
        client = await server.connect()
        greeted = await client.ask(get("/api/hello", "Accept: */*", method="HEAD"))
        asked = await client.ask(post(body(), OLD))
    assert (greeted.status, greeted.body, asked.status) == (404, b"", 200)
    assert "location" not in greeted.headers


async def test_the_id_of_a_request_that_failed_is_that_of_its_exchange(autojump_clock: MockClock) -> None:
    async with serving(start(), text("a"), 20.0, Exit(1)) as server:
        reply = await server.ask(post(streamed()))
        (kept,) = await server.service.database.read(lambda connection: exchanges.latest(connection, 10))
    *_, last = events(reply)
    assert error_in(last, reply)["type"] == "api_error"
    assert (kept.request_id, kept.dialect, kept.outcome) == (
        reply.headers["request-id"],
        "anthropic_messages",
        "502",
    )
