"""A call and its result over HTTP: in one body, and where the call is in the session's history."""

from typing import Any

import pytest
from claude_says import HELLO, arguments, start, stop, tool
from trio.testing import MockClock
from wire_harness import FakeBackend, chat, post, serving, user

from cca.model import AssistantTurn, Text, Tool, ToolChoice, ToolResult, ToolUse, UserTurn

CALLS = (start(), tool("toolu_1", "f"), arguments('{"a":1}'), stop("tool_use"))
OFFER: dict[str, Any] = {"tools": [{"type": "function", "function": {"name": "f"}}]}
SESSION = "x-session-id: walk"
CALL = {"id": "c", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}}


def result(call_id: str) -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": call_id, "content": "r"}


async def test_a_call_is_told(autojump_clock: MockClock) -> None:
    async with serving(*CALLS) as server:
        reply = await server.ask(post(chat(**OFFER, tool_choice="required", parallel_tool_calls=False)))
    (choice,) = reply.json["choices"]
    assert choice["finish_reason"] == "tool_calls"
    assert choice["message"]["tool_calls"] == [
        {"id": "toolu_1", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}}
    ]
    (heard,) = server.backend.conversations
    assert heard.tools == (Tool("f", None, {"type": "object", "properties": {}}),)
    assert heard.tool_choice == ToolChoice("any", parallel=False)


async def test_a_result_is_heard_with_its_call(autojump_clock: MockClock) -> None:
    messages = (user("He"), {"role": "assistant", "content": None, "tool_calls": [CALL]}, result("c"))
    async with serving(*HELLO) as server:
        reply = await server.ask(post(chat(*messages, **OFFER)))
    assert reply.status == 200
    (heard,) = server.backend.conversations
    assert heard.turns == (
        UserTurn((Text("He"),)),
        AssistantTurn((ToolUse("c", "f", {"a": 1}),)),
        UserTurn((ToolResult("c", (Text("r"),)),)),
    )


async def test_a_session_s_call_gets_its_result_alone(autojump_clock: MockClock) -> None:
    backend = FakeBackend(each=(CALLS, HELLO))
    async with serving(backend=backend) as server:
        await server.ask(post(chat(user("He"), **OFFER), SESSION))
        reply = await server.ask(post(chat(result("toolu_1"), **OFFER), SESSION))
    assert reply.status == 200
    assert backend.conversations[1].turns == (
        UserTurn((Text("He"),)),
        AssistantTurn((ToolUse("toolu_1", "f", {"a": 1}),)),
        UserTurn((ToolResult("toolu_1", (Text("r"),)),)),
    )


@pytest.mark.parametrize(
    ("messages", "param", "said"),
    [
        pytest.param([result("toolu_2")], "messages[0]", "does not make", id="a result of another"),
        pytest.param([user("No.")], None, "called the tool f", id="no result"),
        pytest.param([user("No."), result("toolu_1")], "messages[1]", "send results first", id="too late"),
    ],
)
async def test_what_does_not_answer_a_session_s_call_is_refused(
    messages: Any, param: str | None, said: str, autojump_clock: MockClock
) -> None:
    backend = FakeBackend(each=(CALLS, HELLO))
    async with serving(backend=backend) as server:
        await server.ask(post(chat(user("He"), **OFFER), SESSION))
        reply = await server.ask(post(chat(*messages, **OFFER), SESSION))
        again = await server.ask(post(chat(result("toolu_1"), **OFFER), SESSION))
    assert (reply.status, reply.error["param"]) == (400, param)
    assert said in reply.error["message"]
    assert backend.opened == 2
    assert again.status == 200


async def test_a_function_call_is_told_in_the_form_of_its_request(autojump_clock: MockClock) -> None:
    async with serving(*CALLS) as server:
        reply = await server.ask(post(chat(functions=[{"name": "f"}], function_call={"name": "f"})))
    (choice,) = reply.json["choices"]
    assert choice["finish_reason"] == "function_call"
    assert choice["message"]["function_call"] == {"name": "f", "arguments": '{"a":1}'}
    assert "tool_calls" not in choice["message"]
