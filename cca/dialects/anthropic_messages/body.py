"""The shape of a request for a message: what its fields must be, before anybody asks what they mean.

Source of the format: Anthropic's published schemas ``CreateMessageParams`` and ``BetaCreateMessageParams``, and what
its client libraries have besides.
"""

from collections.abc import Mapping
from typing import Any, TypeAlias

from attrs import frozen
from cattrs import Converter

from cca.model import Json
from cca.wire import Body, Hook, Tagged, or_null, strict_converter, structure, text_or_array


@frozen(kw_only=True)
class CacheControl(Body):
    type: str
    ttl: str | None = None


@frozen(kw_only=True)
class Citations(Body):
    enabled: bool | None = None


@frozen(kw_only=True)
class Base64Source(Body):
    type: str
    media_type: str
    data: str


@frozen(kw_only=True)
class TextSource(Body):
    type: str
    media_type: str
    data: str


@frozen(kw_only=True)
class UrlSource(Body):
    type: str
    url: str


@frozen(kw_only=True)
class FileSource(Body):
    type: str
    file_id: str


@frozen(kw_only=True)
class TextBlock(Body):
    type: str
    text: str
    citations: Json = None
    cache_control: CacheControl | None = None


ImageSource: TypeAlias = Base64Source | UrlSource | FileSource


@frozen(kw_only=True)
class ImageBlock(Body):
    type: str
    source: ImageSource
    cache_control: CacheControl | None = None


@frozen(kw_only=True)
class OtherBlock(Body):
    """A block that has no place where it is; its ``type`` says what it is."""

    type: str


Piece: TypeAlias = TextBlock | ImageBlock | OtherBlock
Pieces: TypeAlias = tuple[Piece, ...]
PieceContent: TypeAlias = str | Pieces


@frozen(kw_only=True)
class ContentSource(Body):
    type: str
    content: PieceContent


DocumentSource: TypeAlias = Base64Source | TextSource | ContentSource | UrlSource | FileSource


@frozen(kw_only=True)
class DocumentBlock(Body):
    type: str
    source: DocumentSource
    title: str | None = None
    context: str | None = None
    citations: Citations | None = None
    cache_control: CacheControl | None = None


Passage: TypeAlias = TextBlock | OtherBlock


@frozen(kw_only=True)
class SearchResultBlock(Body):
    type: str
    source: str
    title: str
    content: tuple[Passage, ...]
    citations: Citations | None = None
    cache_control: CacheControl | None = None


@frozen(kw_only=True)
class ToolUseBlock(Body):
    type: str
    id: str
    name: str
    input: Json
    caller: Json = None
    cache_control: CacheControl | None = None


@frozen(kw_only=True)
class ToolReferenceBlock(Body):
    """A tool that was found: from here on, the model may call it."""

    type: str
    tool_name: str
    cache_control: CacheControl | None = None


Shown: TypeAlias = TextBlock | ImageBlock | DocumentBlock | SearchResultBlock | OtherBlock
Given: TypeAlias = Shown | ToolReferenceBlock
GivenBlocks: TypeAlias = tuple[Given, ...]
ResultContent: TypeAlias = str | GivenBlocks


@frozen(kw_only=True)
class ToolResultBlock(Body):
    type: str
    tool_use_id: str
    content: ResultContent | None = None
    is_error: bool | None = None
    cache_control: CacheControl | None = None


@frozen(kw_only=True)
class ThinkingBlock(Body):
    type: str
    thinking: str
    signature: str


@frozen(kw_only=True)
class RedactedThinkingBlock(Body):
    type: str
    data: str


@frozen(kw_only=True)
class SystemBlock(Body):
    """What the system says in the midst of a conversation."""

    type: str
    content: tuple[Passage, ...]
    cache_control: CacheControl | None = None


Block: TypeAlias = (
    TextBlock
    | ImageBlock
    | DocumentBlock
    | SearchResultBlock
    | ToolUseBlock
    | ToolResultBlock
    | ThinkingBlock
    | RedactedThinkingBlock
    | SystemBlock
    | OtherBlock
)
Blocks: TypeAlias = tuple[Block, ...]
Content: TypeAlias = str | Blocks

SystemBlocks: TypeAlias = tuple[Passage, ...]
SystemContent: TypeAlias = str | SystemBlocks


@frozen(kw_only=True)
class OutputConfig(Body):
    effort: str | None = None
    format: Json = None


@frozen(kw_only=True)
class SaidMessage(Body):
    """A message of the user's or of the assistant's."""

    role: str
    content: Content


@frozen(kw_only=True)
class SystemMessage(Body):
    """Where there is no content, it is there for what is to hold from here on."""

    role: str
    content: SystemContent | None = None
    output_config: OutputConfig | None = None
    clear_at: str | None = None


