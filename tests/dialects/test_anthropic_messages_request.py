"""What else a request for a message says: how to sample, what may be called, and in what form to answer."""

from typing import Any

import pytest
from attrs import evolve
from messages_asked import (
    HE,
    MARK,
    NEW,
    OLD,
    SCHEMA,
    VERSIONS,
    ask,
    assistant,
    body,
    call,
    conversation,
    document,
    found,
    image,
    refused_at,
    result,
    terms,
    text,
    tool,
    user,
)

from cca.dialects.anthropic_messages.request import decode, decode_count
from cca.errors import BadRequest, NotFound
from cca.model import CacheMark, Conversation, Sampling, Text, Tool, ToolChoice, ToolResult

THINKS = {"type": "enabled", "budget_tokens": 1024}
ADAPTS = {"type": "adaptive"}
FORM = {"type": "json_schema", "schema": SCHEMA}


def test_a_plain_request_says_nothing_but_what_it_has_to() -> None:
    heard = ask()
    assert heard.conversations == (Conversation("sonnet", conversation().turns, sampling=Sampling(9)),)
    assert (heard.stream, heard.ignored, heard.results) == (False, (), {})


@pytest.mark.parametrize(("stream", "expected"), [(None, False), (False, False), (True, True)])
def test_it_is_streamed_on_request(stream: Any, expected: bool) -> None:  # noqa: FBT001 - a row
    assert ask(stream=stream).stream is expected


@pytest.mark.parametrize(
    ("model", "fields", "sampling", "ignored"),
    [
        pytest.param("haiku", {}, {"thinking": False}, (), id="no thinking where a model can do without"),
        pytest.param("sonnet", {}, {}, (), id="as the model does, where it cannot"),
        pytest.param("claude-unknown-9", {}, {}, (), id="as a model does that nobody knows"),
        pytest.param("haiku", {"thinking": {"type": "disabled"}}, {"thinking": False}, (), id="thinking disabled"),
        pytest.param(
            "sonnet",
            {"thinking": {"type": "disabled"}},
            {},
            ("thinking (the model always does)",),
            id="thinking disabled in vain",
        ),
        pytest.param("sonnet", {"thinking": ADAPTS}, {"thinking": True}, (), id="adaptive"),
        pytest.param(
            "haiku",
            {"thinking": THINKS, "max_tokens": 1025},
            {"max_tokens": 1025, "thinking": True, "thinking_budget": 1024},
            (),
            id="within a budget",
        ),
        pytest.param(
            "haiku",
            {"thinking": {**ADAPTS, "display": "summarized"}},
            {"thinking": True, "thinking_display": "summarized"},
            (),
            id="summarized",
        ),
        pytest.param(
            "haiku",
            {"thinking": {**ADAPTS, "display": "omitted"}},
            {"thinking": True, "thinking_display": "omitted"},
            (),
            id="omitted",
        ),
        pytest.param(
            "haiku",
            {"thinking": {**ADAPTS, "display": "updates", "x": 1}},
            {"thinking": True},
            ("thinking.x", "thinking.display (updates)"),
            id="as Claude Code has it displayed",
        ),
        pytest.param(
            "haiku",
            {"thinking": {"type": "disabled", "display": "omitted", "budget_tokens": 3}},
            {"thinking": False},
            ("thinking.budget_tokens", "thinking.display (omitted)"),
            id="disabled with words",
        ),
        pytest.param(
            "haiku",
            {"temperature": 0.5, "top_p": 0.4, "top_k": 3},
            {"temperature": 0.5, "top_p": 0.4, "top_k": 3, "thinking": False},
            (),
            id="tuned",
        ),
        pytest.param("haiku", {"temperature": 0}, {"temperature": 0.0, "thinking": False}, (), id="coldest"),
        pytest.param("haiku", {"temperature": 1, "top_p": 1.0, "top_k": 0}, {"thinking": False}, (), id="as always"),
        pytest.param(
            "sonnet",
            {"temperature": 0.5, "top_p": 0.4, "top_k": 3},
            {},
            ("temperature", "top_p", "top_k"),
            id="tuned in vain, where a model always thinks",
        ),
        pytest.param(
            "sonnet",
            {"temperature": 1, "top_p": 0.95, "top_k": 0, "thinking": ADAPTS},
            {"thinking": True, "top_p": 0.95},
            (),
            id="tuned as far as goes with thinking",
        ),
        pytest.param(
            "sonnet", {"stop_sequences": ["a", " b\n"]}, {"stop_sequences": ("a", " b\n")}, (), id="stop sequences"
        ),
        pytest.param("sonnet", {"stop_sequences": []}, {}, (), id="no stop sequences"),
        pytest.param(
            "sonnet",
            {"stop_sequences": [str(number) for number in range(1000)]},
            {"stop_sequences": tuple(str(number) for number in range(1000))},
            (),
            id="many stop sequences",
        ),
        *(
            pytest.param("sonnet", {"output_config": {"effort": each}}, {"effort": each}, (), id=f"effort {each}")
            for each in ("low", "medium", "high", "xhigh", "max")
        ),
        pytest.param(
            "haiku", {"output_config": {"effort": "low"}}, {"effort": "low", "thinking": False}, (), id="both"
        ),
        pytest.param("sonnet", {"output_config": {"effort": None, "format": None}}, {}, (), id="nothing of the output"),
        pytest.param(
            "sonnet", {"output_config": {"task_budget": {}}}, {}, ("output_config.task_budget",), id="task budget"
        ),
    ],
)
def test_how_to_sample(model: str, fields: Any, sampling: Any, ignored: Any) -> None:
    heard = ask(model=model, **fields)
    assert heard.conversations[0].sampling == Sampling(**{"max_tokens": 9, **sampling})
    assert heard.ignored == ignored


