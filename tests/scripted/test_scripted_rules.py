"""Prompts and their answers."""

from typing import Any

import pytest

from cca.scripted.citations import cited
from cca.scripted.prompt import count_input, fingerprint
from cca.scripted.rules import script_for
from cca.scripted.script import Call, Say, Script, Think

WEATHER = {
    "name": "get_weather",
    "description": "Tell the current temperature of a city",
    "input_schema": {
        "type": "object",
        "properties": {"city": {"type": "string"}, "unit": {"enum": ["C", "F"]}},
        "required": ["city"],
    },
}
ADD = {
    "name": "addNumbers",
    "description": "Sum two numbers",
    "input_schema": {
        "type": "object",
        "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}},
        "required": ["a", "b"],
    },
}
PERSON = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
    "required": ["name", "age"],
}
STRUCTURED = {"name": "StructuredOutput", "input_schema": PERSON}


def asked(content: Any, **others: Any) -> dict[str, Any]:
    body = {"model": "claude-x", "max_tokens": 1000, "messages": [{"role": "user", "content": content}]}
    return body | others


def said(script: Script) -> str:
    return "".join(block.text for block in script.blocks if isinstance(block, Say))


def called(script: Script) -> list[tuple[str, dict[str, Any]]]:
    return [(block.name, block.input) for block in script.blocks if isinstance(block, Call)]


@pytest.mark.parametrize(
    ("prompt", "answer"),
    [
        ("hello  world\n", "hello  world\n"),
        ("  leading", "  leading"),
        ("Reply with exactly: a b", "a b"),
        ("reply with exactly PONG", "PONG"),
        ("Count from 1 to 5", "1, 2, 3, 4, 5"),
        ("please count to 3.", "1, 2, 3"),
        ("Count from 7 to 3", "Count from 7 to 3"),
        ("Think about cats.", "I thought about cats."),
        ("if [[ -f x ]] then", "if [[ -f x ]] then"),
        ("[[stop max_tokens]] hello", "hello"),
        ("[[tokens 3]]", "t1 t2 t3"),
        ("[[delay 1ms]]", "You sent no words."),
        ("grüße 🦊", "grüße 🦊"),
    ],
)
def test_answers_to_plain_prompts(prompt: str, answer: str) -> None:
    assert said(script_for(asked(prompt))) == answer


def test_counting_is_bounded() -> None:
    assert said(script_for(asked("Count from 1 to 99999999999"))).endswith(" 1000")


def test_long_echo_comes_in_few_deltas_and_whole() -> None:
    text = "word " * 100_000
    (block,) = script_for(asked(text, max_tokens=10**6)).blocks
    assert isinstance(block, Say)
    assert (block.text, len(block.deltas)) == (text, 200)


def test_last_user_turn_that_says_anything_counts() -> None:
    body = asked("first")
    body["messages"] += [
        {"role": "assistant", "content": "x"},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "<system-reminder>\nnoise\n</system-reminder>\n"},
                {"type": "text", "text": "second"},
                {"type": "text", "text": "part"},
            ],
        },
        {"role": "system", "content": []},
    ]
    assert said(script_for(body)) == "second\npart"


