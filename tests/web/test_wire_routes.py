"""What may be asked for: routes, bodies and sizes. All before a body is decoded."""

from typing import Any

import pytest
import trio
from claude_says import HELLO
from trio.testing import MockClock
from wire_harness import CHAT, HOST, JSON, get, post, raw, serving

BODY = b'{"model":"sonnet","messages":[{"role":"user","content":"Hi"}]}'
LENGTH = f"Content-Length: {len(BODY)}"


async def test_health(autojump_clock: MockClock) -> None:
    async with serving() as server:
        root, health = [await server.ask(get(path)) for path in ("/", "/health")]
    assert root.json == health.json
    assert set(health.json) == {"status", "version", "cli_version", "backend"}
    assert (health.json["status"], health.json["cli_version"], health.json["backend"]) == ("ok", "2.1.330", "fake")
    assert (root.headers["x-request-id"], health.headers["x-request-id"]) == ("req_id1", "req_id2")


async def test_models_are_the_aliases_and_ids_that_the_cli_lists(autojump_clock: MockClock) -> None:
    async with serving() as server:
        listed = (await server.ask(get("/v1/models"))).json
    assert listed["object"] == "list"
    names = [entry["id"] for entry in listed["data"]]
    assert names == ["sonnet", "claude-sonnet-5-5", "haiku", "claude-haiku-4-5", "opus[1m]", "claude-opus-5[1m]"]
    assert listed["data"][0] == {"id": "sonnet", "object": "model", "created": 0, "owned_by": "anthropic"}


async def test_names_that_stand_for_a_model_are_listed_too(autojump_clock: MockClock) -> None:
    async with serving(models=("gpt-4o=sonnet", "gpt-*=haiku")) as server:
        listed = (await server.ask(get("/v1/models"))).json["data"]
        assert [entry["id"] for entry in listed if "gpt" in entry["id"]] == ["gpt-4o"]
        assert (await server.ask(get("/v1/models/gpt-4o"))).json == listed[-1]


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("sonnet", "sonnet"),
        ("gpt-4o", "gpt-4o"),
        ("claude-opus-5[1m]", "claude-opus-5[1m]"),
        ("claude-opus-5%5B1m%5D", "claude-opus-5[1m]"),
        ("claude-a/b", "claude-a/b"),
        ("claude-a%2Fb", "claude-a/b"),
        ("claude-a//b", "claude-a//b"),
    ],
)
async def test_a_model(path: str, name: str, autojump_clock: MockClock) -> None:
    async with serving() as server:
        reply = await server.ask(get(f"/v1/models/{path}"))
    assert (reply.status, reply.json["id"]) == (200, name)


@pytest.mark.parametrize("name", ["llama", "a/b", "%2e%2e%2f..%2fetc", "%00", "%ff", "x" * 5000])
async def test_a_model_that_is_not_there(name: str, autojump_clock: MockClock) -> None:
    async with serving() as server:
        reply = await server.ask(get(f"/v1/models/{name}"))
    assert (reply.status, reply.error["code"], reply.error["param"]) == (404, "model_not_found", "model")
    assert len(reply.body) < 600


@pytest.mark.parametrize("path", ["/", "/health", "/v1/models", "/v1/models/sonnet"])
async def test_head_is_get_without_its_body(path: str, autojump_clock: MockClock) -> None:
    async with serving() as server:
        client = await server.connect()
        told = await client.ask(get(path, method="HEAD"))
        got = await client.ask(get(path))
    assert (told.status, told.body) == (200, b"")
    assert told.headers["content-length"] == got.headers["content-length"]


