"""What a case is, and the words that cases are said in."""

import json
from collections.abc import Mapping
from typing import TypeAlias

from attrs import evolve, frozen

from cca.message import Message
from cca.model import AssistantTurn, Conversation, Document, Image, Json, Text, Tool, ToolResult, ToolUse, UserTurn

MODEL = "haiku"


Step: TypeAlias = str | tuple[str, ...]


@frozen
class Case:
    """A conversation to record. ``account`` says that it makes sense with the real model, too.

    ``retries`` are Claude Code's own; ``deadline`` is in seconds, for the first event and for silence; ``killed`` kills
    the process at its first piece of text; without ``login``, Claude Code finds no credentials. ``steps`` follow in the
    process that waits for them: each is what the user says next, or the results of the calls of the answer before. With
    ``from_file`` the history is told by a file.
    """

    name: str
    proves: str
    conversation: Conversation
    account: bool = False
    retries: int = 2
    deadline: float = 60.0
    killed: bool = False
    login: bool = True
    steps: tuple[Step, ...] = ()
    from_file: bool = False


def followed(conversation: Conversation, message: Message, step: Step) -> Conversation:
    """Return a conversation that goes on with an answer, and what follows it."""
    text = (Text(message.said),) if message.said else ()
    calls = tuple(ToolUse(call.id, call.name, json.loads(call.arguments or "{}")) for call in message.calls)
    turn = user(step) if isinstance(step, str) else _results(calls, step)
    return evolve(conversation, turns=(*conversation.turns, AssistantTurn((*text, *calls)), turn))


def _results(calls: tuple[ToolUse, ...], results: tuple[str, ...]) -> UserTurn:
    return UserTurn(tuple(ToolResult(call.id, (Text(result),)) for call, result in zip(calls, results, strict=True)))


def user(*texts: str) -> UserTurn:
    return UserTurn(tuple(map(Text, texts)))


def assistant(*texts: str) -> AssistantTurn:
    return AssistantTurn(tuple(map(Text, texts)))


def ask(*texts: str) -> Conversation:
    return Conversation(MODEL, (user(*texts),))


def schema(**properties: Json) -> Mapping[str, Json]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


WEATHER = Tool("get_weather", "Get the current weather of a city.", schema(city={"type": "string"}))
CLOCK = Tool("Read", "Read a clock of the user's. It has the name of one of Claude Code's own tools.", schema())

ONE_PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


ASKED_WEATHER = (
    user("What is the weather in Paris and Rome?"),
    AssistantTurn(
        (
            Text("I will look."),
            ToolUse("call_paris", "get_weather", {"city": "Paris"}),
            ToolUse("call_rome", "get_weather", {"city": "Rome"}),
        )
    ),
)

WEATHER_RESULTS = UserTurn(
    (
        ToolResult("call_paris", (Text("18 degrees"),)),
        ToolResult("call_rome", (Text("no such station"),), is_error=True),
    )
)

PICTURE = Image("image/png", ONE_PIXEL)
NOTE = Document(text="Ada drew it.", title="note.txt")
