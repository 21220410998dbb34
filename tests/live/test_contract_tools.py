"""Tools as the client has them: which may be called, which must, and what of them Claude Code would change.

Each test is one statement about Claude Code that cca relies on. A release of it that changes one fails by name.
"""

import json
from typing import Any

import pytest
import trio
from attrs import evolve
from live_cli import PLAIN, Cli, Surroundings, asked, converse, open_cli, prompt, request_for, turns, unmarked, user

from cca.claude import frames
from cca.claude.launch import SPENT_AT_ONCE
from cca.model import (
    AssistantTurn,
    Conversation,
    Document,
    Failed,
    Finished,
    Image,
    Json,
    Sampling,
    Text,
    Tool,
    ToolCallDelta,
    ToolCallStarted,
    ToolChoice,
    ToolResult,
    ToolUse,
    UserPart,
    UserTurn,
)
from cca.scripted import open_scripted_model

pytestmark = pytest.mark.live

CITY: Json = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
WEATHER = Tool("get_weather", "Tell the weather of a city", CITY)
OPEN: Json = {"type": "object"}

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
PICTURE = Image("image/png", PIXEL)
SHOWN = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PIXEL}}

FAILED = {"type": "tool_result", "tool_use_id": "c", "is_error": True}

OWN_NAMES = (
    *("Bash", "Read", "Edit", "Task", "Agent", "Skill", "TodoWrite", "WebSearch", "WebFetch", "AskUserQuestion"),
    *("ExitPlanMode", "ToolSearch", "StructuredOutput", "DeferredToolPlaceholder", "mcp__c__x", "n" * 64),
)

WITHOUT_THINKING = {"thinking": {"type": "disabled"}, "context_management": {"edits": []}}


def nested(levels: int) -> Any:
    value: Any = {"type": "string"}
    for _ in range(levels):
        value = {"type": "object", "properties": {"a": value}}
    return value


@pytest.mark.parametrize(
    ("choice", "sent"),
    [
        (ToolChoice("auto", parallel=False), {"tool_choice": {"type": "auto", "disable_parallel_tool_use": True}}),
        (ToolChoice("none"), {"tool_choice": {"type": "none"}}),
        (ToolChoice("any"), {"tool_choice": {"type": "any"}, **WITHOUT_THINKING}),
        (
            ToolChoice("tool", "get_weather"),
            {"tool_choice": {"type": "tool", "name": "get_weather"}, **WITHOUT_THINKING},
        ),
    ],
    ids=lambda value: value.kind if isinstance(value, ToolChoice) else "",
)
async def test_a_choice_arrives_and_one_that_is_forced_without_thinking(choice: ToolChoice, sent: Json) -> None:
    request = await request_for(evolve(prompt("Hello, Oslo."), tools=(WEATHER,), tool_choice=choice))
    assert {name: request[name] for name in sent} == sent
    assert [tool["name"] for tool in request["tools"]] == ["get_weather"]


async def test_calls_of_tools_that_are_offered_no_more_arrive_with_those_and_none_may_be_called() -> None:
    """Without any, the API refuses them."""
    calls = AssistantTurn((ToolUse("call_1", "get_weather", {"city": "Oslo"}), ToolUse("call_2", "Bash", {})))
    results = UserTurn((ToolResult("call_1", (Text("5 degrees"),)), ToolResult("call_2", ())))
    request = await request_for(Conversation("haiku", (user("hello"), calls, results)))
    assert [unmarked(tool) for tool in request["tools"]] == [
        {"name": name, "input_schema": OPEN} for name in ("get_weather", "Bash")
    ]
    assert request["tool_choice"] == {"type": "none"}
    [_, (_, made), _] = turns(request)
    assert [block["name"] for block in made] == ["get_weather", "Bash"]


async def test_a_strict_tool_is_so_in_the_request() -> None:
    request = await request_for(evolve(prompt("hello"), tools=(evolve(WEATHER, strict=True),)))
    assert unmarked(request["tools"][0])["strict"] is True


async def test_the_edit_that_the_api_refuses_without_thinking_is_there_but_for_ours() -> None:
    """The program adds it whatever the extra body says of thinking."""
    async with open_scripted_model() as model, open_cli(model) as cli:
        body = json.dumps({"thinking": {"type": "disabled"}})
        cli.say(frames.apply_settings("one", {"model": "haiku", "env": {"CLAUDE_CODE_EXTRA_BODY": body}}))
        cli.ask("hello")
        await cli.until(type="result")
        assert asked(model)[0]["context_management"]["edits"][0]["type"] == "clear_thinking_20251015"
    request = await request_for(evolve(prompt("hello"), sampling=Sampling(thinking=False)))
    assert request["context_management"] == {"edits": []}