@pytest.mark.parametrize(
    "request_bytes",
    [
        pytest.param(get("/v1"), id="no such path"),
        pytest.param(get("/v1/embeddings"), id="not yet"),
        pytest.param(get("/v1//models"), id="no redirect"),
        pytest.param(get("/v1/models/a%0d%0ax:b"), id="a line break"),
        pytest.param(get("/health/"), id="a slash at the end"),
        pytest.param(get("/v1/models/"), id="no model"),
        pytest.param(get("/static/../health"), id="dots are not resolved"),
        pytest.param(get("/" + "x" * 10_000), id="long"),
        pytest.param(raw("POST", "/v1/none", HOST, LENGTH, body=BODY), id="with a body, of whatever type"),
    ],
)
async def test_an_unknown_route(request_bytes: bytes, autojump_clock: MockClock) -> None:
    async with serving() as server:
        reply = await server.ask(request_bytes)
    assert (reply.status, reply.error["code"]) == (404, "unknown_url")
    assert reply.headers["x-should-retry"] == "false"
    assert reply.headers["x-request-id"] == "req_id1"
    assert len(reply.body) < 600


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("POST", "/health", "GET, HEAD"),
        ("DELETE", "/v1/models", "GET, HEAD"),
        ("OPTIONS", "/v1/models", "GET, HEAD"),
        ("GET", "/v1/completions", "POST"),
        ("HEAD", "/v1/completions", "POST"),
        ("OPTIONS", "/v1/completions", "POST"),
        ("PUT", "/v1/completions", "POST"),
        ("BREW", "/v1/completions", "POST"),
        ("PUT", CHAT, "GET, HEAD, POST"),
    ],
)
async def test_a_method_that_a_route_does_not_take(
    method: str, path: str, allowed: str, autojump_clock: MockClock
) -> None:
    async with serving() as server:
        reply = await server.ask(get(path, method=method))
    assert (reply.status, reply.headers["allow"]) == (405, allowed)
    assert "access-control-allow-origin" not in reply.headers
    if method != "HEAD":
        assert (reply.error["code"], reply.error["type"]) == ("method_not_allowed", "invalid_request_error")


@pytest.mark.parametrize("media_type", ["application/json", "application/json; charset=utf-8", "Application/JSON ;x=y"])
async def test_json_by_any_spelling(media_type: str, autojump_clock: MockClock) -> None:
    async with serving(*HELLO) as server:
        reply = await server.ask(raw("POST", CHAT, HOST, LENGTH, f"Content-Type: {media_type}", body=BODY))
    assert reply.status == 200


@pytest.mark.parametrize("sent", [["gzip"], ["br"], ["identity, gzip"], ["identity", "gzip"], ["x-" * 100]])
@pytest.mark.parametrize("route", ["POST /v1/chat/completions", "POST /v1/messages", "PATCH /v1/sessions/s"])
async def test_a_body_that_is_encoded_is_not_read(sent: list[str], route: str, autojump_clock: MockClock) -> None:
    """Not even as far as its first byte: it would be no UTF-8."""
    encoded = [f"Content-Encoding: {each}" for each in sent]
    async with serving(*HELLO) as server:
        reply = await server.ask(raw(*route.split(), HOST, JSON, *encoded, "Content-Length: 3", body=b"\x1f\x8b\x08"))
    assert reply.status == 415
    message = reply.json["error"]["message"]
    assert message == f"Content-Encoding {sent[-1].split()[-1][:60]} is not read; send it plain."


@pytest.mark.parametrize("sent", ["identity", "Identity", "", "identity, identity"])
async def test_a_body_may_say_that_it_is_plain(sent: str, autojump_clock: MockClock) -> None:
    async with serving(*HELLO) as server:
        reply = await server.ask(raw("POST", CHAT, HOST, JSON, LENGTH, f"Content-Encoding: {sent}", body=BODY))
    assert reply.status == 200


async def test_no_body_needs_no_media_type_and_is_no_json(autojump_clock: MockClock) -> None:
    async with serving() as server:
        reply = await server.ask(raw("POST", CHAT, HOST))
    assert (reply.status, reply.error["message"][:20]) == (400, "The body is not JSON")


CHUNKED = "Transfer-Encoding: chunked"


