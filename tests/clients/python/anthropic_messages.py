"""anthropic-python."""

import os

import anthropic
from tell import CHAT, tell

client = anthropic.Anthropic(base_url=os.environ["OPENAI_BASE_URL"].removesuffix("/v1"), api_key="any", max_retries=0)


def unserved():
    try:
        client.messages.create(model="haiku", max_tokens=10, messages=[{"role": "user", "content": CHAT}])
    except anthropic.NotFoundError as raised:
        return raised.body["error"]["message"]


tell(unserved)
