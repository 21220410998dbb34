"""Anthropic's Messages API."""

from cca.dialects.anthropic import refusal
from cca.dialects.anthropic_messages.answer import MessageEncoder, message
from cca.dialects.anthropic_messages.request import decode
from cca.dialects.contract import Dialect, Frame

ANTHROPIC_MESSAGES = Dialect(
    name="anthropic_messages",
    path="/v1/messages",
    decode=decode,
    stream=MessageEncoder,
    whole=message,
    refusal=refusal,
    ping=Frame({"type": "ping"}, name="ping"),
)