def chunks(body: bytes, size: int) -> bytes:
    pieces = [body[at : at + size] for at in range(0, len(body), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces)


async def test_a_chunked_body(autojump_clock: MockClock) -> None:
    async with serving(*HELLO) as server:
        reply = await server.ask(raw("POST", CHAT, HOST, JSON, CHUNKED, body=chunks(BODY, 7) + b"0\r\n\r\n"))
    assert reply.status == 200


@pytest.mark.parametrize(
    "request_bytes",
    [
        pytest.param(raw("POST", CHAT, HOST, JSON, "Content-Length: 1001"), id="announced"),
        pytest.param(post(b" " * 1001), id="sent"),
        pytest.param(raw("POST", CHAT, HOST, JSON, CHUNKED, body=chunks(b" " * 1001, 100)), id="chunked, without end"),
    ],
)
async def test_a_body_over_the_limit_is_refused_as_soon_as_that_is_known(
    request_bytes: bytes, autojump_clock: MockClock
) -> None:
    async with serving(*HELLO, body_limit=1000) as server:
        reply = await server.ask(request_bytes)
        assert (await server.ask(post(BODY))).status == 200
    assert (reply.status, reply.error["type"]) == (413, "invalid_request_error")
    assert reply.headers["x-should-retry"] == "false"
    assert server.backend.opened == 1


@pytest.mark.parametrize("length", [1000, 1001])
async def test_the_limit_is_the_last_size_that_is_fine(length: int, autojump_clock: MockClock) -> None:
    async with serving(*HELLO, body_limit=1000) as server:
        reply = await server.ask(post(BODY + b" " * (length - len(BODY))))
    assert reply.status == (200 if length == 1000 else 413)


async def test_a_slow_body_is_a_408_at_its_deadline(autojump_clock: MockClock) -> None:
    async with serving(body_timeout=30.0) as server:
        client = await server.connect()
        await client.send(raw("POST", CHAT, HOST, JSON, "Content-Length: 1000", body=b"{"))
        before = autojump_clock.current_time()
        reply = await client.reply()
        assert autojump_clock.current_time() - before == pytest.approx(30)
        assert await client.rest() == b""
    assert (reply.status, reply.error["type"]) == (408, "invalid_request_error")
    assert "x-should-retry" not in reply.headers


@pytest.mark.parametrize(
    ("target", "status", "code"),
    [
        ("http://evil.com/health", 400, "invalid_target"),
        ("http://127.0.0.1:8000/health", 400, "invalid_target"),
        ("*", 400, "invalid_target"),
        ("?x=1", 400, "invalid_target"),
        ("health", 400, "invalid_target"),
        ("//health", 400, "invalid_target"),
        ("//evil.com/health", 400, "invalid_target"),
        ("/%2Fhealth", 400, "invalid_target"),
        ("/health?x=1#y", 200, None),
        ("/health?" + "x" * 5000, 200, None),
    ],
)
async def test_a_target_is_a_path(target: str, status: int, code: str | None, autojump_clock: MockClock) -> None:
    async with serving() as server:
        reply = await server.ask(get(target))
    assert reply.status == status
    if code:
        assert (reply.error["code"], reply.headers["x-request-id"]) == (code, "req_id1")


async def test_http_2_by_prior_knowledge_is_a_505(autojump_clock: MockClock) -> None:
    async with serving() as server:
        client = await server.connect()
        reply = await client.ask(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\x00\x00\x00\x04\x00\x00\x00\x00\x00")
        await client.rest()
    assert (reply.status, reply.error["code"]) == (505, "http_version_not_supported")


@pytest.mark.parametrize("settings", ["AAMAAABk", "!"])
async def test_an_upgrade_to_http_2_is_not_taken_up(settings: str, autojump_clock: MockClock) -> None:
    upgrade = ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", f"HTTP2-Settings: {settings}")
    async with serving() as server:
        reply = await server.ask(get("/health", *upgrade))
    assert (reply.status, reply.json["status"]) == (200, "ok")


async def test_a_websocket_is_refused_whatever_its_host(autojump_clock: MockClock) -> None:
    handshake = ("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: eA==")
    async with serving() as server:
        reply = await server.ask(raw("GET", CHAT, "Host: evil.com", "Origin: https://evil.com", *handshake))
    assert (reply.status, reply.error["code"]) == (400, "websocket_not_supported")


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        pytest.param(raw("GET", "/health?s3cret"), 400, id="no host"),
        pytest.param(raw("GET", "/health?s3cret", HOST, HOST), 400, id="two hosts"),
        pytest.param(raw("GET", "/health", HOST, "Host: s3cret.com"), 400, id="a second host"),
        pytest.param(raw("GET", "/s3cret\x00", HOST), 400, id="NUL"),
        pytest.param(raw("GET", "/s3cret \u00e9", HOST), 400, id="not ASCII"),
        pytest.param(b"s3cret\r\n\r\n", 400, id="nothing known"),
        pytest.param(raw("POST", CHAT, HOST, JSON, LENGTH, "Content-Length: 5", body=BODY), 400, id="two lengths"),
        pytest.param(raw("POST", CHAT, HOST, JSON, "Content-Length: -1"), 400, id="a negative length"),
        pytest.param(raw("POST", CHAT, HOST, JSON, "Transfer-Encoding: gzip, chunked"), 501, id="another coding"),
        pytest.param(raw("POST", CHAT, HOST, JSON, CHUNKED, body=b"s3cret\r\n"), 400, id="a body of no chunks"),
        pytest.param(raw("GET", "/health", HOST, "s3cret: " + "y" * 70_000), 431, id="70 kB of headers"),
        pytest.param(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(300) + b"\r\n\r\n", 400, id="TLS"),
    ],
)
async def test_what_is_no_http_is_an_error_like_others_and_a_closed_connection(
    request_bytes: bytes, status: int, autojump_clock: MockClock
) -> None:
    async with serving(*HELLO) as server:
        client = await server.connect()
        reply = await client.ask(request_bytes)
        assert await client.rest() == b""
    assert (reply.status, reply.headers["content-type"]) == (status, "application/json")
    assert (reply.error["type"], reply.error["code"]) == ("invalid_request_error", "invalid_http")
    assert reply.headers["x-request-id"].startswith("req_id")
    assert (reply.headers["x-should-retry"], reply.headers["connection"]) == ("false", "close")
    assert b"s3cret" not in reply.body
    assert server.backend.opened == 0


