"""What a request for a message offers to call, and whether it must be."""

from collections.abc import Iterator
from typing import TypeGuard

from attrs import frozen

from cca.dialects.anthropic_messages.blocks import mark
from cca.dialects.anthropic_messages.body import (
    CustomTool,
    MessagesRequest,
    NamedChoice,
    SaidMessage,
    ServerTool,
    ToolReferenceBlock,
    ToolResultBlock,
)
from cca.dialects.anthropic_messages.fields import placeless, unheard
from cca.dialects.schemas import object_schema
from cca.dialects.tools import check_name, distinct
from cca.errors import BadRequest
from cca.model import Json, Tool, ToolChoice

MOST_NAME = 128
"""Characters of a tool's name, by Anthropic's schema."""

IDLE: tuple[Json, ...] = (False, [])
"""Values of a tool's other fields that ask for nothing."""

DIRECT = "direct"
"""The caller of a tool that is no program."""


@frozen
class Offer:
    """The tools that the model may call, and whether it must. ``ignored`` names what has no effect of what was sent."""

    tools: tuple[Tool, ...]
    choice: ToolChoice
    ignored: tuple[str, ...]


def read_offer(request: MessagesRequest) -> Offer:
    """Return what a request offers. Raise ``BadRequest`` for tools that run elsewhere, or that cannot be chosen.

    A tool that is to be searched for first is offered once a result refers to it.
    """
    each = [(f"tools[{index}]", tool) for index, tool in enumerate(request.tools or ())]
    read = distinct((path, _tool(tool, path)) for path, tool in each)
    found = frozenset(_found(request))
    hidden = {path for path, tool in each if _deferred(tool) and tool.name not in found}
    tools = tuple(tool for (path, _), tool in zip(each, read, strict=True) if path not in hidden)
    ignored = [name for path, tool in each if path not in hidden for name in _unheard(tool, path)]
    if hidden:
        ignored.append("tools (not searched for)")
    return Offer(tools, _choice(request, tools), (*ignored, *_unheard_choice(request)))


def _deferred(tool: CustomTool | ServerTool) -> TypeGuard[CustomTool]:
    return isinstance(tool, CustomTool) and tool.defer_loading is True


def _found(request: MessagesRequest) -> Iterator[str]:
    """Yield the names of the tools that a search has found."""
    said = (message.content for message in request.messages if isinstance(message, SaidMessage))
    blocks = (block for content in said if not isinstance(content, str) for block in content)
    results = (block.content for block in blocks if isinstance(block, ToolResultBlock))
    for content in results:
        for given in content or ():
            if isinstance(given, ToolReferenceBlock):
                yield given.tool_name


def _tool(tool: CustomTool | ServerTool, path: str) -> Tool:
    if isinstance(tool, ServerTool):
        text = (
            f"{path} is of type {tool.type[:60]!r}, which Anthropic defines or runs, and cca has custom tools only; "
            "leave it out, or offer one of your own with an input_schema."
        )
        raise BadRequest(text, param=f"{path}.type", code="unsupported_value")
    check_name(tool.name, f"{path}.name", MOST_NAME)
    schema = object_schema(tool.input_schema, f"{path}.input_schema", stated=True)
    callers = tool.extra.get("allowed_callers")
    if isinstance(callers, list) and callers and DIRECT not in callers:
        where = f"{path}.allowed_callers"
        text = f"{where} lets only programs call the tool, and cca runs none; let the model, as {DIRECT!r}."
        raise BadRequest(text, param=where, code="unsupported_value")
    return Tool(tool.name, tool.description or "", schema, tool.strict, mark(tool.cache_control, path))


def _unheard(tool: CustomTool | ServerTool, path: str) -> Iterator[str]:
    """Yield what does not arrive of a tool. It is called as is the way without what only says how to call it."""
    assert isinstance(tool, CustomTool), "others are refused"
    for name, value in tool.extra.items():
        if value not in IDLE and (name, value) != ("allowed_callers", [DIRECT]):
            yield f"{placeless(path)}.{name}"
    if tool.cache_control is not None:
        yield from unheard(tool.cache_control, f"{path}.cache_control")


def _choice(request: MessagesRequest, tools: tuple[Tool, ...]) -> ToolChoice:
    choice = request.tool_choice
    if choice is None:
        return ToolChoice()
    if not tools:
        text = "tool_choice may only be specified while providing tools; send tools, or leave it out."
        raise BadRequest(text, param="tool_choice", code="invalid_value")
    parallel = choice.disable_parallel_tool_use is not True
    match choice.type:
        case "tool":
            assert isinstance(choice, NamedChoice)
            if choice.name not in {tool.name for tool in tools}:
                path = "tool_choice.name"
                text = f"{path} is {choice.name[:80]!r}, which is not among the tools; name one that is."
                raise BadRequest(text, param=path, code="invalid_value")
            return ToolChoice("tool", choice.name, parallel)
        case "any":
            return ToolChoice("any", parallel=parallel)
        case "none":
            return ToolChoice("none")
        case _:
            return ToolChoice(parallel=parallel)


def _unheard_choice(request: MessagesRequest) -> Iterator[str]:
    choice = request.tool_choice
    if choice is not None:
        yield from unheard(choice, "tool_choice")
        if choice.type == "none" and choice.disable_parallel_tool_use:
            yield "tool_choice.disable_parallel_tool_use"
