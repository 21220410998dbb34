"""The form of an answer: which way it is brought into it, which tools that takes, and whether it came out so.

An answer without a schema is free. A schema that the model's API can hold a text to goes to the API. Any other is the
schema of one more tool, whose arguments are the answer: they become its text, piece by piece. That is not the tool that
the program itself has for this: it turns "5" into 5 before it looks, and is not there at all for schemas of newer
drafts. Either way the whole text is checked at its end.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Literal

import orjson
from attrs import define, evolve, field

from cca.errors import UpstreamFailed
from cca.model import (
    Cited,
    Conversation,
    Event,
    Failed,
    Finished,
    Json,
    NextText,
    TextDelta,
    Tool,
    ToolCallDelta,
    ToolCallStarted,
    ToolUse,
)
from cca.schemas.check import TooMuch, violation
from cca.schemas.subset import held, size_of

ANSWER = "StructuredOutput"
"""The tool whose arguments are the answer: the model knows the program's own by this name."""

DESCRIPTION = (
    "Gives the final answer, as structured data. Call it exactly once, with the whole answer as its input, and write "
    "no text beside it."
)

COMBINED = frozenset({"anyOf", "oneOf", "allOf"})
"""What the API takes nowhere at the root of a tool's schema."""

NEAR = 32
"""Tokens. The fastest models write them in a fifth of a second; on a busy machine a program takes as long to hear."""

WHOLE = ("end_turn", "stop_sequence", "tool_use")
"""Stop reasons after which nothing of an answer is missing."""


def way_of(conversation: Conversation) -> Literal["free", "api", "tool"]:
    """Return how an answer is brought into its form."""
    if conversation.output_schema is None or conversation.tool_choice.forced:
        return "free"
    return "tool" if size_of(schema_of(conversation)) is None else "api"


def schema_of(conversation: Conversation) -> dict[str, Json]:
    """Return the schema of the answer, without the name of its draft, which the API does not know."""
    return {name: value for name, value in (conversation.output_schema or {}).items() if name != "$schema"}


def tools_of(conversation: Conversation) -> tuple[Tool, ...]:
    """Return the tools that the model may call, and the one for its answer where there is one.

    Where it may call none, there are those that it called before.
    """
    if way_of(conversation) != "tool":
        return conversation.tools or tuple(Tool(name, None, {"type": "object"}) for name in _called(conversation))
    # No call of another is wanted, but a history with calls needs tools beside it.
    offered = () if conversation.tool_choice.kind == "none" else conversation.tools
    return (*offered, _answer_tool(conversation))


def _answer_tool(conversation: Conversation) -> Tool:
    """Return the tool for the answer. What its schema cannot say it says in words; the whole text is checked anyway."""
    schema = schema_of(conversation)
    shown = {name: value for name, value in schema.items() if name not in COMBINED}
    said = DESCRIPTION
    if len(shown) < len(schema):
        said = f"{DESCRIPTION} The input must be valid against this JSON schema: {orjson.dumps(schema).decode()}"
    return Tool(answer_name(conversation), said, {"type": "object", **shown})


def _called(conversation: Conversation) -> Iterable[str]:
    """Return the names of what was called, each once: Claude's API takes no calls in a history without any tools."""
    parts = (part for turn in conversation.turns for part in turn.content)
    return dict.fromkeys(part.name for part in parts if isinstance(part, ToolUse))


def ends_at_once(conversation: Conversation) -> bool:
    """Whether a limit is so near that it is reached before the program can be kept from going on after it.

    Such a conversation takes a program that ends by itself after one message. Not with tools: a call that has no budget
    breaks into the message, before its stop reason.
    """
    limit = conversation.sampling.max_tokens
    return limit is not None and limit <= NEAR and not tools_of(conversation)


def answer_name(conversation: Conversation) -> str:
    """Return the name of the tool for the answer, which is none of the client's."""
    taken = {tool.name for tool in conversation.tools}
    names = (ANSWER, *(f"{ANSWER}_{number}" for number in range(2, len(taken) + 3)))
    return next(name for name in names if name not in taken)