def test_only_attachments_are_named() -> None:
    picture = {"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}}
    assert said(script_for(asked([picture]))) == "You sent no words, but this: image."


@pytest.mark.parametrize(
    ("prompt", "tools", "calls"),
    [
        ("What is the weather in Paris?", [WEATHER], [("get_weather", {"city": "Paris"})]),
        (
            "Weather in Paris and New York, please",
            [WEATHER],
            [("get_weather", {"city": "Paris"}), ("get_weather", {"city": "New York"})],
        ),
        ("the temperature of the city", [WEATHER], [("get_weather", {"city": "city"})]),
        ("What is the weather like?", [ADD, WEATHER], [("get_weather", {"city": "city"})]),
        ("use get_weather with city=Oslo", [WEATHER], [("get_weather", {"city": "Oslo"})]),
        (
            'call get_weather {"city": "Bonn", "unit": "F"}',
            [WEATHER],
            [("get_weather", {"city": "Bonn", "unit": "F"})],
        ),
        ("add the numbers 2 and 40", [WEATHER, ADD], [("addNumbers", {"a": 2, "b": 40})]),
        (
            "addNumbers 1 2, then get_weather for Rome",
            [WEATHER, ADD],
            [("get_weather", {"city": "Rome"}), ("addNumbers", {"a": 1, "b": 2})],
        ),
        ("hello there", [WEATHER, ADD], []),
        ("weather", [{"type": "web_search_20250305", "name": "web_search"}], []),
        ("Describe Ada who is 36", [STRUCTURED], [("StructuredOutput", {"name": "Ada", "age": 36})]),
    ],
)
def test_tools_that_a_prompt_speaks_of(prompt: str, tools: list[Any], calls: list[Any]) -> None:
    script = script_for(asked(prompt, tools=tools))
    assert called(script) == calls
    assert script.stop_reason == ("tool_use" if calls else "end_turn")


@pytest.mark.parametrize(
    ("choice", "prompt", "names"),
    [
        ({"type": "auto"}, "hello", []),
        ({"type": "none"}, "weather in Paris", []),
        ({"type": "any"}, "hello", ["addNumbers"]),
        ({"type": "any"}, "weather in Paris", ["get_weather"]),
        ({"type": "tool", "name": "get_weather"}, "add numbers 1 2", ["get_weather"]),
        ({"type": "auto", "disable_parallel_tool_use": True}, "weather in Paris and Rome", ["get_weather"]),
        ({"type": "auto"}, "weather in Paris and Rome", ["get_weather", "get_weather"]),
    ],
)
def test_tool_choice(choice: dict[str, Any], prompt: str, names: list[str]) -> None:
    script = script_for(asked(prompt, tools=[ADD, WEATHER], tool_choice=choice))
    assert [name for name, _ in called(script)] == names


def after_tool(content: Any, **result: Any) -> dict[str, Any]:
    body = asked("weather in Paris", tools=[WEATHER])
    call = {"type": "tool_use", "id": "toolu_1", "name": "get_weather", "input": {"city": "Paris"}}
    given = {"type": "tool_result", "tool_use_id": "toolu_1", "content": content, **result}
    body["messages"] += [{"role": "assistant", "content": [call]}, {"role": "user", "content": [given]}]
    return body


@pytest.mark.parametrize(
    ("body", "answer"),
    [
        (after_tool("sunny"), "The tool get_weather says: sunny"),
        (after_tool([{"type": "text", "text": "rain"}]), "The tool get_weather says: rain"),
        (after_tool("no such city", is_error=True), "The tool get_weather failed: no such city"),
        (after_tool([]), "The tool get_weather says: (nothing)"),
    ],
)
def test_results_are_told(body: dict[str, Any], answer: str) -> None:
    assert said(script_for(body)) == answer


def test_a_result_may_hold_directives() -> None:
    assert called(script_for(after_tool('[[call next {"n": 1}]]'))) == [("next", {"n": 1})]


def test_json_schema_is_answered_with_an_instance() -> None:
    wanted = {"format": {"type": "json_schema", "schema": PERSON}, "effort": "low"}
    assert said(script_for(asked("Describe Ada who is 36", output_config=wanted))) == '{"name": "Ada", "age": 36}'


@pytest.mark.parametrize(
    ("prompt", "thinking", "thought"),
    [
        ("Think about tea", {"type": "adaptive"}, True),
        ("Think about tea", None, True),
        ("Think about tea", {"type": "disabled"}, False),
        ("[[thinking]] hi", {"type": "enabled", "budget_tokens": 2000}, True),
        ("[[thinking so and so]] hi", {"type": "disabled"}, False),
        ("hi", {"type": "adaptive"}, False),
    ],
)
def test_thoughts_come_first_unless_switched_off(prompt: str, thinking: Any, *, thought: bool) -> None:
    first, *_ = script_for(asked(prompt, thinking=thinking)).blocks
    assert isinstance(first, Think) is thought


@pytest.mark.parametrize(
    ("prompt", "others", "text", "reason", "sequence"),
    [
        ("a b c d", {"max_tokens": 2}, "a b", "max_tokens", None),
        ("a b c d", {"max_tokens": 4}, "a b c d", "end_turn", None),
        ("one END two", {"stop_sequences": ["two", "END"]}, "one ", "stop_sequence", "END"),
        ("END", {"stop_sequences": ["END"]}, "", "stop_sequence", "END"),
        ("a b END", {"stop_sequences": ["END"], "max_tokens": 1}, "a", "max_tokens", None),
        ("[[stop refusal]] no", {}, "no", "refusal", None),
        ("[[stop_sequence END]] yes", {}, "yes", "stop_sequence", "END"),
        ("[[thinking a b]] c d", {"max_tokens": 3}, "c", "max_tokens", None),
        ('[[thinking a b]] [[call f {"x": 1}]]', {"max_tokens": 2}, "", "max_tokens", None),
    ],
)
def test_where_answers_stop(prompt: str, others: Any, text: str, reason: str, sequence: str | None) -> None:
    script = script_for(asked(prompt, **others))
    assert (said(script), script.stop_reason, script.stop_sequence) == (text, reason, sequence)


def test_input_is_counted_without_what_the_cli_adds() -> None:
    plain = asked("one two", system="be brief")
    dressed = asked([{"type": "text", "text": "one two", "cache_control": {"type": "ephemeral"}}])
    dressed["system"] = [
        {"type": "text", "text": "x-anthropic-billing-header: cc_version=9;"},
        {"type": "text", "text": "You are a Claude agent, built on Anthropic's Claude Agent SDK."},
        {"type": "text", "text": "be brief"},
    ]
    dressed["messages"].append({"role": "system", "content": [{"type": "text", "text": "# Environment"}]})
    assert count_input(plain) == count_input(dressed) == 4
    assert fingerprint(plain) == fingerprint(dressed)
    assert fingerprint(plain) != fingerprint(asked("one two three"))


def document(source: Any, **others: Any) -> dict[str, Any]:
    return {"type": "document", "source": source, "citations": {"enabled": True}, **others}


PLAIN_TEXT = {"type": "text", "media_type": "text/plain", "data": "Tea is hot. It is May."}
OF_PIECES = {"type": "content", "content": [{"type": "text", "text": "A piece."}, {"type": "text", "text": "More."}]}
FOUND = {
    "type": "search_result",
    "source": "https://example.com",
    "title": "A page",
    "content": [{"type": "text", "text": "Found."}],
    "citations": {"enabled": True},
}


@pytest.mark.parametrize(
    ("block", "text", "citation"),
    [
        (
            document(PLAIN_TEXT, title="Tea"),
            "Tea says: Tea is hot.",
            {
                "type": "char_location",
                "cited_text": "Tea is hot.",
                "document_index": 0,
                "document_title": "Tea",
                "file_id": None,
                "start_char_index": 0,
                "end_char_index": 11,
            },
        ),
        (
            document({**PLAIN_TEXT, "data": " "}),
            "It says:  ",
            {
                "type": "char_location",
                "cited_text": " ",
                "document_index": 0,
                "document_title": None,
                "file_id": None,
                "start_char_index": 0,
                "end_char_index": 1,
            },
        ),
        (
            document(OF_PIECES),
            "It says: A piece.",
            {
                "type": "content_block_location",
                "cited_text": "A piece.",
                "document_index": 0,
                "document_title": None,
                "file_id": None,
                "start_block_index": 0,
                "end_block_index": 1,
            },
        ),
        (
            document({"type": "url", "url": "https://example.com/a.pdf"}),
            "It says: The first page.",
            {
                "type": "page_location",
                "cited_text": "The first page.",
                "document_index": 0,
                "document_title": None,
                "file_id": None,
                "start_page_number": 1,
                "end_page_number": 2,
            },
        ),
        (
            FOUND,
            "A page says: Found.",
            {
                "type": "search_result_location",
                "cited_text": "Found.",
                "search_result_index": 0,
                "source": "https://example.com",
                "title": "A page",
                "start_block_index": 0,
                "end_block_index": 1,
            },
        ),
    ],
    ids=["text", "nothing", "pieces", "pages", "search result"],
)
def test_what_may_be_cited_is(block: Any, text: str, citation: Any) -> None:
    script = script_for(asked([block, {"type": "text", "text": "What do they say?"}]))
    assert said(script) == text
    assert [each.citations for each in script.blocks if isinstance(each, Say)] == [(), (citation,)]


def test_sources_are_counted_over_the_whole_conversation_and_each_is_a_text_of_its_own() -> None:
    before = [document(PLAIN_TEXT), FOUND, {"type": "text", "text": "a"}]
    result = {"type": "tool_result", "tool_use_id": "t1", "content": [FOUND]}
    body = asked([]) | {
        "messages": [
            {"role": "user", "content": before},
            {"role": "assistant", "content": [{"type": "tool_use", "id": "t1", "name": "f", "input": {}}]},
            {"role": "user", "content": [document(PLAIN_TEXT), document(PLAIN_TEXT, citations=None), result]},
        ]
    }
    blocks = cited(body)
    assert [block.text for block in blocks] == ["It says: ", "Tea is hot.", " A page says: ", "Found."]
    assert [
        citation.get("document_index", citation.get("search_result_index"))
        for block in blocks
        for citation in block.citations
    ] == [1, 1]


def test_nothing_is_cited_where_it_may_not_be() -> None:
    script = script_for(asked([{**FOUND, "citations": {"enabled": False}}, {"type": "text", "text": "Hello."}]))
    assert script.blocks == (Say(("Hello.",)),)


@pytest.mark.parametrize(
    ("thinking", "shown"),
    [
        ({"type": "adaptive", "display": "omitted"}, "hidden"),
        ({"type": "enabled", "budget_tokens": 1024, "display": "summarized"}, "told"),
        (None, "told"),
    ],
)
def test_thinking_is_told_to_who_wants_to_see_it(thinking: Any, shown: str) -> None:
    first, *_ = script_for(asked("Think about cats.", thinking=thinking)).blocks
    assert isinstance(first, Think)
    assert first.shown == shown


def test_thinking_that_is_redacted_stays_so() -> None:
    thinking = {"type": "adaptive", "display": "omitted"}
    first, *_ = script_for(asked("[[redacted thinking]] Hm.", thinking=thinking)).blocks
    assert isinstance(first, Think)
    assert first.shown == "redacted"
