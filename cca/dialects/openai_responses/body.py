"""The shape of a request for a response: what its fields must be, before anybody asks what they mean.

Source of the format: OpenAI's published schema ``CreateResponse``, and ``EasyInputMessage`` for items without a type.
"""

from collections.abc import Mapping
from typing import Any, TypeAlias

from attrs import frozen
from cattrs import Converter

from cca.dialects.openai_fields import RefusalPart, TextPart
from cca.dialects.openai_responses.references import item_type
from cca.model import Json
from cca.wire import Body, Hook, Tagged, or_null, strict_converter, structure, text_or_array


@frozen(kw_only=True)
class ImagePart(Body):
    type: str
    image_url: str | None = None
    file_id: str | None = None


@frozen(kw_only=True)
class FilePart(Body):
    type: str
    file_data: str | None = None
    file_url: str | None = None
    file_id: str | None = None
    filename: str | None = None


Part: TypeAlias = TextPart | RefusalPart | ImagePart | FilePart
Content: TypeAlias = str | tuple[Part, ...]


@frozen(kw_only=True)
class Message(Body):
    role: str
    content: Content
    type: str | None = None
    id: str | None = None
    status: str | None = None


@frozen(kw_only=True)
class FunctionCall(Body):
    type: str
    call_id: str
    name: str
    arguments: str
    namespace: str | None = None
    id: str | None = None
    status: str | None = None


@frozen(kw_only=True)
class FunctionCallOutput(Body):
    type: str
    call_id: str
    output: Content
    id: str | None = None
    status: str | None = None


@frozen(kw_only=True)
class Reasoning(Body):
    """What the model thought once: ours, come back. It is dropped without a word, as Claude Code would drop it."""

    type: str
    id: str | None = None


@frozen(kw_only=True)
class ItemReference(Body):
    id: str
    type: str | None = None


Item: TypeAlias = Message | FunctionCall | FunctionCallOutput | Reasoning | ItemReference
Input: TypeAlias = str | tuple[Item, ...]


@frozen(kw_only=True)
class FunctionTool(Body):
    type: str
    name: str
    description: str | None = None
    parameters: Json = None
    strict: bool | None = None


@frozen(kw_only=True)
class UnknownTool(Body):
    """A tool that only OpenAI has, or one whose calls are not JSON; its ``type`` says which."""

    type: str


@frozen(kw_only=True)
class NamespaceTool(Body):
    type: str
    name: str
    tools: tuple[FunctionTool | UnknownTool, ...]
    description: str | None = None


Tool: TypeAlias = FunctionTool | NamespaceTool | UnknownTool


@frozen(kw_only=True)
class TextConfig(Body):
    format: Json = None


@frozen(kw_only=True)
class ReasoningConfig(Body):
    """``generate_summary`` is the older name of ``summary``."""

    effort: str | None = None
    summary: str | None = None
    generate_summary: str | None = None


@frozen(kw_only=True)
class ConversationReference(Body):
    id: str


@frozen(kw_only=True)
class ResponsesRequest(Body):
    model: str
    input: Input
    instructions: str | None = None
    stream: bool | None = None
    stream_options: Body | None = None
    store: bool | None = None
    previous_response_id: str | None = None
    conversation: ConversationReference | None = None
    metadata: Json = None
    max_output_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    reasoning: ReasoningConfig | None = None
    text: TextConfig | None = None
    tools: tuple[Tool, ...] | None = None
    tool_choice: Json = None
    parallel_tool_calls: bool | None = None
    include: tuple[str, ...] | None = None


@frozen(kw_only=True)
class Items(Body):
    """What is said in a conversation, of which nobody asks an answer yet."""

    items: tuple[Item, ...]


PARTS: Mapping[str, type[Body]] = {
    **dict.fromkeys(("input_text", "output_text", "text"), TextPart),
    "refusal": RefusalPart,
    "input_image": ImagePart,
    "input_file": FilePart,
}

ITEMS: Mapping[str, type[Body]] = {
    "message": Message,
    "function_call": FunctionCall,
    "function_call_output": FunctionCallOutput,
    "reasoning": Reasoning,
    "item_reference": ItemReference,
}

ROLES: Mapping[str, type[Body]] = dict.fromkeys(("user", "assistant", "system", "developer"), Message)

TOOLS: Mapping[str, type[Body]] = {"function": FunctionTool, "namespace": NamespaceTool}


def _by_type(converter: Converter, kinds: Mapping[str, type[Body]]) -> Hook:
    """Return a hook for tools: one of a type that is in no table is known by that alone."""

    def hook(value: Json, _: Any) -> Any:
        if not isinstance(value, dict) or not isinstance(value.get("type"), str):
            return converter.structure(value, UnknownTool)
        return converter.structure(value, kinds.get(value["type"], UnknownTool))

    return hook


def _item(converter: Converter) -> Hook:
    """Return a hook for an item: a message has a role, too, and others have it as their type."""
    typed, message = Tagged(converter, "type", ITEMS), Tagged(converter, "role", ROLES)

    def hook(value: Json, kind: Any) -> Any:
        if not isinstance(value, dict):
            return typed(value, kind)
        name = item_type(value)
        return message(value, kind) if name == "message" else typed({**value, "type": name}, kind)

    return hook


def _conversation(converter: Converter) -> Hook:
    def hook(value: Json, _: Any) -> Any:
        if isinstance(value, str):
            return ConversationReference(id=value)
        return converter.structure(value, ConversationReference)

    return hook


def _converter() -> Converter:
    converter = strict_converter()
    unions: dict[Any, Hook] = {
        Part: Tagged(converter, "type", PARTS),
        Content: text_or_array(converter, tuple[Part, ...]),
        Item: _item(converter),
        Input: text_or_array(converter, tuple[Item, ...]),
        FunctionTool | UnknownTool: _by_type(converter, {"function": FunctionTool}),
        Tool: _by_type(converter, TOOLS),
    }
    for union, hook in unions.items():
        converter.register_structure_hook(union, hook)
    # A union with null, and a class beside it that is sent in two forms.
    converter.register_structure_hook(ConversationReference | None, or_null(_conversation(converter)))
    return converter


CONVERTER = _converter()


def read(body: Mapping[str, Json]) -> ResponsesRequest:
    """Return the request in a body. Raise ``BadRequest`` with the first fault's path."""
    return structure(CONVERTER, body, ResponsesRequest)


def read_items(items: Json) -> tuple[Item, ...]:
    """Return the items of a conversation, as ``read`` does."""
    return structure(CONVERTER, {"items": items}, Items).items
