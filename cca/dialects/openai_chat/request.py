"""A chat completion request to a conversation."""

from collections.abc import Iterator, Mapping

from cca.dialects.contract import Ask, Terms
from cca.dialects.openai_chat.body import ChatRequest, read
from cca.dialects.openai_chat.fields import check, check_message
from cca.dialects.openai_chat.sampling import read_sampling
from cca.dialects.openai_chat.turns import read_turns, unheard
from cca.model import Conversation, Json


def decode(body: Mapping[str, Json], terms: Terms) -> Ask:
    """Return what a body asks for. Raise ``BadRequest`` or, for its model, ``NotFound``; nothing was started then."""
    request = read(body)
    catalogue = terms.catalogue
    ignored = [*check(request.extra), *_ignored_inside(request)]
    model = catalogue.resolve(request.model)
    entry = catalogue.entry(model)
    sampling, untaken = read_sampling(request, thinking_off=entry is not None and entry.thinking_off)
    system, turns = read_turns(request.messages)
    return Ask(
        (Conversation(model, turns, system, sampling=sampling),),
        stream=bool(request.stream),
        ignored=(*ignored, *untaken, *unheard(request.messages)),
        include_usage=bool(request.stream_options and request.stream_options.include_usage),
    )


def _ignored_inside(request: ChatRequest) -> Iterator[str]:
    if request.stream_options is not None:
        yield from (f"stream_options.{name}" for name in request.stream_options.extra)
    for position, message in enumerate(request.messages):
        for name in check_message(message.extra, f"messages[{position}]"):
            yield f"messages.{name}"
