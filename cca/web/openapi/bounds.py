"""What fields of bodies are held to besides their types, out of the numbers and words that hold them to it."""

from collections.abc import Iterable, Mapping

from cca.dialects.anthropic_messages import body as messages
from cca.dialects.anthropic_messages.checks import MOST_TITLE
from cca.dialects.anthropic_messages.sampling import EFFORTS as MESSAGE_EFFORTS
from cca.dialects.anthropic_messages.sampling import LEAST_BUDGET, MOST_STOPS
from cca.dialects.openai import MOST_KEY, MOST_NOTE, MOST_NOTES
from cca.dialects.openai_chat import body as chat
from cca.dialects.openai_completions import request as completions
from cca.dialects.openai_format import KINDS
from cca.dialects.openai_responses import body as responses
from cca.dialects.openai_responses.conversation import MOST_ITEMS
from cca.dialects.openai_sampling import EFFORTS, MOST_TEMPERATURE, STOP_LIMIT
from cca.model import Json
from cca.settings import MOST_EXPIRY
from cca.store.sessions import ID_RULE, TITLE_LIMIT
from cca.web import conversations, sent, sessions


def span(least: float, most: float | None = None) -> Json:
    return {"minimum": least} if most is None else {"minimum": least, "maximum": most}


def _one_of(words: Iterable[str]) -> Json:
    return {"enum": [*words, None]}


SESSION_ID: Json = {
    "type": "string",
    "pattern": r"^(?!\.+$)[A-Za-z0-9._-]{1,128}$",
    "description": f"The id of a session: {ID_RULE}.",
}

COUNT = span(1)

METADATA: Json = {
    "type": ["object", "null"],
    "maxProperties": MOST_NOTES,
    "propertyNames": {"maxLength": MOST_KEY},
    "additionalProperties": {"type": "string", "maxLength": MOST_NOTE},
}

CHOICES: Json = {**span(1), "description": "Choices of the answer, at most as many as the setting `CCA_CHOICES` says."}

PROMPT: Json = {
    "anyOf": [
        {"type": "string", "minLength": 1},
        {"type": "array", "items": {"type": "string", "minLength": 1}, "minItems": 1},
    ],
    "description": "A text, or several of them; tokens are refused.",
}

TOOL_CHOICE: Json = {
    "type": ["string", "object", "null"],
    "description": "`auto`, `none`, `required`, one function, or `allowed_tools`.",
}

FORMAT: Json = {
    "type": ["object", "null"],
    "properties": {"type": {"enum": [*KINDS]}},
    "required": ["type"],
    "description": "The form of the answer, which is checked against its schema.",
}

SCHEMA: Json = {"type": ["object", "null"], "description": "The JSON schema of an object."}

_OF_OPENAI: Mapping[str, Json] = {
    "temperature": span(0, MOST_TEMPERATURE),
    "top_p": span(0, 1),
    "metadata": METADATA,
    "tool_choice": TOOL_CHOICE,
}

BOUNDS: Mapping[type, Mapping[str, Json]] = {
    chat.ChatRequest: {
        **_OF_OPENAI,
        "max_tokens": COUNT,
        "max_completion_tokens": COUNT,
        "stop": {"maxItems": STOP_LIMIT},
        "reasoning_effort": _one_of(EFFORTS),
        "function_call": {"type": ["string", "object", "null"]},
        "response_format": FORMAT,
        "n": CHOICES,
    },
    chat.Function: {"parameters": SCHEMA},
    completions.CompletionRequest: {
        **_OF_OPENAI,
        "prompt": PROMPT,
        "max_tokens": COUNT,
        "stop": {"maxItems": STOP_LIMIT},
        "n": CHOICES,
    },
    responses.ResponsesRequest: {**_OF_OPENAI, "max_output_tokens": COUNT},
    **{kind: {"type": _one_of([tag])} for tag, kind in responses.ITEMS.items()},
    responses.Message: {"type": _one_of(["message"]), "role": {"enum": [*responses.ROLES]}},
    responses.FunctionTool: {"parameters": SCHEMA},
    responses.ReasoningConfig: {"effort": _one_of(EFFORTS)},
    responses.TextConfig: {"format": FORMAT},
    messages.MessagesRequest: {
        "temperature": span(0, 1),
        "top_p": span(0, 1),
        "top_k": span(0),
        "stop_sequences": {"maxItems": MOST_STOPS},
    },
    messages.CacheControl: {"type": {"const": "ephemeral"}, "ttl": {"enum": ["5m", "1h", None]}},
    messages.OutputConfig: {"effort": _one_of(MESSAGE_EFFORTS)},
    messages.DocumentBlock: {"title": {"minLength": 1, "maxLength": MOST_TITLE}},
    messages.BudgetedThinking: {"budget_tokens": span(LEAST_BUDGET)},
    messages.CustomTool: {"input_schema": {"type": "object", "description": "The JSON schema of an object."}},
    conversations.NewConversation: {"items": {"type": ["array", "null"], "maxItems": MOST_ITEMS}, "metadata": METADATA},
    conversations.NewItems: {"items": {"type": "array", "maxItems": MOST_ITEMS}},
    sent.Labels: {"metadata": METADATA},
    sessions.Change: {"title": {"maxLength": TITLE_LIMIT}, "expires_after": span(1, MOST_EXPIRY)},
    sessions.Fork: {
        "id": {**SESSION_ID, "type": ["string", "null"]},
        "title": {"maxLength": TITLE_LIMIT},
        "turns": span(0),
    },
}
"""By the class of a body, and its field. What ``null`` leaves out, an ``enum`` has to allow."""
