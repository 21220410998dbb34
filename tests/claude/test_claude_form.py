"""The form of an answer: which way it is brought into it, and that what is not of it is never passed off as it."""

import json
from collections.abc import Sequence
from typing import Any

import pytest
from attrs import evolve
from printed import block_start, delta, message_delta, message_start, message_stop, result, said, text, whole
from printed import called as call_block

from cca.claude.dialogue import Dialogue
from cca.claude.form import ANSWER, NEAR, answer_name, choice_of, ends_at_once, strict_tools, tools_of, way_of
from cca.errors import UpstreamFailed
from cca.model import (
    AssistantTurn,
    Conversation,
    Event,
    Failed,
    Finished,
    Json,
    Sampling,
    Started,
    StopReason,
    Text,
    TextDelta,
    ThinkingDelta,
    Tool,
    ToolCallDelta,
    ToolCallStarted,
    ToolChoice,
    ToolResult,
    ToolUse,
    UserTurn,
)

CITY: Json = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
LONG_CITY: Json = {**CITY, "properties": {"city": {"type": "string", "minLength": 3}}}
ANY_OBJECT: Json = {"type": "object"}

PLAIN = Conversation("haiku", (UserTurn((Text("Hi"),)),))
WEATHER = Tool("get_weather", "", CITY)

BY_API = evolve(PLAIN, output_schema=CITY)
BY_TOOL = evolve(PLAIN, output_schema=LONG_CITY)
OF_ANY = evolve(PLAIN, output_schema=ANY_OBJECT)
WITH_TOOLS = evolve(BY_TOOL, tools=(WEATHER,))

USES = tuple(ToolUse(f"call_{number}", name, {}) for number, name in enumerate("fgf"))
RESULTS = tuple(ToolResult(use.id, ()) for use in USES)
HAVING_CALLED = evolve(PLAIN, turns=(*PLAIN.turns, AssistantTurn(USES), UserTurn(RESULTS)))

THINKING = Sampling(effort="high")
FORCED = ToolChoice("tool", "get_weather")


@pytest.mark.parametrize(
    ("conversation", "way"),
    [
        (PLAIN, "free"),
        (BY_API, "api"),
        (evolve(BY_API, tools=(WEATHER,)), "api"),
        (evolve(PLAIN, output_schema={"$schema": "https://json-schema.org/draft/2020-12/schema", **CITY}), "api"),
        (BY_TOOL, "tool"),
        (OF_ANY, "tool"),
        (WITH_TOOLS, "tool"),
        (evolve(WITH_TOOLS, tool_choice=FORCED), "free"),
        (evolve(WITH_TOOLS, tool_choice=ToolChoice("any")), "free"),
        (evolve(WITH_TOOLS, tool_choice=ToolChoice("none")), "tool"),
    ],
    ids=str,
)
def test_a_schema_that_the_api_knows_goes_there_and_another_is_a_tools(conversation: Conversation, way: str) -> None:
    assert way_of(conversation) == way


ANSWER_ALONE = {"type": "tool", "name": ANSWER}


