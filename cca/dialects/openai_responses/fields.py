"""What becomes of each field of a request for a response that is not simply honoured, in tables.

Source of the names: OpenAI's published schema ``CreateResponse``.
"""

from collections.abc import Iterator, Mapping

from cca.dialects.fields import Refusal, check, same
from cca.dialects.openai_fields import LOGPROBS
from cca.dialects.openai_responses.body import ResponsesRequest
from cca.dialects.openai_responses.resource import UNASKED
from cca.errors import BadRequest

REFUSED: Mapping[str, Refusal] = {
    "background": Refusal("an answer ends with its connection; ask for a stream instead.", (False,)),
    "prompt": Refusal("cca does not have OpenAI's templates; send the text as instructions and input."),
    "top_logprobs": Refusal(LOGPROBS, (0,)),
}

INCLUDED = frozenset({"message.output_text.logprobs"})
"""What ``include`` may not ask for. The rest of its values are about what cca's answers do not have anyway."""


def check_fields(request: ResponsesRequest) -> Iterator[str]:
    """Yield the names of what has no effect. Raise ``BadRequest`` for the first that would change the answer.

    What asks for what is done anyway is not named.
    """
    idle = (name for name, value in request.extra.items() if name in UNASKED and same(value, UNASKED[name]))
    unsaid = dict.fromkeys(idle)
    yield from check({name: value for name, value in request.extra.items() if name not in unsaid}, REFUSED)
    for position, value in enumerate(request.include or ()):
        if value in INCLUDED:
            where = f"include[{position}]"
            raise BadRequest(f"{where} cannot be honoured: {LOGPROBS}", param=where, code="unsupported_value")
        yield f"include.{value}"
    for name, inside in (
        ("stream_options", request.stream_options),
        ("reasoning", request.reasoning),
        ("text", request.text),
        ("conversation", request.conversation),
    ):
        if inside is not None:
            yield from (f"{name}.{key}" for key in inside.extra)
