"""OpenAI's Responses API."""

from cca.dialects.contract import Dialect
from cca.dialects.fields import Fields
from cca.dialects.openai import refusal
from cca.dialects.openai_responses.body import CONVERTER, ResponsesRequest
from cca.dialects.openai_responses.fields import REFUSED
from cca.dialects.openai_responses.request import decode
from cca.dialects.openai_responses.resource import response
from cca.dialects.openai_responses.stored import REFERENCES
from cca.dialects.openai_responses.stream import ResponseEncoder

OPENAI_RESPONSES = Dialect(
    name="openai_responses",
    path="/v1/responses",
    fields=Fields(ResponsesRequest, CONVERTER, REFUSED),
    decode=decode,
    stream=ResponseEncoder,
    whole=response,
    refusal=refusal,
    references=REFERENCES,
)
