"""Conversations: made, said something in, answered in, and deleted. They are sessions of another name."""

from pathlib import Path
from typing import Any

import pytest
import trio
from claude_says import HELLO, arguments, redacted_thinking, start, stop, text, thinking, tool
from test_wire_keys import bearer, desk_of
from test_wire_stored_responses import asked, created, delete, heard, named, refused
from trio.testing import MockClock
from wire_harness import NOW, Reply, Server, chat, get, inline, post, posted, raw, serving, user

from cca.model import AssistantTurn, Text, UserTurn
from cca.store import sessions
from cca.store.database import open_database

CONVERSATIONS = "/v1/conversations"


async def made(server: Server, *items: Any, **fields: Any) -> Any:
    reply = await server.ask(posted(CONVERSATIONS, {"items": list(items), **fields}))
    assert reply.status == 200, reply
    return reply.json


async def items_of(server: Server, conversation: str, query: str = "?order=asc") -> Any:
    reply = await server.ask(get(f"{CONVERSATIONS}/{conversation}/items{query}"))
    assert reply.status == 200, reply
    return reply.json["data"]


def developer(said: str) -> Any:
    return {"type": "message", "role": "developer", "content": said}


async def test_a_conversation_is_made_read_noted_and_deleted(autojump_clock: MockClock) -> None:
    async with serving(*HELLO) as server:
        new = await made(server, metadata={"a": "b"})
        path = f"{CONVERSATIONS}/{new['id']}"
        assert (await server.ask(get(path))).json == new
        changed = await server.ask(posted(path, {"metadata": {"c": "d"}}))
        assert changed.json == (await server.ask(get(path))).json == {**new, "metadata": {"c": "d"}}
        gone = await server.ask(delete(path))
        assert gone.json == {"id": new["id"], "object": "conversation.deleted", "deleted": True}
        refused(await server.ask(get(path)), 404, "conversation_not_found")
    created_at, object_ = int(NOW), "conversation"
    assert new == {"id": "conv_id2", "object": object_, "created_at": created_at, "metadata": {"a": "b"}}


async def test_without_a_body_it_is_empty(autojump_clock: MockClock) -> None:
    async with serving(*HELLO) as server:
        new = (await server.ask(raw("POST", CONVERSATIONS, "Host: 127.0.0.1:8000"))).json
        assert (new["metadata"], await items_of(server, new["id"])) == ({}, [])
        await created(server, "One", conversation=new["id"])
        assert heard(server) == ["One"]


async def test_a_response_goes_on_from_what_is_in_a_conversation_and_is_in_it_then(autojump_clock: MockClock) -> None:
    async with serving(*HELLO) as server:
        new = await made(server, developer("A"), user("One"), {"role": "assistant", "content": "Two"})
        added = await server.ask(
            posted(f"{CONVERSATIONS}/{new['id']}/items", {"items": [user("Three"), developer("B"), user("Four")]})
        )
        told = await created(server, [developer("C"), user("Five")], conversation=new["id"], instructions="I")
        items = await items_of(server, new["id"])
    last = server.backend.conversations[-1]
    assert last.system == ("I", "A", "B", "C")
    assert last.turns == (
        UserTurn((Text("One"),)),
        AssistantTurn((Text("Two"),)),
        UserTurn((Text("Three"), Text("Four"), Text("Five"))),
    )
    shown = [(each["role"], each["content"][0]["text"]) for each in items]
    assert shown == [
        *(("system", "A"), ("system", "B"), ("system", "C")),
        *(("user", "One"), ("assistant", "Two"), ("user", "Three"), ("user", "Four"), ("user", "Five")),
        ("assistant", "Hello"),
    ]
    assert [each["content"][0]["text"] for each in added.json["data"]] == ["B", "Three", "Four"]
    assert {each["id"] for each in added.json["data"]} < {each["id"] for each in items}
    assert len({each["id"] for each in items}) == len(items)
    assert told["conversation"] == {"id": new["id"]}


async def test_an_assistant_may_begin(autojump_clock: MockClock) -> None:
    """A conversation with Claude begins with a user's turn."""
    async with serving(*HELLO) as server:
        new = await made(server, {"role": "assistant", "content": "Welcome."})
        await created(server, "One", conversation=new["id"])
    assert [type(turn) for turn in server.backend.conversations[-1].turns] == [UserTurn, AssistantTurn, UserTurn]


async def test_an_assistant_begins_with_nobody_before_it_in_what_is_kept(autojump_clock: MockClock) -> None:
    said = [{"role": "assistant", "content": "Welcome."}, user("One")]
    async with serving(*HELLO) as server:
        new = await made(server)
        await created(server, said, conversation=new["id"])
        shown = [each["content"][0]["text"] for each in await items_of(server, new["id"])]
    assert heard(server) == ["(no content)", "Welcome.", "One"]
    assert shown == ["Welcome.", "One", "Hello"]


