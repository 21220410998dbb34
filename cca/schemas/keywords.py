"""The keywords of JSON Schema: what each one's own value must be, and where schemas are in it.

Those of all drafts are known but the ``UNCHECKED``, whichever draft a schema says that it is of. One that nobody knows
says nothing, and neither do ``format`` and ``contentEncoding``, as the standard has it. Nothing is fetched: a reference
is to the schema that it stands in.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TypeAlias
from urllib.parse import unquote

from attrs import define, field, frozen

from cca.depth import DEPTH_LIMIT, too_deep
from cca.model import Json
from cca.schemas.patterns import size
from cca.schemas.places import Place, written

UNCHECKED = (
    *("$dynamicRef", "$recursiveRef", "$anchor", "$dynamicAnchor", "dependencies"),
    *("unevaluatedItems", "unevaluatedProperties"),
)
"""Keywords that constrain a value in a way that is not known here."""


ALONE = ("draft-03/", "draft-04/", "draft-06/", "draft-07/")
"""Drafts in which a reference overrides what stands beside it."""

PATTERNS = 100_000
"""What all patterns of a schema may come to, in instructions of RE2's and a hundred for each: about 0.1 seconds."""


def fault_in(schema: Json) -> str | None:
    """Return why no value can be checked against ``schema``; nothing, if one can."""
    if too_deep(schema):
        return f"it is nested deeper than {DEPTH_LIMIT} levels"
    survey = _Survey(schema, alone=isinstance(schema, dict) and _is_of(schema.get("$schema"), *ALONE))
    return survey.fault()


@define
class _Survey:
    """Looks at each part of one schema once."""

    root: Json
    alone: bool
    patterns: int = 0
    refers: bool = False
    base: "Place | None" = None
    rest: "list[tuple[Place | None, Json]]" = field(factory=list)

    def fault(self) -> str | None:
        self.rest.append((None, self.root))
        seen: set[int] = set()
        while self.rest:
            place, part = self.rest.pop()
            if isinstance(part, bool) or id(part) in seen:
                continue
            if not isinstance(part, dict):
                return f"its {'root' if place is None else written(place)} must be an object, true or false"
            seen.add(id(part))
            if (fault := self.fault_of(part, place)) is not None:
                return fault
        if self.refers and self.base is not None:
            return f"cca cannot tell what its references are to, because of its {written(self.base)}"
        return None

    def fault_of(self, part: Mapping[str, Json], place: "Place | None") -> str | None:
        if self.alone and "$ref" in part and (beside := part.keys() & SHAPES.keys() - BESIDE):
            return f"its {written((place, min(beside)))} is beside a $ref, and so without a meaning in its draft"
        for keyword, wanted in part.items():
            at = (place, keyword)
            if keyword in UNCHECKED:
                return f"cca cannot check its {written(at)}"
            shape = SHAPES.get(keyword)
            if shape is None:
                continue
            if not shape.fits(wanted) or not all(map(self.takes, shape.patterns(wanted))):
                return f"its {written(at)} must be {shape.word}"
            if keyword == "$ref":
                self.refers = True
                self.rest.append((at, target(self.root, wanted)))
            if keyword == "$id" and place is not None and not wanted.startswith("#"):
                self.base = at
            self.rest += [(at if step is None else (at, step), inner) for step, inner in shape.inner(wanted)]
        return None

    def takes(self, pattern: str) -> bool:
        """Whether ``pattern`` can be searched for, and is not too much with those before it."""
        instructions = size(pattern)
        self.patterns += 100 + (instructions or 0)
        return instructions is not None and self.patterns <= PATTERNS


def target(root: Json, pointer: str) -> Json:
    """Return what a local reference points to; nothing, where there is nothing."""
    found = root
    for step in unquote(pointer.removeprefix("#")).split("/")[1:]:
        name = step.replace("~1", "/").replace("~0", "~")
        if isinstance(found, dict) and name in found:
            found = found[name]
        elif isinstance(found, list) and _INDEX.fullmatch(name) and int(name) < len(found):
            found = found[int(name)]
        else:
            return None
    return found


