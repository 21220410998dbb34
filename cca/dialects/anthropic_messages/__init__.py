"""Anthropic's Messages API."""

from cca.dialects.contract import Frame

PING = Frame({"type": "ping"}, name="ping")
