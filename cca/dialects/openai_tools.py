"""The functions that a request offers, and which of them it wants called: what both of OpenAI's APIs share of it.

Chat completions nest what a typed object says in a field of its type's name, as in ``{"type": "function", "function":
{"name": ...}}``; responses have it flat. ``nested`` says which.
"""

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from hashlib import sha256
from typing import Literal

import orjson
from attrs import define, field

from cca.dialects.schemas import check_depth, object_schema
from cca.dialects.tools import check_name, distinct
from cca.errors import BadRequest
from cca.model import Json, Tool, ToolChoice
from cca.wire import ARRAY_LIMIT

MOST_TOOLS = 128
"""Functions in a request, by OpenAI's schema."""

MOST_NAME = 64
"""Characters of a function's name, by OpenAI's schema."""

_ID = re.compile(r"[a-zA-Z0-9_-]{1,200}")
"""What Claude's API takes as the id of a call."""


def function_tool(name: str, description: str | None, parameters: Json, strict: bool | None, path: str) -> Tool:  # noqa: FBT001 - as the wire has it
    """Return a function. ``path`` is that of the object with its name. Raise ``BadRequest`` for one that is none."""
    check_name(name, f"{path}.name", MOST_NAME)
    given = {"type": "object", "properties": {}} if parameters in (None, {}) else parameters
    schema = object_schema(given, f"{path}.parameters", stated=False)
    return Tool(name, description, schema, strict)


def offered(tools: Iterable[tuple[str, Tool]], path: str) -> tuple[Tool, ...]:
    """Return the tools that are each with its path. Raise ``BadRequest`` for too many, or two of one name."""
    found = distinct(tools)
    if len(found) > MOST_TOOLS:
        text = f"{path} has {len(found)} functions, and may have {MOST_TOOLS}; offer fewer."
        raise BadRequest(text, param=path, code="invalid_value")
    return found


def chosen(
    choice: Json, tools: tuple[Tool, ...], *, parallel: bool, nested: bool, path: str = "tool_choice"
) -> tuple[tuple[Tool, ...], ToolChoice]:
    """Return the tools that the model may call, and whether it must. Raise ``BadRequest`` for what cannot be.

    Where there is none that it may, nothing is to be chosen.
    """
    match choice:
        case None | "auto":
            return _all(tools, "auto", parallel=parallel)
        case "none":
            # Claude's API takes no calls in a history without the tools that were called.
            return _all(tools, "none", parallel=True)
        case "required":
            _check_any(tools, path)
            return _all(tools, "any", parallel=parallel)
        case {"type": str()}:
            return _named(choice, tools, path, parallel=parallel, nested=nested)
        case _:
            text = f'{path} must be "none", "auto", "required", or an object that names a function of tools.'
            raise BadRequest(text, param=path, code="invalid_value")


def _named(
    choice: dict[str, Json], tools: tuple[Tool, ...], path: str, *, parallel: bool, nested: bool
) -> tuple[tuple[Tool, ...], ToolChoice]:
    """Return what a choice comes to that names a function, or several."""
    if choice["type"] not in ("function", "allowed_tools"):
        kind = choice["type"][:40]
        text = f"{path} forces a tool of type {kind!r}, and cca has functions only; name one of those in tools."
        raise BadRequest(text, param=path, code="unsupported_value")
    inner, where = _content(choice, path, nested=nested)
    if choice["type"] == "function":
        name = _offered_name(inner.get("name"), {tool.name for tool in tools}, f"{where}.name")
        return tools, ToolChoice("tool", name, parallel)
    return _allowed_mode(inner, _allowed(inner, tools, where, nested=nested), where, parallel=parallel)


def unheard_choice(choice: Json, *, nested: bool) -> Iterator[str]:
    """Yield what has no effect of a choice that was ``chosen``."""
    if not isinstance(choice, dict):
        return
    known, path = {"type", "name", "namespace", "mode", "tools"}, "tool_choice"
    inner = choice
    if nested:
        yield from (f"{path}.{name}" for name in choice if name not in ("type", choice["type"]))
        inner, path = _content(choice, path, nested=True)
    yield from (f"{path}.{name}" for name, value in inner.items() if name not in known and value is not None)


