"""Chat completions that are stored: listed, read, changed, deleted, each by the one whose it is."""

from pathlib import Path
from typing import Any

import pytest
from claude_says import HELLO, MODEL, api_error, start, stop, text
from test_wire_keys import bearer, desk_of
from trio.testing import MockClock
from wire_harness import (
    CHAT,
    HOST,
    NOW,
    FakeBackend,
    Server,
    chat,
    get,
    inline,
    post,
    posted,
    raw,
    serving,
    streamed,
    user,
)

from cca.store import stored as stored_room
from cca.store.database import Connection, open_database
from cca.web import completions


async def stored(server: Server, said: str = "One", **fields: Any) -> Any:
    reply = await server.ask(post(chat(user(said), store=True, **fields)))
    assert reply.status == 200, reply
    return reply.json


async def listed(server: Server, query: str = "") -> Any:
    reply = await server.ask(get(f"{CHAT}{query}"))
    assert reply.status == 200, reply
    return reply.json


def ids(page: Any) -> list[str]:
    return [each["id"] for each in page["data"]]


async def test_a_completion_is_there_as_it_was_told_with_its_metadata(autojump_clock: MockClock) -> None:
    async with serving(*HELLO) as server:
        told = await stored(server, metadata={"a": "b"})
        got = (await server.ask(get(f"{CHAT}/{told['id']}"))).json
        page = await listed(server)
    assert got == {**told, "metadata": {"a": "b"}}
    assert page == {
        "object": "list",
        "data": [got],
        "first_id": told["id"],
        "last_id": told["id"],
        "has_more": False,
    }


async def test_one_that_was_streamed_is_there_whole(autojump_clock: MockClock) -> None:
    async with serving(*HELLO) as server:
        told = await server.ask(post(streamed(store=True)))
        [kept] = (await listed(server))["data"]
    assert kept["id"] == told.events[0]["id"]
    assert kept["choices"][0]["message"]["content"] == "Hello"


async def test_only_what_is_to_be_stored_is(autojump_clock: MockClock) -> None:
    async with serving(*HELLO, keep=True) as server:
        for fields in ({}, {"store": False}, {"store": None}):
            await server.ask(post(chat(**fields)))
        assert (await listed(server))["data"] == []


@pytest.mark.parametrize(("settings", "sessions"), [({}, 1), ({"keep": True}, 3)], ids=["stored", "kept"])
async def test_all_choices_are_stored_as_one_and_gone_with_it(
    settings: Any, sessions: int, autojump_clock: MockClock
) -> None:
    """Where sessions are kept anyway, each choice has its own, and they stay."""
    async with serving(*HELLO, **settings) as server:
        told = await stored(server, n=3)
        [kept] = (await listed(server))["data"]
        before = (await server.ask(get("/v1/sessions"))).json["data"]
        await server.ask(raw("DELETE", f"{CHAT}/{told['id']}", HOST))
        after = (await server.ask(get("/v1/sessions"))).json["data"]
    assert [choice["index"] for choice in kept["choices"]] == [0, 1, 2]
    assert (len(before), len(after)) == (sessions, sessions if settings else 0)


@pytest.mark.parametrize(("settings", "sessions"), [({}, 0), ({"keep": True}, 2)], ids=["stored", "kept"])
async def test_choices_of_which_one_fails_are_not_stored(
    settings: Any, sessions: int, autojump_clock: MockClock
) -> None:
    failing = FakeBackend(each=((*HELLO[:3], stop()), (start(), text("Hel"), 5.0, api_error(500))))
    async with serving(backend=failing, **settings) as server:
        assert (await server.ask(post(chat(store=True, n=2)))).status == 500
        assert len((await server.ask(get("/v1/sessions"))).json["data"]) == sessions
        assert (await listed(server))["data"] == []


async def test_an_answer_cut_at_its_limit_is_an_answer(autojump_clock: MockClock) -> None:
    async with serving(start(), text("Hel"), stop("max_tokens")) as server:
        await stored(server, max_tokens=1)
        [kept] = (await listed(server))["data"]
    assert kept["choices"][0]["finish_reason"] == "length"


async def test_they_are_listed_in_pages_in_both_orders(autojump_clock: MockClock) -> None:
    wall = [NOW]
    async with serving(*HELLO, now=lambda: wall[0]) as server:
        told = []
        for number in range(5):
            # Two in each second: then they are in the order in which they came.
            wall[0] = NOW + number // 2
            told.append((await stored(server))["id"])
        for order, expected in (("", told), ("&order=asc", told), ("&order=desc", told[::-1])):
            pages, after = [], ""
            while True:
                page = await listed(server, f"?limit=2{order}{after}")
                pages.append(ids(page))
                after = f"&after={page['last_id']}"
                if not page["has_more"]:
                    break
            assert pages == [expected[:2], expected[2:4], expected[4:]]


FILTERS: dict[str, tuple[str, list[int]]] = {
    "one pair": ("metadata[a]=1", [0, 1]),
    "two pairs": ("metadata[a]=1&metadata[b]=2", [1]),
    "encoded": ("metadata%5Ba%5D=1", [0, 1]),
    "another value": ("metadata[a]=2", []),
    "the answer's model": (f"model={MODEL}", [0, 1, 2]),
    "an alias": ("model=haiku", [2]),
    "a name of another vendor's": ("model=gpt-4o", [0, 1]),
    "no model": ("model=none", []),
    "both": ("model=sonnet&metadata[b]=2", [1]),
}


