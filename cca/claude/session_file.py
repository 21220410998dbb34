"""The past turns of a conversation as a session file, from which Claude Code goes on.

It reads the file at its start, whatever its length, and writes nothing to it; to be told of a turn takes it some time
for each. A session file says no more than the turns: what else the program would write into a row, it does without.

The last turn of the model's is not in it, but written beside the turn that is to be answered: the program would take
calls of its for broken off, and tell the model so. What comes before ends with a turn of the user's, and would be taken
for broken off as well; so a last row says that the API failed there, of which the model is told nothing.
"""

from collections.abc import Iterator
from itertools import pairwise
from typing import assert_never

from cca import marks
from cca.claude.frames import serialize
from cca.claude.script import BESIDE, assistant_blocks, is_thinking_off, refuse_deep, user_blocks
from cca.model import AssistantTurn, Conversation, Image, Json, Text, ToolResult, ToolUse, Turn, UserTurn
from cca.redrawn import is_large, redrawn

FAILURE: Json = {
    "type": "assistant",
    "isApiErrorMessage": True,
    "message": {"role": "assistant", "model": "<synthetic>", "content": [{"type": "text", "text": "-"}]},
}


def is_long(conversation: Conversation, least: int) -> bool:
    """Whether a history is of ``least`` turns of the user's or more. With a ``least`` of 0 none is."""
    return 0 < least <= len(conversation.turns) // 2


def goes_by_file(conversation: Conversation, least: int) -> bool:
    """Whether a history goes by file: a long one, that arrives the same so."""
    return is_long(conversation, least) and _is_the_same(conversation.turns[:-BESIDE], conversation.model)


def session_file(conversation: Conversation) -> bytes:
    """Return the file of the past turns, but for the last of the model's. Each row is an ASCII line.

    Raise ``BadRequest`` for JSON that is nested too deep.
    """
    refuse_deep(conversation)
    settled = marks.settled(conversation)
    rows = (*_turns(settled.turns[:-BESIDE], off=is_thinking_off(settled)), FAILURE)
    return b"".join(_row(number, row) for number, row in enumerate(rows, start=1))


def _turns(turns: tuple[Turn, ...], *, off: bool) -> Iterator[Json]:
    for turn in turns:
        match turn:
            case UserTurn(content):
                yield {"type": "user", "message": {"role": "user", "content": user_blocks(content)}}
            case AssistantTurn(content, model):
                message: Json = {"role": "assistant", "content": assistant_blocks(content, off=off)}
                yield {"type": "assistant", "message": message if model is None else {**message, "model": model}}
            case _:
                assert_never(turn)


def _row(number: int, row: Json) -> bytes:
    """Return a row that follows the one before it."""
    return serialize({**row, "uuid": _id(number), "parentUuid": _id(number - 1) if number > 1 else None})


def _id(number: int) -> str:
    """Return an id that is unique in its file, which is all that it has to be."""
    return f"00000000-0000-4000-8000-{number:012x}"


def _is_the_same(past: tuple[Turn, ...], model: str) -> bool:
    """Whether these turns reach the model by file as they do turn by turn."""
    return (
        _goes_on_with(past, model)
        and all(map(_says_something, past))
        and all(_is_answered(*pair) for pair in pairwise(past))
        and not any(_is_drawn_anew(picture) for turn in past for picture in redrawn(turn.content))
    )


def _goes_on_with(past: tuple[Turn, ...], model: str) -> bool:
    """Whether the last model that is named is the one that goes on: the program tells it of a change of models."""
    named = (turn.model for turn in reversed(past) if isinstance(turn, AssistantTurn) and turn.model is not None)
    return next(named, model) == model


def _says_something(turn: Turn) -> bool:
    """Whether a turn of the model's has more in it than thoughts, of which the program drops some."""
    return isinstance(turn, UserTurn) or any(
        isinstance(part, ToolUse) or (isinstance(part, Text) and bool(part.text.strip())) for part in turn.content
    )


def _is_answered(turn: Turn, following: Turn) -> bool:
    """Whether the calls of a turn are those that the turn after it has the results of."""
    calls = {part.id for part in turn.content if isinstance(part, ToolUse)}
    return calls == {part.tool_use_id for part in following.content if isinstance(part, ToolResult)}


def _is_drawn_anew(picture: Image) -> bool:
    """Whether a picture would be another one turn by turn, or lose a mark."""
    return picture.cache is not None or is_large(picture)
