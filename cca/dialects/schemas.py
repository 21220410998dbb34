"""JSON schemas as clients send them. They go to the model unchanged, and are looked at no more than that takes."""

from collections.abc import Mapping

from cca.errors import BadRequest
from cca.model import Json

DEEPEST = 200
"""Levels of a value that is written again on its way: orjson writes 254, and something goes around it."""


def object_schema(schema: Json, path: str, *, stated: bool) -> Mapping[str, Json]:
    """Return the schema of an object, whose type must be there if ``stated``. Raise ``BadRequest`` for another."""
    if not isinstance(schema, dict):
        raise BadRequest(f"{path} must be a JSON schema, as an object.", param=path, code="invalid_type")
    if schema.get("type", None if stated else "object") != "object":
        raise BadRequest(
            f'{path} must be the schema of an object: give it "type": "object", and put what it has now into one of '
            "its properties.",
            param=path,
            code="invalid_value",
        )
    check_depth(schema, path)
    return schema


def check_depth(value: Json, path: str) -> None:
    """Raise ``BadRequest`` if ``value`` is nested too deep to be passed on."""
    level = [value]
    for _ in range(DEEPEST):
        if not level:
            return
        level = [
            child
            for each in level
            for child in (each.values() if isinstance(each, dict) else each)
            if isinstance(child, dict | list)
        ]
    raise BadRequest(
        f"{path} is nested deeper than {DEEPEST} levels; make it flatter.", param=path, code="invalid_value"
    )
