"""anthropic-python: what it raises, and how often it asks; both of the headers for a key, both versions of the API."""

import anthropic
from tell import CHAT, CLAUDE, tell

client = anthropic.Anthropic(max_retries=3)
TOLD_IN_HEADER = {"anthropic-version": "2023-06-01"}


def ask(text, asking=client, **more):
    asked = {"model": CLAUDE, "max_tokens": 100, "messages": [{"role": "user", "content": text}], **more}
    return asking.messages.create(**asked).content[0].text


def refused(text, **more):
    """Return the class of what is raised, how often it was asked again, and whether the id is in header and body."""
    try:
        return ask(text, **more)
    except anthropic.APIStatusError as raised:
        retries = int(raised.response.request.headers["x-stainless-retry-count"])
        named = raised.request_id is not None and raised.request_id == raised.body["request_id"]
        return [type(raised).__name__, raised.type, retries, named]


def bad_request():
    return refused("[[error 400]]")


def unauthorized():
    return refused(CHAT, asking=client.with_options(api_key="sk-wrong"))


def unknown_model():
    return refused(CHAT, model="llama-3")


def too_large():
    return refused("[[error 413]]")


def overloaded():
    return refused("[[error 529]]", asking=client.with_options(max_retries=1))


def limited():
    return refused("[[error 429 retry-after 0.1]]", asking=client.with_options(max_retries=1))


def gets_through():
    return ask("[[error 529 times 1]] Reply with exactly: through")


def bearer():
    return ask(CHAT, extra_headers={"x-api-key": anthropic.Omit()})


def x_api_key():
    return ask(CHAT, extra_headers={"x-api-key": client.api_key, "Authorization": anthropic.Omit()})


def new_version():
    return refused(CHAT, extra_body={"temperature": 0.5})


def old_version():
    return ask(CHAT, extra_headers=TOLD_IN_HEADER, extra_body={"temperature": 0.5})


def server_tool():
    return refused(CHAT, tools=[{"type": "web_search_20250305", "name": "web_search"}])


tell(
    bad_request,
    unauthorized,
    unknown_model,
    too_large,
    overloaded,
    limited,
    gets_through,
    bearer,
    x_api_key,
    new_version,
    old_version,
    server_tool,
)
