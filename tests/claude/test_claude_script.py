"""Conversations to batches of frames."""

import json
from typing import Any

import pytest

from cca.claude.form import DESCRIPTION
from cca.claude.launch import Directories, launch
from cca.claude.script import script
from cca.model import (
    AssistantTurn,
    CacheMark,
    Conversation,
    Document,
    Image,
    RedactedThinking,
    Sampling,
    SearchResult,
    Text,
    Thinking,
    Tool,
    ToolChoice,
    ToolResult,
    ToolUse,
    UserPart,
    UserTurn,
)

SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}
TOOL = Tool("get_weather", "d" * 5000, SCHEMA)
MARK = CacheMark("1h")


def user(*texts: str) -> UserTurn:
    return UserTurn(tuple(map(Text, texts)))


def assistant(*texts: str) -> AssistantTurn:
    return AssistantTurn(tuple(map(Text, texts)))


def batches(conversation: Conversation) -> list[list[Any]]:
    return [[json.loads(frame) for frame in batch.splitlines()] for batch in script(conversation)]


def gist(frame: Any) -> str:
    """Return a frame in short: a request's subtype, or who says what, with a mark where it is to be answered."""
    if frame["type"] == "control_request":
        return str(frame["request"]["subtype"])
    said = "|".join(block["text"] for block in frame["message"]["content"])
    asked = "?" if frame["type"] == "user" and frame.get("shouldQuery", True) else ""
    return f"{frame['type']}: {said}{asked}"


@pytest.mark.parametrize(
    ("turns", "said"),
    [
        pytest.param((user("a"),), [["initialize", "apply_flag_settings", "user: a?"]], id="one turn is one batch"),
        pytest.param(
            (user("a"), assistant("b"), user("c")),
            [["initialize", "apply_flag_settings", "user: a"], ["assistant: b", "user: c?"]],
            id="an assistant turn waits until the user turn before it is remembered",
        ),
        pytest.param(
            (user("a", "b"), assistant("c"), user("d"), assistant("e", "f"), user("g")),
            [
                ["initialize", "apply_flag_settings", "user: a|b"],
                ["assistant: c", "user: d"],
                ["assistant: e|f", "user: g?"],
            ],
            id="a batch for each user turn",
        ),
    ],
)
def test_history_goes_in_by_role_in_batches_that_end_with_a_user_turn(turns: Any, said: list[list[str]]) -> None:
    assert [[gist(frame) for frame in batch] for batch in batches(Conversation("haiku", turns))] == said


@pytest.mark.parametrize(
    ("part", "block"),
    [
        (Text("t"), {"type": "text", "text": "t"}),
        (
            Image(media_type="image/png", data="AAAA"),
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}},
        ),
        (Image(url="https://x/y.png"), {"type": "image", "source": {"type": "url", "url": "https://x/y.png"}}),
        (
            Document(media_type="application/pdf", data="AAAA", title="T"),
            {
                "type": "document",
                "source": {"type": "base64", "media_type": "application/pdf", "data": "AAAA"},
                "title": "T",
            },
        ),
        (
            Document(text="plain"),
            {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "plain"}},
        ),
        (
            Document(pieces=(Text("one", MARK), Image(url="https://x")), title="T", context="of it", citations=True),
            {
                "type": "document",
                "source": {
                    "type": "content",
                    "content": [
                        {"type": "text", "text": "one", "cache_control": {"type": "ephemeral", "ttl": "1h"}},
                        {"type": "image", "source": {"type": "url", "url": "https://x"}},
                    ],
                },
                "title": "T",
                "context": "of it",
                "citations": {"enabled": True},
            },
        ),
        (
            SearchResult("https://x", "T", (Text("one"), Text("two")), citations=True),
            {
                "type": "search_result",
                "source": "https://x",
                "title": "T",
                "content": [{"type": "text", "text": "one"}, {"type": "text", "text": "two"}],
                "citations": {"enabled": True},
            },
        ),
        (
            SearchResult("s", "T", (Text("one"),)),
            {"type": "search_result", "source": "s", "title": "T", "content": [{"type": "text", "text": "one"}]},
        ),
        (Document(url="https://x/y.pdf"), {"type": "document", "source": {"type": "url", "url": "https://x/y.pdf"}}),
        (
            ToolResult("toolu_1", (Text("20 C"), Image(url="https://x"))),
            {
                "type": "tool_result",
                "tool_use_id": "toolu_1",
                "content": [
                    {"type": "text", "text": "20 C"},
                    {"type": "image", "source": {"type": "url", "url": "https://x"}},
                ],
            },
        ),
        (
            ToolResult("toolu_1", (Text(" "),), is_error=True),
            {
                "type": "tool_result",
                "tool_use_id": "toolu_1",
                "content": [{"type": "text", "text": "(no content)"}],
                "is_error": True,
            },
        ),
        (
            ToolResult("toolu_1", (Text(""), Text(" \n"), Text(" a"))),
            {"type": "tool_result", "tool_use_id": "toolu_1", "content": [{"type": "text", "text": " a"}]},
        ),
    ],
    ids=lambda value: type(value).__name__ if not isinstance(value, dict) else "",
)
def test_each_part_of_a_user_turn_is_a_block_of_the_api(part: UserPart, block: Any) -> None:
    [[*_, frame]] = batches(Conversation("haiku", (UserTurn((part,)),)))
    assert frame["message"]["content"] == [block]


