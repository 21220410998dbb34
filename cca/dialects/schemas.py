"""JSON schemas as clients send them. They go to the model as they are, and are looked at no more than that takes."""

from collections.abc import Mapping

from cca.depth import DEPTH_LIMIT, too_deep
from cca.errors import BadRequest
from cca.model import Json
from cca.schemas.keywords import fault_in


def object_schema(schema: Json, path: str, *, stated: bool) -> Mapping[str, Json]:
    """Return the schema of an object, whose type must be there if ``stated``. Raise ``BadRequest`` for another.

    Claude's API takes none without its type; OpenAI's does, so that one that is not there is put in front.
    """
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
    return schema if "type" in schema else {"type": "object", **schema}


def check_depth(value: Json, path: str) -> None:
    """Raise ``BadRequest`` if ``value`` is nested too deep to be passed on."""
    if too_deep(value):
        raise BadRequest(
            f"{path} is nested deeper than {DEPTH_LIMIT} levels; make it flatter.", param=path, code="invalid_value"
        )


def checkable(schema: Mapping[str, Json], path: str) -> Mapping[str, Json]:
    """Return a schema that an answer can be held to. Raise ``BadRequest`` for another."""
    fault = fault_in(schema)
    if fault is None:
        return schema
    raise BadRequest(f"{path} cannot be used, since {fault}.", param=path, code="invalid_value")
