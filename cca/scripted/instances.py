"""An instance of a JSON schema: always the same one for the same schema and hints.

It covers what tools and structured outputs are described with: types, ``enum``, ``const``, ``required``,
``$ref``, ``anyOf``/``oneOf``/``allOf``, bounds of numbers, lengths and counts, and a few formats. Only
required properties are given, unless a schema requires none.
"""

import json
import re
from collections.abc import Iterator
from math import ceil, inf
from typing import ClassVar

from attrs import define, field, frozen

from cca.scripted.script import Json

DEPTH_LIMIT = 24  # a schema that requires itself has no instance; it gets a null here
SHALLOW = 3  # below this, what may be left out is left out, so that recursive schemas come to an end


@frozen
class Hints:
    """Words of a prompt to fill an instance with: ``pairs`` by property name, the rest in order."""

    text: str = ""
    names: tuple[str, ...] = ()
    numbers: tuple[float, ...] = ()
    pairs: tuple[tuple[str, str], ...] = ()


FORMATS: dict[str, str] = {
    "date": "2025-01-31",
    "date-time": "2025-01-31T12:00:00Z",
    "time": "12:00:00Z",
    "duration": "P1D",
    "email": "someone@example.com",
    "hostname": "example.com",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "uri": "https://example.com/",
    "url": "https://example.com/",
    "uuid": "00000000-0000-4000-8000-000000000000",
}

PATTERN_GUESSES = (
    "a",
    "A",
    "0",
    "aa",
    "AA",
    "00",
    "AAA",
    "000",
    "0000",
    "00000",
    "abc-123",
    "ABC-123",
    "a1",
    "A1",
    "2025-01-31",
    "v1.0.0",
    "1.0.0",
    "#000000",
    "+10000000000",
    "12:00",
    "a@example.com",
)

PROSE = {
    "answer",
    "content",
    "input",
    "message",
    "prompt",
    "q",
    "query",
    "question",
    "reason",
    "request",
    "search",
    "summary",
    "text",
}


def instance(schema: Json, hints: Hints | None = None) -> Json:
    return _Builder(schema, hints or Hints()).build(schema, "", 0)


