"""What the log has of a served session: a line for each request, and of nobody's words or keys anything."""

import json
import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from io import StringIO
from typing import Any

import pytest
from attrs import define, evolve
from claude_says import HELLO, line, start, stop, text
from messages_wire import MESSAGES
from trio.testing import MockClock, wait_all_tasks_blocked
from wire_harness import CHAT, HOST, Client, Server, chat, get, posted, raw, serving, streamed, user

from cca.backends import Exit
from cca.backends.process import EndedAtStart
from cca.dialects import DIALECTS
from cca.dialects.contract import Dialect, Frame, StreamEncoder
from cca.logs import Entries, hidden
from cca.model import Told
from cca.settings import Settings
from cca.web import app

PROMPT = "Tell nobody that the treasure is under the oak"
ANSWER = "By the old oak it is, as you say"
KEY = "sk-cca-0001020304050607-abcdefghijklmnopqrstuvwxyz012345"
OTHERS = "sk-proj-abcdefghijklmnopqrstuvwxyz"
STDERR = "token=ghp_abcdefghijklmnopqrstuvwxyz0123456789"

BODY = chat(user(f"{PROMPT} {OTHERS}"), model="haiku")
AUTHORIZED = (HOST, f"Authorization: Bearer {KEY}")
SAYING = (start(), text(ANSWER), stop())

BODIES: dict[str, dict[str, Any]] = {
    CHAT: {"messages": [user(PROMPT)]},
    "/v1/completions": {"prompt": PROMPT},
    "/v1/responses": {"input": PROMPT, "store": False},
    MESSAGES: {"messages": [user(PROMPT)], "max_tokens": 9},
}


@contextmanager
def heard(level: str, **how: Any) -> Iterator[StringIO]:
    """Own what is logged in here from ``level`` on, as the log's sink writes it."""
    written = StringIO()
    handler = logging.StreamHandler(written)
    handler.setFormatter(Entries(hidden({}), **how))
    root, ours = logging.getLogger(), logging.getLogger("cca")
    before = ours.level
    root.addHandler(handler)
    ours.setLevel(level.upper())
    try:
        yield written
    finally:
        root.removeHandler(handler)
        ours.setLevel(before)


async def ask(server: Server, path: str, body: Any = BODY) -> int:
    return (await server.ask(posted(path, body, *AUTHORIZED[1:]))).status


async def leave(server: Server) -> None:
    client: Client = await server.connect()
    await client.send(posted(CHAT, streamed(user(PROMPT)), *AUTHORIZED[1:]))
    await client.head()
    await client.leave()
    await server.backend.all_left.wait()


SAID: dict[str, tuple[Any, ...]] = {
    "an answer": SAYING,
    "a fault": (RuntimeError(f"{PROMPT} {KEY}"),),
    "a fault in the midst": (*SAYING[:2], KeyError(f"{PROMPT} {KEY}")),
    "a death": (*SAYING[:2], Exit(1, f"{PROMPT} {STDERR}")),
    "no words of Claude Code's": (f"{PROMPT} {KEY}\n".encode(),),
    "an odd line": (line({"type": "stream_event", "event": {"type": "message_delta", "x": PROMPT}}),),
    "a failure of its own": (line({"type": "result", "is_error": True, "result": f"{PROMPT} {KEY}"}),),
}


def broken(*_: Any) -> Any:
    raise ValueError(f"{PROMPT} {KEY}")


@define
class BreakingEncoder:
    """Breaks after the first event that says something."""

    encoder: StreamEncoder
    broken: bool = False

    def encode(self, told: Told) -> Iterable[Frame]:
        if self.broken:
            broken()
        frames = [*self.encoder.encode(told)]
        self.broken = frames != []
        return frames


FAULTS: dict[str, tuple[Callable[[Dialect], Dialect], str]] = {
    "in a body's decoding": (
        lambda dialect: evolve(dialect, decode=broken),
        "A fault in cca refused a request.",
    ),
    "in a stream's encoding": (
        lambda dialect: evolve(dialect, stream=lambda *given: BreakingEncoder(dialect.stream(*given))),
        "A fault in cca cut an answer.",
    ),
}
"""A fault of cca's own, whose words are a client's, and what is logged of it."""

LEVELS = ("debug", "info", "warning", "error")