@pytest.mark.parametrize("version", [None, OLD, "2025-01-01"])
def test_sampling_may_be_tuned_before_the_newer_version(version: str | None) -> None:
    assert conversation(model="haiku", version=version, temperature=0.5).sampling.temperature == 0.5


@pytest.mark.parametrize("fields", [{"temperature": 1}, {"top_p": 0.5}, {"top_k": 0}], ids=str)
def test_sampling_may_not_be_tuned_from_the_newer_version_on(fields: Any) -> None:
    (name,) = fields
    refused_at(name, "Extra inputs are not permitted", version=NEW, model="haiku", **fields)
    assert ask(version=NEW, **dict.fromkeys(fields)).ignored == ()


@pytest.mark.parametrize(
    ("fields", "param", "said"),
    [
        pytest.param({"max_tokens": None}, "max_tokens", "is missing", id="limit left out"),
        pytest.param({"max_tokens": 0}, "max_tokens", "only fills the API's cache", id="limit of nothing"),
        pytest.param({"max_tokens": -1}, "max_tokens", "must be 1 or more", id="limit below nothing"),
        pytest.param({"max_tokens": 1.5}, "max_tokens", "must be an integer", id="limit of one and a half"),
        pytest.param({"max_tokens": True}, "max_tokens", "must be an integer", id="limit that is true"),
        pytest.param({"temperature": 1.5}, "temperature", "from 0 to 1", id="too hot"),
        pytest.param({"temperature": -0.1}, "temperature", "from 0 to 1", id="too cold"),
        pytest.param({"temperature": "1"}, "temperature", "must be a number", id="temperature as a string"),
        pytest.param({"top_p": 1.1}, "top_p", "from 0 to 1", id="top_p"),
        pytest.param({"top_k": -1}, "top_k", "from 0", id="top_k"),
        pytest.param({"top_k": 1.5}, "top_k", "must be an integer", id="half a top_k"),
        pytest.param({"stream": "true"}, "stream", "must be true or false", id="stream as a string"),
        pytest.param({"stop_sequences": ["a", " \n"]}, "stop_sequences[1]", "only white space", id="blank stop"),
        pytest.param({"stop_sequences": [""]}, "stop_sequences[0]", "only white space", id="empty stop"),
        pytest.param({"stop_sequences": "a"}, "stop_sequences", "must be an array", id="stop as a string"),
        pytest.param({"stop_sequences": ["a"] * 1001}, "stop_sequences", "may have 1,000", id="too many stops"),
        pytest.param(
            {"thinking": {"type": "enabled", "budget_tokens": 1023}, "max_tokens": 4096},
            "thinking.budget_tokens",
            "must be 1024 or more",
            id="small budget",
        ),
        pytest.param(
            {"thinking": THINKS, "max_tokens": 1024}, "thinking.budget_tokens", "max_tokens must be greater", id="limit"
        ),
        pytest.param({"thinking": {"type": "enabled"}}, "thinking.budget_tokens", "is missing", id="no budget"),
        pytest.param({"thinking": {}}, "thinking.type", "is missing", id="no type of thinking"),
        pytest.param({"thinking": {"type": "between_tools"}}, "thinking.type", "'between_tools'", id="odd thinking"),
        pytest.param({"thinking": True}, "thinking", "must be an object", id="thinking that is true"),
        pytest.param({"thinking": {**ADAPTS, "display": "loud"}}, "thinking.display", "'loud'", id="odd display"),
        pytest.param({"thinking": ADAPTS, "temperature": 0.5}, "temperature", "may only be set to 1", id="hot thought"),
        pytest.param({"thinking": ADAPTS, "top_k": 5}, "top_k", "must be unset", id="thought of a few"),
        pytest.param({"thinking": ADAPTS, "top_p": 0.9}, "top_p", "must be 0.95 or more", id="thought of the likely"),
        pytest.param(
            {"thinking": ADAPTS, "tools": [tool()], "tool_choice": {"type": "any"}},
            "thinking",
            "when tool_choice forces tool use",
            id="thinking before a call that is forced",
        ),
        pytest.param(
            {"thinking": THINKS, "max_tokens": 2000, "tools": [tool()], "tool_choice": {"type": "tool", "name": "f"}},
            "thinking",
            "when tool_choice forces tool use",
            id="thinking within a budget before a call that is named",
        ),
        pytest.param({"output_config": {"effort": "none"}}, "output_config.effort", "'none'", id="odd effort"),
        pytest.param({"output_config": "low"}, "output_config", "must be an object", id="output as a string"),
    ],
)
def test_what_cannot_be_sampled_so_is_refused(fields: Any, param: str, said: str) -> None:
    refused_at(param, said, **fields)


