"""Turns of a session as JSON, and a session's history back from them. Pure.

A part is as the model has it, with its ``type``. Two kinds are kept that no history has: a ``thinking`` without a
``signature``, which the model's API would not know again, and a ``tool_use`` with ``partial_json``, whose answer broke
off in its arguments.
"""

from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Literal, TypeAlias, assert_never

import orjson
from attrs import asdict, frozen

from cca.marks import unmarked_turn
from cca.message import Called, Message, Said, Thought
from cca.model import (
    NO_CONTENT,
    AssistantPart,
    AssistantTurn,
    Json,
    RedactedThinking,
    Thinking,
    Turn,
    Usage,
    UserPart,
    UserTurn,
)
from cca.model_json import model_converter

Status: TypeAlias = Literal["completed", "incomplete", "undelivered"]
"""Of an exchange and its turns: the client got the answer to its end, some of it, or nothing.

The last one is kept, and is not part of the history: the client will ask again.
"""

Role: TypeAlias = Literal["user", "assistant"]

_THOUGHTS = ("thinking", "redacted_thinking")
"""The types of what was thought."""

_CONVERTER = model_converter("type")


@frozen
class Row:
    """A turn as it is kept: ``content`` and ``answer`` are JSON."""

    role: Role
    content: str
    answer: str | None = None


@frozen
class Answered:
    """What an answer came to. Times are in seconds, the cost in US dollars; ``outcome`` is as an exchange has it."""

    model: str
    outcome: str
    first_event: float | None
    duration: float
    usage: Usage
    cost: float


def user_rows(turns: Iterable[Turn]) -> Iterator[Row]:
    """Yield the rows of what a client sent: user turns, and what it says that the assistant said."""
    for turn in map(of_client, turns):
        yield Row("user" if isinstance(turn, UserTurn) else "assistant", _text(content_of(turn)))


def of_client(turn: Turn) -> Turn:
    """Return what is kept of a turn that a client sent.

    Not its marks for the cache, which a history would gather. Nor what it says that the model thought: no row says
    which model that was.
    """
    return unthought(unmarked_turn(turn))


def unthought(turn: Turn) -> Turn:
    """Return a turn without what was thought in it."""
    if isinstance(turn, UserTurn):
        return turn
    return AssistantTurn(tuple(part for part in turn.content if not _is_thought(part)))


def content_of(turn: Turn) -> list[Json]:
    """Return the parts of a turn as they are kept: what ``turn_of`` takes."""
    kinds = UserPart if isinstance(turn, UserTurn) else AssistantPart
    return [_CONVERTER.unstructure(part, kinds) for part in turn.content]


def answer_row(message: Message, answered: Answered) -> Row:
    return Row("assistant", _text([_part(part) for part in message.parts]), _text(asdict(answered)))


def model_of(answer: str | None) -> str | None:
    """Return the id of the model whose answer a row has, if it has one's."""
    return None if answer is None else str(orjson.loads(answer)["model"])


def is_of_use(message: Message) -> bool:
    """Whether a client that got ``message``, cut off where it is, would go on from it."""
    return bool(message.said.strip())


def history(rows: Iterable[tuple[str, str, str, str | None]]) -> tuple[Turn, ...]:
    """Return the turns of rows of role, status, content and model, oldest first: those that the client knows of."""
    return tuple(
        turn_of(role, _past(orjson.loads(content), status), model)
        for role, status, content, model in rows
        if status != "undelivered"
    )


def turn_of(role: str, parts: Json, model: str | None = None) -> Turn:
    """Return a turn whose parts are as they are kept; ``model`` said it.

    It can have no ``thinking`` without a signature, and no broken ``tool_use``.
    """
    if role == "user":
        return UserTurn(_CONVERTER.structure(parts, tuple[UserPart, ...]))
    content = _CONVERTER.structure(parts, tuple[AssistantPart, ...])
    return AssistantTurn(content, model if any(map(_is_thought, content)) else None)


def joined(turns: Iterable[Turn]) -> tuple[Turn, ...]:
    """Return ``turns`` as a conversation with Claude has them: alternating, none of them empty, the user's first."""
    said = (turn for turn in turns if turn.content)
    alternating = tuple(_join(list(neighbours)) for _, neighbours in groupby(said, type))
    if alternating and isinstance(alternating[0], AssistantTurn):
        return (UserTurn((NO_CONTENT,)), *alternating)
    return alternating


def _join(turns: list[Turn]) -> Turn:
    match turns:
        case [turn]:
            return turn
        case [UserTurn(), *_]:
            return UserTurn(tuple(part for turn in turns if isinstance(turn, UserTurn) for part in turn.content))
        case _:
            return _said_by_one([turn for turn in turns if isinstance(turn, AssistantTurn)])


def _said_by_one(turns: list[AssistantTurn]) -> AssistantTurn:
    """Return ``turns`` as one of the last model that thought in them: it has no use for the thoughts of others."""
    model = next((turn.model for turn in reversed(turns) if turn.model is not None), None)
    parts = (part for turn in turns for part in turn.content if turn.model == model or not _is_thought(part))
    return AssistantTurn(tuple(parts), model)


def _is_thought(part: AssistantPart) -> bool:
    return isinstance(part, Thinking | RedactedThinking)


def _past(parts: list[Json], status: str) -> list[Json]:
    """Return what the history has of a turn. What was thought last led to nothing: the API takes no turn with it."""
    known = [part for part in parts if _is_history(part, status)]
    said = [position for position, part in enumerate(known, start=1) if part["type"] not in _THOUGHTS]
    return known[: said[-1]] if said else []


def _is_history(part: Json, status: str) -> bool:
    match part:
        case {"type": "thinking"}:
            return "signature" in part
        case {"partial_json": _}:
            return False
        case {"type": "tool_use"}:
            # A client that did not get the answer's end cannot have answered its calls.
            return status == "completed"
        case {"type": "text", "text": str(text)}:
            # Claude Code drops an assistant's text of white space, and joins what is around it.
            return bool(text.strip())
        case _:
            return True


def _part(part: Said | Thought | Called) -> Json:
    match part:
        case Said():
            return {"type": "text", "text": part.text}
        case Thought(redacted=str(data)):
            return {"type": "redacted_thinking", "data": data}
        case Thought(signature=None):
            return {"type": "thinking", "text": part.text}
        case Thought():
            return {"type": "thinking", "text": part.text, "signature": part.signature}
        case Called(id, name):
            return {"type": "tool_use", "id": id, "name": name, **_arguments(part.arguments)}
        case _:
            assert_never(part)


def _arguments(text: str) -> Json:
    try:
        value = orjson.loads(text or "{}")
    except orjson.JSONDecodeError:
        value = None
    return {"input": value} if isinstance(value, dict) else {"partial_json": text}


def _text(value: Json) -> str:
    return orjson.dumps(value).decode()
