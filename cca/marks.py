"""Marks for the cache of the model's API: whose go there, the client's or Claude Code's own.

Claude Code marks three places by itself: its own line before the system prompt, the end of that prompt, and the last
block. A client that sends marks gets these and no others, apart from those that Claude Code drops: it has one text for
a system prompt, and writes calls and a user's pictures anew. Where none is left, a mark on whatever comes last is in
their place: without any, nothing would be kept. Where a client's are in the places of Claude Code's own, and no fewer,
these stand for them: they hold on the system prompt, too, and they move on with a conversation whose process waits.
"""

from collections.abc import Iterable, Iterator
from typing import assert_never

from attrs import evolve

from cca.model import (
    AssistantPart,
    AssistantTurn,
    CacheMark,
    Conversation,
    Document,
    RedactedThinking,
    ResultPart,
    SearchResult,
    Thinking,
    ToolResult,
    ToolUse,
    Turn,
    UserPart,
    UserTurn,
)
from cca.redrawn import redrawn

OWN = 2
"""Marks of Claude Code's, of which a system prompt brings one more."""

LONG = "1h"
"""Claude Code's own marks are not for this long."""


def count(conversation: Conversation) -> int:
    """Return how many marks the client sent."""
    return sum(1 for _ in _sent(conversation))


def kept(conversation: Conversation) -> bool:
    """Whether the client's marks go to the API, and none of Claude Code's."""
    return count(conversation) > 0 and not _as_own(conversation)


def moved(conversation: Conversation) -> bool:
    """Whether none of the client's marks arrives where it stands, and one at the end is in their place."""
    return kept(conversation) and count(conversation) == sum(1 for _ in _dropped(conversation))


def on_pictures(conversation: Conversation) -> bool:
    """Whether a mark is on a picture that Claude Code draws anew, without it."""
    return any(picture.cache for turn in conversation.turns for picture in redrawn(turn.content))


def placed(conversation: Conversation) -> bool:
    """Whether a turn has a mark, which stays where it is when the conversation goes on."""
    return any(True for _ in _on_turns(conversation.turns))


def settled(conversation: Conversation) -> Conversation:
    """Return a conversation with its marks where they are kept, and else without."""
    if not kept(conversation):
        return unmarked(conversation)
    # The first of them is for as long as any: the API takes no longer one after it.
    return evolve(conversation, cache=next(_sent(conversation))) if moved(conversation) else conversation


def unmarked(conversation: Conversation) -> Conversation:
    return evolve(
        conversation,
        turns=tuple(map(unmarked_turn, conversation.turns)),
        tools=tuple(evolve(tool, cache=None) for tool in conversation.tools),
        system_marks=(),
        cache=None,
    )


def unmarked_turn(turn: Turn) -> Turn:
    match turn:
        case UserTurn(content):
            return evolve(turn, content=tuple(map(_of_user, content)))
        case AssistantTurn(content):
            return evolve(turn, content=tuple(map(_of_assistant, content)))
        case _:
            assert_never(turn)


def _of_user(part: UserPart) -> UserPart:
    match part:
        case ToolResult(content=content):
            return evolve(part, cache=None, content=tuple(map(_of_result, content)))
        case _:
            return _of_result(part)


def _of_result(part: ResultPart) -> ResultPart:
    match part:
        case Document(pieces=pieces):
            return evolve(part, cache=None, pieces=tuple(evolve(piece, cache=None) for piece in pieces))
        case SearchResult(content=content):
            return evolve(part, cache=None, content=tuple(evolve(text, cache=None) for text in content))
        case _:
            return evolve(part, cache=None)


def _of_assistant(part: AssistantPart) -> AssistantPart:
    return part if isinstance(part, Thinking | RedactedThinking) else evolve(part, cache=None)


def _as_own(conversation: Conversation) -> bool:
    """Whether Claude Code marks by itself what the client has marked, and no more places."""
    *_, last = conversation.turns[-1].content
    at_end = [mark for mark in (_own_mark(last),) if mark is not None]
    before = conversation.system_marks or any(tool.cache for tool in conversation.tools)
    return (
        bool(before)
        and bool(at_end or conversation.cache)
        and list(_on_turns(conversation.turns)) == at_end
        and bool(conversation.system_marks) == bool(conversation.system)
        and count(conversation) >= OWN + bool(conversation.system)
        and all(mark.ttl != LONG for mark in _sent(conversation))
    )


def _sent(conversation: Conversation) -> Iterator[CacheMark]:
    """Yield all marks, in the order in which the API reads what they are on."""
    yield from filter(None, (tool.cache for tool in conversation.tools))
    yield from conversation.system_marks
    yield from _on_turns(conversation.turns)
    yield from filter(None, (conversation.cache,))


def _dropped(conversation: Conversation) -> Iterator[CacheMark]:
    """Yield those that Claude Code drops."""
    yield from conversation.system_marks
    for turn in conversation.turns:
        yield from filter(None, (part.cache for part in turn.content if isinstance(part, ToolUse)))
        yield from filter(None, (picture.cache for picture in redrawn(turn.content)))


def _on_turns(turns: Iterable[Turn]) -> Iterator[CacheMark]:
    for turn in turns:
        for part in turn.content:
            yield from _on(part)


def _on(part: UserPart | AssistantPart) -> Iterator[CacheMark]:
    """Yield the marks on a part, and in it."""
    mark = _own_mark(part)
    if mark is not None:
        yield mark
    match part:
        case Document(pieces=inside) | SearchResult(content=inside) | ToolResult(content=inside):
            for each in inside:
                yield from _on(each)
        case _:
            pass


def _own_mark(part: UserPart | AssistantPart) -> CacheMark | None:
    return None if isinstance(part, Thinking | RedactedThinking) else part.cache
