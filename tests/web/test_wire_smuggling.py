"""A request with two readings is none: it is refused, and what follows it on its connection is never answered."""

import re
from random import Random

import pytest
import trio
from claude_says import HELLO
from trio.testing import MockClock
from wire_harness import CHAT, HOST, JSON, Client, chat, get, post, raw, serving

from cca.web.framing import fault_in

SECOND = get("/health?smuggled")
"""What would be answered if it were read as a request."""

CHUNKED, FIVE, NONE = "Transfer-Encoding: chunked", "Content-Length: 5", "Content-Length: 0"
LENGTH = f"Content-Length: {len(SECOND)}"


def asked(*headers: str, body: bytes = b"", version: str = "1.1") -> bytes:
    return raw("POST", CHAT, HOST, JSON, *headers, body=body + SECOND, version=version)


def lines(*rows: bytes, body: bytes = b"") -> bytes:
    """Return rows with the ends that they have, and what follows them."""
    return b"".join(rows) + body + SECOND


POST, HOST_ROW = b"POST /v1/chat/completions HTTP/1.1\r\n", HOST.encode() + b"\r\n"

SMUGGLED = {
    "chunks and a length": asked(CHUNKED, FIVE, body=b"0\r\n\r\n"),
    "a length and chunks": asked(FIVE, CHUNKED, body=b"0\r\n\r\n"),
    "chunks, and a length of none": asked(NONE, CHUNKED, body=b"0\r\n\r\n"),
    "chunks in another case, and a length": asked("TRANSFER-ENCODING: CHUNKED", LENGTH, body=b"0\r\n\r\n"),
    "the same length twice": asked(FIVE, FIVE, body=b"12345"),
    "two lengths": asked(NONE, LENGTH),
    "two lengths, the other way": asked(LENGTH, NONE),
    "two lengths in one": asked("Content-Length: 0, 5"),
    "the same length twice in one": asked("Content-Length: 5, 5", body=b"12345"),
    "a length with a plus": asked("Content-Length: +5", body=b"12345"),
    "a length below zero": asked("Content-Length: -5"),
    "a length in hex": asked("Content-Length: 0x5", body=b"12345"),
    "a length with an underscore": asked("Content-Length: 1_0", body=b"1234567890"),
    "a length of a fraction": asked("Content-Length: 5.0", body=b"12345"),
    "a length with a space in it": asked("Content-Length: 1 0", body=b"1234567890"),
    "a length in other digits": asked("Content-Length: \u00b2", body=b"12"),
    "an empty length": asked("Content-Length:", body=b""),
    "a length of 30 digits": asked("Content-Length: " + "9" * 30),
    "chunks, twice": asked(CHUNKED, CHUNKED, body=b"0\r\n\r\n"),
    "chunks of chunks": asked("Transfer-Encoding: chunked, chunked", body=b"0\r\n\r\n"),
    "chunks and none": asked("Transfer-Encoding: chunked, identity", body=b"0\r\n\r\n"),
    "chunks, and another coding": asked(CHUNKED, "Transfer-Encoding: x", body=b"0\r\n\r\n"),
    "another coding, and chunks": asked("Transfer-Encoding: x", CHUNKED, body=b"0\r\n\r\n"),
    "a coding of nobody": asked("Transfer-Encoding: xchunked", FIVE, body=b"0\r\n\r\n"),
    "chunks in quotes": asked('Transfer-Encoding: "chunked"', LENGTH, body=b"0\r\n\r\n"),
    "chunks behind a vertical tab": asked("Transfer-Encoding: \x0bchunked", LENGTH, body=b"0\r\n\r\n"),
    "chunks in HTTP/1.0": asked(CHUNKED, "Connection: keep-alive", body=b"0\r\n\r\n", version="1.0"),
    "a space before the colon": asked("Transfer-Encoding : chunked", LENGTH, body=b"0\r\n\r\n"),
    "a tab before the colon": asked("Content-Length\t: 5", body=b"12345"),
    "a space in the name": asked("Content Length: 5", body=b"12345"),
    "no colon": asked("Content-Length 5", body=b"12345"),
    "no name": asked(": chunked", body=b"0\r\n\r\n"),
    "a folded value": lines(POST, HOST_ROW, b"Transfer-Encoding:\r\n chunked\r\n\r\n", body=b"0\r\n\r\n"),
    "a folded value, by a tab": lines(POST, HOST_ROW, b"X: 1\r\n\tContent-Length: 5\r\n\r\n"),
    "a fold first": lines(POST, b" Transfer-Encoding: chunked\r\n", HOST_ROW, b"\r\n", body=b"0\r\n\r\n"),
    "LF alone": lines(POST, HOST_ROW, b"X: 1\nContent-Length: 5\r\n\r\n", body=b"12345"),
    "LF alone, everywhere": get("/health").replace(b"\r\n", b"\n") + SECOND,
    "LF alone after the head": lines(POST, HOST_ROW, b"Content-Length: 0\r\n\n"),
    "CR alone": lines(POST, HOST_ROW, b"X: 1\rContent-Length: 5\r\n\r\n", body=b"12345"),
    "CR twice": lines(POST, HOST_ROW, b"X: 1\r\r\nContent-Length: 5\r\n\r\n", body=b"12345"),
    "NUL in a value": asked("Transfer-Encoding: chunked\x00", LENGTH, body=b"0\r\n\r\n"),
    "NUL in a name": asked("Transfer-Encoding\x00: chunked", LENGTH, body=b"0\r\n\r\n"),
    "a control character": asked("X: \x01", FIVE, body=b"12345"),
    "an empty line first": b"\r\n" + get("/health") + SECOND,
    "two spaces in the first line": get("/health").replace(b" HTTP", b"  HTTP") + SECOND,
    "a tab in the first line": get("/health").replace(b" HTTP", b"\tHTTP") + SECOND,
    "HTTP/0.9": b"GET /health\r\n\r\n" + SECOND,
    "HTTP/1.1 in small letters": get("/health").replace(b"HTTP", b"http") + SECOND,
    "HTTP/1.10": get("/health").replace(b"1.1", b"1.10", 1) + SECOND,
    "HTTP/2.0": get("/health").replace(b"HTTP/1.1", b"HTTP/2.0") + SECOND,
    "HTTP/1.2": get("/health").replace(b"HTTP/1.1", b"HTTP/1.2") + SECOND,
    "a target of another host": get("http://evil.com/health") + SECOND,
    "a tunnel": get("evil.com:443", method="CONNECT") + SECOND,
    "chunks that end in LF": asked(CHUNKED, body=b"1\r\n{\r\n0\r\n\n"),
    "a trailer that ends in LF": asked(CHUNKED, body=b"1\r\n{\r\n0\r\nX: 1\n\r\n"),
    "a trailer that is folded": asked(CHUNKED, body=b"1\r\n{\r\n0\r\nX: 1\r\n 2\r\n\r\n"),
    "LF after a chunk's size": asked(CHUNKED, body=b"1\n{\r\n0\r\n\r\n"),
    "LF after a chunk": asked(CHUNKED, body=b"1\r\n{\n0\r\n\r\n"),
    "LF in an extension": asked(CHUNKED, body=b"1;x\n{\r\n0\r\n\r\n"),
    "CR in an extension": asked(CHUNKED, body=b"1;x\r{\r\n0\r\n\r\n"),
    "a space after a chunk's size": asked(CHUNKED, body=b"1 \r\n{\r\n0\r\n\r\n"),
    "a space before a chunk's size": asked(CHUNKED, body=b" 1\r\n{\r\n0\r\n\r\n"),
    "a chunk's size in hex, said twice": asked(CHUNKED, body=b"0x1\r\n{\r\n0\r\n\r\n"),
    "a chunk's size below zero": asked(CHUNKED, body=b"-1\r\n{\r\n0\r\n\r\n"),
    "a chunk of more than there is": asked(CHUNKED, body=b"10000000000000000\r\n{\r\n0\r\n\r\n"),
    "no size": asked(CHUNKED, body=b"\r\n{\r\n0\r\n\r\n"),
    "a chunk that is longer than it says": asked(CHUNKED, body=b"1\r\n{}\r\n0\r\n\r\n"),
}
"""Requests with another behind them. Where two readers disagree on where the first ends, the second is somebody's."""


