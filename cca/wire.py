"""JSON bodies to attrs classes, strictly, and each fault's place in the body.

cattrs coerces: ``"false"`` to true, ``1.9`` to 1, null to ``"None"``. Here every JSON type is only itself, a missing
tag is reported where it is missing, and what a class does not name is kept in its ``extra``, for the dialect to judge.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

import attrs
import orjson
from attrs import frozen
from cattrs import AttributeValidationNote, BaseValidationError, Converter, IterableValidationNote
from cattrs.gen import make_dict_structure_fn

from cca.errors import BadRequest
from cca.model import Json

T = TypeVar("T")

Hook = Callable[[Any, Any], Any]


@frozen(kw_only=True)
class Body:
    """A JSON object of a request. ``extra`` has the keys that its class does not name, with their values."""

    extra: Mapping[str, Json] = attrs.field(factory=dict)


class Fault(ValueError):
    """A value that does not fit. ``inside`` leads from where it was found to the place to name, as in ``.role``."""

    def __init__(self, message: str, *, code: str = "invalid_type", inside: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.inside = inside


def decode_json(body: bytes) -> Mapping[str, Json]:
    """Return the object in ``body``. Raise ``BadRequest`` for anything else: no JSON, not UTF-8, NaN, too deep."""
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise BadRequest(f"The body is not JSON: {error}.") from error
    if not isinstance(value, dict):
        raise BadRequest(f"The body is {_an(value)}, and must be an object.", code="invalid_type")
    return value


def structure(converter: Converter, value: Mapping[str, Json], kind: type[T]) -> T:
    """Return ``value`` as a ``kind``. Raise ``BadRequest`` with the path of the first fault as ``param``."""
    try:
        return converter.structure(value, kind)
    except (BaseValidationError, Fault) as error:
        path, fault = next(_faults(error, ""))
        raise _bad_request(path, fault) from error


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


def tagged(converter: Converter, tag: str, kinds: Mapping[str, type[Body]]) -> Hook:
    """Return a hook for a union of objects that their ``tag`` tells apart."""

    def hook(value: Json, _: Any) -> Any:
        if not isinstance(value, dict):
            raise Fault(f"must be an object, and is {_an(value)}")
        if tag not in value:
            raise Fault("is missing", code="missing_required_parameter", inside=f".{tag}")
        name = value[tag]
        if not isinstance(name, str) or name not in kinds:
            known = ", ".join(kinds)
            raise Fault(f"is {_quoted(name)}, and must be one of: {known}", code="invalid_value", inside=f".{tag}")
        return converter.structure(value, kinds[name])

    return hook


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
    items = list[kind.__args__[0]]

    def hook(value: Json, _: Any) -> Any:
        if not isinstance(value, list):
            raise Fault(f"must be an array, and is {_an(value)}")
        return tuple(converter.structure(value, items))

    return hook


def _object(converter: Converter, kind: type[Body]) -> Hook:
    names = {attribute.name for attribute in attrs.fields(kind)} - {"extra"}
    known = make_dict_structure_fn(kind, converter)

    def hook(value: Json, _: Any) -> Any:
        if not isinstance(value, dict):
            raise Fault(f"must be an object, and is {_an(value)}")
        named = {name: given for name, given in value.items() if name in names}
        extra = {name: given for name, given in value.items() if name not in names and given is not None}
        return attrs.evolve(known(named, kind), extra=extra)

    return hook


def _faults(error: BaseException, path: str) -> Iterator[tuple[str, BaseException]]:
    """Yield the faults in an error of cattrs, each with its path, in the order of the body."""
    if not isinstance(error, BaseValidationError):
        yield path, error
        return
    for inner in error.exceptions:
        yield from _faults(inner, path + _step(inner))


def _step(error: BaseException) -> str:
    for note in getattr(error, "__notes__", ()):
        match note:
            case AttributeValidationNote(name=name):
                return f".{name}"
            case IterableValidationNote(index=index):
                return f"[{index}]"
    return ""


def _bad_request(path: str, fault: BaseException) -> BadRequest:
    match fault:
        case Fault():
            param, message, code = path + fault.inside, str(fault), fault.code
        case KeyError():
            param, message, code = f"{path}.{fault.args[0]}", "is missing", "missing_required_parameter"
        case _:
            param, message, code = path, f"is not understood: {fault}", "invalid_value"
    param = param.removeprefix(".")
    return BadRequest(f"{param} {message}.", param=param, code=code)


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
