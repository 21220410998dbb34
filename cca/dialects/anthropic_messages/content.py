"""The parts of an answer as content blocks.

Source of the format: Anthropic's published schema (``ResponseTextBlock``, ``ResponseThinkingBlock``,
``ResponseRedactedThinkingBlock``, ``ResponseToolUseBlock``). A text without citations has no field for them, where the
schema has a null: one client library takes an array or nothing.
"""

from collections.abc import Mapping
from typing import assert_never

import orjson

from cca.depth import too_deep
from cca.message import Called, Part, Said, Thought
from cca.model import Json

INVALID_JSON = "INVALID_JSON"
"""The one key of arguments that are no JSON object, as Anthropic's documentation wraps them."""


def opened(part: Part) -> Json:
    """Return a block that nothing is in yet, but for what comes whole."""
    match part:
        case Said():
            return {"type": "text", "text": ""}
        case Thought(redacted=str(hidden)):
            return {"type": "redacted_thinking", "data": hidden}
        case Thought():
            return {"type": "thinking", "thinking": "", "signature": ""}
        case Called(id, name):
            return {"type": "tool_use", "id": id, "name": name, "input": {}, "caller": {"type": "direct"}}
        case _:
            assert_never(part)


def block(part: Part) -> Json:
    """Return a block with all that is in it."""
    return {**opened(part), **_content(part)}


def _content(part: Part) -> Mapping[str, Json]:
    match part:
        case Said(citations=[]):
            return {"text": part.text}
        case Said(citations=citations):
            return {"text": part.text, "citations": citations}
        case Thought(redacted=str()):
            return {}
        case Thought(signature=signature):
            return {"thinking": part.text, "signature": signature or ""}
        case Called():
            return {"input": _arguments(part.arguments)}
        case _:
            assert_never(part)


def _arguments(text: str) -> Mapping[str, Json]:
    """Return a call's arguments. Those that broke off, or that nobody could write again, are wrapped as they stand."""
    try:
        value = orjson.loads(text or "{}")
    except orjson.JSONDecodeError:
        value = None
    return value if isinstance(value, dict) and not too_deep(value) else {INVALID_JSON: text}