STATUS = re.compile(rb"HTTP/1\.1 (\d{3})")


async def said_to(client: Client, request: bytes, piece: int) -> bytes:
    """Send a request in pieces, until it is refused, and return all that comes before the connection ends."""
    try:
        for at in range(0, len(request), piece):
            await client.send(request[at : at + piece])
    except trio.BrokenResourceError:
        pass
    return await client.rest()


@pytest.mark.parametrize("request_bytes", SMUGGLED.values(), ids=SMUGGLED.keys())
async def test_what_has_two_readings_is_refused_and_ends_the_connection(
    request_bytes: bytes, autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    """S-13: whole, and cut anywhere, there is one answer. It says what is wrong, and nothing is answered after it."""
    async with serving(*HELLO) as server:
        for piece in (len(request_bytes), Random(len(request_bytes)).randint(1, 40)):  # noqa: S311 - not a secret
            said = await said_to(await server.connect(), request_bytes, piece)
            head, _, body = said.partition(b"\r\n\r\n")
            assert len(STATUS.findall(said)) == 1
            assert int(head.split()[1]) in (400, 501, 505)
            assert b"connection: close" in head.lower()
            assert body.count(b'"error"') == 1
            assert b"smuggled" not in body
        await trio.sleep(0.1)
        assert server.backend.opened == 0
        assert server.open_connections == 0
    assert caplog.text == ""


def test_there_are_enough_of_them() -> None:
    assert len(SMUGGLED) >= 40
    assert len(set(SMUGGLED.values())) == len(SMUGGLED)


BODY = b'{"model":"sonnet","messages":[{"role":"user","content":"Hi"}]}'
SIZE = b"%x" % len(BODY)

PLAIN = {
    "a length": post(BODY),
    "a length with spaces around it": raw("POST", CHAT, HOST, JSON, f"Content-Length:  {len(BODY)}\t", body=BODY),
    "chunks": raw("POST", CHAT, HOST, JSON, CHUNKED, body=b"%s\r\n%s\r\n0\r\n\r\n" % (SIZE, BODY)),
    "chunks in capitals": raw("POST", CHAT, HOST, JSON, CHUNKED.upper(), body=b"%s\r\n%s\r\n0\r\n\r\n" % (SIZE, BODY)),
    "an extension": raw("POST", CHAT, HOST, JSON, CHUNKED, body=b'%s;a="b"\r\n%s\r\n000\r\n\r\n' % (SIZE, BODY)),
    "a trailer": raw("POST", CHAT, HOST, JSON, CHUNKED, body=b"%s\r\n%s\r\n0\r\nX: 1\r\n\r\n" % (SIZE, BODY)),
    "a tab and bytes in a header": post(BODY, "X: a\tb\u00e9"),
}


@pytest.mark.parametrize("request_bytes", PLAIN.values(), ids=PLAIN.keys())
async def test_what_has_one_reading_is_answered_and_what_follows_it(
    request_bytes: bytes, autojump_clock: MockClock
) -> None:
    async with serving(*HELLO) as server:
        for piece in (len(request_bytes), 3):
            client = await server.connect()
            for at in range(0, len(request_bytes), piece):
                await client.send(request_bytes[at : at + piece])
            await client.send(SECOND)
            assert [(await client.reply()).status for _ in range(2)] == [200, 200]
        assert server.backend.opened == 2


@pytest.mark.parametrize(
    "upgrade",
    [
        pytest.param(("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABk"), id="h2c"),
        pytest.param(("Connection: Upgrade", "Upgrade: TLS/1.0"), id="TLS"),
        pytest.param(("Connection: Upgrade", "Upgrade: h2c, websocket"), id="a list"),
        pytest.param(("Connection: Upgrade", "Upgrade: websocket", FIVE), id="WebSocket by POST"),
    ],
)
async def test_an_upgrade_is_not_taken_up(upgrade: tuple[str, ...], autojump_clock: MockClock) -> None:
    """S-14: cca goes on in HTTP/1.1, which RFC 9110 (7.8) lets it."""
    method = "POST" if FIVE in upgrade else "GET"
    async with serving() as server:
        reply = await server.ask(raw(method, "/v1/models", HOST, *upgrade, body=b"12345" if FIVE in upgrade else b""))
    assert (reply.status, "upgrade" in reply.headers) == (200 if method == "GET" else 405, False)


WEBSOCKET = ("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: eA==")


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        pytest.param(get("/v1/responses", *WEBSOCKET), 400, id="WebSocket"),
        pytest.param(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\x00\x00\x00\x04\x00\x00\x00\x00\x00", 505, id="HTTP/2"),
        pytest.param(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + SECOND, 505, id="HTTP/2, and another"),
    ],
)
async def test_another_protocol_ends_the_connection(
    request_bytes: bytes, status: int, autojump_clock: MockClock
) -> None:
    """S-14."""
    async with serving(*HELLO) as server:
        said = await said_to(await server.connect(), request_bytes + SECOND, len(request_bytes + SECOND))
    assert said.startswith(b"HTTP/1.1 %d" % status)
    assert len(STATUS.findall(said)) == 1


