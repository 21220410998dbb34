"""How a request to one of OpenAI's APIs wants its answer sampled, as far as Claude can."""

from collections.abc import Mapping
from typing import Any, TypeAlias, cast

from attrs import field, frozen
from cattrs import Converter

from cca.dialects.sampling import Effort, check_stop, within
from cca.errors import BadRequest
from cca.model import Sampling
from cca.wire import or_null, text_or_array

Stop: TypeAlias = str | tuple[str, ...]

STOP_LIMIT = 4
"""Stop sequences in a request, by OpenAI's schema."""

MOST_TEMPERATURE = 2
"""OpenAI's highest temperature; Claude's is 1, which stands for all above it."""

EFFORTS: Mapping[str, Effort] = {
    "none": "low",
    "minimal": "low",
    "low": "low",
    "medium": "medium",
    "high": "high",
    "xhigh": "xhigh",
    "max": "max",
}
"""OpenAI's efforts to Claude's. ``none`` and ``minimal`` mean no thinking, where a model can do without."""

UNTHINKING = ("none", "minimal")

MOST_THINKING = 31_999
"""Tokens that Claude Code lets a model of old think; the API wants a limit to be higher."""


@frozen(kw_only=True)
class Wishes:
    """What a request says of it. ``limits`` are of tokens, by their fields' names: the first that is given counts."""

    limits: Mapping[str, int | None] = field(factory=dict)
    stop: Stop | None = None
    temperature: float | None = None
    top_p: float | None = None
    effort: str | None = None
    effort_path: str = "reasoning_effort"


def read_stop(converter: Converter) -> None:
    """Let a converter read a ``Stop``, and none."""
    stop, optional = cast(Any, Stop), cast(Any, Stop | None)
    hook = text_or_array(converter, tuple[str, ...])
    converter.register_structure_hook(stop, hook)
    converter.register_structure_hook(optional, or_null(hook))


def read_sampling(wishes: Wishes, *, thinking_off: bool, forced: bool = False) -> tuple[Sampling, tuple[str, ...]]:
    """Return how to sample, and the names of what has no effect.

    Thinking fixes the temperature: a model that can do without (``thinking_off``) does, unless the request asks it to
    think. It does where the limit leaves no room to think. A tool call that is ``forced`` is made without thinking in
    any case.
    """
    effort = _effort(wishes)
    wished = {
        "temperature": within("temperature", wishes.temperature, MOST_TEMPERATURE),
        "top_p": within("top_p", wishes.top_p, 1),
    }
    given = {name: value for name, value in wished.items() if value is not None and value != 1}
    limit, untaken = _limit(wishes.limits)
    stop = _stop(wishes.stop)
    if forced and effort is not None and wishes.effort not in UNTHINKING:
        untaken = (*untaken, f"{wishes.effort_path} (no thinking before a call that is forced)")
    cramped = limit is not None and limit <= MOST_THINKING
    unthinking = forced or cramped or wishes.effort in UNTHINKING or (bool(given) and effort is None)
    if not (thinking_off and unthinking):
        return Sampling(limit, stop, effort=effort), (*untaken, *given)
    if cramped and not forced and wishes.effort not in (*UNTHINKING, None):
        untaken = (*untaken, f"{wishes.effort_path} (no thinking within {limit} tokens)")
    temperature = min(given["temperature"], 1.0) if "temperature" in given else None
    return Sampling(limit, stop, temperature, given.get("top_p"), thinking=False), untaken


def _effort(wishes: Wishes) -> Effort | None:
    if wishes.effort is None:
        return None
    if wishes.effort not in EFFORTS:
        path, known = wishes.effort_path, ", ".join(EFFORTS)
        raise BadRequest(f"{path} must be one of: {known}.", param=path, code="invalid_value")
    return EFFORTS[wishes.effort]


def _limit(limits: Mapping[str, int | None]) -> tuple[int | None, tuple[str, ...]]:
    """Return the limit that counts, and the names of those that say something else."""
    given = {name: limit for name, limit in limits.items() if limit is not None}
    for name, limit in given.items():
        if limit < 1:
            raise BadRequest(f"{name} must be 1 or more, and is {limit}.", param=name, code="invalid_value")
    counts = next(iter(given.values()), None)
    return counts, tuple(name for name, limit in given.items() if limit != counts)


def _stop(stop: Stop | None) -> tuple[str, ...]:
    sequences = (stop,) if isinstance(stop, str) else stop or ()
    if len(sequences) > STOP_LIMIT:
        raise BadRequest(f"stop has more than {STOP_LIMIT} sequences.", param="stop", code="invalid_value")
    for position, sequence in enumerate(sequences):
        check_stop(sequence, "stop" if isinstance(stop, str) else f"stop[{position}]")
    return sequences