def test_a_call_may_be_forced_without_thinking() -> None:
    forced: dict[str, Any] = {"tools": [tool()], "tool_choice": {"type": "any"}}
    assert conversation(model="haiku", **forced).sampling.thinking is False
    assert conversation(model="haiku", thinking={"type": "disabled"}, **forced).sampling.thinking is False


def low(effort: str, **fields: Any) -> dict[str, Any]:
    return {"role": "system", "content": [], "output_config": {"effort": effort, **fields}}


def test_the_effort_that_a_message_names_counts_for_the_answer_after_it() -> None:
    general = {"effort": "high"}
    assert conversation(HE, low("low"), output_config=general).sampling.effort == "low"
    assert conversation(HE, low("low"), low("max")).sampling.effort == "max"
    silent = {"role": "system", "content": "s", "output_config": {}}
    assert conversation(HE, silent, output_config=general).sampling.effort == "high"
    assert conversation(HE, low("low"), assistant(text("a")), HE, output_config=general).sampling.effort == "high"
    fleeting = {**low("low"), "clear_at": "next_user_message"}
    assert conversation(HE, fleeting, output_config=general).sampling.effort == "low"
    assert conversation(HE, fleeting, HE, output_config=general).sampling.effort == "high"
    assert conversation(HE, low("max"), fleeting, HE, output_config=general).sampling.effort == "max"
    assert ask(HE, low("low", format=FORM, x=1)).ignored == (
        "messages.output_config.x",
        "messages.output_config.format",
    )
    refused_at("messages[1].output_config.effort", "'no'", HE, low("no"))


