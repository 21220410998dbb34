"""Requests for a message, decoded as a server with two models does."""

from base64 import b64encode
from collections.abc import Mapping
from typing import Any

import pytest

from cca.catalogue import Catalogue
from cca.dialects.anthropic_messages.request import decode
from cca.dialects.contract import Ask, Terms
from cca.errors import BadRequest
from cca.model import Conversation, ModelEntry, Turn

OLD, NEW = "2023-06-01", "2026-10-21"
VERSIONS = (OLD, NEW)

MODELS = (
    ModelEntry("sonnet", "claude-sonnet-5-5", "Sonnet"),
    ModelEntry("haiku", "claude-haiku-4-5", "Haiku", thinking_off=True),
)

HE: dict[str, Any] = {"role": "user", "content": "He"}
SHE: dict[str, Any] = {"role": "assistant", "content": "She"}

MARK: dict[str, Any] = {"cache_control": {"type": "ephemeral"}}

PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNk+A8AAQUBAScY42YAAAAASUVORK5CYII="
PDF = b64encode(b"%PDF-1.4\n").decode()

SCHEMA: dict[str, Any] = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}


def terms(version: str | None = OLD) -> Terms:
    return Terms(Catalogue(MODELS, ()), 4, version)


def body(*messages: Any, **fields: Any) -> Mapping[str, Any]:
    return {"model": "sonnet", "max_tokens": 9, "messages": list(messages or (HE,)), **fields}


def ask(*messages: Any, version: str | None = OLD, **fields: Any) -> Ask:
    return decode(body(*messages, **fields), terms(version))


def conversation(*messages: Any, version: str | None = OLD, **fields: Any) -> Conversation:
    (only,) = ask(*messages, version=version, **fields).conversations
    return only


def turns(*messages: Any) -> tuple[Turn, ...]:
    return conversation(*messages).turns


def user(*blocks: Any) -> dict[str, Any]:
    return {"role": "user", "content": list(blocks)}


def assistant(*blocks: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": list(blocks)}


def text(said: str, **fields: Any) -> dict[str, Any]:
    return {"type": "text", "text": said, **fields}


def source(kind: str, **fields: Any) -> dict[str, Any]:
    return {"source": {"type": kind, **fields}}


def image(**fields: Any) -> dict[str, Any]:
    return {"type": "image", **source("base64", media_type="image/png", data=PNG), **fields}


def document(**fields: Any) -> dict[str, Any]:
    return {"type": "document", **source("text", media_type="text/plain", data="words"), **fields}


def found(**fields: Any) -> dict[str, Any]:
    return {"type": "search_result", "source": "s", "title": "t", "content": [text("f")], **fields}


def call(id: str = "c", **fields: Any) -> dict[str, Any]:  # noqa: A002 - the wire's word
    return {"type": "tool_use", "id": id, "name": "f", "input": {}, **fields}


def result(id: str = "c", **fields: Any) -> dict[str, Any]:  # noqa: A002 - the wire's word
    return {"type": "tool_result", "tool_use_id": id, **fields}


def tool(name: str = "f", **fields: Any) -> dict[str, Any]:
    return {"name": name, "input_schema": {"type": "object"}, **fields}


def refused_at(param: str | None, said: str, *messages: Any, version: str | None = OLD, **fields: Any) -> None:
    """Assert that a request is refused for what is at ``param``, and in these words."""
    with pytest.raises(BadRequest) as refused:
        ask(*messages, version=version, **fields)
    assert (refused.value.param, said in refused.value.message) == (param, True), refused.value
