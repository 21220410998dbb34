"""How many tokens a request would be: an estimate that says so, and no process is started for it."""

from collections.abc import Callable, Mapping
from functools import partial

from attrs import evolve
from quart import Response, g

from cca import estimate
from cca.dialects.anthropic_messages import ANTHROPIC_MESSAGES
from cca.dialects.anthropic_messages.request import decode_count
from cca.dialects.contract import Ask, Dialect, Terms
from cca.dialects.openai_responses import OPENAI_RESPONSES
from cca.dialects.openai_responses.resource import input_tokens
from cca.model import Conversation, Json
from cca.request import of_heard
from cca.service import Service
from cca.web.asked import ignored, read_request
from cca.web.body import as_json
from cca.web.ending import Ending

ESTIMATE_HEADER = "x-cca-estimate"


def _decode(given: Mapping[str, Json], terms: Terms) -> Ask:
    """Return what a body asks for, of any model: what is counted is the same for each."""
    if given.get("model") is None and terms.catalogue.entries:
        given = {**given, "model": terms.catalogue.entries[0].alias}
    return OPENAI_RESPONSES.decode(given, terms)


COUNTED_RESPONSE = evolve(OPENAI_RESPONSES, decode=_decode)
"""A request for a response that needs no model."""

COUNTED_MESSAGE = evolve(ANTHROPIC_MESSAGES, decode=decode_count)
"""A request for a message that does not say how long it may be."""


async def count_response(service: Service, ending: Ending) -> Response:
    return await _count(service, ending, COUNTED_RESPONSE, input_tokens)


async def count_message(service: Service, ending: Ending) -> Response:
    return await _count(service, ending, COUNTED_MESSAGE, lambda asked: {"input_tokens": estimate.input_tokens(asked)})


async def _count(
    service: Service, ending: Ending, dialect: Dialect, counted: Callable[[Conversation], Json]
) -> Response:
    """Return the count, with what the request goes on from. Raise what a request for the answer itself would."""
    bound = partial(ending.bound, g.principal.key_id)
    asked = await read_request(service, dialect, bound)
    with bound() as end:
        count = await of_heard(service, asked, counted)
    if end.cancelled_caught:
        raise end.error
    response = as_json(count)
    response.headers[ESTIMATE_HEADER] = estimate.HOW
    response.headers.update(ignored(asked.ask.ignored))
    return response
