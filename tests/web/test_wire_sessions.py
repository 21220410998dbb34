"""Sessions over HTTP: the client sends what is new, the model gets all of it, and what was said to the end is kept."""

import json
from collections.abc import Sequence
from typing import Any

import pytest
import trio
from claude_says import HELLO, MODEL, api_error, arguments, redacted_thinking, start, stop, text, thinking, tool
from trio.testing import MockClock
from wire_harness import (
    CHAT,
    HOST,
    JSON,
    NOW,
    FakeBackend,
    Reply,
    Server,
    chat,
    get,
    post,
    raw,
    serving,
    streamed,
    user,
)

from cca.backends import Exit
from cca.errors import Unavailable
from cca.model import AssistantTurn, RedactedThinking, Text, Thinking, ToolResult, ToolUse, Turn, UserTurn
from cca.store.database import Database
from cca.web import sessions
from cca.web.sessions import AFFINITY_HEADER, SESSION_HEADER

DAY = 86_400.0


def asked(session: str, *said: Any, **fields: Any) -> bytes:
    return post(chat(*(user(each) if isinstance(each, str) else each for each in said), **fields), named(session))


def named(session: str) -> str:
    return f"{SESSION_HEADER}: {session}"


def send(method: str, path: str, body: Any = None) -> bytes:
    if body is None:
        return raw(method, path, HOST)
    content = json.dumps(body).encode()
    return raw(method, path, HOST, JSON, f"Content-Length: {len(content)}", body=content)


async def turns_of(server: Server, session: str) -> Any:
    reply = await server.ask(get(f"/v1/sessions/{session}/turns?limit=100"))
    assert reply.status == 200, reply
    return reply.json["data"]


def heard(server: Server) -> Sequence[Turn]:
    """Return the turns of the last conversation that the backend was given."""
    return server.backend.conversations[-1].turns


USER, ASSISTANT = UserTurn, AssistantTurn


def said(role: type[Turn], *texts: str) -> Turn:
    return role(tuple(Text(each) for each in texts))


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_the_model_gets_the_history_of_which_the_client_sends_nothing(
    stream: bool,  # noqa: FBT001
    autojump_clock: MockClock,
) -> None:
    async with serving(*HELLO) as server:
        first = await server.ask(asked("s", "One", stream=stream))
        second = await server.ask(asked("s", "Two", stream=stream))
    assert (first.status, second.status) == (200, 200)
    assert first.headers[SESSION_HEADER] == second.headers[SESSION_HEADER] == "s"
    assert heard(server) == (said(USER, "One"), said(ASSISTANT, "Hello"), said(USER, "Two"))


async def test_without_a_session_nothing_is_kept(autojump_clock: MockClock) -> None:
    async with serving(*HELLO) as server:
        reply = await server.ask(post(chat()))
        listed = await server.ask(get("/v1/sessions"))
    assert SESSION_HEADER not in reply.headers
    assert listed.json == {"object": "list", "data": [], "first_id": None, "last_id": None, "has_more": False}


async def test_a_header_for_affinity_names_no_session(autojump_clock: MockClock) -> None:
    async with serving(*HELLO) as server:
        for text in ("One", "Two"):
            reply = await server.ask(post(chat(user(text)), f"{SESSION_HEADER}: s", f"{AFFINITY_HEADER}: s"))
    assert SESSION_HEADER not in reply.headers
    assert reply.headers["x-cca-ignored"] == SESSION_HEADER
    assert heard(server) == (said(USER, "Two"),)


async def test_with_the_setting_each_request_is_kept_as_a_session_of_its_own(autojump_clock: MockClock) -> None:
    async with serving(*HELLO, keep=True) as server:
        reply = await server.ask(post(chat(user("One"))))
        await server.ask(post(chat(user("Two"))))
        listed = await server.ask(get("/v1/sessions"))
        [newest, _] = listed.json["data"]
        turns = await turns_of(server, newest["id"])
    assert SESSION_HEADER not in reply.headers
    assert [turn["content"] for turn in turns] == [[text_part("Two")], [text_part("Hello")]]
    assert heard(server) == (said(USER, "Two"),)


def text_part(of: str) -> Any:
    return {"type": "text", "text": of}


