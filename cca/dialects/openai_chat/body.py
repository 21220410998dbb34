"""The shape of a chat completion request: what its fields must be, before anybody asks what they mean.

Source of the format: OpenAI's published schema ``CreateChatCompletionRequest``.
"""

from collections.abc import Mapping
from typing import Any, TypeAlias

from attrs import frozen
from cattrs import Converter

from cca.dialects.openai_fields import RefusalPart, StreamOptions, TextPart
from cca.dialects.openai_sampling import Stop, read_stop
from cca.model import Json
from cca.wire import Body, Hook, Tagged, or_null, strict_converter, structure, text_or_array


@frozen(kw_only=True)
class ImageUrl(Body):
    url: str
    detail: str | None = None


@frozen(kw_only=True)
class ImagePart(Body):
    type: str
    image_url: ImageUrl


@frozen(kw_only=True)
class File(Body):
    file_data: str | None = None
    file_id: str | None = None
    filename: str | None = None


@frozen(kw_only=True)
class FilePart(Body):
    type: str
    file: File


@frozen(kw_only=True)
class AudioPart(Body):
    type: str


Part: TypeAlias = TextPart | RefusalPart | ImagePart | FilePart | AudioPart
Parts: TypeAlias = tuple[Part, ...]
Content: TypeAlias = str | Parts


@frozen(kw_only=True)
class SystemMessage(Body):
    role: str
    content: Content


@frozen(kw_only=True)
class UserMessage(Body):
    role: str
    content: Content


@frozen(kw_only=True)
class Called(Body):
    name: str
    arguments: str | None = None


@frozen(kw_only=True)
class FunctionToolCall(Body):
    id: str
    type: str
    function: Called


@frozen(kw_only=True)
class OtherCall(Body):
    """A call of a tool that is no function; its ``type`` says what it is."""

    type: str


ToolCall: TypeAlias = FunctionToolCall | OtherCall


@frozen(kw_only=True)
class AssistantMessage(Body):
    role: str
    content: Content | None = None
    refusal: str | None = None
    tool_calls: tuple[ToolCall, ...] | None = None
    function_call: Called | None = None


@frozen(kw_only=True)
class ToolMessage(Body):
    role: str
    tool_call_id: str
    content: Content


@frozen(kw_only=True)
class FunctionMessage(Body):
    """The result of a ``function_call``: the deprecated form of a ``ToolMessage``."""

    role: str
    name: str
    content: Content | None = None


Message: TypeAlias = SystemMessage | UserMessage | AssistantMessage | ToolMessage | FunctionMessage


@frozen(kw_only=True)
class Function(Body):
    name: str
    description: str | None = None
    parameters: Json = None
    strict: bool | None = None


@frozen(kw_only=True)
class FunctionTool(Body):
    type: str
    function: Function


@frozen(kw_only=True)
class OtherTool(Body):
    """A tool that is no function; its ``type`` says what it is."""

    type: str


Tool: TypeAlias = FunctionTool | OtherTool


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
    tools: tuple[Tool, ...] | None = None
    tool_choice: Json = None
    parallel_tool_calls: bool | None = None
    functions: tuple[Function, ...] | None = None
    function_call: Json = None
    response_format: Json = None
    n: int | None = None
    store: bool | None = None
    metadata: Json = None


PARTS: Mapping[str, type[Body]] = {
    "text": TextPart,
    "image_url": ImagePart,
    "file": FilePart,
    "refusal": RefusalPart,
    "input_audio": AudioPart,
}

MESSAGES: Mapping[str, type[Body]] = {
    "system": SystemMessage,
    "developer": SystemMessage,
    "user": UserMessage,
    "assistant": AssistantMessage,
    "tool": ToolMessage,
    "function": FunctionMessage,
}


def _converter() -> Converter:
    converter = strict_converter()
    read_stop(converter)
    unions: dict[Any, Hook] = {
        Part: Tagged(converter, "type", PARTS),
        Message: Tagged(converter, "role", MESSAGES),
        ToolCall: Tagged(converter, "type", {"function": FunctionToolCall}, OtherCall),
        Tool: Tagged(converter, "type", {"function": FunctionTool}, OtherTool),
        Content: text_or_array(converter, Parts),
    }
    for union, hook in unions.items():
        converter.register_structure_hook(union, hook)
        converter.register_structure_hook(union | None, or_null(hook))
    return converter


CONVERTER = _converter()


def read(body: Mapping[str, Json]) -> ChatRequest:
    """Return the request in a body. Raise ``BadRequest`` with the first fault's path."""
    return structure(CONVERTER, body, ChatRequest)
