"""Whether a value is of a schema. The schema comes from a client, and the value from a model.

Both may be made to hang who looks at them. So patterns are RE2's, which takes time in proportion to the text, and what
a check may take is counted. No library counts: the fastest, jsonschema-rs, which has linear patterns too, took 11
seconds for 29 levels of an anyOf of two references to the next, in a schema of 2 kB, and twice that with each level
more, in a call that nothing can cut short.
"""

from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from typing import Any, TypeAlias

import orjson
from attrs import define, field, frozen

from cca.depth import too_deep
from cca.model import Json
from cca.schemas.keywords import TYPES, target
from cca.schemas.patterns import compiled
from cca.schemas.places import Place, cut, written

STEPS = 500_000
"""Microseconds, as good as they can be told, that one check may take: what takes longer counts for more."""

NESTING = 150
"""Schemas within schemas that one check goes into; each takes four frames of Python's thousand."""

LONGEST = 10_000
"""Characters of a property's name. They are compared with each look for a property."""


class TooMuch(Exception):
    """The check takes longer than any honest schema's."""


def violation(value: Json, schema: Json) -> str | None:
    """Return where ``value`` is not of ``schema``, and why; nothing, if it is. ``schema`` is one without a fault.

    Raise ``TooMuch``.
    """
    if too_deep(value):
        return "it is nested too deep"
    if _has_long_names(value):
        raise TooMuch
    return _Check(schema).fault(value, schema, (None, "$"))


def _has_long_names(value: Json) -> bool:
    rest = [value]
    while rest:
        part = rest.pop()
        if isinstance(part, dict):
            if max(map(len, part), default=0) > LONGEST:
                return True
            rest += part.values()
        elif isinstance(part, list):
            rest += part
    return False