@pytest.mark.parametrize("name", OWN_NAMES)
async def test_a_tool_of_any_name_is_called_with_the_arguments_as_they_are(name: str) -> None:
    """They are not of the schema: the program neither looks nor changes them."""
    given = {"city": "5", "town": [1, {"a": None}]}
    async with open_scripted_model() as model, open_cli(model) as cli:
        tools = (evolve(WEATHER, name=name, input_schema={**CITY, "properties": {"city": {"type": "integer"}}}),)
        events = await cli.converse(evolve(prompt(f"[[call {name} {json.dumps(given)}]]"), tools=tools))
        assert [event.name for event in events if isinstance(event, ToolCallStarted)] == [name]
        arguments = "".join(event.partial_json for event in events if isinstance(event, ToolCallDelta))
        assert json.loads(arguments) == given
        call = (await cli.until(type="control_request"))["request"]["message"]["params"]
        assert (call["name"], call["arguments"]) == (name, given)
        assert [unmarked(tool) for tool in asked(model)[0]["tools"]] == [
            {"name": name, "description": tools[0].description, "input_schema": tools[0].input_schema}
        ]


async def listed(cli: Cli, schema: Json) -> None:
    """Offer a tool by the program's own list, with ``schema``, and have it called with a number in quotes."""
    tool = {"name": "f", "description": "", "inputSchema": schema, "annotations": {"readOnlyHint": True}}
    cli.say(frames.initialize("one", [], [tool]), frames.apply_settings("two", {"model": "haiku"}))
    cli.ask('[[call f {"city": "5"}]]')


async def test_a_list_with_a_schema_of_no_object_is_not_taken_and_keeps_the_program_waiting() -> None:
    """It begins to talk to the server itself, which nobody is: why the list has a schema of ours."""
    async with open_scripted_model() as model, open_cli(model) as cli:
        await listed(cli, {"anyOf": [CITY]})
        assert (await cli.until(type="control_request"))["request"]["message"]["method"] == "initialize"
        assert asked(model) == []


@pytest.mark.parametrize(
    ("schema", "arguments"),
    [({"type": "object", "properties": {"city": {"type": "integer"}}}, {"city": 5}), (OPEN, {"city": "5"})],
    ids=["its own", "ours"],
)
async def test_arguments_are_changed_to_what_the_lists_schema_says(schema: Json, arguments: Json) -> None:
    async with open_scripted_model() as model, open_cli(model) as cli:
        await listed(cli, schema)
        call = (await cli.until(type="control_request"))["request"]["message"]["params"]
        assert call["arguments"] == arguments


async def test_a_hundred_and_twenty_eight_tools_with_long_descriptions_arrive_and_the_last_is_called() -> None:
    tools = tuple(Tool(f"{n:03}".ljust(64, "x"), f"{n} ".ljust(10_000, "d"), CITY) for n in range(128))
    events, _, [request] = await converse(evolve(prompt(f"[[call {tools[-1].name}]]"), tools=tools))
    assert [(tool["name"], tool["description"]) for tool in request["tools"]] == [
        (tool.name, tool.description) for tool in tools
    ]
    assert [event.name for event in events if isinstance(event, ToolCallStarted)] == [tools[-1].name]


async def test_schemas_and_arguments_arrive_however_deep_they_may_be() -> None:
    schema, given = nested(60), {"a": nested(60)}
    called = AssistantTurn((ToolUse("c", "f", given),))
    said = (user("a"), called, UserTurn((ToolResult("c", (Text("b"),)),)))
    request = await request_for(Conversation("haiku", said, tools=(Tool("f", "", schema),)))
    assert request["tools"][0]["input_schema"] == schema
    assert turns(request)[1][1][0]["input"] == given


@pytest.mark.parametrize(
    ("parts", "blocks"),
    [
        pytest.param(
            (ToolResult("c", (Text("a"), Text("b"), PICTURE, Document(text="t", title="n"))),),
            [
                {
                    "type": "tool_result",
                    "tool_use_id": "c",
                    "content": [
                        {"type": "text", "text": "a"},
                        {"type": "text", "text": "b"},
                        SHOWN,
                        {
                            "type": "document",
                            "source": {"type": "text", "media_type": "text/plain", "data": "t"},
                            "title": "n",
                        },
                    ],
                }
            ],
            id="texts, a picture, a document",
        ),
        pytest.param(
            (ToolResult("c", ()),), [{"type": "tool_result", "tool_use_id": "c", "content": []}], id="nothing"
        ),
        pytest.param(
            (ToolResult("c", (), is_error=True),),
            [{**FAILED, "content": [{"type": "text", "text": "(no content)"}]}],
            id="a failure of nothing, of which the API wants to be told",
        ),
        pytest.param(
            (ToolResult("c", (PICTURE,), is_error=True),),
            [{**FAILED, "content": [{"type": "text", "text": "(no content)"}]}, SHOWN],
            id="a failure of a picture alone",
        ),
        pytest.param(
            (Text("So?"), ToolResult("c", (Text("bad"), PICTURE), is_error=True)),
            [
                {**FAILED, "content": [{"type": "text", "text": "bad"}]},
                SHOWN,
                {"type": "text", "text": "So?"},
            ],
            id="a failure with a picture, and words",
        ),
    ],
)
async def test_the_result_of_a_call_arrives_with_all_that_is_in_it(parts: tuple[UserPart, ...], blocks: Json) -> None:
    said = (user("a"), AssistantTurn((ToolUse("c", "get_weather", {"city": "Oslo"}),)), UserTurn(parts))
    events, _, [request] = await converse(Conversation("haiku", said, tools=(WEATHER,)))
    assert turns(request)[-1] == ("user", blocks)
    assert isinstance(events[-1], Finished)


