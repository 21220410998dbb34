"""What Claude Code changes of what was said before, which cca names or its README tells.

Each test is one statement about Claude Code. A release of it that changes one fails by name.
"""

import json

import pytest
from live_cli import request_for, turns, user

from cca.model import (
    AssistantPart,
    AssistantTurn,
    Conversation,
    Json,
    Text,
    Thinking,
    Tool,
    ToolResult,
    ToolUse,
    UserTurn,
)

pytestmark = pytest.mark.live

MODEL = "claude-sonnet-5-5"
OPEN: Json = {"type": "object"}

HUGE = 2**53 + 1
"""The first integer that JavaScript's numbers have no place for."""


async def past(*parts: AssistantPart, schema: Json = OPEN) -> Json:
    """Return the request after a turn of these parts, and the results of the calls among them."""
    calls = [part for part in parts if isinstance(part, ToolUse)]
    results = UserTurn(tuple(ToolResult(call.id, (Text("r"),)) for call in calls))
    tools = tuple(Tool(name, "d", schema) for name in {call.name: None for call in calls})
    said = (user("a"), AssistantTurn(parts, model=MODEL), results)
    return await request_for(Conversation(MODEL, said, tools=tools))


async def passed_on(name: str, given: Json) -> Json:
    """Return the input that a past call arrives with."""
    request = await past(ToolUse("c", name, given))
    return turns(request)[1][1][0]["input"]


@pytest.mark.parametrize(
    "parts",
    [
        (Text("x"), ToolUse("c", "look", {}), Text("mid"), ToolUse("d", "look", {})),
        (Text("x"), ToolUse("c", "look", {}), ToolUse("d", "look", {}), Thinking("hm", "c2ln")),
        (ToolUse("c", "look", {}), Thinking("hm", "c2ln"), Text("mid"), ToolUse("d", "look", {}), Text("end")),
    ],
    ids=["a text", "a thought", "both"],
)
async def test_what_stands_after_a_call_is_moved_to_before_the_calls(parts: tuple[AssistantPart, ...]) -> None:
    arrives = [block["type"] for block in turns(await past(*parts))[1][1]]
    kinds = {Text: "text", Thinking: "thinking", ToolUse: "tool_use"}
    sent = [kinds[type(part)] for part in parts]
    assert arrives == sorted(sent, key=lambda kind: kind == "tool_use") != sent


@pytest.mark.parametrize(
    ("name", "given", "lost"),
    [
        ("ExitPlanMode", {"plan": "p", "planFilePath": "f", "z": 1}, {"plan", "planFilePath"}),
        ("Edit", {"edits": [], "old_string": "a", "new_string": "b", "file_path": "f"}, {"old_string", "new_string"}),
    ],
)
async def test_a_past_call_of_a_tool_of_the_programs_own_name_loses_inputs(
    name: str, given: dict[str, Json], lost: set[str]
) -> None:
    assert await passed_on(name, given) == {key: value for key, value in given.items() if key not in lost}


async def test_a_past_edit_as_the_program_makes_it_arrives_as_it_was_made() -> None:
    given = {"file_path": "f.md", "old_string": "a \n", "new_string": "b  \n", "replace_all": False}
    assert await passed_on("Edit", given) == given


async def test_numbers_and_their_keys_are_those_of_javascript() -> None:
    """Integers are rounded from 2**53 on, a whole number is an integer, and keys that are integers come first."""
    given = {"b": HUGE, "2": 1.0, "1": HUGE - 2}
    schema = {"type": "object", "properties": {name: {"const": value} for name, value in given.items()}}
    request = await past(ToolUse("c", "look", given), schema=schema)
    arrived = {"1": HUGE - 2, "2": 1, "b": HUGE - 1}
    assert json.dumps(turns(request)[1][1][0]["input"]) == json.dumps(arrived)
    properties = request["tools"][0]["input_schema"]["properties"]
    assert json.dumps(properties) == json.dumps({name: {"const": value} for name, value in arrived.items()})
