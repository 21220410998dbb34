"""Items of a conversation: in, as what is said in it, and out again, of its turns as they are kept.

Source of the format: OpenAI's published schema ``ConversationItem``.
"""

from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby

import orjson
from attrs import frozen

from cca.dialects.openai_responses.body import read_items
from cca.dialects.openai_responses.turns import Reading
from cca.errors import BadRequest
from cca.model import Json, Turn

MOST_ITEMS = 20
"""That a request may put in, by OpenAI's schema."""


@frozen
class Added:
    """What items add to a conversation. A turn is of one item: who goes on from them joins them.

    ``results`` has the place of each output, by the id of its call; ``ignored`` names what has no effect.
    """

    system: tuple[str, ...]
    turns: tuple[Turn, ...]
    results: Mapping[str, str]
    ignored: tuple[str, ...]


def added(items: Json) -> Added:
    """Return what ``items`` say. Raise ``BadRequest``."""
    _check_most(items)
    reading = Reading(name="items")
    for position, item in enumerate(read_items(items)):
        reading.take(position, item)
    # A role has only parts of its own.
    turns = tuple(said.role(said.parts) for said in reading.said)  # type: ignore[arg-type]
    return Added(tuple(reading.system), turns, reading.results, tuple(reading.ignored))


def _check_most(items: Json) -> None:
    if isinstance(items, list) and len(items) > MOST_ITEMS:
        text = f"items has {len(items):,} items, and may have {MOST_ITEMS}; put in the others by further requests."
        raise BadRequest(text, param="items", code="invalid_value")


def system_items(conversation: str, system: Sequence[str]) -> Iterator[Json]:
    """Yield what was said to the model before anybody else said anything."""
    for position, text in enumerate(system):
        yield _message(f"{conversation}_s{position}", "system", [{"type": "input_text", "text": text}])


def items_of_turn(stem: str, role: str, parts: Iterable[Json]) -> Iterator[Json]:
    """Yield the items of a turn, whose parts are as they are kept. Their ids have ``stem`` in them.

    What was thought and is not told has no item.
    """
    runs = groupby(filter(_is_told, parts), lambda part: part["type"] if part["type"] in _SINGLE else "message")
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


def _is_told(part: Json) -> bool:
    match part:
        case {"type": "redacted_thinking"} | {"type": "thinking", "text": ""}:
            return False
        case _:
            return True


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
            return {"type": "input_file", "file_data": _text_url(part["text"]), **_named(part)}
        case "document":
            place = {"file_url": part["url"]} if "url" in part else {"file_data": _url(part)}
            return {"type": "input_file", **place, **_named(part)}
        case _ if role == "assistant":
            return {"type": "output_text", "text": part["text"], "annotations": [], "logprobs": []}
        case _:
            return {"type": "input_text", "text": part["text"]}


def _url(part: Json) -> str:
    return str(part["url"]) if "url" in part else f"data:{part['media_type']};base64,{part['data']}"


def _text_url(text: str) -> str:
    return f"data:text/plain;base64,{b64encode(text.encode()).decode()}"


def _named(part: Json) -> dict[str, Json]:
    return {"filename": part["title"]} if "title" in part else {}
