"""Whether a value is of a schema. The schema comes from a client, and the value from a model.

Both may be made to hang who looks at them. So patterns are RE2's, which takes time in proportion to the text, and what
a check may take is counted.
"""

from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from typing import Any, TypeAlias

import orjson
from attrs import define, field, frozen

from cca.depth import too_deep
from cca.model import Json
from cca.schemas.keywords import TYPES, compiled, target

STEPS = 500_000
"""Keywords and values that one check may look at: about half a second."""

NESTING = 150
"""Schemas within schemas that one check goes into; each takes four frames of Python's thousand."""

SHOWN = 60
"""Characters of a keyword's value that a message shows."""


class TooMuch(Exception):
    """The check takes longer than any honest schema's."""


def violation(value: Json, schema: Json) -> str | None:
    """Return where ``value`` is not of ``schema``, and why; nothing, if it is. ``schema`` is one without a fault.

    Raise ``TooMuch``.
    """
    return "it is nested too deep" if too_deep(value) else _Check(schema).fault(value, schema, "$")


@define
class _Check:
    root: Json
    steps: int = 0
    depth: int = 0
    patterns: dict[str, Any] = field(factory=dict)

    def fault(self, value: Json, schema: Json, path: str) -> str | None:
        if isinstance(schema, bool):
            return None if schema else f"{path} may not be there"
        self.depth += 1
        if self.depth > NESTING:
            raise TooMuch
        for keyword, wanted in schema.items():
            self.take(1)
            leaf, tree = LEAVES.get(keyword), TREES.get(keyword)
            if leaf is not None and isinstance(value, leaf.of) and type(value) is not leaf.but:
                if not leaf.holds(self, wanted, value):
                    return f"{path} breaks {_shown(keyword, wanted)}"
            elif tree is not None and (found := tree(self, wanted, value, schema, path)) is not None:
                return found
        self.depth -= 1
        return None

    def fits(self, value: Json, schema: Json) -> bool:
        depth = self.depth
        fits = self.fault(value, schema, "") is None
        self.depth = depth
        return fits

    def take(self, steps: int) -> None:
        self.steps += steps
        if self.steps > STEPS:
            raise TooMuch

    def same(self, one: Json, other: Json) -> bool:
        """Whether two values are equal as JSON has it: true is not 1, and 1.0 is."""
        self.take(1)
        if isinstance(one, bool) or isinstance(other, bool):
            return one is other
        if isinstance(one, list) and isinstance(other, list):
            return len(one) == len(other) and all(map(self.same, one, other))
        if isinstance(one, dict) and isinstance(other, dict):
            return one.keys() == other.keys() and all(self.same(one[name], other[name]) for name in one)
        return bool(one == other)

    def unique(self, items: list[Json]) -> bool:
        self.take(len(items))
        kept = {orjson.dumps(_whole(item), option=orjson.OPT_SORT_KEYS) for item in items}
        return len(kept) == len(items)

    def matches(self, pattern: str, text: str) -> bool:
        self.take(1 + len(text) // 10)
        if pattern not in self.patterns:
            self.patterns[pattern] = compiled(pattern)
        return self.patterns[pattern].search(text) is not None


def _whole(value: Json) -> Json:
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _shown(keyword: str, wanted: Json) -> str:
    text = orjson.dumps(wanted).decode()
    return f'"{keyword}": {text if len(text) <= SHOWN else text[:SHOWN] + "..."}'


# Keywords that look at a value, and not into it.


@frozen
class Leaf:
    """``holds`` is asked of values ``of`` some types, ``but`` not of one."""

    of: type | tuple[type, ...]
    holds: Callable[[_Check, Json, Json], bool]
    but: type | None = None


def _has_type(_: _Check, wanted: Json, value: Json) -> bool:
    return any(TYPES[name](value) for name in (wanted if isinstance(wanted, list) else [wanted]))


def _multiple(_: _Check, wanted: Json, value: Json) -> bool:
    return Fraction(str(value)) % Fraction(str(wanted)) == 0


def _on_numbers(holds: Callable[[Json, Json], bool]) -> Leaf:
    return Leaf((int, float), lambda _, wanted, value: holds(wanted, value), but=bool)


def _on_sizes(of: type, holds: Callable[[Json, int], bool]) -> Leaf:
    return Leaf(of, lambda _, wanted, value: holds(wanted, len(value)))


LEAVES: Mapping[str, Leaf] = {
    "type": Leaf(object, _has_type),
    "enum": Leaf(object, lambda check, wanted, value: any(check.same(option, value) for option in wanted)),
    "const": Leaf(object, lambda check, wanted, value: check.same(wanted, value)),
    "minimum": _on_numbers(lambda wanted, value: bool(value >= wanted)),
    "maximum": _on_numbers(lambda wanted, value: bool(value <= wanted)),
    "exclusiveMinimum": _on_numbers(lambda wanted, value: bool(value > wanted)),
    "exclusiveMaximum": _on_numbers(lambda wanted, value: bool(value < wanted)),
    "multipleOf": Leaf((int, float), _multiple, but=bool),
    "minLength": _on_sizes(str, lambda wanted, size: bool(size >= wanted)),
    "maxLength": _on_sizes(str, lambda wanted, size: bool(size <= wanted)),
    "pattern": Leaf(str, lambda check, wanted, value: check.matches(wanted, value)),
    "minItems": _on_sizes(list, lambda wanted, size: bool(size >= wanted)),
    "maxItems": _on_sizes(list, lambda wanted, size: bool(size <= wanted)),
    "uniqueItems": Leaf(list, lambda check, wanted, value: not wanted or check.unique(value)),
    "minProperties": _on_sizes(dict, lambda wanted, size: bool(size >= wanted)),
    "maxProperties": _on_sizes(dict, lambda wanted, size: bool(size <= wanted)),
    "required": Leaf(dict, lambda _, wanted, value: all(name in value for name in wanted)),
    "dependentRequired": Leaf(
        dict,
        lambda _, wanted, value: all(set(needs) <= value.keys() for name, needs in wanted.items() if name in value),
    ),
}


# Keywords that look into a value, or have schemas of their own.


Tree: TypeAlias = Callable[[_Check, Json, Json, Mapping[str, Json], str], str | None]


def _first(faults: Iterator[str | None]) -> str | None:
    return next((fault for fault in faults if fault is not None), None)


def _reference(check: _Check, wanted: Json, value: Json, _: Mapping[str, Json], path: str) -> str | None:
    return check.fault(value, target(check.root, wanted), path)


def _all_of(check: _Check, wanted: Json, value: Json, _: Mapping[str, Json], path: str) -> str | None:
    return _first(check.fault(value, inner, path) for inner in wanted)


def _any_of(check: _Check, wanted: Json, value: Json, _: Mapping[str, Json], path: str) -> str | None:
    return None if any(check.fits(value, inner) for inner in wanted) else f"{path} is none of anyOf"


def _one_of(check: _Check, wanted: Json, value: Json, _: Mapping[str, Json], path: str) -> str | None:
    count = sum(check.fits(value, inner) for inner in wanted)
    return None if count == 1 else f"{path} is {count} of oneOf"


def _not(check: _Check, wanted: Json, value: Json, _: Mapping[str, Json], path: str) -> str | None:
    return f"{path} is what it must not be" if check.fits(value, wanted) else None


def _if(check: _Check, wanted: Json, value: Json, schema: Mapping[str, Json], path: str) -> str | None:
    branch = "then" if check.fits(value, wanted) else "else"
    return check.fault(value, schema.get(branch, True), path)


def _items(check: _Check, wanted: Json, value: Json, schema: Mapping[str, Json], path: str) -> str | None:
    if not isinstance(value, list):
        return None
    if isinstance(wanted, list):
        return _in_order(check, wanted, schema.get("additionalItems", True), value, path)
    return _in_order(check, schema.get("prefixItems", []), wanted, value, path)


def _prefix_items(check: _Check, wanted: Json, value: Json, schema: Mapping[str, Json], path: str) -> str | None:
    if not isinstance(value, list) or "items" in schema:
        return None
    return _in_order(check, wanted, True, value, path)  # noqa: FBT003 - it is a schema


def _in_order(check: _Check, first: list[Json], rest: Json, value: list[Json], path: str) -> str | None:
    return _first(
        check.fault(item, first[at] if at < len(first) else rest, f"{path}[{at}]") for at, item in enumerate(value)
    )


def _contains(check: _Check, wanted: Json, value: Json, schema: Mapping[str, Json], path: str) -> str | None:
    if not isinstance(value, list):
        return None
    count = sum(check.fits(item, wanted) for item in value)
    fits = schema.get("minContains", 1) <= count <= schema.get("maxContains", count)
    return None if fits else f"{path} has {count} items of its contains"


def _properties(check: _Check, wanted: Json, value: Json, _: Mapping[str, Json], path: str) -> str | None:
    if not isinstance(value, dict):
        return None
    return _first(check.fault(value[name], wanted[name], f"{path}.{name}") for name in wanted if name in value)


def _pattern_properties(check: _Check, wanted: Json, value: Json, _: Mapping[str, Json], path: str) -> str | None:
    if not isinstance(value, dict):
        return None
    return _first(
        check.fault(value[name], inner, f"{path}.{name}")
        for pattern, inner in wanted.items()
        for name in value
        if check.matches(pattern, name)
    )


def _additional(check: _Check, wanted: Json, value: Json, schema: Mapping[str, Json], path: str) -> str | None:
    if not isinstance(value, dict):
        return None
    known, patterns = schema.get("properties", {}), schema.get("patternProperties", {})
    return _first(
        check.fault(value[name], wanted, f"{path}.{name}")
        for name in value
        if name not in known and not any(check.matches(pattern, name) for pattern in patterns)
    )


def _names(check: _Check, wanted: Json, value: Json, _: Mapping[str, Json], path: str) -> str | None:
    if not isinstance(value, dict):
        return None
    return _first(check.fault(name, wanted, f"{path}, its name {name}") for name in value)


def _dependent(check: _Check, wanted: Json, value: Json, _: Mapping[str, Json], path: str) -> str | None:
    if not isinstance(value, dict):
        return None
    return _first(check.fault(value, inner, path) for name, inner in wanted.items() if name in value)


TREES: Mapping[str, Tree] = {
    "$ref": _reference,
    "allOf": _all_of,
    "anyOf": _any_of,
    "oneOf": _one_of,
    "not": _not,
    "if": _if,
    "items": _items,
    "prefixItems": _prefix_items,
    "contains": _contains,
    "properties": _properties,
    "patternProperties": _pattern_properties,
    "additionalProperties": _additional,
    "propertyNames": _names,
    "dependentSchemas": _dependent,
}