@pytest.mark.parametrize("as_json", [False, True], ids=["text", "json"])
@pytest.mark.parametrize("level", LEVELS)
async def test_no_level_tells_what_was_said_or_with_which_key(
    level: str,
    as_json: bool,  # noqa: FBT001
    autojump_clock: MockClock,
) -> None:
    """S-63: over answers, faults, deaths, refusals, and clients that leave."""
    with heard(level, as_json=as_json) as written:
        for said in SAID.values():
            async with serving(*said) as server:
                for path in (CHAT, MESSAGES):
                    await ask(server, path, BODY | {"max_tokens": 9})
                    await ask(server, path, BODY | {"max_tokens": 9, "stream": True})
        async with serving(start(), text(ANSWER), 9.0, *HELLO) as server:
            await leave(server)
            assert await ask(server, CHAT, {"messages": PROMPT, "model": f"{PROMPT} {KEY}"}) == 400
            assert await ask(server, f"/v1/{KEY}?key={KEY}") == 404
            assert (await server.ask(get(f"/v1/sessions/{KEY}", *AUTHORIZED[1:]))).status == 404
            plain = raw("POST", CHAT, *AUTHORIZED, f"Content-Length: {len(PROMPT)}", body=PROMPT.encode())
            assert (await server.ask(plain)).status == 415
            server.backend.fault = EndedAtStart("Claude Code ended at its start (exit code 7).", wrote=STDERR)
            reply = await server.ask(posted(CHAT, BODY))
            assert (reply.status, reply.error["message"]) == (503, "Claude Code ended at its start (exit code 7).")
    told = written.getvalue()
    hold_nothing_secret(told)
    entries = told.splitlines()
    assert entries or level == "error"
    assert all(entry.isprintable() for entry in entries)
    if as_json:
        assert {json.loads(entry)["level"] for entry in entries} <= set(LEVELS[LEVELS.index(level) :])


def hold_nothing_secret(told: str) -> None:
    for secret in (PROMPT, ANSWER, KEY, OTHERS, STDERR.partition("=")[2]):
        assert secret not in told


@pytest.mark.parametrize("as_json", [False, True], ids=["text", "json"])
@pytest.mark.parametrize(("breaking", "message"), FAULTS.values(), ids=FAULTS)
async def test_a_fault_of_cca_tells_nobodys_words(
    breaking: Callable[[Dialect], Dialect],
    message: str,
    as_json: bool,  # noqa: FBT001
    autojump_clock: MockClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """S-63: its place and its class are logged, its words neither there nor to the client."""
    monkeypatch.setattr(app, "DIALECTS", tuple(map(breaking, DIALECTS)))
    with heard("debug", as_json=as_json) as written:
        async with serving(*SAYING) as server:
            for path, sent in BODIES.items():
                client = await server.connect()
                await client.send(posted(path, {"model": "haiku", "stream": True, **sent}, *AUTHORIZED[1:]))
                answered = await client.rest()
                assert PROMPT.encode() not in answered
                assert KEY.encode() not in answered
                await wait_all_tasks_blocked()
    told = written.getvalue()
    hold_nothing_secret(told)
    assert told.count(message) == len(BODIES)
    assert told.count("ValueError") >= len(BODIES)
    assert "test_wire_logs.py" in told


async def told(server: Server, level: str, *requests: bytes) -> list[Any]:
    """Return what is logged of ``requests``."""
    with heard(level, as_json=True) as written:
        for request in requests:
            await server.ask(request)
        await wait_all_tasks_blocked()
    entries = [json.loads(entry) for entry in written.getvalue().splitlines()]
    return [entry for entry in entries if entry["from"] == "cca.web.noted"]


async def test_each_request_is_one_line(autojump_clock: MockClock) -> None:
    async with serving(start(), 1.0, text("a"), stop()) as server:
        [first, second, third] = await told(
            server, "info", posted(CHAT, BODY), get("/v1/models/nobody's"), get("/nowhere")
        )
    for entry in (first, second, third):
        del entry["at"]
    assert first.pop("request") != second.pop("request")
    del third["request"]
    assert first == {
        "level": "info",
        "from": "cca.web.noted",
        "message": "answered",
        "method": "POST",
        "route": "/v1/chat/completions",
        "status": 200,
        "ms": 1000,
        "model": "claude-sonnet-5-5-20261001",
        "outcome": "end_turn",
        "in": 7,
        "out": 3,
    }
    assert (second["route"], second["status"]) == ("/v1/models/<path:name>", 404)
    assert (third["route"], third["status"]) == ("(no route)", 404)


async def test_a_client_that_left_is_told_so(autojump_clock: MockClock) -> None:
    async with serving(start(), text("a"), 9.0) as server:
        with heard("info", as_json=True) as written:
            client = await server.connect()
            await client.send(posted(CHAT, BODY))
            await server.backend.started.wait()
            await client.leave()
            await wait_all_tasks_blocked()
    [entry] = [json.loads(entry) for entry in written.getvalue().splitlines()]
    assert (entry["status"], entry["outcome"]) == (499, "abandoned")


async def test_who_does_not_ask_has_no_line(autojump_clock: MockClock) -> None:
    async with serving(*HELLO) as server:
        assert await told(server, "warning", posted(CHAT, BODY)) == []


@pytest.mark.parametrize("content", [False, True])
async def test_what_was_said_is_there_for_whoever_asks_for_it(content: bool, autojump_clock: MockClock) -> None:  # noqa: FBT001
    """And then without keys, too."""
    async with serving(*SAYING, log_content=content) as server:
        with heard("debug") as written:
            await server.ask(posted(CHAT, BODY))
            await wait_all_tasks_blocked()
    assert (PROMPT in written.getvalue(), ANSWER in written.getvalue()) == (content, content)
    assert OTHERS not in written.getvalue()


def test_it_is_off_by_default() -> None:
    assert (Settings().log_content, Settings().log_level) == (False, "warning")
