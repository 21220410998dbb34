"""Items of earlier responses that a request names by their ids alone."""

from collections.abc import Iterator, Mapping

from cca.errors import BadRequest
from cca.model import Json


def item_type(item: Mapping[str, Json]) -> Json:
    """Return the type of an item of the input: one without a type is a message, or a reference if it has no role."""
    if item.get("type") is not None:
        return item["type"]
    return "item_reference" if "id" in item and "role" not in item else "message"


def references(given: Mapping[str, Json]) -> tuple[str, ...]:
    """Return the ids of the items that a body refers to."""
    return tuple(wanted for _, wanted in _references(given))


def resolved(given: Mapping[str, Json], items: Mapping[str, Json]) -> Mapping[str, Json]:
    """Return a body with the items in place that it refers to. Raise ``BadRequest`` for one that ``items`` lacks."""
    at = dict(_references(given))
    for position, wanted in at.items():
        if wanted not in items:
            raise BadRequest(
                f"input[{position}] refers to the item {wanted[:100]!r}, which cca does not have; send it whole.",
                param=f"input[{position}].id",
                code="invalid_value",
            )
    if not at:
        return given
    return {**given, "input": [items[at[n]] if n in at else item for n, item in enumerate(given["input"])]}


def _references(given: Mapping[str, Json]) -> Iterator[tuple[int, str]]:
    """Yield where each reference stands, and what it refers to. Whatever else is wrong is told by who reads it."""
    items = given.get("input")
    for position, item in enumerate(items if isinstance(items, list) else ()):
        if isinstance(item, dict) and item_type(item) == "item_reference" and isinstance(item.get("id"), str):
            yield position, item["id"]
