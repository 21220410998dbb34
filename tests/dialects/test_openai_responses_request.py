"""The fields of a request for a response: what they ask for, what is repeated of them, and what is refused."""

from typing import Any

import pytest
from responses_asked import TERMS, ask, body, call, conversation, function, message, namespace, output

from cca.dialects.contract import Keeping
from cca.dialects.openai_responses.listing import identified
from cca.dialects.openai_responses.request import decode
from cca.dialects.openai_responses.resource import input_tokens
from cca.errors import BadRequest, NotFound
from cca.estimate import START_TOKENS, TURN_TOKENS
from cca.model import Sampling, Tool, ToolChoice
from cca.wire import ARRAY_LIMIT

SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}}
FORMAT = {"type": "json_schema", "name": "n", "schema": SCHEMA}
EMPTY = {"type": "object", "properties": {}}


@pytest.mark.parametrize(
    ("fields", "sampling"),
    [
        pytest.param({}, Sampling(), id="nothing"),
        pytest.param({"max_output_tokens": 5}, Sampling(max_tokens=5), id="max_output_tokens"),
        pytest.param(
            {"model": "claude-haiku-4-5", "max_output_tokens": 31_999},
            Sampling(max_tokens=31_999, thinking=False),
            id="no room to think, for a model that has a budget",
        ),
        pytest.param(
            {"model": "claude-haiku-4-5", "max_output_tokens": 32_000, "reasoning": {"effort": "high"}},
            Sampling(max_tokens=32_000, effort="high"),
            id="room to think",
        ),
        pytest.param({"reasoning": {"effort": "high"}}, Sampling(effort="high"), id="effort"),
        pytest.param(
            {"model": "haiku", "temperature": 0.5, "top_p": 0.9},
            Sampling(temperature=0.5, top_p=0.9, thinking=False),
            id="temperature and top_p",
        ),
    ],
)
def test_sampling(fields: Any, sampling: Sampling) -> None:
    asked = ask(**fields)
    assert asked.ignored == ()
    assert asked.conversations[0].sampling == sampling


@pytest.mark.parametrize(
    ("fields", "schema"),
    [
        pytest.param({}, None, id="nothing"),
        pytest.param({"text": {}}, None, id="nothing of it"),
        pytest.param({"text": {"format": {"type": "text"}}}, None, id="text"),
        pytest.param({"text": {"format": {"type": "json_object"}}}, {"type": "object"}, id="json_object"),
        pytest.param({"text": {"format": FORMAT}}, SCHEMA, id="json_schema"),
    ],
)
def test_the_form_of_the_answer(fields: Any, schema: Any) -> None:
    assert conversation(**fields).output_schema == schema


DEEP: Any = []
for _ in range(201):
    DEEP = [DEEP]
"""What no answer can repeat."""

CLOSED = {"type": "object", "properties": {}, "additionalProperties": False}
"""What Claude's API can hold a tool to."""

F, G = Tool("f", None, EMPTY), Tool("mcp__s__g", None, EMPTY)
BOTH = [function("f"), namespace("mcp__s__", function("g"))]


@pytest.mark.parametrize(
    ("tools", "offered"),
    [
        pytest.param([function("f")], [F], id="a name alone"),
        pytest.param(
            [function("f", description="d", parameters=CLOSED, strict=True)],
            [Tool("f", "d", CLOSED, strict=True)],
            id="all of it",
        ),
        pytest.param([namespace("mcp__s__", function("g"))], [G], id="a namespace as Codex has MCP servers"),
        pytest.param([namespace("s", function("g"))], [Tool("s__g", None, EMPTY)], id="a namespace"),
        pytest.param(
            [namespace("s", function("g", description="d"), description="All.")],
            [Tool("s__g", "All.\n\nd", EMPTY)],
            id="a namespace with a description",
        ),
    ],
)
def test_tools(tools: Any, offered: list[Tool]) -> None:
    asked = ask(tools=tools)
    assert asked.ignored == ()
    assert list(asked.conversations[0].tools) == offered


