"""Anthropic's Messages API."""

from cca.dialects.anthropic import refusal
from cca.dialects.anthropic_messages.answer import MessageEncoder, message
from cca.dialects.anthropic_messages.body import CONVERTER, MessagesRequest
from cca.dialects.anthropic_messages.fields import REFUSED, THREAD
from cca.dialects.anthropic_messages.request import decode
from cca.dialects.contract import Dialect, Frame
from cca.dialects.fields import Fields

ANTHROPIC_MESSAGES = Dialect(
    name="anthropic_messages",
    path="/v1/messages",
    fields=Fields(MessagesRequest, CONVERTER, {**REFUSED, "thread": THREAD}),
    decode=decode,
    stream=MessageEncoder,
    whole=message,
    refusal=refusal,
    ping=Frame({"type": "ping"}, name="ping"),
)
