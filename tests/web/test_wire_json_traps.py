"""JSON that makes parsers recurse, guess or wait: on every route that takes a body it is a 400, and at once."""

import json
import re
import time
from typing import Any

import pytest
from claude_says import HELLO
from messages_wire import MESSAGES
from test_wire_any_body import GOOD
from trio.testing import MockClock
from wire_harness import CHAT, Reply, Server, chat, posted, serving, user

from survival import Survival

DEEP, MANY = 100_000, 1_000_000

TRAPS = {
    "arrays in arrays": b"[" * DEEP + b"]" * DEEP,
    "arrays without end": b"[" * DEEP,
    "objects in objects": b'{"a":' * DEEP + b"1" + b"}" * DEEP,
    "arrays in messages": b'{"model":"sonnet","messages":' + b"[" * DEEP + b"]" * DEEP + b"}",
    "arrays in what has no name": b'{"model":"sonnet","x":' + b"[" * DEEP + b"]" * DEEP + b"}",
    "a number of 5,000 digits": b'{"model":"sonnet","max_tokens":' + b"9" * 5000 + b"}",
    "a fraction of 5,000 digits": b'{"model":"sonnet","temperature":' + b"9" * 5000 + b".5}",
    "NaN": b'{"model":"sonnet","temperature":NaN}',
    "Infinity": b'{"model":"sonnet","temperature":Infinity}',
    "-Infinity": b'{"model":"sonnet","temperature":-Infinity}',
    "1e999": b'{"model":"sonnet","temperature":1e999}',
    "a byte order mark": b"\xef\xbb\xbf{}",
    "UTF-16": "{}".encode("utf-16"),
    "UTF-16 without a mark": '{"model":"sonnet"}'.encode("utf-16-le"),
    "UTF-32": "{}".encode("utf-32"),
    "Latin-1": '{"model":"\u00e9"}'.encode("latin-1"),
    "an overlong NUL": b'{"model":"\xc0\x80"}',
    "half a surrogate": b'{"model":"\\ud800"}',
    "half a surrogate in a name": b'{"\\udfff":1}',
    "half a surrogate in bytes": b'{"model":"\xed\xa0\x80"}',
    "a surrogate and no half": b'{"model":"\\ud83dx"}',
    "a NUL": b'{"model":"\x00"}',
    "a line break in text": b'{"model":"a\nb"}',
    "a comment": b'{"model":"sonnet"} // x',
    "a comma too many": b'{"model":"sonnet",}',
    "quotes of another kind": b"{'model':'sonnet'}",
    "two values": b"{}{}",
    "an array": b"[]",
    "text": b'"model"',
    "a number": b"5",
    "null": b"null",
    "nothing but space": b" \n\t",
    "a million numbers": b"[" + b"1," * MANY + b"1]",
    "a million items in messages": b'{"model":"sonnet","max_tokens":9,"messages":[' + b"1," * MANY + b"1]}",
    "a million items in input": b'{"model":"sonnet","input":[' + b"1," * MANY + b'1],"items":5,"metadata":5}',
    "a million times one name": b'{"model":5,' + b'"model":5,' * 100_000 + b'"model":5}',
}

WITHOUT_BODY = ("/cancel", "/compact")
"""The end of routes that say the same whatever their body is."""


@pytest.mark.parametrize("name", TRAPS)
async def test_a_trap_is_a_400(name: str, caplog: pytest.LogCaptureFixture) -> None:
    """S-17: with a pointer to its place. The clock is the real one: large bodies are read in a thread."""
    trap = TRAPS[name]
    async with serving(*HELLO) as server:
        for path in (CHAT, MESSAGES) if len(trap) > MANY else GOOD:
            reply = await server.ask(posted(path, trap))
            assert reply.status == 400 or path.endswith(WITHOUT_BODY), path
            assert 400 <= reply.status < 500
            assert path.endswith(WITHOUT_BODY) or pointed(reply), (path, reply.body)
            assert len(reply.body) < 1000
        assert server.backend.opened == 0
    assert caplog.text == ""


PLACE = re.compile(
    r"The body is not JSON: .+: line [0-9]+ column [0-9]+ \(char [0-9]+\)\."
    r"|The body is (an? [a-z]+|null), and must be an object\."
    r"|(?P<param>[a-z_]+) (is|has) .+",
    re.DOTALL,
)
"""What a refusal begins with: where it is not JSON, or that all of it is another thing, or the field."""


