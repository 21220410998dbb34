"""How many tokens a conversation is, roughly: what a limit sets aside before the model has counted them."""

from collections.abc import Iterator
from math import ceil
from typing import assert_never

import orjson

from cca.depth import too_deep
from cca.model import (
    Conversation,
    Document,
    Image,
    Json,
    RedactedThinking,
    SearchResult,
    Text,
    Thinking,
    ToolResult,
    ToolUse,
    Turn,
    UserTurn,
)

BYTES_PER_TOKEN = 4
"""Of English text and of code, about; other scripts have more tokens a character, and more bytes."""

IMAGE_TOKENS = 1600
"""A picture's most, about: Anthropic's API makes larger ones smaller."""

PAGE_TOKENS = 3000
"""A PDF's page is its text and its picture."""

PAGE_BYTES = 75_000
"""A page of a PDF, about: one of text alone takes less, a scanned one more."""


def estimated_tokens(conversation: Conversation) -> int:
    """Return about how many tokens go in, and at most come out where ``max_tokens`` says so."""
    texts = [*conversation.system]
    if conversation.output_schema is not None:
        texts.append(_text(conversation.output_schema))
    for tool in conversation.tools:
        texts += (tool.name, tool.description, _text(tool.input_schema))
    size, tokens = sum(len(text.encode()) for text in texts), 0
    for part in _parts(conversation.turns):
        if isinstance(part, int):
            tokens += part
        else:
            size += len(part.encode())
    return ceil(size / BYTES_PER_TOKEN) + tokens + (conversation.sampling.max_tokens or 0)


def _parts(turns: tuple[Turn, ...]) -> Iterator[str | int]:
    """Yield the texts of all parts, and the tokens of what is no text."""
    for turn in turns:
        for part in turn.content:
            match part:
                case Text(text):
                    yield text
                case Image():
                    yield IMAGE_TOKENS
                case Document(text=str(text)):
                    yield text
                case Document(pieces=(_, *_) as pieces):
                    yield from _parts((UserTurn(pieces),))
                case SearchResult(source, title, content):
                    yield source
                    yield title
                    yield from _parts((UserTurn(content),))
                case Document(data=data):
                    # Three bytes are four characters of base64. What is at an address is a page at least.
                    yield max(1, len(data or "") * 3 // 4 // PAGE_BYTES) * PAGE_TOKENS
                case ToolUse(_, name, input):
                    yield name
                    yield _text(input)
                case Thinking(text):
                    yield text
                case RedactedThinking():
                    # What it says is known to the API alone.
                    pass
                case ToolResult(_, content):
                    yield from _parts((UserTurn(content),))
                case _:
                    assert_never(part)


def _text(value: Json) -> str:
    # What is too deep is refused for that before the model sees it.
    return "" if too_deep(value) else orjson.dumps(value).decode()