def choice_of(conversation: Conversation) -> Mapping[str, Json] | None:
    """Return the API's ``tool_choice``; nothing, where it is as it would be without."""
    tools, choice = tools_of(conversation), conversation.tool_choice
    # What was called before, and is offered no more, is not to be called again.
    said: dict[str, Json] = {"type": choice.kind if conversation.tools else "none"}
    if choice.kind == "tool":
        said["name"] = choice.name
    if way_of(conversation) == "tool":
        said = {"type": "auto"}
        # Who asks for thinking has it, and a model that may answer in other words.
        if conversation.sampling.effort is None and conversation.sampling.thinking is not True:
            said = {"type": "any"} if len(tools) > 1 else {"type": "tool", "name": tools[-1].name}
    if not choice.parallel and said["type"] != "none":
        said["disable_parallel_tool_use"] = True
    return None if said == {"type": "auto"} or not tools else said


def strict_tools(conversation: Conversation) -> frozenset[str]:
    """Return the names of the tools whose arguments the API can hold to their schemas, of those that ask for it."""
    answer = schema_of(conversation) if way_of(conversation) == "api" else None
    return held(((tool.name, tool.input_schema) for tool in conversation.tools if tool.strict), answer)


@define
class Form:
    """Holds one answer to its form: it is told what the model says, and tells what the client is told."""

    conversation: Conversation
    _tool: str | None = field(default=None, init=False)
    _schema: Json = field(default=None, init=False)
    _text: list[str] = field(factory=list, init=False)
    _aside: list[str] = field(factory=list, init=False)
    _open: Literal["answer", "call", "again"] = field(default="call", init=False)
    _answered: bool = field(default=False, init=False)
    _called: bool = field(default=False, init=False)

    def __attrs_post_init__(self) -> None:
        way = way_of(self.conversation)
        self._schema = None if way == "free" else schema_of(self.conversation)
        self._tool = answer_name(self.conversation) if way == "tool" else None

    def begin(self) -> None:
        """Forget what was said: a message starts, or starts again."""
        self._text.clear()
        self._aside.clear()
        self._answered = self._called = False

    def pass_on(self, event: Event) -> Iterator[Event]:
        """Yield what ``event`` is to the client. Words beside the tool for the answer are none of the answer."""
        match event:
            case TextDelta(text) if self._tool is not None:
                self._aside.append(text)
            case NextText() | Cited() if self._tool is not None:
                pass
            case ToolCallStarted(_, name) if name == self._tool:
                # After a call of another it is none: that has to be answered first.
                self._open = "again" if self._answered or self._called else "answer"
                self._answered |= self._open == "answer"
            case ToolCallDelta(piece) if self._open == "answer":
                self._text.append(piece)
                yield TextDelta(piece)
            case ToolCallStarted(_, name) if self._schema is not None and not self._is_offered(name):
                self._open = "again"
            case ToolCallDelta() if self._open == "again":
                pass
            case ToolCallStarted():
                self._open, self._called = "call", True
                yield event
            case TextDelta(text) if self._schema is not None:
                self._text.append(text)
                yield event
            case _:
                yield event

    def end(self, finished: Finished) -> Iterator[Finished | TextDelta | Failed]:
        """Yield the end of an answer. One that is not of its schema has failed."""
        whole = finished.stop_reason in WHOLE
        called = self._called and finished.stop_reason == "tool_use"
        if self._schema is None or not whole or (called and not self._answered):
            if not whole and not self._answered and self._aside:
                # Why it refuses, or as far as it came.
                yield TextDelta("".join(self._aside))
            yield finished
            return
        rest = self._unsaid()
        fault = self._fault("".join(self._text) + rest)
        if fault is not None:
            yield Failed(
                UpstreamFailed(f"The model's answer is not what was asked for: {fault}. Send the request again.")
            )
            return
        if rest:
            yield TextDelta(rest)
        stopped = "end_turn" if finished.stop_reason == "tool_use" and not called else finished.stop_reason
        yield evolve(finished, stop_reason=stopped)

    def _is_offered(self, name: str) -> bool:
        return any(tool.name == name for tool in self.conversation.tools)

    def _unsaid(self) -> str:
        """Return what is the answer, and was not passed on: an empty object, or words that are its JSON."""
        if self._text or self._tool is None:
            return ""
        return "{}" if self._answered else "".join(self._aside)

    def _fault(self, text: str) -> str | None:
        try:
            value = orjson.loads(text)
        except orjson.JSONDecodeError:
            return "it is not JSON"
        try:
            return violation(value, self._schema)
        except TooMuch:
            return "it takes too long to check it against its schema"
