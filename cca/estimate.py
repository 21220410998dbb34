"""How many tokens a conversation is, roughly: what a limit sets aside, and what is told of it before the model counts.

Measured against Anthropic's guides on counting tokens, on vision, on PDFs and on tool use, in ``tests/test_estimate``.
"""

from collections.abc import Iterable, Iterator
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
    UserPart,
)
from cca.pictures import MOST_PAGES, pages_of, size_of

HOW = (
    "four bytes of text a token; a picture by its width and height, a PDF by its pages; "
    "and what turns and tools add themselves"
)
"""The estimate, to whoever gets one."""

BYTES_PER_TOKEN = 4
"""Of English text and of code, about; other scripts have more tokens a character, and more bytes."""

START_TOKENS = 3
"""What a conversation has before anything is said in it."""

TURN_TOKENS = 4
"""What says whose turn it is."""

TOOLS_TOKENS = 340
"""What Anthropic's API tells a model of tools, as soon as there is one: 290 to 500, by the model."""

PATCH = 28
"""Pixels: a model sees a square of so many by so many as a token."""

LONGEST_SIDE, MOST_PATCHES = 2576, 4784
"""Pixels and tokens of the largest picture that a model of today sees; Anthropic's API makes others smaller."""

IMAGE_TOKENS = 1600
"""A picture whose size is not known: one that is at an address."""

PAGE_TOKENS = 3000
"""A PDF's page is its text and its picture."""

PAGE_BYTES = 75_000
"""A page of a PDF whose pages cannot be counted, about: one of text alone takes less, a scanned one more."""


def estimated_tokens(conversation: Conversation) -> int:
    """Return about how many tokens go in, and at most come out where ``max_tokens`` says so."""
    return input_tokens(conversation) + (conversation.sampling.max_tokens or 0)


def input_tokens(conversation: Conversation) -> int:
    """Return about how many tokens go in: never fewer for more parts.

    A picture of more pixels may be fewer, as the model sees one that is too long made smaller in both directions.
    """
    texts = [*conversation.system]
    if conversation.output_schema is not None:
        texts.append(_text(conversation.output_schema))
    for tool in conversation.tools:
        texts += (tool.name, tool.description or "", _text(tool.input_schema))
    size, tokens = sum(len(text.encode()) for text in texts), START_TOKENS
    if conversation.tools:
        tokens += TOOLS_TOKENS
    for turn in conversation.turns:
        tokens += TURN_TOKENS
        for part in _parts(turn.content):
            if isinstance(part, int):
                tokens += part
            else:
                size += len(part.encode())
    return ceil(size / BYTES_PER_TOKEN) + tokens


def _parts(content: Iterable[UserPart | ToolUse | Thinking | RedactedThinking]) -> Iterator[str | int]:
    """Yield the texts of all parts, and the tokens of what is no text."""
    for part in content:
        match part:
            case Text(text):
                yield text
            case Image():
                yield _image(part)
            case Document(title=title, context=context):
                yield title or ""
                yield context or ""
                yield from _document(part)
            case SearchResult(source, title, found):
                yield source
                yield title
                yield from _parts(found)
            case ToolUse(_, name, input):
                yield name
                yield _text(input)
            case ToolResult(_, result):
                yield from _parts(result)
            case Thinking(text):
                yield text
            case RedactedThinking(data):
                yield data
            case _:
                assert_never(part)


def _image(image: Image) -> int:
    size = None if image.data is None else size_of(image.data)
    if size is None:
        return IMAGE_TOKENS
    # What is too long is made smaller in both directions; what still has too many patches then, has the most.
    scale = min(1.0, LONGEST_SIDE / max(size))
    width, height = (ceil(side * scale / PATCH) for side in size)
    return min(width * height, MOST_PATCHES)


def _document(document: Document) -> Iterator[str | int]:
    match document:
        case Document(text=str(text)):
            yield text
        case Document(pieces=(_, *_) as pieces):
            yield from _parts(pieces)
        case Document(data=str(data)):
            # Three bytes are four characters of base64.
            pages = pages_of(data) or max(1, len(data) * 3 // 4 // PAGE_BYTES)
            yield min(pages, MOST_PAGES) * PAGE_TOKENS
        case _:
            # What is at an address is a page at least.
            yield PAGE_TOKENS


def _text(value: Json) -> str:
    # What is too deep is refused for that before the model sees it.
    return "" if too_deep(value) else orjson.dumps(value).decode()
