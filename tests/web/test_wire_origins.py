"""A web page in the settings: its browser is told that it may ask, and read; and no other page's is."""

from pathlib import Path
from typing import Any

import pytest
from claude_says import HELLO
from messages_wire import MESSAGES
from test_wire_keys import Desk, bearer, desk_of
from trio.testing import MockClock
from wire_harness import CHAT, HOST, Reply, chat, get, post, posted, raw, serving, streamed

PAGE = "https://app.example.com"
ORIGIN = f"Origin: {PAGE}"
ALLOWED: dict[str, Any] = {"allowed_origins": (PAGE, "http://localhost:5173")}


def preflight(path: str, method: str = "POST", *headers: str, origin: str = PAGE) -> bytes:
    asked = f"Access-Control-Request-Headers: {', '.join(headers)}"
    return raw("OPTIONS", path, HOST, f"Origin: {origin}", f"Access-Control-Request-Method: {method}", asked)


def of_cors(reply: Reply) -> dict[str, str]:
    return {name: value for name, value in reply.headers.items() if name.startswith("access-control-")}


OPENAIS = (
    *("authorization", "content-type", "openai-organization", "openai-project", "user-agent", "x-stainless-arch"),
    *("x-stainless-lang", "x-stainless-os", "x-stainless-package-version", "x-stainless-retry-count"),
    *("x-stainless-runtime", "x-stainless-runtime-version", "x-stainless-timeout"),
)
ANTHROPICS = (
    *("anthropic-beta", "anthropic-dangerous-direct-browser-access", "anthropic-version", "baggage", "content-type"),
    *(
        "traceparent",
        "tracestate",
        "user-agent",
        "x-api-key",
        "x-stainless-helper",
        "x-stainless-helper-method",
        "x-stainless-lang",
    ),
)


@pytest.mark.parametrize("path", [CHAT, MESSAGES, "/v1/sessions/s", "/health", "/v1/none"])
@pytest.mark.parametrize(
    "headers", [OPENAIS, ANTHROPICS, ("x-session-id",), ()], ids=["openai", "anthropic", "ours", "none"]
)
async def test_its_browser_is_told_that_it_may_ask(
    path: str, headers: tuple[str, ...], tmp_path: Path, autojump_clock: MockClock
) -> None:
    """Without a key: a browser sends none with this question."""
    async with desk_of(tmp_path, **ALLOWED) as desk:
        await desk.make("ann")
        reply = await desk.server.ask(preflight(path, "POST", *headers))
    assert (reply.status, reply.body) == (204, b"")
    assert of_cors(reply) == {
        "access-control-allow-origin": PAGE,
        "access-control-allow-methods": "GET, HEAD, POST, PATCH, DELETE",
        "access-control-allow-headers": ", ".join(sorted(headers)),
        "access-control-max-age": "600",
    }
    assert "origin" in reply.headers["vary"]


@pytest.mark.parametrize(
    "header", ["cookie", "x-evil", "x-forwarded-host", "*", "x-stainless-\u00e9", "x-stainless-a b", ""]
)
async def test_no_other_header_is_told_to_be_fine(header: str, tmp_path: Path, autojump_clock: MockClock) -> None:
    async with desk_of(tmp_path, **ALLOWED) as desk:
        await desk.make("ann")
        reply = await desk.server.ask(preflight(CHAT, "POST", header, "Authorization"))
    assert (reply.status, reply.headers["access-control-allow-headers"]) == (204, "authorization")


async def ask_each(desk: Desk, *headers: str) -> list[Reply]:
    requests = (post(chat(), *headers), posted(MESSAGES, chat(max_tokens=9), *headers), post(streamed(), *headers))
    return [await desk.server.ask(each) for each in (*requests, get("/v1/models", *headers))]


async def test_it_may_read_answers_and_what_is_told_of_limits(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with desk_of(tmp_path, *HELLO, **ALLOWED) as desk:
        key = bearer(await desk.make("ann"))
        replies = await ask_each(desk, key, ORIGIN)
        replies += await ask_each(desk, ORIGIN)
        replies.append(await desk.server.ask(get("/v1/none", key, ORIGIN)))
    assert [reply.status for reply in replies] == [200] * 4 + [401] * 4 + [404]
    for reply in replies:
        told = of_cors(reply)
        assert told.pop("access-control-allow-origin") == PAGE
        shown = told.pop("access-control-expose-headers").split(", ")
        assert {"request-id", "x-request-id", "retry-after", "x-should-retry", "x-ratelimit-remaining-tokens"} <= {
            *shown
        }
        assert reply.headers["vary"] == "origin"
        # Above all: nothing of its browser's own, as cookies are, comes with what it asks.
        assert told == {}


async def test_whoever_is_no_page_has_the_same_answer_as_ever(tmp_path: Path, autojump_clock: MockClock) -> None:
    """But that a cache is told that a page would have another."""
    async with desk_of(tmp_path, *HELLO, **ALLOWED) as desk:
        replies = await ask_each(desk, bearer(await desk.make("ann")))
    for reply in replies:
        assert (reply.status, of_cors(reply), reply.headers["vary"]) == (200, {}, "origin")


OTHERS = (
    *("null", "https://evil.com", "http://app.example.com", f"{PAGE}:8443", f"{PAGE}.evil.com", f"{PAGE}/", "*"),
    *("https://APP.example.com", "https://evilapp.example.com", "http://localhost:51730", "http://localhost"),
)


@pytest.mark.parametrize("origin", OTHERS)
async def test_another_page_is_refused_as_ever(origin: str, tmp_path: Path, autojump_clock: MockClock) -> None:
    """S-05: whatever its key, and whether it asks or its browser does; before the body comes."""
    async with desk_of(tmp_path, *HELLO, **ALLOWED) as desk:
        key = bearer(await desk.make("ann"))
        replies = [
            await desk.server.ask(preflight(CHAT, "POST", "authorization", origin=origin)),
            await desk.server.ask(raw("POST", CHAT, HOST, f"Origin: {origin}", key, "Content-Length: 9000")),
            await desk.server.ask(get("/health", f"Origin: {origin}")),
        ]
        assert desk.server.backend.opened == 0
    for reply in replies:
        assert (reply.status, reply.error["code"], of_cors(reply)) == (403, "origin_not_allowed", {})


async def test_two_origins_are_none(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with desk_of(tmp_path, **ALLOWED) as desk:
        key = bearer(await desk.make("ann"))
        for second in (PAGE, "http://localhost:5173", "null"):
            reply = await desk.server.ask(get("/v1/models", key, ORIGIN, f"Origin: {second}"))
            assert (reply.status, of_cors(reply)) == (403, {})


async def test_without_a_key_no_page_may_ask(autojump_clock: MockClock) -> None:
    async with serving(*HELLO, **ALLOWED) as server:
        for request in (preflight(CHAT), post(chat(), ORIGIN), get("/health", ORIGIN)):
            reply = await server.ask(request)
            assert (reply.status, of_cors(reply)) == (403, {})
        assert server.backend.opened == 0