def test_a_past_tool_call_keeps_its_id_its_name_and_its_arguments() -> None:
    call = AssistantTurn((Text("I ask."), ToolUse("call_1", "get_weather", {"city": "Köln"})))
    answer = UserTurn((ToolResult("call_1", (Text("20 C"),)),))
    [_, [frame, _]] = batches(Conversation("haiku", (user("?"), call, answer)))
    assert frame["message"]["content"] == [
        {"type": "text", "text": "I ask."},
        {"type": "tool_use", "id": "call_1", "name": "get_weather", "input": {"city": "Köln"}},
    ]


def test_what_was_thought_goes_in_with_the_id_of_the_model_that_thought_it() -> None:
    """Without, or with the id of another model, the program drops it."""
    thoughts = (Thinking("Hm", "c2ln"), Thinking("", "c2ln"), RedactedThinking("eA=="))
    answer = AssistantTurn((*thoughts, Text("Yes.")), "claude-haiku-4-5")
    [_, [frame, _]] = batches(Conversation("haiku", (user("?"), answer, user("!"))))
    assert frame["message"] == {
        "role": "assistant",
        "model": "claude-haiku-4-5",
        "content": [
            {"type": "thinking", "thinking": "Hm", "signature": "c2ln"},
            {"type": "thinking", "thinking": "", "signature": "c2ln"},
            {"type": "redacted_thinking", "data": "eA=="},
            {"type": "text", "text": "Yes."},
        ],
    }


@pytest.mark.parametrize(
    "others",
    [
        pytest.param({"sampling": Sampling(thinking=False)}, id="it is not to think"),
        pytest.param({"tools": (TOOL,), "tool_choice": ToolChoice("any")}, id="it must call"),
    ],
)
def test_what_was_thought_stays_away_from_a_model_that_does_not_think_now(others: dict[str, Any]) -> None:
    answer = AssistantTurn((Thinking("Hm", "c2ln"), Text("Yes."), RedactedThinking("eA==")), "claude-haiku-4-5")
    [_, [frame, _]] = batches(Conversation("haiku", (user("?"), answer, user("!")), **others))
    assert frame["message"]["content"] == [{"type": "text", "text": "Yes."}]


def settings_of(conversation: Conversation) -> Any:
    [[_, settings, _]] = batches(conversation)
    return settings["request"]["settings"]


def body_of(conversation: Conversation) -> Any:
    return json.loads(settings_of(conversation)["env"]["CLAUDE_CODE_EXTRA_BODY"])


@pytest.mark.parametrize(
    ("sampling", "body"),
    [
        (Sampling(max_tokens=5), {"max_tokens": 5}),
        (Sampling(stop_sequences=("a", "\n\n")), {"stop_sequences": ["a", "\n\n"]}),
        (Sampling(temperature=0.0), {"temperature": 0.0}),
        (Sampling(top_p=0.5), {"top_p": 0.5}),
        (Sampling(top_k=40), {"top_k": 40}),
        (Sampling(thinking=True), {"thinking": {"type": "adaptive"}}),
        (
            Sampling(thinking=True, thinking_display="summarized"),
            {"thinking": {"type": "adaptive", "display": "summarized"}},
        ),
        (
            Sampling(thinking=True, thinking_budget=1024, max_tokens=2048),
            {"max_tokens": 2048, "thinking": {"type": "enabled", "budget_tokens": 1024}},
        ),
        (
            Sampling(thinking=True, thinking_budget=1024, thinking_display="omitted"),
            {"thinking": {"type": "enabled", "budget_tokens": 1024, "display": "omitted"}},
        ),
        (Sampling(thinking=False), {"thinking": {"type": "disabled"}, "context_management": {"edits": []}}),
        (Sampling(max_tokens=1, temperature=1.0), {"max_tokens": 1, "temperature": 1.0}),
    ],
    ids=str,
)
def test_sampling_is_merged_into_the_request_to_the_api(sampling: Sampling, body: Any) -> None:
    assert body_of(Conversation("haiku", (user("a"),), sampling=sampling)) == body


