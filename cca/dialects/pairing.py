"""Tool calls and their results: Claude's API answers no conversation in which one is without the other."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import assert_never

from cca.errors import BadRequest
from cca.model import AssistantTurn, ToolResult, ToolUse, Turn, UserTurn


def check_pairs(turns: Sequence[Turn], results: Mapping[str, str]) -> None:
    """Raise ``BadRequest`` for a result that answers no call of the turn before it, and a call without a result.

    ``turns`` alternate; ``results`` are the places of the results in the body, by the ids of their calls.
    """
    open_calls: dict[str, str] = {}
    for turn in turns:
        match turn:
            case AssistantTurn(content):
                open_calls = {part.id: part.name for part in content if isinstance(part, ToolUse)}
            case UserTurn():
                _answer(turn, open_calls, results)
                open_calls = {}
            case _:
                assert_never(turn)


def unanswered(turns: Sequence[Turn]) -> str | None:
    """Return the id of the first call that the turn after it has no result of."""
    for turn, following in pairwise(turns):
        answered = {part.tool_use_id for part in following.content if isinstance(part, ToolResult)}
        for part in turn.content:
            if isinstance(part, ToolUse) and part.id not in answered:
                return part.id
    return None


def _answer(turn: UserTurn, open_calls: dict[str, str], results: Mapping[str, str]) -> None:
    """Take the results of ``turn``, each of an open call, before anything else in it."""
    others = False
    for part in turn.content:
        if not isinstance(part, ToolResult):
            others = True
            continue
        path = results.get(part.tool_use_id)
        place = path or "A tool result"
        if open_calls.pop(part.tool_use_id, None) is None:
            raise BadRequest(
                f"{place} is the result of a call that the assistant's turn before it does not make, or that has its "
                "result already; send a result once, after the message that makes the call.",
                param=path,
                code="invalid_value",
            )
        if others:
            text = f"{place} is a tool result that comes after something else; send results first."
            raise BadRequest(text, param=path, code="invalid_value")
    if open_calls:
        name = next(iter(open_calls.values()))
        raise BadRequest(
            f"The assistant called the tool {name}, and what comes after it has no result of that; send it first.",
            code="invalid_value",
        )
