"""What a request for a message offers to call, and whether it must be."""

from collections.abc import Iterator, Mapping, Sequence

from attrs import frozen

from cca.dialects.anthropic_messages.body import (
    Choice,
    CustomTool,
    MessagesRequest,
    NamedChoice,
    ServerTool,
)
from cca.dialects.anthropic_messages.checks import mark
from cca.dialects.anthropic_messages.fields import placeless, unheard
from cca.dialects.anthropic_messages.turns import Heard
from cca.dialects.schemas import object_schema
from cca.dialects.tools import check_name, distinct
from cca.errors import BadRequest
from cca.model import Json, Tool, ToolChoice, ToolUse, Turn

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


def read_offer(request: MessagesRequest, heard: Heard, *, continues: bool) -> Offer:
    """Return what a request offers, after what is ``heard`` of it.

    A tool that is to be searched for first is offered once a result refers to it, or it was called. What was found
    before a request that ``continues`` nobody knows: all are offered there.

    Raise ``BadRequest`` for tools that run elsewhere, that cannot be chosen, or that are referred to and not there.
    """
    sent = [(f"tools[{index}]", tool) for index, tool in enumerate(request.tools or ())]
    custom = [(path, _custom(tool, path)) for path, tool in sent]
    read = distinct((path, _tool(tool, path)) for path, tool in custom)
    _check_references(heard.references, read)
    known = {*heard.references, *_called(heard.turns)}
    unfound = {tool.name for _, tool in custom if tool.defer_loading and tool.name not in known}
    hidden = set() if continues else unfound
    tools = tuple(tool for tool in read if tool.name not in hidden)
    ignored = [name for path, tool in custom if tool.name not in hidden for name in _unheard(tool, path)]
    if unfound:
        ignored.append("tools (not searched for)" if hidden else "tools.defer_loading (in a session)")
    return Offer(tools, _choice(request, tools), (*ignored, *_unheard_choice(request)))


def _check_references(references: Mapping[str, str], tools: Sequence[Tool]) -> None:
    offered = {tool.name for tool in tools}
    for name, path in references.items():
        if name not in offered:
            text = f"{path} is {name!r}, which is not among the tools; send its definition, or leave out the reference."
            raise BadRequest(text, param=path, code="invalid_value")


def _called(turns: Sequence[Turn]) -> Iterator[str]:
    yield from (part.name for turn in turns for part in turn.content if isinstance(part, ToolUse))


def _custom(tool: CustomTool | ServerTool, path: str) -> CustomTool:
    if isinstance(tool, CustomTool):
        return tool
    text = (
        f"{path}.type is {tool.type[:60]!r}, which Anthropic defines or runs, and cca has custom tools only; "
        "leave it out, or offer one of your own with an input_schema."
    )
    raise BadRequest(text, param=f"{path}.type", code="unsupported_value")


def _tool(tool: CustomTool, path: str) -> Tool:
    check_name(tool.name, f"{path}.name", MOST_NAME)
    schema = object_schema(tool.input_schema, f"{path}.input_schema", stated=True)
    callers = tool.extra.get("allowed_callers")
    if isinstance(callers, list) and callers and DIRECT not in callers:
        where = f"{path}.allowed_callers"
        text = f"{where} lets only programs call the tool, and cca runs none; let the model, as {DIRECT!r}."
        raise BadRequest(text, param=where, code="unsupported_value")
    return Tool(tool.name, tool.description, schema, tool.strict, mark(tool.cache_control, path))


def _unheard(tool: CustomTool, path: str) -> Iterator[str]:
    """Yield what does not arrive of a tool."""
    for name, value in tool.extra.items():
        if value not in IDLE and (name, value) != ("allowed_callers", [DIRECT]):
            yield f"{placeless(path)}.{name}"
    if tool.cache_control is not None:
        yield from unheard(tool.cache_control, f"{path}.cache_control")


def _choice(request: MessagesRequest, tools: tuple[Tool, ...]) -> ToolChoice:
    choice = request.tool_choice
    if choice is None:
        return ToolChoice()
    if not request.tools:
        text = "tool_choice may only be specified while providing tools; send tools, or leave it out."
        raise BadRequest(text, param="tool_choice", code="invalid_value")
    parallel = choice.disable_parallel_tool_use is not True
    match choice:
        case NamedChoice(name=name):
            if name not in {tool.name for tool in tools}:
                path = "tool_choice.name"
                text = f"{path} is {name[:80]!r}, which is not among the tools; name one that is."
                raise BadRequest(text, param=path, code="invalid_value")
            return ToolChoice("tool", name, parallel)
        case Choice(type="any") if not tools:
            text = "tool_choice asks for a call, and each tool is still to be searched for; offer one that is not."
            raise BadRequest(text, param="tool_choice", code="invalid_value")
        case Choice(type="any"):
            return ToolChoice("any", parallel=parallel)
        case Choice(type="none"):
            return ToolChoice("none")
        case _:
            return ToolChoice(parallel=parallel)


def _unheard_choice(request: MessagesRequest) -> Iterator[str]:
    choice = request.tool_choice
    if choice is not None:
        yield from unheard(choice, "tool_choice")
        if choice.type == "none" and choice.disable_parallel_tool_use:
            yield "tool_choice.disable_parallel_tool_use"
