"""JSON bodies to attrs classes, strictly, and each fault's place in the body.

cattrs coerces: ``"false"`` to true, ``1.9`` to 1, null to ``"None"``. Here every JSON type is only itself, a missing
tag is reported where it is missing, and what a class does not name is kept in its ``extra``, for the dialect to judge.
The first fault ends it: cattrs would gather them all, which takes a minute for a body of a million.
"""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import attrs
import orjson
from attrs import frozen
from cattrs import Converter

from cca.errors import BadRequest
from cca.model import Json

T = TypeVar("T")

Hook = Callable[[Any, Any], Any]

ARRAY_LIMIT = 100_000
"""Items in an array: so many messages the model's API takes. More of them, small enough for the body, cost seconds."""


@frozen(kw_only=True)
class Body:
    """A JSON object of a request. ``extra`` has the keys that its class does not name, with their values."""

    extra: Mapping[str, Json] = attrs.field(factory=dict)


class Fault(ValueError):
    """A value that does not fit. ``path`` leads to it from where the fault is caught, as in ``.content[0].text``."""

    def __init__(self, message: str, *, code: str = "invalid_type", path: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.path = path


def decode_json(body: bytes) -> Mapping[str, Json]:
    """Return the object in ``body``. Raise ``BadRequest`` for anything else: no JSON, not UTF-8, NaN, too deep."""
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise BadRequest(f"The body is not JSON: {error}.") from error
    if not isinstance(value, dict):
        raise BadRequest(f"The body is {_an(value)}, and must be an object.", code="invalid_type")
    return value


def structure(converter: Converter, value: Mapping[str, Json], kind: type[T], path: str = "") -> T:
    """Return ``value``, at ``path``, as a ``kind``. Raise ``BadRequest`` with the first fault's path as ``param``."""
    try:
        return converter.structure(value, kind)
    except Fault as fault:
        param = (path + fault.path).removeprefix(".")
        raise BadRequest(f"{param} {fault}.", param=param, code=fault.code) from fault


def strict_converter() -> Converter:
    """Return a converter in which a JSON value is only of its own type."""
    converter = Converter(prefer_attrib_converters=False)
    for kind, word in ((str, "a string"), (bool, "true or false"), (int, "an integer")):
        converter.register_structure_hook(kind, _exactly(kind, word))
    converter.register_structure_hook(float, _number)
    converter.register_structure_hook_factory(_is_tuple, lambda kind: _array(converter, kind))
    converter.register_structure_hook_factory(
        lambda kind: isinstance(kind, type) and issubclass(kind, Body), lambda kind: _object(converter, kind)
    )
    return converter


@frozen(eq=False)
class Tagged:
    """A hook for a union of objects that their ``tag`` tells apart: one of no known tag is an ``other``."""

    converter: Converter
    tag: str
    kinds: Mapping[str, type[Body]]
    other: type[Body] | None = None

    def __call__(self, value: Json, _: Any) -> Any:
        if not isinstance(value, dict):
            raise Fault(f"must be an object, and is {_an(value)}")
        if self.tag not in value:
            raise Fault("is missing", code="missing_required_parameter", path=f".{self.tag}")
        name = value[self.tag]
        kind = self.kinds.get(name, self.other) if isinstance(name, str) else None
        if kind is None:
            known = ", ".join(self.kinds)
            said = f"is {_quoted(name)}, and must be one of: {known}"
            raise Fault(said, code="invalid_value", path=f".{self.tag}")
        return self.converter.structure(value, kind)


def text_or_array(converter: Converter, array: Any) -> Hook:
    """Return a hook for a field that is a string or an array of parts."""

    def hook(value: Json, _: Any) -> Any:
        if isinstance(value, str):
            return value
        if isinstance(value, list):
            return converter.structure(value, array)
        raise Fault(f"must be a string or an array of parts, and is {_an(value)}")

    return hook


def or_null(hook: Hook) -> Hook:
    """Return a hook for a field that may be null, which is the same as leaving it out."""
    return lambda value, kind: None if value is None else hook(value, kind)


def _exactly(kind: type, word: str) -> Hook:
    def hook(value: Json, _: Any) -> Any:
        if type(value) is not kind:
            raise Fault(f"must be {word}, and is {_an(value)}")
        return value

    return hook


def _number(value: Json, _: Any) -> float:
    if type(value) not in (int, float):
        raise Fault(f"must be a number, and is {_an(value)}")
    return float(value)


def _is_tuple(kind: Any) -> bool:
    return getattr(kind, "__origin__", None) is tuple


def _array(converter: Converter, kind: Any) -> Hook:
    inner = kind.__args__[0]
    structure_item = converter.get_structure_hook(inner)

    def hook(value: Json, _: Any) -> Any:
        if not isinstance(value, list):
            raise Fault(f"must be an array, and is {_an(value)}")
        if len(value) > ARRAY_LIMIT:
            raise Fault(f"has {len(value):,} items, and may have {ARRAY_LIMIT:,}", code="invalid_value")
        return tuple(_within(f"[{index}]", structure_item, item, inner) for index, item in enumerate(value))

    return hook


def _object(converter: Converter, kind: type[Body]) -> Hook:
    fields = {field.name: field for field in attrs.fields(kind) if field.name != "extra"}
    hooks = {name: converter.get_structure_hook(field.type) for name, field in fields.items()}
    required = [name for name, field in fields.items() if field.default is attrs.NOTHING]

    def hook(value: Json, _: Any) -> Any:
        if not isinstance(value, dict):
            raise Fault(f"must be an object, and is {_an(value)}")
        for name in required:
            if name not in value:
                raise Fault("is missing", code="missing_required_parameter", path=f".{name}")
        known, extra = {}, {}
        for name, given in value.items():
            if name in fields:
                known[name] = _within(f".{name}", hooks[name], given, fields[name].type)
            elif given is not None:
                extra[name] = given
        return kind(**known, extra=extra)

    return hook


def _within(step: str, hook: Hook, value: Json, kind: Any) -> Any:
    try:
        return hook(value, kind)
    except Fault as fault:
        fault.path = step + fault.path
        raise


def _an(value: Json) -> str:
    words = {
        str: "a string",
        bool: "a boolean",
        int: "an integer",
        float: "a number",
        list: "an array",
        dict: "an object",
    }
    return words.get(type(value), "null")


def _quoted(value: Json) -> str:
    return repr(value[:40]) if isinstance(value, str) else _an(value)
