"""What was said in a request, in its order, to turns that alternate."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby, pairwise

from attrs import frozen

from cca.errors import BadRequest
from cca.model import (
    NO_CONTENT,
    AssistantPart,
    AssistantTurn,
    RedactedThinking,
    Text,
    Thinking,
    ToolUse,
    Turn,
    UserPart,
    UserTurn,
)
from cca.redrawn import is_large, redrawn


@frozen
class Said:
    """A message that says something: where it stood in the body, whose it is, and its parts."""

    path: str
    role: type[Turn]
    parts: tuple[UserPart | AssistantPart, ...]


def texts(*said: str) -> tuple[Text, ...]:
    """Return the parts of texts. White space alone says nothing: Claude's API refuses it, and Claude Code drops it."""
    return tuple(Text(text) for text in said if text.strip())


def telling(said: Sequence[Said], ignored: list[str]) -> Iterator[Said]:
    """Yield what was said without the assistant's turns between two others that tell nothing; ``ignored`` names them.

    Claude Code drops them, and writes a line break after what is before them.
    """
    runs = [tuple(run) for _, run in groupby(said, key=lambda each: each.role)]
    for number, run in enumerate(runs):
        inside = 0 < number < len(runs) - 1
        if inside and run[0].role is AssistantTurn and not any(_tells(part) for each in run for part in each.parts):
            ignored += (f"{each.path} ({_untold(each)})" for each in run)
        else:
            yield from run


def _tells(part: UserPart | AssistantPart) -> bool:
    match part:
        case Text(text):
            return text.strip() != NO_CONTENT.text
        case _:
            return not is_thought(part)


def is_thought(part: UserPart | AssistantPart) -> bool:
    return isinstance(part, Thinking | RedactedThinking)


def _untold(said: Said) -> str:
    return "only thinking" if any(map(is_thought, said.parts)) else "no content"


def turns_of(said: Sequence[Said]) -> tuple[Turn, ...]:
    """Return turns: neighbours of one role joined, each part a block of its own.

    Raise ``BadRequest`` for an order that has no answer. ``said`` is not empty.
    """
    first, last = said[0], said[-1]
    if last.role is not UserTurn:
        raise BadRequest(
            f"{last.path} is the assistant's and the last to say something, and Claude Code cannot go on with an "
            "answer that was begun; end with a user message.",
            param=last.path,
            code="unsupported_value",
        )
    if first.role is not UserTurn:
        raise BadRequest(
            f"{first.path} is the assistant's, and a conversation with Claude begins with the user; put a user message "
            "before it, or its text into the system message.",
            param=first.path,
            code="unsupported_value",
        )
    joined = groupby(said, key=lambda each: each.role)
    return tuple(role(tuple(part for each in group for part in each.parts)) for role, group in joined)


def moved(turns: Sequence[Turn], path: str) -> Iterator[str]:
    """Name what stands at ``path`` where any of it is after a call: Claude Code moves it to before the calls."""
    if any(
        isinstance(one, ToolUse) and not isinstance(other, ToolUse)
        for turn in turns
        for one, other in pairwise(turn.content)
    ):
        yield f"{path} (moved before calls)"


def shrunk(said: Iterable[Said]) -> Iterator[str]:
    """Name what was said with a picture that Claude Code may make smaller."""
    for each in said:
        if any(map(is_large, redrawn(each.parts))):
            yield f"{each.path} (large picture: may be made smaller)"
