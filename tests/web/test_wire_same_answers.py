"""A client cannot tell a process that waited, or stayed, from a fresh one: it is answered by the same bytes."""

from typing import Any

import pytest
from claude_says import HELLO, LIMITED, arguments, start, stop, text, tool
from messages_wire import MESSAGES
from trio.testing import MockClock
from wire_harness import CHAT, FakeBackend, Reply, posted, serving, user

CALLS = (start(), text("I look."), tool("toolu_1", "f"), arguments('{"a":1}'), stop("tool_use"))
BYE = (start(), text("By"), text("e"), stop())
SAID = (HELLO, CALLS, BYE, LIMITED)

SCHEMA: Any = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}
CALL = {"name": "f", "arguments": '{"a":1}'}


def assistant(content: Any, **fields: Any) -> Any:
    return {"role": "assistant", "content": content, **fields}


ROUNDS: dict[str, tuple[str, dict[str, Any], str, list[list[Any]]]] = {
    "chat completions": (
        CHAT,
        {"tools": [{"type": "function", "function": {"name": "f", "parameters": SCHEMA}}]},
        "messages",
        [
            [user("He")],
            [assistant("Hello"), user("Do.")],
            [
                assistant("I look.", tool_calls=[{"id": "toolu_1", "type": "function", "function": CALL}]),
                {"role": "tool", "tool_call_id": "toolu_1", "content": "r"},
            ],
            [assistant("Bye"), user("And?")],
        ],
    ),
    "messages": (
        MESSAGES,
        {"tools": [{"name": "f", "input_schema": SCHEMA}], "max_tokens": 100},
        "messages",
        [
            [user("He")],
            [assistant("Hello"), user("Do.")],
            [
                assistant(
                    [
                        {"type": "text", "text": "I look."},
                        {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {"a": 1}},
                    ]
                ),
                user([{"type": "tool_result", "tool_use_id": "toolu_1", "content": "r"}]),
            ],
            [assistant("Bye"), user("And?")],
        ],
    ),
    "responses": (
        "/v1/responses",
        {"tools": [{"type": "function", "name": "f", "parameters": SCHEMA, "strict": False}], "store": False},
        "input",
        [
            [user("He")],
            [assistant("Hello"), user("Do.")],
            [
                assistant("I look."),
                {"type": "function_call", "call_id": "toolu_1", **CALL},
                {"type": "function_call_output", "call_id": "toolu_1", "output": "r"},
            ],
            [assistant("Bye"), user("And?")],
        ],
    ),
}


def bytes_of(reply: Reply) -> tuple[int, dict[str, str], bytes]:
    """Return all of a reply but when it was sent, and how it was cut: that is as the event loop has it."""
    return reply.status, {name: value for name, value in reply.headers.items() if name != "date"}, reply.body


async def told(name: str, *, stream: bool, pooled: bool) -> tuple[list[Any], int]:
    """Return what a client is told in each of the rounds, and how many processes it took."""
    path, fields, field, rounds = ROUNDS[name]
    replies, history = [], []
    async with serving(backend=FakeBackend(each=SAID), pooled=pooled) as server:
        for more in rounds:
            history += more
            given = {"model": "sonnet", field: history, "stream": stream, **fields}
            replies.append(bytes_of(await server.ask(posted(path, given))))
    return replies, len({id(process) for process in server.backend.processes})


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("name", ROUNDS)
async def test_each_answer_is_the_same_to_the_byte(name: str, stream: Any, autojump_clock: MockClock) -> None:
    fresh, processes = await told(name, stream=stream, pooled=False)
    assert ([status for status, *_ in fresh], processes) == ([200] * 4, 4)
    pooled, processes = await told(name, stream=stream, pooled=True)
    assert processes == 1, "it stays from the first answer to the last"
    assert pooled == fresh


async def test_a_near_limit_has_a_process_of_its_own_and_answers_the_same(autojump_clock: MockClock) -> None:
    replies = []
    for pooled in (False, True):
        async with serving(*LIMITED, pooled=pooled) as server:
            given = {"model": "sonnet", "messages": [user()], "max_completion_tokens": 3}
            replies.append(bytes_of(await server.ask(posted(CHAT, given))))
    assert replies[0][0] == 200
    assert replies[0] == replies[1]
