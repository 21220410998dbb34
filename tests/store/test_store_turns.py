"""Turns as JSON and back: what was said stays, and what a client cannot know of is not repeated to the model."""

import json
from typing import get_args

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cca.message import Called, Message, Part, Said, Thought
from cca.model import (
    NO_CONTENT,
    AssistantPart,
    AssistantTurn,
    CacheMark,
    Document,
    Image,
    Json,
    RedactedThinking,
    SearchResult,
    Text,
    Thinking,
    ToolResult,
    ToolUse,
    Turn,
    Usage,
    UserPart,
    UserTurn,
)
from cca.store.turns import Answered, Row, Status, answer_row, history, is_of_use, joined, model_of, user_rows

ANSWERED = Answered("claude-x", "end_turn", 0.5, 1.25, Usage(5, 7, 3, 2, 1), 0.0625)

USER_PARTS: tuple[UserPart, ...] = (
    Text("  Grüße\n\0 \U0001f600"),
    Image("image/png", data="iVBORw0="),
    Image(url="https://example.org/a.png"),
    Document("application/pdf", data="JVBERi0=", title="A title"),
    Document(text="words"),
    Document(url="https://example.org/a.pdf"),
    Document(pieces=(Text("a"), Image(url="https://example.org/a.png")), context="Of May.", citations=True),
    SearchResult("https://example.org", "A title", (Text("found"),), citations=True),
    ToolResult("t1", ()),
    ToolResult("t2", (Text("no"), Image("image/png", data="iVBORw0="), Document(text="words")), is_error=True),
    ToolResult("t3", (SearchResult("https://example.org", "A title", (Text("found"),)),)),
)
ASSISTANT_PARTS: tuple[AssistantPart, ...] = (
    Text("Yes."),
    ToolUse("t1", "f", {}),
    ToolUse("t2", "g", {"a": [1, 2.5, None, True, {"b": "ж"}], "type": "text", "partial_json": "x"}),
)


def kept(*rows: Row, status: Status = "completed") -> tuple[Turn, ...]:
    return history((row.role, status, row.content, model_of(row.answer)) for row in rows)


def message_of(*parts: Part) -> Message:
    return Message("claude-x", list(parts))


def answered(*parts: Part) -> list[Json]:
    content: list[Json] = json.loads(answer_row(message_of(*parts), ANSWERED).content)
    return content


@pytest.mark.parametrize("part", USER_PARTS, ids=lambda part: type(part).__name__)
def test_what_a_client_sends_comes_back_as_it_was(part: UserPart) -> None:
    [row] = user_rows([UserTurn((part,))])
    assert (row.role, row.answer) == ("user", None)
    assert kept(row) == (UserTurn((part,)),)


@pytest.mark.parametrize("part", ASSISTANT_PARTS, ids=lambda part: type(part).__name__)
def test_what_a_client_says_that_the_assistant_said_comes_back_as_it_was(part: AssistantPart) -> None:
    [row] = user_rows([AssistantTurn((part,))])
    assert (row.role, row.answer) == ("assistant", None)
    assert kept(row) == (AssistantTurn((part,)),)


def test_there_is_a_part_of_each_kind_above() -> None:
    assert {type(part) for part in USER_PARTS} == set(get_args(UserPart))
    assert {type(part) for part in ASSISTANT_PARTS} == set(get_args(AssistantPart)) - {Thinking, RedactedThinking}


def test_marks_for_the_cache_are_not_kept() -> None:
    """A history would gather them: the API takes four."""
    mark = CacheMark("1h")
    result = ToolResult("t1", (Text("a", mark), SearchResult("s", "t", (Text("b", mark),), cache=mark)), cache=mark)
    document = Document(pieces=(Text("a", mark), Image(url="https://x", cache=mark)), cache=mark)
    [row, said] = user_rows(
        [UserTurn((result, document)), AssistantTurn((Text("a", mark), ToolUse("t", "f", {}, mark)))]
    )
    assert "1h" not in row.content + said.content


def test_what_a_client_says_that_the_model_thought_is_not_kept() -> None:
    [row] = user_rows([AssistantTurn((Thinking("Hm", "c2ln"), RedactedThinking("eA=="), Text("Yes.")), "claude-x")])
    assert kept(row) == (AssistantTurn((Text("Yes."),)),)


