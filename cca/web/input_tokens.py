"""How many tokens a request for a response would be: an estimate, and no process is started for it."""

from collections.abc import Mapping
from functools import partial

from attrs import evolve
from quart import Response, g

from cca.dialects.contract import Ask, Terms
from cca.dialects.openai_responses import OPENAI_RESPONSES
from cca.dialects.openai_responses.resource import input_tokens
from cca.dialects.pairing import check_pairs
from cca.model import Json
from cca.request import heard
from cca.service import Service
from cca.web.answer import ignored, read_request
from cca.web.body import as_json
from cca.web.ending import Ending


def _decode(given: Mapping[str, Json], terms: Terms) -> Ask:
    """Return what a body asks for, of any model: what is counted is the same for each."""
    if given.get("model") is None and terms.catalogue.entries:
        given = {**given, "model": terms.catalogue.entries[0].alias}
    return OPENAI_RESPONSES.decode(given, terms)


COUNTED = evolve(OPENAI_RESPONSES, decode=_decode)
"""A request for a response that needs no model."""


async def count_input(service: Service, ending: Ending) -> Response:
    """Return the count, with what the request goes on from. Raise what a request for the response itself would."""
    bound = partial(ending.bound, g.principal.key_id)
    asked = await read_request(service, COUNTED, bound)
    with bound() as end:
        (conversation,) = await heard(service, asked)
    if end.cancelled_caught:
        raise end.error
    check_pairs(conversation.turns, asked.ask.results)
    response = as_json(input_tokens(conversation))
    response.headers.update(ignored(asked.ask.ignored))
    return response