def _all(
    tools: tuple[Tool, ...], kind: Literal["auto", "any", "none"], *, parallel: bool
) -> tuple[tuple[Tool, ...], ToolChoice]:
    return tools, ToolChoice(kind, parallel=parallel) if tools else ToolChoice()


def _content(choice: dict[str, Json], path: str, *, nested: bool) -> tuple[dict[str, Json], str]:
    """Return what a typed object says, and where."""
    if not nested:
        return choice, path
    where = f"{path}.{choice['type']}"
    inner = choice.get(choice["type"])
    if not isinstance(inner, dict):
        raise BadRequest(f"{where} must be an object.", param=where, code="invalid_type")
    return inner, where


def _offered_name(name: Json, names: Collection[str], path: str) -> str:
    if isinstance(name, str) and name in names:
        return name
    shown = repr(name[:80]) if isinstance(name, str) else "no name"
    text = f"{path} is {shown}, which is not among the functions in tools; name one that is."
    raise BadRequest(text, param=path, code="invalid_value")


def _allowed(inner: dict[str, Json], tools: tuple[Tool, ...], path: str, *, nested: bool) -> tuple[Tool, ...]:
    """Return the functions that are allowed. What is no function was dropped from ``tools`` already, and named."""
    listed, path = inner.get("tools"), f"{path}.tools"
    if not isinstance(listed, list) or not all(isinstance(each, dict) for each in listed):
        raise BadRequest(f"{path} must be an array of objects.", param=path, code="invalid_type")
    if len(listed) > ARRAY_LIMIT:
        text = f"{path} has {len(listed):,} items, and may have {ARRAY_LIMIT:,}."
        raise BadRequest(text, param=path, code="invalid_value")
    names = set(_allowed_names(listed, {tool.name for tool in tools}, path, nested=nested))
    return tuple(tool for tool in tools if tool.name in names)


def _allowed_names(listed: list[dict[str, Json]], names: Collection[str], path: str, *, nested: bool) -> Iterator[str]:
    for index, each in enumerate(listed):
        if each.get("type") == "function":
            inner, where = _content(each, f"{path}[{index}]", nested=nested)
            yield _offered_name(inner.get("name"), names, f"{where}.name")


def _allowed_mode(
    inner: dict[str, Json], allowed: tuple[Tool, ...], path: str, *, parallel: bool
) -> tuple[tuple[Tool, ...], ToolChoice]:
    match inner.get("mode"):
        case "auto":
            return _all(allowed, "auto", parallel=parallel)
        case "required":
            _check_any(allowed, f"{path}.tools")
            return _all(allowed, "any", parallel=parallel)
        case _:
            where = f"{path}.mode"
            raise BadRequest(f'{where} must be "auto" or "required".', param=where, code="invalid_value")


def _check_any(tools: tuple[Tool, ...], path: str) -> None:
    if not tools:
        text = f"{path} asks for a call, and there is no function to call; offer one in tools, or ask for none."
        raise BadRequest(text, param=path, code="invalid_value")


@define
class CallIds:
    """The ids of a conversation's calls, as Claude's API takes them: of its own characters, each used once.

    One that is fine stays as it is. Another becomes the same in every request that has it in the same place.
    """

    _made: Counter[str] = field(factory=Counter, init=False)

    def called(self, id: str) -> str:  # noqa: A002 - the wire's word
        """Return the id of a call that is made."""
        self._made[id] += 1
        return self.answered(id)

    def answered(self, id: str) -> str:  # noqa: A002 - the wire's word
        """Return the id of the last call with ``id``: the one that a result is of."""
        times = self._made[id] or 1
        if times == 1 and _ID.fullmatch(id):
            return id
        return f"call_{sha256(f'{times} {id}'.encode()).hexdigest()[:32]}"


def arguments_of(text: str, path: str) -> Mapping[str, Json]:
    """Return the arguments of a past call. Raise ``BadRequest`` for a text that is no JSON object."""
    if not text.strip():
        return {}
    try:
        arguments = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        text = f"{path} is not JSON ({error}); send the arguments as the answer had them."
        raise BadRequest(text, param=path, code="invalid_value") from error
    if not isinstance(arguments, dict):
        text = f"{path} must be the JSON of an object; send the arguments as the answer had them."
        raise BadRequest(text, param=path, code="invalid_value")
    check_depth(arguments, path)
    return arguments
