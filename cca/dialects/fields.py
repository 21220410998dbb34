"""What becomes of the fields of a request that a dialect does not name, by its table of the refused.

A field that would change the shape or the meaning of an answer is refused, one that only tunes it is ignored and named.
Nothing is dropped in silence.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from attrs import field, frozen
from cattrs import Converter

from cca.errors import BadRequest
from cca.model import Json
from cca.wire import Body


@frozen
class Refusal:
    """A field that is refused unless its value is one of ``harmless``, which ask for what is done anyway."""

    instead: str
    harmless: tuple[Any, ...] = ()


@frozen
class Fields:
    """What a body may have: the class that it is read as, by which ``converter``, and what is refused of the rest."""

    kind: type[Body]
    converter: Converter
    refused: Mapping[str, Refusal] = field(factory=dict)


def check(extra: Mapping[str, Json], refused: Mapping[str, Refusal]) -> Iterator[str]:
    """Yield the fields of ``extra`` that have no effect. Raise ``BadRequest`` for the first that is ``refused``."""
    for name, value in extra.items():
        row = refused.get(name)
        if row is None:
            yield name
        elif not any(same(value, harmless) for harmless in row.harmless):
            code = "unsupported_value" if row.harmless else "unsupported_parameter"
            raise BadRequest(f"{name} cannot be honoured: {row.instead}", param=name, code=code)


def same(value: Json, other: Json) -> bool:
    """Return whether two values are one on the wire, where true is not 1."""
    return type(value) is type(other) and bool(value == other)
