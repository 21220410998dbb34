"""How the messages of a request become a system prompt and turns that alternate."""

from typing import Any

import pytest
from messages_asked import (
    HE,
    MARK,
    SHE,
    ask,
    assistant,
    call,
    conversation,
    image,
    refused_at,
    result,
    terms,
    text,
    turns,
    user,
)

from cca import marks
from cca.dialects.anthropic_messages.request import decode
from cca.dialects.pairing import check_pairs
from cca.errors import BadRequest
from cca.model import AssistantTurn, CacheMark, Text, ToolResult, ToolUse, UserTurn

THOUGHT = {"type": "thinking", "thinking": "hm", "signature": "s"}
HOUR: Any = {"cache_control": {"type": "ephemeral", "ttl": "1h"}}
HIDDEN = {"type": "redacted_thinking", "data": "x"}


def says(content: Any, **fields: Any) -> dict[str, Any]:
    return {"role": "system", "content": content, **fields}


def aside(*blocks: Any, **fields: Any) -> dict[str, Any]:
    return {"type": "mid_conv_system", "content": list(blocks), **fields}


@pytest.mark.parametrize(
    ("system", "prompt", "marks"),
    [
        pytest.param(None, (), (), id="null"),
        pytest.param("", (), (), id="empty"),
        pytest.param([], (), (), id="no blocks"),
        pytest.param("Be brief.", ("Be brief.",), (), id="string"),
        pytest.param([text("a"), text("b", citations=None)], ("a", "b"), (), id="blocks"),
        pytest.param(
            [text("a", **HOUR), text("b"), text("c", **MARK)],
            ("a", "b", "c"),
            (CacheMark("1h"), CacheMark()),
            id="marked blocks",
        ),
    ],
)
def test_the_system_prompt_is_a_string_or_blocks(
    system: Any, prompt: tuple[str, ...], marks: tuple[CacheMark, ...]
) -> None:
    heard = conversation(HE, system=system)
    assert (heard.system, heard.system_marks, heard.turns) == (prompt, marks, (UserTurn((Text("He"),)),))


def test_a_blank_system_prompt_is_none_and_named() -> None:
    heard = ask(HE, system=" \n")
    assert (heard.conversations[0].system, heard.ignored) == ((), ("system (empty)",))


@pytest.mark.parametrize(
    ("system", "param", "said"),
    [
        pytest.param([text("")], "system[0].text", "is empty", id="empty block"),
        pytest.param([text("a"), text(" ")], "system[1].text", "only white space", id="blank block"),
        pytest.param([image()], "system[0].type", "the system speaks in text", id="picture"),
        pytest.param(5, "system", "must be a string or an array", id="number"),
        pytest.param(["a"], "system[0]", "must be an object", id="strings"),
    ],
)
def test_a_system_prompt_that_cannot_be_is_refused(system: Any, param: str, said: str) -> None:
    refused_at(param, said, HE, system=system)


@pytest.mark.parametrize(
    ("messages", "prompt", "ignored"),
    [
        pytest.param([says("a"), HE], ("top", "a"), (), id="before all others"),
        pytest.param([HE, says("a")], ("top", "a"), ("messages[1] (moved to the front)",), id="at the end"),
        pytest.param(
            [HE, says([text("a"), text("b")]), SHE, says("c"), HE],
            ("top", "a", "b", "c"),
            ("messages[1] (moved to the front)", "messages[3] (moved to the front)"),
            id="in between, in their order",
        ),
        pytest.param([HE, says("")], ("top",), ("messages[1] (empty)",), id="empty"),
        pytest.param([HE, says(None)], ("top",), ("messages[1] (empty)",), id="null"),
        pytest.param([HE, says(" ")], ("top",), ("messages[1].content (empty)",), id="blank"),
        pytest.param([HE, says([], output_config={"effort": "low"})], ("top",), (), id="for its effort alone"),
        pytest.param([HE, says("a", x=1)], ("top", "a"), ("messages.x", "messages[1] (moved to the front)"), id="key"),
        pytest.param(
            [HE, says("a", clear_at="next_user_message"), SHE, HE],
            ("top",),
            ("messages[1] (cleared)",),
            id="cleared by the user's next message",
        ),
        pytest.param(
            [HE, SHE, HE, says("a", clear_at="next_user_message")],
            ("top", "a"),
            ("messages[3] (moved to the front)",),
            id="not cleared yet",
        ),
        pytest.param(
            [HE, says("a", clear_at="never"), SHE, HE],
            ("top", "a"),
            ("messages[1] (moved to the front)",),
            id="never cleared",
        ),
        pytest.param(
            [user(text("He"), aside(text("a"), text("b")))],
            ("top", "a", "b"),
            ("messages[0].content[1] (moved to the front)",),
            id="a block of the user's",
        ),
        pytest.param([user(text("He"), aside())], ("top",), (), id="an empty block"),
    ],
)
def test_what_the_system_says_in_mid_conversation_goes_to_the_front(
    messages: Any, prompt: tuple[str, ...], ignored: tuple[str, ...]
) -> None:
    heard = ask(*messages, system="top")
    assert heard.conversations[0].system == prompt
    others = [each for each in messages if each["role"] != "system"]
    assert [turn.content[0] for turn in heard.conversations[0].turns] == [turn.content[0] for turn in turns(*others)]
    assert heard.ignored == ignored


