"""How an answer is sampled: what the APIs have in common of it."""

from typing import Literal, TypeAlias

from cca.errors import BadRequest

Effort: TypeAlias = Literal["low", "medium", "high", "xhigh", "max"]


def check_stop(sequence: str, path: str) -> None:
    """Raise ``BadRequest`` for what Claude cannot stop at."""
    if not sequence.strip():
        raise BadRequest(
            f"{path} is only white space, which Claude cannot stop at; use a sequence with other characters.",
            param=path,
            code="unsupported_value",
        )


def within(name: str, value: float | None, most: float) -> float | None:
    """Return ``value``. Raise ``BadRequest`` for one that is not from 0 to ``most``."""
    if value is not None and not 0 <= value <= most:
        raise BadRequest(f"{name} must be from 0 to {most}, and is {value:g}.", param=name, code="invalid_value")
    return value
