"""The keywords of JSON Schema: what each one's own value must be, and where schemas are in it.

Those of all drafts are known but the ``UNCHECKED``. One that nobody knows says nothing, and neither does ``format``, as
the standard has it. Nothing is fetched: a reference is to the schema that it stands in.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias

import re2  # type: ignore[import-untyped]
from attrs import frozen

from cca.depth import DEPTH_LIMIT, too_deep
from cca.model import Json

UNCHECKED = (
    *("$dynamicRef", "$recursiveRef", "$anchor", "$dynamicAnchor", "dependencies"),
    *("unevaluatedItems", "unevaluatedProperties"),
)
"""Keywords that constrain a value in a way that is not known here."""


def fault_in(schema: Json) -> str | None:
    """Return why no value can be checked against ``schema``; nothing, if one can."""
    if too_deep(schema):
        return f"it is nested deeper than {DEPTH_LIMIT} levels"
    rest: list[tuple[str, Json]] = [("", schema)]
    seen: set[int] = set()
    while rest:
        path, part = rest.pop()
        if isinstance(part, bool) or id(part) in seen:
            continue
        if not isinstance(part, dict):
            return f"its {path or 'root'} must be an object, true or false"
        seen.add(id(part))
        for keyword, wanted in part.items():
            at = f"{path}.{keyword}".removeprefix(".")
            if keyword in UNCHECKED:
                return f"cca cannot check its {at}"
            shape = SHAPES.get(keyword)
            if shape is not None and not shape.fits(wanted):
                return f"its {at} must be {shape.word}"
            if keyword == "$ref":
                rest.append((at, target(schema, wanted)))
            elif shape is not None:
                rest += [(f"{at}{step}", inner) for step, inner in shape.inner(wanted)]
    return None


def target(root: Json, pointer: str) -> Json:
    """Return what a local reference points to; nothing, where there is nothing."""
    found = root
    for step in pointer.removeprefix("#").split("/")[1:]:
        name = step.replace("~1", "/").replace("~0", "~")
        if isinstance(found, dict) and name in found:
            found = found[name]
        elif isinstance(found, list) and name.isdecimal() and int(name) < len(found):
            found = found[int(name)]
        else:
            return None
    return found


def compiled(pattern: str) -> Any:
    """Return an ECMAScript pattern, to be searched for. Raise ``re2.error`` for what RE2 has not."""
    options = re2.Options()
    options.log_errors = False
    return re2.compile(_UNICODE_ESCAPE.sub(r"\\x{\1}", pattern), options=options)


_UNICODE_ESCAPE = re2.compile(r"\\u([0-9a-fA-F]{4})")


Inner: TypeAlias = Iterator[tuple[str, Json]]


@frozen
class Shape:
    word: str
    fits: Callable[[Json], bool]
    inner: Callable[[Json], Inner] = lambda _: iter(())


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


def _is_pattern(value: Json) -> bool:
    try:
        return isinstance(value, str) and compiled(value) is not None
    except re2.error:
        return False


def _is_reference(value: Json) -> bool:
    return isinstance(value, str) and (value == "#" or value.startswith("#/"))


def _is_patterns(value: Json) -> bool:
    return isinstance(value, dict) and all(map(_is_pattern, value))


def _is_needs(value: Json) -> bool:
    return isinstance(value, dict) and all(map(_is_strings, value.values()))


def _one(value: Json) -> Inner:
    yield "", value


def _each(value: list[Json]) -> Inner:
    return ((f"[{position}]", inner) for position, inner in enumerate(value))


def _named(value: Mapping[str, Json]) -> Inner:
    return ((f".{name}", inner) for name, inner in value.items())


def _one_or_each(value: Json) -> Inner:
    return _each(value) if isinstance(value, list) else _one(value)


_SCHEMA = Shape("a schema", lambda value: isinstance(value, dict | bool), _one)
_SCHEMAS = Shape("an array of schemas", lambda value: isinstance(value, list) and value != [], _each)
_NAMED = Shape("an object of schemas", lambda value: isinstance(value, dict), _named)
_COUNT = Shape("an integer of 0 or more", _is_count)
_NUMBER = Shape("a number", is_number)
_FLAG = Shape("true or false", lambda value: isinstance(value, bool))
_PATTERN = "a regular expression without lookaround and back references"

SHAPES: Mapping[str, Shape] = {
    "$ref": Shape('a reference within it, as in "#/$defs/name"', _is_reference),
    "type": Shape("one of JSON's types, or an array of them", _is_type),
    "enum": Shape("an array", lambda value: isinstance(value, list)),
    "pattern": Shape(_PATTERN, _is_pattern),
    "patternProperties": Shape(f"an object of schemas, each with {_PATTERN}", _is_patterns, _named),
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
