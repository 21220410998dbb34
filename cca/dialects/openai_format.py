"""The form that a request wants its answer in, as both of OpenAI's APIs have it.

Source of the format: OpenAI's published schemas ``ResponseFormatJsonSchema`` and ``TextResponseFormatJsonSchema``.
"""

from collections.abc import Iterator, Mapping

from attrs import frozen

from cca.dialects.schemas import checkable, object_schema
from cca.errors import BadRequest
from cca.model import Json
from cca.wire import Body, strict_converter, structure

KINDS = ("text", "json_object", "json_schema")


@frozen(kw_only=True)
class Plain(Body):
    type: str


@frozen(kw_only=True)
class Named(Body):
    name: str
    schema: Json = None
    description: str | None = None
    strict: bool | None = None


@frozen(kw_only=True)
class Flat(Named):
    type: str


@frozen(kw_only=True)
class Nested(Body):
    type: str
    json_schema: Named


_CONVERTER = strict_converter()


def output_schema(wished: Json, path: str, *, nested: bool) -> tuple[Mapping[str, Json] | None, tuple[str, ...]]:
    """Return the schema that the answer is to have, ``None`` for plain text, and the names of what has no effect.

    ``path`` is the field's; a ``nested`` form has its schema in an object of its own, as in chat completions. Raise
    ``BadRequest`` for no such form.
    """
    match wished:
        case None:
            return None, ()
        case {"type": "json_schema"} if nested:
            outer = structure(_CONVERTER, wished, Nested, path)
            schema, ignored = _named(outer.json_schema, f"{path}.json_schema")
            return schema, (*_unheard(outer, path), *ignored)
        case {"type": "json_schema"}:
            return _named(structure(_CONVERTER, wished, Flat, path), path)
        case {"type": "text" | "json_object" as kind}:
            plain = structure(_CONVERTER, wished, Plain, path)
            return None if kind == "text" else {"type": "object"}, tuple(_unheard(plain, path))
        case _:
            known = ", ".join(KINDS)
            raise BadRequest(f"{path} must be an object, with a type of: {known}.", param=path, code="invalid_value")


def _named(form: Named, path: str) -> tuple[Mapping[str, Json], tuple[str, ...]]:
    where = f"{path}.schema"
    if form.schema is None:
        raise BadRequest(f"{where} is missing.", param=where, code="missing_required_parameter")
    # The schema is for the answer's text, and Claude's API has no place for words about it.
    described = () if form.description is None else (f"{path}.description",)
    return checkable(object_schema(form.schema, where, stated=True), where), (*_unheard(form, path), *described)


def _unheard(form: Body, path: str) -> Iterator[str]:
    yield from (f"{path}.{name}" for name in form.extra)
