"""A client that leaves takes its process along, whenever it leaves; and a connection ends when it should."""

from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, TypeAlias

import pytest
import trio
from claude_says import HELLO, LIMITED, start, stop, text
from trio.testing import MockClock
from wire_harness import CHAT, HOST, JSON, Client, FakeBackend, Said, Server, chat, get, post, raw, serving, streamed

from cca.exchange import CHANNEL_SIZE
from cca.web.connections import KEEP_ALIVE, READ_AHEAD

Leave: TypeAlias = Callable[[Client], Coroutine[Any, Any, None]]

LEAVING = [pytest.param(Client.half_close, id="FIN"), pytest.param(Client.leave, id="RST")]
ASKING = [pytest.param(streamed(), id="stream"), pytest.param(chat(), id="whole")]


async def gone(server: Server) -> float:
    """Return how long it took until the one process was left."""
    before = trio.current_time()
    with trio.fail_after(1000):
        await server.backend.all_left.wait()
    assert server.backend.opened == 1
    return trio.current_time() - before


@pytest.mark.parametrize("leave", LEAVING)
@pytest.mark.parametrize("length", ["Content-Length: 1000", "Transfer-Encoding: chunked"])
async def test_while_the_body_is_read(
    leave: Leave, length: str, autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving(*HELLO) as server:
        client = await server.connect()
        await client.send(raw("POST", CHAT, HOST, JSON, length, body=b"5\r\n{    \r\n"))
        await trio.sleep(1)
        await leave(client)
        await trio.sleep(1)
        assert server.open_connections == 0
        assert server.backend.opened == 0
    assert caplog.text == ""


@pytest.mark.parametrize("leave", LEAVING)
@pytest.mark.parametrize("body", ASKING)
@pytest.mark.parametrize(
    "backend",
    [
        pytest.param(lambda: FakeBackend(start_seconds=50), id="while the process starts"),
        pytest.param(FakeBackend, id="before the first token"),
        pytest.param(lambda: FakeBackend((start(), text("a"))), id="mid-stream"),
        pytest.param(lambda: FakeBackend((start(), text("a"), *(0.3, text("b")) * 1000)), id="while it streams"),
    ],
)
async def test_while_it_is_answered(
    *,
    leave: Leave,
    body: Any,
    backend: Callable[[], FakeBackend],
    autojump_clock: MockClock,
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with serving(backend=backend()) as server:
        client = await server.connect()
        await client.send(post(body))
        await server.backend.started.wait()
        await trio.sleep(10)
        assert server.backend.left == 0
        await leave(client)
        assert await gone(server) == 0
        await trio.sleep(0.1)
        assert server.open_connections == 0
    assert caplog.text == ""


@pytest.mark.parametrize("leave", LEAVING)
@pytest.mark.parametrize("chunks", [10, 100])
@pytest.mark.parametrize("target", ["http://evil.com/x", "/nope", CHAT])
async def test_while_it_is_refused(*, leave: Leave, chunks: int, target: str, autojump_clock: MockClock) -> None:
    """R-03: however much of its body nobody will ever read."""
    request = raw("POST", target, HOST, JSON, "Transfer-Encoding: chunked", body=b"1\r\nx\r\n" * chunks)

    async def send() -> None:
        with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            await client.send(request)

    async with serving(*HELLO) as server:
        client = await server.connect(stalling=True)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(send)
            await trio.sleep(5)
            await leave(client)
        await trio.sleep(100)
        assert server.open_connections == 0


@pytest.mark.parametrize("leave", LEAVING)
@pytest.mark.parametrize("body", ASKING)
async def test_after_the_last_token_while_the_process_ends(
    leave: Leave, body: Any, autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving(backend=FakeBackend(LIMITED, end_seconds=5)) as server:
        client = await server.connect()
        reply = await client.ask(post(body))
        assert reply.status == 200
        assert server.backend.left == 0
        await leave(client)
        assert await gone(server) == pytest.approx(5)
    assert caplog.text == ""


async def test_an_answer_does_not_wait_for_the_end_of_its_process(autojump_clock: MockClock) -> None:
    async with serving(backend=FakeBackend(LIMITED, end_seconds=5)) as server:
        client = await server.connect()
        for body in (streamed(), chat()):
            before = trio.current_time()
            assert (await client.ask(post(body))).status == 200
            assert trio.current_time() == before
        await gone_all(server)


async def gone_all(server: Server) -> None:
    while server.backend.left < server.backend.opened:  # noqa: ASYNC110 - it counts, and has no event
        await trio.sleep(1)


@pytest.mark.parametrize("leave", LEAVING)
async def test_a_slow_reader_that_leaves(leave: Leave, autojump_clock: MockClock) -> None:
    flood = [text("x" * 1000)] * 2 * CHANNEL_SIZE
    async with serving(start(), *flood) as server:
        client = await server.connect(stalling=True)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(client.send, post(streamed()))
            await server.backend.started.wait()
            await trio.sleep(10)
            (process,) = server.backend.processes
            # It was read no further than the channel holds.
            assert len(process.said) > CHANNEL_SIZE / 2
            await client.leave()
        assert await gone(server) == 0


async def test_the_others_go_on(autojump_clock: MockClock) -> None:
    async with serving(start(), *(1.0, text("a")) * 10, stop()) as server:
        clients = [await server.connect() for _ in range(10)]
        for client in clients:
            await client.send(post(streamed()))
        await trio.sleep(3.5)
        for client in clients[::2]:
            await client.leave()
        replies = [await client.reply() for client in clients[1::2]]
    assert [reply.events[-1] for reply in replies] == ["[DONE]"] * 5
    assert {len(reply.events) for reply in replies} == {13}


PIPELINED = [
    pytest.param(b"\r\n", id="a stray line end"),
    pytest.param(get("/health"), id="another request"),
    pytest.param(post(chat()) * READ_AHEAD, id="more requests for answers"),
]


@pytest.mark.parametrize("leave", LEAVING)
@pytest.mark.parametrize("body", ASKING)
@pytest.mark.parametrize("more", PIPELINED)
@pytest.mark.parametrize(
    "said", [pytest.param((), id="before"), pytest.param((start(), text("a")), id="in the answer")]
)
@pytest.mark.parametrize("together", [pytest.param(True, id="at once"), pytest.param(False, id="later")])
async def test_who_sent_more_than_its_request_is_noticed_as_others_are(
    *,
    leave: Leave,
    body: Any,
    more: bytes,
    said: tuple[Said, ...],
    together: bool,
    autojump_clock: MockClock,
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with serving(*said, heartbeat=1e5) as server:
        client = await server.connect()
        if together:
            await client.send(post(body) + more)
        else:
            await client.send(post(body))
            await trio.sleep(1)
            await client.send(more)
        await trio.sleep(10)
        assert (server.backend.opened, server.backend.left) == (1, 0)
        await leave(client)
        assert await gone(server) == 0
        await trio.sleep(0.1)
        assert server.open_connections == 0
    assert caplog.text == ""


async def test_who_sent_more_than_is_read_ahead_is_noticed_by_the_next_heartbeat(autojump_clock: MockClock) -> None:
    async with serving(start(), text("a"), heartbeat=15.0) as server:
        client = await server.connect()
        await client.send(post(streamed()))
        for _ in range(READ_AHEAD + 3):
            await trio.sleep(0.1)
            await client.send(b"\r\n" * 40_000)
        await client.leave()
        assert 0 < await gone(server) <= 15


@pytest.mark.parametrize("pieces", [1, 12, 1000])
async def test_a_body_that_is_no_http_any_more_ends_with_its_connection(
    pieces: int, autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    """Also when the application has more of it to read than Hypercorn's queue holds, and is told last of the end."""
    async with serving(*HELLO) as server:
        client = await server.connect()
        body = b"1\r\n \r\n" * pieces + b"no size\r\n"
        reply = await client.ask(raw("POST", CHAT, HOST, JSON, "Transfer-Encoding: chunked", body=body))
        assert reply.status == 400
        assert await client.rest() == b""
        await trio.sleep(0.1)
        assert server.open_connections == 0
        assert server.backend.opened == 0
    assert caplog.text == ""


async def test_pipelined_requests_are_answered_in_their_order(autojump_clock: MockClock) -> None:
    async with serving(*HELLO) as server:
        client = await server.connect()
        await client.send(post(streamed()) + get("/health") + post(chat()) + get("/v1/none"))
        statuses = [(await client.reply()).status for _ in range(4)]
    assert statuses == [200, 200, 200, 404]


@pytest.mark.parametrize(
    "request_bytes",
    [
        pytest.param(post(streamed(), "Connection: close"), id="stream, close"),
        pytest.param(post(chat(), "Connection: close"), id="whole, close"),
        pytest.param(get("/health", "Connection: close"), id="get, close"),
        pytest.param(post(streamed(), version="1.0"), id="stream, 1.0"),
        pytest.param(post(chat(), version="1.0"), id="whole, 1.0"),
        pytest.param(post(b"{", "Connection: close"), id="error, close"),
    ],
)
async def test_a_connection_that_is_to_close_does_so_at_once(request_bytes: bytes, autojump_clock: MockClock) -> None:
    async with serving(*HELLO) as server:
        client = await server.connect()
        before = trio.current_time()
        await client.ask(request_bytes)
        assert await client.rest() == b""
        assert trio.current_time() == before


async def test_a_stream_over_http_1_0_is_its_bytes_to_the_end(autojump_clock: MockClock) -> None:
    async with serving(*HELLO) as server:
        reply = await server.ask(post(streamed(), version="1.0"))
    assert "transfer-encoding" not in reply.headers
    assert reply.events[-1] == "[DONE]"


async def test_a_connection_is_kept_for_the_next_request_and_then_closed(autojump_clock: MockClock) -> None:
    async with serving(*HELLO) as server:
        client = await server.connect()
        for body in (streamed(), chat(), b"{", streamed()):
            await client.ask(post(body))
            await trio.sleep(KEEP_ALIVE - 1)
        before = trio.current_time()
        assert await client.rest() == b""
        assert trio.current_time() - before == pytest.approx(1)


@pytest.mark.parametrize("leave", LEAVING)
async def test_an_idle_connection_ends_with_its_client(leave: Leave, autojump_clock: MockClock) -> None:
    async with serving(*HELLO) as server:
        client = await server.connect()
        await client.ask(post(chat()))
        await trio.sleep(1)
        await leave(client)
        await trio.sleep(0.1)
        assert server.open_connections == 0


async def test_half_a_head_is_not_waited_for(autojump_clock: MockClock) -> None:
    async with serving() as server:
        client = await server.connect()
        await client.send(b"POST /v1/chat/completions HTTP/1.1\r\nHost: 127")
        assert await client.rest() == b""
        assert trio.current_time() == pytest.approx(KEEP_ALIVE)


async def test_a_stream_of_hours_is_not_cut(autojump_clock: MockClock) -> None:
    hours: list[Said] = [each for _ in range(3) for each in (3600.0, text("."))]
    async with serving(start(), text("."), *hours, stop(), silence_timeout=4000.0, answer_timeout=1e6) as server:
        reply = await server.ask(post(streamed()))
    assert reply.events[-1] == "[DONE]"
    assert reply.events.count(": keep-alive") == pytest.approx(3 * 3600 / 15, rel=0.01)


async def test_who_left_before_the_connection_was_served_is_no_fault(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving() as server:
        await server.connect(gone=True)
        await trio.sleep(0.1)
        assert server.open_connections == 0
    assert caplog.text == ""


async def test_a_fault_of_a_connection_ends_it_alone(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving() as server:
        client = await server.connect(broken=True)
        assert await client.rest() == b""
        assert (await server.ask(get("/health"))).status == 200
    assert "A fault in Hypercorn ended a connection." in caplog.text


async def test_answers_under_way_end_with_an_error_when_the_grace_time_is_over(autojump_clock: MockClock) -> None:
    """And a request whose body or process is still on its way, and one that came in the grace time, end so too."""
    async with serving(start(), text("a"), heartbeat=1e5) as server:
        stream, whole, reading, idle, late = [await server.connect() for _ in range(5)]
        await stream.send(post(streamed()))
        await whole.send(post(chat()))
        await reading.send(raw("POST", CHAT, HOST, JSON, "Content-Length: 1000", body=b"{"))
        await trio.sleep(1)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(server.connections.end, 5.0)
            assert await idle.rest() == b""
            assert trio.current_time() == 1
            told = await stream.reply()
            refused = [await whole.reply(), await reading.reply()]
            assert trio.current_time() == 6
            assert await stream.rest() + await whole.rest() + await reading.rest() + await late.rest() == b""
        assert trio.current_time() == 6
    message = "cca was stopped before this answer was complete. Send the request again."
    error = {"message": message, "type": "server_error", "param": None, "code": None}
    assert told.events[2:] == [{"error": error}]
    for reply in refused:
        assert (reply.status, reply.error) == (503, error)
        assert "x-should-retry" not in reply.headers


async def test_answers_that_end_in_the_grace_time_are_whole_and_the_end_does_not_wait(
    autojump_clock: MockClock,
) -> None:
    async with serving(start(), text("a"), 3.0, stop()) as server:
        client = await server.connect()
        await client.send(post(streamed()))
        await trio.sleep(1)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(server.connections.end, 5.0)
            reply = await client.reply()
            assert await client.rest() == b""
        assert trio.current_time() == 3
    assert reply.events[-1] == "[DONE]"


async def test_a_request_after_the_grace_time_starts_nothing(autojump_clock: MockClock) -> None:
    async with serving(*HELLO) as server:
        server.connections.app.ending.come()
        reply = await server.ask(post(chat()))
        assert server.backend.opened == 0
    assert reply.status == 503


async def test_a_stalled_reader_is_cut(autojump_clock: MockClock) -> None:
    async with serving(start(), *[text("a")] * 500) as server:
        client = await server.connect(stalling=True)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(client.send, post(streamed()))
            await trio.sleep(1)
            await server.connections.end(5.0)
            assert trio.current_time() == 7
            assert server.open_connections == 1
            server.connections.cut()
            assert await gone(server) == 0
