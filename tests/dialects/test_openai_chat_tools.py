"""Functions, calls and results of a chat completion request, in the current form and in the deprecated one."""

import re
from typing import Any

import pytest
from chat_asked import HE, SHE, ask, calling, conversation, result, tool, turns

from cca.model import AssistantTurn, Image, Sampling, Text, Tool, ToolChoice, ToolResult, ToolUse, UserTurn

EMPTY = {"type": "object", "properties": {}}
CLOSED = {"type": "object", "properties": {}, "additionalProperties": False}

SCHEMA = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "properties": {"a": {"anyOf": [{"type": "string", "pattern": "^x"}, {"$ref": "#/$defs/b"}]}},
    "$defs": {"b": {"type": "object", "additionalProperties": False}},
    "required": ["a"],
    "x-unknown": [None, 1.5],
}


@pytest.mark.parametrize(
    ("offered", "heard"),
    [
        pytest.param(tool(), Tool("f", None, EMPTY), id="a name alone"),
        pytest.param(tool(parameters=None, strict=None, description=None), Tool("f", None, EMPTY), id="null"),
        pytest.param(tool(parameters={}), Tool("f", None, EMPTY), id="no parameters"),
        pytest.param(tool(parameters=SCHEMA), Tool("f", None, SCHEMA), id="any schema, unchanged"),
        pytest.param(
            tool(parameters={"$ref": "#/x"}), Tool("f", None, {"type": "object", "$ref": "#/x"}), id="of no type"
        ),
        pytest.param(
            tool(parameters={"properties": {}}),
            Tool("f", None, EMPTY),
            id="of no type, which Claude's API would refuse",
        ),
        pytest.param(
            tool(strict=True, description="d" * 10_000), Tool("f", "d" * 10_000, EMPTY, strict=True), id="long"
        ),
        pytest.param(tool("Bash"), Tool("Bash", None, EMPTY), id="a name of Claude Code's"),
        pytest.param(tool("x" * 64), Tool("x" * 64, None, EMPTY), id="64 characters"),
    ],
)
def test_a_function_is_offered_as_it_was_sent(offered: Any, heard: Tool) -> None:
    assert conversation(tools=[offered]).tools == (heard,)


def test_as_many_are_offered_as_a_request_may_have_and_in_their_order() -> None:
    names = [f"f{number}" for number in reversed(range(128))]
    assert [each.name for each in conversation(tools=[tool(name) for name in names]).tools] == names


F, G = Tool("f", None, EMPTY), Tool("g", None, EMPTY)
BOTH = [tool("f"), tool("g")]


def allowed(mode: str, *tools: Any) -> dict[str, Any]:
    return {"tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": mode, "tools": list(tools)}}}


@pytest.mark.parametrize(
    ("fields", "tools", "choice"),
    [
        pytest.param({}, (F, G), ToolChoice(), id="left out"),
        pytest.param({"tool_choice": "auto"}, (F, G), ToolChoice(), id="auto"),
        pytest.param({"tool_choice": "none"}, (F, G), ToolChoice("none"), id="none"),
        pytest.param({"tool_choice": "required"}, (F, G), ToolChoice("any"), id="required"),
        pytest.param({"tool_choice": tool("g")}, (F, G), ToolChoice("tool", "g"), id="named"),
        pytest.param(allowed("auto", tool("g")), (G,), ToolChoice(), id="allowed"),
        pytest.param(allowed("required", tool("g"), tool("f")), (F, G), ToolChoice("any"), id="one of the allowed"),
        pytest.param(allowed("auto"), (), ToolChoice(), id="none allowed"),
        pytest.param(allowed("auto", {"type": "mcp"}, tool("f")), (F,), ToolChoice(), id="a hosted one allowed"),
        pytest.param({"parallel_tool_calls": True}, (F, G), ToolChoice(), id="parallel"),
        pytest.param({"parallel_tool_calls": False}, (F, G), ToolChoice(parallel=False), id="one at a time"),
        pytest.param(
            {"parallel_tool_calls": False, "tool_choice": "required"},
            (F, G),
            ToolChoice("any", parallel=False),
            id="just one",
        ),
    ],
)
def test_the_choice_of_tools(fields: Any, tools: Any, choice: ToolChoice) -> None:
    heard = conversation(tools=BOTH, **fields)
    assert (heard.tools, heard.tool_choice) == (tools, choice)


