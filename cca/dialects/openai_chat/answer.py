"""Events to a chat completion, as chunks or whole.

Source of the format: OpenAI's published schema (``CreateChatCompletionStreamResponse``,
``CreateChatCompletionResponse``) and what its client libraries rely on: the role once, a tool call's id and name once.
``reasoning_content`` is the field that other servers with reasoning models use. A request in the deprecated form of
``functions`` gets its call in that form.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import assert_never

from attrs import define, field

from cca.dialects.contract import Ask, Frame, Stamp
from cca.dialects.openai import FINISH_REASONS, chat_usage, choices_usage
from cca.dialects.openai_chat.request import FUNCTIONS
from cca.dialects.openai_chunks import Chunks, failure, head
from cca.message import Called, Message
from cca.model import (
    Cited,
    Failed,
    Finished,
    Json,
    NextText,
    Redacted,
    Signed,
    Started,
    StopReason,
    TextDelta,
    ThinkingDelta,
    Told,
    ToolCallDelta,
    ToolCallStarted,
)

PREFIX = "chatcmpl"


@define
class ChunkEncoder:
    """Encodes a stream. ``_calls`` counts the calls of each choice."""

    ask: Ask
    stamp: Stamp
    _chunks: Chunks = field(init=False)
    _calls: Counter[int] = field(factory=Counter, init=False)

    @_chunks.default
    def _fresh(self) -> Chunks:
        return Chunks(self.ask, self.stamp, PREFIX, "chat.completion.chunk")

    def encode(self, told: Told) -> Iterator[Frame]:
        choice = told.choice
        match told.event:
            case Started(_, model):
                if self._chunks.begin(model):
                    yield from self._roles()
            case TextDelta(text):
                yield self._chunk(choice, {"content": text})
            case ThinkingDelta(text):
                yield self._chunk(choice, {"reasoning_content": text})
            case ToolCallStarted(id, name):
                self._calls[choice] += 1
                yield from self._call(choice, {"name": name, "arguments": ""}, {"id": id, "type": "function"})
            case ToolCallDelta(partial_json):
                yield from self._call(choice, {"arguments": partial_json}, {})
            case Finished(stop_reason, _, usage):
                yield self._chunk(choice, {}, _finish_reason(self.ask, stop_reason))
                yield from self._chunks.end(choice, usage)
            case Failed(error):
                yield failure(error)
            case NextText() | Cited() | Signed() | Redacted():
                # The format has no place for it.
                pass
            case _:
                assert_never(told.event)

    def _roles(self) -> Iterator[Frame]:
        # Of all choices at once, in their order: openai-python takes them in as they come, and finds them by position.
        for choice in range(len(self.ask.conversations)):
            yield self._chunk(choice, {"role": "assistant", "content": ""})

    def _call(self, choice: int, function: Json, beside: Json) -> Iterator[Frame]:
        index = self._calls[choice] - 1
        if not self.ask.echo.get(FUNCTIONS):
            yield self._chunk(choice, {"tool_calls": [{"index": index, **beside, "function": function}]})
        elif index == 0:
            # The form has room for one call, and no more are asked for.
            yield self._chunk(choice, {"function_call": function})

    def _chunk(self, choice: int, delta: Json, finish_reason: str | None = None) -> Frame:
        return self._chunks.chunk({"index": choice, "delta": delta, "logprobs": None, "finish_reason": finish_reason})


def completion(ask: Ask, stamp: Stamp, messages: Sequence[Message]) -> Json:
    """Return an answer as one body."""
    return {
        **head(PREFIX, "chat.completion", stamp, messages[0].model),
        "choices": [_choice(ask, index, message) for index, message in enumerate(messages)],
        "usage": chat_usage(choices_usage([message.usage for message in messages])),
    }


def _choice(ask: Ask, index: int, message: Message) -> Json:
    assert message.stop_reason is not None, "it is complete"
    return {
        "index": index,
        "message": _message(ask, message),
        "logprobs": None,
        "finish_reason": _finish_reason(ask, message.stop_reason),
    }


def _message(ask: Ask, message: Message) -> Json:
    said, thought, calls = message.said, message.thought, message.calls
    # An answer of tool calls alone has null content; one of no text at all has the empty string.
    content = said if said or not calls else None
    shown: dict[str, Json] = {"role": "assistant", "content": content, "refusal": None, "annotations": []}
    if thought:
        shown["reasoning_content"] = thought
    if calls and ask.echo.get(FUNCTIONS):
        shown["function_call"] = _function(calls[0])
    elif calls:
        shown["tool_calls"] = [{"id": call.id, "type": "function", "function": _function(call)} for call in calls]
    return shown


def _function(call: Called) -> Json:
    return {"name": call.name, "arguments": call.arguments or "{}"}


def _finish_reason(ask: Ask, stop_reason: StopReason) -> str:
    if stop_reason == "tool_use" and ask.echo.get(FUNCTIONS):
        return "function_call"
    return FINISH_REASONS[stop_reason]
