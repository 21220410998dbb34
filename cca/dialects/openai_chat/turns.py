"""The messages of a chat completion request, as a system prompt and turns that alternate."""

from collections.abc import Iterator
from itertools import groupby
from typing import assert_never

from attrs import frozen

from cca.dialects.openai_chat.body import (
    AssistantMessage,
    Content,
    Message,
    SystemMessage,
    TextPart,
    ToolMessage,
    UnservedPart,
    UserMessage,
)
from cca.dialects.openai_chat.fields import NOT_YET
from cca.errors import BadRequest
from cca.model import AssistantTurn, Text, Turn, UserTurn


@frozen
class Said:
    """A message that says something, and where it stood."""

    position: int
    role: type[Turn]
    texts: tuple[Text, ...]


def read_turns(messages: tuple[Message, ...]) -> tuple[tuple[str, ...], tuple[Turn, ...]]:
    """Return the system prompt, as blocks, and the turns: neighbours of one role joined, each text a block of its own.

    Raise ``BadRequest`` for an order of messages that has no answer.
    """
    system = tuple(
        text.text
        for position, message in enumerate(messages)
        if isinstance(message, SystemMessage)
        for text in _texts(message.content, position)
    )
    said = [each for position, message in enumerate(messages) for each in _said(position, message)]
    _check_order(messages, said)
    joined = groupby(said, key=lambda each: each.role)
    return system, tuple(role(tuple(text for each in group for text in each.texts)) for role, group in joined)


def unheard(messages: tuple[Message, ...]) -> Iterator[str]:
    """Name the messages that do not arrive where, or as, they stood."""
    answered = False
    for position, message in enumerate(messages):
        assert not isinstance(message, ToolMessage)  # read_turns refused it
        yield from _unheard_parts(message.content, position)
        if not _texts(message.content, position):
            yield f"messages[{position}] (empty)"
        elif not isinstance(message, SystemMessage):
            answered = True
        elif answered:
            # Claude Code has one system prompt, in front.
            yield f"messages[{position}] (moved to the front)"


def _unheard_parts(content: Content | None, position: int) -> Iterator[str]:
    """Name what does not arrive of a message that has parts: those of white space alone, and fields beside a text."""
    for index, part in enumerate(content) if isinstance(content, tuple) else ():
        if isinstance(part, TextPart) and not part.text.strip():
            yield f"messages[{position}].content[{index}] (empty)"
        yield from (f"messages.content.{name}" for name in part.extra)


def _said(position: int, message: Message) -> Iterator[Said]:
    match message:
        case UserMessage(content=content):
            role: type[Turn] = UserTurn
        case AssistantMessage(content=content):
            role = AssistantTurn
        case ToolMessage():
            raise _no_call(position)
        case SystemMessage():
            return
        case _:
            assert_never(message)
    texts = _texts(content, position)
    if texts:
        yield Said(position, role, texts)


def _texts(content: Content | None, position: int) -> tuple[Text, ...]:
    """Return what a message says. White space alone says nothing: Claude's API refuses it, and Claude Code drops it."""
    match content:
        case None:
            texts = []
        case str():
            texts = [content]
        case _:
            path = f"messages[{position}].content"
            texts = [_text(part, f"{path}[{index}]") for index, part in enumerate(content)]
    return tuple(Text(text) for text in texts if text.strip())


def _text(part: TextPart | UnservedPart, path: str) -> str:
    if isinstance(part, TextPart):
        return part.text
    instead = "Claude does not hear; send text." if part.type == "input_audio" else NOT_YET
    raise BadRequest(f"{path} is a part of type {part.type}: {instead}", param=f"{path}.type", code="unsupported_value")


def _check_order(messages: tuple[Message, ...], said: list[Said]) -> None:
    spoken = [position for position, message in enumerate(messages) if not isinstance(message, SystemMessage)]
    if spoken and isinstance(messages[spoken[-1]], UserMessage) and (not said or said[-1].position != spoken[-1]):
        raise BadRequest(
            "The last user message has no text; send what is to be answered.",
            param=f"messages[{spoken[-1]}].content",
            code="invalid_value",
        )
    if not said:
        raise BadRequest("messages has nothing to answer; send a user message.", param="messages", code="invalid_value")
    first, last = said[0], said[-1]
    if last.role is not UserTurn:
        raise BadRequest(
            f"messages[{last.position}] is the assistant's and the last to say something, and Claude Code cannot go on "
            "with an answer that was begun; end with a user message.",
            param=f"messages[{last.position}]",
            code="unsupported_value",
        )
    if first.role is not UserTurn:
        raise BadRequest(
            f"messages[{first.position}] is the assistant's, and a conversation with Claude begins with the user; "
            "put a user message before it, or its text into the system message.",
            param=f"messages[{first.position}]",
            code="unsupported_value",
        )


def _no_call(position: int) -> BadRequest:
    path = f"messages[{position}]"
    text = f"{path} is the result of a tool call, and no message before it makes that call."
    return BadRequest(text, param=path, code="invalid_value")