@pytest.mark.parametrize("fields", [{"parallel_tool_calls": False}, {"tool_choice": "auto", "tools": []}])
def test_without_tools_nothing_is_chosen(fields: Any) -> None:
    assert conversation(**fields) == conversation()


@pytest.mark.parametrize(
    ("fields", "ignored"),
    [
        pytest.param({"tools": [tool(), {"type": "web_search"}]}, ("tools[1] (web_search)",), id="a hosted tool"),
        pytest.param({"tools": [{"type": "namespace", "name": "x"}]}, ("tools[0] (namespace)",), id="alone"),
        pytest.param({"tools": [tool(x=1)]}, ("tools.function.x",), id="in a function"),
        pytest.param({"tools": [{**tool(), "cache_control": {}}]}, ("tools.cache_control",), id="beside it"),
        pytest.param({"tools": [tool(strict=True, parameters=SCHEMA)]}, ("tools.function.strict",), id="strict"),
        pytest.param({"tools": [tool(strict=True, parameters=CLOSED)]}, (), id="strict as Claude's API can be"),
        pytest.param({"functions": [{"name": "f", "x": 1}]}, ("functions.x",), id="the deprecated form"),
        pytest.param(
            {"tools": [tool()], "tool_choice": tool(x=1) | {"y": 1}},
            ("tool_choice.y", "tool_choice.function.x"),
            id="in a choice",
        ),
        pytest.param(
            {
                "tools": [tool()],
                "tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [tool()], "x": 1}},
            },
            ("tool_choice.allowed_tools.x",),
            id="in a list of the allowed",
        ),
    ],
)
def test_what_is_not_offered_on_is_named(fields: Any, ignored: Any) -> None:
    assert ask(**fields).ignored == ignored


FORCED = {"tools": BOTH, "tool_choice": "required"}


@pytest.mark.parametrize(
    ("fields", "sampling", "ignored"),
    [
        pytest.param({}, Sampling(), (), id="a model that thinks"),
        pytest.param({"model": "haiku"}, Sampling(thinking=False), (), id="one that can do without"),
        pytest.param(
            {"model": "haiku", "temperature": 0.5}, Sampling(temperature=0.5, thinking=False), (), id="its temperature"
        ),
        pytest.param({"temperature": 0.5}, Sampling(), ("temperature",), id="temperature"),
        pytest.param(
            {"reasoning_effort": "high"},
            Sampling(effort="high"),
            ("reasoning_effort (no thinking before a call that is forced)",),
            id="effort",
        ),
        pytest.param({"reasoning_effort": "none"}, Sampling(effort="low"), (), id="no effort"),
        pytest.param(
            {"model": "haiku", "reasoning_effort": "high", "top_p": 0.5},
            Sampling(top_p=0.5, thinking=False),
            ("reasoning_effort (no thinking before a call that is forced)",),
            id="effort without thinking",
        ),
    ],
)
def test_a_call_that_is_forced_is_made_without_thinking(fields: Any, sampling: Sampling, ignored: Any) -> None:
    heard = ask(**FORCED, **fields)
    assert (heard.conversations[0].sampling, heard.ignored) == (sampling, ignored)


PNG = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNk+A8AAQUBAScY42YAAAAASUVORK5CYII="
)
PICTURE = Image("image/png", PNG.partition(",")[2])


def use(id: str, **arguments: Any) -> ToolUse:  # noqa: A002 - the wire's word
    return ToolUse(id, "f", arguments)


def came(id: str, *parts: Any) -> ToolResult:  # noqa: A002 - the wire's word
    return ToolResult(id, parts)


