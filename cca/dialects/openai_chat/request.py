"""A chat completion request to conversations, one a choice."""

from collections.abc import Iterator, Mapping

from cca.dialects.contract import Ask, Keeping, Terms
from cca.dialects.openai import read_choices, read_metadata
from cca.dialects.openai_chat.body import ChatRequest, read
from cca.dialects.openai_chat.fields import check
from cca.dialects.openai_chat.tools import read_offer
from cca.dialects.openai_chat.turns import read_messages
from cca.dialects.openai_fields import unheard_options
from cca.dialects.openai_format import output_schema
from cca.dialects.openai_sampling import Wishes, read_sampling
from cca.dialects.schemas import check_depth
from cca.dialects.tools import unheld
from cca.model import Conversation, Json

FUNCTIONS = "functions"
"""Whether the answer is to have its call in the deprecated form, in an ask's ``echo``."""


def decode(body: Mapping[str, Json], terms: Terms) -> Ask:
    """Return what a body asks for. Raise ``BadRequest`` or, for its model, ``NotFound``; nothing was started then."""
    request = read(body)
    ignored = [*check(request.extra), *_ignored_inside(request)]
    model = terms.catalogue.resolve(request.model)
    choices = read_choices(request.n, terms.choices)
    schema, unshaped = output_schema(request.response_format, "response_format", nested=True)
    offer = read_offer(request)
    sampling, untaken = read_sampling(
        _wishes(request), thinking_off=terms.catalogue.thinking_off(model), forced=offer.choice.forced
    )
    heard = read_messages(request.messages)
    conversation = Conversation(model, heard.turns, heard.system, offer.tools, sampling, offer.choice, schema)
    return Ask(
        (conversation,) * choices,
        stream=bool(request.stream),
        ignored=(
            *ignored,
            *unshaped,
            *offer.ignored,
            *untaken,
            *heard.ignored,
            *unheld(conversation, "tools.function.strict"),
        ),
        include_usage=bool(request.stream_options and request.stream_options.include_usage),
        keeping=_keeping(request, body),
        results=heard.results,
        echo={FUNCTIONS: bool(request.functions)},
    )


def _wishes(request: ChatRequest) -> Wishes:
    return Wishes(
        # The newer of the two names counts.
        limits={"max_completion_tokens": request.max_completion_tokens, "max_tokens": request.max_tokens},
        stop=request.stop,
        temperature=request.temperature,
        top_p=request.top_p,
        effort=request.reasoning_effort,
    )


def _keeping(request: ChatRequest, body: Mapping[str, Json]) -> Keeping:
    notes = read_metadata(request.metadata)
    if not request.store:
        return Keeping()
    # They are kept as they were sent, with all that has no effect in them.
    check_depth(body["messages"], "messages")
    return Keeping(store=True, input=tuple(body["messages"]), metadata=notes)


def _ignored_inside(request: ChatRequest) -> Iterator[str]:
    yield from unheard_options(request.stream_options)
    if request.metadata and not request.store:
        yield "metadata"
