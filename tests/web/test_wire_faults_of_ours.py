"""A fault of cca's in the midst of an answer: it is logged, and never looks like an answer, not even an empty one."""

from collections.abc import Iterable

import pytest
import trio
from claude_says import HELLO, start, stop, text
from messages_wire import MESSAGES
from test_wire_any_body import COMPLETIONS, RESPONSES
from trio.testing import MockClock
from wire_harness import CHAT, Reply, chat, posted, serving, streamed

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


PLACES = {
    "the key": "cca.keyring.Keyring.authenticate",
    "the body": "cca.web.asked.read_body",
    "the request": "cca.web.answer.read_request",
    "the task beside it": "cca.web.answer.attend",
    "the process": "cca.exchange._relay",
    "the answer": "cca.web.answer.Incoming.within",
    "the headers": "cca.limits.limiter.Limiter.standing",
}
"""Where it may happen before there is an answer."""

BODIES = {
    CHAT: chat(),
    COMPLETIONS: {"model": "sonnet", "prompt": "Hi"},
    RESPONSES: {"model": "sonnet", "input": "Hi"},
    MESSAGES: chat(max_tokens=9),
}


@pytest.mark.parametrize("place", PLACES)
async def test_wherever_it_is_before_an_answer_it_is_told_in_the_shape_of_the_route(
    place: str, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("s3cret")

    async def broken_later(*_: object) -> None:
        await trio.lowlevel.checkpoint()
        broken()

    async with serving(*HELLO) as server:
        for path, body in BODIES.items():
            for stream in (True, False):
                caplog.clear()
                with monkeypatch.context() as patch:
                    patch.setattr(PLACES[place], broken if place == "the headers" else broken_later)
                    check_told(path, await server.ask(posted(path, {**body, "stream": stream})))
                assert "RuntimeError: s3cret" in caplog.text
                assert (await server.ask(posted(path, body))).status == 200


def check_told(path: str, reply: Reply) -> None:
    """Assert that a reply is the fault in the shape of its dialect, without its text."""
    assert (reply.status, reply.headers["content-type"]) == (500, "application/json")
    error = reply.json["error"] if path == MESSAGES else reply.error
    if path == MESSAGES:
        assert reply.json == {"type": "error", "error": error, "request_id": reply.headers["request-id"]}
    assert error["type"] == ("api_error" if path == MESSAGES else "server_error")
    assert "log" in error["message"]
    assert b"s3cret" not in reply.body


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
