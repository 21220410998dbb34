"""OpenAI's Completions API: the older one, of prompts and texts."""

from cca.dialects.contract import Dialect
from cca.dialects.openai import refusal
from cca.dialects.openai_completions.answer import TextEncoder, completion
from cca.dialects.openai_completions.request import decode

OPENAI_COMPLETIONS = Dialect(
    name="openai_completions",
    path="/v1/completions",
    decode=decode,
    stream=TextEncoder,
    whole=completion,
    refusal=refusal,
)