@pytest.mark.parametrize(
    ("conversation", "names", "choice"),
    [
        pytest.param(PLAIN, [], None, id="nothing"),
        pytest.param(evolve(PLAIN, tools=(WEATHER,)), ["get_weather"], None, id="a tool"),
        pytest.param(
            evolve(PLAIN, tools=(WEATHER,), tool_choice=ToolChoice("auto", parallel=False)),
            ["get_weather"],
            {"type": "auto", "disable_parallel_tool_use": True},
            id="one call at a time",
        ),
        pytest.param(
            evolve(PLAIN, tools=(WEATHER,), tool_choice=ToolChoice("any")), ["get_weather"], {"type": "any"}, id="any"
        ),
        pytest.param(
            evolve(PLAIN, tools=(WEATHER,), tool_choice=evolve(FORCED, parallel=False)),
            ["get_weather"],
            {"type": "tool", "name": "get_weather", "disable_parallel_tool_use": True},
            id="one of a name, once",
        ),
        pytest.param(
            evolve(PLAIN, tools=(WEATHER,), tool_choice=ToolChoice("none", parallel=False)),
            ["get_weather"],
            {"type": "none"},
            id="none",
        ),
        pytest.param(evolve(PLAIN, tool_choice=ToolChoice("none", parallel=False)), [], None, id="none of none"),
        pytest.param(evolve(BY_API, tools=(WEATHER,)), ["get_weather"], None, id="the API's own format"),
        pytest.param(HAVING_CALLED, ["f", "g"], {"type": "none"}, id="none, and calls in the history"),
        pytest.param(
            evolve(HAVING_CALLED, tools=(WEATHER,)), ["get_weather"], None, id="another, and calls in the history"
        ),
        pytest.param(
            evolve(HAVING_CALLED, output_schema=CITY),
            ["f", "g"],
            {"type": "none"},
            id="the API's own format, after calls",
        ),
        pytest.param(
            evolve(HAVING_CALLED, output_schema=LONG_CITY),
            [ANSWER],
            ANSWER_ALONE,
            id="a tool for the answer, after calls",
        ),
        pytest.param(BY_TOOL, [ANSWER], ANSWER_ALONE, id="a tool for the answer"),
        pytest.param(evolve(BY_TOOL, sampling=THINKING), [ANSWER], None, id="thinking, so that nothing is forced"),
        pytest.param(evolve(BY_TOOL, sampling=Sampling(thinking=True)), [ANSWER], None, id="thinking by its switch"),
        pytest.param(
            evolve(BY_TOOL, sampling=Sampling(thinking=False)), [ANSWER], ANSWER_ALONE, id="thinking off, as it will be"
        ),
        pytest.param(WITH_TOOLS, ["get_weather", ANSWER], {"type": "any"}, id="beside the client's"),
        pytest.param(
            evolve(WITH_TOOLS, tool_choice=ToolChoice(parallel=False)),
            ["get_weather", ANSWER],
            {"type": "any", "disable_parallel_tool_use": True},
            id="beside the client's, one at a time",
        ),
        pytest.param(evolve(WITH_TOOLS, sampling=THINKING), ["get_weather", ANSWER], None, id="that, thinking"),
        pytest.param(
            evolve(WITH_TOOLS, tool_choice=ToolChoice("none")), [ANSWER], ANSWER_ALONE, id="none of the client's"
        ),
        pytest.param(
            evolve(WITH_TOOLS, tool_choice=FORCED),
            ["get_weather"],
            {"type": "tool", "name": "get_weather"},
            id="a call is wanted, and no answer",
        ),
    ],
)
def test_what_the_model_may_call_and_must(conversation: Conversation, names: list[str], choice: Any) -> None:
    assert [tool.name for tool in tools_of(conversation)] == names
    assert choice_of(conversation) == choice


def test_the_tool_for_the_answer_has_its_schema_with_the_type_that_the_api_needs() -> None:
    [tool] = tools_of(evolve(PLAIN, output_schema={"$schema": "x", "$ref": "#/$defs/a", "$defs": {"a": ANY_OBJECT}}))
    assert tool.input_schema == {"type": "object", "$ref": "#/$defs/a", "$defs": {"a": ANY_OBJECT}}


@pytest.mark.parametrize("word", ["anyOf", "oneOf", "allOf"])
def test_what_the_api_takes_at_the_root_of_no_tool_is_said_in_words(word: str) -> None:
    """It would refuse the request, in words about a tool that its client has never heard of."""
    schema: Json = {"type": "object", word: [{"required": ["a"]}, {"required": ["b"]}], "$defs": {"c": {word: [{}]}}}
    conversation = evolve(PLAIN, output_schema={**schema, "$schema": "x"})
    assert way_of(conversation) == "tool"
    [tool] = tools_of(conversation)
    assert tool.input_schema == {"type": "object", "$defs": {"c": {word: [{}]}}}
    assert tool.description is not None
    assert json.loads(tool.description.partition("this JSON schema: ")[2]) == schema


def test_what_was_called_before_is_there_without_a_word_about_it() -> None:
    assert tools_of(HAVING_CALLED) == (Tool("f", None, ANY_OBJECT), Tool("g", None, ANY_OBJECT))


