"""What the Messages API refuses, so that a request which only a mock would take is found."""

from base64 import b64decode
from collections.abc import Callable, Iterator
from typing import TypeAlias

from cca.scripted.prompt import blocks_of
from cca.scripted.script import HttpError, Json, error_kind

MOST_CACHE_MARKS = 4
LEAST_BUDGET = 1024  # tokens of thinking
LEAST_TOP_P = 0.95  # while thinking
TTLS = (None, "5m", "1h")

Check: TypeAlias = Callable[[Json], str | None]

_THOUGHTS = ("thinking", "redacted_thinking")
_CITABLE = ("document", "search_result")
_COMBINED = {"oneOf", "allOf", "anyOf"}

_REQUIRED: dict[str, dict[str, type]] = {
    "text": {"text": str},
    "tool_use": {"id": str, "name": str, "input": dict},
    "tool_result": {"tool_use_id": str},
    "thinking": {"thinking": str, "signature": str},
    "redacted_thinking": {"data": str},
    "document": {"source": dict},
    "image": {"source": dict},
    "search_result": {"source": str, "title": str, "content": list},
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
        if block["type"] in _THOUGHTS and "cache_control" in block:
            return f"{path}.{at}.{block['type']}.cache_control: Extra inputs are not permitted"
        if told := _blocks(_inside(block), f"{path}.{at}.{block['type']}.content"):
            return told
    return None


def _inside(block: Json) -> list[Json]:
    """List the blocks in a block: those of a tool's result, of a search's, or of a document of pieces."""
    match block:
        case {"type": "tool_result" | "search_result", "content": [*blocks]}:
            return blocks
        case {"type": "document", "source": {"type": "content", "content": [*blocks]}}:
            return blocks
        case _:
            return []


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
    marks = [part["cache_control"] for part in _markable(body) if part.get("cache_control")]
    for mark in marks:
        if mark.get("type") != "ephemeral" or mark.get("ttl") not in TTLS:
            return f"cache_control: Input should be ephemeral, for '5m' or '1h', and is {mark}"
    if len(marks) <= MOST_CACHE_MARKS:
        return None
    return f"A maximum of {MOST_CACHE_MARKS} blocks with cache_control may be provided. Found {len(marks)}."


def _markable(body: Json) -> Iterator[Json]:
    """Yield all that may have a mark, which the request itself is: its mark is on whatever comes last."""
    yield body
    system = body.get("system")
    yield from () if isinstance(system, str) else system or ()
    yield from body.get("tools") or ()
    for message in body["messages"]:
        for block in () if isinstance(message["content"], str) else message["content"]:
            yield block
            yield from _inside(block)


def _thinks(body: Json) -> bool:
    return (body.get("thinking") or {}).get("type") in {"enabled", "adaptive"}


def _thinking(body: Json) -> str | None:
    match body.get("thinking"):
        case None | {"type": "disabled"} | {"type": "adaptive"}:
            return None
        case {"type": "enabled", "budget_tokens": int(budget)} if budget >= LEAST_BUDGET:
            if budget < body["max_tokens"]:
                return None
            return "`max_tokens` must be greater than `thinking.budget_tokens`."
        case {"type": "enabled"}:
            return f"thinking.enabled.budget_tokens: Input should be greater than or equal to {LEAST_BUDGET}"
        case _:
            return "thinking.type: Input should be 'enabled', 'disabled' or 'adaptive'"


def _sampling(body: Json) -> str | None:
    top_k, top_p, temperature = (body.get(name) for name in ("top_k", "top_p", "temperature"))
    if top_k is not None and (type(top_k) is not int or top_k < 0):
        return "top_k: Input should be a valid integer of at least 0"
    if not _thinks(body):
        return None
    if temperature not in (None, 1):
        return "`temperature` may only be set to 1 when thinking is enabled or in adaptive mode."
    if top_k is not None:
        return "`top_k` must be unset when thinking is enabled or in adaptive mode."
    if top_p is not None and top_p < LEAST_TOP_P:
        return f"`top_p` must be greater than or equal to {LEAST_TOP_P} or unset when thinking is enabled."
    return None


def _thought_before_its_call(body: Json) -> str | None:
    """While calls are being answered, the turn that made them begins with what was thought."""
    if (body.get("thinking") or {}).get("type") != "enabled":
        return None
    turns = [message for message in body["messages"] if message["role"] != "system"]
    called = [at for at, turn in enumerate(turns) if turn["role"] == "assistant"][-1:]
    for at in called:
        first = blocks_of(turns[at])[0]["type"]
        answered = any(block["type"] == "tool_result" for block in blocks_of(turns[-1]))
        if answered and first not in _THOUGHTS:
            return (
                f"messages.{at}.content.0.type: Expected `thinking` or `redacted_thinking`, but found `{first}`. When "
                "`thinking` is enabled, a final `assistant` message must start with a thinking block."
            )
    return None


def _thoughts(body: Json) -> str | None:
    """Find a thought that the API does not know again, or that led to nothing."""
    for at, turn in enumerate(body["messages"]):
        blocks = blocks_of(turn) if turn["role"] == "assistant" else []
        for number, block in enumerate(blocks):
            if block["type"] == "thinking" and not _is_signature(block["signature"]):
                return f"messages.{at}.content.{number}: Invalid `signature` in `thinking` block"
        if blocks and blocks[-1]["type"] in _THOUGHTS:
            return f"messages.{at}: The final block in an assistant message cannot be `thinking`."
    return None


def _thoughts_of_who_does_not_think(body: Json) -> str | None:
    last = next((turn for turn in reversed(body["messages"]) if turn["role"] == "assistant"), None)
    if last is None or (body.get("thinking") or {}).get("type") != "disabled":
        return None
    if any(block["type"] in _THOUGHTS for block in blocks_of(last)):
        return "When thinking is disabled, an `assistant` message in the final position cannot contain `thinking`."
    return None


def _is_signature(given: str) -> bool:
    try:
        return bool(b64decode(given, validate=True))
    except ValueError:
        return False


def _forced_while_thinking(body: Json) -> str | None:
    forced = (body.get("tool_choice") or {}).get("type") in {"any", "tool"}
    if forced and _thinks(body):
        return "Thinking may not be enabled when tool_choice forces tool use."
    return None


def _citing_in_a_form(body: Json) -> str | None:
    cited = (part.get("citations") or {} for part in _markable(body) if part.get("type") in _CITABLE)
    if (body.get("output_config") or {}).get("format") and any(each.get("enabled") for each in cited):
        return "output_config.format: citations cannot be used with a format of the output"
    return None


def _clearing_no_thinking(body: Json) -> str | None:
    edits = (body.get("context_management") or {}).get("edits") or ()
    clearing = any(edit.get("type") == "clear_thinking_20251015" for edit in edits)
    if clearing and not _thinks(body):
        return "`clear_thinking_20251015` strategy requires `thinking` to be enabled or adaptive"
    return None


def _results_first(body: Json) -> str | None:
    for at, message in enumerate(body["messages"]):
        kinds = [block["type"] == "tool_result" for block in blocks_of(message)]
        if kinds != sorted(kinds, reverse=True):
            return f"messages.{at}.content: `tool_result` blocks must come before all others"
    return None


def _failed_results(body: Json) -> str | None:
    for at, message in enumerate(body["messages"]):
        for place, block in enumerate(blocks_of(message)):
            if block["type"] != "tool_result" or not block.get("is_error"):
                continue
            path = f"messages.{at}.content.{place}.tool_result"
            if not block.get("content"):
                return f"{path}: content cannot be empty if `is_error` is true"
            if any(inner["type"] != "text" for inner in _inside(block)):
                return f"{path}: all content must be type `text` if `is_error` is true"
    return None


def _tools(body: Json) -> str | None:
    names = [tool.get("name") for tool in body.get("tools") or ()]
    if len(set(names)) < len(names):
        return "tools: Tool names must be unique."
    for at, tool in enumerate(body.get("tools") or ()):
        if "input_schema" in tool and tool["input_schema"].get("type") != "object":
            return f"tools.{at}.custom.input_schema.type: Field required"
        if _COMBINED & tool.get("input_schema", {}).keys():
            where = f"tools.{at}.custom.input_schema"
            return f"{where}: input_schema does not support oneOf, allOf, or anyOf at the top level"
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
    _thinking,
    _sampling,
    _thought_before_its_call,
    _thoughts,
    _thoughts_of_who_does_not_think,
    _citing_in_a_form,
    _forced_while_thinking,
    _clearing_no_thinking,
    _results_first,
    _failed_results,
    _tools,
)
