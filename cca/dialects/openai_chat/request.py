"""A chat completion request to a conversation."""

from collections.abc import Iterator, Mapping

from cca.dialects.contract import Ask, Terms
from cca.dialects.openai_chat.body import ChatRequest, read
from cca.dialects.openai_chat.fields import check, check_message
from cca.dialects.openai_chat.turns import read_turns, unheard
from cca.dialects.openai_sampling import Wishes, read_sampling
from cca.model import Conversation, Json


def decode(body: Mapping[str, Json], terms: Terms) -> Ask:
    """Return what a body asks for. Raise ``BadRequest`` or, for its model, ``NotFound``; nothing was started then."""
    request = read(body)
    catalogue = terms.catalogue
    ignored = [*check(request.extra), *_ignored_inside(request)]
    model = catalogue.resolve(request.model)
    entry = catalogue.entry(model)
    sampling, untaken = read_sampling(_wishes(request), thinking_off=entry is not None and entry.thinking_off)
    system, turns = read_turns(request.messages)
    return Ask(
        (Conversation(model, turns, system, sampling=sampling),),
        stream=bool(request.stream),
        ignored=(*ignored, *untaken, *unheard(request.messages)),
        include_usage=bool(request.stream_options and request.stream_options.include_usage),
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


def _ignored_inside(request: ChatRequest) -> Iterator[str]:
    if request.stream_options is not None:
        yield from (f"stream_options.{name}" for name in request.stream_options.extra)
    for position, message in enumerate(request.messages):
        for name in check_message(message.extra, f"messages[{position}]"):
            yield f"messages.{name}"