@pytest.mark.parametrize(("query", "found"), FILTERS.values(), ids=FILTERS)
async def test_they_are_found_by_model_and_metadata(
    query: str, found: list[int], autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A filter looks through them in pieces.
    monkeypatch.setattr(completions, "PIECE", 2)
    async with serving(*HELLO) as server:
        told = [
            await stored(server, metadata={"a": "1"}),
            await stored(server, metadata={"a": "1", "b": "2"}),
            await stored(server, model="haiku"),
        ]
        assert ids(await listed(server, f"?{query}")) == [told[number]["id"] for number in found]


async def test_one_that_is_deleted_while_they_are_listed_is_not_there(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = completions._page

    def then_deleted(connection: Connection, **which: Any) -> Any:
        found = page(connection, **which)
        stored_room.remove(connection, found[0])
        return found

    async with serving(*HELLO) as server:
        told = [(await stored(server))["id"] for _ in range(2)]
        monkeypatch.setattr(completions, "_page", then_deleted)
        assert ids(await listed(server)) == told[1:]


async def test_metadata_is_changed_and_what_was_there_is_in_no_file(tmp_path: Path, autojump_clock: MockClock) -> None:
    def files() -> bytes:
        return b"".join(path.read_bytes() for path in tmp_path.iterdir())

    async with open_database(tmp_path / "cca.db", inline) as database, serving(*HELLO, database=database) as server:
        told = await stored(server, metadata={"a": "CANARY"})
        assert b"CANARY" in files()
        path = f"{CHAT}/{told['id']}"
        changed = (await server.ask(posted(path, {"metadata": {"b": "c"}}))).json
        assert b"CANARY" not in files()
        assert changed == (await server.ask(get(path))).json == {**told, "metadata": {"b": "c"}}
        assert (await server.ask(posted(path, {"metadata": None}))).json["metadata"] == {}


BAD: dict[str, tuple[Any, str | None]] = {
    "nothing": ({}, "metadata"),
    "a list": ({"metadata": []}, "metadata"),
    "a number": ({"metadata": {"a": 1}}, "metadata.a"),
    "17 pairs": ({"metadata": {str(number): "" for number in range(17)}}, "metadata"),
    "something else": ({"metadata": {}, "model": "x"}, "model"),
}


@pytest.mark.parametrize(("body", "param"), BAD.values(), ids=BAD)
async def test_a_bad_change_is_refused(body: Any, param: str, autojump_clock: MockClock) -> None:
    async with serving(*HELLO) as server:
        told = await stored(server, metadata={"a": "b"})
        reply = await server.ask(posted(f"{CHAT}/{told['id']}", body))
        assert (reply.status, reply.error["param"]) == (400, param)
        assert (await listed(server))["data"][0]["metadata"] == {"a": "b"}


async def test_the_messages_are_listed_as_they_were_sent(autojump_clock: MockClock) -> None:
    parts = [{"type": "text", "text": "T"}, {"type": "text", "text": "wo"}]
    call = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    messages = [
        {"role": "system", "content": "S"},
        user(parts),
        {"role": "assistant", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c1", "content": "3"},
    ]
    async with serving(*HELLO) as server:
        reply = await server.ask(post(chat(*messages, store=True)))
        path = f"{CHAT}/{reply.json['id']}/messages"
        whole = (await server.ask(get(path))).json
        page = (await server.ask(get(f"{path}?limit=1&order=desc"))).json
    shown = [(each["role"], each["content"], each["content_parts"]) for each in whole["data"]]
    assert shown == [
        ("system", "S", None),
        ("user", "Two", parts),
        ("assistant", None, None),
        ("tool", "3", None),
    ]
    assert whole["data"][2]["tool_calls"] == [call]
    assert whole["first_id"] == f"{reply.json['id']}-0"
    assert (page["data"], page["has_more"]) == (whole["data"][-1:], True)


async def test_each_owner_has_their_own(tmp_path: Path, autojump_clock: MockClock) -> None:
    """S-12: what is somebody else's is as what there is not."""
    async with desk_of(tmp_path, *HELLO) as desk:
        ann, bob = await desk.make("ann"), await desk.make("bob")
        ask = desk.server.ask
        completion = (await ask(post(chat(store=True), bearer(ann)))).json
        response = (await ask(posted("/v1/responses", {"model": "sonnet", "input": "One"}, bearer(ann)))).json
        reference = [{"type": "item_reference", "id": response["output"][0]["id"]}, user("Two")]
        asked: dict[str, tuple[str, str, Any, int]] = {
            "completion": ("GET", f"{CHAT}/{completion['id']}", None, 404),
            "messages": ("GET", f"{CHAT}/{completion['id']}/messages", None, 404),
            "after": ("GET", f"{CHAT}?after={completion['id']}", None, 404),
            "change": ("POST", f"{CHAT}/{completion['id']}", {"metadata": {}}, 404),
            "delete completion": ("DELETE", f"{CHAT}/{completion['id']}", None, 404),
            "response": ("GET", f"/v1/responses/{response['id']}", None, 404),
            "items": ("GET", f"/v1/responses/{response['id']}/input_items", None, 404),
            "cancel": ("POST", f"/v1/responses/{response['id']}/cancel", None, 404),
            "delete response": ("DELETE", f"/v1/responses/{response['id']}", None, 404),
            "previous": (
                "POST",
                "/v1/responses",
                {"model": "sonnet", "input": "x", "previous_response_id": response["id"]},
                400,
            ),
            "item": ("POST", "/v1/responses", {"model": "sonnet", "input": reference}, 400),
        }
        for what, (method, path, body, status) in asked.items():
            request = raw(method, path, HOST, bearer(bob)) if body is None else posted(path, body, bearer(bob))
            assert (await ask(request)).status == status, what
        assert (await ask(get(CHAT, bearer(bob)))).json["data"] == []
        assert ids((await ask(get(CHAT, bearer(ann)))).json) == [completion["id"]]
        assert (await ask(get(f"/v1/responses/{response['id']}", bearer(ann)))).status == 200