Message: TypeAlias = SaidMessage | SystemMessage


@frozen(kw_only=True)
class CustomTool(Body):
    name: str
    input_schema: Json
    type: str | None = None
    description: str | None = None
    strict: bool | None = None
    defer_loading: bool | None = None
    cache_control: CacheControl | None = None


@frozen(kw_only=True)
class ServerTool(Body):
    """A tool of Anthropic's; its ``type`` says which."""

    type: str


Tool: TypeAlias = CustomTool | ServerTool


@frozen(kw_only=True)
class Choice(Body):
    type: str
    disable_parallel_tool_use: bool | None = None


@frozen(kw_only=True)
class NamedChoice(Choice):
    name: str


ToolChoice: TypeAlias = Choice | NamedChoice


@frozen(kw_only=True)
class Thinking(Body):
    type: str
    display: str | None = None


@frozen(kw_only=True)
class BudgetedThinking(Thinking):
    budget_tokens: int


ThinkingConfig: TypeAlias = Thinking | BudgetedThinking


@frozen(kw_only=True)
class MessagesRequest(Body):
    """``max_tokens`` is required, but where tokens are only counted."""

    model: str
    messages: tuple[Message, ...]
    max_tokens: int | None = None
    system: SystemContent | None = None
    stream: bool | None = None
    tools: tuple[Tool, ...] | None = None
    tool_choice: ToolChoice | None = None
    stop_sequences: tuple[str, ...] | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    thinking: ThinkingConfig | None = None
    output_config: OutputConfig | None = None
    output_format: Json = None
    cache_control: CacheControl | None = None


IMAGE_SOURCES: Mapping[str, type[Body]] = {"base64": Base64Source, "url": UrlSource, "file": FileSource}

DOCUMENT_SOURCES: Mapping[str, type[Body]] = {**IMAGE_SOURCES, "text": TextSource, "content": ContentSource}

PIECES: Mapping[str, type[Body]] = {"text": TextBlock, "image": ImageBlock}

SHOWN: Mapping[str, type[Body]] = {**PIECES, "document": DocumentBlock, "search_result": SearchResultBlock}

GIVEN: Mapping[str, type[Body]] = {**SHOWN, "tool_reference": ToolReferenceBlock}

BLOCKS: Mapping[str, type[Body]] = {
    **SHOWN,
    "tool_use": ToolUseBlock,
    "tool_result": ToolResultBlock,
    "thinking": ThinkingBlock,
    "redacted_thinking": RedactedThinkingBlock,
    "mid_conv_system": SystemBlock,
}

MESSAGES: Mapping[str, type[Body]] = {"user": SaidMessage, "assistant": SaidMessage, "system": SystemMessage}

CHOICES: Mapping[str, type[Body]] = {"auto": Choice, "any": Choice, "tool": NamedChoice, "none": Choice}

THINKING: Mapping[str, type[Body]] = {"enabled": BudgetedThinking, "adaptive": Thinking, "disabled": Thinking}


def _converter() -> Converter:
    converter = strict_converter()
    unions: dict[Any, Hook] = {
        ImageSource: Tagged(converter, "type", IMAGE_SOURCES),
        DocumentSource: Tagged(converter, "type", DOCUMENT_SOURCES),
        Piece: Tagged(converter, "type", PIECES, OtherBlock),
        PieceContent: text_or_array(converter, Pieces),
        Passage: Tagged(converter, "type", {"text": TextBlock}, OtherBlock),
        Given: Tagged(converter, "type", GIVEN, OtherBlock),
        ResultContent: text_or_array(converter, GivenBlocks),
        Block: Tagged(converter, "type", BLOCKS, OtherBlock),
        Content: text_or_array(converter, Blocks),
        SystemContent: text_or_array(converter, SystemBlocks),
        Message: Tagged(converter, "role", MESSAGES),
        Tool: _tool(converter),
        ToolChoice: Tagged(converter, "type", CHOICES),
        ThinkingConfig: Tagged(converter, "type", THINKING),
    }
    for union, hook in unions.items():
        converter.register_structure_hook(union, hook)
        converter.register_structure_hook(union | None, or_null(hook))
    return converter


def _tool(converter: Converter) -> Hook:
    """Return a hook for a tool: one that does not say its type is the client's own."""

    def hook(value: Json, _: Any) -> Any:
        named = value.get("type") if isinstance(value, dict) else None
        return converter.structure(value, CustomTool if named in (None, "custom") else ServerTool)

    return hook


CONVERTER = _converter()


def read(body: Mapping[str, Json]) -> MessagesRequest:
    """Return the request in a body. Raise ``BadRequest`` with the first fault's path."""
    return structure(CONVERTER, body, MessagesRequest)