def test_what_is_left_to_the_model_is_not_said() -> None:
    assert settings_of(Conversation("haiku", (user("a"),), sampling=Sampling())) == {"model": "haiku"}


def test_marks_for_the_cache_go_in_where_they_stand_and_the_programs_own_do_not() -> None:
    marked = {"cache_control": {"type": "ephemeral"}}
    turns = (
        UserTurn((Text("a", CacheMark()), Text("b"))),
        AssistantTurn((Text("c", CacheMark()), ToolUse("t", "get_weather", {}, MARK))),
        UserTurn((ToolResult("t", (Text("d", CacheMark()),), cache=CacheMark()), Text("e"))),
    )
    tool = Tool("f", "", SCHEMA, cache=MARK)
    conversation = Conversation("haiku", turns, tools=(tool,), cache=CacheMark())
    [[initialize, settings, first], [answer, last]] = batches(conversation)
    assert first["message"]["content"] == [{"type": "text", "text": "a", **marked}, {"type": "text", "text": "b"}]
    assert [block.get("cache_control") for block in answer["message"]["content"]] == [
        {"type": "ephemeral"},
        {"type": "ephemeral", "ttl": "1h"},
    ]
    assert last["message"]["content"] == [
        {
            "type": "tool_result",
            "tool_use_id": "t",
            "content": [{"type": "text", "text": "d", **marked}],
            **marked,
        },
        {"type": "text", "text": "e"},
    ]
    env = settings["request"]["settings"]["env"]
    body = json.loads(env.pop("CLAUDE_CODE_EXTRA_BODY"))
    assert env == {"DISABLE_PROMPT_CACHING": "1"}
    assert body["cache_control"] == {"type": "ephemeral"}
    assert [tool["cache_control"] for tool in body["tools"]] == [{"type": "ephemeral", "ttl": "1h"}]
    assert "cache_control" not in json.dumps(initialize)


def test_one_mark_alone_takes_the_programs_own_away() -> None:
    conversation = Conversation("haiku", (UserTurn((Text("a", CacheMark()), Text("b"))),))
    assert settings_of(conversation) == {"model": "haiku", "env": {"DISABLE_PROMPT_CACHING": "1"}}


def test_marks_that_the_programs_own_stand_for_are_left_to_it() -> None:
    conversation = Conversation(
        "haiku", (UserTurn((Text("a", CacheMark()),)),), ("Be brief.",), system_marks=(CacheMark(), CacheMark())
    )
    [[_, settings, frame]] = batches(conversation)
    assert settings["request"]["settings"] == {"model": "haiku"}
    assert frame["message"]["content"] == [{"type": "text", "text": "a"}]


def test_effort_is_a_setting_of_the_program_and_not_of_the_request() -> None:
    conversation = Conversation("haiku", (user("a"),), sampling=Sampling(effort="high"))
    assert settings_of(conversation) == {"model": "haiku", "effortLevel": "high"}


def test_the_results_of_calls_come_first_and_pictures_of_failures_after_them() -> None:
    """The API takes results nowhere else, and the program drops pictures from the result of a call that failed."""
    picture = Image(url="https://x")
    turn = UserTurn(
        (
            Text("so?"),
            ToolResult("c1", (Text("bad"), picture), is_error=True),
            ToolResult("c2", (picture,)),
            ToolResult("c3", (picture,), is_error=True),
        )
    )
    [[*_, frame]] = batches(Conversation("haiku", (turn,)))
    shown = {"type": "image", "source": {"type": "url", "url": "https://x"}}
    assert frame["message"]["content"] == [
        {"type": "tool_result", "tool_use_id": "c1", "content": [{"type": "text", "text": "bad"}], "is_error": True},
        {"type": "tool_result", "tool_use_id": "c2", "content": [shown]},
        {
            "type": "tool_result",
            "tool_use_id": "c3",
            "content": [{"type": "text", "text": "(no content)"}],
            "is_error": True,
        },
        shown,
        shown,
        {"type": "text", "text": "so?"},
    ]


