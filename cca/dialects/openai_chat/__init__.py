"""OpenAI's Chat Completions API."""

from cca.dialects.contract import Dialect
from cca.dialects.fields import Fields
from cca.dialects.openai import refusal
from cca.dialects.openai_chat.answer import ChunkEncoder, completion
from cca.dialects.openai_chat.body import CONVERTER, ChatRequest
from cca.dialects.openai_chat.fields import REFUSED
from cca.dialects.openai_chat.request import decode

OPENAI_CHAT = Dialect(
    name="openai_chat",
    path="/v1/chat/completions",
    fields=Fields(ChatRequest, CONVERTER, REFUSED),
    decode=decode,
    stream=ChunkEncoder,
    whole=completion,
    refusal=refusal,
)