def test_a_mark_on_what_the_system_says_at_the_end_is_one_on_all_that_is_said() -> None:
    """Claude Code's first request has its last mark there."""
    heard = conversation(HE, says([text("a"), text("b", **MARK)]), system=[text("c", **MARK), text("d", **MARK)])
    assert (len(heard.system_marks), heard.cache, marks.kept(heard)) == (2, CacheMark(), False)


def test_marks_on_what_the_system_says_are_counted_wherever_it_stands() -> None:
    heard = conversation(
        HE, says([text("a", **MARK)]), SHE, user(text("b"), aside(text("c"), **MARK)), system=[text("d", **MARK)]
    )
    assert len(heard.system_marks) == 3


@pytest.mark.parametrize(
    ("message", "param", "said"),
    [
        pytest.param(says([image()]), "messages[1].content[0].type", "the system speaks in text", id="picture"),
        pytest.param(says([text("")]), "messages[1].content[0].text", "is empty", id="empty block"),
        pytest.param(says("a", clear_at="soon"), "messages[1].clear_at", '"never" or', id="odd time"),
        pytest.param(
            user(aside({"type": "tool_addition", "tool": {}})),
            "messages[1].content[0].content[0].type",
            "the system speaks in text",
            id="change of the tools",
        ),
    ],
)
def test_what_the_system_cannot_say_is_refused(message: Any, param: str, said: str) -> None:
    refused_at(param, said, HE, message)


def test_neighbours_of_one_role_are_one_turn() -> None:
    heard = turns(HE, user(text("a")), says("s"), user(text("b")), SHE, assistant(text("c")), HE)
    assert heard == (
        UserTurn((Text("He"), Text("a"), Text("b"))),
        AssistantTurn((Text("She"), Text("c"))),
        UserTurn((Text("He"),)),
    )


def test_calls_and_results_are_told_apart_by_their_ids_and_places() -> None:
    heard = ask(HE, assistant(text("a"), call("c"), call("d")), user(result("d"), result("c")), user(text("?")))
    assert heard.conversations[0].turns[1:] == (
        AssistantTurn((Text("a"), ToolUse("c", "f", {}), ToolUse("d", "f", {}))),
        UserTurn((ToolResult("d", ()), ToolResult("c", ()), Text("?"))),
    )
    assert heard.results == {"d": "messages[2].content[0]", "c": "messages[2].content[1]"}


@pytest.mark.parametrize(
    ("untold", "ignored"),
    [
        pytest.param([assistant(THOUGHT)], ("messages[1] (only thinking)",), id="thoughts"),
        pytest.param(
            [assistant(THOUGHT), assistant(THOUGHT, HIDDEN)],
            ("messages[1] (only thinking)", "messages[2] (only thinking)"),
            id="thoughts in two messages",
        ),
        pytest.param([assistant(text("(no content)"))], ("messages[1] (no content)",), id="no content"),
        pytest.param([assistant(text("(no content)\n"))], ("messages[1] (no content)",), id="no content in a line"),
        pytest.param(
            [assistant(THOUGHT, text("(no content)"))], ("messages[1] (only thinking)",), id="a thought and no content"
        ),
    ],
)
def test_a_turn_that_tells_nothing_is_left_out_and_named(untold: Any, ignored: Any) -> None:
    heard = ask(HE, *untold, HE)
    assert heard.conversations[0].turns == (UserTurn((Text("He"), Text("He"))),)
    assert heard.ignored == ignored


