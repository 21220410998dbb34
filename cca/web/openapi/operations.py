"""What each route does, takes and answers: a row for each, by its method and path."""

from collections.abc import Mapping

from attrs import field, frozen

from cca.dialects import anthropic_models
from cca.dialects.anthropic_messages import ANTHROPIC_MESSAGES
from cca.dialects.anthropic_version import VERSIONS
from cca.dialects.fields import Fields
from cca.dialects.openai_chat import OPENAI_CHAT
from cca.dialects.openai_completions import OPENAI_COMPLETIONS
from cca.dialects.openai_responses import OPENAI_RESPONSES
from cca.dialects.openai_responses.body import CONVERTER, Items
from cca.errors import Conflict, NotFound
from cca.model import Json
from cca.store.usage import GROUPINGS
from cca.web import sent
from cca.web.conversations import NewConversation, NewItems
from cca.web.openapi.bounds import SESSION_ID, span
from cca.web.openapi.refusals import ANSWERED, Kinds
from cca.web.paging import MOST_ON_PAGE, PAGE
from cca.web.sent import Labels
from cca.web.sessions import Change, Fork
from cca.wire import Body

_OPENAI = "https://platform.openai.com/docs/api-reference"
_ANTHROPIC = "https://platform.claude.com/docs/en/api"


@frozen(kw_only=True)
class Taken:
    """A body. It ``needs`` more fields than its class does, or is good ``without`` some; ``also`` is a second class."""

    fields: Fields
    also: Fields | None = None
    needs: Mapping[str, Json] = field(factory=dict)
    without: tuple[str, ...] = ()
    required: bool = True


@frozen(kw_only=True)
class Operation:
    """What a route does. ``answer`` names a schema; without, it only refuses. ``guide`` is the vendor's own."""

    says: str
    answer: str | None
    taken: Taken | None = None
    parameters: tuple[Json, ...] = ()
    errors: Kinds = ()
    streams: bool = False
    guide: str | None = None


def _own(kind: type[Body], also: Fields | None = None) -> Taken:
    return Taken(fields=Fields(kind, sent.CONVERTER), also=also, required=also is not None)


def _query(name: str, schema: Json, says: str) -> Json:
    return {"name": name, "in": "query", "schema": schema, "description": says}


def _header(name: str, schema: Json, says: str) -> Json:
    return {**_query(name, schema, says), "in": "header"}


LIMIT = _query("limit", {"type": "integer", **span(1, MOST_ON_PAGE), "default": PAGE}, "How many are on the page.")
AFTER = _query("after", {"type": "string"}, "`last_id` of the page before.")


def _order(usual: str) -> Json:
    return _query("order", {"enum": ["asc", "desc"], "default": usual}, "The oldest first, or the newest.")


SESSION = _header("x-session-id", SESSION_ID, "The session that this goes on from; it is made on its first use.")

_DATE: Json = {"type": "string", "format": "date"}

_VERSION = _header(
    "anthropic-version",
    {"type": "string", "format": "date", "default": VERSIONS[0]},
    f"The version of Anthropic's API: {' or '.join(VERSIONS)}; another date means the one before it.",
)

_MODEL_PAGE = (
    _query("limit", {"type": "string"}, f"1 to {anthropic_models.MOST_ON_PAGE} on a page of Anthropic's."),
    _query("after_id", {"type": "string"}, "The model before a page of Anthropic's."),
    _query("before_id", {"type": "string"}, "The model behind a page of Anthropic's."),
)
"""No client of OpenAI's has a page, and its query counts for nothing."""

_HEALTH = Operation(says="Whether cca serves, and with which Claude Code.", answer="Health")

_NAMED: Kinds = (NotFound,)

