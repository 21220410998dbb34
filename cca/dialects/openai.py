"""What OpenAI's APIs share: errors, models and token counts on the wire."""

from collections.abc import Iterable, Mapping, Sequence

from cca.errors import BadRequest, Busy, CcaError
from cca.model import Json, ModelEntry, StopReason, Usage

FINISH_REASONS: dict[StopReason, str] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "context_window": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}

MOST_NOTES, MOST_KEY, MOST_NOTE = 16, 64, 512
"""Pairs in a request's metadata, and characters of their keys and values, by OpenAI's schema."""

MODELS_CREATED = 0
"""Claude Code does not say when its models were made; the field is required."""


def refusal(error: CcaError, _request_id: str = "") -> tuple[int, Json]:
    """Return an error's status and body, which has no place for the request's id."""
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


def models_list(entries: Iterable[ModelEntry], renamed: Iterable[str] = ()) -> Json:
    """Return the list of models: each alias that Claude Code knows, each id that one stands for, and other names."""
    names = dict.fromkeys((*(name for entry in entries for name in (entry.alias, entry.id)), *renamed))
    return {"object": "list", "data": [model_object(name) for name in names]}


def choices_usage(usages: Sequence[Usage], prompts: int = 1) -> Usage:
    """Return what an answer's choices come to: each prompt is counted once, each choice's own tokens all.

    Choices of one prompt stand together, as many for each.
    """
    read, written = ("input_tokens", "cache_read_tokens", "cache_write_tokens"), ("output_tokens", "reasoning_tokens")
    of_prompts = usages[:: len(usages) // prompts]
    counts = {name: sum(getattr(usage, name) for usage in of_prompts) for name in read}
    counts |= {name: sum(getattr(usage, name) for usage in usages) for name in written}
    return Usage(**counts)


def read_choices(n: int | None, most: int) -> int:
    """Return how many choices an answer is to have. Raise ``BadRequest`` for none, or for more than there may be."""
    if n is not None and not 1 <= n <= most:
        text = f"n must be from 1 to {most}, and is {n}; send the request again for more, or raise CCA_CHOICES."
        raise BadRequest(text, param="n", code="invalid_value")
    return 1 if n is None else n


def read_metadata(value: Json, path: str = "metadata") -> Mapping[str, str]:
    """Return what a client notes beside an answer. Raise ``BadRequest`` for more than OpenAI's schema has room for."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise BadRequest(f"{path} must be an object of strings.", param=path, code="invalid_type")
    if len(value) > MOST_NOTES:
        text = f"{path} has {len(value)} keys, and may have {MOST_NOTES}."
        raise BadRequest(text, param=path, code="invalid_value")
    for key, note in value.items():
        if len(key) > MOST_KEY:
            text = f"{path} has the key {key[:MOST_KEY]!r}..., and a key may have {MOST_KEY} characters."
            raise BadRequest(text, param=path, code="invalid_value")
        where = f"{path}.{key}"
        if not isinstance(note, str):
            raise BadRequest(f"{where} must be a string.", param=where, code="invalid_type")
        if len(note) > MOST_NOTE:
            text = f"{where} has {len(note):,} characters, and may have {MOST_NOTE}."
            raise BadRequest(text, param=where, code="invalid_value")
    return value


def chat_usage(usage: Usage) -> Json:
    """Return the counts of a chat completion: a prompt counts whole, however much of it the cache had."""
    return {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.total_tokens,
        "prompt_tokens_details": {"cached_tokens": usage.cache_read_tokens},
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
    }
