"""What is another's is as what there is not: the same answer, to the byte, as to an id that nobody has.

S-11, S-12. Each row is asked three times: by bob for what is ann's, by bob for what is nobody's, and by ann.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import trio
from attrs import frozen
from claude_says import HELLO, start, stop, text
from messages_wire import COUNT
from test_wire_keys import Desk, bearer, desk_of
from trio.testing import MockClock
from wire_harness import CHAT, HOST, Reply, chat, get, posted, raw, user

from cca.model import AssistantTurn, Text, Turn, UserTurn
from cca.web.sessions import SESSION_HEADER
from outcomes import WAYS, Way

RESPONSES = "/v1/responses"
CONVERSATIONS = "/v1/conversations"
SESSION, MINE = "/v1/sessions/{session}", "/v1/sessions/mine"

OF_ANN, OF_BOB = "The treasure is under the oak.", "Where is the treasure?"


@frozen
class Row:
    """A request with the name of an id in it, and the status that the id's owner gets, and another."""

    method: str
    path: str
    body: Any = None
    owner: int = 200
    another: int = 404
    headers: tuple[str, ...] = ()

    def request(self, key: str, ids: Mapping[str, str]) -> bytes:
        headers = [bearer(key), *(each.format_map(ids) for each in self.headers)]
        path = self.path.format_map(ids)
        if self.body is None:
            return raw(self.method, path, HOST, *headers)
        return posted(path, _filled(self.body, ids), *headers).replace(b"POST", self.method.encode(), 1)


def _filled(body: Any, ids: Mapping[str, str]) -> Any:
    if isinstance(body, dict):
        return {name: _filled(each, ids) for name, each in body.items()}
    if isinstance(body, list):
        return [_filled(each, ids) for each in body]
    return body.format_map(ids) if isinstance(body, str) else body


def response(**fields: Any) -> dict[str, Any]:
    return {"model": "sonnet", "input": "x", "store": False, **fields}


CONVERSATION = f"{CONVERSATIONS}/{{conversation}}"
ITEM = [{"type": "item_reference", "id": "{item}"}, {"role": "user", "content": "x"}]
IN_SESSION = (f"{SESSION_HEADER}: {{session}}",)

ROWS: dict[str, Row] = {
    "a session": Row("GET", SESSION),
    "its turns": Row("GET", f"{SESSION}/turns"),
    "its turns after one": Row("GET", f"{SESSION}/turns?after={{turn}}"),
    "my turns after another's": Row("GET", f"{MINE}/turns?after={{turn}}", owner=400, another=400),
    "a change of a session": Row("PATCH", SESSION, {"title": "mine"}),
    "a fork": Row("POST", f"{SESSION}/fork", {"id": "fork"}),
    "sessions after one": Row("GET", "/v1/sessions?after={session}"),
    "a conversation": Row("GET", CONVERSATION),
    "its items": Row("GET", f"{CONVERSATION}/items"),
    "its item": Row("GET", f"{CONVERSATION}/items/{{said}}"),
    "a change of a conversation": Row("POST", CONVERSATION, {"metadata": {}}),
    "an item more": Row("POST", f"{CONVERSATION}/items", {"items": [user()]}),
    "a session as a conversation": Row("GET", f"{CONVERSATIONS}/{{session}}"),
    "a conversation as a session": Row("GET", "/v1/sessions/{conversation}"),
    "a response in a conversation": Row("POST", RESPONSES, response(conversation="{conversation}")),
    "a response": Row("GET", f"{RESPONSES}/{{response}}"),
    "its input": Row("GET", f"{RESPONSES}/{{response}}/input_items"),
    "its cancelling": Row("POST", f"{RESPONSES}/{{response}}/cancel", owner=400),
    "a response after one": Row("POST", RESPONSES, response(previous_response_id="{response}"), another=400),
    "a response to an item": Row("POST", RESPONSES, response(input=ITEM), another=400),
    "tokens after a response": Row(
        "POST", f"{RESPONSES}/input_tokens", response(previous_response_id="{response}"), another=400
    ),
    "tokens to an item": Row("POST", f"{RESPONSES}/input_tokens", response(input=ITEM), another=400),
    "tokens in a conversation": Row("POST", f"{RESPONSES}/input_tokens", response(conversation="{conversation}")),
    "tokens in a session": Row("POST", COUNT, chat(), another=200, headers=IN_SESSION),
    "tokens of a response in a session": Row(
        "POST", f"{RESPONSES}/input_tokens", response(), another=200, headers=IN_SESSION
    ),
    "a completion": Row("GET", f"{CHAT}/{{completion}}"),
    "its messages": Row("GET", f"{CHAT}/{{completion}}/messages"),
    "completions after one": Row("GET", f"{CHAT}?after={{completion}}"),
    "a change of a completion": Row("POST", f"{CHAT}/{{completion}}", {"metadata": {}}),
    "the deletion of a completion": Row("DELETE", f"{CHAT}/{{completion}}"),
    "the deletion of a response": Row("DELETE", f"{RESPONSES}/{{response}}"),
    "the deletion of a conversation": Row("DELETE", CONVERSATION),
    "the deletion of a session": Row("DELETE", SESSION),
    # An id is free for whoever does not have it yet: that another has it is not told, either.
    "a fork to an id": Row("POST", f"{MINE}/fork", {"id": "{session}"}, another=200),
}
"""They are asked in this order. The last one makes bob a session of an id that ann has, too."""

LISTS = ("/v1/sessions", CHAT)


