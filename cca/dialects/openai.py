"""What OpenAI's APIs share: errors, models and token counts on the wire."""

from collections.abc import Iterable, Sequence

from attrs import evolve

from cca.errors import Busy, CcaError
from cca.model import Json, ModelEntry, StopReason, Usage

FINISH_REASONS: dict[StopReason, str] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "context_window": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}

MODELS_CREATED = 0
"""Claude Code does not say when its models were made; the field is required."""


def refusal(error: CcaError) -> tuple[int, Json]:
    """Return an error's status and body."""
    return _status(error), {"error": error_object(error)}


def _status(error: CcaError) -> int:
    """Return OpenAI's status for an error. It has no 529: a full cca is a 429, an overloaded model a 503."""
    if isinstance(error, Busy):
        return 429
    return 503 if error.status == 529 else error.status


def error_object(error: CcaError) -> Json:
    match _status(error):
        case 429:
            kind = "rate_limit_error"
        case status if status < 500:
            kind = "invalid_request_error"
        case _:
            kind = "server_error"
    return {"message": error.message, "type": kind, "param": error.param, "code": error.code}


def model_object(entry_id: str) -> Json:
    return {"id": entry_id, "object": "model", "created": MODELS_CREATED, "owned_by": "anthropic"}


def models_list(entries: Iterable[ModelEntry]) -> Json:
    """Return the list of models: each alias that Claude Code knows, and each id that one stands for."""
    names = dict.fromkeys(name for entry in entries for name in (entry.alias, entry.id))
    return {"object": "list", "data": [model_object(name) for name in names]}


def choices_usage(usages: Sequence[Usage]) -> Usage:
    """Return what an answer's choices come to: the prompt is counted once, each choice's own tokens all."""
    return evolve(
        usages[0],
        output_tokens=sum(usage.output_tokens for usage in usages),
        reasoning_tokens=sum(usage.reasoning_tokens for usage in usages),
    )


def chat_usage(usage: Usage) -> Json:
    """Return the counts of a chat completion: a prompt counts whole, however much of it the cache had."""
    return {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.total_tokens,
        "prompt_tokens_details": {"cached_tokens": usage.cache_read_tokens},
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
    }
