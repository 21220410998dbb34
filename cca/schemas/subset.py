"""Which schemas the model's API holds an answer, or a tool's arguments, to by itself.

After Anthropic's page on structured outputs: no recursion, no bounds of numbers, strings or arrays, every object
closed, local references alone, no choice of texts that it may write in other capitals. Where that page says little, or
a schema grows large, the answer is no: then the schema is held to in another way.
"""

from collections.abc import Iterable, Iterator, Mapping

from attrs import frozen

from cca.model import Json
from cca.schemas.keywords import SHAPES, target

ANNOTATIONS = frozenset({"title", "description", "default"})

KEYWORDS = ANNOTATIONS | {
    *("type", "properties", "required", "additionalProperties", "items", "minItems"),
    *("enum", "const", "anyOf", "$ref", "$defs", "definitions", "format"),
}

FORMATS = frozenset(
    {"date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid"},
)

EXPANDED = 1000
"""Schemas in one, once its references are written out. A recursive one never ends, and so has more."""

DEEPEST = 40
"""Levels of it then."""

MOST_STRICT = 20
"""Tools in one request whose arguments the API holds to their schemas."""


@frozen
class Size:
    """What the API bounds over all that it holds a request to: properties that may be missing, and choices of type."""

    optional: int = 0
    unions: int = 0
    schemas: int = 0

    def __add__(self, other: "Size") -> "Size":
        return Size(self.optional + other.optional, self.unions + other.unions, self.schemas + other.schemas)

    @property
    def fits(self) -> bool:
        return self.optional <= 24 and self.unions <= 16 and self.schemas <= EXPANDED


def size_of(schema: Json) -> Size | None:
    """Return the size of a schema that the API can hold to; nothing, for another, or for what is no schema."""
    if not isinstance(schema, Mapping) or schema.get("type") != "object":
        return None
    size = Size()
    rest: list[tuple[int, Json]] = [(1, schema)]
    while rest:
        depth, part = rest.pop()
        if depth > DEEPEST or not isinstance(part, Mapping) or not _is_plain(part):
            return None
        if "$ref" in part:
            # Its annotations aside, it is what it points to.
            rest.append((depth + 1, target(schema, part["$ref"])))
            continue
        size += _own(part)
        if not size.fits:
            return None
        rest += [(depth + 1, inner) for inner in _inner(part)]
    return size


def held(strict: Iterable[tuple[str, Json]], answer: Json = None) -> frozenset[str]:
    """Return the names of the tools that the API can hold to their schemas, of those that ask for it, the first first.

    ``answer`` is a schema that it holds an answer to besides.
    """
    total = size_of(answer) or Size()
    names: set[str] = set()
    for name, schema in strict:
        size = size_of(schema)
        if size is not None and (total + size).fits and len(names) < MOST_STRICT:
            total += size
            names.add(name)
    return frozenset(names)


def _own(part: Mapping[str, Json]) -> Size:
    optional = len(part.get("properties", {}).keys() - set(part.get("required", [])))
    return Size(optional, int("anyOf" in part or isinstance(part.get("type"), list)), 1)


def _inner(part: Mapping[str, Json]) -> Iterator[Json]:
    yield from part.get("properties", {}).values()
    yield from part.get("anyOf", [])
    if "items" in part:
        yield part["items"]


def _is_plain(part: Mapping[str, Json]) -> bool:
    """Whether the API knows all that ``part`` itself says."""
    if not part.keys() <= KEYWORDS or not all(SHAPES[name].fits(part[name]) for name in part.keys() & SHAPES.keys()):
        return False
    if "$ref" in part:
        return part.keys() <= ANNOTATIONS | {"$ref"}
    if not part.keys() & {"type", "anyOf", "enum", "const"}:
        return False
    if "anyOf" in part and not part.keys() <= ANNOTATIONS | {"anyOf"}:
        return False
    choices = (*part.get("enum", ()), part.get("const"))
    if not all(map(_is_scalar, choices)) or not _keeps_capitals(choices):
        return False
    types = part.get("type", [])
    types = types if isinstance(types, list) else [types]
    return (
        ("object" not in types or part.get("additionalProperties") is False)
        and ("array" not in types or ("items" in part and part.get("minItems", 0) <= 1))
        and _is_scalar(part.get("format"))
        and part.get("format", "uuid") in FORMATS
        and part.get("required", [])
        == [name for name in part.get("required", []) if name in part.get("properties", {})]
    )


def _keeps_capitals(choices: Iterable[Json]) -> bool:
    """Whether the API writes each text as it is: it may change capitals, which it does after spaces."""
    texts = {text for text in choices if isinstance(text, str)}
    return len({text.casefold() for text in texts}) == len(texts) and not any(" " in text for text in texts)


def _is_scalar(value: Json) -> bool:
    return not isinstance(value, list | dict)