def test_turns_stay_apart_and_in_their_order() -> None:
    turns = (UserTurn(USER_PARTS), AssistantTurn(ASSISTANT_PARTS), UserTurn((Text("a"), Text("b"))))
    assert kept(*user_rows(turns)) == turns


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@given(st.text(), st.dictionaries(st.text(), JSON, max_size=3))
def test_any_text_and_any_arguments_come_back(text: str, arguments: dict[str, Json]) -> None:
    said, call = Text(f"{text}."), ToolUse(text, text, arguments)
    [row] = user_rows([AssistantTurn((said, call))])
    assert kept(row) == (AssistantTurn((said, call)),)
    answer = answer_row(
        message_of(Said([f"{text}."]), Called(text, text, [orjson.dumps(arguments).decode()])), ANSWERED
    )
    assert kept(answer) == (AssistantTurn((said, call)),)


# What an answer leaves.


def test_an_answer_is_kept_with_all_that_it_came_to() -> None:
    row = answer_row(message_of(Said(["One ", "two"])), ANSWERED)
    assert row.role == "assistant"
    assert json.loads(row.content) == [{"type": "text", "text": "One two"}]
    assert json.loads(row.answer or "") == {
        "model": "claude-x",
        "outcome": "end_turn",
        "first_event": 0.5,
        "duration": 1.25,
        "usage": {
            "input_tokens": 5,
            "output_tokens": 7,
            "cache_read_tokens": 3,
            "cache_write_tokens": 2,
            "reasoning_tokens": 1,
        },
        "cost": 0.0625,
    }


CALL = Called("t1", "f", ['{"a":', " 1}"])

BROKEN = ['{"a": ', '{"a": 1}}', "[1]", "1", "null", '"{}"']


@pytest.mark.parametrize(
    ("part", "content"),
    [
        pytest.param(Thought(["H", "m"]), {"type": "thinking", "text": "Hm"}, id="a thought that is not signed"),
        pytest.param(
            Thought(["H", "m"], "c2ln"), {"type": "thinking", "text": "Hm", "signature": "c2ln"}, id="one that is"
        ),
        pytest.param(
            Thought([], "c2ln"), {"type": "thinking", "text": "", "signature": "c2ln"}, id="one that is not told"
        ),
        pytest.param(Thought([], redacted="eA=="), {"type": "redacted_thinking", "data": "eA=="}, id="a hidden one"),
        pytest.param(CALL, {"type": "tool_use", "id": "t1", "name": "f", "input": {"a": 1}}, id="a call"),
        pytest.param(
            Called("t1", "f"), {"type": "tool_use", "id": "t1", "name": "f", "input": {}}, id="one without arguments"
        ),
    ],
)
def test_each_part_of_an_answer_is_kept(part: Part, content: Json) -> None:
    assert answered(part) == [content]


@pytest.mark.parametrize("arguments", BROKEN)
def test_arguments_that_are_no_object_are_kept_as_they_came_and_are_not_history(arguments: str) -> None:
    broken = Called("t1", "f", [arguments])
    assert answered(broken) == [{"type": "tool_use", "id": "t1", "name": "f", "partial_json": arguments}]
    row = answer_row(message_of(Said(["a"]), broken), ANSWERED)
    assert kept(row) == (AssistantTurn((Text("a"),)),)


SAID, CALLED = Text("a"), ToolUse("t1", "f", {"a": 1})
HM, SIGNED = Thought(["Hm"], "c2ln"), Thinking("Hm", "c2ln")
HIDDEN, REDACTED = Thought([], redacted="eA=="), RedactedThinking("eA==")


def by_model(*parts: AssistantPart) -> AssistantTurn:
    return AssistantTurn(parts, "claude-x")


@pytest.mark.parametrize(
    ("parts", "status", "turns"),
    [
        pytest.param((Said(["a"]), CALL), "completed", (AssistantTurn((SAID, CALLED)),), id="all of it"),
        pytest.param((Thought(["b"]), Said(["a"])), "completed", (AssistantTurn((SAID,)),), id="no unsigned thought"),
        pytest.param((HM, Said(["a"]), CALL), "completed", (by_model(SIGNED, SAID, CALLED),), id="what is signed"),
        pytest.param(
            (Thought([], "bm8="), HIDDEN, CALL),
            "completed",
            (by_model(Thinking("", "bm8="), REDACTED, CALLED),),
            id="what nobody can read",
        ),
        pytest.param((Said(["a"]), HM, CALL), "completed", (by_model(SAID, SIGNED, CALLED),), id="in its place"),
        pytest.param(
            (HM, Said(["a"]), HIDDEN, Said([" "])), "completed", (by_model(SIGNED, SAID),), id="no thought at the end"
        ),
        pytest.param(
            (HM, Said(["a"]), HM, CALL), "incomplete", (by_model(SIGNED, SAID),), id="nor one that led to a lost call"
        ),
        pytest.param((Said(["a"]), HM), "completed", (AssistantTurn((SAID,)),), id="whose it was is nothing then"),
        pytest.param((HM, HIDDEN), "incomplete", (AssistantTurn(()),), id="nothing where there are only thoughts"),
        pytest.param((Said([" \n"]), CALL), "completed", (AssistantTurn((CALLED,)),), id="not white space"),
        pytest.param((Said(["a"]), CALL), "incomplete", (AssistantTurn((SAID,)),), id="of one cut off, not its calls"),
        pytest.param((Thought(["b"]),), "incomplete", (AssistantTurn(()),), id="nothing that can be repeated"),
        pytest.param((Said(["a"]), CALL), "undelivered", (), id="nothing that the client has not got"),
    ],
)
def test_of_an_answer_the_history_has_what_the_client_can_go_on_from(
    parts: tuple[Part, ...], status: Status, turns: tuple[Turn, ...]
) -> None:
    assert kept(answer_row(message_of(*parts), ANSWERED), status=status) == turns


