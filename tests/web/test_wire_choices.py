"""Several choices of one answer: each a process of its own, all of them of one request."""

from typing import Any

import pytest
import trio
from claude_says import HELLO, api_error, start, stop, text
from trio.testing import MockClock
from wire_harness import FakeBackend, chat, post, serving

TWO = (
    (start(), text("a"), 2.0, text("b"), stop()),
    (start(), 1.0, text("x"), 2.0, text("y"), stop("max_tokens")),
)


def backend() -> FakeBackend:
    return FakeBackend(each=TWO)


def spoken(events: list[Any]) -> list[tuple[int, str]]:
    """Return the pieces of text, each with its choice."""
    choices = [choice for event in events if event != "[DONE]" for choice in event["choices"]]
    return [(choice["index"], text) for choice in choices if (text := choice["delta"].get("content"))]


async def test_choices_come_together_in_one_body(autojump_clock: MockClock) -> None:
    async with serving(backend=backend()) as server:
        reply = await server.ask(post(chat(n=2)))
    assert [each["index"] for each in reply.json["choices"]] == [0, 1]
    # Which of the processes starts first is nobody's to say.
    shown = {(each["message"]["content"], each["finish_reason"]) for each in reply.json["choices"]}
    assert shown == {("ab", "stop"), ("xy", "length")}
    # The prompt is the same for both, and counted once.
    assert reply.json["usage"]["prompt_tokens"] == 7
    assert reply.json["usage"]["completion_tokens"] == 6


async def test_in_a_stream_each_piece_says_whose_it_is(autojump_clock: MockClock) -> None:
    async with serving(backend=backend()) as server:
        reply = await server.ask(post(chat(n=2, stream=True, stream_options={"include_usage": True})))
    *chunks, usage, done = reply.events
    pieces = spoken(chunks)
    assert [piece for _, piece in pieces] == ["a", "x", "b", "y"]
    first, second = pieces[0][0], pieces[1][0]
    assert [choice for choice, _ in pieces] == [first, second, first, second]
    ends = {
        choice["index"]: choice["finish_reason"]
        for chunk in chunks
        for choice in chunk["choices"]
        if choice["finish_reason"]
    }
    assert ends == {first: "stop", second: "length"}
    assert (usage["choices"], usage["usage"]["completion_tokens"], done) == ([], 6, "[DONE]")
    assert len({chunk["id"] for chunk in chunks}) == 1


async def test_one_that_fails_ends_them_all(autojump_clock: MockClock) -> None:
    failing = FakeBackend(each=((start(), text("a"), 1e6), (start(), 1.0, api_error(529))))
    async with serving(backend=failing) as server:
        reply = await server.ask(post(chat(n=2, stream=True)))
        assert reply.events[-1]["error"]["type"] == "server_error"
        assert failing.left == failing.opened == 2


async def test_one_that_fails_before_any_began_is_a_status(autojump_clock: MockClock) -> None:
    failing = FakeBackend(each=((5.0, start(), text("a"), stop()), (api_error(529),)))
    async with serving(backend=failing) as server:
        assert (await server.ask(post(chat(n=2)))).status == 503


async def test_a_client_that_leaves_takes_all_processes_along(autojump_clock: MockClock) -> None:
    hanging = FakeBackend((start(), text("a")))
    async with serving(backend=hanging) as server:
        client = await server.connect()
        await client.send(post(chat(n=3, stream=True)))
        await client.head()
        await client.chunk()
        await client.leave()
        await hanging.all_left.wait()
        assert hanging.opened == 3


async def test_each_takes_a_process_of_those_there_may_be(autojump_clock: MockClock) -> None:
    async with serving(*HELLO, processes=1) as server:
        reply = await server.ask(post(chat(n=3)))
    assert len(reply.json["choices"]) == 3


async def test_when_there_is_no_place_for_one_there_is_no_answer(autojump_clock: MockClock) -> None:
    async with serving(*HELLO, processes=1, queue=1) as server:
        assert (await server.ask(post(chat(n=4)))).status == 429


async def test_more_than_the_server_offers_are_refused_before_a_process_starts() -> None:
    async with serving(*HELLO, choices=2) as server:
        reply = await server.ask(post(chat(n=3)))
        assert (reply.status, reply.error["param"]) == (400, "n")
        assert server.backend.opened == 0


async def test_a_session_goes_on_from_one_answer_only() -> None:
    async with serving(*HELLO) as server:
        reply = await server.ask(post(chat(n=2), "x-session-id: s"))
        assert reply.status == 400
        assert "x-session-id" in reply.error["message"]
        assert server.backend.opened == 0


@pytest.mark.parametrize("keep", [True, False], ids=["kept", "not kept"])
async def test_each_is_counted(keep: bool, autojump_clock: MockClock) -> None:  # noqa: FBT001
    async with serving(backend=backend(), keep=keep) as server:
        await server.ask(post(chat(n=2)))
        # Without a session it is counted after the client has its answer.
        await trio.sleep(1)
        rows = await server.service.database.read(
            lambda connection: connection.execute("SELECT outcome, output_tokens FROM exchange").fetchall()
        )
        [sessions] = await server.service.database.read(
            lambda connection: connection.execute("SELECT count(*) FROM session").fetchone()
        )
    assert sorted(rows) == [("end_turn", 3), ("max_tokens", 3)]
    assert sessions == (2 if keep else 0)
