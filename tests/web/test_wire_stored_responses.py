"""Responses under their own ids: what is kept of them, what goes on from them, and what deleting them leaves."""

import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio
from claude_says import HELLO, MODEL, arguments, redacted_thinking, start, stop, text, thinking, tool
from trio.testing import MockClock
from wire_harness import CHAT, HOST, NOW, Reply, Server, chat, get, inline, posted, raw, serving, user

from cca.model import AssistantTurn, RedactedThinking, Text, Thinking, ToolResult, ToolUse, UserTurn
from cca.store.database import open_database
from cca.web.sessions import SESSION_HEADER

RESPONSES = "/v1/responses"

DAY = 86_400.0


def asked(said: Any, *headers: str, **fields: Any) -> bytes:
    return posted(RESPONSES, {"model": "sonnet", "input": said, **fields}, *headers)


async def created(server: Server, said: Any = "One", *headers: str, **fields: Any) -> Any:
    reply = await server.ask(asked(said, *headers, **fields))
    assert reply.status == 200, reply
    return reply.json


def named(session: str) -> str:
    return f"{SESSION_HEADER}: {session}"


def delete(path: str) -> bytes:
    return raw("DELETE", path, HOST)


def heard(server: Server) -> list[str]:
    """Return all texts of the last conversation that the backend was given, in their order."""
    turns = server.backend.conversations[-1].turns
    return [part.text for turn in turns for part in turn.content if isinstance(part, Text)]


async def sessions(server: Server) -> list[int]:
    """Return how many turns each session has."""
    return sorted(each["turns"] for each in (await server.ask(get("/v1/sessions"))).json["data"])


def refused(reply: Reply, status: int, code: str | None, param: str | None = None) -> None:
    assert (reply.status, reply.error["code"], reply.error["param"]) == (status, code, param)


async def test_a_response_is_there_as_it_was_told(autojump_clock: MockClock) -> None:
    async with serving(*HELLO) as server:
        whole = await created(server)
        streamed = await server.ask(asked("One", stream=True))
        told = [event["response"] for event in named_events(streamed.body) if event["type"] == "response.completed"]
        kept = [(await server.ask(get(f"{RESPONSES}/{each['id']}"))).json for each in (whole, *told)]
    assert kept == [whole, *told]
    assert [len(kept), kept[0]["output"][0]["content"][0]["text"]] == [2, "Hello"]


def named_events(body: bytes) -> list[Any]:
    lines = [line.removeprefix(b"data: ") for line in body.split(b"\n") if line.startswith(b"data: {")]
    return [json.loads(line) for line in lines]


async def test_what_is_not_to_be_stored_is_not(autojump_clock: MockClock) -> None:
    async with serving(*HELLO) as server:
        told = await created(server, store=False)
        refused(await server.ask(get(f"{RESPONSES}/{told['id']}")), 404, "response_not_found")
        assert await sessions(server) == []


@pytest.mark.parametrize("settings", [{}, {"keep": True}], ids=["stored", "kept"])
async def test_a_response_is_gone_on_from_in_its_session(settings: Any, autojump_clock: MockClock) -> None:
    async with serving(*HELLO, **settings) as server:
        first = await created(server, "One")
        second = await created(server, "Two", previous_response_id=first["id"])
        await created(server, "Three", previous_response_id=second["id"])
        assert heard(server) == ["One", "Hello", "Two", "Hello", "Three"]
        assert await sessions(server) == [6]
    assert second["previous_response_id"] == first["id"]


async def test_two_that_go_on_from_one_response_go_their_own_ways(autojump_clock: MockClock) -> None:
    async with serving(*HELLO) as server:
        first = await created(server, "One")
        second = await created(server, "Two", previous_response_id=first["id"])
        third = await created(server, "Three", previous_response_id=first["id"])
        assert heard(server) == ["One", "Hello", "Three"]
        await created(server, "Four", previous_response_id=third["id"])
        assert heard(server) == ["One", "Hello", "Three", "Hello", "Four"]
        await created(server, "Five", previous_response_id=second["id"])
        assert heard(server) == ["One", "Hello", "Two", "Hello", "Five"]
        assert await sessions(server) == [6, 6]


