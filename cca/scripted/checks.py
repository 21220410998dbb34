"""What the Messages API refuses, so that a request which only a mock would take is found."""

from collections.abc import Callable, Iterator
from typing import TypeAlias

from cca.scripted.prompt import blocks_of
from cca.scripted.script import HttpError, Json, error_kind

MOST_CACHE_MARKS = 4

Check: TypeAlias = Callable[[Json], str | None]

_REQUIRED: dict[str, dict[str, type]] = {
    "text": {"text": str},
    "tool_use": {"id": str, "name": str, "input": dict},
    "tool_result": {"tool_use_id": str},
}


def refusal(body: Json) -> HttpError | None:
    """Give the error that the API would answer with, or None where it would answer."""
    message = next((told for check in CHECKS if (told := check(body))), None)
    if message is not None:
        return HttpError(400, error_kind(400), message)
    if not body["model"].startswith("claude"):
        return HttpError(404, error_kind(404), f"model: {body['model']}")
    return None


def _top(body: Json) -> str | None:
    if not isinstance(body, dict):
        return "The request body is not valid JSON."
    for name, kind in {"model": str, "messages": list, "max_tokens": int}.items():
        if name not in body:
            return f"{name}: Field required"
        if not isinstance(body[name], kind) or isinstance(body[name], bool):
            return f"{name}: Input should be a valid {kind.__name__}"
    if body["max_tokens"] < 1:
        return "max_tokens: must be greater than or equal to 1"
    return None if body["messages"] else "messages: at least one message is required"


def _messages(body: Json) -> str | None:
    for at, message in enumerate(body["messages"]):
        match message:
            case {"role": "user" | "assistant" | "system", "content": str()}:
                pass
            case {"role": "user" | "assistant" | "system", "content": [*blocks]}:
                if told := _blocks(blocks, f"messages.{at}.content"):
                    return told
            case _:
                return f"messages.{at}: role and content are required"
    return None


def _blocks(blocks: list[Json], path: str) -> str | None:
    for at, block in enumerate(blocks):
        if not isinstance(block, dict) or not isinstance(block.get("type"), str):
            return f"{path}.{at}.type: Field required"
        for name, kind in _REQUIRED.get(block["type"], {}).items():
            if not isinstance(block.get(name), kind):
                return f"{path}.{at}.{block['type']}.{name}: Field required"
    return None


def _first_turn(body: Json) -> str | None:
    roles = [message["role"] for message in body["messages"] if message["role"] != "system"]
    return None if roles[:1] == ["user"] else 'messages: first message must use the "user" role'


def _empty_text(body: Json) -> str | None:
    turns = (message for message in body["messages"] if message["role"] != "system")
    texts = (block["text"] for message in turns for block in blocks_of(message) if block["type"] == "text")
    return None if all(texts) else "messages: text content blocks must be non-empty"


def _tool_pairs(body: Json) -> str | None:
    """Each call needs its result in the next turn, and each result its call in the turn before."""
    turns = [message for message in body["messages"] if message["role"] != "system"]
    for at, (turn, after) in enumerate(zip(turns, [*turns[1:], None], strict=True)):
        called = {block["id"] for block in blocks_of(turn) if block["type"] == "tool_use"}
        given = {b["tool_use_id"] for b in blocks_of(after) if b["type"] == "tool_result"} if after else set()
        if called - given:
            missing = ", ".join(sorted(called - given))
            return (
                f"messages.{at}: `tool_use` ids were found without `tool_result` blocks immediately after: "
                f"{missing}. Each `tool_use` block must have a corresponding `tool_result` block in the next "
                "message."
            )
        if given - called:
            unknown = ", ".join(sorted(given - called))
            return f"messages.{at + 1}: unexpected `tool_use_id` found in `tool_result` blocks: {unknown}."
    return None


def _tools_of_calls(body: Json) -> str | None:
    kinds = {block["type"] for message in body["messages"] for block in blocks_of(message)}
    if body.get("tools") or not kinds & {"tool_use", "tool_result"}:
        return None
    return "Requests which include `tool_use` or `tool_result` blocks must define tools"


def _cache_marks(body: Json) -> str | None:
    found = sum(1 for part in _markable(body) if part.get("cache_control"))
    if found <= MOST_CACHE_MARKS:
        return None
    return f"A maximum of {MOST_CACHE_MARKS} blocks with cache_control may be provided. Found {found}."


def _markable(body: Json) -> Iterator[Json]:
    system = body.get("system")
    yield from () if isinstance(system, str) else system or ()
    yield from body.get("tools") or ()
    for message in body["messages"]:
        yield from () if isinstance(message["content"], str) else message["content"]


def _forced_while_thinking(body: Json) -> str | None:
    forced = (body.get("tool_choice") or {}).get("type") in {"any", "tool"}
    if forced and (body.get("thinking") or {}).get("type") in {"enabled", "adaptive"}:
        return "Thinking may not be enabled when tool_choice forces tool use."
    return None


def _clearing_no_thinking(body: Json) -> str | None:
    edits = (body.get("context_management") or {}).get("edits") or ()
    clearing = any(edit.get("type") == "clear_thinking_20251015" for edit in edits)
    if clearing and (body.get("thinking") or {}).get("type") not in {"enabled", "adaptive"}:
        return "`clear_thinking_20251015` strategy requires `thinking` to be enabled or adaptive"
    return None


def _results_first(body: Json) -> str | None:
    for at, message in enumerate(body["messages"]):
        kinds = [block["type"] == "tool_result" for block in blocks_of(message)]
        if kinds != sorted(kinds, reverse=True):
            return f"messages.{at}.content: `tool_result` blocks must come before all others"
    return None


def _tools(body: Json) -> str | None:
    names = [tool.get("name") for tool in body.get("tools") or ()]
    if len(set(names)) < len(names):
        return "tools: Tool names must be unique."
    for at, tool in enumerate(body.get("tools") or ()):
        if "input_schema" in tool and tool["input_schema"].get("type") != "object":
            return f"tools.{at}.custom.input_schema.type: Field required"
    choice = body.get("tool_choice") or {}
    if choice.get("type") == "tool" and choice.get("name") not in names:
        return f"Tool '{choice.get('name')}' not found in provided tools"
    return None if names or not choice else "tool_choice may only be specified while providing tools."


CHECKS: tuple[Check, ...] = (
    _top,
    _messages,
    _first_turn,
    _empty_text,
    _tool_pairs,
    _tools_of_calls,
    _cache_marks,
    _forced_while_thinking,
    _clearing_no_thinking,
    _results_first,
    _tools,
)
