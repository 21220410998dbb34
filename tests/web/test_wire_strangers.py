"""Whoever is not a program that asks by a name of cca's is refused before all else: by its Host, its Origin, its type.

A web page can make a browser send requests here, and cannot choose these headers as it likes.
"""

from functools import partial

import pytest
import trio
from claude_says import HELLO
from messages_wire import COUNT, MESSAGES
from test_wire_keys import ROUTES
from trio.testing import MockClock
from wire_harness import CHAT, HOST, JSON, NOW, Server, chat, get, post, raw, serving

from cca.keys import ADMIN
from cca.limits.policy import NO_LIMITS
from cca.store import keys

BODY = b'{"model":"sonnet","max_tokens":9,"messages":[{"role":"user","content":"Hi"}]}'
LENGTH = f"Content-Length: {len(BODY)}"

ASKED = (
    *(("GET", "/health"), ("GET", "/"), ("GET", "/v1/models"), ("GET", "/v1/none"), ("OPTIONS", CHAT)),
    *(("POST", CHAT), ("POST", MESSAGES), ("POST", "/v1/responses"), ("DELETE", "/v1/sessions/s")),
)
"""Routes of each kind, and what is none."""


@pytest.mark.parametrize(
    "host", ["127.0.0.1:8000", "localhost:8000", "LocalHost:8000", "[::1]:8000", "\tlocalhost:8000 "]
)
async def test_a_host_of_this_machine(host: str, autojump_clock: MockClock) -> None:
    async with serving() as server:
        assert (await server.ask(raw("GET", "/health", f"Host: {host}"))).status == 200


STRANGERS = (
    *("", "evil.com", "evil.com:8000", "EVIL.COM:8000", "localhost.evil.com:8000", "evil-localhost:8000"),
    *("localhost-evil.com:8000", "localhostevil.com:8000", "127.0.0.1.nip.io:8000", "127-0-0-1.evil.com:8000"),
    *("evil.com#localhost:8000", "evil.com?localhost:8000", "evil.com/localhost:8000", "evil.com\\localhost:8000"),
    *("evil@localhost:8000", "localhost:8000@evil.com", "localhost.:8000", "localhost..:8000", ".localhost:8000"),
    *("localhost", "localhost:", "localhost:0", "localhost:80", "localhost:443", "localhost:8001", "localhost:80000"),
    *("localhost:08001", "localhost:8000:8000", "localhost:8000, evil.com", "localhost:8000,localhost:8000"),
    *("localhost:8000;evil.com", "localhost:8000/", "localhost:+8000", "localhost:-8000", "localhost:8e3"),
    *("localhost:0x1f40", "localhost: 8000", "localhost :8000", "local\thost:8000", "local host:8000"),
    *("0.0.0.0:8000", "0:8000", "127.1:8000", "127.0.1:8000", "127.0.0.2:8000", "127.0.0.01:8000", "127.0.0.1.:8000"),
    *("2130706433:8000", "0x7f000001:8000", "0x7f.0.0.1:8000", "0177.0.0.1:8000", "::1", "[::1]", "[::1]:8001"),
    *("[::]:8000", "[::ffff:127.0.0.1]:8000", "[::ffff:7f00:1]:8000", "[0:0:0:0:0:0:0:1]:8000", "[::1%25lo]:8000"),
    *("localhost%00:8000", "localhost%2eevil.com:8000", "lo\u00e7alhost:8000", "*:8000", "*", "null", "box.local:8000"),
    *("http://localhost:8000", "//localhost:8000", "localhost:8000\t.evil.com", "metadata.google.internal"),
    *("x" * 64 + ":8000", "a." * 4000 + ":8000"),
)


def test_the_strangers_are_many_and_no_two_the_same() -> None:
    assert len(STRANGERS) >= 60
    assert len(set(STRANGERS)) == len(STRANGERS)


@pytest.mark.parametrize("host", STRANGERS)
async def test_a_host_of_another_machine(host: str, autojump_clock: MockClock) -> None:
    """S-03: on every kind of route, before the key counts and before the body comes; and there may be a key or none."""
    async with serving(*HELLO) as server:
        replies = [await server.ask(raw(*route, f"Host: {host}", JSON, "Content-Length: 9000")) for route in ASKED]
        await server.service.database.write(
            partial(
                keys.make, randomness=bytes, name="ann", scopes=frozenset((ADMIN,)), limits=NO_LIMITS, now=NOW,
                expires_at=None,
            )
        )  # fmt: skip
        await server.service.keyring.refresh()
        assert server.service.keyring.exists
        # With a key the address itself is a name of cca's, in any spelling.
        asked = () if host.startswith("[::ffff:") else ASKED
        replies += [await server.ask(raw(*route, f"Host: {host}", JSON, "Content-Length: 9000")) for route in asked]
        assert server.backend.opened == 0
    for reply in replies:
        assert (reply.status, reply.headers["x-should-retry"]) == (403, "false")
        assert reply.json["error"]["message"].startswith("The Host header does not name this machine")
        assert "access-control-allow-origin" not in reply.headers


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        pytest.param(raw("GET", "/health"), 400, id="none"),
        pytest.param(raw("GET", "/health", version="1.0"), 403, id="none, in HTTP/1.0"),
        pytest.param(raw("GET", "/health", HOST, HOST), 400, id="twice the same"),
        pytest.param(raw("GET", "/health", HOST, "Host: evil.com"), 400, id="ours first"),
        pytest.param(raw("GET", "/health", "host: evil.com", HOST), 400, id="ours last"),
        pytest.param(raw("GET", "/health", HOST, "Host:"), 400, id="an empty one more"),
        pytest.param(raw("GET", "/health", f" {HOST}"), 400, id="folded"),
        pytest.param(raw("GET", "/health", "Host : localhost:8000"), 400, id="a space before the colon"),
        pytest.param(raw("GET", "/health", "X-Forwarded-Host: localhost:8000", "Host: evil.com"), 403, id="forwarded"),
        pytest.param(raw("GET", "http://localhost:8000/health", "Host: evil.com"), 400, id="in the target"),
        pytest.param(raw("GET", "http://evil.com/health", HOST), 400, id="another in the target"),
        pytest.param(raw("GET", "//evil.com/health", HOST), 400, id="another in the path"),
        pytest.param(raw("CONNECT", "localhost:8000", HOST), 400, id="a tunnel"),
    ],
)
async def test_a_host_that_is_not_one(request_bytes: bytes, status: int, autojump_clock: MockClock) -> None:
    """S-03."""
    async with serving() as server:
        assert (await server.ask(request_bytes)).status == status


