"""How many tokens a conversation is, roughly: what a limit sets aside before the model has counted them."""

from collections.abc import Iterator
from typing import assert_never

import orjson

from cca.model import Conversation, Document, Image, Text, ToolResult, ToolUse, Turn, UserTurn

BYTES_PER_TOKEN = 4
"""Of English text and of code, about; other scripts have more tokens a character, and more bytes."""

IMAGE_TOKENS = 1600
"""A picture's most, about: Anthropic's API makes larger ones smaller."""


def estimated_tokens(conversation: Conversation) -> int:
    """Return about how many tokens go in, and at most come out where ``max_tokens`` says so."""
    texts = [*conversation.system]
    for tool in conversation.tools:
        texts += (tool.name, tool.description, orjson.dumps(tool.input_schema).decode())
    size = sum(len(text.encode()) for text in texts)
    images = 0
    for part in _parts(conversation.turns):
        if isinstance(part, Image):
            images += 1
        else:
            size += len(part.encode())
    return size // BYTES_PER_TOKEN + images * IMAGE_TOKENS + (conversation.sampling.max_tokens or 0)


def _parts(turns: tuple[Turn, ...]) -> Iterator[str | Image]:
    for turn in turns:
        for part in turn.content:
            match part:
                case Text(text):
                    yield text
                case Image():
                    yield part
                case Document():
                    yield part.text or part.data or ""
                case ToolUse(_, name, input):
                    yield name
                    yield orjson.dumps(input).decode()
                case ToolResult(_, content):
                    yield from _parts((UserTurn(content),))
                case _:
                    assert_never(part)
