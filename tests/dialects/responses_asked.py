"""Requests for responses, decoded as a server with two models does."""

from collections.abc import Mapping
from typing import Any

from cca.catalogue import Catalogue
from cca.dialects.contract import Ask, Terms
from cca.dialects.openai_responses.request import decode
from cca.model import Conversation, ModelEntry

MODELS = (
    ModelEntry("sonnet", "claude-sonnet-5-5", "Sonnet"),
    ModelEntry("haiku", "claude-haiku-4-5", "Haiku", thinking_off=True),
)
TERMS = Terms(Catalogue(MODELS, (("gpt-*", "sonnet"),)), choices=4)

PNG = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNk+A8AAQUBAScY42YAAAAASUVORK5CYII="
)
"""The smallest picture there is."""


def body(given: Any = "Hello", **fields: Any) -> Mapping[str, Any]:
    return {"model": "sonnet", "input": given, **fields}


def ask(given: Any = "Hello", **fields: Any) -> Ask:
    return decode(body(given, **fields), TERMS)


def conversation(given: Any = "Hello", **fields: Any) -> Conversation:
    (only,) = ask(given, **fields).conversations
    return only


def message(role: str, content: Any, **fields: Any) -> dict[str, Any]:
    return {"role": role, "content": content, **fields}


def call(call_id: str, name: str = "f", arguments: str = "{}", **fields: Any) -> dict[str, Any]:
    return {"type": "function_call", "call_id": call_id, "name": name, "arguments": arguments, **fields}


def output(call_id: str, said: Any, **fields: Any) -> dict[str, Any]:
    return {"type": "function_call_output", "call_id": call_id, "output": said, **fields}


def function(name: str = "f", **fields: Any) -> dict[str, Any]:
    return {"type": "function", "name": name, **fields}


def namespace(name: str, *tools: Any, **fields: Any) -> dict[str, Any]:
    return {"type": "namespace", "name": name, "description": "", "tools": list(tools), **fields}