async def test_an_output_of_no_call_is_not_put_into_a_conversation(autojump_clock: MockClock) -> None:
    """Whatever came after it would be refused, too."""
    output = {"type": "function_call_output", "call_id": "c", "output": "1"}
    call = {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}
    async with serving(*HELLO) as server:
        new = await made(server, user("One"))
        path = f"{CONVERSATIONS}/{new['id']}/items"
        refused(await server.ask(posted(path, {"items": [output]})), 400, "invalid_value", "items[0]")
        refused(await server.ask(posted(CONVERSATIONS, {"items": [output]})), 400, "invalid_value", "items[0]")
        for items in ([call], [output, user("Two")]):
            assert (await server.ask(posted(path, {"items": items}))).status == 200
        await created(server, "Three", conversation=new["id"])


async def test_what_has_no_effect_in_an_item_is_named(autojump_clock: MockClock) -> None:
    odd = {"items": [{**user("One"), "mood": "good"}]}
    async with serving(*HELLO) as server:
        new = await server.ask(posted(CONVERSATIONS, odd))
        more = await server.ask(posted(f"{CONVERSATIONS}/{new.json['id']}/items", odd))
    assert [each.headers["x-cca-ignored"] for each in (new, more)] == ["items.mood"] * 2


async def test_calls_thoughts_and_outputs_are_items(autojump_clock: MockClock) -> None:
    thoughts = (thinking("Hm.", "c2ln"), thinking("", "bm8="), redacted_thinking("eA=="))
    calling = (start(), *thoughts, text("So:"), tool("call_1", "f"), arguments('{"a":1}'), stop("tool_use"))
    function = {"type": "function", "name": "f", "parameters": {"type": "object", "properties": {}}}
    image = {"type": "input_image", "image_url": "https://example.org/a.png"}
    async with serving(*calling, staying=0) as server:
        new = await made(server)
        asking = {"conversation": new["id"], "tools": [function]}
        await created(server, [{"role": "user", "content": [{"type": "input_text", "text": "One"}, image]}], **asking)
        server.backend.said = HELLO
        output = {"type": "function_call_output", "call_id": "call_1", "output": "42"}
        await created(server, [output, user("Go on")], **asking)
        items = await items_of(server, new["id"])
        for item in items:
            assert (await server.ask(get(f"{CONVERSATIONS}/{new['id']}/items/{item['id']}"))).json == item
        none = await server.ask(get(f"{CONVERSATIONS}/{new['id']}/items/msg_none"))
    refused(none, 404, "item_not_found")
    assert [(each["type"], each.get("role")) for each in items] == [
        ("message", "user"),
        ("reasoning", None),
        ("message", "assistant"),
        ("function_call", None),
        ("function_call_output", None),
        ("message", "user"),
        ("message", "assistant"),
    ]
    assert items[0]["content"][1]["image_url"] == "https://example.org/a.png"
    assert (items[3]["call_id"], items[3]["name"], items[3]["arguments"]) == ("call_1", "f", '{"a":1}')
    assert (items[4]["call_id"], items[4]["output"]) == ("call_1", [{"type": "input_text", "text": "42"}])


async def test_items_are_listed_in_pages_the_last_first(autojump_clock: MockClock) -> None:
    async with serving(*HELLO) as server:
        new = await made(server, *(user(each) for each in "ABC"))
        path = f"{CONVERSATIONS}/{new['id']}/items"
        first = (await server.ask(get(f"{path}?limit=2"))).json
        second = (await server.ask(get(f"{path}?limit=2&after={first['last_id']}"))).json
    texts = [each["content"][0]["text"] for page in (first, second) for each in page["data"]]
    assert (texts, first["has_more"], second["has_more"]) == (["C", "B", "A"], True, False)


@pytest.mark.parametrize("order", ["asc", "desc"])
async def test_no_item_is_left_out_between_pages(order: str, autojump_clock: MockClock) -> None:
    """Of more turns than are read at once, and messages of the developer's before them."""
    async with serving(*HELLO) as server:
        new = await made(server, developer("A"), developer("B"), *(user(str(each)) for each in range(18)))
        path = f"{CONVERSATIONS}/{new['id']}/items"
        await server.ask(posted(path, {"items": [user(str(each)) for each in range(18, 30)]}))
        found: list[str] = []
        after: str | None = ""
        while after is not None:
            page = (await server.ask(get(f"{path}?limit=7&order={order}{after}"))).json
            found += [each["content"][0]["text"] for each in page["data"]]
            after = f"&after={page['last_id']}" if page["has_more"] else None
        nowhere = await server.ask(get(f"{path}?after=msg_none"))
    assert found[:: 1 if order == "asc" else -1] == ["A", "B", *map(str, range(30))]
    refused(nowhere, 400, None, "after")