async def test_those_that_go_on_at_once_do_not_wait_for_one_another(autojump_clock: MockClock) -> None:
    async with serving(*HELLO) as server:
        first = await created(server, "One")
        server.backend.said = (start(), text("Hel"), 10.0, text("lo"), stop())
        began = trio.current_time()
        async with trio.open_nursery() as nursery:
            for said in ("Two", "Three", "Four"):
                nursery.start_soon(partial(created, server, said, previous_response_id=first["id"]))
        assert trio.current_time() - began == 10
        assert await sessions(server) == [4, 4, 4]


async def test_without_storing_a_response_is_gone_on_from_and_nothing_is_added(autojump_clock: MockClock) -> None:
    async with serving(*HELLO) as server:
        first = await created(server, "One")
        await created(server, "Two", previous_response_id=first["id"], store=False)
        assert heard(server) == ["One", "Hello", "Two"]
        assert await sessions(server) == [2]


async def test_instructions_are_not_inherited_and_messages_of_the_developer_are(autojump_clock: MockClock) -> None:
    developer = {"role": "developer", "content": "A"}
    async with serving(*HELLO) as server:
        first = await created(server, [developer, user("One")], instructions="I")
        second = await created(server, "Two", previous_response_id=first["id"], instructions="J")
        third = [{"role": "system", "content": "B"}, user("Three")]
        await created(server, third, previous_response_id=second["id"])
        await created(server, "Four", previous_response_id=first["id"])
    systems = [each.system for each in server.backend.conversations]
    assert systems == [("I", "A"), ("J", "A"), ("A", "B"), ("A",)]


async def test_a_call_is_answered_by_its_output_alone_and_the_model_knows_what_it_thought(
    autojump_clock: MockClock,
) -> None:
    thoughts = (thinking("Hm.", "c2ln"), thinking("", "bm8="), redacted_thinking("eA=="))
    calling = (start(), *thoughts, tool("call_1", "f"), arguments('{"a":1}'), stop("tool_use"))
    function = {"type": "function", "name": "f", "parameters": {"type": "object", "properties": {}}}
    async with serving(*calling, staying=0) as server:
        first = await created(server, "One", tools=[function])
        [_, call] = first["output"]
        output = {"type": "function_call_output", "call_id": call["call_id"], "output": "42"}
        server.backend.said = HELLO
        await created(server, [output], previous_response_id=first["id"], tools=[function])
        turns = (await server.ask(get("/v1/sessions"))).json["data"]
        [session] = turns
        kept = (await server.ask(get(f"/v1/sessions/{session['id']}/turns"))).json["data"]
    expected = (
        UserTurn((Text("One"),)),
        AssistantTurn(
            (
                *(Thinking("Hm.", "c2ln"), Thinking("", "bm8="), RedactedThinking("eA==")),
                ToolUse("call_1", "f", {"a": 1}),
            ),
            MODEL,
        ),
        UserTurn((ToolResult("call_1", (Text("42"),)),)),
    )
    assert server.backend.conversations[-1].turns == expected
    types = [part["type"] for turn in kept for part in turn["content"]]
    assert types == ["text", *("thinking", "thinking", "redacted_thinking"), "tool_use", "tool_result", "text"]