CLOSED = {**SCHEMA, "required": ["city"], "additionalProperties": False}


def test_a_schema_for_the_answer_that_the_api_knows_is_its_own_output_format() -> None:
    conversation = Conversation(
        "haiku", (user("a"),), output_schema={"$schema": "https://json-schema.org/draft/2020-12/schema", **CLOSED}
    )
    assert body_of(conversation) == {"output_config": {"format": {"type": "json_schema", "schema": CLOSED}}}


def test_another_schema_is_a_tools_that_must_be_called() -> None:
    conversation = Conversation("haiku", (user("a"),), output_schema=SCHEMA)
    body = body_of(conversation)
    assert body == {
        "tools": [{"name": "StructuredOutput", "description": DESCRIPTION, "input_schema": SCHEMA}],
        "tool_choice": {"type": "tool", "name": "StructuredOutput"},
        "thinking": {"type": "disabled"},
        "context_management": {"edits": []},
    }
    assert offered(conversation) == ["StructuredOutput"]


@pytest.mark.parametrize(
    ("choice", "body"),
    [
        (ToolChoice(), {}),
        (ToolChoice("none"), {"tool_choice": {"type": "none"}}),
        (
            ToolChoice("tool", "get_weather", parallel=False),
            {
                "tool_choice": {"type": "tool", "name": "get_weather", "disable_parallel_tool_use": True},
                "thinking": {"type": "disabled"},
                "context_management": {"edits": []},
            },
        ),
    ],
    ids=str,
)
def test_a_forced_call_is_made_without_thinking(choice: ToolChoice, body: Any) -> None:
    conversation = Conversation("haiku", (user("a"),), tools=(TOOL,), tool_choice=choice)
    assert {name: value for name, value in body_of(conversation).items() if name != "tools"} == body


def test_tools_go_in_twice_once_to_be_called_and_once_as_the_client_wrote_them() -> None:
    conversation = Conversation(
        "haiku", (user("a"),), tools=(TOOL, Tool("f", None, CLOSED, strict=True), Tool("g", "", {}))
    )
    [[initialize, *_]] = batches(conversation)
    listed = initialize["request"]["sdkMcpServerManifests"]["c"]["toolsListResult"]["tools"]
    assert listed == [
        {"name": name, "inputSchema": {"type": "object"}, "annotations": {"readOnlyHint": True}}
        for name in ("get_weather", "f", "g")
    ]
    assert body_of(conversation) == {
        "tools": [
            {"name": "get_weather", "description": "d" * 5000, "input_schema": SCHEMA},
            {"name": "f", "input_schema": CLOSED, "strict": True},
            {"name": "g", "description": "", "input_schema": {}},
        ]
    }


def offered(conversation: Conversation) -> list[str]:
    [[initialize, *_]] = batches(conversation)
    return [tool["name"] for tool in initialize["request"]["sdkMcpServerManifests"]["c"]["toolsListResult"]["tools"]]


def test_with_tools_the_program_is_told_not_to_speak_of_commits() -> None:
    conversation = Conversation("haiku", (user("a"),), tools=(TOOL,))
    assert settings_of(conversation)["attribution"] == {"commit": "", "pr": ""}


def test_the_system_prompt_and_the_model_are_told_before_the_first_turn() -> None:
    [[initialize, settings, _]] = batches(Conversation("claude-x", (user("a"),), system=("one", "two")))
    assert initialize["request"]["systemPrompt"] == ["one", "two"]
    assert settings["request"]["settings"]["model"] == "claude-x"
    assert (initialize["request_id"], settings["request_id"]) == ("initialize", "settings")


def test_nothing_of_a_conversation_can_reach_the_arguments_or_the_environment() -> None:
    """The launch is the same before and after: it is not told of any conversation."""
    before = launch("claude", {}, Directories("w", "t", "c"), retries=2)
    canary = "CANARY-71"
    conversation = Conversation(canary, (user(canary),), (canary,), (Tool(canary, canary, {canary: canary}),))
    written = b"".join(script(conversation))
    after = launch("claude", {}, Directories("w", "t", "c"), retries=2)
    assert canary.encode() in written
    assert after == before
    assert canary not in str(after)