@pytest.mark.parametrize(
    ("choice", "tools", "chosen"),
    [
        pytest.param("auto", [F, G], ToolChoice(), id="auto"),
        pytest.param("none", [F, G], ToolChoice("none"), id="none"),
        pytest.param("required", [F, G], ToolChoice("any"), id="required"),
        pytest.param({"type": "function", "name": "f"}, [F, G], ToolChoice("tool", "f"), id="named"),
        pytest.param(
            {"type": "function", "name": "g", "namespace": "mcp__s__"},
            [F, G],
            ToolChoice("tool", "mcp__s__g"),
            id="named, of a namespace",
        ),
        pytest.param(
            {"type": "allowed_tools", "mode": "required", "tools": [{"type": "function", "name": "f"}]},
            [F],
            ToolChoice("any"),
            id="allowed",
        ),
        pytest.param(
            {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "namespace", "name": "mcp__s__"}]},
            [G],
            ToolChoice(),
            id="allowed, a namespace",
        ),
        pytest.param(
            {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "namespace", "name": "mcp__s__"}] * 2},
            [G],
            ToolChoice(),
            id="allowed, a namespace twice",
        ),
        pytest.param(
            {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "web_search"}]},
            [],
            ToolChoice(),
            id="none left",
        ),
    ],
)
def test_the_choice_of_tools(choice: Any, tools: list[Tool], chosen: ToolChoice) -> None:
    asked = conversation(tools=BOTH, tool_choice=choice)
    assert (list(asked.tools), asked.tool_choice) == (tools, chosen)


def test_one_call_at_a_time() -> None:
    assert conversation(tools=BOTH, parallel_tool_calls=False).tool_choice == ToolChoice(parallel=False)


@pytest.mark.parametrize(
    ("fields", "ignored"),
    [
        pytest.param(
            {"text": {"format": {**FORMAT, "description": "d", "x": 1}}},
            ("text.format.x", "text.format.description"),
            id="of a form",
        ),
        pytest.param(
            {
                "tools": [{"type": "function", "name": "f"}],
                "tool_choice": {"type": "function", "name": "f", "x": 1},
            },
            ("tool_choice.x",),
            id="of a choice",
        ),
        pytest.param({"max_tool_calls": 3}, ("max_tool_calls",), id="a field"),
        pytest.param({"tools": [function("f", parameters=SCHEMA, strict=True)]}, ("tools.strict",), id="strict"),
        pytest.param({"truncation": "auto"}, ("truncation",), id="truncation"),
        pytest.param({"truncation": "disabled", "service_tier": "default"}, (), id="what is done anyway"),
        pytest.param({"background": False, "top_logprobs": 0, "prompt": None}, (), id="what is not asked for"),
        pytest.param(
            {"include": ["reasoning.encrypted_content"]}, ("include.reasoning.encrypted_content",), id="include"
        ),
        pytest.param(
            {"stream_options": {"include_obfuscation": False}},
            ("stream_options.include_obfuscation",),
            id="obfuscation",
        ),
        pytest.param({"text": {"verbosity": "low"}}, ("text.verbosity",), id="verbosity"),
        pytest.param({"reasoning": {"context": "auto"}}, ("reasoning.context",), id="reasoning"),
        pytest.param({"conversation": {"id": "c", "x": 1}}, ("conversation.x",), id="conversation"),
        pytest.param({"tools": [{"type": "web_search"}]}, ("tools[0] (web_search)",), id="a tool of OpenAI's"),
        pytest.param(
            {"tools": [{"type": "custom", "name": "p"}]}, ("tools[0] (custom)",), id="a tool without a schema"
        ),
        pytest.param(
            {"tools": [namespace("s", {"type": "custom", "name": "p"}, async_=1)]},
            ("tools.async_", "tools[0].tools[0] (custom)"),
            id="one of a namespace",
        ),
        pytest.param(
            {"model": "claude-haiku-4-5", "max_output_tokens": 99, "reasoning": {"effort": "high"}},
            ("reasoning.effort (no thinking within 99 tokens)",),
            id="effort without room",
        ),
        pytest.param({"tools": [function(defer_loading=True)]}, ("tools.defer_loading",), id="a tool's field"),
        pytest.param({"temperature": 0.5}, ("temperature",), id="what the model cannot take"),
    ],
)
def test_what_has_no_effect_is_named(fields: Any, ignored: tuple[str, ...]) -> None:
    assert ask(**fields).ignored == ignored


