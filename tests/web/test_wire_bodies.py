"""Bodies at once: together they are bounded, too, until their requests are answered or given up."""

import pytest
from claude_says import HELLO
from messages_wire import MESSAGES
from trio.testing import MockClock, wait_all_tasks_blocked
from wire_harness import CHAT, HOST, JSON, Client, Server, chat, post, raw, serving, user

from cca.web import bodies
from cca.web.bodies import LARGEST

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


FULL = LARGEST + 1
"""So many have just not all the room, as a bit of each is not counted."""


@pytest.fixture(autouse=True)
def little_is_small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "SMALL", 100)


@pytest.mark.parametrize(("path", "status"), [(CHAT, 429), (MESSAGES, 529)])
async def test_one_too_many_is_told_to_come_again(path: str, status: int, autojump_clock: MockClock) -> None:
    """R-16, S-16: a body is bounded in size and in time, and 1,000 of them would have taken 20 GB."""
    async with serving(*HELLO, body_limit=LIMIT) as server:
        early = [await almost(server) for _ in range(FULL)]
        late = await almost(server, path)
        reply = await late.reply()
        assert (reply.status, reply.headers["retry-after"]) == (status, "5")
        assert "There are too many large requests at once" in reply.json["error"]["message"]
        assert server.backend.opened == 0
        assert (await server.ask(post(chat()))).status == 200, "it is small"
        for client in early:
            await client.stream.aclose()
        assert (await server.ask(post(chat(user("x" * 500))))).status == 200


@pytest.mark.parametrize("stream", [False, True])
async def test_those_that_are_answered_have_their_room_until_then(*, stream: bool, autojump_clock: MockClock) -> None:
    large = post(chat(user("x" * 900), stream=stream))
    async with serving(*HELLO[:1], body_limit=LIMIT) as server:
        early = [await server.connect() for _ in range(FULL)]
        for client in early:
            await client.send(large)
        await wait_all_tasks_blocked()
        assert (await server.ask(large)).status == 429
        for client in early:
            await client.stream.aclose()
        await wait_all_tasks_blocked()
        assert server.app.bodies.size == 0


async def test_those_that_were_answered_leave_their_room(autojump_clock: MockClock) -> None:
    async with serving(*HELLO, body_limit=LIMIT) as server:
        for _ in range(2 * FULL):
            assert (await server.ask(post(chat(user("x" * 900))))).status == 200


async def test_those_that_take_too_long_leave_their_room(autojump_clock: MockClock) -> None:
    async with serving(*HELLO, body_limit=LIMIT) as server:
        early = [await almost(server) for _ in range(FULL)]
        assert [(await client.reply()).status for client in early] == [408] * FULL
        assert (await server.ask(post(chat(user("x" * 900))))).status == 200
