"""What every room speaks: a conversation on its way in, the events of an answer on their way out.

Nothing here knows HTTP, a vendor's wire format or the CLI. Values are frozen; the unions are closed, so that
``assert_never`` makes the type checker name every place to visit when one grows.
"""

from collections.abc import Mapping
from typing import Any, Literal, TypeAlias

from attrs import field, frozen

from cca.errors import CcaError

Json: TypeAlias = Any
"""A decoded JSON value. It is looked into at the doors only: the dialects and ``claude``."""


@frozen
class CacheMark:
    """A mark after which the model's API keeps what it has read, for as long as ``ttl`` says: five minutes without."""

    ttl: Literal["5m", "1h"] | None = None


@frozen
class Text:
    text: str
    cache: CacheMark | None = None


@frozen
class Image:
    """A picture: ``data`` is base64 with its ``media_type``, or ``url`` is an address that the model's API fetches."""

    media_type: str | None = None
    data: str | None = None
    url: str | None = None
    cache: CacheMark | None = None


NO_CONTENT = Text("(no content)")
"""What Claude Code makes of a turn in which nothing is. A conversation with Claude begins with a turn of the user's."""


@frozen
class Document:
    """A PDF in base64, plain text in ``text``, its ``pieces``, or a ``url`` that the model's API fetches a PDF from.

    ``context`` is about it, and not cited from; ``citations`` asks for an answer that says what of it stands where.
    """

    media_type: str | None = None
    data: str | None = None
    text: str | None = None
    title: str | None = None
    url: str | None = None
    pieces: tuple[Text | Image, ...] = ()
    context: str | None = None
    citations: bool = False
    cache: CacheMark | None = None


@frozen
class SearchResult:
    """What a search of the client's has found at ``source``, in pieces that the model may cite."""

    source: str
    title: str
    content: tuple[Text, ...]
    citations: bool = False
    cache: CacheMark | None = None


@frozen
class ToolUse:
    """A call that the model made. ``input`` is the JSON object of its arguments."""

    id: str
    name: str
    input: Mapping[str, Json]
    cache: CacheMark | None = None


ResultPart: TypeAlias = Text | Image | Document | SearchResult


@frozen
class ToolResult:
    tool_use_id: str
    content: tuple[ResultPart, ...]
    is_error: bool = False
    cache: CacheMark | None = None


@frozen
class Thinking:
    """What the model thought, as far as it is told, with the ``signature`` by which its API knows it again."""

    text: str
    signature: str


@frozen
class RedactedThinking:
    """What the model thought, in a form that only its API can read."""

    data: str


UserPart: TypeAlias = Text | Image | Document | SearchResult | ToolResult
AssistantPart: TypeAlias = Text | ToolUse | Thinking | RedactedThinking


@frozen
class UserTurn:
    content: tuple[UserPart, ...]


@frozen
class AssistantTurn:
    """``model`` is the id of the one that said it, where it thought: a model has no use for the thoughts of another."""

    content: tuple[AssistantPart, ...]
    model: str | None = None


Turn: TypeAlias = UserTurn | AssistantTurn


@frozen
class Tool:
    """A function that the client offers. ``input_schema`` goes to the model unchanged, and so does ``strict``."""

    name: str
    description: str | None
    input_schema: Mapping[str, Json]
    strict: bool | None = None
    cache: CacheMark | None = None


@frozen
class ToolChoice:
    """Whether the model may call tools, must call one ("any"), or the one of this ``name``; and several at once."""

    kind: Literal["auto", "any", "tool", "none"] = "auto"
    name: str | None = None
    parallel: bool = True

    @property
    def forced(self) -> bool:
        return self.kind in ("any", "tool")


@frozen
class Sampling:
    """How to sample; ``None`` leaves a setting to the model. ``thinking`` off is ``False``.

    A model that is to think does so as it sees fit, or within ``thinking_budget`` tokens. ``thinking_display`` is how
    much of it is told.
    """

    max_tokens: int | None = None
    stop_sequences: tuple[str, ...] = ()
    temperature: float | None = None
    top_p: float | None = None
    effort: Literal["low", "medium", "high", "xhigh", "max"] | None = None
    thinking: bool | None = None
    top_k: int | None = None
    thinking_budget: int | None = None
    thinking_display: Literal["summarized", "omitted"] | None = None


@frozen
class Conversation:
    """One request: everything that the model is to see, and nothing else.

    ``turns`` alternate, start with a user turn and end with one. ``system`` blocks are joined by a blank line;
    ``system_marks`` are the marks for the cache on them. ``cache`` is a mark on whatever comes last.
    ``output_schema`` asks for an answer that is exactly one JSON value of that schema.
    """

    model: str
    turns: tuple[Turn, ...]
    system: tuple[str, ...] = ()
    tools: tuple[Tool, ...] = ()
    sampling: Sampling = field(factory=Sampling)
    tool_choice: ToolChoice = field(factory=ToolChoice)
    output_schema: Mapping[str, Json] | None = None
    system_marks: tuple[CacheMark, ...] = ()
    cache: CacheMark | None = None


@frozen
class Usage:
    """Tokens of one answer. ``input_tokens`` are those neither read from nor written to the cache."""

    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0

    @property
    def prompt_tokens(self) -> int:
        """All that went in, however much of it the cache had."""
        return self.input_tokens + self.cache_read_tokens + self.cache_write_tokens

    @property
    def total_tokens(self) -> int:
        return self.prompt_tokens + self.output_tokens


StopReason: TypeAlias = Literal["end_turn", "stop_sequence", "max_tokens", "context_window", "tool_use", "refusal"]


@frozen
class Started:
    """The model began to answer; ``model`` is the id that its API reports."""

    message_id: str
    model: str
    usage: Usage


@frozen
class TextDelta:
    text: str


@frozen
class ThinkingDelta:
    text: str


@frozen
class Signed:
    """The model's API signed what the model thought just before, or thought without telling it."""

    signature: str


@frozen
class Redacted:
    """The model thought what nobody but its API can read."""

    data: str


@frozen
class NextText:
    """The text that follows is a block of its own, apart from the one before it."""


@frozen
class Cited:
    """The text block that is being written cites a document: ``citation`` is the API's object, as it came."""

    citation: Mapping[str, Json]


@frozen
class ToolCallStarted:
    """A tool call opens; the ``ToolCallDelta``s that follow are its, until the next one opens."""

    id: str
    name: str


@frozen
class ToolCallDelta:
    """A piece of a tool call's arguments; the pieces of one call concatenate to a JSON object, or to nothing."""

    partial_json: str


@frozen
class Finished:
    """The answer is complete. ``cost`` is in US dollars, where Claude Code has said it.

    ``details`` are what the model's API says of why it stopped, as they came.
    """

    stop_reason: StopReason
    stop_sequence: str | None
    usage: Usage
    cost: float | None = None
    details: Mapping[str, Json] | None = None


@frozen
class Failed:
    """The answer ends here, for this reason. Nothing follows."""

    error: CcaError


Event: TypeAlias = (
    Started
    | TextDelta
    | NextText
    | Cited
    | ThinkingDelta
    | Signed
    | Redacted
    | ToolCallStarted
    | ToolCallDelta
    | Finished
    | Failed
)


@frozen
class Told:
    """An event of one of an answer's choices, which count from 0. A failure is the whole answer's."""

    choice: int
    event: Event


@frozen
class ModelEntry:
    """A model that the CLI offers: its ``alias``, the id that this stands for, whether it can do without thinking."""

    alias: str
    id: str
    display_name: str
    thinking_off: bool = False