OPERATIONS: Mapping[str, Operation] = {
    "GET /": _HEALTH,
    "GET /health": _HEALTH,
    "GET /openapi.json": Operation(says="This description.", answer="Description"),
    "GET /v1/models": Operation(
        says="The models that there are, in the shape of Anthropic's API where the request names a version of it.",
        answer="AnyModels",
        parameters=(_VERSION, *_MODEL_PAGE),
        guide=f"{_OPENAI}/models",
    ),
    "GET /v1/models/<path:name>": Operation(
        says="A model, in the shape of Anthropic's API where the request names a version of it.",
        answer="AnyModel",
        parameters=(_VERSION,),
        errors=_NAMED,
        guide=f"{_OPENAI}/models",
    ),
    "POST /v1/chat/completions": Operation(
        says="A chat completion, whole or streamed.",
        answer="ChatCompletion",
        taken=Taken(fields=OPENAI_CHAT.fields),
        parameters=(SESSION,),
        errors=ANSWERED,
        streams=True,
        guide=f"{_OPENAI}/chat",
    ),
    "GET /v1/chat/completions": Operation(
        says="The chat completions that were stored. `metadata[key]=value` in the query leaves out those without.",
        answer="ChatCompletionPage",
        parameters=(
            *(LIMIT, AFTER, _order("asc")),
            _query("model", {"type": "string"}, "The model that was asked."),
        ),
        errors=_NAMED,
        guide=f"{_OPENAI}/chat",
    ),
    "GET /v1/chat/completions/<id>": Operation(
        says="A chat completion that was stored.", answer="ChatCompletion", errors=_NAMED
    ),
    "POST /v1/chat/completions/<id>": Operation(
        says="Sets its metadata.", answer="ChatCompletion", taken=_own(Labels), errors=_NAMED
    ),
    "DELETE /v1/chat/completions/<id>": Operation(says="Deletes it.", answer="ChatCompletionDeleted", errors=_NAMED),
    "GET /v1/chat/completions/<id>/messages": Operation(
        says="The messages that it answers.",
        answer="SentMessagePage",
        parameters=(LIMIT, AFTER, _order("asc")),
        errors=_NAMED,
    ),
    "POST /v1/completions": Operation(
        says="The texts that follow one prompt or several, whole or streamed.",
        answer="Completion",
        taken=Taken(fields=OPENAI_COMPLETIONS.fields),
        parameters=(SESSION,),
        errors=ANSWERED,
        streams=True,
        guide=f"{_OPENAI}/completions",
    ),
    "POST /v1/responses": Operation(
        says="A response, whole or streamed.",
        answer="Response",
        taken=Taken(fields=OPENAI_RESPONSES.fields),
        parameters=(SESSION,),
        errors=ANSWERED,
        streams=True,
        guide=f"{_OPENAI}/responses",
    ),
    "POST /v1/responses/input_tokens": Operation(
        says="About how many tokens a request for a response is; nothing is started for it.",
        answer="ResponseCount",
        taken=Taken(fields=OPENAI_RESPONSES.fields, without=("model",)),
        parameters=(SESSION,),
        errors=(NotFound, Conflict),
        guide=f"{_OPENAI}/responses",
    ),
    "POST /v1/responses/compact": Operation(says="Refused: cca compacts nothing.", answer=None, errors=_NAMED),
    "GET /v1/responses/<id>": Operation(
        says="A response that was stored, whole.",
        answer="Response",
        parameters=(_query("stream", {"const": "false"}, "A response is streamed only while it is made."),),
        errors=_NAMED,
        guide=f"{_OPENAI}/responses",
    ),
    "DELETE /v1/responses/<id>": Operation(says="Deletes it.", answer="ResponseDeleted", errors=_NAMED),
    "GET /v1/responses/<id>/input_items": Operation(
        says="The items that it answers.",
        answer="ItemPage",
        parameters=(LIMIT, AFTER, _order("desc")),
        errors=_NAMED,
    ),
    "POST /v1/responses/<id>/cancel": Operation(
        says="Refused: no response is made in the background.", answer=None, errors=_NAMED
    ),
    "POST /v1/messages": Operation(
        says="A message, whole or streamed.",
        answer="Message",
        taken=Taken(fields=ANTHROPIC_MESSAGES.fields, needs={"max_tokens": {"type": "integer", **span(1)}}),
        parameters=(_VERSION, SESSION),
        errors=ANSWERED,
        streams=True,
        guide=f"{_ANTHROPIC}/messages",
    ),
    "POST /v1/messages/count_tokens": Operation(
        says="About how many tokens a request for a message is; nothing is started for it.",
        answer="MessageCount",
        taken=Taken(fields=ANTHROPIC_MESSAGES.fields),
        parameters=(_VERSION, SESSION),
        errors=(NotFound, Conflict),
        guide=f"{_ANTHROPIC}/messages/count_tokens",
    ),
    "POST /v1/conversations": Operation(
        says="Makes a conversation, with the items that it begins with.",
        answer="Conversation",
        taken=_own(NewConversation),
        guide=f"{_OPENAI}/conversations",
    ),
    "GET /v1/conversations/<id>": Operation(says="A conversation.", answer="Conversation", errors=_NAMED),
    "POST /v1/conversations/<id>": Operation(
        says="Sets its metadata.", answer="Conversation", taken=_own(Labels), errors=_NAMED
    ),
    "DELETE /v1/conversations/<id>": Operation(says="Deletes it.", answer="ConversationDeleted", errors=_NAMED),
    "GET /v1/conversations/<id>/items": Operation(
        says="What was said in it.",
        answer="ItemPage",
        parameters=(LIMIT, AFTER, _order("desc")),
        errors=_NAMED,
    ),
    "POST /v1/conversations/<id>/items": Operation(
        says="Puts items behind those that are there.",
        answer="ItemPage",
        taken=_own(NewItems, also=Fields(Items, CONVERTER)),
        errors=(NotFound, Conflict),
    ),
    "GET /v1/conversations/<id>/items/<item>": Operation(says="One item of it.", answer="Item", errors=_NAMED),
    "GET /v1/sessions": Operation(
        says="The sessions of whoever asks, those last used first.",
        answer="SessionPage",
        parameters=(LIMIT, AFTER),
        errors=_NAMED,
    ),
    "GET /v1/sessions/<id>": Operation(says="A session.", answer="Session", errors=_NAMED),
    "PATCH /v1/sessions/<id>": Operation(
        says="Sets its title, and how long it is kept.", answer="Session", taken=_own(Change), errors=_NAMED
    ),
    "DELETE /v1/sessions/<id>": Operation(says="Deletes it.", answer="SessionDeleted", errors=_NAMED),
    "GET /v1/sessions/<id>/turns": Operation(
        says="What was said in it.", answer="TurnPage", parameters=(LIMIT, AFTER), errors=_NAMED
    ),
    "POST /v1/sessions/<id>/fork": Operation(
        says="Copies it, or its first turns, to a session that goes its own way.",
        answer="Session",
        taken=_own(Fork),
        errors=(NotFound, Conflict),
    ),
    "GET /v1/usage": Operation(
        says="Tokens, cost and time of a key; of all keys for an admin.",
        answer="Usage",
        parameters=(
            _query("start", _DATE, "The first day, in UTC; else the last 30."),
            _query("end", _DATE, "The day after the last."),
            _query("group_by", {"type": "string", "default": "day"}, f"Any of {', '.join(GROUPINGS)}, with commas."),
        ),
    ),
}
"""By the endpoint's name in the application."""