async def test_a_turn_has_its_role_its_parts_and_what_it_came_to(autojump_clock: MockClock) -> None:
    call = (tool("call_1", "f"), arguments('{"a":'), arguments("1}"))
    async with serving(start(), thinking("Hm."), text("Yes."), *call, stop("tool_use")) as server:
        await server.ask(asked("s", "One"))
        asking, answer = await turns_of(server, "s")
    assert asking == {
        "id": "turn_id3",
        "object": "session.turn",
        "position": 0,
        "role": "user",
        "content": [text_part("One")],
        "created_at": int(NOW),
        "status": "completed",
    }
    assert answer["role"] == "assistant"
    assert answer["content"] == [
        {"type": "thinking", "text": "Hm."},
        text_part("Yes."),
        {"type": "tool_use", "id": "call_1", "name": "f", "input": {"a": 1}},
    ]
    outcome = answer["answer"]
    assert (outcome["model"], outcome["outcome"]) == (MODEL, "tool_use")
    assert (outcome["usage"]["input_tokens"], outcome["usage"]["output_tokens"]) == (7, 3)
    assert outcome["first_event"] <= outcome["duration"]
    # 7 tokens in, 3 out, of a Sonnet 5.5.
    assert outcome["cost"] == pytest.approx((7 * 2 + 3 * 10) / 1e6)


async def test_a_call_is_in_the_history_with_its_result_and_a_thought_that_is_not_signed_is_not(
    autojump_clock: MockClock,
) -> None:
    call = (thinking("Hm."), tool("call_1", "f"), arguments('{"a":1}'))
    async with serving(start(), *call, stop("tool_use"), staying=0) as server:
        assert (await server.ask(asked("s", "One"))).status == 200
        unanswered = await server.ask(asked("s", "Two"))
        server.backend.said = HELLO
        result = {"role": "tool", "tool_call_id": "call_1", "content": "42"}
        assert (await server.ask(asked("s", result))).status == 200
        assert (await server.ask(asked("s", "Three"))).status == 200
        kept = await turns_of(server, "s")
    assert (unanswered.status, unanswered.error["code"]) == (400, "invalid_value")
    assert heard(server) == (
        said(USER, "One"),
        AssistantTurn((ToolUse("call_1", "f", {"a": 1}),)),
        UserTurn((ToolResult("call_1", (Text("42"),)),)),
        said(ASSISTANT, "Hello"),
        said(USER, "Three"),
    )
    types = [part["type"] for turn in kept for part in turn["content"]]
    assert types == ["text", "thinking", "tool_use", "tool_result", "text", "text", "text"]


async def test_what_was_thought_goes_back_to_the_model_that_signed_it(autojump_clock: MockClock) -> None:
    """Without it the model's API refuses the result of a call, where there is a budget for thinking."""
    call = (thinking("Hm.", "c2ln"), redacted_thinking("eA=="), tool("call_1", "f"), arguments('{"a":1}'))
    result = {"role": "tool", "tool_call_id": "call_1", "content": "42"}
    async with serving(start(), *call, stop("tool_use"), staying=0) as server:
        await server.ask(asked("s", "One"))
        server.backend.said = HELLO
        await server.ask(asked("s", result))
        await server.ask(asked("s", "Three"))
        kept = await turns_of(server, "s")
    thoughts = (Thinking("Hm.", "c2ln"), RedactedThinking("eA=="))
    assert heard(server) == (
        said(USER, "One"),
        AssistantTurn((*thoughts, ToolUse("call_1", "f", {"a": 1})), MODEL),
        UserTurn((ToolResult("call_1", (Text("42"),)),)),
        said(ASSISTANT, "Hello"),
        said(USER, "Three"),
    )
    assert kept[1]["content"][:2] == [
        {"type": "thinking", "text": "Hm.", "signature": "c2ln"},
        {"type": "redacted_thinking", "data": "eA=="},
    ]


async def test_the_system_prompt_stays_until_another_one_is_sent(autojump_clock: MockClock) -> None:
    def system(of: str) -> Any:
        return {"role": "system", "content": of}

    async with serving(*HELLO) as server:
        await server.ask(asked("s", system("A"), "One"))
        await server.ask(asked("s", "Two"))
        await server.ask(asked("s", system("B"), "Three"))
        await server.ask(asked("s", "Four"))
    assert [each.system for each in server.backend.conversations] == [("A",), ("A",), ("B",), ("B",)]


