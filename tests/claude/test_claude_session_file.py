"""Histories as session files: what stands in one, and which histories go in so."""

import json
from typing import Any

import pytest

from cca.claude.dialogue import Dialogue
from cca.claude.script import script
from cca.claude.session_file import goes_by_file, session_file
from cca.errors import BadRequest
from cca.model import (
    AssistantPart,
    AssistantTurn,
    CacheMark,
    Conversation,
    Image,
    RedactedThinking,
    Sampling,
    Text,
    Thinking,
    Tool,
    ToolResult,
    ToolUse,
    Turn,
    UserPart,
    UserTurn,
)

MODEL = "claude-sonnet-5-5"
CALL = ToolUse("call_1", "look", {})
RESULT = ToolResult("call_1", (Text("r"),))
THOUGHT = Thinking("hm", "c2ln")
SMALL = "R0lGODlhAQABAAAAACw="
HUGE = "R0lGODlh0gcBAAAAACw="
"""A picture of 2002 pixels on a side."""


def user(*parts: UserPart) -> UserTurn:
    return UserTurn(parts or (Text("u"),))


def assistant(*parts: AssistantPart, model: str | None = None) -> AssistantTurn:
    return AssistantTurn(parts or (Text("a"),), model)


def ending(*past: Turn) -> Conversation:
    """Return a conversation of these turns, the two that are in no file, and tools."""
    return Conversation(MODEL, (*past, assistant(Text("last")), user(Text("now"))), tools=(Tool("look", None, {}),))


def rows(conversation: Conversation) -> list[Any]:
    content = session_file(conversation)
    assert content.endswith(b"\n")
    return [json.loads(line) for line in content.split(b"\n")[:-1]]


def test_each_turn_is_a_row_that_follows_the_one_before_it_and_the_last_is_a_failure() -> None:
    written = rows(ending(user(Text("one"), Text("two")), assistant(Text("three"), CALL), user(RESULT)))
    assert [row["message"]["content"] for row in written] == [
        [{"type": "text", "text": "one"}, {"type": "text", "text": "two"}],
        [{"type": "text", "text": "three"}, {"type": "tool_use", "id": "call_1", "name": "look", "input": {}}],
        [{"type": "tool_result", "tool_use_id": "call_1", "content": [{"type": "text", "text": "r"}]}],
        [{"type": "text", "text": "-"}],
    ]
    assert [(row["type"], row["message"]["role"]) for row in written] == [
        *[("user", "user"), ("assistant", "assistant")] * 2
    ]
    ids = [row["uuid"] for row in written]
    assert len(set(ids)) == 4
    assert [row["parentUuid"] for row in written] == [None, *ids[:-1]]
    assert [row.get("isApiErrorMessage") for row in written] == [None, None, None, True]
    assert written[-1]["message"]["model"] == "<synthetic>"


def test_a_row_is_an_ascii_line_whatever_stands_in_it() -> None:
    hard = 'a\nb\r\u2028\x85\x00\ud800é"}{"type":"user"}'
    content = session_file(ending(user(Text(hard))))
    assert content.isascii()
    assert len(content.splitlines()) == 2
    assert json.loads(content.splitlines()[0])["message"]["content"] == [{"type": "text", "text": hard}]


def test_the_model_of_a_turn_stands_in_its_row_for_the_sake_of_its_thoughts() -> None:
    written = rows(ending(user(), assistant(THOUGHT, Text("a"), model=MODEL), user(), assistant(), user()))
    assert [row["message"].get("model") for row in written[1:4:2]] == [MODEL, None]
    assert written[1]["message"]["content"][0] == {"type": "thinking", "thinking": "hm", "signature": "c2ln"}


def test_who_is_not_to_think_has_not_thought() -> None:
    past = (user(), assistant(THOUGHT, RedactedThinking("x"), Text("a"), model=MODEL), user())
    conversation = Conversation(MODEL, (*past, assistant(), user()), sampling=Sampling(thinking=False))
    assert rows(conversation)[1]["message"]["content"] == [{"type": "text", "text": "a"}]


