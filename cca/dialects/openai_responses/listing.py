"""The input of a response as it is listed later: items of one shape, each with an id.

Source of the format: OpenAI's published schema ``ItemResource``.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from cca.dialects.openai_responses.references import item_type
from cca.model import Json

PREFIXES: Mapping[str, str] = {
    "message": "msg",
    "function_call": "fc",
    "function_call_output": "fco",
    "reasoning": "rs",
}


def listed(given: Json) -> tuple[Json, ...]:
    """Return the items of an input that was read. An id that the client sent stays as it is."""
    return tuple(_item(item) for item in ([{"role": "user", "content": given}] if isinstance(given, str) else given))


def identified(items: Iterable[Json], answer: str) -> tuple[Json, ...]:
    """Return listed items of the answer of that stamp, each with an id that no other has: its own, where it can be."""
    given: set[Json] = set()
    found = []
    for position, item in enumerate(items):
        own = item.get("id")
        found.append(item if own and own not in given else {**item, "id": _made(item, answer, position)})
        given.add(own)
    return tuple(found)


def _made(item: Mapping[str, Json], answer: str, position: int) -> str:
    return f"{PREFIXES[item['type']]}_{answer}_in{position}"


def _item(item: Mapping[str, Json]) -> Json:
    kind = item_type(item)
    whole: dict[str, Any] = {**item, "type": kind}
    if kind == "message" and isinstance(item["content"], str):
        text = "output_text" if item["role"] == "assistant" else "input_text"
        extra: dict[str, Json] = {"annotations": []} if text == "output_text" else {}
        whole["content"] = [{"type": text, "text": item["content"], **extra}]
    if kind != "reasoning":
        whole["status"] = item.get("status") or "completed"
    return whole
