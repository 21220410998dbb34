"""OpenAI's Completions API: the older one, of prompts and texts."""

from cca.dialects.contract import Dialect
from cca.dialects.fields import Fields
from cca.dialects.openai import refusal
from cca.dialects.openai_completions.answer import TextEncoder, completion
from cca.dialects.openai_completions.request import CONVERTER, REFUSED, CompletionRequest, decode

OPENAI_COMPLETIONS = Dialect(
    name="openai_completions",
    path="/v1/completions",
    fields=Fields(CompletionRequest, CONVERTER, REFUSED),
    decode=decode,
    stream=TextEncoder,
    whole=completion,
    refusal=refusal,
)
