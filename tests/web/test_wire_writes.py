"""In how many writes an answer goes out: what is there goes together, and nothing waits for what is not."""

from typing import Any

import pytest
from claude_says import start, stop, text
from messages_wire import MESSAGES
from trio.testing import MockClock
from wire_harness import CHAT, chat, post, posted, serving, streamed, user

from cca.web.answer import TOGETHER

WORDS = [f"w{number} " for number in range(150)]

BODIES: dict[str, Any] = {
    CHAT: {"messages": [user()]},
    "/v1/completions": {"prompt": "Hello"},
    "/v1/responses": {"input": "Hello", "store": False},
    MESSAGES: {"messages": [user()], "max_tokens": 100},
}


def streamed_by(path: str) -> bytes:
    return posted(path, {"model": "haiku", "stream": True, **BODIES[path]})


@pytest.mark.parametrize("path", BODIES)
async def test_pieces_that_came_together_share_a_write(path: str, autojump_clock: MockClock) -> None:
    answer = start(), *map(text, WORDS), stop()
    async with serving(b"".join(answer)) as together, serving(*answer) as apart:
        reply, spread = await together.ask(streamed_by(path)), await apart.ask(streamed_by(path))
    assert len(reply.chunks) == 1
    assert reply.body == spread.body


async def test_a_write_is_bounded(autojump_clock: MockClock) -> None:
    """S-12: none is cut, so that an end that comes to the answer waits for one of them."""
    answer = start() + text("~" * 20_000) * 50 + stop()
    async with serving(answer) as server:
        reply = await server.ask(streamed_by(CHAT))
    assert reply.body.count(b"~") == 1_000_000
    assert max(map(len, reply.chunks)) < TOGETHER + 21_000


async def test_a_piece_does_not_wait_for_the_next(autojump_clock: MockClock) -> None:
    answer = [said for word in WORDS[:5] for said in (text(word), 0.001)]
    async with serving(start(), *answer, stop()) as server:
        reply = await server.ask(streamed_by(CHAT))
    assert [chunk.count(b"data: ") for chunk in reply.chunks] == [2, 1, 1, 1, 1, 2]


@pytest.mark.parametrize(
    ("body", "ends"), [(chat(), b"}"), (streamed(), b"data: [DONE]\n\n\r\n")], ids=["whole", "streamed"]
)
async def test_the_head_of_an_answer_goes_out_with_what_follows_it(
    body: Any, ends: bytes, autojump_clock: MockClock
) -> None:
    async with serving(start() + text("Hello") + stop()) as server:
        client = await server.connect(stalling=True)
        await client.send(post(body))
        written = bytes(await client.stream.receive_some())
        await client.leave()
    assert written.startswith(b"HTTP/1.1 200 ")
    assert written.endswith(ends)