PIECES = (start(), text("Hel"), text("lo"))


async def test_an_answer_that_the_client_left_is_kept_as_far_as_it_came_and_gone_on_from(
    autojump_clock: MockClock,
) -> None:
    async with serving(*PIECES, 1000.0) as server:
        client = await server.connect()
        await client.send(asked("s", "One", stream=True))
        await client.head()
        await trio.sleep(10)
        await client.leave()
        await server.backend.all_left.wait()
        await trio.sleep(10)
        turns = await turns_of(server, "s")
        server.backend.said = HELLO
        await server.ask(asked("s", "Two"))
    assert [(turn["status"], turn["content"]) for turn in turns] == [
        ("incomplete", [text_part("One")]),
        ("incomplete", [text_part("Hello")]),
    ]
    assert turns[1]["answer"]["outcome"] == "abandoned"
    assert heard(server) == (said(USER, "One"), said(ASSISTANT, "Hello"), said(USER, "Two"))


async def test_an_answer_that_failed_after_some_text_is_kept_as_far_as_it_came(autojump_clock: MockClock) -> None:
    async with serving(*PIECES, Exit(1)) as server:
        await server.ask(asked("s", "One", stream=True))
        turns = await turns_of(server, "s")
    assert [turn["status"] for turn in turns] == ["incomplete", "incomplete"]
    assert turns[1]["answer"]["outcome"] == "502"


@pytest.mark.parametrize(
    ("said_then", "stream"),
    [(PIECES, False), ((start(), thinking("Hm.")), True), ((start(), text(" \n")), True)],
    ids=["whole", "nothing but thoughts", "nothing but white space"],
)
async def test_an_answer_of_which_the_client_has_nothing_is_kept_and_is_not_history(
    said_then: tuple[bytes, ...],
    stream: bool,  # noqa: FBT001
    autojump_clock: MockClock,
) -> None:
    """The client will ask again, and its question must not stand there twice."""
    async with serving(*said_then, Exit(1)) as server:
        await server.ask(asked("s", "One", stream=stream))
        turns = await turns_of(server, "s")
        server.backend.said = HELLO
        await server.ask(asked("s", "One"))
    assert [turn["status"] for turn in turns] == ["undelivered", "undelivered"]
    assert heard(server) == (said(USER, "One"),)


async def test_a_request_that_failed_before_its_answer_began_leaves_no_trace(autojump_clock: MockClock) -> None:
    async with serving(api_error(529)) as server:
        failed = await server.ask(asked("s", "One"))
        there = await server.ask(get("/v1/sessions/s"))
    assert (failed.status, there.status) == (503, 404)


async def test_an_answer_of_no_text_is_followed_by_what_the_client_says_next(autojump_clock: MockClock) -> None:
    async with serving(start(), stop()) as server:
        await server.ask(asked("s", "One"))
        await server.ask(asked("s", "Two"))
    assert heard(server) == (said(USER, "One", "Two"),)