async def inputs(*calls: ToolUse) -> list[Json]:
    """Return the inputs of past calls, as the model gets them."""
    results = UserTurn(tuple(ToolResult(call.id, (Text("b"),)) for call in calls))
    [_, (_, made), _] = turns(await request_for(Conversation("haiku", (user("a"), AssistantTurn(calls), results))))
    return [block["input"] for block in made]


EDITS = [{"old_string": "a", "new_string": "b"}]


@pytest.mark.parametrize(
    ("name", "given", "left"),
    [
        pytest.param("ExitPlanMode", {"plan": "p", "planFilePath": "f", "z": 1}, {"z": 1}, id="the plan"),
        pytest.param(
            "Edit",
            {"file_path": "f", "edits": EDITS, "old_string": "a", "new_string": "b"},
            {"file_path": "f", "edits": EDITS},
            id="one edit, beside several",
        ),
        pytest.param("Edit", {"old_string": "a", "new_string": "b"}, {"old_string": "a", "new_string": "b"}, id="one"),
    ],
)
async def test_past_calls_lose_inputs_by_two_names_of_the_programs_own(name: str, given: Json, left: Json) -> None:
    [made] = await inputs(ToolUse("c", name, given))
    assert made == left


async def test_past_calls_by_other_names_of_its_own_keep_theirs() -> None:
    given = {"plan": "p", "planFilePath": "f", "edits": EDITS, "old_string": "a", "command": "c", "z": [1, {"y": None}]}
    names = [name for name in OWN_NAMES if name not in ("ExitPlanMode", "Edit")]
    assert await inputs(*(ToolUse(name, name, given) for name in names)) == [given] * len(names)


async def test_the_programs_numbers_and_the_order_of_its_keys_are_those_of_javascript() -> None:
    """In the inputs of past calls, and in schemas."""
    given = {"b": 2**53 + 1, "10": 2**53, "2": {"a": 1.5, "1": -(2**53) - 1}}
    numbers = {"2": {"1": -(2**53), "a": 1.5}, "10": 2**53, "b": 2**53}
    [made] = await inputs(ToolUse("c", "look", given))
    tool = Tool("look", None, {"type": "object", "default": given})
    [offered] = (await request_for(evolve(prompt("hello"), tools=(tool,))))["tools"]
    assert [json.dumps(each) for each in (made, offered["input_schema"]["default"])] == [json.dumps(numbers)] * 2


async def test_the_program_drops_pictures_from_the_result_of_a_call_that_failed() -> None:
    """So they are not said there."""
    async with open_scripted_model() as model, open_cli(model) as cli:
        call = {"type": "tool_use", "id": "c", "name": "f", "input": {}}
        failed = {**FAILED, "content": [SHOWN]}
        cli.say(frames.user([{"type": "text", "text": "a"}], query=False))
        await cli.until(type="result")
        cli.say(frames.assistant([call]), frames.user([failed], query=True))
        await cli.until(type="result")
        assert turns(asked(model)[0])[-1] == ("user", [{**failed, "content": []}])


BUDGET = Surroundings(arguments=(SPENT_AT_ONCE,))


@pytest.mark.parametrize(("surroundings", "breaks"), [(PLAIN, False), (BUDGET, True)], ids=["without", "with"])
async def test_a_call_breaks_into_a_message_that_has_no_budget(surroundings: Surroundings, breaks: bool) -> None:  # noqa: FBT001
    """Why a program with tools has no budget: most times its stop reason does not come."""
    ends: list[type] = []

    async def once() -> None:
        async with open_scripted_model() as model, open_cli(model, surroundings) as cli:
            events = await cli.converse(evolve(prompt('[[call get_weather {"city": "Oslo"}]]'), tools=(WEATHER,)))
            ends.append(type(events[-1]))

    async with trio.open_nursery() as nursery:
        for _ in range(6):
            nursery.start_soon(once)
    assert (Failed in ends) is breaks


async def test_a_forced_call_is_one_request() -> None:
    async with open_scripted_model() as model, open_cli(model) as cli:
        conversation = evolve(prompt("Hello, Oslo."), tools=(WEATHER,), tool_choice=ToolChoice("any"))
        events = await cli.converse(conversation)
        assert isinstance(events[-1], Finished)
        assert events[-1].stop_reason == "tool_use"
        await trio.sleep(0.3)
        assert len(asked(model)) == 1