@pytest.mark.parametrize("how", ["unknown", "deleted", "expired", "session deleted"])
async def test_what_is_not_there_is_not_gone_on_from(how: str, autojump_clock: MockClock) -> None:
    wall = [NOW]
    async with serving(*HELLO, now=lambda: wall[0], session_expiry=10.0) as server:
        first = (await created(server))["id"] if how != "unknown" else "resp_unknown"
        if how == "deleted":
            await server.ask(delete(f"{RESPONSES}/{first}"))
        elif how == "session deleted":
            [session] = (await server.ask(get("/v1/sessions"))).json["data"]
            await server.ask(delete(f"/v1/sessions/{session['id']}"))
        wall[0] += 11.0 if how == "expired" else 0.0
        for stored in (True, False):
            reply = await server.ask(asked("Two", previous_response_id=first, store=stored))
            refused(reply, 400, "previous_response_not_found", "previous_response_id")
        refused(await server.ask(get(f"{RESPONSES}/{first}")), 404, "response_not_found")


async def test_an_answer_that_its_client_left_is_not_stored_and_what_was_before_is_gone_on_from(
    autojump_clock: MockClock,
) -> None:
    async with serving(*HELLO) as server:
        first = await created(server, "One")
        server.backend.said = (start(), text("Hel"), text("lo"), 1000.0)
        for fields in ({}, {"previous_response_id": first["id"]}):
            client = await server.connect()
            await client.send(asked("Left", stream=True, **fields))
            await client.head()
            await trio.sleep(10)
            await client.leave()
            await server.backend.all_left.wait()
        await trio.sleep(1)
        server.backend.said = HELLO
        await created(server, "Two", previous_response_id=first["id"])
        [used] = (await server.ask(get("/v1/usage?group_by="))).json["data"]
        assert heard(server) == ["One", "Hello", "Two"]
        assert (await sessions(server), used["requests"], used["completed"]) == ([4], 4, 2)


# Sessions and conversations by name


async def test_a_named_session_is_gone_on_from_by_its_name_and_by_its_responses(autojump_clock: MockClock) -> None:
    async with serving(*HELLO) as server:
        await server.ask(posted(CHAT, chat(user("One")), named("s")))
        second = await server.ask(asked("Two", named("s")))
        await created(server, "Three", previous_response_id=second.json["id"])
        await created(server, "Four", conversation="s")
        await created(server, "Five", conversation={"id": "s"}, store=False)
        assert heard(server) == ["One", "Hello", "Two", "Hello", "Three", "Hello", "Four", "Hello", "Five"]
        assert await sessions(server) == [10]
        # Somebody named it: it is not only there for what is stored in it.
        await server.ask(delete(f"{RESPONSES}/{second.json['id']}"))
        assert await sessions(server) == [10]
    assert second.headers[SESSION_HEADER] == "s"


async def test_a_session_that_was_there_for_its_responses_stays_once_it_was_named(autojump_clock: MockClock) -> None:
    async with serving(*HELLO) as server:
        first = await created(server, "One")
        [session] = (await server.ask(get("/v1/sessions"))).json["data"]
        second = await created(server, "Two", named(session["id"]))
        for each in (first, second):
            assert (await server.ask(delete(f"{RESPONSES}/{each['id']}"))).status == 200
        assert await sessions(server) == [4]


NAMED_TWICE: dict[str, tuple[Any, list[str], int, str, str]] = {
    "an unknown conversation": ({"conversation": "c"}, [], 404, "conversation_not_found", "conversation"),
    "a conversation that is no name": ({"conversation": "a/b"}, [], 404, "conversation_not_found", "conversation"),
    "a response and a conversation": (
        {"previous_response_id": "resp_1", "conversation": "s"},
        [],
        400,
        "mutually_exclusive_parameters",
        "previous_response_id",
    ),
    "a response and a session": (
        {"previous_response_id": "resp_1"},
        [named("s")],
        400,
        "mutually_exclusive_parameters",
        "previous_response_id",
    ),
    "a conversation and another session": (
        {"conversation": "s"},
        [named("t")],
        400,
        "mutually_exclusive_parameters",
        "conversation",
    ),
}


