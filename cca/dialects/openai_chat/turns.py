"""The messages of a chat completion request, as a system prompt and turns that alternate."""

from collections.abc import Callable, Iterator
from typing import TypeVar, assert_never

from attrs import define, field, frozen

from cca.dialects.openai_chat.body import (
    AssistantMessage,
    Called,
    Content,
    FunctionMessage,
    FunctionToolCall,
    Message,
    Part,
    SystemMessage,
    ToolCall,
    ToolMessage,
    UserMessage,
)
from cca.dialects.openai_chat.fields import check_message
from cca.dialects.openai_chat.parts import parts_of, shown, spoken, unheard, written
from cca.dialects.openai_tools import MOST_NAME, CallIds, arguments_of
from cca.dialects.pairing import unanswered
from cca.dialects.tools import check_name
from cca.dialects.turns import Said, moved, shrunk, telling, turns_of
from cca.errors import BadRequest
from cca.model import AssistantPart, AssistantTurn, ResultPart, Text, ToolResult, ToolUse, Turn, UserPart, UserTurn

T = TypeVar("T", bound=ResultPart)


@frozen
class Heard:
    """What the messages come to. ``results`` are the places of tool results; ``ignored`` names what has no effect."""

    system: tuple[str, ...]
    turns: tuple[Turn, ...]
    results: dict[str, str]
    ignored: tuple[str, ...]


def read_messages(messages: tuple[Message, ...]) -> Heard:
    """Return what the messages come to. Raise ``BadRequest`` for what Claude cannot take, and an order of no answer."""
    reader = Reader()
    read = [each for position, message in enumerate(messages) for each in reader.read(position, message)]
    said = list(telling(read, reader.ignored))
    _check_last(messages, said)
    turns = turns_of(said)
    lonely = unanswered(turns)
    if lonely is not None:
        path = reader.calls[lonely]
        text = f"{path} is a call that no message right after it has the result of; send that, as a tool message."
        raise BadRequest(text, param=path, code="invalid_value")
    ignored = (*reader.ignored, *moved(turns, "messages"), *shrunk(said))
    return Heard(tuple(reader.system), turns, reader.results, ignored)


