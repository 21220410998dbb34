"""How many tokens a request for a response would be: an estimate, and no process is started for it."""

from functools import partial

from quart import Response, g

from cca.dialects.openai_responses import OPENAI_RESPONSES
from cca.dialects.openai_responses.resource import input_tokens
from cca.request import heard
from cca.service import Service
from cca.web.answer import ignored, read_request
from cca.web.body import as_json
from cca.web.ending import Ending


async def count_input(service: Service, ending: Ending) -> Response:
    """Return the count, with what the request goes on from. Raise what a request for the response itself would."""
    bound = partial(ending.bound, g.principal.key_id)
    asked = await read_request(service, OPENAI_RESPONSES, bound)
    with bound() as end:
        (conversation,) = await heard(service, asked)
    if end.cancelled_caught:
        raise end.error
    response = as_json(input_tokens(conversation))
    response.headers.update(ignored(asked.ask))
    return response
