"""Whose marks for the cache go to the model's API."""

import pytest
from attrs import evolve

from cca.marks import count, kept, placed, settled, unmarked
from cca.model import (
    AssistantTurn,
    CacheMark,
    Conversation,
    Document,
    Image,
    RedactedThinking,
    SearchResult,
    Text,
    Thinking,
    Tool,
    ToolResult,
    ToolUse,
    Turn,
    UserTurn,
)

MARK = CacheMark()
HOUR = CacheMark("1h")
TOOL = Tool("look", "Look.", {"type": "object"})


def user(*marks: CacheMark | None) -> UserTurn:
    return UserTurn(tuple(Text("a", mark) for mark in marks))


ANSWER = AssistantTurn((Text("b"),))
MARKED_ANSWER = AssistantTurn((Text("b", MARK),))

INSIDE = UserTurn(
    (
        ToolResult("t", (Text("a", MARK), SearchResult("s", "t", (Text("b", MARK),), cache=MARK)), cache=MARK),
        Document(pieces=(Text("a"), Image(url="https://x", cache=MARK)), cache=MARK),
        Image(url="https://x", cache=MARK),
    )
)
"""Seven marks, on blocks and in them."""


def asked(
    *turns: Turn, system: int | None = None, tools: int = 0, cache: CacheMark | None = None, tool: CacheMark = MARK
) -> Conversation:
    """Return a conversation; ``system`` is the number of marks on a system prompt, if there is one."""
    return Conversation(
        "haiku",
        turns,
        () if system is None else ("Be brief.",),
        (TOOL, *(evolve(TOOL, cache=tool) for _ in range(tools))),
        system_marks=system or 0,
        cache=cache,
    )


@pytest.mark.parametrize(
    ("conversation", "marks"),
    [
        (asked(user(None)), 0),
        (asked(user(MARK, None), ANSWER, user(HOUR)), 2),
        (asked(user(None), MARKED_ANSWER, user(None)), 1),
        (asked(INSIDE), 7),
        (asked(user(None), AssistantTurn((ToolUse("t", "f", {}, MARK),)), INSIDE, system=2, tools=1, cache=HOUR), 12),
        (asked(user(None), AssistantTurn((Thinking("", "c2ln"), RedactedThinking("eA=="))), user(None)), 0),
    ],
    ids=["none", "blocks", "an answer's", "inside of blocks", "everywhere", "thoughts have none"],
)
def test_a_mark_counts_wherever_it_stands(conversation: Conversation, marks: int) -> None:
    assert count(conversation) == marks


@pytest.mark.parametrize(
    "conversation",
    [
        pytest.param(asked(user(None)), id="none"),
        pytest.param(asked(user(None), system=0), id="none, with a system prompt"),
        pytest.param(asked(user(None, MARK), system=2), id="system prompt and last block"),
        pytest.param(asked(user(None), system=2, cache=MARK), id="system prompt and whatever is last"),
        pytest.param(asked(user(MARK), system=1, tools=1), id="tools, system prompt and last block"),
        pytest.param(asked(user(MARK), system=3), id="as many as there may be"),
        pytest.param(asked(user(CacheMark("5m")), system=2), id="five minutes, in words"),
        pytest.param(asked(user(MARK), tools=1), id="tools and last block, without a system prompt"),
    ],
)
def test_claude_codes_own_marks_stand_for_those_in_the_same_places(conversation: Conversation) -> None:
    assert not kept(conversation)
    assert count(settled(conversation)) == 0


@pytest.mark.parametrize(
    "conversation",
    [
        pytest.param(asked(user(MARK)), id="one"),
        pytest.param(asked(user(None), cache=MARK), id="on whatever is last"),
        pytest.param(asked(user(MARK), system=1), id="fewer than Claude Code's own"),
        pytest.param(asked(user(None), system=3), id="nothing on the last block"),
        pytest.param(asked(user(None), tools=2), id="tools alone"),
        pytest.param(asked(user(MARK), system=0, tools=2), id="a system prompt without"),
        pytest.param(asked(user(MARK, None), system=3), id="a block before the last"),
        pytest.param(asked(user(MARK), ANSWER, user(MARK), system=2), id="a turn before the last"),
        pytest.param(asked(user(None), MARKED_ANSWER, user(MARK), system=2), id="an answer"),
        pytest.param(asked(UserTurn((ToolResult("t", (Text("a", MARK),)),)), system=3), id="inside of the last block"),
        pytest.param(asked(user(HOUR), system=2), id="for an hour"),
        pytest.param(asked(user(MARK), system=2, tools=1, tool=HOUR), id="a tool's for an hour"),
    ],
)
def test_other_marks_are_kept_and_are_then_the_only_ones(conversation: Conversation) -> None:
    assert kept(conversation)
    assert settled(conversation) is conversation


def test_a_mark_in_a_turn_stays_there_when_the_conversation_goes_on() -> None:
    assert placed(asked(user(None), MARKED_ANSWER, user(None)))
    assert not placed(asked(user(None), tools=1, cache=MARK))


def test_without_marks_nothing_else_is_missing() -> None:
    thoughts = AssistantTurn((Thinking("Hm", "c2ln"), Text("b", MARK), ToolUse("t", "f", {}, MARK)), "claude-x")
    bare = unmarked(asked(INSIDE, thoughts, INSIDE, system=2, tools=1, cache=MARK))
    assert count(bare) == 0
    assert bare.turns[0] == UserTurn(
        (
            ToolResult("t", (Text("a"), SearchResult("s", "t", (Text("b"),)))),
            Document(pieces=(Text("a"), Image(url="https://x"))),
            Image(url="https://x"),
        )
    )
    assert bare.turns[1] == AssistantTurn((Thinking("Hm", "c2ln"), Text("b"), ToolUse("t", "f", {})), "claude-x")
    assert (bare.system, bare.tools) == (("Be brief.",), (TOOL, TOOL))