def test_what_a_client_sent_is_not_history_either_when_it_got_nothing() -> None:
    """It will ask again, and must not be heard twice."""
    rows = list(user_rows([UserTurn((Text("one"),))]))
    assert kept(*rows, status="incomplete") == (UserTurn((Text("one"),)),)
    assert kept(*rows, status="undelivered") == ()


@pytest.mark.parametrize(
    ("parts", "of_use"),
    [
        ((), False),
        ((Thought(["Hm"]), CALL), False),
        ((Said([" ", "\n"]),), False),
        ((Said([" "]), CALL, Said(["a"])), True),
    ],
    ids=["nothing", "no text", "white space", "text"],
)
def test_text_is_what_a_client_goes_on_from(parts: tuple[Part, ...], *, of_use: bool) -> None:
    assert is_of_use(message_of(*parts)) is of_use


# One after the other.

A, B, C = Text("a"), Text("b"), Text("c")


@pytest.mark.parametrize(
    ("turns", "together"),
    [
        pytest.param((), (), id="none"),
        pytest.param((UserTurn((A,)), AssistantTurn((B,))), (UserTurn((A,)), AssistantTurn((B,))), id="they alternate"),
        pytest.param((UserTurn((A,)), UserTurn((B, C))), (UserTurn((A, B, C)),), id="a user's are one"),
        pytest.param(
            (UserTurn((A,)), AssistantTurn((B,)), AssistantTurn((C,))),
            (UserTurn((A,)), AssistantTurn((B, C))),
            id="so are the assistant's",
        ),
        pytest.param(
            (UserTurn((A,)), AssistantTurn(()), UserTurn((B,))), (UserTurn((A, B)),), id="around an empty one, too"
        ),
        pytest.param(
            (AssistantTurn((B,)), UserTurn((C,))),
            (UserTurn((NO_CONTENT,)), AssistantTurn((B,)), UserTurn((C,))),
            id="the user's is the first",
        ),
        pytest.param((UserTurn(()), AssistantTurn(())), (), id="nothing but empty ones"),
    ],
)
def test_neighbours_are_joined(turns: tuple[Turn, ...], together: tuple[Turn, ...]) -> None:
    assert joined(turns) == together


M, N = Thinking("m", "bQ=="), RedactedThinking("n")


@pytest.mark.parametrize(
    ("turns", "together"),
    [
        pytest.param([((M, A), "m"), ((B,), None)], AssistantTurn((M, A, B), "m"), id="said by nobody known"),
        pytest.param([((A,), None), ((M, B), "m")], AssistantTurn((A, M, B), "m"), id="and before"),
        pytest.param([((M, A), "m"), ((M, B), "m")], AssistantTurn((M, A, M, B), "m"), id="the same model"),
        pytest.param([((M, A), "m"), ((N, B), "n")], AssistantTurn((A, N, B), "n"), id="the last model"),
        pytest.param(
            [((M, A), "m"), ((N, B), "n"), ((C,), None)],
            AssistantTurn((A, N, B, C), "n"),
            id="the last one that thought",
        ),
        pytest.param([((M, A), None), ((N, B), "n")], AssistantTurn((A, N, B), "n"), id="a thought of nobody's"),
    ],
)
def test_neighbours_are_of_the_last_model_that_thought_in_them(
    turns: list[tuple[tuple[AssistantPart, ...], str | None]], together: AssistantTurn
) -> None:
    """Another one's thoughts are left out: Claude Code would drop them, or all."""
    assert joined([UserTurn((A,)), *(AssistantTurn(*turn) for turn in turns)]) == (UserTurn((A,)), together)


def test_a_turn_alone_stays_as_it_is() -> None:
    turns = (UserTurn((A,)), AssistantTurn((M, N, B), "m"))
    assert joined(turns) == turns