async def test_a_head_that_is_no_http_later_on_has_no_body(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    """The route's 405 and the end of the connection race; whoever wins, a client reads a whole answer or none."""
    async with serving() as server:
        client = await server.connect()
        await client.send(raw("HEAD", CHAT, HOST, JSON, CHUNKED, body=b"no chunk\r\n"))
        said = await client.rest()
        await trio.sleep(0.1)
        assert server.open_connections == 0
    assert said == b"" or (said.startswith(b"HTTP/1.1 4") and said.index(b"\r\n\r\n") == len(said) - 4)
    assert caplog.text == ""


async def test_a_fault_of_ours_tells_nothing_of_itself(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken() -> Any:
        raise RuntimeError("s3cret")

    async with serving() as server:
        server.connections.app.view_functions["GET /health"] = broken
        reply = await server.ask(get("/health"))
    assert (reply.status, reply.error["type"]) == (500, "server_error")
    assert "s3cret" not in reply.error["message"]
    assert "s3cret" in caplog.text
    assert reply.headers["x-request-id"] == "req_id1"


@pytest.mark.parametrize(("length", "told"), [(LENGTH, None), ("Content-Length: 9000", "close")], ids=["whole", "part"])
async def test_an_answer_before_the_request_is_whole_ends_the_connection(
    length: str, told: str | None, autojump_clock: MockClock
) -> None:
    async with serving() as server:
        client = await server.connect()
        reply = await client.ask(raw("POST", "/v1/nothing", HOST, JSON, length) + BODY)
        assert (reply.status, reply.headers.get("connection")) == (404, told)
        if told is None:
            assert (await client.ask(get("/v1/models"))).status == 200
        else:
            assert await client.rest() == b""