async def test_an_answer_is_there_before_its_end_is_told(autojump_clock: MockClock) -> None:
    """At each piece of the stream the database is asked: the exchange is in it when the finish reason comes."""
    counts: list[tuple[int, bool]] = []
    async with serving(start(), text("Hello"), 1.0, stop()) as server:
        database = server.service.database
        client = await server.connect()
        await client.send(asked("s", "One", stream=True))
        await client.head()
        while piece := await client.chunk():
            [count] = await database.read(lambda connection: connection.execute("SELECT count(*) FROM turn").fetchone())
            counts.append((count, b'finish_reason":"stop' in piece))
    assert counts == [(0, False), (2, True)]


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_an_answer_that_cannot_be_kept_is_none(
    stream: bool,  # noqa: FBT001
    autojump_clock: MockClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def full(*_: Any) -> Any:
        raise Unavailable("The disk is full.")

    async with serving(start(), text("Hello"), 1.0, stop()) as server:
        monkeypatch.setattr(Database, "write", full)
        reply = await server.ask(asked("s", "One", stream=stream))
        monkeypatch.undo()
        there = await server.ask(get("/v1/sessions/s"))
        again = await server.ask(asked("s", "One", stream=stream))
    if stream:
        assert reply.events[-1]["error"]["message"] == "The disk is full."
    else:
        assert (reply.status, reply.error["message"]) == (503, "The disk is full.")
    assert (there.status, again.status) == (404, 200)


async def test_what_was_made_of_an_answer_that_could_not_be_kept_at_its_end_is_kept_as_what_it_is(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second try has room again; the client was told of a failure by then."""
    write = Database.write
    failures = [Unavailable("The disk is full.")]

    async def full_once(self: Database, transaction: Any) -> Any:
        if failures:
            raise failures.pop()
        return await write(self, transaction)

    async with serving(start(), text("Hello"), 1.0, stop()) as server:
        monkeypatch.setattr(Database, "write", full_once)
        await server.ask(asked("s", "One", stream=True))
        turns = await turns_of(server, "s")
    assert [turn["status"] for turn in turns] == ["incomplete", "incomplete"]


async def test_writers_of_one_session_come_one_after_the_other(autojump_clock: MockClock) -> None:
    replies: list[Reply] = []

    async def write(server: Server, number: int) -> None:
        replies.append(await server.ask(asked("s", f"{number}")))

    async with serving(start(), 1.0, text("Yes"), stop()) as server:
        async with trio.open_nursery() as nursery:
            for number in range(6):
                nursery.start_soon(write, server, number)
                await trio.testing.wait_all_tasks_blocked()
        turns = await turns_of(server, "s")
        opened = [len(conversation.turns) for conversation in server.backend.conversations]
    assert [reply.status for reply in replies] == [200] * 6
    assert [turn["content"][0]["text"] for turn in turns if turn["role"] == "user"] == list("012345")
    assert opened == [1, 3, 5, 7, 9, 11]


async def test_other_sessions_do_not_wait(autojump_clock: MockClock) -> None:
    async with serving(start(), 100.0, text("Yes"), stop()) as server:
        began = trio.current_time()
        async with trio.open_nursery() as nursery:
            for number in range(6):
                nursery.start_soon(server.ask, asked(f"s{number}", "One"))
    assert trio.current_time() - began == pytest.approx(100)


async def test_past_the_queue_a_writer_is_told_to_come_later(autojump_clock: MockClock) -> None:
    statuses: list[int] = []

    async def write(server: Server) -> None:
        reply = await server.ask(asked("s", "One"))
        statuses.append(reply.status)
        if reply.status == 409:
            assert reply.error["code"] == "session_busy"
            assert reply.headers["retry-after"] == "1"

    async with serving(start(), 1.0, text("Yes"), stop(), session_queue=2) as server:
        async with trio.open_nursery() as nursery:
            for _ in range(5):
                nursery.start_soon(write, server)
                await trio.testing.wait_all_tasks_blocked()
        assert server.backend.opened == 3
        after = await server.ask(asked("s", "Two"))
    assert statuses == [409, 409, 200, 200, 200]
    assert after.status == 200


async def test_a_waiting_writer_that_leaves_holds_nobody_up(autojump_clock: MockClock) -> None:
    async with serving(start(), 5.0, text("Yes"), stop()) as server:
        first, second, third = [await server.connect() for _ in range(3)]
        for client, said_then in ((first, "1"), (second, "2"), (third, "3")):
            await client.send(asked("s", said_then))
            await trio.testing.wait_all_tasks_blocked()
        await second.leave()
        assert (await first.reply()).status == 200
        assert (await third.reply()).status == 200
        turns = await turns_of(server, "s")
    assert [turn["content"][0]["text"] for turn in turns if turn["role"] == "user"] == ["1", "3"]


async def test_a_session_that_is_deleted_while_it_is_answered_stays_deleted(autojump_clock: MockClock) -> None:
    async with serving(start(), text("Yes"), 10.0, stop()) as server:
        server.backend.said = HELLO
        await server.ask(asked("s", "One"))
        server.backend.said = (start(), text("Yes"), 10.0, stop())
        client = await server.connect()
        await client.send(asked("s", "Two"))
        await trio.sleep(5)
        deleted = await server.ask(send("DELETE", "/v1/sessions/s"))
        reply = await client.reply()
        there = await server.ask(get("/v1/sessions/s"))
    assert deleted.json == {"id": "s", "object": "session.deleted", "deleted": True}
    assert (reply.status, reply.error["code"], there.status) == (409, "session_changed", 404)


@pytest.mark.parametrize("name", ["", "a b", "a/b", "é", "x" * 129, "a\tb", "../s", "s;", ".", "..", "..."])
async def test_a_name_that_is_none_is_refused(name: str, autojump_clock: MockClock) -> None:
    async with serving(*HELLO) as server:
        reply = await server.ask(asked(name, "One"))
        assert server.backend.opened == 0
    assert (reply.status, reply.error["code"]) == (400, "invalid_session_id")


async def test_two_names_are_refused(autojump_clock: MockClock) -> None:
    async with serving(*HELLO) as server:
        reply = await server.ask(post(chat(), named("a"), named("a")))
    assert (reply.status, reply.error["code"]) == (400, "invalid_session_id")


@pytest.mark.parametrize("name", ["x" * 128, "a.b_c-D9", "..a", "-", "._."])
async def test_a_name_may_be(name: str, autojump_clock: MockClock) -> None:
    async with serving(*HELLO) as server:
        assert (await server.ask(asked(name, "One"))).status == 200
        assert (await server.ask(get(f"/v1/sessions/{name}"))).json["id"] == name


class Wall:
    """A wall clock that a test turns."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


async def test_a_session_expires_a_day_after_it_was_last_used(autojump_clock: MockClock) -> None:
    wall = Wall()
    async with serving(*HELLO, now=wall) as server:
        await server.ask(asked("s", "One"))
        wall.now += DAY - 1
        await server.ask(asked("s", "Two"))
        wall.now += DAY - 1
        assert len(await turns_of(server, "s")) == 4
        wall.now += 1
        gone = await server.ask(get("/v1/sessions/s"))
        listed = await server.ask(get("/v1/sessions"))
        await server.ask(asked("s", "Three"))
        turns = await turns_of(server, "s")
    assert (gone.status, listed.json["data"]) == (404, [])
    assert [turn["content"][0]["text"] for turn in turns] == ["Three", "Hello"]


async def test_a_sweep_takes_what_has_expired_out_and_leaves_what_is_being_answered(autojump_clock: MockClock) -> None:
    wall = Wall()
    async with serving(*HELLO, now=wall) as server:
        service = server.service
        for name in ("a", "b"):
            await server.ask(asked(name, "One"))
        server.backend.said = (start(), text("Yes"), 10.0, stop())
        client = await server.connect()
        wall.now += DAY - 1
        await client.send(asked("a", "Two"))
        await trio.sleep(5)
        wall.now += 2
        assert await service.sessions.sweep() == 1
        assert (await client.reply()).status == 200
        assert len(await turns_of(server, "a")) == 4
        assert (await server.ask(get("/v1/sessions/b"))).status == 404
        assert await service.sessions.sweep() == 0


async def test_sessions_may_be_kept_for_good(autojump_clock: MockClock) -> None:
    wall = Wall()
    async with serving(*HELLO, now=wall, session_expiry=float("inf")) as server:
        await server.ask(asked("s", "One"))
        wall.now += 10_000 * DAY
        await server.service.sessions.sweep()
        found = await server.ask(get("/v1/sessions/s"))
    assert (found.json["expires_after"], found.json["expires_at"]) == (None, None)


async def test_a_session_is_listed_last_used_first_and_page_by_page(autojump_clock: MockClock) -> None:
    wall = Wall()
    async with serving(*HELLO, now=wall) as server:
        for number in [*range(5), 1]:
            wall.now += 1
            await server.ask(asked(f"s{number}", "One"))
        pages: list[list[str]] = []
        after, more = "", True
        while more:
            page = (await server.ask(get(f"/v1/sessions?limit=2{after}"))).json
            pages.append([session["id"] for session in page["data"]])
            assert (page["first_id"], page["last_id"]) == (pages[-1][0], pages[-1][-1])
            after, more = f"&after={page['last_id']}", page["has_more"]
    assert pages == [["s1", "s4"], ["s3", "s2"], ["s0"]]


async def test_turns_are_read_page_by_page(autojump_clock: MockClock) -> None:
    async with serving(*HELLO) as server:
        for number in range(3):
            await server.ask(asked("s", f"{number}"))
        first = (await server.ask(get("/v1/sessions/s/turns?limit=4"))).json
        second = (await server.ask(get(f"/v1/sessions/s/turns?limit=4&after={first['last_id']}"))).json
        by_position = (await server.ask(get("/v1/sessions/s/turns?limit=4&after=3"))).json
        beyond = (await server.ask(get("/v1/sessions/s/turns?after=5"))).json
    assert ([turn["position"] for turn in first["data"]], first["has_more"]) == ([0, 1, 2, 3], True)
    assert (first["first_id"], first["last_id"]) == (first["data"][0]["id"], first["data"][3]["id"])
    assert ([turn["position"] for turn in second["data"]], second["has_more"]) == ([4, 5], False)
    assert by_position == second
    assert beyond == {"object": "list", "data": [], "first_id": None, "last_id": None, "has_more": False}


async def test_a_page_of_turns_is_one_large_turn_or_several_small_ones(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hundred turns may have 20 MB each, and all of a page is in memory at once."""
    monkeypatch.setattr(sessions, "PAGE_SIZE", 10_000)
    async with serving(*HELLO) as server:
        for words in ("short", "long " * 5_000, "short", "short", "long " * 1_000):
            await server.ask(asked("s", words))
        pages: list[list[int]] = []
        after, more = "", True
        while more:
            page = (await server.ask(get(f"/v1/sessions/s/turns?limit=3{after}"))).json
            pages.append([turn["position"] for turn in page["data"]])
            after, more = f"&after={page['last_id']}", page["has_more"]
    assert pages == [[0, 1], [2], [3, 4, 5], [6, 7, 8], [9]]


async def test_a_title_and_an_expiry_can_be_set_and_taken_back(autojump_clock: MockClock) -> None:
    async with serving(*HELLO) as server:
        await server.ask(asked("s", "One"))
        shown = []
        for change in ({"title": "T", "expires_after": 60}, {}, {"expires_after": None}, {"title": None}):
            reply = await server.ask(send("PATCH", "/v1/sessions/s", change))
            assert reply.json == (await server.ask(get("/v1/sessions/s"))).json
            shown.append((reply.json["title"], reply.json["expires_after"], reply.json["expires_at"]))
    soon = int(NOW) + 61
    assert shown == [("T", 60.0, soon), ("T", 60.0, soon), ("T", None, None), (None, None, None)]


async def test_a_fork_goes_its_own_way(autojump_clock: MockClock) -> None:
    async with serving(*HELLO) as server:
        await server.ask(asked("s", {"role": "system", "content": "A"}, "One"))
        await server.ask(asked("s", "Two"))
        fork = (await server.ask(send("POST", "/v1/sessions/s/fork", {"id": "t", "turns": 2, "title": "F"}))).json
        await server.ask(asked("t", "Three"))
        whole = (await server.ask(send("POST", "/v1/sessions/s/fork"))).json
        untouched = await turns_of(server, "s")
    assert (fork["id"], fork["turns"], fork["title"]) == ("t", 2, "F")
    assert heard(server) == (said(USER, "One"), said(ASSISTANT, "Hello"), said(USER, "Three"))
    assert server.backend.conversations[-1].system == ("A",)
    assert (whole["turns"], len(untouched)) == (4, 4)


@pytest.mark.parametrize(("given", "title"), [({"title": ""}, ""), ({"title": None}, "T"), ({}, "T")])
async def test_a_fork_has_the_title_that_it_is_given(given: Any, title: str, autojump_clock: MockClock) -> None:
    async with serving(*HELLO) as server:
        await server.ask(asked("s", "One"))
        await server.ask(send("PATCH", "/v1/sessions/s", {"title": "T"}))
        assert (await server.ask(send("POST", "/v1/sessions/s/fork", given))).json["title"] == title


BAD: dict[str, tuple[str, str, Any, int, str | None]] = {
    "limit of 0": ("GET", "/v1/sessions?limit=0", None, 400, "limit"),
    "limit of 101": ("GET", "/v1/sessions?limit=101", None, 400, "limit"),
    "limit of words": ("GET", "/v1/sessions?limit=ten", None, 400, "limit"),
    "after nobody": ("GET", "/v1/sessions?after=nobody", None, 404, None),
    "after no id": ("GET", "/v1/sessions?after=%00", None, 404, None),
    "unknown": ("GET", "/v1/sessions/nobody", None, 404, None),
    "no id": ("GET", "/v1/sessions/a%20b", None, 404, None),
    "long id": ("GET", f"/v1/sessions/{'x' * 129}", None, 404, None),
    "a path as id": ("GET", "/v1/sessions/..%2f..%2fetc", None, 404, None),
    "turns of nobody": ("GET", "/v1/sessions/nobody/turns", None, 404, None),
    "after no turn": ("GET", "/v1/sessions/s/turns?after=x", None, 400, "after"),
    "after ten digits": ("GET", "/v1/sessions/s/turns?after=1234567890", None, 400, "after"),
    "an id of dots": ("GET", "/v1/sessions/..", None, 404, None),
    "deleting nobody": ("DELETE", "/v1/sessions/nobody", None, 404, None),
    "changing nobody": ("PATCH", "/v1/sessions/nobody", {}, 404, None),
    "a title of 501": ("PATCH", "/v1/sessions/s", {"title": "x" * 501}, 400, "title"),
    "a title that is none": ("PATCH", "/v1/sessions/s", {"title": 1}, 400, "title"),
    "an expiry in the past": ("PATCH", "/v1/sessions/s", {"expires_after": -1}, 400, "expires_after"),
    "an expiry after all calendars": ("PATCH", "/v1/sessions/s", {"expires_after": 1e15}, 400, "expires_after"),
    "an expiry of text": ("PATCH", "/v1/sessions/s", {"expires_after": "1"}, 400, "expires_after"),
    "an owner": ("PATCH", "/v1/sessions/s", {"owner": "x"}, 400, "owner"),
    "forking nobody": ("POST", "/v1/sessions/nobody/fork", None, 404, None),
    "forking to a bad id": ("POST", "/v1/sessions/s/fork", {"id": "a/b"}, 400, "id"),
    "forking to dots": ("POST", "/v1/sessions/s/fork", {"id": ".."}, 400, "id"),
    "forking to one there is": ("POST", "/v1/sessions/s/fork", {"id": "s"}, 409, None),
    "forking too many turns": ("POST", "/v1/sessions/s/fork", {"turns": 3}, 400, "turns"),
    "forking less than none": ("POST", "/v1/sessions/s/fork", {"turns": -1}, 400, "turns"),
    "an array": ("PATCH", "/v1/sessions/s", [], 400, None),
}


@pytest.mark.parametrize(("method", "path", "body", "status", "param"), BAD.values(), ids=BAD)
async def test_what_cannot_be_is_refused_and_changes_nothing(
    method: str, path: str, body: Any, status: int, param: str | None, autojump_clock: MockClock
) -> None:
    async with serving(*HELLO) as server:
        await server.ask(asked("s", "One"))
        before = (await server.ask(get("/v1/sessions"))).json
        reply = await server.ask(send(method, path, body))
        after = (await server.ask(get("/v1/sessions"))).json
    assert (reply.status, reply.error["param"]) == (status, param)
    assert before == after
    assert len(after["data"]) == 1


async def test_a_change_that_is_not_json_is_refused(autojump_clock: MockClock) -> None:
    async with serving(*HELLO) as server:
        await server.ask(asked("s", "One"))
        reply = await server.ask(raw("PATCH", "/v1/sessions/s", HOST, "Content-Length: 2", body=b"{}"))
    assert reply.status == 415


async def test_the_header_says_nothing_where_nothing_is_answered(autojump_clock: MockClock) -> None:
    async with serving(*HELLO) as server:
        assert (await server.ask(get("/v1/models", named("a/b")))).status == 200


async def test_a_request_that_is_refused_makes_no_session(autojump_clock: MockClock) -> None:
    async with serving(*HELLO) as server:
        body = b'{"model":"sonnet"}'
        refused = await server.ask(raw("POST", CHAT, HOST, JSON, f"Content-Length: {len(body)}", named("s"), body=body))
        listed = await server.ask(get("/v1/sessions"))
    assert (refused.status, listed.json["data"]) == (400, [])


async def test_a_stream_of_a_fault_of_the_backend_keeps_the_session_usable(autojump_clock: MockClock) -> None:
    async with serving(backend=FakeBackend(fault=Unavailable("none"))) as server:
        assert (await server.ask(post(streamed(), named("s")))).status == 503
        server.backend.fault = None
        server.backend.said = HELLO
        assert (await server.ask(post(streamed(), named("s")))).status == 200
