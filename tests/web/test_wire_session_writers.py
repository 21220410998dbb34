"""Several who write one session, or what was one: each answer goes where it belongs, and none over another's."""

import json
from typing import Any

import pytest
import trio
from claude_says import HELLO, start, stop, text
from trio.testing import MockClock
from wire_harness import HOST, JSON, Client, Server, chat, get, post, raw, serving, user

from cca.web.sessions import SESSION_HEADER

SLOW = (start(), text("Slow"), 10.0, stop())


def asked(session: str, *messages: Any) -> bytes:
    return post(chat(*messages), f"{SESSION_HEADER}: {session}")


def sent(method: str, path: str, body: Any) -> bytes:
    content = json.dumps(body).encode()
    return raw(method, path, HOST, JSON, f"Content-Length: {len(content)}", body=content)


def system(said: str) -> Any:
    return {"role": "system", "content": said}


async def slowly(server: Server, session: str, *messages: Any) -> Client:
    """Ask for an answer that is under way when this returns."""
    server.backend.said = SLOW
    client = await server.connect()
    await client.send(asked(session, *messages))
    await trio.sleep(5)
    server.backend.said = HELLO
    return client


async def texts(server: Server, session: str) -> list[str]:
    turns = (await server.ask(get(f"/v1/sessions/{session}/turns"))).json["data"]
    return [turn["content"][0]["text"] for turn in turns]


@pytest.mark.parametrize("again", ["s", "u"], ids=["the same name", "another name"])
async def test_an_answer_to_a_deleted_session_is_in_none_that_was_made_since(
    again: str, autojump_clock: MockClock
) -> None:
    """Though it is as long, and has the number of the deleted one, as SQLite gives it again."""
    now = [1_700_000_000.0]
    async with serving(*HELLO, now=lambda: now[0]) as server:
        for name in ("t", "s"):
            await server.ask(asked(name, user("One")))
        client = await slowly(server, "s", user("Two"))
        await server.ask(raw("DELETE", "/v1/sessions/s", HOST))
        now[0] += 1
        assert (await server.ask(sent("POST", "/v1/sessions/t/fork", {"id": again}))).status == 200
        reply = await client.reply()
        found = await texts(server, again)
    assert (reply.status, reply.error["code"]) == (409, "session_changed")
    assert found == ["One", "Hello"]


async def test_a_title_that_is_set_while_the_system_prompt_changes_stays(autojump_clock: MockClock) -> None:
    async with serving(*HELLO) as server:
        await server.ask(asked("s", system("A"), user("One")))
        client = await slowly(server, "s", system("B"), user("Two"))
        await server.ask(sent("PATCH", "/v1/sessions/s", {"title": "Set"}))
        await client.reply()
        await server.ask(asked("s", user("Three")))
        shown = (await server.ask(get("/v1/sessions/s"))).json
    assert (shown["title"], shown["turns"]) == ("Set", 6)
    assert [each.system for each in server.backend.conversations] == [("A",), ("B",), ("B",)]
