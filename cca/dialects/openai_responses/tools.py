"""The functions of a request for a response: those of namespaces are as any other, by names that say whose they are."""

from collections.abc import Iterator

from attrs import evolve, frozen

from cca.dialects.openai_responses.body import FunctionTool, NamespaceTool, ResponsesRequest, UnknownTool
from cca.dialects.openai_responses.routes import Route, routes_of
from cca.dialects.openai_tools import chosen, function_tool, offered, unheard_choice
from cca.errors import BadRequest
from cca.model import Json, Tool, ToolChoice
from cca.wire import ARRAY_LIMIT


@frozen
class Offer:
    """What the model may call. ``echo`` has the tools as the answer repeats them, ``ignored`` what has no effect."""

    tools: tuple[Tool, ...]
    choice: ToolChoice
    echo: tuple[Json, ...]
    ignored: tuple[str, ...]


def read_tools(request: ResponsesRequest) -> Offer:
    """Return what a request offers. Raise ``BadRequest`` for a choice of what was not, or cannot be."""
    given = request.tools or ()
    tools = offered((pair for position, tool in enumerate(given) for pair in _functions(tool, position)), "tools")
    parallel = request.parallel_tool_calls is not False
    echo = tuple(_echo(tool) for tool in given if not isinstance(tool, UnknownTool))
    tools, choice = chosen(_flat(request.tool_choice, echo), tools, parallel=parallel, nested=False)
    ignored = [name for position, tool in enumerate(given) for name in _unheard(tool, f"tools[{position}]")]
    return Offer(tools, choice, echo, (*ignored, *unheard_choice(request.tool_choice, nested=False)))


def _functions(tool: FunctionTool | NamespaceTool | UnknownTool, position: int) -> Iterator[tuple[str, Tool]]:
    path = f"tools[{position}]"
    if isinstance(tool, FunctionTool):
        yield path, _function(tool, tool.name, path)
    elif isinstance(tool, NamespaceTool):
        for index, each in enumerate(tool.tools):
            if isinstance(each, FunctionTool):
                where = f"{path}.tools[{index}]"
                function = _function(each, Route(each.name, tool.name).flat, where)
                # There is no other place for what is said of all of them.
                text = "\n\n".join(said for said in (tool.description, function.description) if said)
                yield where, evolve(function, description=text or function.description)


def _function(tool: FunctionTool, name: str, path: str) -> Tool:
    return function_tool(name, tool.description, tool.parameters, tool.strict, path)


def _unheard(tool: FunctionTool | NamespaceTool | UnknownTool, path: str) -> Iterator[str]:
    if isinstance(tool, UnknownTool):
        yield f"{path} ({tool.type})"
        return
    yield from (f"tools.{name}" for name in tool.extra)
    for index, each in enumerate(tool.tools if isinstance(tool, NamespaceTool) else ()):
        yield from _unheard(each, f"{path}.tools[{index}]")


def _echo(tool: FunctionTool | NamespaceTool) -> Json:
    if isinstance(tool, FunctionTool):
        said = {"name": tool.name, "description": tool.description}
        return {"type": "function", **said, "parameters": tool.parameters, "strict": tool.strict}
    inner = [_echo(each) for each in tool.tools if isinstance(each, FunctionTool)]
    return {"type": "namespace", "name": tool.name, "description": tool.description or "", "tools": inner}


def _flat(choice: Json, given: tuple[Json, ...]) -> Json:
    """Return a choice with the names that the model knows functions by. A namespace is all of its functions."""
    match choice:
        case {"type": "allowed_tools", "tools": list(listed)}:
            if len(listed) > ARRAY_LIMIT:
                path = "tool_choice.tools"
                text = f"{path} has {len(listed):,} items, and may have {ARRAY_LIMIT:,}."
                raise BadRequest(text, param=path, code="invalid_value")
            return {**choice, "tools": [*_allowed(listed, given)]}
        case _:
            return _function_flat(choice)


def _function_flat(choice: Json) -> Json:
    match choice:
        case {"type": "function", "name": str(name), "namespace": str(namespace)}:
            return {"type": "function", "name": Route(name, namespace).flat}
        case _:
            return choice


def _allowed(listed: list[Json], given: tuple[Json, ...]) -> Iterator[Json]:
    functions: dict[str | None, list[Json]] = {}
    for flat, route in routes_of(given).items():
        functions.setdefault(route.namespace, []).append({"type": "function", "name": flat})
    for each in listed:
        match each:
            case {"type": "namespace", "name": str(name)} if name in functions:
                # Once: a client may name it a hundred thousand times.
                yield from functions[name]
                functions[name] = []
            case {"type": "namespace"}:
                yield {**each, "type": "function"}
            case _:
                yield _function_flat(each)