async def test_a_page_reads_the_turns_that_are_on_it(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[int] = []
    turns = sessions.turns

    def counted(*arguments: Any) -> Any:
        found = turns(*arguments)
        read.append(len(found))
        return found

    async with serving(*HELLO) as server:
        new = await made(server, *(user(str(each)) for each in range(20)))
        path = f"{CONVERSATIONS}/{new['id']}/items"
        for _ in range(3):
            await server.ask(posted(path, {"items": [user("More")] * 20}))
        monkeypatch.setattr(sessions, "turns", counted)
        await server.ask(get(f"{path}?limit=10"))
    assert read == [20]


async def test_items_that_are_added_while_an_answer_is_made_come_after_it(autojump_clock: MockClock) -> None:
    async with serving(start(), text("Hello"), 10.0, stop()) as server:
        new = await made(server, user("One"))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(created, server, "Two", named(new["id"]))
            await trio.sleep(5)
            added = await server.ask(posted(f"{CONVERSATIONS}/{new['id']}/items", {"items": [user("Three")]}))
        assert added.status == 200
        texts = [each["content"][0]["text"] for each in await items_of(server, new["id"])]
    assert texts == ["One", "Two", "Hello", "Three"]


async def test_a_session_is_a_conversation(autojump_clock: MockClock) -> None:
    async with serving(*HELLO) as server:
        await server.ask(post(chat(), named("s")))
        shown = (await server.ask(get(f"{CONVERSATIONS}/s"))).json
        texts = [each["content"][0]["text"] for each in await items_of(server, "s")]
    assert (shown["id"], shown["metadata"], texts) == ("s", {}, ["Hello", "Hello"])


async def test_deleting_leaves_nothing_in_the_file(tmp_path: Path, autojump_clock: MockClock) -> None:
    def files() -> bytes:
        return b"".join(path.read_bytes() for path in tmp_path.iterdir())

    async with open_database(tmp_path / "cca.db", inline) as database, serving(*HELLO, database=database) as server:
        new = await made(server, developer("CANARY"), user("CANARY"), metadata={"a": "CANARY"})
        told = await created(server, "CANARY", conversation=new["id"])
        assert b"CANARY" in files()
        await server.ask(delete(f"{CONVERSATIONS}/{new['id']}"))
        assert b"CANARY" not in files()
        refused(await server.ask(get(f"/v1/responses/{told['id']}")), 404, "response_not_found")
        refused(await server.ask(asked("Two", conversation=new["id"])), 404, "conversation_not_found", "conversation")


NO_ARRAYS: tuple[Any, ...] = ({}, 0, "", False)

BAD: dict[str, tuple[str, Any, int, str | None]] = {
    "no items": ("", {"items": [{"type": "computer_call"}]}, 400, "items[0].type"),
    "no array": ("", {"items": "One"}, 400, "items"),
    **{f"{said} for items": ("", {"items": said}, 400, "items") for said in NO_ARRAYS},
    "too many items": ("/s/items", {"items": [user("One")] * 21}, 400, "items"),
    "metadata that is none": ("", {"metadata": 1}, 400, "metadata"),
    "something else": ("", {"name": "x"}, 400, "name"),
    "an image of the assistant's": (
        "",
        {"items": [{"role": "assistant", "content": [{"type": "input_image", "image_url": "https://a/b"}]}]},
        400,
        "items[0].content[0]",
    ),
    "items of nobody": ("/none/items", {"items": [user("One")]}, 404, "conversation"),
    "no items to add": ("/s/items", {}, 400, "items"),
    "no metadata": ("/s", {}, 400, "metadata"),
    "notes of nobody": ("/none", {"metadata": {}}, 404, None),
}


@pytest.mark.parametrize(("path", "body", "status", "param"), BAD.values(), ids=BAD)
async def test_what_cannot_be_is_refused_and_changes_nothing(
    path: str, body: Any, status: int, param: str | None, autojump_clock: MockClock
) -> None:
    async with serving(*HELLO) as server:
        await server.ask(post(chat(), named("s")))
        before = (await server.ask(get("/v1/sessions"))).json
        reply: Reply = await server.ask(posted(f"{CONVERSATIONS}{path}", body))
        assert (reply.status, reply.error["param"]) == (status, param)
        assert (await server.ask(get("/v1/sessions"))).json == before


async def test_each_owner_has_their_own(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with desk_of(tmp_path, *HELLO) as desk:
        ann, bob = await desk.make("ann"), await desk.make("bob")
        ask = desk.server.ask
        new = (await ask(posted(CONVERSATIONS, {"items": [user("One")]}, bearer(ann)))).json
        path = f"{CONVERSATIONS}/{new['id']}"
        shown = bearer(bob)
        for request in (
            get(path, shown),
            get(f"{path}/items", shown),
            posted(path, {"metadata": {}}, shown),
            posted(f"{path}/items", {"items": [user("Two")]}, shown),
            asked("Two", shown, conversation=new["id"]),
            raw("DELETE", path, "Host: 127.0.0.1:8000", shown),
        ):
            assert (await ask(request)).status == 404
        assert len((await ask(get(f"{path}/items", bearer(ann)))).json["data"]) == 1