@pytest.mark.parametrize("rest", [b"no chunk\r\n", SECOND * 100, b"0\r\n\n" + SECOND], ids=["no chunk", "more", "LF"])
@pytest.mark.parametrize("route", ["POST /v1/none", "PUT /v1/completions", "HEAD /v1/completions"])
async def test_an_early_answer_arrives_whatever_comes_after_it(
    route: str, rest: bytes, autojump_clock: MockClock
) -> None:
    """What is no HTTP, behind a request that is refused without it, does not cut the refusal."""
    method, path = route.split()
    async with serving() as server:
        request = raw(method, path, HOST, JSON, CHUNKED)
        for sent in ([request + rest], [request, rest]):
            client = await server.connect()
            for piece in sent:
                await client.send(piece)
            said = await client.rest()
            assert STATUS.findall(said) in ([b"400"], [b"404" if path == "/v1/none" else b"405"])


async def test_what_comes_while_an_answer_that_ends_the_connection_is_on_its_way_is_dropped(
    autojump_clock: MockClock,
) -> None:
    """However much: it would be kept for nobody."""
    async with serving(*HELLO[:1], 5.0, *HELLO[1:]) as server:
        client = await server.connect()
        await client.send(post(chat(stream=True), "Connection: close"))
        await client.head()
        await client.send(SECOND * 1000)
        said = await client.rest()
    assert said.endswith(b"data: [DONE]\n\n\r\n0\r\n\r\n")
    assert b"HTTP/1.1" not in said


@pytest.mark.parametrize(
    ("head", "fault"),
    [
        (b"\r\n", None),
        (b"GET / HTTP/1.1\r\n\r\n", None),
        (b"X: 1\r\n\r\n", None),
        (b"\n", "half the end of a line"),
        (b"GET / HTTP/1.1\r\nX: \x7f\r\n\r\n", "a control character"),
    ],
)
def test_the_lines_of_a_head_are_looked_at_without_what_follows(head: bytes, fault: str | None) -> None:
    assert fault_in(head) == fault