def test_marks_stand_as_they_are_kept() -> None:
    marked = ending(user(Text("u", CacheMark("1h"))))
    assert rows(marked)[0]["message"]["content"][0]["cache_control"] == {"type": "ephemeral", "ttl": "1h"}


def test_what_is_not_in_the_file_is_written_in_one_batch() -> None:
    """The calls of the model's last turn are not broken off, where it is said and not remembered."""
    last = (assistant(Text("b"), CALL), user(RESULT))
    conversation = Conversation("haiku", (user(), assistant(), user(), *last))
    [batch] = script(conversation, recalled=True)
    whole = script(conversation)
    assert batch.splitlines() == [*whole[0].splitlines()[:2], *whole[2].splitlines()]
    assert Dialogue(conversation, 0.0, recalled=True).open() == batch
    assert len(rows(conversation)) == 4


@pytest.mark.parametrize(
    ("turns", "least", "goes"),
    [(0, 1, False), (1, 1, True), (1, 2, False), (2, 2, True), (3, 2, True), (3, 0, False), (0, 0, False)],
)
def test_a_history_goes_by_file_from_so_many_past_turns_on(turns: int, least: int, *, goes: bool) -> None:
    pair: tuple[Turn, ...] = (user(), assistant())
    assert goes_by_file(Conversation("haiku", (*pair * turns, user())), least) is goes


@pytest.mark.parametrize(
    ("past", "goes"),
    [
        pytest.param((user(), assistant(CALL), user(RESULT)), True, id="a call with its result"),
        pytest.param((user(), assistant(Text(" "), CALL), user(RESULT, Text("more"))), True, id="and more"),
        pytest.param((user(), assistant(CALL), user()), False, id="a call without a result"),
        pytest.param((user(), assistant(), user(RESULT)), False, id="a result without a call"),
        pytest.param((user(), assistant(Text("a"), Text("")), user()), True, id="a text and an empty one"),
        pytest.param((user(), assistant(Text(" \n")), user()), False, id="white space"),
        pytest.param((user(), assistant(THOUGHT, model=MODEL), user()), False, id="a thought alone"),
        pytest.param((user(), assistant(THOUGHT, Text("a"), model=MODEL), user()), True, id="a thought"),
        pytest.param((user(), assistant(THOUGHT, Text("a"), model="x"), user()), False, id="another model's"),
        pytest.param(
            (user(), assistant(THOUGHT, Text("a"), model="x"), user(), assistant(model=MODEL), user()),
            True,
            id="another model's, before this one's",
        ),
        pytest.param((user(Image("image/gif", SMALL)),), True, id="a picture"),
        pytest.param((user(Image("image/gif", SMALL, cache=CacheMark())),), False, id="a picture with a mark"),
        pytest.param((user(Image("image/gif", HUGE)),), False, id="a large picture"),
        pytest.param((user(Image(url="https://example.com/a")),), True, id="a picture elsewhere"),
    ],
)
def test_a_history_that_would_arrive_otherwise_goes_turn_by_turn(past: tuple[Turn, ...], *, goes: bool) -> None:
    assert goes_by_file(ending(*past), 1) is goes


def test_what_is_in_no_file_does_not_keep_the_rest_from_one() -> None:
    last = assistant(THOUGHT, ToolUse("open", "look", {}), model="x")
    conversation = Conversation(MODEL, (user(), last, user(ToolResult("open", ()), Image("image/gif", HUGE))))
    assert goes_by_file(conversation, 1)


def test_what_is_nested_too_deep_is_refused() -> None:
    deep: Any = {}
    for _ in range(10_000):
        deep = {"a": deep}
    call = ToolUse("call_1", "look", deep)
    with pytest.raises(BadRequest, match="nested deeper"):
        session_file(ending(user(), assistant(call), user(RESULT)))