@pytest.mark.parametrize(("fields", "headers", "status", "code", "param"), NAMED_TWICE.values(), ids=NAMED_TWICE)
async def test_what_a_request_goes_on_from_is_one_thing_that_is_there(
    fields: Any, headers: list[str], status: int, code: str, param: str, autojump_clock: MockClock
) -> None:
    async with serving(*HELLO) as server:
        await created(server, "One", named("s"))
        refused(await server.ask(asked("Two", *headers, **fields)), status, code, param)
        assert (await sessions(server), server.backend.opened) == ([2], 1)


async def test_a_conversation_and_the_session_of_its_name_are_one(autojump_clock: MockClock) -> None:
    async with serving(*HELLO) as server:
        await created(server, "One", named("s"))
        assert (await server.ask(asked("Two", named("s"), conversation="s"))).status == 200
        assert await sessions(server) == [4]


async def test_items_that_are_referred_to_count_as_a_body_would(autojump_clock: MockClock) -> None:
    """One of a few bytes in the request stands for all that is in its item."""
    async with serving(*HELLO, body_limit=10_000) as server:
        first = await created(server, [user("x" * 3000)])
        item = f"msg_{first['id'].removeprefix('resp_')}_in0"
        references = [{"type": "item_reference", "id": item}]
        await created(server, references * 3)
        reply = await server.ask(asked(references * 4))
        refused(reply, 413, None, "input")
        assert server.backend.opened == 2


# Deleting


def files_in(directory: Path) -> bytes:
    return b"".join(path.read_bytes() for path in directory.iterdir())


async def test_deleting_leaves_what_the_others_need_and_nothing_else(tmp_path: Path, autojump_clock: MockClock) -> None:
    """The last of three goes with its turns, the first leaves them to the second, and with that one goes all."""

    def texts() -> list[str]:
        content = files_in(tmp_path)
        return [word for word in ("CANARY-1", "CANARY-2", "CANARY-3") if word.encode() in content]

    async with open_database(tmp_path / "cca.db", inline) as database, serving(*HELLO, database=database) as server:
        ids = [None]
        for word in ("CANARY-1", "CANARY-2", "CANARY-3"):
            ids.append((await created(server, word, previous_response_id=ids[-1]))["id"])
        assert (texts(), await sessions(server)) == (["CANARY-1", "CANARY-2", "CANARY-3"], [6])
        reply = await server.ask(delete(f"{RESPONSES}/{ids[3]}"))
        assert reply.json == {"id": ids[3], "object": "response", "deleted": True}
        assert (texts(), await sessions(server)) == (["CANARY-1", "CANARY-2"], [4])
        await server.ask(delete(f"{RESPONSES}/{ids[1]}"))
        assert (texts(), await sessions(server)) == (["CANARY-1", "CANARY-2"], [4])
        await created(server, "Again", previous_response_id=ids[2], store=False)
        assert heard(server) == ["CANARY-1", "Hello", "CANARY-2", "Hello", "Again"]
        await server.ask(delete(f"{RESPONSES}/{ids[2]}"))
        assert (texts(), await sessions(server)) == ([], [])
        refused(await server.ask(delete(f"{RESPONSES}/{ids[2]}")), 404, "response_not_found")


