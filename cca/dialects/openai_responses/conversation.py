"""Items of a conversation: in, as what is said in it, and out again, of its turns as they are kept.

Source of the format: OpenAI's published schema ``ConversationItem``.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

import orjson
from attrs import frozen

from cca.dialects.openai_responses.body import read_items
from cca.dialects.openai_responses.turns import NO_CONTENT, Reading
from cca.model import AssistantTurn, Json, Turn, UserTurn


@frozen
class Added:
    """What items add to a conversation. A turn is of one item: who goes on from them joins them."""

    system: tuple[str, ...]
    turns: tuple[Turn, ...]


def added(items: Json, *, first: bool) -> Added:
    """Return what ``items`` say, which may be the ``first`` of their conversation. Raise ``BadRequest``."""
    reading = Reading(name="items")
    for position, item in enumerate(read_items(items)):
        reading.take(position, item)
    turns: list[Turn] = []
    for said in reading.said:
        if first and not turns and said.role is AssistantTurn:
            turns.append(UserTurn((NO_CONTENT,)))
        # A role has only parts of its own.
        turns.append(said.role(said.parts))  # type: ignore[arg-type]
    return Added(tuple(reading.system), tuple(turns))


def system_items(conversation: str, system: Sequence[str]) -> Iterator[Json]:
    """Yield what was said to the model before anybody else said anything."""
    for position, text in enumerate(system):
        yield _message(f"{conversation}_s{position}", "system", [{"type": "input_text", "text": text}])


def items_of_turn(stem: str, role: str, parts: Iterable[Json]) -> Iterator[Json]:
    """Yield the items of a turn, whose parts are as they are kept. Their ids have ``stem`` in them."""
    runs = groupby(parts, lambda part: part["type"] if part["type"] in _SINGLE else "message")
    for position, (kind, run) in enumerate(_one_by_one(runs)):
        place = f"{stem}_{position}"
        match kind:
            case "tool_use":
                yield _call(place, run[0])
            case "tool_result":
                yield _output(place, run[0])
            case "thinking":
                summary = [{"type": "summary_text", "text": run[0]["text"]}]
                yield {"id": f"rs_{place}", "type": "reasoning", "summary": summary}
            case _:
                yield _message(place, role, [_content(role, part) for part in run])


_SINGLE = ("tool_use", "tool_result", "thinking")
"""Parts that are an item each; the others are a message together."""


def _one_by_one(runs: Iterable[tuple[str, Iterable[Json]]]) -> Iterator[tuple[str, list[Json]]]:
    for kind, run in runs:
        if kind in _SINGLE:
            yield from ((kind, [part]) for part in run)
        else:
            yield kind, [*run]


def _message(place: str, role: str, content: list[Json]) -> Json:
    return {"id": f"msg_{place}", "type": "message", "role": role, "status": "completed", "content": content}


def _call(place: str, part: Json) -> Json:
    # One that broke off has its arguments as far as they came.
    arguments = part.get("partial_json")
    return {
        "id": f"fc_{place}",
        "type": "function_call",
        "call_id": part["id"],
        "name": part["name"],
        "arguments": orjson.dumps(part["input"]).decode() if arguments is None else arguments,
        "status": "completed" if arguments is None else "incomplete",
    }


def _output(place: str, part: Json) -> Json:
    return {
        "id": f"fco_{place}",
        "type": "function_call_output",
        "call_id": part["tool_use_id"],
        "output": [_content("user", each) for each in part["content"]],
        "status": "completed",
    }


def _content(role: str, part: Json) -> Json:
    match part["type"]:
        case "image":
            return {"type": "input_image", "image_url": _url(part), "file_id": None, "detail": "auto"}
        case "document" if "text" in part:
            return {"type": "input_file", "file_data": part["text"], **_named(part)}
        case "document":
            place = {"file_url": part["url"]} if "url" in part else {"file_data": _url(part)}
            return {"type": "input_file", **place, **_named(part)}
        case _ if role == "assistant":
            return {"type": "output_text", "text": part["text"], "annotations": [], "logprobs": []}
        case _:
            return {"type": "input_text", "text": part["text"]}


def _url(part: Json) -> str:
    return str(part["url"]) if "url" in part else f"data:{part['media_type']};base64,{part['data']}"


def _named(part: Json) -> dict[str, Json]:
    return {"filename": part["title"]} if "title" in part else {}