@define
class _Check:
    root: Json
    steps: int = 0
    depth: int = 0
    trying: bool = False
    patterns: dict[str, Any] = field(factory=dict)
    targets: dict[str, Json] = field(factory=dict)

    def fault(self, value: Json, schema: Json, place: Place) -> str | None:
        self.take(_cost(schema))
        if isinstance(schema, bool):
            return None if schema else self.told(place, "may not be there")
        self.depth += 1
        if self.depth > NESTING:
            raise TooMuch
        for keyword, wanted in schema.items():
            leaf, tree = LEAVES.get(keyword), TREES.get(keyword)
            if leaf is not None and isinstance(value, leaf.of) and type(value) is not leaf.but:
                self.take(_cost(wanted))
                if not leaf.holds(self, wanted, value):
                    return self.breaks(place, keyword, wanted)
            elif tree is not None:
                self.take(_cost(wanted))
                if (found := tree(self, wanted, value, schema, place)) is not None:
                    return found
        self.depth -= 1
        return None

    def told(self, place: Place, fault: str) -> str:
        return "" if self.trying else f"{written(place)} {fault}"

    def breaks(self, place: Place, keyword: str, wanted: Json) -> str:
        # What is large takes long to write, and what is only tried is told to nobody.
        return "" if self.trying else self.told(place, f'breaks "{keyword}": {cut(orjson.dumps(wanted).decode())}')

    def fits(self, value: Json, schema: Json) -> bool:
        depth, trying = self.depth, self.trying
        self.trying = True
        fits = self.fault(value, schema, (None, "")) is None
        self.depth, self.trying = depth, trying
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
        if isinstance(one, str) and isinstance(other, str):
            self.take(len(one) // 10_000)
        if isinstance(one, list) and isinstance(other, list):
            return len(one) == len(other) and all(map(self.same, one, other))
        if isinstance(one, dict) and isinstance(other, dict):
            self.take(len(one) // 10)
            return one.keys() == other.keys() and all(self.same(one[name], other[name]) for name in one)
        return bool(one == other)

    def unique(self, items: list[Json]) -> bool:
        kept = {orjson.dumps(self.whole(item), option=orjson.OPT_SORT_KEYS) for item in items}
        return len(kept) == len(items)

    def whole(self, value: Json) -> Json:
        """Return ``value`` with each number written in one way. orjson writes integers of 64 bits."""
        self.take(2 + (len(value) // 1000 if isinstance(value, str) else 0))
        if isinstance(value, list):
            return list(map(self.whole, value))
        if isinstance(value, dict):
            return {name: self.whole(inner) for name, inner in value.items()}
        is_whole = isinstance(value, float) and value.is_integer() and -(2**63) <= value < 2**64
        return int(value) if is_whole else value

    def matches(self, pattern: str, text: str) -> bool:
        if pattern not in self.patterns:
            self.patterns[pattern] = compiled(pattern)
        found = self.patterns[pattern]
        # At its worst it looks at each instruction with each character, in about 15 nanoseconds.
        self.take(3 + len(text) * found.programsize // 60)
        return found.search(text) is not None

    def target(self, pointer: str) -> Json:
        if pointer not in self.targets:
            self.targets[pointer] = target(self.root, pointer)
        return self.targets[pointer]


def _cost(wanted: Json) -> int:
    return 1 + (len(wanted) // 10 if isinstance(wanted, list | dict) else 0)


# Keywords that look at a value, and not into it.


@frozen
class Leaf:
    """``holds`` is asked of values ``of`` some types, ``but`` not of one."""

    of: type | tuple[type, ...]
    holds: Callable[[_Check, Json, Json], bool]
    but: type | None = None


def _has_type(_: _Check, wanted: Json, value: Json) -> bool:
    return any(TYPES[name](value) for name in (wanted if isinstance(wanted, list) else [wanted]))


def _multiple(check: _Check, wanted: Json, value: Json) -> bool:
    check.take(10)
    return Fraction(str(value)) % Fraction(str(wanted)) == 0


def _has_dependent(check: _Check, wanted: Json, value: Json) -> bool:
    for needs in (needs for name, needs in wanted.items() if name in value):
        check.take(_cost(needs))
        if not all(need in value for need in needs):
            return False
    return True


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
    "dependentRequired": Leaf(dict, _has_dependent),
}


# Keywords that look into a value, or have schemas of their own.


Tree: TypeAlias = Callable[[_Check, Json, Json, Mapping[str, Json], Place], str | None]


def _first(faults: Iterator[str | None]) -> str | None:
    return next((fault for fault in faults if fault is not None), None)


def _reference(check: _Check, wanted: Json, value: Json, _: Mapping[str, Json], place: Place) -> str | None:
    return check.fault(value, check.target(wanted), place)


def _all_of(check: _Check, wanted: Json, value: Json, _: Mapping[str, Json], place: Place) -> str | None:
    return _first(check.fault(value, inner, place) for inner in wanted)


def _any_of(check: _Check, wanted: Json, value: Json, _: Mapping[str, Json], place: Place) -> str | None:
    return None if any(check.fits(value, inner) for inner in wanted) else check.told(place, "is none of anyOf")


def _one_of(check: _Check, wanted: Json, value: Json, _: Mapping[str, Json], place: Place) -> str | None:
    count = sum(check.fits(value, inner) for inner in wanted)
    return None if count == 1 else check.told(place, f"is {count} of oneOf")


def _not(check: _Check, wanted: Json, value: Json, _: Mapping[str, Json], place: Place) -> str | None:
    return check.told(place, "is what it must not be") if check.fits(value, wanted) else None


def _if(check: _Check, wanted: Json, value: Json, schema: Mapping[str, Json], place: Place) -> str | None:
    branch = "then" if check.fits(value, wanted) else "else"
    return check.fault(value, schema.get(branch, True), place)


def _items(check: _Check, wanted: Json, value: Json, schema: Mapping[str, Json], place: Place) -> str | None:
    if not isinstance(value, list):
        return None
    if isinstance(wanted, list):
        return _in_order(check, wanted, schema.get("additionalItems", True), value, place)
    return _in_order(check, schema.get("prefixItems", []), wanted, value, place)


def _prefix_items(check: _Check, wanted: Json, value: Json, schema: Mapping[str, Json], place: Place) -> str | None:
    if not isinstance(value, list) or "items" in schema:
        return None
    return _in_order(check, wanted, True, value, place)  # noqa: FBT003 - it is a schema


def _in_order(check: _Check, first: list[Json], rest: Json, value: list[Json], place: Place) -> str | None:
    return _first(
        check.fault(item, first[at] if at < len(first) else rest, (place, at)) for at, item in enumerate(value)
    )


def _contains(check: _Check, wanted: Json, value: Json, schema: Mapping[str, Json], place: Place) -> str | None:
    if not isinstance(value, list):
        return None
    count = sum(check.fits(item, wanted) for item in value)
    fits = schema.get("minContains", 1) <= count <= schema.get("maxContains", count)
    return None if fits else check.told(place, f"has {count} items of its contains")


def _properties(check: _Check, wanted: Json, value: Json, _: Mapping[str, Json], place: Place) -> str | None:
    if not isinstance(value, dict):
        return None
    return _first(check.fault(value[name], wanted[name], (place, name)) for name in wanted if name in value)


def _pattern_properties(check: _Check, wanted: Json, value: Json, _: Mapping[str, Json], place: Place) -> str | None:
    if not isinstance(value, dict):
        return None
    return _first(
        check.fault(value[name], inner, (place, name))
        for pattern, inner in wanted.items()
        for name in value
        if check.matches(pattern, name)
    )


def _additional(check: _Check, wanted: Json, value: Json, schema: Mapping[str, Json], place: Place) -> str | None:
    if not isinstance(value, dict):
        return None
    known, patterns = schema.get("properties", {}), schema.get("patternProperties", {})
    return _first(
        check.fault(value[name], wanted, (place, name))
        for name in value
        if name not in known and not any(check.matches(pattern, name) for pattern in patterns)
    )


def _names(check: _Check, wanted: Json, value: Json, _: Mapping[str, Json], place: Place) -> str | None:
    if not isinstance(value, dict):
        return None
    breaking = (name for name in value if not check.fits(name, wanted))
    return next(
        (check.told(place, f"has {cut(name)}, a name that breaks its propertyNames") for name in breaking), None
    )


def _dependent(check: _Check, wanted: Json, value: Json, _: Mapping[str, Json], place: Place) -> str | None:
    if not isinstance(value, dict):
        return None
    return _first(check.fault(value, inner, place) for name, inner in wanted.items() if name in value)


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
