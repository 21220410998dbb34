"""The functions that a request offers: what the APIs have in common of it."""

import re
from collections.abc import Iterable

from cca.errors import BadRequest
from cca.model import Conversation, Tool
from cca.schemas.subset import held

_NAME = re.compile(r"[a-zA-Z0-9_-]+")


def check_name(name: str, path: str, most: int) -> None:
    """Raise ``BadRequest`` for what is no name of a function, of ``most`` characters."""
    if len(name) > most or not _NAME.fullmatch(name):
        text = f"{path} is {name[:80]!r}; use 1 to {most} letters, digits, underscores and dashes."
        raise BadRequest(text, param=path, code="invalid_value")


def distinct(tools: Iterable[tuple[str, Tool]]) -> tuple[Tool, ...]:
    """Return the tools that are each with its path. Raise ``BadRequest`` for two of one name."""
    found: dict[str, Tool] = {}
    for where, tool in tools:
        if tool.name in found:
            text = f"{where}.name is {tool.name!r}, as that of a function before it; give each a name of its own."
            raise BadRequest(text, param=f"{where}.name", code="invalid_value")
        found[tool.name] = tool
    return tuple(found.values())


def unheld(conversation: Conversation, path: str) -> tuple[str, ...]:
    """Return what is named as ignored where ``strict``, at ``path``, is more than Claude's API can hold a tool to."""
    strict = [(tool.name, tool.input_schema) for tool in conversation.tools if tool.strict]
    return (path,) if len(held(strict, conversation.output_schema)) < len(strict) else ()