def test_its_name_is_none_of_the_clients() -> None:
    assert answer_name(BY_TOOL) == ANSWER
    assert answer_name(evolve(BY_TOOL, tools=(Tool(ANSWER, "", CITY),))) == f"{ANSWER}_2"
    taken = tuple(Tool(name, "", CITY) for name in (ANSWER, f"{ANSWER}_2", f"{ANSWER}_3"))
    assert answer_name(evolve(BY_TOOL, tools=taken)) == f"{ANSWER}_4"


LIMITED = Sampling(max_tokens=9)


@pytest.mark.parametrize(
    ("conversation", "may"),
    [
        (PLAIN, False),
        (evolve(PLAIN, sampling=LIMITED), True),
        (evolve(PLAIN, sampling=Sampling(max_tokens=NEAR)), True),
        (evolve(PLAIN, sampling=Sampling(max_tokens=NEAR + 1)), False),
        (evolve(BY_API, sampling=LIMITED), True),
        (evolve(BY_TOOL, sampling=LIMITED), False),
        (evolve(PLAIN, sampling=LIMITED, tools=(WEATHER,)), False),
    ],
    ids=str,
)
def test_a_program_ends_by_itself_at_a_near_limit_without_tools(conversation: Conversation, may: bool) -> None:  # noqa: FBT001
    assert ends_at_once(conversation) is may


def optional(count: int) -> Json:
    return {**CITY, "properties": {str(n): {"type": "string"} for n in range(count)}, "required": []}


@pytest.mark.parametrize(
    ("tools", "schema", "names"),
    [
        pytest.param([("a", CITY, True), ("b", CITY, False), ("c", CITY, None)], None, {"a"}, id="who asks for it"),
        pytest.param([("a", LONG_CITY, True), ("b", CITY, True)], None, {"b"}, id="what the API can hold to"),
        pytest.param([("a", optional(20), True), ("b", optional(5), True)], None, {"a"}, id="no more than it takes"),
        pytest.param([("a", optional(20), True)], optional(5), set(), id="with what the answer takes"),
        pytest.param([("a", optional(20), True)], ANY_OBJECT, {"a"}, id="an answer that it does not hold"),
        pytest.param([(f"t{n}", CITY, True) for n in range(21)], None, {f"t{n}" for n in range(20)}, id="twenty"),
    ],
)
def test_a_tool_is_strict_where_the_api_can_hold_to_it(tools: Any, schema: Json, names: set[str]) -> None:
    offered = tuple(Tool(name, "", given, strict) for name, given, strict in tools)
    assert strict_tools(evolve(PLAIN, tools=offered, output_schema=schema)) == names


# What the model says, and what the client is told.


def told(conversation: Conversation, *lines: bytes) -> list[Event]:
    dialogue = Dialogue(conversation, 0.0)
    dialogue.open()
    return [event for line in (message_start(), *lines) for event in dialogue.feed(line).events]


def opens(name: str = ANSWER, id: str = "t1") -> bytes:  # noqa: A002 - as the API calls it
    return block_start("tool_use", id=id, name=name, input={})


def piece(json: str) -> bytes:
    return delta("input_json_delta", partial_json=json)


def gist(events: Sequence[Event]) -> list[Any]:
    """Return events in short: text as it is, a call by its name, the end by its reason or its error."""
    return [short for event in events if (short := _short(event)) is not None]


def _short(event: Event) -> Any:
    match event:
        case Started():
            return None
        case TextDelta(words):
            return words
        case ThinkingDelta():
            return "..."
        case ToolCallStarted(_, name):
            return ("call", name)
        case ToolCallDelta(json):
            return ("input", json)
        case Finished(reason):
            return ("end", reason)
        case Failed(error):
            assert isinstance(error, UpstreamFailed)
            return ("failed", error.message)


def failed(fault: str) -> tuple[str, str]:
    return "failed", f"The model's answer is not what was asked for: {fault}. Send the request again."


SHORT = '$.city breaks "minLength": 3'
NOT_TEXT = '$.city breaks "type": "string"'
NO_JSON = "it is not JSON"


