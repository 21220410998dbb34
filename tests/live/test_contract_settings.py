"""What can be told to a process that runs already: model, sampling, effort, tools, the shape of the answer.

Each test is one statement about Claude Code that cca relies on. A release of it that changes one fails by name.
"""

import pytest
from attrs import evolve
from live_cli import Surroundings, asked, converse, open_cli, prompt, request_for, text_of, unmarked

from cca.claude import frames
from cca.claude.introduction import Introduction, ask
from cca.claude.launch import MINIMUM_VERSION
from cca.errors import NotFound
from cca.model import Failed, Finished, Json, Sampling, Tool, ToolCallDelta, ToolCallStarted
from cca.scripted import open_scripted_model

pytestmark = pytest.mark.live

CITY: Json = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}

WEATHER = Tool("get_weather", "Tell the weather of a city", CITY)

ODD_SCHEMA: Json = {
    "type": "object",
    "properties": {
        "a": {"anyOf": [{"type": "string", "pattern": "^x+$"}, {"type": "null"}]},
        "b": {"$ref": "#/$defs/b"},
    },
    "$defs": {"b": {"enum": [1, "two", None]}},
    "additionalProperties": False,
}


async def test_initialize_tells_the_version_and_the_models() -> None:
    said = Introduction()
    async with open_scripted_model() as model, open_cli(model) as cli:
        cli.say(ask())
        while not said.complete:
            said.feed(await cli.process.read())
    assert tuple(map(int, said.cli_version.split("."))) >= MINIMUM_VERSION
    known = {entry.alias: entry.id for entry in said.models}
    assert {"haiku", "sonnet", "opus"} <= known.keys()
    assert all(known[alias].startswith(f"claude-{alias}-") for alias in ("haiku", "sonnet", "opus"))


async def test_control_frames_and_the_prompt_may_be_written_back_to_back() -> None:
    async with open_scripted_model() as model, open_cli(model) as cli:
        cli.say(
            frames.initialize("one", ["Be terse."], []),
            frames.apply_settings("two", {"model": "opus", "effortLevel": "low"}),
        )
        cli.ask("hello")
        await cli.until(type="result")
        replies = [line["response"] for line in cli.lines if line["type"] == "control_response"]
        assert [(reply["request_id"], reply["subtype"]) for reply in replies] == [
            ("one", "success"),
            ("two", "success"),
        ]
        [request] = asked(model)
        assert request["system"][-1]["text"] == "Be terse."
        assert request["model"].startswith("claude-opus-")
        assert request["output_config"]["effort"] == "low"


async def test_a_control_request_that_is_not_known_is_answered_by_an_error() -> None:
    async with open_scripted_model() as model, open_cli(model) as cli:
        cli.say(frames.control("one", "no_such_subtype"))
        reply = (await cli.until(type="control_response"))["response"]
        assert (reply["request_id"], reply["subtype"]) == ("one", "error")
        assert reply["error"]


@pytest.mark.parametrize("alias", ["haiku", "sonnet", "opus"])
async def test_the_settings_model_may_be_an_alias(alias: str) -> None:
    request = await request_for(evolve(prompt("hello"), model=alias))
    assert request["model"].startswith(f"claude-{alias}-")


async def test_set_model_asks_the_api_about_an_id_before_the_answer() -> None:
    """A request of one token that the account pays for, and a round trip: why cca sets the model otherwise."""
    async with open_scripted_model() as model, open_cli(model) as cli:
        cli.say(frames.control("one", "set_model", model="claude-sonnet-5-5"))
        assert (await cli.until(type="control_response"))["response"]["subtype"] == "success"
        assert [(body["model"], body["max_tokens"]) for body in asked(model)] == [("claude-sonnet-5-5", 1)]


async def test_set_model_refuses_a_model_that_the_api_does_not_know() -> None:
    async with open_scripted_model() as model, open_cli(model) as cli:
        cli.say(frames.control("one", "set_model", model="gpt-9"))
        reply = (await cli.until(type="control_response"))["response"]
        assert (reply["subtype"], reply["error_code"]) == ("error", "not_found")


@pytest.mark.parametrize(
    ("name", "sent"),
    [
        ("claude-sonnet-5-5", "claude-sonnet-5-5"),
        ("claude-unheard-of-9", "claude-unheard-of-9"),
        ("claude-sonnet-5-5[1m]", "claude-sonnet-5-5"),
        ("haiku", "claude-haiku-5-5"),
    ],
)
async def test_a_model_in_the_settings_is_taken_as_it_is_without_its_context_mark(name: str, sent: str) -> None:
    async with open_scripted_model() as model, open_cli(model) as cli:
        cli.say(frames.apply_settings("one", {"model": name}))
        cli.ask("hello")
        await cli.until(type="result")
        assert [body["model"] for body in asked(model)] == [sent]


