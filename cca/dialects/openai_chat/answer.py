"""Events to a chat completion, as chunks or whole.

Source of the format: OpenAI's published schema (``CreateChatCompletionStreamResponse``,
``CreateChatCompletionResponse``) and what its client libraries rely on: the role once, a tool call's id and name once,
one finish reason, the usage last. ``reasoning_content`` is the field that other servers with reasoning models use.
"""

from collections.abc import Iterator
from typing import assert_never

from attrs import define, field

from cca.dialects.contract import Ask, Frame, Stamp
from cca.dialects.openai import FINISH_REASONS, chat_usage, error_object
from cca.message import Called, Message
from cca.model import (
    Event,
    Failed,
    Finished,
    Json,
    Started,
    TextDelta,
    ThinkingDelta,
    ToolCallDelta,
    ToolCallStarted,
)

DONE = Frame("[DONE]")


@define
class ChunkEncoder:
    """Encodes a stream. A failure is its last frame: without ``[DONE]``, so that no client takes it for an end."""

    ask: Ask
    stamp: Stamp
    _model: str = field(default="", init=False)
    _tool_calls: int = field(default=0, init=False)

    def encode(self, event: Event) -> Iterator[Frame]:
        match event:
            case Started(_, model):
                self._model = model
                yield self._chunk({"role": "assistant", "content": ""})
            case TextDelta(text):
                yield self._chunk({"content": text})
            case ThinkingDelta(text):
                yield self._chunk({"reasoning_content": text})
            case ToolCallStarted(id, name):
                self._tool_calls += 1
                function = {"name": name, "arguments": ""}
                yield self._tool_call({"id": id, "type": "function", "function": function})
            case ToolCallDelta(partial_json):
                yield self._tool_call({"function": {"arguments": partial_json}})
            case Finished(stop_reason, _, usage):
                yield self._chunk({}, FINISH_REASONS[stop_reason])
                if self.ask.include_usage:
                    yield Frame({**self._head(), "choices": [], "usage": chat_usage(usage)})
                yield DONE
            case Failed(error):
                yield Frame({"error": error_object(error)})
            case _:
                assert_never(event)

    def _tool_call(self, fragment: Json) -> Frame:
        return self._chunk({"tool_calls": [{"index": self._tool_calls - 1, **fragment}]})

    def _chunk(self, delta: Json, finish_reason: str | None = None) -> Frame:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
        usage = {"usage": None} if self.ask.include_usage else {}
        return Frame({**self._head(), "choices": [choice], **usage})

    def _head(self) -> dict[str, Json]:
        return {
            "id": f"chatcmpl-{self.stamp.id}",
            "object": "chat.completion.chunk",
            "created": self.stamp.created,
            "model": self._model,
        }


@define
class CompletionEncoder:
    """Gathers an answer into one body."""

    ask: Ask
    stamp: Stamp
    _message: Message = field(factory=Message, init=False)

    def take(self, event: Event) -> None:
        self._message.take(event)

    def body(self) -> Json:
        message = self._message
        assert message.stop_reason is not None
        choice = {
            "index": 0,
            "message": _message(message),
            "logprobs": None,
            "finish_reason": FINISH_REASONS[message.stop_reason],
        }
        return {
            "id": f"chatcmpl-{self.stamp.id}",
            "object": "chat.completion",
            "created": self.stamp.created,
            "model": message.model,
            "choices": [choice],
            "usage": chat_usage(message.usage),
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
