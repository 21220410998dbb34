"""How a chat completion request wants its answer sampled, as far as Claude can."""

from collections.abc import Mapping
from typing import Literal, TypeAlias

from cca.dialects.openai_chat.body import ChatRequest
from cca.errors import BadRequest
from cca.model import Sampling

STOP_LIMIT = 4
"""Stop sequences in a request, by OpenAI's schema."""

MOST_TEMPERATURE = 2
"""OpenAI's highest temperature; Claude's is 1, which stands for all above it."""

Effort: TypeAlias = Literal["low", "medium", "high", "xhigh", "max"]

EFFORTS: Mapping[str, Effort] = {
    "none": "low",
    "minimal": "low",
    "low": "low",
    "medium": "medium",
    "high": "high",
    "xhigh": "xhigh",
    "max": "max",
}
"""``reasoning_effort`` to Claude's. ``none`` and ``minimal`` mean no thinking, where a model can do without."""


def read_sampling(request: ChatRequest, *, thinking_off: bool) -> tuple[Sampling, tuple[str, ...]]:
    """Return how to sample, and the names of what has no effect.

    Thinking fixes the temperature: a model that can do without does, unless the request asks it to think.
    """
    effort = _effort(request.reasoning_effort)
    wished = {
        "temperature": _within("temperature", request.temperature, MOST_TEMPERATURE),
        "top_p": _within("top_p", request.top_p, 1),
    }
    given = {name: value for name, value in wished.items() if value is not None and value != 1}
    unthinking = request.reasoning_effort in ("none", "minimal") or (bool(given) and effort is None)
    limit, untaken = _max_tokens(request)
    if not (thinking_off and unthinking):
        return Sampling(limit, _stop(request.stop), effort=effort), (*untaken, *given)
    temperature = min(given["temperature"], 1.0) if "temperature" in given else None
    sampling = Sampling(limit, _stop(request.stop), temperature, given.get("top_p"), thinking=False)
    return sampling, untaken


def _effort(wished: str | None) -> Effort | None:
    if wished is None:
        return None
    if wished not in EFFORTS:
        known = ", ".join(EFFORTS)
        raise BadRequest(f"reasoning_effort must be one of: {known}.", param="reasoning_effort", code="invalid_value")
    return EFFORTS[wished]


def _max_tokens(request: ChatRequest) -> tuple[int | None, tuple[str, ...]]:
    """Return the limit, and the older of its two names when the newer says something else."""
    new, old = request.max_completion_tokens, request.max_tokens
    for name, limit in (("max_completion_tokens", new), ("max_tokens", old)):
        if limit is not None and limit < 1:
            raise BadRequest(f"{name} must be 1 or more, and is {limit}.", param=name, code="invalid_value")
    if new is None:
        return old, ()
    return new, ("max_tokens",) if old not in (None, new) else ()


def _stop(stop: str | tuple[str, ...] | None) -> tuple[str, ...]:
    sequences = (stop,) if isinstance(stop, str) else stop or ()
    if len(sequences) > STOP_LIMIT:
        raise BadRequest(f"stop has more than {STOP_LIMIT} sequences.", param="stop", code="invalid_value")
    for position, sequence in enumerate(sequences):
        if not sequence.strip():
            path = "stop" if isinstance(stop, str) else f"stop[{position}]"
            raise BadRequest(
                f"{path} is only white space, which Claude cannot stop at; use a sequence with other characters.",
                param=path,
                code="unsupported_value",
            )
    return sequences


def _within(name: str, value: float | None, most: float) -> float | None:
    if value is not None and not 0 <= value <= most:
        raise BadRequest(f"{name} must be from 0 to {most}, and is {value:g}.", param=name, code="invalid_value")
    return value