async def belongings(desk: Desk, key: str) -> dict[str, str]:
    """Let ann make one of each, and return their ids."""
    shown = bearer(key)

    async def made(path: str, body: Any, *headers: str) -> Any:
        reply = await desk.server.ask(posted(path, body, shown, *headers))
        assert reply.status == 200, reply
        return reply.json

    for session in ("anns", "mine"):
        await made(CHAT, chat(user(OF_ANN)), f"{SESSION_HEADER}: {session}")
    conversation = (await made(CONVERSATIONS, {"items": [user("One")]}))["id"]
    answered = await made(RESPONSES, {"model": "sonnet", "input": "One"})
    turns = (await desk.server.ask(get("/v1/sessions/anns/turns", shown))).json
    items = (await desk.server.ask(get(f"{CONVERSATIONS}/{conversation}/items", shown))).json
    return {
        "session": "anns",
        "turn": turns["last_id"],
        "conversation": conversation,
        "said": items["last_id"],
        "response": answered["id"],
        "item": answered["output"][0]["id"],
        "completion": (await made(CHAT, chat(store=True)))["id"],
    }


def nobodys(ids: Mapping[str, str]) -> dict[str, str]:
    """Return ids of the same form that nobody has."""
    unknown = {name: f"{each}0000" for name, each in ids.items()}
    head, stem, number = ids["item"].split("_")
    return {**unknown, "item": f"{head}_{stem}0000_{number}"}


def told(reply: Reply, ids: Mapping[str, str]) -> Any:
    """Return all of a reply, but for the id that was asked for and for what names the request."""
    headers = {name: value for name, value in reply.headers.items() if "request-id" not in name and name != "date"}
    body = reply.body.replace(reply.headers["request-id"].encode(), b"(request)")
    for name, each in sorted(ids.items(), key=lambda pair: -len(pair[1])):
        body = body.replace(each.encode(), f"({name})".encode())
    return reply.status, body, {**headers, "content-length": len(body)}


async def test_what_is_anothers_is_as_what_there_is_not(tmp_path: Path, autojump_clock: MockClock) -> None:
    """And the owner has it all: no row is the same because it asks for nothing."""
    async with desk_of(tmp_path, *HELLO) as desk:
        ann, bob = await desk.make("ann"), await desk.make("bob")
        hers = await belongings(desk, ann)
        others = nobodys(hers)
        mine = await desk.server.ask(posted(CHAT, chat(), bearer(bob), f"{SESSION_HEADER}: mine"))
        assert mine.status == 200
        for what, row in ROWS.items():
            [anns, none] = [told(await desk.server.ask(row.request(bob, ids)), ids) for ids in (hers, others)]
            assert anns == none, what
            assert anns[0] == row.another, what
        for what, row in ROWS.items():
            assert (await desk.server.ask(row.request(ann, hers))).status == row.owner, what


async def test_a_list_has_what_is_ones_own(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with desk_of(tmp_path, *HELLO) as desk:
        ann, bob, carl = [await desk.make(name) for name in ("ann", "bob", "carl")]
        for key, session in ((ann, "anns"), (bob, "bobs")):
            body = chat(user(session), store=True)
            assert (
                await desk.server.ask(posted(CHAT, body, bearer(key), f"{SESSION_HEADER}: {session}"))
            ).status == 200
        listed = {
            key: [(await desk.server.ask(get(path, bearer(key)))).json["data"] for path in LISTS]
            for key in (ann, bob, carl)
        }
    [anns, bobs] = [[each["id"] for each in listed[key][0]] for key in (ann, bob)]
    assert (anns, bobs, listed[carl]) == (["anns"], ["bobs"], [[], []])
    [[hers], [his]] = [[each["id"] for each in listed[key][1]] for key in (ann, bob)]
    assert hers != his


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
async def test_a_session_of_the_same_name_is_another(way: Way, tmp_path: Path, autojump_clock: MockClock) -> None:
    """In each dialect: the model hears nothing of ann's from bob, and what he says is not in hers."""
    async with desk_of(tmp_path, *HELLO) as desk:
        ann, bob = await desk.make("ann"), await desk.make("bob")

        async def say(key: str, words: str) -> list[Turn]:
            request = posted(way.path, way.body(words, stream=False), bearer(key), f"{SESSION_HEADER}: same")
            assert (await desk.server.ask(request)).status == 200
            return [*desk.server.backend.conversations[-1].turns]

        async def kept(key: str) -> Any:
            return (await desk.server.ask(get("/v1/sessions/same/turns", bearer(key)))).json["data"]

        [first] = await say(ann, OF_ANN)
        before = await kept(ann)
        assert await say(bob, OF_BOB) == [UserTurn((Text(OF_BOB),))]
        assert await kept(ann) == before
        assert [turn["content"][0]["text"] for turn in await kept(bob)] == [OF_BOB, "Hello"]
        again = await say(ann, "And now?")
    assert first == UserTurn((Text(OF_ANN),))
    assert again == [first, AssistantTurn((Text("Hello"),)), UserTurn((Text("And now?"),))]


async def test_nobody_waits_for_a_session_of_the_same_name_of_anothers(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    """Or they would be told that there is one, and when it is used."""
    async with desk_of(tmp_path, start(), 100.0, text("Hello"), stop(), session_queue=0) as desk:
        ann, bob = await desk.make("ann"), await desk.make("bob")
        hers = await desk.server.connect()
        await hers.send(posted(CHAT, chat(), bearer(ann), f"{SESSION_HEADER}: same"))
        await trio.sleep(50)
        desk.server.backend.said = HELLO
        began = trio.current_time()
        request = posted(CHAT, chat(), bearer(bob), f"{SESSION_HEADER}: same")
        assert (await desk.server.ask(request)).status == 200
        assert trio.current_time() == began
        assert (await hers.reply()).status == 200
