"""The shape of a chat completion request: what its fields must be, before anybody asks what they mean.

Source of the format: OpenAI's published schema ``CreateChatCompletionRequest``.
"""

from collections.abc import Mapping
from typing import Any, TypeAlias

from attrs import frozen
from cattrs import Converter

from cca.model import Json
from cca.wire import Body, Hook, or_null, strict_converter, structure, tagged, text_or_array


@frozen(kw_only=True)
class TextPart(Body):
    type: str
    text: str


@frozen(kw_only=True)
class UnservedPart(Body):
    """A part of a kind that is known and not served; its ``type`` says which."""

    type: str


Parts: TypeAlias = tuple[TextPart | UnservedPart, ...]
Content: TypeAlias = str | Parts
Stop: TypeAlias = str | tuple[str, ...]


@frozen(kw_only=True)
class SystemMessage(Body):
    role: str
    content: Content


@frozen(kw_only=True)
class UserMessage(Body):
    role: str
    content: Content


@frozen(kw_only=True)
class AssistantMessage(Body):
    role: str
    content: Content | None = None


@frozen(kw_only=True)
class ToolMessage(Body):
    role: str
    tool_call_id: str | None = None


Message: TypeAlias = SystemMessage | UserMessage | AssistantMessage | ToolMessage


@frozen(kw_only=True)
class StreamOptions(Body):
    include_usage: bool | None = None


@frozen(kw_only=True)
class ChatRequest(Body):
    model: str
    messages: tuple[Message, ...]
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    stop: Stop | None = None
    temperature: float | None = None
    top_p: float | None = None
    reasoning_effort: str | None = None


def _converter() -> Converter:
    converter = strict_converter()
    unions: dict[Any, Hook] = {
        TextPart | UnservedPart: tagged(converter, "type", PARTS),
        Message: tagged(converter, "role", MESSAGES),
        Content: text_or_array(converter, Parts),
        Stop: text_or_array(converter, tuple[str, ...]),
    }
    for union, hook in unions.items():
        converter.register_structure_hook(union, hook)
        converter.register_structure_hook(union | None, or_null(hook))
    return converter


PARTS: Mapping[str, type[Body]] = {
    "text": TextPart,
    **dict.fromkeys(("refusal", "image_url", "file", "input_audio"), UnservedPart),
}

MESSAGES: Mapping[str, type[Body]] = {
    "system": SystemMessage,
    "developer": SystemMessage,
    "user": UserMessage,
    "assistant": AssistantMessage,
    "tool": ToolMessage,
    "function": ToolMessage,
}

_CONVERTER = _converter()


def read(body: Mapping[str, Json]) -> ChatRequest:
    """Return the request in a body. Raise ``BadRequest`` with the first fault's path."""
    return structure(_CONVERTER, body, ChatRequest)