async def test_an_answer_by_a_models_id_is_one_request() -> None:
    await request_for(evolve(prompt("hello"), model="claude-sonnet-5-5"))


@pytest.mark.parametrize("name", ["claude-opus-4-20250514", "claude-opus-4-1-20250805", "claude-opus-4-1"])
async def test_an_old_model_is_asked_itself(name: str) -> None:
    assert (await request_for(evolve(prompt("hello"), model=name)))["model"] == name


async def test_without_our_switch_an_old_model_would_be_another() -> None:
    bare = Surroundings(without=frozenset({"CLAUDE_CODE_DISABLE_LEGACY_MODEL_REMAP"}))
    request = await request_for(evolve(prompt("hello"), model="claude-opus-4-1-20250805"), bare)
    assert request["model"] == (await request_for(evolve(prompt("hello"), model="opus")))["model"]


async def test_a_model_that_nobody_knows_fails_with_the_404_of_the_api() -> None:
    events, _, _ = await converse(evolve(prompt("hello"), model="gpt-9"))
    assert [type(event.error) for event in events if isinstance(event, Failed)] == [NotFound]


async def test_the_extra_body_arrives() -> None:
    sampling = Sampling(max_tokens=77, stop_sequences=("END", "\n\n"), temperature=0.5, top_p=0.25, thinking=False)
    request = await request_for(evolve(prompt("hello"), sampling=sampling))
    assert {name: request[name] for name in ("max_tokens", "stop_sequences", "temperature", "top_p", "thinking")} == {
        "max_tokens": 77,
        "stop_sequences": ["END", "\n\n"],
        "temperature": 0.5,
        "top_p": 0.25,
        "thinking": {"type": "disabled"},
    }


@pytest.mark.parametrize("effort", ["low", "medium", "high", "xhigh", "max"])
async def test_effort_level_is_the_requests_effort(effort: str) -> None:
    sampling = Sampling(effort=effort)  # type: ignore[arg-type]
    request = await request_for(evolve(prompt("hello"), model="opus", sampling=sampling))
    assert request["output_config"] == {"effort": effort}


async def test_output_config_format_arrives_beside_the_effort_and_its_json_comes_as_text() -> None:
    conversation = evolve(prompt("Tell me of Oslo"), output_schema=CITY, sampling=Sampling(effort="high"))
    events, _, [request] = await converse(conversation)
    assert request["output_config"] == {"effort": "high", "format": {"type": "json_schema", "schema": CITY}}
    assert text_of(events).startswith('{"city":')


async def test_tools_keep_their_names_their_order_and_all_of_their_text() -> None:
    tools = (
        Tool("zebra", "z" * 10_000, {"type": "object", "properties": {}}),
        Tool("Bash", "Ring a bell", ODD_SCHEMA),
        Tool("Read", "Read palms", CITY),
        Tool("get_weather", "", CITY),
    )
    request = await request_for(evolve(prompt("hello"), tools=tools))
    assert [unmarked(tool) for tool in request["tools"]] == [
        {"name": tool.name, "description": tool.description, "input_schema": tool.input_schema} for tool in tools
    ]


async def test_one_message_may_call_several_tools() -> None:
    asking = '[[call get_weather {"city": "Oslo"}]] [[call get_weather {"city": "Rome"}]] [[call Bash]] Let me look.'
    tools = (WEATHER, Tool("Bash", "Ring a bell", {"type": "object", "properties": {}}))
    events, lines, requests = await converse(evolve(prompt(asking), tools=tools))
    assert [event.name for event in events if isinstance(event, ToolCallStarted)] == [
        "get_weather",
        "get_weather",
        "Bash",
    ]
    arguments = "".join(event.partial_json for event in events if isinstance(event, ToolCallDelta))
    assert arguments == '{"city": "Oslo"}{"city": "Rome"}'
    assert isinstance(events[-1], Finished)
    assert events[-1].stop_reason == "tool_use"
    assert len(requests) == 1
    assert not [line for line in lines if line.get("subtype") == "permission_denied"]


async def test_a_tool_call_waits_for_us_under_the_clients_own_name() -> None:
    """The process asks us to run the tool, and asks the model nothing until we answer."""
    async with open_scripted_model() as model, open_cli(model) as cli:
        await cli.converse(evolve(prompt('[[call get_weather {"city": "Oslo"}]]'), tools=(WEATHER,)))
        call = (await cli.until(type="control_request"))["request"]
        assert (call["subtype"], call["server_name"]) == ("mcp_message", frames.TOOL_SERVER)
        assert call["message"]["method"] == "tools/call"
        assert call["message"]["params"]["name"] == "get_weather"
        assert call["message"]["params"]["arguments"] == {"city": "Oslo"}
        assert len(asked(model)) == 1