ORIGINS = (
    *("null", "", "http://localhost:8000", "http://127.0.0.1:8000", "http://[::1]:8000", "https://localhost:8000"),
    *("http://localhost", "http://localhost:8001", "https://evil.com", "http://localhost:8000.evil.com"),
    *("http://localhost:8000@evil.com", "http://evil-localhost:8000", "http://localhost.:8000", "localhost:8000"),
    *("file://", "chrome-extension://abcdefghijklmnop", "vscode-webview://x", "*", "http://localhost:8000, null"),
)


@pytest.mark.parametrize("origin", ORIGINS)
async def test_no_web_page_may_ask(origin: str, autojump_clock: MockClock) -> None:
    """S-05: whatever its origin, whatever it asks for, and nothing tells its browser that it may read the answer."""
    async with serving(*HELLO) as server:
        replies = [
            await server.ask(raw(*route, HOST, JSON, f"Origin: {origin}", "Content-Length: 9000")) for route in ASKED
        ]
        assert server.backend.opened == 0
    for reply in replies:
        assert reply.status == 403
        assert "web pages" in reply.json["error"]["message"]
        assert not [name for name in reply.headers if name.startswith("access-control-")]


async def test_two_origins_are_no_better_than_one(autojump_clock: MockClock) -> None:
    async with serving(*HELLO) as server:
        reply = await server.ask(post(chat(), "Origin: http://localhost:8000", "Origin: http://localhost:8000"))
    assert (reply.status, reply.error["code"]) == (403, "origin_not_allowed")


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
async def test_nor_what_a_page_loads_without_an_origin(site: str, autojump_clock: MockClock) -> None:
    """S-05: its pictures, scripts and frames, by what its browser says of them."""
    async with serving(*HELLO) as server:
        for route in ASKED:
            reply = await server.ask(raw(*route, HOST, f"Sec-Fetch-Site: {site}"))
            assert (reply.status, reply.headers["x-should-retry"]) == (403, "false")
        assert (await server.ask(get("/health", "Sec-Fetch-Site: none"))).status == 200


async def test_a_page_that_asks_whether_it_may_is_told_nothing(autojump_clock: MockClock) -> None:
    """S-05: a preflight."""
    preflight = ("Origin: https://evil.com", "Access-Control-Request-Method: POST", "Access-Control-Request-Headers: x")
    async with serving() as server:
        reply = await server.ask(raw("OPTIONS", CHAT, HOST, *preflight))
    assert (reply.status, [name for name in reply.headers if name.startswith("access-control-")]) == (403, [])


async def test_a_stranger_is_refused_before_the_body_comes(autojump_clock: MockClock) -> None:
    async with serving() as server:
        client = await server.connect()
        reply = await client.ask(raw("POST", CHAT, "Host: evil.com", "Content-Length: 1000"))
        assert await client.rest() == b""
    assert reply.status == 403


TYPES = (
    *("text/plain", "text/plain; application/json", "application/x-www-form-urlencoded", "application/jsonp"),
    *("multipart/form-data; boundary=x", "application/json5", "application/json, text/plain", "json", "text/json", ""),
    *("application/csp-report", "application/x-ndjson", "application/json\u00e9", None),
)
"""Those that a browser sends for a page without asking first, and what looks like ours."""


async def rows(server: Server) -> list[int]:
    tables = ("session", "turn", "exchange", "stored")
    return await server.service.database.read(
        lambda connection: [connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in tables]  # noqa: S608
    )


@pytest.mark.parametrize("media_type", TYPES)
async def test_a_media_type_that_a_web_page_could_send(media_type: str | None, autojump_clock: MockClock) -> None:
    """S-06: on every route that takes a body; no process is started, and nothing is kept."""
    typed = [] if media_type is None else [f"Content-Type: {media_type}"]
    changing = [route.split() for route in ROUTES if route.startswith(("POST ", "PATCH "))]
    assert ["POST", COUNT] in changing
    async with serving(*HELLO) as server:
        for method, path in changing:
            reply = await server.ask(
                raw(method, path.replace("<", "").replace(">", ""), HOST, LENGTH, *typed, body=BODY)
            )
            assert reply.status == 415, (method, path)
            assert "application/json" in reply.json["error"]["message"]
        await trio.sleep(1)
        assert server.backend.opened == 0
        assert sum(await rows(server)) == 0
        assert (await server.ask(get("/health"))).status == 200