@pytest.mark.parametrize(
    ("fields", "param", "code"),
    [
        pytest.param({"background": True}, "background", "unsupported_value", id="background"),
        pytest.param({"prompt": {"id": "p"}}, "prompt", "unsupported_parameter", id="a template"),
        pytest.param({"top_logprobs": 3}, "top_logprobs", "unsupported_value", id="top_logprobs"),
        pytest.param(
            {"include": ["x", "message.output_text.logprobs"]}, "include[1]", "unsupported_value", id="logprobs"
        ),
        pytest.param({"stream": "yes"}, "stream", "invalid_type", id="stream"),
        pytest.param({"max_output_tokens": 0}, "max_output_tokens", "invalid_value", id="no tokens"),
        pytest.param({"reasoning": {"effort": "some"}}, "reasoning.effort", "invalid_value", id="effort"),
        pytest.param({"text": {"format": {"type": "xml"}}}, "text.format", "invalid_value", id="a format"),
        pytest.param(
            {"text": {"format": {"type": "json_schema"}}},
            "text.format.name",
            "missing_required_parameter",
            id="no schema",
        ),
        pytest.param({"metadata": {"a": 1}}, "metadata.a", "invalid_type", id="metadata"),
        pytest.param({"metadata": []}, "metadata", "invalid_type", id="metadata that is none"),
        pytest.param(
            {"metadata": dict.fromkeys(map(str, range(17)), "")}, "metadata", "invalid_value", id="much metadata"
        ),
        pytest.param({"metadata": {"k" * 65: ""}}, "metadata", "invalid_value", id="a long key"),
        pytest.param({"metadata": {"k": "v" * 513}}, "metadata.k", "invalid_value", id="a long value"),
        pytest.param({"tools": [7]}, "tools[0]", "invalid_type", id="no tool"),
        pytest.param({"tools": [{"name": "f"}]}, "tools[0].type", "missing_required_parameter", id="a tool of no type"),
        pytest.param({"tools": [function("a b")]}, "tools[0].name", "invalid_value", id="a name"),
        pytest.param({"tools": [function("f"), function("f")]}, "tools[1].name", "invalid_value", id="a name twice"),
        pytest.param(
            {"tools": [namespace("s", function("f", parameters={"type": "array"}))]},
            "tools[0].tools[0].parameters",
            "invalid_value",
            id="parameters",
        ),
        pytest.param(
            {"tools": [{"type": "web_search"}], "tool_choice": {"type": "web_search"}},
            "tool_choice",
            "unsupported_value",
            id="a tool of OpenAI's forced",
        ),
        pytest.param(
            {"tools": [{"type": "web_search"}], "tool_choice": "required"},
            "tool_choice",
            "invalid_value",
            id="and no other",
        ),
        pytest.param(
            {"tools": [{"type": "custom", "name": "p"}], "tool_choice": {"type": "custom", "name": "p"}},
            "tool_choice",
            "unsupported_value",
            id="a custom tool forced",
        ),
        pytest.param(
            {"tools": BOTH, "tool_choice": {"type": "allowed_tools", "tools": [{"type": "namespace", "name": "s"}]}},
            "tool_choice.tools[0].name",
            "invalid_value",
            id="a namespace that is not offered",
        ),
        pytest.param(
            {"tool_choice": {"type": "function", "x": DEEP}}, "tool_choice", "invalid_value", id="a deep choice"
        ),
        pytest.param({"text": {"format": {"type": "text", "x": DEEP}}}, "text", "invalid_value", id="a deep format"),
        pytest.param({"given": [{"type": "reasoning", "x": DEEP}]}, "input", "invalid_value", id="a deep item"),
        pytest.param({"conversation": 7}, "conversation", "invalid_type", id="no conversation"),
        pytest.param(
            {"conversation": "c", "previous_response_id": "r"},
            "previous_response_id",
            "mutually_exclusive_parameters",
            id="two things to go on from",
        ),
    ],
)
def test_what_is_refused(fields: Any, param: str, code: str) -> None:
    with pytest.raises(BadRequest) as caught:
        ask(**fields)
    assert (caught.value.param, caught.value.code) == (param, code)


@pytest.mark.parametrize("field", ["model", "input"])
def test_what_is_required(field: str) -> None:
    given = {name: value for name, value in body().items() if name != field}
    with pytest.raises(BadRequest) as caught:
        decode(given, TERMS)
    assert (caught.value.param, caught.value.code) == (field, "missing_required_parameter")


def test_a_model_that_there_is_not() -> None:
    with pytest.raises(NotFound):
        ask(model="none")


def test_a_stream() -> None:
    assert [ask(stream=wished).stream for wished in (True, False, None)] == [True, False, False]


