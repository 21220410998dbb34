"""Calls and results: none is without the other, in what is answered at last."""

import pytest

from cca.dialects.pairing import check_pairs, unanswered
from cca.errors import BadRequest
from cca.model import AssistantTurn, Text, ToolResult, ToolUse, Turn, UserTurn

SAID = UserTurn((Text("He"),))
PLACES = {"c": "messages[2]", "d": "messages[3]"}


def calls(*ids: str) -> AssistantTurn:
    return AssistantTurn((Text("She"), *(ToolUse(each, f"f_{each}", {}) for each in ids)))


def results(*ids: str) -> UserTurn:
    return UserTurn(tuple(ToolResult(each, ()) for each in ids))


def followed(turn: UserTurn) -> UserTurn:
    return UserTurn((*turn.content, *SAID.content))


@pytest.mark.parametrize(
    "turns",
    [
        pytest.param((), id="nothing"),
        pytest.param((SAID, calls(), SAID), id="no calls"),
        pytest.param((SAID, calls("c"), results("c")), id="one"),
        pytest.param((SAID, calls("c", "d"), followed(results("d", "c"))), id="two, and a text"),
        pytest.param((SAID, calls("c"), results("c"), calls("d"), results("d")), id="one after the other"),
    ],
)
def test_pairs_are_fine(turns: tuple[Turn, ...]) -> None:
    check_pairs(turns, PLACES)
    assert unanswered(turns) is None


@pytest.mark.parametrize(
    ("turns", "param", "said"),
    [
        pytest.param((results("c"),), "messages[2]", "does not make", id="no call at all"),
        pytest.param((SAID, calls("d"), results("c", "d")), "messages[2]", "does not make", id="another call"),
        pytest.param((SAID, calls("c"), results("c", "c")), "messages[2]", "its result already", id="twice"),
        pytest.param(
            (SAID, calls("c"), results("c"), calls(), results("c")), "messages[2]", "does not make", id="too late"
        ),
        pytest.param((results("x"),), None, "A tool result is", id="one of the history's"),
        pytest.param(
            (SAID, calls("c"), UserTurn((Text("a"), ToolResult("c", ())))),
            "messages[2]",
            "results first",
            id="after text",
        ),
        pytest.param((SAID, calls("c", "d"), results("c")), None, "f_d", id="a call without"),
        pytest.param((SAID, calls("c"), SAID, calls(), SAID), None, "f_c", id="a call without, long ago"),
    ],
)
def test_one_without_the_other_is_refused_by_its_place(turns: tuple[Turn, ...], param: str | None, said: str) -> None:
    with pytest.raises(BadRequest, match=said) as told:
        check_pairs(turns, PLACES)
    assert (told.value.param, told.value.code) == (param, "invalid_value")


def test_the_first_call_without_a_result_is_found() -> None:
    assert unanswered((SAID, calls("a", "c", "d"), results("a"), calls("e"), SAID)) == "c"