@pytest.mark.parametrize(
    ("tools", "expected", "ignored"),
    [
        pytest.param(None, (), (), id="null"),
        pytest.param([], (), (), id="none"),
        pytest.param([tool()], (Tool("f", None, {"type": "object"}),), (), id="as little as there may be"),
        pytest.param([tool("a-B_9" * 25)], (Tool("a-B_9" * 25, None, {"type": "object"}),), (), id="long name"),
        pytest.param(
            [tool("a", type="custom", description="d", input_schema={"x": 1, **SCHEMA}, strict=False, **MARK)],
            (Tool("a", "d", {"x": 1, **SCHEMA}, strict=False, cache=CacheMark()),),
            (),
            id="with all there is",
        ),
        pytest.param(
            [tool("b"), tool("a")],
            (Tool("b", None, {"type": "object"}), Tool("a", None, {"type": "object"})),
            (),
            id="in their order",
        ),
        pytest.param(
            [tool(eager_input_streaming=None, defer_loading=False, input_examples=[], allowed_callers=["direct"])],
            (Tool("f", None, {"type": "object"}),),
            (),
            id="with words that ask for nothing",
        ),
        pytest.param(
            [
                tool(
                    eager_input_streaming=True,
                    input_examples=[{}],
                    allowed_callers=["direct", "code_execution_20250825"],
                    cache_control={"type": "ephemeral", "scope": "global"},
                )
            ],
            (Tool("f", None, {"type": "object"}, cache=CacheMark()),),
            (
                "tools.eager_input_streaming",
                "tools.input_examples",
                "tools.allowed_callers",
                "tools.cache_control.scope",
            ),
            id="with words that have no effect",
        ),
        pytest.param(
            [tool(strict=True, input_schema={"type": "object", "properties": {"a": {"minimum": 1}}})],
            (Tool("f", None, {"type": "object", "properties": {"a": {"minimum": 1}}}, strict=True),),
            ("tools.strict",),
            id="more strict than the API can be",
        ),
    ],
)
def test_tools_are_offered_as_they_are(tools: Any, expected: Any, ignored: Any) -> None:
    heard = ask(tools=tools)
    assert (heard.conversations[0].tools, heard.ignored) == (expected, ignored)


def reference(name: str, **fields: Any) -> dict[str, Any]:
    return {"type": "tool_reference", "tool_name": name, **fields}


REFERS = (HE, assistant(call()), user(result(content=[reference("g", **MARK)]), text("Go on.")))
SEARCHED = [tool(), tool("g", defer_loading=True), tool("h", defer_loading=True, x=1)]


@pytest.mark.parametrize(
    ("said", "tools", "offered", "ignored"),
    [
        pytest.param([HE], SEARCHED, ["f"], ["tools (not searched for)"], id="nothing yet"),
        pytest.param(
            REFERS,
            SEARCHED,
            ["f", "g"],
            ["tools (not searched for)", "messages.content.content (a reference in words)"],
            id="one was found",
        ),
        pytest.param(
            REFERS, SEARCHED[:2], ["f", "g"], ["messages.content.content (a reference in words)"], id="all were found"
        ),
        pytest.param(
            [HE, assistant(call(name="h")), user(result())],
            SEARCHED,
            ["f", "h"],
            ["tools.x", "tools (not searched for)"],
            id="one was called",
        ),
        pytest.param([HE], SEARCHED[1:], [], ["tools (not searched for)"], id="nothing but what is to be found"),
    ],
)
def test_a_tool_that_is_to_be_searched_for_is_offered_once_it_is_found_or_called(
    said: Any, tools: Any, offered: Any, ignored: Any
) -> None:
    heard = ask(*said, tools=tools)
    assert [each.name for each in heard.conversations[0].tools] == offered
    assert list(heard.ignored) == ignored


def test_a_reference_to_a_tool_arrives_in_words() -> None:
    words = Text("The tool g can be called now.", CacheMark())
    assert conversation(*REFERS, tools=SEARCHED).turns[2].content[0] == ToolResult("c", (words,))


def test_in_a_session_all_tools_are_offered_since_it_may_have_found_them_before() -> None:
    going_on = evolve(terms(), continues=True)
    heard = decode(body(HE, tools=SEARCHED), going_on)
    assert [each.name for each in heard.conversations[0].tools] == ["f", "g", "h"]
    assert heard.ignored == ("tools.x", "tools.defer_loading (in a session)")
    assert decode(body(HE, tools=SEARCHED[:1]), going_on).ignored == ()