async def test_what_a_developer_said_goes_with_the_response_that_it_was_said_for(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with open_database(tmp_path / "cca.db", inline) as database, serving(*HELLO, database=database) as server:
        first = await created(server, [{"role": "developer", "content": "A"}, user("One")])
        told = [{"role": "developer", "content": "CANARY"}, user("Two")]
        second = await created(server, told, previous_response_id=first["id"])
        await server.ask(delete(f"{RESPONSES}/{second['id']}"))
        assert b"CANARY" not in files_in(tmp_path)
        await created(server, "Three", previous_response_id=first["id"])
        assert await sessions(server) == [4]
    assert server.backend.conversations[-1].system == ("A",)


async def test_an_instruction_that_a_conversation_was_given_later_is_not_heard_from_before_it(
    autojump_clock: MockClock,
) -> None:
    async with serving(*HELLO) as server:
        conversation = (await server.ask(posted("/v1/conversations", {}))).json["id"]
        first = await created(server, "One", conversation=conversation)
        items = {"items": [{"role": "developer", "content": "A"}]}
        await server.ask(posted(f"/v1/conversations/{conversation}/items", items))
        await created(server, "Two", previous_response_id=first["id"])
        await created(server, "Three", conversation=conversation)
    assert [each.system for each in server.backend.conversations[1:]] == [(), ("A",)]


async def test_a_response_that_is_deleted_while_it_is_gone_on_from_is_not_brought_back(
    autojump_clock: MockClock,
) -> None:
    async with serving(*HELLO) as server:
        first = await created(server, "One")
        server.backend.said = (start(), text("Hello"), 10.0, stop())
        replies: list[Reply] = []

        async def go_on(said: str) -> None:
            replies.append(await server.ask(asked(said, previous_response_id=first["id"])))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(go_on, "Two")
            nursery.start_soon(go_on, "Three")
            await trio.sleep(5)
            await server.ask(delete(f"{RESPONSES}/{first['id']}"))
        for reply in replies:
            refused(reply, 409, "session_changed")
        assert await sessions(server) == []


# The other routes


async def test_the_input_is_listed_in_pages_the_last_first(autojump_clock: MockClock) -> None:
    said = [user("A"), {"type": "message", "role": "user", "content": "B", "id": "msg_mine"}, user("C")]
    async with serving(*HELLO) as server:
        path = f"{RESPONSES}/{(await created(server, said))['id']}/input_items"
        whole = (await server.ask(get(path))).json
        first = (await server.ask(get(f"{path}?limit=2&order=asc&include[]=x"))).json
        second = (await server.ask(get(f"{path}?limit=2&order=asc&after={first['last_id']}"))).json
        bad = [await server.ask(get(f"{path}?{query}")) for query in ("after=x", "order=up", "limit=0")]
    assert [each["content"][0]["text"] for each in whole["data"]] == ["C", "B", "A"]
    assert (whole["object"], whole["has_more"]) == ("list", False)
    assert (first["data"] + second["data"])[::-1] == whole["data"]
    assert (first["has_more"], first["last_id"], second["has_more"]) == (True, "msg_mine", False)
    assert [(each.status, each.error["param"]) for each in bad] == [(400, "after"), (400, "order"), (400, "limit")]


async def test_what_is_complete_is_neither_cancelled_nor_streamed_again(autojump_clock: MockClock) -> None:
    async with serving(*HELLO) as server:
        path = f"{RESPONSES}/{(await created(server))['id']}"
        refused(await server.ask(raw("POST", f"{path}/cancel", HOST)), 400, "invalid_value")
        refused(await server.ask(raw("POST", f"{RESPONSES}/resp_x/cancel", HOST)), 404, "response_not_found")
        refused(await server.ask(get(f"{path}?stream=true")), 400, "unsupported_value", "stream")
        assert (await server.ask(get(f"{path}?stream=false&include[]=x"))).status == 200


async def test_an_item_of_a_stored_response_is_named_by_its_id(autojump_clock: MockClock) -> None:
    async with serving(*HELLO) as server:
        first = await created(server, "One")
        [item] = (await server.ask(get(f"{RESPONSES}/{first['id']}/input_items"))).json["data"]
        names = [{"type": "item_reference", "id": each} for each in (item["id"], first["output"][0]["id"])]
        await created(server, [*names, user("Two")], store=False)
        assert heard(server) == ["One", "Hello", "Two"]
        for unknown in ("msg_x", "msg_unknown_0", f"{item['id']}9"):
            reply = await server.ask(asked([{"type": "item_reference", "id": unknown}, user("Two")]))
            refused(reply, 400, "invalid_value", "input[0].id")
