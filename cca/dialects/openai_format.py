"""The form that a request wants its answer in, as both of OpenAI's APIs have it."""

from collections.abc import Mapping

from cca.dialects.schemas import object_schema
from cca.errors import BadRequest
from cca.model import Json
from cca.schemas.keywords import fault_in

_KINDS = ("text", "json_object", "json_schema")


def output_schema(wished: Json, path: str, *, nested: bool) -> Mapping[str, Json] | None:
    """Return the schema that the answer is to have, or ``None`` for plain text. Raise ``BadRequest`` for no such form.

    ``path`` is the field's; a ``nested`` form has its schema in an object of its own, as in chat completions.
    """
    match wished:
        case None | {"type": "text"}:
            return None
        case {"type": "json_object"}:
            return {"type": "object"}
        case {"type": "json_schema"}:
            if nested:
                path, wished = f"{path}.json_schema", wished.get("json_schema")
            if not isinstance(wished, dict) or wished.get("schema") is None:
                where = f"{path}.schema"
                raise BadRequest(f"{where} is missing.", param=where, code="missing_required_parameter")
            return _checkable(object_schema(wished["schema"], f"{path}.schema", stated=True), f"{path}.schema")
        case _:
            known = ", ".join(_KINDS)
            raise BadRequest(f"{path} must be an object, with a type of: {known}.", param=path, code="invalid_value")


def _checkable(schema: Mapping[str, Json], path: str) -> Mapping[str, Json]:
    """Return a schema that an answer can be held to. Raise ``BadRequest`` for another."""
    fault = fault_in(schema)
    if fault is None:
        return schema
    raise BadRequest(f"{path} cannot be used, since {fault}.", param=path, code="invalid_value")
