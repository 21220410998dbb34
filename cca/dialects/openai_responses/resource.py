"""The response object: what it is, what it repeats of the request, how it stands.

Source of the format: the Open Responses specification, ``ResponseResource``, all of whose fields are required.
"""

from collections.abc import Mapping, Sequence
from typing import Literal, TypeAlias

from cca import estimate
from cca.dialects.contract import Ask, Stamp
from cca.dialects.openai import error_object
from cca.dialects.openai_responses.items import Items, Status, items_of, parts_of
from cca.dialects.openai_responses.stored import PREFIX
from cca.errors import CcaError
from cca.message import Message
from cca.model import Conversation, Json, StopReason, Usage

Standing: TypeAlias = Literal["in_progress", "completed", "incomplete", "failed"]

INCOMPLETE: Mapping[StopReason, str] = {
    "max_tokens": "max_output_tokens",
    "context_window": "max_output_tokens",
    "refusal": "content_filter",
}
"""Why an answer is not complete, by the reason for which the model stopped; any other completes it."""

UNASKED: Mapping[str, Json] = {
    "background": False,
    "frequency_penalty": 0,
    "instructions": None,
    "max_output_tokens": None,
    "max_tool_calls": None,
    "metadata": {},
    "parallel_tool_calls": True,
    "presence_penalty": 0,
    "previous_response_id": None,
    "prompt_cache_key": None,
    "reasoning": {"effort": None, "summary": None},
    "safety_identifier": None,
    "service_tier": "default",
    "store": True,
    "temperature": 1,
    "text": {"format": {"type": "text"}},
    "tool_choice": "auto",
    "tools": [],
    "top_logprobs": 0,
    "top_p": 1,
    "truncation": "disabled",
}
"""What a response repeats of a request that does not say it."""

ERROR_CODES: Mapping[str, str] = {"rate_limit_error": "rate_limit_exceeded", "invalid_request_error": "invalid_prompt"}
"""Codes of failures that have none of their own, by their type; any other is a ``server_error``."""


def response_id(stamp: Stamp) -> str:
    return f"{PREFIX}{stamp.id}"


def standing(message: Message) -> Standing:
    """Return how a complete message stands."""
    assert message.stop_reason is not None, "it is complete"
    return "incomplete" if message.stop_reason in INCOMPLETE else "completed"


def resource(ask: Ask, stamp: Stamp, message: Message, status: Standing, error: CcaError | None = None) -> Json:
    """Return the response as far as ``message`` came. When it was completed is null: nobody told the encoder."""
    reason = INCOMPLETE.get(message.stop_reason) if message.stop_reason else None
    ended = message.stop_reason is not None
    return {
        "id": response_id(stamp),
        "object": "response",
        "created_at": stamp.created,
        "completed_at": None,
        "status": status,
        "error": None if error is None else failure(error),
        "incomplete_details": None if reason is None else {"reason": reason},
        "model": message.model,
        "output": [] if status == "in_progress" else output(items_of(ask, stamp), message, status),
        "usage": usage_object(message.usage) if ended else None,
        **UNASKED,
        **ask.echo,
    }


def response(ask: Ask, stamp: Stamp, messages: Sequence[Message]) -> Json:
    """Return an answer as one body."""
    (message,) = messages
    return resource(ask, stamp, message, standing(message))


def output(items: Items, message: Message, status: Standing) -> list[Json]:
    """Return the items of a message that is over. One that did not come to its end broke off in its last item."""
    parts = parts_of(message)
    return [
        items.item(index, part, "completed" if index < len(parts) - 1 else last_status(status))
        for index, part in enumerate(parts)
    ]


def last_status(status: Standing) -> Status:
    return "completed" if status == "completed" else "incomplete"


def input_tokens(conversation: Conversation) -> Json:
    """Return about how many tokens a conversation is that the model is to hear, and none of those that may come out."""
    return {"object": "response.input_tokens", "input_tokens": estimate.input_tokens(conversation)}


def failure(error: CcaError) -> Json:
    told = error_object(error)
    return {"code": told["code"] or ERROR_CODES.get(told["type"], "server_error"), "message": told["message"]}


def usage_object(usage: Usage) -> Json:
    """Return the counts of a response: the input counts whole, however much of it the cache had."""
    return {
        "input_tokens": usage.prompt_tokens,
        "input_tokens_details": {
            "cached_tokens": usage.cache_read_tokens,
            "cache_write_tokens": usage.cache_write_tokens,
        },
        "output_tokens": usage.output_tokens,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
        "total_tokens": usage.total_tokens,
    }
