"""Events to a completion, as chunks or whole. What the model thinks has no place in it.

Source of the format: OpenAI's published schema ``CreateCompletionResponse``.
"""

from collections.abc import Iterator, Sequence
from typing import assert_never

from attrs import define, field

from cca.dialects.contract import Ask, Frame, Stamp
from cca.dialects.openai import FINISH_REASONS, chat_usage, choices_usage
from cca.dialects.openai_chunks import Chunks, failure, head
from cca.dialects.openai_completions.request import ECHOED, PROMPTS
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
    TextDelta,
    ThinkingDelta,
    Told,
    ToolCallDelta,
    ToolCallStarted,
)

PREFIX, KIND = "cmpl", "text_completion"

# The API knows no calls, and a request has no tools to call.
_FINISH_REASONS = {**FINISH_REASONS, "tool_use": "stop"}


@define
class TextEncoder:
    """Encodes a stream. Where the prompt is echoed, it comes before the first text."""

    ask: Ask
    stamp: Stamp
    _chunks: Chunks = field(init=False)

    @_chunks.default
    def _fresh(self) -> Chunks:
        return Chunks(self.ask, self.stamp, PREFIX, KIND, _prompts(self.ask))

    def encode(self, told: Told) -> Iterator[Frame]:
        choice = told.choice
        match told.event:
            case Started(_, model):
                self._chunks.begin(model)
                echoed = _echoed(self.ask, choice)
                if echoed:
                    yield self._chunks.chunk(_choice(choice, echoed))
            case TextDelta(text):
                yield self._chunks.chunk(_choice(choice, text))
            case Finished(stop_reason, _, usage):
                yield self._chunks.chunk(_choice(choice, "", _FINISH_REASONS[stop_reason]))
                yield from self._chunks.end(choice, usage)
            case Failed(error):
                yield failure(error)
            case NextText() | Cited() | Signed() | Redacted():
                # The format has no place for it.
                pass
            case ThinkingDelta() | ToolCallStarted() | ToolCallDelta():
                # It offers no tools.
                pass
            case _:
                assert_never(told.event)


def completion(ask: Ask, stamp: Stamp, messages: Sequence[Message]) -> Json:
    """Return an answer as one body."""
    return {
        **head(PREFIX, KIND, stamp, messages[0].model),
        "choices": [_whole(ask, index, message) for index, message in enumerate(messages)],
        "usage": chat_usage(choices_usage([message.usage for message in messages], _prompts(ask))),
    }


def _whole(ask: Ask, index: int, message: Message) -> Json:
    assert message.stop_reason is not None, "it is complete"
    return _choice(index, _echoed(ask, index) + message.said, _FINISH_REASONS[message.stop_reason])


def _choice(index: int, text: str, finish_reason: str | None = None) -> Json:
    return {"text": text, "index": index, "logprobs": None, "finish_reason": finish_reason}


def _prompts(ask: Ask) -> int:
    count = ask.echo.get(PROMPTS, 1)
    assert isinstance(count, int)
    return count


def _echoed(ask: Ask, choice: int) -> str:
    """Return the prompt of a choice, if the request wants it before the text."""
    echoed = ask.echo.get(ECHOED)
    return "" if echoed is None else str(echoed[choice])