_INDEX = re.compile(r"0|[1-9][0-9]{0,9}")


Inner: TypeAlias = Iterator[tuple[str | int | None, Json]]


@frozen
class Shape:
    word: str
    fits: Callable[[Json], bool]
    inner: Callable[[Json], Inner] = lambda _: iter(())
    patterns: Callable[[Json], Iterable[str]] = lambda _: ()


def is_number(value: Json) -> bool:
    return type(value) in (int, float)


TYPES: Mapping[str, Callable[[Json], bool]] = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "number": is_number,
    "integer": lambda value: is_number(value) and value == value // 1,
    "boolean": lambda value: isinstance(value, bool),
    "null": lambda value: value is None,
}


def _is_count(value: Json) -> bool:
    return is_number(value) and value >= 0 and value == int(value)


def _is_strings(value: Json) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _is_type(value: Json) -> bool:
    names = value if isinstance(value, list) else [value]
    return all(isinstance(name, str) and name in TYPES for name in names)


def _is_of(value: Json, *drafts: str) -> bool:
    return isinstance(value, str) and any(draft in value for draft in drafts)


def _is_reference(value: Json) -> bool:
    return isinstance(value, str) and (value == "#" or value.startswith("#/"))


def _is_needs(value: Json) -> bool:
    return isinstance(value, dict) and all(map(_is_strings, value.values()))


def _one(value: Json) -> Inner:
    yield None, value


def _each(value: list[Json]) -> Inner:
    return iter(enumerate(value))


def _named(value: Mapping[str, Json]) -> Inner:
    return iter(value.items())


def _one_or_each(value: Json) -> Inner:
    return _each(value) if isinstance(value, list) else _one(value)


_SCHEMA = Shape("a schema", lambda value: isinstance(value, dict | bool), _one)
_SCHEMAS = Shape("an array of schemas", lambda value: isinstance(value, list) and value != [], _each)
_NAMED = Shape("an object of schemas", lambda value: isinstance(value, dict), _named)
_COUNT = Shape("an integer of 0 or more", _is_count)
_NUMBER = Shape("a number", is_number)
_FLAG = Shape("true or false", lambda value: isinstance(value, bool))
_PATTERN = "a small regular expression of ECMAScript, without lookaround and back references"

BESIDE = frozenset({"$ref", "$id", "$schema", "$defs", "definitions"})
"""Keywords that lose nothing where a reference overrides them."""

SHAPES: Mapping[str, Shape] = {
    "$ref": Shape('a reference within it, as in "#/$defs/name"', _is_reference),
    "$id": Shape("a string", lambda value: isinstance(value, str)),
    "$schema": Shape("the name of a draft of JSON Schema", lambda value: _is_of(value, "//json-schema.org/")),
    "type": Shape("one of JSON's types, or an array of them", _is_type),
    "enum": Shape("an array", lambda value: isinstance(value, list)),
    "pattern": Shape(_PATTERN, lambda value: isinstance(value, str), patterns=lambda value: [value]),
    "patternProperties": Shape(
        f"an object of schemas, each with {_PATTERN}", lambda value: isinstance(value, dict), _named, patterns=iter
    ),
    "required": Shape("an array of strings", _is_strings),
    "dependentRequired": Shape("an object of arrays of strings", _is_needs),
    "items": Shape("a schema, or an array of them", lambda value: isinstance(value, dict | bool | list), _one_or_each),
    "multipleOf": Shape("a number above 0", lambda value: is_number(value) and value > 0),
    "uniqueItems": _FLAG,
    **dict.fromkeys(("minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties"), _COUNT),
    **dict.fromkeys(("minContains", "maxContains"), _COUNT),
    **dict.fromkeys(("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"), _NUMBER),
    **dict.fromkeys(("allOf", "anyOf", "oneOf", "prefixItems"), _SCHEMAS),
    **dict.fromkeys(("properties", "$defs", "definitions", "dependentSchemas"), _NAMED),
    **dict.fromkeys(("additionalProperties", "additionalItems", "propertyNames", "contains"), _SCHEMA),
    **dict.fromkeys(("not", "if", "then", "else"), _SCHEMA),
}