@pytest.mark.parametrize("tools", [None, [tool("f")]], ids=["no tools", "others"])
def test_a_reference_to_a_tool_that_is_not_there_is_refused(tools: Any) -> None:
    path = "messages[2].content[0].content[0].tool_name"
    refused_at(path, "'g', which is not among the tools", *REFERS, tools=tools)


@pytest.mark.parametrize(
    ("tools", "param", "said"),
    [
        pytest.param([tool("")], "tools[0].name", "1 to 128", id="no name"),
        pytest.param([tool("n" * 129)], "tools[0].name", "1 to 128", id="long name"),
        pytest.param([tool("a.b")], "tools[0].name", "'a.b'", id="odd name"),
        pytest.param([tool("f"), tool("f")], "tools[1].name", "as that of a function before it", id="two of a name"),
        pytest.param([{"name": "f"}], "tools[0].input_schema", "is missing", id="no schema"),
        pytest.param([tool(input_schema="{}")], "tools[0].input_schema", "as an object", id="schema as a string"),
        pytest.param([tool(input_schema={})], "tools[0].input_schema", '"type": "object"', id="schema of no type"),
        pytest.param([tool(input_schema={"type": "array"})], "tools[0].input_schema", '"type": "object"', id="array"),
        pytest.param([tool(description=5)], "tools[0].description", "must be a string", id="odd description"),
        pytest.param([tool(strict="yes")], "tools[0].strict", "true or false", id="odd strictness"),
        pytest.param([tool(type=5)], "tools[0].type", "must be a string", id="type of no string"),
        pytest.param(
            [tool(), {"type": "web_search_20250305", "name": "web_search"}],
            "tools[1].type",
            "'web_search_20250305'",
            id="search of the web",
        ),
        pytest.param([{"type": "bash_20250124", "name": "bash"}], "tools[0].type", "'bash_20250124'", id="bash"),
        pytest.param([{"type": "mcp_toolset"}], "tools[0].type", "'mcp_toolset'", id="toolset"),
        pytest.param(
            [tool(allowed_callers=["code_execution_20250825"])],
            "tools[0].allowed_callers",
            "cca runs none",
            id="only for programs",
        ),
        pytest.param([tool(cache_control={"type": "x"})], "tools[0].cache_control.type", "'x'", id="odd mark"),
        pytest.param(["f"], "tools[0]", "must be an object", id="string"),
        pytest.param({}, "tools", "must be an array", id="object"),
    ],
)
def test_a_tool_that_cannot_be_is_refused(tools: Any, param: str, said: str) -> None:
    refused_at(param, said, tools=tools)


@pytest.mark.parametrize(
    ("choice", "expected", "ignored"),
    [
        pytest.param(None, ToolChoice(), (), id="null"),
        pytest.param({"type": "auto"}, ToolChoice(), (), id="auto"),
        pytest.param({"type": "any"}, ToolChoice("any"), (), id="any"),
        pytest.param({"type": "none"}, ToolChoice("none"), (), id="none"),
        pytest.param({"type": "tool", "name": "g"}, ToolChoice("tool", "g"), (), id="one"),
        pytest.param(
            {"type": "auto", "disable_parallel_tool_use": True}, ToolChoice(parallel=False), (), id="one at a time"
        ),
        pytest.param(
            {"type": "any", "disable_parallel_tool_use": True}, ToolChoice("any", parallel=False), (), id="just one"
        ),
        pytest.param(
            {"type": "tool", "name": "f", "disable_parallel_tool_use": True},
            ToolChoice("tool", "f", parallel=False),
            (),
            id="one once",
        ),
        pytest.param({"type": "auto", "disable_parallel_tool_use": False}, ToolChoice(), (), id="several"),
        pytest.param({"type": "auto", "name": "g"}, ToolChoice(), ("tool_choice.name",), id="a name in vain"),
        pytest.param(
            {"type": "none", "disable_parallel_tool_use": True},
            ToolChoice("none"),
            ("tool_choice.disable_parallel_tool_use",),
            id="none at a time",
        ),
    ],
)
def test_what_is_to_be_called(choice: Any, expected: ToolChoice, ignored: Any) -> None:
    heard = ask(tools=[tool("f"), tool("g")], tool_choice=choice)
    assert (heard.conversations[0].tool_choice, heard.ignored) == (expected, ignored)


