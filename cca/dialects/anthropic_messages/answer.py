"""Events to a message, as a stream or whole.

Source of the format: Anthropic's published schema (``Message``, ``RawMessageStreamEvent``) and what its client
libraries rely on: a name on each event, blocks that follow one another and are counted from 0, counts that are those
of the whole message so far. A stream that fails ends with an ``error`` in the place of ``message_stop``.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import assert_never

from attrs import define, evolve, field

from cca.dialects.anthropic import refusal, running_usage, usage_object
from cca.dialects.anthropic_messages.content import block, opened
from cca.dialects.contract import Ask, Frame, Stamp
from cca.message import Message
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
    Usage,
)

STOP_REASONS: Mapping[StopReason, str] = {
    "end_turn": "end_turn",
    "stop_sequence": "stop_sequence",
    "max_tokens": "max_tokens",
    "context_window": "model_context_window_exceeded",
    "tool_use": "tool_use",
    "refusal": "refusal",
}


def message(_ask: Ask, _stamp: Stamp, messages: Sequence[Message]) -> Json:
    """Return an answer as one body."""
    (only,) = messages
    return _body(only, only.usage)


@define
class MessageEncoder:
    """Encodes a stream. Its blocks are the message's parts: one ends where the next begins."""

    ask: Ask
    stamp: Stamp
    _message: Message = field(factory=Message, init=False)

    def encode(self, told: Told) -> Iterator[Frame]:
        event, before = told.event, len(self._message.parts)
        self._message.take(event)
        match event:
            case Started(usage=usage):
                # The API counts one at the least, whatever is said.
                begun = evolve(usage, output_tokens=max(usage.output_tokens, 1))
                yield _event("message_start", message=_body(self._message, begun))
            case TextDelta(text):
                yield from self._piece(before, type="text_delta", text=text)
            case Cited(citation):
                yield from self._piece(before, type="citations_delta", citation=citation)
            case ThinkingDelta(text):
                yield from self._piece(before, type="thinking_delta", thinking=text)
            case Signed(signature):
                yield from self._piece(before, type="signature_delta", signature=signature)
            case ToolCallDelta(partial_json):
                yield from self._piece(before, type="input_json_delta", partial_json=partial_json)
            case NextText() | Redacted() | ToolCallStarted():
                yield from self._opening(before)
            case Finished():
                yield from self._end()
            case Failed(error):
                # No client library asks again after it. Claude Code 2.1.330 does: for a stream at an overloaded_error
                # before any content, for a whole message at any other.
                _, body = refusal(error, self.stamp.request_id)
                yield Frame(body, "error")
            case _:
                assert_never(event)

    def _piece(self, before: int, **delta: Json) -> Iterator[Frame]:
        yield from self._opening(before)
        yield _event("content_block_delta", index=len(self._message.parts) - 1, delta=delta)

    def _opening(self, before: int) -> Iterator[Frame]:
        """Open the block of a part that was not there, and close the one before it."""
        if len(self._message.parts) > before:
            yield from self._close(before)
            yield _event("content_block_start", index=before, content_block=opened(self._message.parts[before]))

    def _close(self, blocks: int) -> Iterator[Frame]:
        """Close the last of as many ``blocks``, if there is one."""
        if blocks:
            yield _event("content_block_stop", index=blocks - 1)

    def _end(self) -> Iterator[Frame]:
        yield from self._close(len(self._message.parts))
        yield _event("message_delta", delta=_stop(self._message), usage=running_usage(self._message.usage))
        yield _event("message_stop")


def _body(message: Message, usage: Usage) -> Json:
    return {
        "id": message.id,
        "type": "message",
        "role": "assistant",
        "model": message.model,
        "content": [block(part) for part in message.parts],
        **_stop(message),
        "usage": usage_object(usage),
    }


def _stop(message: Message) -> Mapping[str, Json]:
    return {
        "stop_reason": None if message.stop_reason is None else STOP_REASONS[message.stop_reason],
        "stop_sequence": message.stop_sequence,
        "stop_details": message.stop_details,
        "container": None,
    }


def _event(name: str, **content: Json) -> Frame:
    return Frame({"type": name, **content}, name)