@define
class Reader:
    """Reads messages in their order: a tool's result is of the last call with its id.

    ``calls`` and ``results`` are the places of both in the body, by the ids of the calls.
    """

    system: list[str] = field(factory=list)
    calls: dict[str, str] = field(factory=dict)
    results: dict[str, str] = field(factory=dict)
    ignored: list[str] = field(factory=list)
    _ids: CallIds = field(factory=CallIds)
    _begun: bool = False
    _function: tuple[str, str] | None = None

    def read(self, position: int, message: Message) -> Iterator[Said]:
        """Yield what a message says, if it says something."""
        path = f"messages[{position}]"
        self.ignored += (f"messages.{name}" for name in check_message(message.extra, path))
        match message:
            case SystemMessage():
                self._set_up(message, path)
            case UserMessage(content=content):
                yield from self._said(path, UserTurn, self._heard(content, path, shown))
            case AssistantMessage():
                yield from self._said(path, AssistantTurn, tuple(self._answered(message, path)))
            case ToolMessage(tool_call_id=id):
                yield self._result(self._ids.answered(id), message.content, path)
            case FunctionMessage():
                yield self._result(self._function_id(message, path), message.content, path)
            case _:
                assert_never(message)

    def _set_up(self, message: SystemMessage, path: str) -> None:
        texts = self._heard(message.content, path, written)
        self.system += (text.text for text in texts)
        if not texts:
            self.ignored.append(f"{path} (empty)")
        elif self._begun:
            # Claude Code has one system prompt, in front.
            self.ignored.append(f"{path} (moved to the front)")

    def _said(self, path: str, role: type[Turn], parts: tuple[UserPart | AssistantPart, ...]) -> Iterator[Said]:
        if parts:
            self._begun = True
            yield Said(path, role, parts)
        else:
            self.ignored.append(f"{path} (empty)")

    def _heard(self, content: Content | None, path: str, read: Callable[[Part, str], T]) -> tuple[T, ...]:
        """Return the parts of a content. White space alone says nothing: Claude's API refuses it."""
        heard = []
        for part, where in parts_of(content, f"{path}.content"):
            this = read(part, where)
            self.ignored += unheard(part, "messages.content")
            if not isinstance(this, Text) or this.text.strip():
                heard.append(this)
            elif not isinstance(content, str):
                self.ignored.append(f"{where} (empty)")
        return tuple(heard)

    def _answered(self, message: AssistantMessage, path: str) -> Iterator[AssistantPart]:
        yield from self._spoken(message, path)
        yield from self._made(message, path)

    def _spoken(self, message: AssistantMessage, path: str) -> Iterator[Text]:
        yield from self._heard(message.content, path, spoken)
        if message.refusal is not None and message.refusal.strip():
            yield Text(message.refusal)

    def _made(self, message: AssistantMessage, path: str) -> Iterator[ToolUse]:
        """Yield the calls of a message. One in the deprecated form has no id: it gets one that tells where it stood."""
        for index, call in enumerate(message.tool_calls or ()):
            where = f"{path}.tool_calls[{index}]"
            made = _function_call(call, where)
            self.ignored += (f"messages.tool_calls.{name}" for name in made.extra)
            self.ignored += (f"messages.tool_calls.function.{name}" for name in made.function.extra)
            yield self._call(made.id, made.function, f"{where}.function", where)
        self._function = None
        if message.function_call is not None:
            call_id = path.translate(_ID)
            self._function = message.function_call.name, call_id
            where = f"{path}.function_call"
            self.ignored += (f"messages.function_call.{name}" for name in message.function_call.extra)
            yield self._call(call_id, message.function_call, where, where)

    def _call(self, id: str, called: Called, path: str, place: str) -> ToolUse:  # noqa: A002 - the wire's word
        check_name(called.name, f"{path}.name", MOST_NAME)
        made = ToolUse(self._ids.called(id), called.name, arguments_of(called.arguments or "", f"{path}.arguments"))
        self.calls[made.id] = place
        return made

    def _function_id(self, message: FunctionMessage, path: str) -> str:
        """Return the id of the call that the result of a function is of, or one that no call has."""
        name, call_id = self._function or (None, "")
        return call_id if name == message.name else path.translate(_ID)

    def _result(self, id: str, content: Content | None, path: str) -> Said:  # noqa: A002 - the wire's word
        self._begun = True
        self.results[id] = path
        parts = self._heard(content, path, shown)
        if content and not parts:
            self.ignored.append(f"{path}.content (empty)")
        return Said(path, UserTurn, (ToolResult(id, parts),))


_ID = str.maketrans({"[": "_", "]": None})
"""Of the path of a message to the id of its call."""


def _function_call(call: ToolCall, path: str) -> FunctionToolCall:
    if isinstance(call, FunctionToolCall):
        return call
    raise BadRequest(
        f"{path} is a call of type {call.type[:40]!r}, and cca has functions only; send it as a call of a function.",
        param=f"{path}.type",
        code="unsupported_value",
    )


def _check_last(messages: tuple[Message, ...], said: list[Said]) -> None:
    spoke = [position for position, message in enumerate(messages) if not isinstance(message, SystemMessage)]
    path = f"messages[{spoke[-1]}]" if spoke else ""
    if spoke and isinstance(messages[spoke[-1]], UserMessage) and (not said or said[-1].path != path):
        raise BadRequest(
            "The last user message has no text; send what is to be answered.",
            param=f"{path}.content",
            code="invalid_value",
        )
    if not said:
        raise BadRequest("messages has nothing to answer; send a user message.", param="messages", code="invalid_value")