def pointed(reply: Reply) -> bool:
    """Return whether a refusal says where. Anthropic's have it in their words only."""
    error = reply.json["error"]
    place = PLACE.fullmatch(error["message"])
    return place is not None and error.get("param", place["param"]) == place["param"]


def nested(levels: int) -> Any:
    value: Any = {}
    for _ in range(levels):
        value = {"a": value}
    return value


CALL = {"id": "c", "type": "function", "function": {"name": "f", "arguments": '{"a":' + "[" * DEEP + "]" * DEEP + "}"}}

USE = {"type": "tool_use", "id": "c", "name": "f", "input": nested(200)}

WITHIN: dict[str, tuple[str, Any, str]] = {
    "a deep schema": (
        CHAT,
        chat(tools=[{"type": "function", "function": {"name": "f", "parameters": nested(200)}}]),
        "tools[0].function.parameters",
    ),
    "deep arguments": (
        CHAT,
        chat(user(), {"role": "assistant", "content": None, "tool_calls": [CALL]}),
        "messages[1].tool_calls[0].function.arguments",
    ),
    "a deep schema of a message's": (
        MESSAGES,
        chat(max_tokens=9, tools=[{"name": "f", "input_schema": {"type": "object", **nested(200)}}]),
        "tools[0].input_schema",
    ),
    "a deep input": (
        MESSAGES,
        chat(user(), {"role": "assistant", "content": [USE]}, max_tokens=9),
        "messages[1].content[0].input",
    ),
    "a deep schema of a response's": (
        "/v1/responses",
        {"input": "Hi", "tools": [{"type": "function", "name": "f", "parameters": nested(200)}]},
        "tools[0].parameters",
    ),
    "a number of 31 digits": (CHAT, chat(max_tokens=10**30), "max_tokens"),
    "a number of 200 digits": (CHAT, chat(temperature=10**200), "temperature"),
    "a number for a text": (
        MESSAGES,
        chat(user([{"type": "text", "text": 5}]), max_tokens=9),
        "messages[0].content[0].text",
    ),
    "a text for a number": (CHAT, chat(max_tokens="9"), "max_tokens"),
    "true for a number": (CHAT, chat(max_tokens=True), "max_tokens"),
}


@pytest.mark.parametrize(("path", "body", "param"), WITHIN.values(), ids=WITHIN)
async def test_what_is_json_is_pointed_at_in_it(path: str, body: Any, param: str, autojump_clock: MockClock) -> None:
    """S-17: by the path that leads to it."""
    async with serving(*HELLO) as server:
        reply = await server.ask(posted(path, json.dumps({"model": "sonnet", **body}).encode()))
        assert server.backend.opened == 0
    error = reply.json["error"]
    assert reply.status == 400
    assert error["message"].startswith(f"{param} ")
    assert path == MESSAGES or error["param"] == param


@pytest.mark.soak
async def test_a_trap_is_told_at_once(survival: Survival) -> None:
    """S-17: within 200 ms of the processor, but for a million items, which are read first."""
    worst, slowest = 0.0, ""
    async with serving(*HELLO) as server:
        for name, trap in TRAPS.items():
            took = min([await seconds_of(server, trap) for _ in range(3)])
            if len(trap) <= MANY:
                worst, slowest = max((worst, slowest), (took, name))
            assert took < (2.0 if len(trap) > MANY else 0.2), name
    survival("S-17", "bodies that are traps for parsers", tried=len(TRAPS), lost=0, figure=f"{worst:.2f} s, {slowest}")


async def seconds_of(server: Server, trap: bytes) -> float:
    """Return the seconds of the processor that it takes to refuse it."""
    began = time.process_time()
    reply = await server.ask(posted(CHAT, trap))
    assert reply.status == 400
    return time.process_time() - began


async def test_of_a_name_that_is_there_twice_the_last_counts(autojump_clock: MockClock) -> None:
    """There is one reader of a body, so that nothing was checked that is not what is asked."""
    body = b'{"model":"x","messages":5,"messages":[{"role":"user","content":"Hi"}],"model":"haiku"}'
    async with serving(*HELLO) as server:
        assert (await server.ask(posted(CHAT, body))).status == 200
        assert [each.model for each in server.backend.conversations] == ["haiku"]