@pytest.mark.parametrize(
    ("conversation", "lines", "events"),
    [
        pytest.param(
            PLAIN, [text("{"), message_delta()], ["{", ("end", "end_turn")], id="without a schema anything is an answer"
        ),
        pytest.param(
            BY_API,
            [text('{"city"'), text(':"Oslo"}'), message_delta()],
            ['{"city"', ':"Oslo"}', ("end", "end_turn")],
            id="text of the schema, as it is written",
        ),
        pytest.param(
            BY_API,
            [text('{"city":5}'), message_delta()],
            ['{"city":5}', failed(NOT_TEXT)],
            id="text of another is no success",
        ),
        pytest.param(BY_API, [text("hello"), message_delta()], ["hello", failed(NO_JSON)], id="nor are words"),
        pytest.param(
            BY_API,
            [text('{"ci'), message_delta("stop_sequence", "ty")],
            ['{"ci', failed(NO_JSON)],
            id="nor what a stop sequence cut off",
        ),
        pytest.param(
            BY_API, [text('{"ci'), message_delta("max_tokens")], ['{"ci', ("end", "max_tokens")], id="a limit is told"
        ),
        pytest.param(
            BY_API, [text("No."), message_delta("refusal")], ["No.", ("end", "refusal")], id="a refusal is told"
        ),
        pytest.param(
            evolve(BY_API, tools=(WEATHER,)),
            [text("Let me see."), opens("get_weather"), piece("{}"), message_delta("tool_use")],
            ["Let me see.", ("call", "get_weather"), ("input", "{}"), ("end", "tool_use")],
            id="a call is no answer yet",
        ),
        pytest.param(
            BY_API,
            [text("[]"), message_delta("tool_use")],
            ["[]", failed('$ breaks "type": "object"')],
            id="without any call there has to be one",
        ),
        pytest.param(
            BY_TOOL,
            [opens(), piece(""), piece('{"city"'), piece(':"Oslo"}'), message_delta("tool_use")],
            ['{"city"', ':"Oslo"}', ("end", "end_turn")],
            id="arguments are the text",
        ),
        pytest.param(
            BY_TOOL,
            [opens(), piece('{"city":"Os"}'), message_delta("tool_use")],
            ['{"city":"Os"}', failed(SHORT)],
            id="arguments of another schema are no success",
        ),
        pytest.param(
            BY_TOOL,
            [
                block_start("thinking"),
                delta("thinking_delta", thinking="Hm"),
                block_start(),
                text("Here it is:"),
                opens(),
                piece('{"city":"Oslo"}'),
                message_delta("tool_use"),
            ],
            ["...", '{"city":"Oslo"}', ("end", "end_turn")],
            id="words beside them are none of the answer",
        ),
        pytest.param(
            OF_ANY, [opens(), message_delta("tool_use")], ["{}", ("end", "end_turn")], id="no arguments are {}"
        ),
        pytest.param(
            BY_TOOL,
            [opens(), message_delta("tool_use")],
            [failed('$ breaks "required": ["city"]')],
            id="and of the schema, or not",
        ),
        pytest.param(
            BY_TOOL,
            [text('{"city":'), text('"Oslo"}'), message_delta()],
            ['{"city":"Oslo"}', ("end", "end_turn")],
            id="JSON that was said instead is an answer, too",
        ),
        pytest.param(
            BY_TOOL,
            [
                *(block_start(text="I quote."), delta("citations_delta", citation={"type": "char_location"})),
                *(block_start(text="So:"), opens(), piece('{"city":"Oslo"}'), message_delta("tool_use")),
            ],
            ['{"city":"Oslo"}', ("end", "end_turn")],
            id="nothing of texts beside it is told, nor where they end, nor what they cite",
        ),
        pytest.param(BY_TOOL, [text("Oslo."), message_delta()], [failed(NO_JSON)], id="other words are not"),
        pytest.param(
            BY_TOOL,
            [message_delta()],
            [failed(NO_JSON)],
            id="nor is silence",
        ),
        pytest.param(
            BY_TOOL,
            [opens(), piece('{"city":'), message_delta("max_tokens")],
            ['{"city":', ("end", "max_tokens")],
            id="a limit is told of arguments",
        ),
        pytest.param(
            BY_TOOL,
            [text("I can't."), message_delta("refusal")],
            ["I can't.", ("end", "refusal")],
            id="a refusal of it, too",
        ),
        pytest.param(
            BY_TOOL,
            [opens(), piece('{"city":"Oslo"}'), opens(id="t2"), piece('{"city":"Rome"}'), message_delta("tool_use")],
            ['{"city":"Oslo"}', ("end", "end_turn")],
            id="the first of two answers counts",
        ),
        pytest.param(
            WITH_TOOLS,
            [text("Let me see."), opens("get_weather"), piece("{}"), message_delta("tool_use")],
            [("call", "get_weather"), ("input", "{}"), ("end", "tool_use")],
            id="the client's tool is called",
        ),
        pytest.param(
            WITH_TOOLS,
            [opens("get_weather"), piece("{}"), opens(id="t2"), piece('{"city":"Rome"}'), message_delta("tool_use")],
            [("call", "get_weather"), ("input", "{}"), ("end", "tool_use")],
            id="an answer after a call is early",
        ),
        pytest.param(
            WITH_TOOLS,
            [opens(), piece('{"city":"Rome"}'), opens("get_weather", "t2"), piece("{}"), message_delta("tool_use")],
            ['{"city":"Rome"}', ("call", "get_weather"), ("input", "{}"), ("end", "tool_use")],
            id="a call after an answer is to be made",
        ),
        pytest.param(
            WITH_TOOLS,
            [opens(), piece('{"city":"Os"}'), opens("get_weather", "t2"), piece("{}"), message_delta("tool_use")],
            ['{"city":"Os"}', ("call", "get_weather"), ("input", "{}"), failed(SHORT)],
            id="which makes an answer of another schema no success",
        ),
        pytest.param(
            BY_TOOL,
            [opens(), piece('{"city":"Rome"}'), opens("zzz", "t2"), piece("{}"), message_delta("tool_use")],
            ['{"city":"Rome"}', ("end", "end_turn")],
            id="a call of what is not on offer is none",
        ),
        pytest.param(
            BY_TOOL,
            [opens("zzz"), piece("{}"), message_delta("tool_use")],
            [failed(NO_JSON)],
            id="and no answer",
        ),
        pytest.param(
            evolve(BY_TOOL, tools=(Tool(ANSWER, "", CITY),)),
            [opens(), piece("{}"), message_delta("tool_use")],
            [("call", ANSWER), ("input", "{}"), ("end", "tool_use")],
            id="a client's tool of that name is the client's",
        ),
        pytest.param(
            evolve(PLAIN, output_schema={"$ref": "#"}),
            [opens(), piece("{}"), message_delta("tool_use")],
            ["{}", failed("it takes too long to check it against its schema")],
            id="what cannot be checked is no success",
        ),
        pytest.param(
            BY_TOOL,
            [
                text("Well,"),
                message_stop(),
                message_start("msg_2"),
                opens(),
                piece('{"city":"Oslo"}'),
                message_delta("tool_use"),
            ],
            ['{"city":"Oslo"}', ("end", "end_turn")],
            id="a message that broke off before its answer is forgotten",
        ),
        pytest.param(
            BY_TOOL,
            [whole(said("So:"), call_block("t1", ANSWER, city="Oslo"), reason="tool_use"), result()],
            ['{"city":"Oslo"}', ("end", "end_turn")],
            id="a message that came whole",
        ),
    ],
)
def test_an_answer_is_exactly_the_json_or_has_failed(
    conversation: Conversation, lines: list[bytes], events: list[Any]
) -> None:
    assert gist(told(conversation, *lines)) == events


@pytest.mark.parametrize(
    "lines", [[text("[]")], [text("{"), opens(), piece("[]")], [opens("f"), piece("{}"), text("[]")]]
)
@pytest.mark.parametrize("conversation", [BY_API, BY_TOOL], ids=["api", "tool"])
@pytest.mark.parametrize("reason", ["end_turn", "stop_sequence"])
def test_no_stop_reason_makes_a_violation_a_success(
    conversation: Conversation, lines: list[bytes], reason: StopReason
) -> None:
    assert isinstance(told(conversation, *lines, message_delta(reason))[-1], Failed)
