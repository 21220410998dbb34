"""Events to a chat completion, as chunks or whole.

Source of the format: OpenAI's published schema (``CreateChatCompletionStreamResponse``,
``CreateChatCompletionResponse``) and what its client libraries rely on: the role once, a tool call's id and name once,
one finish reason, the usage last. ``reasoning_content`` is the field that other servers with reasoning models use.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import assert_never

from attrs import define, field

from cca.dialects.contract import Ask, Frame, Stamp
from cca.dialects.openai import FINISH_REASONS, chat_usage, choices_usage, error_object
from cca.message import Called, Message
from cca.model import (
    Failed,
    Finished,
    Json,
    Started,
    TextDelta,
    ThinkingDelta,
    Told,
    ToolCallDelta,
    ToolCallStarted,
    Usage,
)

DONE = Frame("[DONE]")


@define
class ChunkEncoder:
    """Encodes a stream. A failure is its last frame: without ``[DONE]``, so that no client takes it for an end."""

    ask: Ask
    stamp: Stamp
    _model: str = field(default="", init=False)
    _tool_calls: Counter[int] = field(factory=Counter, init=False)
    _usages: list[Usage] = field(factory=list, init=False)

    def encode(self, told: Told) -> Iterator[Frame]:
        choice = told.choice
        match told.event:
            case Started(_, model):
                self._model = self._model or model
                yield self._chunk(choice, {"role": "assistant", "content": ""})
            case TextDelta(text):
                yield self._chunk(choice, {"content": text})
            case ThinkingDelta(text):
                yield self._chunk(choice, {"reasoning_content": text})
            case ToolCallStarted(id, name):
                self._tool_calls[choice] += 1
                function = {"name": name, "arguments": ""}
                yield self._tool_call(choice, {"id": id, "type": "function", "function": function})
            case ToolCallDelta(partial_json):
                yield self._tool_call(choice, {"function": {"arguments": partial_json}})
            case Finished(stop_reason, _, usage):
                self._usages.append(usage)
                yield self._chunk(choice, {}, FINISH_REASONS[stop_reason])
                if len(self._usages) == len(self.ask.conversations):
                    yield from self._end()
            case Failed(error):
                yield Frame({"error": error_object(error)})
            case _:
                assert_never(told.event)

    def _end(self) -> Iterator[Frame]:
        if self.ask.include_usage:
            yield Frame({**self._head(), "choices": [], "usage": chat_usage(choices_usage(self._usages))})
        yield DONE

    def _tool_call(self, choice: int, fragment: Json) -> Frame:
        return self._chunk(choice, {"tool_calls": [{"index": self._tool_calls[choice] - 1, **fragment}]})

    def _chunk(self, choice: int, delta: Json, finish_reason: str | None = None) -> Frame:
        shown = {"index": choice, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
        usage = {"usage": None} if self.ask.include_usage else {}
        return Frame({**self._head(), "choices": [shown], **usage})

    def _head(self) -> dict[str, Json]:
        return {
            "id": f"chatcmpl-{self.stamp.id}",
            "object": "chat.completion.chunk",
            "created": self.stamp.created,
            "model": self._model,
        }


def completion(_: Ask, stamp: Stamp, messages: Sequence[Message]) -> Json:
    """Return an answer as one body."""
    return {
        "id": f"chatcmpl-{stamp.id}",
        "object": "chat.completion",
        "created": stamp.created,
        "model": messages[0].model,
        "choices": [_choice(index, message) for index, message in enumerate(messages)],
        "usage": chat_usage(choices_usage([message.usage for message in messages])),
    }


def _choice(index: int, message: Message) -> Json:
    assert message.stop_reason is not None, "it is complete"
    return {
        "index": index,
        "message": _message(message),
        "logprobs": None,
        "finish_reason": FINISH_REASONS[message.stop_reason],
    }


def _message(message: Message) -> Json:
    said, thought, calls = message.said, message.thought, message.calls
    # An answer of tool calls alone has null content; one of no text at all has the empty string.
    content = said if said or not calls else None
    shown: dict[str, Json] = {"role": "assistant", "content": content, "refusal": None}
    if thought:
        shown["reasoning_content"] = thought
    if calls:
        shown["tool_calls"] = [_tool_call(call) for call in calls]
    return shown


def _tool_call(call: Called) -> Json:
    function = {"name": call.name, "arguments": call.arguments or "{}"}
    return {"id": call.id, "type": "function", "function": function}
