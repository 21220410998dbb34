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
    """Return how to sample, and the names of what this model cannot take: its thinking fixes the temperature."""
    wished = {"temperature": request.temperature, "top_p": request.top_p}
    given = {name: value for name, value in wished.items() if value is not None and value != 1}
    effort = _effort(request.reasoning_effort)
    no_thinking = thinking_off and (bool(given) or request.reasoning_effort in ("none", "minimal"))
    _within("temperature", request.temperature, 0, 2)
    _within("top_p", request.top_p, 0, 1)
    sampling = Sampling(
        max_tokens=_max_tokens(request),
        stop_sequences=_stop(request.stop),
        temperature=min(given["temperature"], 1.0) if no_thinking and "temperature" in given else None,
        top_p=given.get("top_p") if no_thinking else None,
        effort=None if no_thinking else effort,
        thinking=False if no_thinking else None,
    )
    return sampling, () if no_thinking else tuple(given)


def _effort(wished: str | None) -> Effort | None:
    if wished is None:
        return None
    if wished not in EFFORTS:
        known = ", ".join(EFFORTS)
        raise BadRequest(f"reasoning_effort must be one of: {known}.", param="reasoning_effort", code="invalid_value")
    return EFFORTS[wished]


def _max_tokens(request: ChatRequest) -> int | None:
    limits = {"max_completion_tokens": request.max_completion_tokens, "max_tokens": request.max_tokens}
    for name, limit in limits.items():
        if limit is not None and limit < 1:
            raise BadRequest(f"{name} must be 1 or more, and is {limit}.", param=name, code="invalid_value")
    return next((limit for limit in limits.values() if limit is not None), None)


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


def _within(name: str, value: float | None, least: float, most: float) -> None:
    if value is not None and not least <= value <= most:
        raise BadRequest(f"{name} must be from {least} to {most}, and is {value:g}.", param=name, code="invalid_value")
