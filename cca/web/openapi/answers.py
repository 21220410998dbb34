"""What cca answers with, as schemas. Objects of its own have just these fields; those of vendors' may have more."""

from collections.abc import Mapping
from typing import get_args

import attrs

from cca.dialects.openai import FINISH_REASONS
from cca.dialects.openai_responses.resource import UNASKED, Standing
from cca.model import Json
from cca.store.turns import Role, Status
from cca.store.usage import GROUPINGS, Used
from cca.web.openapi.reading import AT, PLAIN

ANY: Json = {}
TEXT: Json = {"type": "string"}
NUMBER: Json = {"type": "number"}
COUNT: Json = {"type": "integer", "minimum": 0}
YES_OR_NO: Json = {"type": "boolean"}
MAYBE_TEXT: Json = {"type": ["string", "null"]}
MAYBE_NUMBER: Json = {"type": ["number", "null"]}
OBJECT: Json = {"type": "object"}


def one(word: str) -> Json:
    return {"const": word}


def some(*words: str | None) -> Json:
    return {"enum": [*words]}


def many(item: Json) -> Json:
    return {"type": "array", "items": item}


def whole(**fields: Json) -> Json:
    """Return the schema of an object of these fields, and of no others."""
    return {**partly(**fields), "additionalProperties": False}


def partly(**fields: Json) -> Json:
    """Return the schema of an object of these fields, and maybe others."""
    return {"type": "object", "properties": fields, "required": [*fields]}


def page(item: Json) -> Json:
    return whole(object=one("list"), data=many(item), first_id=MAYBE_TEXT, last_id=MAYBE_TEXT, has_more=YES_OR_NO)


def deleted(name: str) -> Json:
    return whole(id=TEXT, object=one(name), deleted={"const": True})


HEALTH = whole(status=one("ok"), version=TEXT, cli_version=MAYBE_TEXT, backend=TEXT)

MODEL = whole(id=TEXT, object=one("model"), created=COUNT, owned_by=TEXT)
MODELS = whole(object=one("list"), data=many(MODEL))

ANTHROPIC_MODEL = partly(type=one("model"), id=TEXT, display_name=TEXT, created_at=TEXT)
ANTHROPIC_MODELS = whole(data=many(ANTHROPIC_MODEL), first_id=MAYBE_TEXT, last_id=MAYBE_TEXT, has_more=YES_OR_NO)

SESSION = whole(
    id=TEXT,
    object=one("session"),
    title=MAYBE_TEXT,
    created_at=COUNT,
    updated_at=COUNT,
    expires_after=MAYBE_NUMBER,
    expires_at=MAYBE_NUMBER,
    turns=COUNT,
)

TURN = partly(
    id=TEXT,
    object=one("session.turn"),
    position=COUNT,
    role=some(*get_args(Role)),
    content=many(partly(type=TEXT)),
    created_at=COUNT,
    status=some(*get_args(Status)),
)

_CHAT_USAGE = partly(prompt_tokens=COUNT, completion_tokens=COUNT, total_tokens=COUNT)

_REASON = some(*dict.fromkeys(FINISH_REASONS.values()), "function_call")

CHAT_COMPLETION = partly(
    id=TEXT,
    object=one("chat.completion"),
    created=COUNT,
    model=TEXT,
    choices=many(
        partly(
            index=COUNT,
            message=partly(role=one("assistant"), content=MAYBE_TEXT, refusal=MAYBE_TEXT),
            logprobs={"type": "null"},
            finish_reason=_REASON,
        )
    ),
    usage=_CHAT_USAGE,
)

SENT_MESSAGE = partly(id=TEXT, role=TEXT, content=MAYBE_TEXT, content_parts={"type": ["array", "null"]})

COMPLETION = partly(
    id=TEXT,
    object=one("text_completion"),
    created=COUNT,
    model=TEXT,
    choices=many(partly(index=COUNT, text=TEXT, logprobs={"type": "null"}, finish_reason=_REASON)),
    usage=_CHAT_USAGE,
)

ITEM = partly(id=TEXT, type=TEXT)

RESPONSE = partly(
    id=TEXT,
    object=one("response"),
    created_at=COUNT,
    completed_at={"type": "null"},
    status=some(*get_args(Standing)),
    error={"type": ["object", "null"]},
    incomplete_details={"type": ["object", "null"]},
    model=TEXT,
    output=many(ITEM),
    usage=partly(input_tokens=COUNT, output_tokens=COUNT, total_tokens=COUNT),
    **dict.fromkeys(UNASKED, ANY),
)

RESPONSE_COUNT = whole(object=one("response.input_tokens"), input_tokens=COUNT)

MESSAGE = partly(
    id=TEXT,
    type=one("message"),
    role=one("assistant"),
    model=TEXT,
    content=many(partly(type=TEXT)),
    stop_reason=TEXT,
    stop_sequence=MAYBE_TEXT,
    usage=partly(input_tokens=COUNT, output_tokens=COUNT),
)

MESSAGE_COUNT = whole(input_tokens=COUNT)

CONVERSATION = whole(id=TEXT, object=one("conversation"), created_at=COUNT, metadata=OBJECT)


def _usage() -> Json:
    row = whole(**{each.name: _plain(each) for each in attrs.fields(Used)})
    row["required"] = [each.name for each in attrs.fields(Used) if each.default is attrs.NOTHING]
    return whole(object=one("usage"), start=TEXT, end=TEXT, group_by=many(some(*GROUPINGS)), data=many(row))


def _plain(field: "attrs.Attribute[object]") -> Json:
    name = PLAIN.get(field.type)
    return {"type": name} if name is not None else MAYBE_NUMBER if field.name == "first_event" else MAYBE_TEXT


USAGE = _usage()

SCHEMAS: Mapping[str, Json] = {
    "Health": HEALTH,
    "Description": partly(openapi=TEXT, info=OBJECT, paths=OBJECT),
    "AnyModels": {"anyOf": [MODELS, ANTHROPIC_MODELS]},
    "AnyModel": {"anyOf": [MODEL, ANTHROPIC_MODEL]},
    "ChatCompletion": CHAT_COMPLETION,
    "ChatCompletionPage": page({"$ref": f"{AT}ChatCompletion"}),
    "ChatCompletionDeleted": deleted("chat.completion.deleted"),
    "SentMessagePage": page(SENT_MESSAGE),
    "Completion": COMPLETION,
    "Response": RESPONSE,
    "ResponseCount": RESPONSE_COUNT,
    "ResponseDeleted": deleted("response"),
    "Item": ITEM,
    "ItemPage": page({"$ref": f"{AT}Item"}),
    "Message": MESSAGE,
    "MessageCount": MESSAGE_COUNT,
    "Conversation": CONVERSATION,
    "ConversationDeleted": deleted("conversation.deleted"),
    "Session": SESSION,
    "SessionPage": page({"$ref": f"{AT}Session"}),
    "SessionDeleted": deleted("session.deleted"),
    "TurnPage": page(TURN),
    "Usage": USAGE,
}
"""By the names that ``OPERATIONS`` has them by."""