@pytest.mark.parametrize(
    ("fields", "param", "said"),
    [
        pytest.param(
            {"tool_choice": {"type": "auto"}},
            "tool_choice",
            "only be specified while providing tools",
            id="of no tools",
        ),
        pytest.param(
            {"tools": [], "tool_choice": {"type": "none"}}, "tool_choice", "while providing tools", id="none of none"
        ),
        pytest.param(
            {"tools": [tool()], "tool_choice": {"type": "tool", "name": "g"}}, "tool_choice.name", "'g'", id="not there"
        ),
        pytest.param(
            {"tools": [tool()], "tool_choice": {"type": "tool"}}, "tool_choice.name", "is missing", id="without a name"
        ),
        pytest.param({"tools": [tool()], "tool_choice": {"type": "all"}}, "tool_choice.type", "'all'", id="odd type"),
        pytest.param({"tools": [tool()], "tool_choice": "auto"}, "tool_choice", "must be an object", id="string"),
    ],
)
def test_a_choice_that_cannot_be_is_refused(fields: Any, param: str, said: str) -> None:
    refused_at(param, said, **fields)


@pytest.mark.parametrize("kind", ["auto", "none"])
def test_nothing_is_to_be_called_where_all_tools_are_to_be_searched_for(kind: str) -> None:
    heard = conversation(tools=[tool(defer_loading=True)], tool_choice={"type": kind})
    assert (heard.tools, heard.tool_choice) == ((), ToolChoice(kind))  # type: ignore[arg-type]  # one of the two
    assert conversation(tools=[tool(defer_loading=False)]).tools == (Tool("f", None, {"type": "object"}),)


def test_what_is_to_be_searched_for_cannot_be_forced() -> None:
    hidden = [tool(defer_loading=True)]
    refused_at("tool_choice", "still to be searched for", tools=hidden, tool_choice={"type": "any"})
    refused_at("tool_choice.name", "'f'", tools=hidden, tool_choice={"type": "tool", "name": "f"})


@pytest.mark.parametrize(
    ("fields", "ignored"),
    [
        pytest.param({"output_config": {"format": FORM}}, (), id="output_config"),
        pytest.param({"output_format": FORM}, (), id="its older name"),
        pytest.param({"output_format": None, "output_config": {"format": FORM}}, (), id="the older name as null"),
        pytest.param(
            {"output_config": {"format": {**FORM, "name": "n"}}}, ("output_config.format.name",), id="with a name"
        ),
        pytest.param({"output_format": {**FORM, "name": "n"}}, ("output_format.name",), id="the older with a name"),
    ],
)
def test_the_form_of_the_answer_is_a_schema(fields: Any, ignored: Any) -> None:
    heard = ask(**fields)
    assert (heard.conversations[0].output_schema, heard.ignored) == (SCHEMA, ignored)


@pytest.mark.parametrize(
    ("form", "param", "said"),
    [
        pytest.param({"type": "json_object"}, ".schema", "is missing", id="no schema"),
        pytest.param({**FORM, "type": "text"}, ".type", "'text'", id="odd type"),
        pytest.param({**FORM, "schema": []}, ".schema", "as an object", id="schema of an array"),
        pytest.param({**FORM, "schema": {"type": "array"}}, ".schema", '"type": "object"', id="answer of an array"),
        pytest.param(
            {**FORM, "schema": {"type": "object", "required": 5}}, ".schema", "cannot be used, since", id="no schema"
        ),
        pytest.param("json", "", "must be an object", id="string"),
    ],
)
def test_a_form_that_cannot_be_is_refused(form: Any, param: str, said: str) -> None:
    refused_at(f"output_config.format{param}", said, output_config={"format": form})
    refused_at(f"output_format{param}", said, output_format=form)


def test_a_form_is_named_once() -> None:
    refused_at("output_format", "send the newer alone", output_format=FORM, output_config={"format": FORM})


