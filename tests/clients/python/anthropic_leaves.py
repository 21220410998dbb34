"""anthropic-python, by one that leaves. The cca that it asks has one process, which the next question needs."""

import anthropic
from tell import CHAT, CLAUDE, tell

LONG = "[[delay 1s]] [[tokens 500]]"
SLOW = "[[wait 300s]] hello"

client = anthropic.Anthropic(max_retries=0, timeout=45)


def asked(text):
    return {"model": CLAUDE, "max_tokens": 2000, "messages": [{"role": "user", "content": text}]}


def chat():
    return client.messages.create(**asked(CHAT)).content[0].text


def leaves():
    with client.messages.stream(**asked(LONG)) as events:
        next(iter(events.text_stream))
    return chat()


def leaves_while_it_pings():
    client.messages.create(**asked(SLOW), stream=True).close()
    return chat()


def gives_up():
    try:
        client.with_options(timeout=2).messages.create(**asked(SLOW))
    except anthropic.APITimeoutError:
        return chat()


tell(leaves, leaves_while_it_pings, gives_up)
