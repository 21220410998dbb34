"""Bodies that arrive at once: together they are bounded, too, and none keeps its room once it is there or given up."""

import pytest
from claude_says import HELLO
from messages_wire import MESSAGES
from trio.testing import MockClock, wait_all_tasks_blocked
from wire_harness import CHAT, HOST, JSON, Client, Server, chat, post, raw, serving

from cca.web.arriving import LARGEST

LIMIT = 1000
"""Bytes of a body."""

ALMOST = b" " * (LIMIT - 1)
LENGTH = f"Content-Length: {LIMIT}"


async def almost(server: Server, path: str = CHAT) -> Client:
    """Return a client of whose body all but a byte has arrived."""
    client = await server.connect()
    await client.send(raw("POST", path, HOST, JSON, LENGTH, body=ALMOST))
    await wait_all_tasks_blocked()
    return client


@pytest.mark.parametrize(("path", "status"), [(CHAT, 429), (MESSAGES, 529)])
async def test_one_too_many_is_told_to_come_again(path: str, status: int, autojump_clock: MockClock) -> None:
    """R-16, S-16: a body is bounded in size and in time, and 1,000 of them would have taken 20 GB."""
    async with serving(*HELLO, body_limit=LIMIT) as server:
        early = [await almost(server) for _ in range(LARGEST)]
        late = await almost(server, path)
        reply = await late.reply()
        assert (reply.status, reply.headers["retry-after"]) == (status, "5")
        assert "Too many large requests are arriving at once" in reply.json["error"]["message"]
        assert server.backend.opened == 0
        for client in early:
            await client.stream.aclose()
        assert (await server.ask(post(chat()))).status == 200


async def test_those_that_are_whole_leave_their_room(autojump_clock: MockClock) -> None:
    async with serving(*HELLO, body_limit=LIMIT) as server:
        for _ in range(2 * LARGEST):
            client = await almost(server)
            await client.send(b" ")
            assert (await client.reply()).status == 400


async def test_those_that_take_too_long_leave_their_room(autojump_clock: MockClock) -> None:
    async with serving(*HELLO, body_limit=LIMIT) as server:
        early = [await almost(server) for _ in range(LARGEST)]
        assert [(await client.reply()).status for client in early] == [408] * LARGEST
        assert (await server.ask(post(chat()))).status == 200
