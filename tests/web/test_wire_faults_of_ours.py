"""A fault of cca's in the midst of an answer: it is logged, and never looks like an answer, not even an empty one."""

from collections.abc import Iterable

import pytest
from claude_says import HELLO, start, stop, text
from messages_wire import MESSAGES
from trio.testing import MockClock
from wire_harness import CHAT, chat, posted, serving, streamed

from cca.dialects.contract import Frame
from cca.web import sse

RENDER = sse.render


def breaking(monkeypatch: pytest.MonkeyPatch, frames: int) -> None:
    """Let the stream break after so many events that say something."""
    left = [frames]

    def render(given: Iterable[Frame]) -> bytes:
        rendered = RENDER(given)
        if left[0] == 0:
            raise RuntimeError("s3cret")
        left[0] -= rendered != b""
        return rendered

    monkeypatch.setattr(sse, "render", render)


@pytest.mark.parametrize("path", [CHAT, MESSAGES])
async def test_before_the_first_frame_it_is_a_500_and_no_empty_answer(
    path: str, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving(*HELLO) as server:
        # Messages render their ping beforehand.
        breaking(monkeypatch, 1 if path == MESSAGES else 0)
        client = await server.connect()
        reply = await client.ask(posted(path, streamed(max_tokens=9)))
        assert await client.rest() == b""
        assert server.backend.left == server.backend.opened == 1
    assert (reply.status, reply.headers["connection"]) == (500, "close")
    assert reply.json["error"]["type"] == ("api_error" if path == MESSAGES else "server_error")
    assert b"s3cret" not in reply.body
    assert "s3cret" in caplog.text


async def test_in_the_midst_of_a_stream_it_has_no_end(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving(start(), text("a"), 1.0, text("b"), stop()) as server:
        breaking(monkeypatch, 2)
        client = await server.connect()
        await client.send(posted(CHAT, streamed()))
        assert (await client.head()).status == 200
        assert await client.chunk() != b""
        # A last chunk would be an end.
        assert await client.rest() == b""
        assert server.backend.left == server.backend.opened == 1
    assert "s3cret" in caplog.text


async def test_a_fault_takes_no_other_answer_along(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving(*HELLO[:1], 5.0, *HELLO[1:]) as server:
        other = await server.connect()
        await other.send(posted(CHAT, chat()))
        breaking(monkeypatch, 0)
        assert (await server.ask(posted(CHAT, streamed()))).status == 500
        assert (await other.reply()).status == 200
    assert "s3cret" in caplog.text
