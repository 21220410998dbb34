"""What a chat completion request offers to call, in its current form and in the deprecated one of ``functions``."""

from collections.abc import Iterable, Iterator

from attrs import frozen

from cca.dialects.openai_chat.body import ChatRequest, Function, FunctionTool, OtherTool
from cca.dialects.openai_tools import chosen, function_tool, offered, unheard_choice
from cca.errors import BadRequest
from cca.model import Json, Tool, ToolChoice


@frozen
class Offer:
    """The tools that the model may call, and whether it must. ``ignored`` names what has no effect of what was sent."""

    tools: tuple[Tool, ...]
    choice: ToolChoice
    ignored: tuple[str, ...]


def read_offer(request: ChatRequest) -> Offer:
    """Return what a request offers. Raise ``BadRequest`` for what is no function, or cannot be chosen."""
    if request.tools and request.functions:
        text = "functions is the older form of tools, and both are there; send tools alone."
        raise BadRequest(text, param="functions", code="unsupported_parameter")
    _check_form(request)
    tools, ignored = _tools(request.tools or ())
    newer = chosen(
        request.tool_choice,
        offered(_functions(tools), "tools"),
        parallel=request.parallel_tool_calls is not False,
        nested=True,
    )
    functions = [(f"functions[{index}]", function) for index, function in enumerate(request.functions or ())]
    older = chosen(
        _choice(request.function_call),
        offered(_functions(functions), "functions"),
        # An answer has room for one call in this form.
        parallel=False,
        nested=False,
        path="function_call",
    )
    ignored += unheard_choice(request.tool_choice, nested=True)
    ignored += [f"functions.{name}" for _, function in functions for name in function.extra]
    return Offer(*(older if functions else newer), tuple(ignored))


def _check_form(request: ChatRequest) -> None:
    """Raise ``BadRequest`` for a choice in the other form than what it is of: it would have no effect."""
    for offer, choice, path, instead in (
        (request.tools, request.function_call, "function_call", "tool_choice"),
        (request.functions, request.tool_choice, "tool_choice", "function_call"),
    ):
        if offer and choice not in (None, "auto"):
            text = f"{path} says nothing of what is offered in the other form; send {instead}."
            raise BadRequest(text, param=path, code="unsupported_parameter")


def _tools(tools: Iterable[FunctionTool | OtherTool]) -> tuple[list[tuple[str, Function]], list[str]]:
    """Return the functions among tools, each with its path, and the names of what is none, or not heard."""
    functions, ignored = [], []
    for index, tool in enumerate(tools):
        path = f"tools[{index}]"
        if isinstance(tool, FunctionTool):
            functions.append((f"{path}.function", tool.function))
            ignored += [f"tools.{name}" for name in tool.extra]
            ignored += [f"tools.function.{name}" for name in tool.function.extra]
        elif tool.type == "custom":
            text = f"{path} is a custom tool, and what Claude sends a tool is JSON; offer a function with a text in it."
            raise BadRequest(text, param=f"{path}.type", code="unsupported_value")
        else:
            ignored.append(f"{path} ({tool.type})")
    return functions, ignored


def _functions(functions: Iterable[tuple[str, Function]]) -> Iterator[tuple[str, Tool]]:
    for path, each in functions:
        yield path, function_tool(each.name, each.description, each.parameters, each.strict, path)


def _choice(function_call: Json) -> Json:
    """Return the deprecated form of a choice in the current one."""
    return {"type": "function", **function_call} if isinstance(function_call, dict) else function_call
