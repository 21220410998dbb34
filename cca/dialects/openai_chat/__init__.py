"""OpenAI's Chat Completions API."""

from cca.dialects.contract import Dialect
from cca.dialects.openai import refusal
from cca.dialects.openai_chat.answer import ChunkEncoder, completion
from cca.dialects.openai_chat.request import decode

OPENAI_CHAT = Dialect(
    name="openai_chat",
    path="/v1/chat/completions",
    decode=decode,
    stream=ChunkEncoder,
    whole=completion,
    refusal=refusal,
)
