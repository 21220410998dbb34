"""Whose marks for the cache go to the model's API."""

import pytest
from attrs import evolve

from cca.marks import count, kept, moved, on_pictures, placed, settled, unmarked
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
    *turns: Turn,
    system: int | None = None,
    tools: int = 0,
    cache: CacheMark | None = None,
    tool: CacheMark = MARK,
    mark: CacheMark = MARK,
) -> Conversation:
    """Return a conversation; ``system`` is the number of marks, ``mark`` each, on a system prompt if there is one."""
    return Conversation(
        "haiku",
        turns,
        () if system is None else ("Be brief.",),
        (TOOL, *(evolve(TOOL, cache=tool) for _ in range(tools))),
        system_marks=(mark,) * (system or 0),
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
        pytest.param(asked(user(None), tools=2), id="tools alone"),
        pytest.param(asked(user(MARK), system=0, tools=2), id="a system prompt without"),
        pytest.param(asked(user(MARK, None), system=3), id="a block before the last"),
        pytest.param(asked(user(MARK), ANSWER, user(MARK), system=2), id="a turn before the last"),
        pytest.param(asked(user(None), MARKED_ANSWER, user(MARK), system=2), id="an answer"),
        pytest.param(asked(UserTurn((ToolResult("t", (Text("a", MARK),)),)), system=3), id="inside of the last block"),
        pytest.param(asked(user(HOUR), system=2), id="for an hour"),
        pytest.param(asked(user(MARK), system=2, mark=HOUR), id="a system prompt's for an hour"),
        pytest.param(asked(user(MARK), system=2, tools=1, tool=HOUR), id="a tool's for an hour"),
    ],
)
def test_other_marks_are_kept_and_are_then_the_only_ones(conversation: Conversation) -> None:
    assert kept(conversation)
    assert not moved(conversation)
    assert settled(conversation) is conversation


CALLS = AssistantTurn((ToolUse("t", "look", {}, MARK),))
DRAWN = Image("image/png", "iVBO", cache=HOUR)
LINKED = Image(url="https://x", cache=MARK)


@pytest.mark.parametrize(
    ("conversation", "mark"),
    [
        pytest.param(asked(user(None), system=1), MARK, id="a system prompt"),
        pytest.param(asked(user(None), system=3, mark=HOUR), HOUR, id="a system prompt, for an hour"),
        pytest.param(asked(user(None), CALLS, user(None)), MARK, id="a call"),
        pytest.param(asked(user(None), CALLS, user(None), system=1, mark=HOUR), HOUR, id="both, the longer first"),
        pytest.param(asked(UserTurn((DRAWN, Text("a")))), HOUR, id="a picture"),
        pytest.param(
            asked(UserTurn((ToolResult("t", (Text("a"), DRAWN), is_error=True),))), HOUR, id="a picture of a failure"
        ),
    ],
)
def test_where_none_arrives_one_is_on_whatever_comes_last(conversation: Conversation, mark: CacheMark) -> None:
    """Else nothing would be kept at all: less than without any mark."""
    assert kept(conversation)
    assert moved(conversation)
    assert settled(conversation) == evolve(conversation, cache=mark)


@pytest.mark.parametrize(
    "turn",
    [
        pytest.param(UserTurn((LINKED,)), id="a picture at an address"),
        pytest.param(UserTurn((ToolResult("t", (DRAWN,)),)), id="a picture in a result"),
        pytest.param(UserTurn((Document(pieces=(DRAWN,)),)), id="a picture in a document"),
        pytest.param(
            UserTurn((ToolResult("t", (Text("a", MARK), DRAWN), is_error=True),)), id="the words of a failure"
        ),
        pytest.param(UserTurn((ToolResult("t", (DRAWN,), is_error=True, cache=MARK),)), id="a failure"),
    ],
)
def test_marks_beside_those_that_are_dropped_arrive(turn: UserTurn) -> None:
    assert kept(asked(turn))
    assert not moved(asked(turn))


def test_without_marks_none_is_moved() -> None:
    assert not moved(asked(user(None)))
    assert not moved(asked(user(MARK), system=2))


def test_marks_on_pictures_of_the_users_are_told_from_others() -> None:
    assert on_pictures(asked(UserTurn((Text("a"), DRAWN))))
    assert on_pictures(asked(UserTurn((ToolResult("t", (DRAWN,), is_error=True),))))
    assert not on_pictures(asked(UserTurn((evolve(DRAWN, cache=None), LINKED, ToolResult("t", (DRAWN,))))))


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
