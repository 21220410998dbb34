"""The classes that bodies are read as, to schemas: what a schema allows is read, and what it does not is refused.

Source of the form: OpenAPI 3.1, whose schemas are those of JSON Schema 2020-12.
"""

import types
from collections.abc import Iterable, Mapping
from functools import reduce
from operator import or_
from typing import Any, Union, get_args, get_origin

import attrs
from attrs import define, field, frozen
from cattrs import Converter

from cca.dialects.fields import Fields, Refusal
from cca.model import Json
from cca.web.openapi.bounds import BOUNDS
from cca.wire import ARRAY_LIMIT, Tagged

PLAIN: Mapping[Any, str] = {str: "string", bool: "boolean", int: "integer", float: "number", type(None): "null"}

AT = "#/components/schemas/"


@define
class Shelf:
    """What the rest refers to by its name: schemas, of each class that was met too, and responses."""

    schemas: dict[str, Json] = field(factory=dict)
    responses: dict[str, Json] = field(factory=dict)

    def body(self, fields: Fields, without: tuple[str, ...] = (), *, closed: bool = False) -> Json:
        """Return what refers to the schema of a whole body, in which all fields ``without`` are optional.

        A ``closed`` one takes no field that it does not name.
        """
        reader = _Reader(self, fields.converter)
        schema = reader.described(fields.kind)
        schema["properties"] |= {name: _refused(row) for name, row in fields.refused.items()}
        schema["properties"] |= {name: _or_null(schema["properties"][name]) for name in without}
        schema["required"] = [name for name in schema["required"] if name not in without]
        if closed:
            schema["additionalProperties"] = {"type": "null"}
        name = "".join((named(fields.kind), *(f".without_{each}" for each in without)))
        self.schemas[name] = schema
        return {"$ref": AT + name}


@frozen
class _Reader:
    shelf: Shelf
    converter: Converter

    def of(self, kind: Any) -> Json:
        """Return the schema of what the converter reads as a ``kind``."""
        if kind is Any:
            return {}
        if kind in PLAIN:
            return {"type": PLAIN[kind]}
        if get_origin(kind) is tuple:
            return {"type": "array", "items": self.of(get_args(kind)[0]), "maxItems": ARRAY_LIMIT}
        if get_origin(kind) in (Union, types.UnionType):
            return self._union(kind)
        return self._object(kind)

    def _union(self, kind: Any) -> Json:
        hook = self.converter.get_structure_hook(kind)
        if isinstance(hook, Tagged):
            return {"anyOf": [*self._tagged(hook)]}
        members = get_args(kind)
        if type(None) in members:
            # Of the rest there may be a hook that knows more than its members do.
            return _or_null(self.of(reduce(or_, (each for each in members if each is not type(None)))))
        return {"anyOf": [self.of(each) for each in members]}

    def _tagged(self, hook: Tagged) -> Iterable[Json]:
        for kind in dict.fromkeys(hook.kinds.values()):
            tags = [tag for tag, its in hook.kinds.items() if its is kind]
            yield self._with_tag(kind, hook.tag, {"enum": tags})
        if hook.other is not None:
            yield self._with_tag(hook.other, hook.tag, {"type": "string", "not": {"enum": [*hook.kinds]}})

    def _with_tag(self, kind: Any, tag: str, schema: Json) -> Json:
        return {**self.of(kind), "properties": {tag: schema}, "required": [tag]}

    def _object(self, kind: Any) -> Json:
        name = named(kind)
        if name not in self.shelf.schemas:
            # Before its fields are looked at: it may hold itself.
            self.shelf.schemas[name] = {}
            self.shelf.schemas[name] = self.described(kind)
        return {"$ref": AT + name}

    def described(self, kind: Any) -> dict[str, Json]:
        """Return the schema of an object's class."""
        fields = [each for each in attrs.fields(kind) if each.name != "extra"]
        bounds = BOUNDS.get(kind, {})
        says = " ".join((kind.__dict__.get("__doc__") or "").replace("``", "`").split())
        return {
            "type": "object",
            **({"description": says} if says else {}),
            "properties": {each.name: {**self.of(each.type), **bounds.get(each.name, {})} for each in fields},
            "required": [each.name for each in fields if each.default is attrs.NOTHING],
        }


def named(kind: type) -> str:
    """Return the name of a class's schema: two rooms may have classes of one name."""
    return f"{kind.__module__.split('.')[-2]}.{kind.__name__}"


def _or_null(schema: Json) -> Json:
    match schema:
        case {"type": str(kind)}:
            return {**schema, "type": [kind, "null"]}
        case {"anyOf": several}:
            return {**schema, "anyOf": [*several, {"type": "null"}]}
        case _:
            return {"anyOf": [schema, {"type": "null"}]}


def _refused(row: Refusal) -> Json:
    return {"enum": [None, *row.harmless], "description": f"Refused: {row.instead}"}