@pytest.mark.parametrize(
    ("messages", "heard"),
    [
        pytest.param((calling("c"), result("c")), [(use("c"),), (came("c", Text("r")),)], id="one"),
        pytest.param(
            (calling("c", arguments='{"a": [1, null]}'), result("c", "")),
            [(use("c", a=[1, None]),), (came("c"),)],
            id="arguments, and an empty result",
        ),
        pytest.param((calling("c", arguments=""), result("c", [])), [(use("c"),), (came("c"),)], id="no arguments"),
        pytest.param(
            ({**calling("c", "d"), "content": "Two."}, result("d"), result("c"), HE),
            [(Text("Two."), use("c"), use("d")), (came("d", Text("r")), came("c", Text("r")), Text("He"))],
            id="two in any order, and a message",
        ),
        pytest.param(
            (
                calling("c"),
                result("c", [{"type": "text", "text": "a"}, {"type": "image_url", "image_url": {"url": PNG}}]),
            ),
            [(use("c"),), (came("c", Text("a"), PICTURE),)],
            id="a picture",
        ),
        pytest.param(
            (calling("c"), result("c"), calling("d"), result("d"), SHE, HE),
            [
                (use("c"),),
                (came("c", Text("r")),),
                (use("d"),),
                (came("d", Text("r")),),
                (Text("She"),),
                (Text("He"),),
            ],
            id="one after the other",
        ),
    ],
)
def test_calls_and_their_results_are_turns(messages: Any, heard: Any) -> None:
    assert [turn.content for turn in turns(HE, *messages)] == [(Text("He"),), *heard]


def ids(*messages: Any) -> list[str]:
    """Return the ids of calls and results, in their order."""
    found = []
    for turn in turns(HE, *messages):
        for part in turn.content:
            match part:
                case ToolUse(id=each) | ToolResult(tool_use_id=each):
                    found.append(each)
    return found


@pytest.mark.parametrize("id_", ["call_abc123", "toolu_01", "fc-1", "9", "x" * 64])
def test_an_id_that_claude_takes_stays_as_it_is(id_: str) -> None:
    assert ids(calling(id_), result(id_)) == [id_, id_]


@pytest.mark.parametrize("id_", ["functions.f:0", "call|fc", "", "ä", "x" * 1000])
def test_another_becomes_one_that_it_does_take_and_always_the_same(id_: str) -> None:
    call, answer = ids(calling(id_), result(id_))
    assert call == answer
    assert re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", call)
    assert ids(calling("other"), result("other"), calling(id_), result(id_))[2:] == [call, call]


def test_an_id_that_is_used_again_is_told_apart() -> None:
    first, first_answer, second, second_answer = ids(calling("c"), result("c"), calling("c"), result("c"))
    assert first == first_answer == "c"
    assert second == second_answer != "c"


def test_the_places_of_results_are_by_the_ids_of_their_calls() -> None:
    assert ask(HE, calling("c", "d"), result("d"), result("c")).results == {"d": "messages[2]", "c": "messages[3]"}


def test_what_a_call_says_besides_its_name_and_arguments_is_named() -> None:
    call = calling("c")
    call["tool_calls"][0] |= {"x": 1, "function": {"name": "f", "arguments": "{}", "y": 1}}
    older = {"role": "assistant", "function_call": {"name": "f", "arguments": "{}", "z": 1}}
    heard = ask(HE, call, result("c"), older, {"role": "function", "name": "f", "content": "r"})
    assert heard.ignored == ("messages.tool_calls.x", "messages.tool_calls.function.y", "messages.function_call.z")


def test_white_space_of_a_result_is_named() -> None:
    heard = ask(HE, calling("c"), result("c", " \n"))
    assert heard.ignored == ("messages[2].content (empty)",)
    assert heard.conversations[0].turns[-1] == UserTurn((came("c"),))


FUNCTION = {"name": "f"}


@pytest.mark.parametrize(
    ("function_call", "tools", "choice"),
    [
        (None, (F, G), ToolChoice(parallel=False)),
        ("auto", (F, G), ToolChoice(parallel=False)),
        ("none", (F, G), ToolChoice("none")),
        ({"name": "g"}, (F, G), ToolChoice("tool", "g", parallel=False)),
    ],
)
def test_functions_are_tools_of_which_one_is_called(function_call: Any, tools: Any, choice: ToolChoice) -> None:
    heard = conversation(functions=[{"name": "f"}, {"name": "g"}], function_call=function_call)
    assert (heard.tools, heard.tool_choice) == (tools, choice)


def test_a_function_call_and_its_result_have_an_id_by_where_they_stood() -> None:
    call = {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": '{"a":1}'}}
    answer = {"role": "function", "name": "f", "content": "r"}
    assert turns(HE, call, answer, call, {**answer, "content": None}) == (
        UserTurn((Text("He"),)),
        AssistantTurn((ToolUse("messages_1", "f", {"a": 1}),)),
        UserTurn((came("messages_1", Text("r")),)),
        AssistantTurn((ToolUse("messages_3", "f", {"a": 1}),)),
        UserTurn((came("messages_3"),)),
    )
