"""Requests for chat completions and completions, decoded as a server with two models does."""

from collections.abc import Mapping
from typing import Any

from cca.catalogue import Catalogue
from cca.dialects.contract import Ask, Terms
from cca.dialects.openai_chat import OPENAI_CHAT
from cca.dialects.openai_completions import OPENAI_COMPLETIONS
from cca.model import Conversation, ModelEntry, Turn

MODELS = (
    ModelEntry("sonnet", "claude-sonnet-5-5", "Sonnet"),
    ModelEntry("haiku", "claude-haiku-4-5", "Haiku", thinking_off=True),
)
TERMS = Terms(Catalogue(MODELS, ()), choices=4)

HE: dict[str, Any] = {"role": "user", "content": "He"}
SHE: dict[str, Any] = {"role": "assistant", "content": "She"}


def ask(*messages: Any, **fields: Any) -> Ask:
    return OPENAI_CHAT.decode({"model": "sonnet", "messages": list(messages or (HE,)), **fields}, TERMS)


def conversation(*messages: Any, **fields: Any) -> Conversation:
    (only,) = ask(*messages, **fields).conversations
    return only


def turns(*messages: Any) -> tuple[Turn, ...]:
    return conversation(*messages).turns


def completion(prompt: Any = "Say", **fields: Any) -> Ask:
    body: Mapping[str, Any] = {"model": "sonnet", "prompt": prompt, **fields}
    return OPENAI_COMPLETIONS.decode(body, TERMS)


def tool(name: str = "f", **fields: Any) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, **fields}}


def calling(*ids: str, arguments: str = "{}") -> dict[str, Any]:
    """Return an assistant message with a call for each of these ids."""
    calls = [{"id": each, "type": "function", "function": {"name": "f", "arguments": arguments}} for each in ids]
    return {"role": "assistant", "content": None, "tool_calls": calls}


def result(tool_call_id: str, content: Any = "r") -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": tool_call_id, "content": content}
