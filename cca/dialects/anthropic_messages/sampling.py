"""How a request for a message wants its answer sampled, and how much it is to be thought over."""

import math
from collections.abc import Iterator, Mapping
from typing import Literal, get_args

from attrs import frozen

from cca.dialects.anthropic_messages.body import BudgetedThinking, MessagesRequest, Thinking
from cca.dialects.anthropic_messages.fields import VERSION_WITHOUT_SAMPLING, unheard
from cca.dialects.sampling import Effort, check_stop, within
from cca.errors import BadRequest
from cca.model import Sampling

LEAST_BUDGET = 1024
"""Tokens that a model may be given to think, by Anthropic's schema."""

MOST_STOPS = 1000
"""Stop sequences in a request. Anthropic names no bound; it would be odd to need a hundred."""

LEAST_TOP_P = 0.95
"""While a model thinks."""

EXTRA = "Extra inputs are not permitted"
"""How the API says that there is no such field."""

UPDATES = "updates"
"""What Claude Code asks a display of thinking to be now and then; it has no effect on what is thought."""

_DISPLAYS: Mapping[str, Literal["summarized", "omitted"]] = {"summarized": "summarized", "omitted": "omitted"}

_PLAIN: Mapping[str, float] = {"temperature": 1, "top_p": 1, "top_k": 0}
"""What is the same as saying nothing."""

EFFORTS: tuple[Effort, ...] = get_args(Effort)


@frozen
class Ways:
    """What the model that is asked, and the API's version, leave a request to choose.

    The model can do without thinking (``thinking_off``), a call is ``forced``, sampling may be ``tuned``.
    """

    thinking_off: bool
    forced: bool
    tuned: bool


def read_effort(effort: str | None, path: str) -> Effort | None:
    for known in EFFORTS:
        if effort == known:
            return known
    if effort is None:
        return None
    raise _bad(path, f"is {effort[:40]!r}, and must be one of: {', '.join(EFFORTS)}.")


def read_sampling(request: MessagesRequest, effort: Effort | None, ways: Ways) -> tuple[Sampling, tuple[str, ...]]:
    """Return how to sample, and the names of what has no effect. Raise ``BadRequest`` for what the API refuses.

    Who does not ask for thinking has none, where the model can do without: otherwise it samples as it sees fit.
    """
    given = _given(request, tuned=ways.tuned)
    stop = _stops(request.stop_sequences or ())
    thinking = request.thinking
    ignored = list(_unheard(thinking)) if thinking is not None else []
    if thinking is not None and thinking.type != "disabled":
        _check_thinking(thinking, given, request.max_tokens, forced=ways.forced)
        budget = thinking.budget_tokens if isinstance(thinking, BudgetedThinking) else None
        display = _DISPLAYS.get(thinking.display or "")
        return Sampling(
            request.max_tokens,
            stop,
            top_p=given.get("top_p"),
            effort=effort,
            thinking=True,
            thinking_budget=budget,
            thinking_display=display,
        ), tuple(ignored)
    if not ways.thinking_off:
        always = ["thinking (the model always does)"] if thinking is not None else []
        return Sampling(request.max_tokens, stop, effort=effort), (*ignored, *always, *given)
    top_k = request.top_k if "top_k" in given else None
    return Sampling(
        request.max_tokens, stop, given.get("temperature"), given.get("top_p"), effort, thinking=False, top_k=top_k
    ), tuple(ignored)


def _given(request: MessagesRequest, *, tuned: bool) -> dict[str, float]:
    """Return what a request says of its sampling, without what is so anyway."""
    sent = {"temperature": request.temperature, "top_p": request.top_p, "top_k": request.top_k}
    given = {name: value for name, value in sent.items() if value is not None}
    for name, value in given.items():
        if not tuned:
            raise _bad(name, f"is not permitted from version {VERSION_WITHOUT_SAMPLING} of the API on: {EXTRA}.")
        within(name, value, math.inf if name == "top_k" else 1)
    return {name: value for name, value in given.items() if value != _PLAIN[name]}


def _check_thinking(thinking: Thinking, given: Mapping[str, float], limit: int | None, *, forced: bool) -> None:
    """Raise ``BadRequest`` for what does not go together with thinking."""
    if isinstance(thinking, BudgetedThinking):
        path, budget = "thinking.budget_tokens", thinking.budget_tokens
        if budget < LEAST_BUDGET:
            raise _bad(path, f"must be {LEAST_BUDGET} or more, and is {budget}.")
        if limit is not None and budget >= limit:
            raise _bad(path, f"is {budget}, and max_tokens must be greater: the answer is written of what is left.")
    if forced:
        raise _bad("thinking", "may not be enabled when tool_choice forces tool use; leave out one of them.")
    if "temperature" in given:
        raise _bad("temperature", "may only be set to 1 when thinking is enabled.")
    if "top_k" in given:
        raise _bad("top_k", "must be unset when thinking is enabled.")
    if given.get("top_p", 1) < LEAST_TOP_P:
        raise _bad("top_p", f"must be {LEAST_TOP_P} or more, or unset, when thinking is enabled.")


def _unheard(thinking: Thinking) -> Iterator[str]:
    yield from unheard(thinking, "thinking")
    path = "thinking.display"
    match thinking.display:
        case None:
            pass
        case display if thinking.type == "disabled" or display == UPDATES:
            yield f"{path} ({display[:20]})"
        case display if display not in _DISPLAYS:
            known = ", ".join(_DISPLAYS)
            raise _bad(path, f"is {display[:40]!r}, and must be one of: {known}.")
        case _:
            pass


def _stops(sequences: tuple[str, ...]) -> tuple[str, ...]:
    path = "stop_sequences"
    if len(sequences) > MOST_STOPS:
        raise _bad(path, f"has {len(sequences):,} sequences, and may have {MOST_STOPS:,}.")
    for position, sequence in enumerate(sequences):
        check_stop(sequence, f"{path}[{position}]")
    return sequences


def _bad(path: str, said: str) -> BadRequest:
    return BadRequest(f"{path} {said}", param=path, code="invalid_value")