@pytest.mark.parametrize(
    ("fields", "echo"),
    [
        pytest.param({"instructions": "i"}, {"instructions": "i"}, id="instructions"),
        pytest.param({"metadata": {"a": "b"}}, {"metadata": {"a": "b"}}, id="metadata"),
        pytest.param({"max_output_tokens": 5}, {"max_output_tokens": 5}, id="max_output_tokens"),
        pytest.param({"model": "haiku", "temperature": 0.5}, {"temperature": 0.5}, id="temperature"),
        pytest.param({"parallel_tool_calls": False}, {"parallel_tool_calls": False}, id="parallel_tool_calls"),
        pytest.param({"previous_response_id": "r"}, {"previous_response_id": "r"}, id="previous_response_id"),
        pytest.param({"conversation": "c"}, {"conversation": {"id": "c"}}, id="conversation"),
        pytest.param({"conversation": {"id": "c"}}, {"conversation": {"id": "c"}}, id="conversation as an object"),
        pytest.param(
            {"reasoning": {"effort": "low", "generate_summary": "auto"}},
            {"reasoning": {"effort": "low", "summary": "auto"}},
            id="reasoning",
        ),
        pytest.param(
            {"text": {"format": FORMAT}},
            {"text": {"format": {**FORMAT, "strict": False, "description": None}}},
            id="format",
        ),
        pytest.param(
            {"text": {"format": {"type": "json_object"}}}, {"text": {"format": {"type": "json_object"}}}, id="json"
        ),
        pytest.param(
            {"tools": [function("f"), {"type": "web_search"}], "tool_choice": "required"},
            {"tools": [function("f", description=None, parameters=None, strict=None)], "tool_choice": "required"},
            id="tools",
        ),
        pytest.param(
            {"tools": [namespace("s", function("g"))]},
            {"tools": [namespace("s", function("g", description=None, parameters=None, strict=None))]},
            id="a namespace",
        ),
        pytest.param({"temperature": 0.5, "truncation": "auto", "max_tool_calls": 3}, {}, id="not what has no effect"),
    ],
)
def test_what_the_answer_repeats(fields: Any, echo: Any) -> None:
    assert ask(**fields).echo == {**ask().echo, **echo}


ITEM = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hello"}], "status": "completed"}


@pytest.mark.parametrize(
    ("fields", "keeping"),
    [
        pytest.param({}, Keeping(store=True, input=(ITEM,)), id="stored unless"),
        pytest.param({"store": False}, Keeping(store=False, input=(ITEM,)), id="it is not to be"),
        pytest.param(
            {"metadata": {"a": "b"}, "previous_response_id": "r", "instructions": "i"},
            Keeping(store=True, input=(ITEM,), metadata={"a": "b"}, previous="r", instructions=("i",)),
            id="what it goes on from",
        ),
        pytest.param(
            {"conversation": "c"}, Keeping(store=True, input=(ITEM,), session="c"), id="the conversation that it is of"
        ),
    ],
)
def test_what_is_kept(fields: Any, keeping: Keeping) -> None:
    assert ask(**fields).keeping == keeping


def test_an_input_is_listed_in_one_shape_and_with_ids() -> None:
    given = [
        message("user", "Hello", id="msg_a"),
        message("assistant", "Hi"),
        {"type": "reasoning", "id": "rs_b", "summary": []},
        call("c"),
        output("c", "1"),
    ]
    said = {"type": "output_text", "text": "Hi", "annotations": []}
    assert list(identified(ask(given).keeping.input, "x")) == [
        {**ITEM, "id": "msg_a"},
        {**message("assistant", [said]), "type": "message", "status": "completed", "id": "msg_x_in1"},
        {"type": "reasoning", "id": "rs_b", "summary": []},
        {**call("c"), "status": "completed", "id": "fc_x_in3"},
        {**output("c", "1"), "status": "completed", "id": "fco_x_in4"},
    ]


def test_ids_that_are_sent_twice_are_told_apart() -> None:
    given = [message("user", "A", id="msg_same"), message("user", "B", id="msg_same")]
    assert [each["id"] for each in identified(ask(given).keeping.input, "x")] == ["msg_same", "msg_x_in1"]


def test_a_choice_in_a_choice_is_none() -> None:
    """It would be looked at once more for each that is in it."""
    inner = {"type": "allowed_tools", "mode": "auto", "tools": [namespace("mcp__s__")]}
    asked = conversation(tools=BOTH, tool_choice={"type": "allowed_tools", "mode": "auto", "tools": [inner]})
    assert asked.tools == ()


def test_a_choice_of_many_is_refused_before_it_is_looked_at() -> None:
    listed = [{"type": "function", "name": "f"}] * (ARRAY_LIMIT + 1)
    with pytest.raises(BadRequest, match=r"tool_choice.tools has 100,001 items") as refused:
        ask(tools=BOTH, tool_choice={"type": "allowed_tools", "mode": "auto", "tools": listed})
    assert refused.value.param == "tool_choice.tools"


NOTHING = START_TOKENS + TURN_TOKENS
"""What one message is before it says anything."""


def test_a_beginning_of_a_token_is_one() -> None:
    assert input_tokens(conversation("abc"))["input_tokens"] == NOTHING + 1


def test_tokens_of_an_input_are_estimated_without_those_that_may_come_out() -> None:
    counted = input_tokens(conversation("a" * 40, max_output_tokens=100))
    assert counted == {"object": "response.input_tokens", "input_tokens": NOTHING + 10}