@pytest.mark.parametrize(
    "told",
    [
        pytest.param([assistant(THOUGHT), SHE], id="thoughts before a message"),
        pytest.param([assistant(text("(no content)"), text("She"))], id="no content before a text"),
        pytest.param([SHE, assistant(text("(no content)"))], id="no content after a message"),
    ],
)
def test_what_stands_in_a_turn_that_tells_something_stays(told: Any) -> None:
    heard = ask(HE, *told, HE)
    assert (len(heard.conversations[0].turns[1].content), heard.ignored) == (2, ())


@pytest.mark.parametrize(
    ("said", "ignored"),
    [
        pytest.param([text("a"), call("c"), call("d")], (), id="nothing after a call"),
        pytest.param([call("c"), text("a"), call("d")], ("messages.content (moved before calls)",), id="a text"),
        pytest.param([call("c"), call("d"), THOUGHT], ("messages.content (moved before calls)",), id="a thought"),
    ],
)
def test_what_claude_code_moves_before_calls_is_named(said: Any, ignored: Any) -> None:
    results = user(result("c"), result("d"))
    assert ask(HE, assistant(*said), results).ignored == ignored
    assert ask(HE, *(assistant(each) for each in said), results).ignored == ignored


def test_the_user_may_say_that_there_is_no_content() -> None:
    said = {"role": "user", "content": "(no content)"}
    assert turns(said, SHE, said, SHE, said)[::2] == (UserTurn((Text("(no content)"),)),) * 3


@pytest.mark.parametrize(
    ("messages", "param", "said"),
    [
        pytest.param([], "messages", "nothing to answer", id="no messages"),
        pytest.param([says("a")], "messages", "nothing to answer", id="the system's alone"),
        pytest.param([user(aside(text("a")))], "messages", "nothing to answer", id="a block of the system's alone"),
        pytest.param([HE, SHE], "messages[1]", "the last to say something", id="prefill"),
        pytest.param([HE, SHE, says("a")], "messages[1]", "the last to say something", id="prefill before the system"),
        pytest.param([HE, assistant(THOUGHT)], "messages[1]", "the last to say something", id="prefilled thoughts"),
        pytest.param([SHE, HE], "messages[0]", "begins with the user", id="the assistant first"),
        pytest.param([assistant(THOUGHT), HE], "messages[0]", "begins with the user", id="thoughts first"),
        pytest.param([{"role": "user", "content": ""}], "messages[0].content", "is empty", id="empty string"),
        pytest.param([{"role": "user", "content": " "}], "messages[0].content", "only white space", id="blank string"),
        pytest.param([user()], "messages[0].content", "is empty", id="no blocks"),
        pytest.param([HE, assistant(), HE], "messages[1].content", "is empty", id="no blocks of the assistant's"),
        pytest.param([{"role": "user", "content": None}], "messages[0].content", "must be a string", id="null"),
        pytest.param([{"role": "user"}], "messages[0].content", "is missing", id="no content"),
        pytest.param([{"content": "a"}], "messages[0].role", "is missing", id="no role"),
        pytest.param([{"role": "tool", "content": "a"}], "messages[0].role", "'tool', and must be one of", id="role"),
        pytest.param(["He"], "messages[0]", "must be an object", id="a string"),
        pytest.param([HE, assistant(call()), HE], "messages[1].content[0]", "has the result of", id="lonely call"),
        pytest.param(
            [HE, assistant(call("c"), call("d")), user(result("c"))],
            "messages[1].content[1]",
            "has the result of",
            id="lonely second call",
        ),
        pytest.param(
            [HE, assistant(call()), user(result()), assistant(call()), user(result())],
            "messages[3].content[0].id",
            "as that of a call before it",
            id="id used twice",
        ),
    ],
)
def test_messages_that_have_no_answer_are_refused(messages: Any, param: str, said: str) -> None:
    with pytest.raises(BadRequest) as refused:
        decode({"model": "sonnet", "max_tokens": 9, "messages": messages}, terms())
    assert (refused.value.param, said in refused.value.message) == (param, True), refused.value


@pytest.mark.parametrize(
    ("messages", "param"),
    [
        pytest.param([user(result())], "messages[0].content[0]", id="a result of no call"),
        pytest.param(
            [HE, assistant(call()), user(result(), result())], "messages[2].content[1]", id="two results of one call"
        ),
        pytest.param(
            [HE, assistant(call()), user(text("a"), result())], "messages[2].content[1]", id="a result after a text"
        ),
    ],
)
def test_results_that_do_not_pair_are_refused_at_their_place(messages: Any, param: str) -> None:
    heard = ask(*messages)
    with pytest.raises(BadRequest) as refused:
        check_pairs(heard.conversations[0].turns, heard.results)
    assert refused.value.param == param
