"""A session in full, as it leaves cca and comes back: values, and their JSON.

What comes back was in a file that anybody may have changed. So each row is held to what cca keeps: nothing else gets
into the database, where it would be met later.
"""

from typing import Any, get_args

import orjson
from attrs import asdict, fields, frozen

from cca.marks import unmarked_turn
from cca.model import Json, Usage
from cca.store.turns import Answered, Role, Status, content_of, of_client, turn_of

LATEST = 253_402_300_800.0
"""Seconds since the epoch, in the year 10000: no calendar has what is later. Nothing takes longer, either."""

MOST = 2.0**53
"""Of tokens, or of dollars: from there on a number is not what it says in every program that reads it."""

NAME_LIMIT = 300
"""Characters of a model's name, and of an outcome's. They stand in a turn's row, and not in pages of their own."""


class UnreadableArchive(ValueError):
    """What is not a session as cca writes it."""


@frozen
class ArchivedTurn:
    """A row of a session. ``content`` is JSON, its parts as they are kept."""

    id: str
    role: Role
    status: Status
    content: list[Json]
    created_at: float
    answer: Answered | None = None


@frozen
class Archive:
    """A session. Times are in seconds since the epoch."""

    id: str
    title: str | None
    system: tuple[str, ...]
    created_at: float
    updated_at: float
    turns: tuple[ArchivedTurn, ...]


def archive_json(archive: Archive) -> Json:
    return {**asdict(archive), "system": [*archive.system], "turns": [asdict(turn) for turn in archive.turns]}


def archive_of(given: Json) -> Archive:
    """Return the session that ``archive_json`` made ``given`` of. Raise ``UnreadableArchive``."""
    match given:
        case {
            "id": str(session_id),
            "title": str() | None as title,
            "system": list(system),
            "created_at": created_at,
            "updated_at": updated_at,
            "turns": list(turns),
        } if all(isinstance(text, str) for text in system) and _is_time(created_at) and _is_time(updated_at):
            kept = tuple(_turn(position, turn) for position, turn in enumerate(turns))
            archive = Archive(session_id, title, tuple(system), created_at, updated_at, kept)
            check(archive)
            return archive
        case _:
            raise UnreadableArchive("its session has not the fields of one")


def check(archive: Archive) -> None:
    """Raise ``UnreadableArchive`` for a session that nobody could go on with, or report on."""
    for position, turn in enumerate(archive.turns):
        if turn.answer is not None and not _is_of_use(turn.answer):
            raise UnreadableArchive(f"what its turn {position} came to has a number or a name that no answer has")


def answered_of(given: Json) -> Answered:
    """Return what an answer came to. Raise ``UnreadableArchive``."""
    match given:
        case {
            "model": str(),
            "outcome": str(),
            "first_event": None | float() | int(),
            "duration": float() | int(),
            "usage": dict(usage),
            "cost": float() | int(),
        } if _is_usage(usage) and set(given) == {each.name for each in fields(Answered)}:
            return Answered(**{**given, "usage": Usage(**usage)})
        case _:
            raise UnreadableArchive("what an answer came to is not understood")


def _turn(position: int, given: Json) -> ArchivedTurn:
    match given:
        case {
            "id": str(turn_id),
            "role": "user" | "assistant" as role,
            "status": status,
            "content": list(content),
            "created_at": created_at,
            "answer": answer,
        } if status in get_args(Status) and _is_time(created_at) and (role == "assistant" or answer is None):
            answered = None if answer is None else answered_of(answer)
            if not _is_content(role, content, of_model=answered is not None):
                raise UnreadableArchive(f"its turn {position} has parts that cca does not keep")
            return ArchivedTurn(turn_id, role, status, content, created_at, answered)
        case _:
            raise UnreadableArchive(f"its turn {position} is not understood")


def _is_content(role: str, content: list[Json], *, of_model: bool) -> bool:
    """Return whether ``content`` is as it is kept, and not only near enough for it to be read."""
    parts = [part for part in content if not (of_model and _is_of_model_alone(part))]
    try:
        turn = turn_of(role, parts)
    except Exception:  # noqa: BLE001 - cattrs raises many kinds, alone and in groups
        return False
    kept = content_of(unmarked_turn(turn) if of_model else of_client(turn))
    return bool(orjson.loads(orjson.dumps(kept)) == parts)


def _is_of_model_alone(part: Json) -> bool:
    """Return whether ``part`` is one that a model wrote and no history has."""
    match part:
        case {"type": "thinking", "text": str(), **others} if not others:
            return True
        case {"type": "tool_use", "id": str(), "name": str(), "partial_json": str(), **others} if not others:
            return True
        case _:
            return False


def _is_of_use(answer: Answered) -> bool:
    return (
        len(answer.model) <= NAME_LIMIT
        and len(answer.outcome) <= NAME_LIMIT
        and (answer.first_event is None or _is_within(answer.first_event, LATEST))
        and _is_within(answer.duration, LATEST)
        and _is_within(answer.cost, MOST)
        and all(_is_within(count, MOST) for count in asdict(answer.usage).values())
    )


def _is_usage(usage: dict[str, Any]) -> bool:
    return set(usage) == {each.name for each in fields(Usage)} and all(type(count) is int for count in usage.values())


def _is_time(given: Json) -> bool:
    return _is_within(given, LATEST)


def _is_within(given: Json, most: float) -> bool:
    # In Python, True is a number.
    return type(given) in (int, float) and 0 <= given < most
