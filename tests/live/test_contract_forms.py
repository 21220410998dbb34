"""Answers of a schema: what reaches the API, what comes back, and why Claude Code's own way is not taken.

Each test is one statement about Claude Code that cca relies on. A release of it that changes one fails by name.
"""

import json
from typing import Any

import pytest
from attrs import evolve
from live_cli import asked, converse, open_cli, prompt, text_of

from cca.claude import frames
from cca.claude.form import ANSWER
from cca.model import Conversation, Failed, Finished, Json, Sampling, Tool, ToolCallStarted
from cca.scripted import open_scripted_model

pytestmark = pytest.mark.live

CITY: Json = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "age": {"type": "integer"}},
    "required": ["city", "age"],
    "additionalProperties": False,
}
OLD_CITY: Json = {**CITY, "properties": {**CITY["properties"], "age": {"type": "integer", "minimum": 100}}}
TREE: Json = {"type": "object", "properties": {"kids": {"type": "array", "items": {"$ref": "#"}}}, "required": ["kids"]}
DRAFT: Json = {"$schema": "https://json-schema.org/draft/2020-12/schema", **OLD_CITY}
WEATHER = Tool("get_weather", "Tell the weather of a city", {"type": "object"})

EITHER: Json = {"type": "object", "anyOf": [{"required": ["city"]}, {"required": ["age"]}]}

ASKED = prompt("Tell me of Oslo")


def called(arguments: Json) -> Conversation:
    return prompt(f"[[call {ANSWER} {json.dumps(arguments)}]]")


@pytest.mark.parametrize("schema", [OLD_CITY, TREE, DRAFT, {"type": "object", "nullable": True}])
async def test_a_schema_that_the_api_cannot_hold_to_is_a_tools_and_its_arguments_are_the_text(schema: Json) -> None:
    events, _, [request] = await converse(evolve(ASKED, output_schema=schema))
    [tool] = request["tools"]
    assert (tool["name"], tool["input_schema"]) == (
        ANSWER,
        {name: value for name, value in schema.items() if name != "$schema"},
    )
    assert request["tool_choice"] == {"type": "tool", "name": ANSWER}
    assert request["thinking"] == {"type": "disabled"}
    assert isinstance(json.loads(text_of(events)), dict)
    assert isinstance(events[-1], Finished)
    assert events[-1].stop_reason == "end_turn"


@pytest.mark.parametrize(
    ("conversation", "fault"),
    [
        (evolve(prompt("Reply with exactly: hello"), output_schema=CITY), "it is not JSON"),
        (evolve(prompt('Reply with exactly: {"city": "Oslo"}'), output_schema=CITY), '$ breaks "required"'),
        (evolve(called({"city": "Oslo", "age": 9}), output_schema=OLD_CITY), '$.age breaks "minimum": 100'),
        (evolve(called({"city": "Oslo", "age": "900"}), output_schema=OLD_CITY), '$.age breaks "type": "integer"'),
        (evolve(called({"name": "Oslo"}), output_schema=EITHER), "$ is none of anyOf"),
        (evolve(called({"kids": [{"kids": [{}]}]}), output_schema=TREE), '$.kids[0].kids[0] breaks "required"'),
        (evolve(prompt("Reply with exactly: hello"), output_schema=TREE), "it is not JSON"),
    ],
    ids=["words", "less", "too little", "in quotes", "neither", "deep within", "words for a tool"],
)
async def test_a_violation_is_a_failure_by_either_way_and_is_not_asked_for_again(
    conversation: Conversation, fault: str
) -> None:
    events, _, requests = await converse(conversation)
    assert isinstance(events[-1], Failed)
    assert fault in events[-1].error.message
    assert len(requests) == 1


async def test_a_choice_at_the_root_is_held_to_though_the_api_takes_none_in_a_tool() -> None:
    events, _, _ = await converse(evolve(called({"age": 900}), output_schema=EITHER))
    assert (text_of(events), type(events[-1])) == ('{"age": 900}', Finished)


async def test_an_object_without_anything_comes_without_a_piece_and_is_one() -> None:
    events, _, _ = await converse(evolve(called({}), output_schema={"type": "object"}))
    assert text_of(events) == "{}"
    assert isinstance(events[-1], Finished)


async def test_beside_the_clients_tools_one_of_them_must_be_called() -> None:
    events, _, [request] = await converse(evolve(called({"kids": []}), tools=(WEATHER,), output_schema=TREE))
    assert [tool["name"] for tool in request["tools"]] == ["get_weather", ANSWER]
    assert request["tool_choice"] == {"type": "any"}
    assert json.loads(text_of(events)) == {"kids": []}
    asking = evolve(prompt('[[call get_weather {"city": "Oslo"}]]'), tools=(WEATHER,), output_schema=TREE)
    events, _, _ = await converse(asking)
    assert [event.name for event in events if isinstance(event, ToolCallStarted)] == ["get_weather"]
    assert isinstance(events[-1], Finished)
    assert events[-1].stop_reason == "tool_use"


async def test_with_effort_it_thinks_and_is_not_forced() -> None:
    conversation = evolve(called({"kids": []}), output_schema=TREE, sampling=Sampling(effort="high"))
    events, _, [request] = await converse(conversation)
    assert request["thinking"]["type"] == "adaptive"
    assert "tool_choice" not in request
    assert json.loads(text_of(events)) == {"kids": []}


@pytest.mark.parametrize("schema", [CITY, TREE], ids=["api", "tool"])
async def test_a_limit_of_tokens_ends_it_and_is_one_request(schema: Json) -> None:
    asking = prompt("[[stop max_tokens]] Tell me of Oslo")
    events, _, requests = await converse(evolve(asking, output_schema=schema, sampling=Sampling(max_tokens=99)))
    assert isinstance(events[-1], Finished)
    assert (events[-1].stop_reason, len(requests)) == ("max_tokens", 1)


# The program's own way.


async def own_way(schema: Json, arguments: Json) -> Any:
    """Return the result, and the tools that the model was offered."""
    async with open_scripted_model() as model, open_cli(model) as cli:
        settings = {"model": "haiku", "env": {"MAX_STRUCTURED_OUTPUT_RETRIES": "0"}}
        cli.say(frames.control("one", "initialize", jsonSchema=schema), frames.apply_settings("two", settings))
        cli.ask(f"[[call StructuredOutput {json.dumps(arguments)}]]")
        result = await cli.until(type="result")
        return result, [tool["name"] for tool in asked(model)[0]["tools"]]


async def test_its_own_tool_changes_arguments_before_it_looks_at_them() -> None:
    result, _ = await own_way(CITY, {"city": "Oslo", "age": "900"})
    assert result["structured_output"] == {"city": "Oslo", "age": 900}


@pytest.mark.parametrize(
    "schema",
    [DRAFT, {"type": "object", "nullable": True, "x": 1}],
    ids=["a draft", "keywords"],
)
async def test_its_own_tool_is_silently_not_there_for_what_it_does_not_know(schema: Json) -> None:
    result, tools = await own_way(schema, {"city": "Oslo", "age": 900})
    assert (result["is_error"], tools) == (True, [])
