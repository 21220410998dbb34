"""A request for a response to a conversation."""

from collections.abc import Iterator, Mapping

from cca.dialects.contract import Ask, Keeping, Terms
from cca.dialects.openai import read_metadata
from cca.dialects.openai_format import output_schema
from cca.dialects.openai_responses.body import ResponsesRequest, read
from cca.dialects.openai_responses.fields import check_fields
from cca.dialects.openai_responses.listing import listed
from cca.dialects.openai_responses.tools import Offer, read_tools
from cca.dialects.openai_responses.turns import read_input
from cca.dialects.openai_sampling import Wishes, read_sampling
from cca.dialects.schemas import check_depth
from cca.dialects.tools import unheld
from cca.errors import BadRequest
from cca.model import Conversation, Json

REPEATED = ("input", "text", "tool_choice")
"""What an answer, or a list of its input, has in it as it was sent. Functions are looked at by themselves."""


def decode(given: Mapping[str, Json], terms: Terms) -> Ask:
    """Return what a body asks for. Raise ``BadRequest`` or, for its model, ``NotFound``; nothing was started then."""
    request = read(given)
    for name in REPEATED:
        if isinstance(given.get(name), dict | list):
            check_depth(given[name], name)
    ignored = [*check_fields(request)]
    model = terms.catalogue.resolve(request.model)
    keeping = _keeping(request, given)
    offer = read_tools(request)
    schema, unshaped = output_schema(request.text and request.text.format, "text.format", nested=False)
    sampling, untaken = read_sampling(
        _wishes(request), thinking_off=terms.catalogue.thinking_off(model), forced=offer.choice.forced
    )
    reading, turns = read_input(request.input, goes_on=keeping.previous is not None or keeping.session is not None)
    conversation = Conversation(
        model, turns, tuple(reading.system), offer.tools, sampling, offer.choice, output_schema=schema
    )
    return Ask(
        (conversation,),
        stream=bool(request.stream),
        ignored=(
            *ignored,
            *unshaped,
            *offer.ignored,
            *untaken,
            *reading.ignored,
            *unheld(conversation, "tools.strict"),
        ),
        keeping=keeping,
        results=reading.results,
        echo=dict(_echo(request, keeping, offer, untaken)),
    )


def _wishes(request: ResponsesRequest) -> Wishes:
    return Wishes(
        limits={"max_output_tokens": request.max_output_tokens},
        temperature=request.temperature,
        top_p=request.top_p,
        effort=None if request.reasoning is None else request.reasoning.effort,
        effort_path="reasoning.effort",
    )


def _keeping(request: ResponsesRequest, given: Mapping[str, Json]) -> Keeping:
    previous, conversation = request.previous_response_id, request.conversation
    if previous is not None and conversation is not None:
        raise BadRequest(
            "previous_response_id and conversation each say what the request goes on from; send one of them.",
            param="previous_response_id",
            code="mutually_exclusive_parameters",
        )
    return Keeping(
        store=request.store is not False,
        input=listed(given["input"]),
        metadata=read_metadata(request.metadata),
        previous=previous,
        session=None if conversation is None else conversation.id,
        instructions=() if request.instructions is None else (request.instructions,),
    )


def _echo(
    request: ResponsesRequest, keeping: Keeping, offer: Offer, untaken: tuple[str, ...]
) -> Iterator[tuple[str, Json]]:
    """Yield what the answer repeats: what is in force, and nothing that was ignored."""
    yield "instructions", request.instructions
    yield "metadata", keeping.metadata
    yield "previous_response_id", keeping.previous
    yield "store", keeping.store
    yield "max_output_tokens", request.max_output_tokens
    yield "tools", list(offer.echo)
    yield "parallel_tool_calls", request.parallel_tool_calls is not False
    for name, number in (("temperature", request.temperature), ("top_p", request.top_p)):
        if number is not None and name not in untaken:
            yield name, number
    if request.tool_choice is not None:
        yield "tool_choice", request.tool_choice
    if request.reasoning is not None:
        summary = request.reasoning.summary or request.reasoning.generate_summary
        yield "reasoning", {"effort": request.reasoning.effort, "summary": summary}
    if request.text is not None and request.text.format is not None:
        yield "text", {"format": _format(request.text.format)}
    if keeping.session is not None:
        yield "conversation", {"id": keeping.session}


def _format(wished: Json) -> Json:
    unsaid = {"description": None, "strict": False} if wished["type"] == "json_schema" else {}
    return {**unsaid, **wished}