MARKED = [text("a", **MARK)]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        pytest.param({"system": MARKED * 4}, HE, id="system"),
        pytest.param({"tools": [tool(name, **MARK) for name in "abcd"]}, HE, id="tools"),
        pytest.param({}, user(*MARKED * 4), id="content"),
        pytest.param({"system": MARKED, "tools": [tool(**MARK)], **MARK}, user(*MARKED), id="one of each"),
        pytest.param({}, user(found(content=MARKED * 2, **MARK), *MARKED), id="in a search result"),
        pytest.param(
            {},
            user(document(source={"type": "content", "content": MARKED * 2}, **MARK), *MARKED),
            id="in a document",
        ),
    ],
)
def test_four_marks_for_the_cache_may_be_sent_and_no_fifth(fields: Any, message: Any) -> None:
    ask(message, **fields)
    with pytest.raises(BadRequest, match=r"^A maximum of 4 blocks with cache_control may be provided\. Found 5\.$"):
        ask(message, user(*MARKED), **fields)


def test_marks_within_results_count() -> None:
    history = (HE, assistant(call(**MARK)), user(result(content=MARKED * 2, **MARK)))
    ask(*history)
    with pytest.raises(BadRequest, match="Found 5"):
        ask(*history, **MARK)


@pytest.mark.parametrize(
    ("blocks", "ignored"),
    [
        pytest.param((text("a"), image(**MARK)), " (at the end instead)", id="alone"),
        pytest.param((text("a", **MARK), image(**MARK)), "", id="beside another"),
    ],
)
def test_marks_on_pictures_are_named_where_they_do_not_arrive(blocks: Any, ignored: str) -> None:
    assert ask(user(*blocks)).ignored == (f"messages.content.image.cache_control{ignored}",)


def test_a_picture_that_is_last_may_have_claude_codes_own_mark() -> None:
    assert ask(user(text("a"), image(**MARK)), system=MARKED * 2).ignored == ()


@pytest.mark.parametrize(
    ("fields", "ignored"),
    [
        pytest.param(
            {"system": MARKED}, ("system.cache_control (at the end instead)",), id="on the system prompt alone"
        ),
        pytest.param({"system": MARKED, "tools": [tool(**MARK)]}, ("system.cache_control",), id="on it, and on a tool"),
        pytest.param({"system": MARKED * 2, **MARK}, (), id="where Claude Code's own are"),
        pytest.param({}, (), id="none"),
        pytest.param({**MARK}, (), id="at the end"),
    ],
)
def test_marks_on_the_system_prompt_are_named_where_they_do_not_arrive(fields: Any, ignored: Any) -> None:
    assert ask(**fields).ignored == ignored


def test_a_mark_for_all_is_one() -> None:
    assert conversation(cache_control={"type": "ephemeral", "ttl": "1h"}).cache == CacheMark("1h")
    assert ask(cache_control={"type": "ephemeral", "scope": "x"}).ignored == ("cache_control.scope",)
    refused_at("cache_control.type", "'x'", cache_control={"type": "x"})
    refused_at("cache_control.ttl", "'x'", cache_control={"type": "ephemeral", "ttl": "x"})


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("thread", [{"type": "create"}, {"type": "continue", "id": "t"}, "t", False], ids=str)
def test_no_thread_goes_on_here_and_the_client_libraries_know_by_the_code(thread: Any, version: str) -> None:
    for decoded in (decode, decode_count):
        with pytest.raises(BadRequest) as refused:
            # The rest may be what only a server that has kept the thread understands.
            decoded({"thread": thread, "messages": [user(result("c"))]}, terms(version))
        assert (refused.value.param, refused.value.code) == ("thread", "thread_unsupported_request")


def test_a_model_that_is_not_there_is_not_found() -> None:
    with pytest.raises(NotFound):
        ask(model="gpt-9")
    refused_at("model", "must be a string", model=5)


def test_what_is_only_counted_needs_no_limit() -> None:
    given = {name: value for name, value in body(tools=[tool()], thinking=THINKS).items() if name != "max_tokens"}
    counted = decode_count(given, terms())
    assert counted.conversations[0].tools == (Tool("f", None, {"type": "object"}),)
    assert counted.conversations[0].sampling == Sampling(thinking=True, thinking_budget=1024)
    unwanted: Any
    for unwanted in ({"messages": []}, {"temperature": 5}, {"tools": [tool("")]}, {"max_tokens": "9"}):
        with pytest.raises(BadRequest):
            decode_count({**given, **unwanted}, terms())