@define
class _Builder:
    root: Json
    hints: Hints
    names: Iterator[str] = field(init=False)
    numbers: Iterator[float] = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.names = iter(self.hints.names)
        self.numbers = iter(self.hints.numbers)

    def build(self, schema: Json, name: str, depth: int) -> Json:
        if not isinstance(schema, dict) or depth > DEPTH_LIMIT:
            return None
        schema = self._resolved(schema)
        if "const" in schema:
            return schema["const"]
        if "enum" in schema:
            return self._choice(schema["enum"], name)
        for key in ("anyOf", "oneOf"):
            if key in schema:
                return self.build(_branch(schema[key], depth), name, depth + 1)
        return self._BY_TYPE.get(_type_of(schema), _Builder._null)(self, schema, name, depth)

    def _resolved(self, schema: Json) -> Json:
        for _ in range(DEPTH_LIMIT):
            if "$ref" in schema:
                schema = self._target(schema["$ref"]) | {k: v for k, v in schema.items() if k != "$ref"}
            elif "allOf" in schema:
                schema = _merged([{k: v for k, v in schema.items() if k != "allOf"}, *schema["allOf"]])
            else:
                break
        return schema

    def _target(self, pointer: str) -> Json:
        found = self.root
        for step in pointer.removeprefix("#").split("/")[1:]:
            found = found.get(step.replace("~1", "/").replace("~0", "~"), {})
        return found

    def _choice(self, options: list[Json], name: str) -> Json:
        given = self._given(name)
        if given in options:
            return given
        words = {word.lower() for word in re.findall(r"\w+", self.hints.text)}
        said = (option for option in options if isinstance(option, str) and option.lower() in words)
        return next(said, options[0])

    def _given(self, name: str) -> str | None:
        return dict(self.hints.pairs).get(name)

    def _object(self, schema: Json, _name: str, depth: int) -> Json:
        properties = schema.get("properties") or {}
        wanted = schema.get("required") or (properties if depth < SHALLOW else ())
        return {key: self.build(properties.get(key, {}), key, depth + 1) for key in properties if key in wanted}

    def _array(self, schema: Json, name: str, depth: int) -> Json:
        prefix = [self.build(item, name, depth + 1) for item in schema.get("prefixItems", ())]
        items = schema.get("items", {})
        fewest = int(schema.get("minItems", 0))
        count = max(fewest, self._natural_count(items) if depth < SHALLOW else 0)
        count = min(count, int(schema.get("maxItems", count)))
        if not isinstance(items, dict):
            return prefix
        return prefix + [self.build(_rotated(items, at), name, depth + 1) for at in range(count - len(prefix))]

    def _natural_count(self, items: Json) -> int:
        many = {
            "string": len(self.hints.names),
            "integer": len(self.hints.numbers),
            "number": len(self.hints.numbers),
        }
        return max(1, many.get(_type_of(items), 1)) if isinstance(items, dict) else 1

    def _string(self, schema: Json, name: str, _depth: int) -> Json:
        given = self._given(name) or FORMATS.get(schema.get("format", ""))
        if given is None and name.lower() in PROSE:
            given = self.hints.text
        text = given or next(self.names, "") or name or "text"
        if "pattern" in schema:
            text = next((guess for guess in (text, *PATTERN_GUESSES) if re.search(schema["pattern"], guess)), text)
        text = text.ljust(int(schema.get("minLength", 0)), ".")
        return text[: int(schema.get("maxLength", len(text)))]

    def _number(self, schema: Json, name: str, _depth: int) -> Json:
        return _in_bounds(schema, self._wish(name), whole=False)

    def _integer(self, schema: Json, name: str, _depth: int) -> Json:
        return int(_in_bounds(schema, self._wish(name), whole=True))

    def _wish(self, name: str) -> float:
        given = self._given(name)
        try:
            return float(given) if given is not None else next(self.numbers, 1.0)
        except ValueError:
            return 1.0

    def _boolean(self, _schema: Json, name: str, _depth: int) -> Json:
        return self._given(name) != "false"

    def _null(self, _schema: Json, _name: str, _depth: int) -> Json:
        return None

    _BY_TYPE: ClassVar = {
        "object": _object,
        "array": _array,
        "string": _string,
        "number": _number,
        "integer": _integer,
        "boolean": _boolean,
        "null": _null,
    }


def _type_of(schema: Json) -> str:
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = next((one for one in kind if one != "null"), "null")
    if kind is None:
        signs = {
            "properties": "object",
            "items": "array",
            "prefixItems": "array",
            "minimum": "number",
            "maximum": "number",
        }
        kind = next((signs[key] for key in schema if key in signs), "string")
    return str(kind)


def _branch(options: list[Json], depth: int) -> Json:
    """Choose the first branch with a value, or a null one where a recursion has to end."""
    nulls = [option for option in options if isinstance(option, dict) and option.get("type") == "null"]
    others = [option for option in options if option not in nulls]
    preferred = nulls + others if depth >= SHALLOW else others + nulls
    return preferred[0] if preferred else {}


def _merged(parts: list[Json]) -> Json:
    whole: dict[str, Json] = {}
    for part in parts:
        properties = whole.get("properties", {}) | part.get("properties", {})
        required = [*whole.get("required", ()), *part.get("required", ())]
        whole |= part
        if properties:
            whole |= {"properties": properties, "required": required}
    return whole


def _rotated(items: Json, at: int) -> Json:
    """Let the elements of an array of choices differ, for ``uniqueItems``."""
    options = items.get("enum")
    return items | {"const": options[at % len(options)]} if options and at else items


def _in_bounds(schema: Json, wish: float, *, whole: bool) -> float:
    step = float(schema.get("multipleOf") or whole)
    nudge = step or 0.5
    low = max(float(schema.get("minimum", -inf)), float(schema.get("exclusiveMinimum", -inf)) + nudge)
    high = min(float(schema.get("maximum", inf)), float(schema.get("exclusiveMaximum", inf)) - nudge)
    value = min(max(wish, low), high)
    if not step:
        return value
    stepped = round(value / step) * step
    return stepped if stepped >= low else ceil(low / step) * step


def as_text(value: Json) -> str:
    return json.dumps(value, ensure_ascii=False)
