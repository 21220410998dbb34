"""The body of a request for a message to what it asks for.

Source of the format: Anthropic's published schema ``CreateMessageParams``; its titles are the names here.
"""

from collections.abc import Iterator, Mapping

from attrs import evolve

from cca import marks
from cca.dialects.anthropic_messages.body import MessagesRequest, read
from cca.dialects.anthropic_messages.checks import mark
from cca.dialects.anthropic_messages.fields import VERSION_WITHOUT_SAMPLING, check_extra, check_thread, unheard
from cca.dialects.anthropic_messages.form import output_schema
from cca.dialects.anthropic_messages.sampling import Ways, read_effort, read_sampling
from cca.dialects.anthropic_messages.tools import read_offer
from cca.dialects.anthropic_messages.turns import Heard, read_messages
from cca.dialects.contract import Ask, Terms
from cca.dialects.sampling import Effort
from cca.dialects.tools import unheld
from cca.errors import BadRequest
from cca.model import Conversation, Json

UNCOUNTED = ("max_tokens", "stream")
"""Fields of a request for a message that its count has no use for."""

MOST_MARKS = 4
"""Marks for the cache that the API takes."""


def decode(body: Mapping[str, Json], terms: Terms) -> Ask:
    """Return what a body asks for. Raise ``BadRequest`` or, for its model, ``NotFound``; nothing was started then."""
    check_thread(body)
    request = read(body)
    _check_limit(request.max_tokens)
    return _asked(request, terms)


def decode_count(body: Mapping[str, Json], terms: Terms) -> Ask:
    """Return what a body would ask for whose tokens are to be counted. How many may come out, and how, is ignored."""
    check_thread(body)
    request = read(body)
    ask = _asked(evolve(request, max_tokens=None, stream=None), terms)
    sent = [name for name in UNCOUNTED if getattr(request, name) is not None]
    return evolve(ask, ignored=(*ask.ignored, *sent))


def _asked(request: MessagesRequest, terms: Terms) -> Ask:
    extra = tuple(check_extra(request.extra))
    model = terms.catalogue.resolve(request.model)
    entry = terms.catalogue.entry(model)
    tuned = terms.version is None or terms.version < VERSION_WITHOUT_SAMPLING
    heard = read_messages(request.system, request.messages, entry.id if entry else model, documents=tuned)
    offer = read_offer(request, heard, continues=terms.continues)
    schema, unshaped = output_schema(request)
    effort, unsaid = _effort(request, heard)
    ways = Ways(thinking_off=terms.catalogue.thinking_off(model), forced=offer.choice.forced, tuned=tuned)
    sampling, untaken = read_sampling(request, effort, ways)
    conversation = Conversation(
        model,
        heard.turns,
        system=heard.system,
        tools=offer.tools,
        sampling=sampling,
        tool_choice=offer.choice,
        output_schema=schema,
        system_marks=heard.system_marks,
        cache=mark(request.cache_control, "") or heard.end_mark,
    )
    ignored = (*extra, *unshaped, *unsaid, *offer.ignored, *untaken, *heard.ignored)
    if request.cache_control is not None:
        ignored = (*ignored, *unheard(request.cache_control, "cache_control"))
    return Ask(
        (conversation,),
        stream=request.stream is True,
        ignored=(*ignored, *_unmarked(conversation), *unheld(conversation, "tools.strict")),
        results=heard.results,
    )


def _check_limit(limit: int | None) -> None:
    if limit is None:
        raise BadRequest("max_tokens is missing.", param="max_tokens", code="missing_required_parameter")
    if limit == 0:
        text = "max_tokens is 0, which only fills the API's cache, and Claude Code always answers; send 1 or more."
        raise BadRequest(text, param="max_tokens", code="unsupported_value")
    if limit < 0:
        raise BadRequest(f"max_tokens must be 1 or more, and is {limit}.", param="max_tokens", code="invalid_value")


def _effort(request: MessagesRequest, heard: Heard) -> tuple[Effort | None, tuple[str, ...]]:
    """Return the effort of the answer: what a message says of it counts more than what is said of the request."""
    effort: Effort | None = None
    ignored: list[str] = []
    for config, path in ((request.output_config, "output_config"), (heard.output_config, heard.output_path)):
        if config is not None:
            effort = read_effort(config.effort, f"{path}.effort") or effort
            ignored += unheard(config, path)
    if heard.output_config is not None and heard.output_config.format is not None:
        ignored.append("messages.output_config.format")
    return effort, tuple(ignored)


def _unmarked(conversation: Conversation) -> Iterator[str]:
    """Name marks for the cache that do not arrive where they are. Raise ``BadRequest`` for more than there may be."""
    found = marks.count(conversation)
    if found > MOST_MARKS:
        text = f"A maximum of {MOST_MARKS} blocks with cache_control may be provided. Found {found}."
        raise BadRequest(text, code="invalid_value")
    if marks.kept(conversation):
        instead = " (at the end instead)" if marks.moved(conversation) else ""
        if conversation.system_marks:
            yield f"system.cache_control{instead}"
        if marks.on_pictures(conversation):
            yield f"messages.content.image.cache_control{instead}"
