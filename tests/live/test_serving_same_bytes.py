"""A server whose processes wait and stay answers with the same bytes as one that starts one for each answer."""

import re
from collections.abc import Iterator, Mapping
from contextlib import ExitStack

import pytest
from live_server import Reply, Server, serving

from cca.model import Json

pytestmark = [pytest.mark.live, pytest.mark.soak]

WITHOUT = {"CCA_WAITING": "0", "CCA_STAYING": "0", "CCA_RETRIES": "0"}
WITH = {"CCA_WAITING": "2", "CCA_STAYING": "8", "CCA_RETRIES": "0"}

PLACE: Json = {"type": "object", "properties": {"place": {"type": "string"}}, "required": ["place"]}
CLOSED: Json = {**PLACE, "additionalProperties": False}
CALL = '[[call look {"place": "Rome"}]]'
ANSWERED = "Reply with exactly: one"


def user(text: str) -> Json:
    return {"role": "user", "content": text}


def assistant(text: str) -> Json:
    return {"role": "assistant", "content": text}


NEW = ("date", "x-request-id", "request-id", "content-length")


@pytest.fixture(scope="module")
def servers() -> Iterator[tuple[Server, Server]]:
    with ExitStack() as stack:
        yield stack.enter_context(serving(**WITH)), stack.enter_context(serving(**WITHOUT))


FORMAT: Json = {"type": "json_schema", "json_schema": {"name": "place", "strict": True, "schema": CLOSED}}
FUNCTION: Json = {"name": "look", "description": "Look.", "parameters": PLACE}

CHAT: list[Json] = [
    {"messages": [user("hello é👩‍👩‍👧 \u2028")]},
    {"messages": [{"role": "system", "content": "Be terse."}, user(ANSWERED)], "stop": ["END"], "max_tokens": 100},
    {"messages": [{"role": "system", "content": "Be terse."}, user(ANSWERED), assistant("one"), user("and two")]},
    {"messages": [user("Count from 1 to 99")], "max_tokens": 5},
    {"messages": [user(CALL)], "tools": [{"type": "function", "function": FUNCTION}]},
    {"messages": [user("Where is Oslo?")], "response_format": FORMAT},
    {"messages": [user("[[error 429 retry-after 7]]")]},
    {"messages": [user("[[cut after 2]] one two three")]},
]

MESSAGES: list[Json] = [
    {"messages": [user("[[thinking of birds]] hello")], "thinking": {"type": "enabled", "budget_tokens": 1024}},
    {"messages": [user(ANSWERED)], "system": "Be terse.", "stop_sequences": ["END"]},
    {"messages": [user(ANSWERED), assistant("one"), user("and two")], "system": "Be terse."},
    {
        "messages": [user(ANSWERED), assistant("one"), user("and two"), assistant("and two"), user("three")],
        "system": "Be terse.",
    },
    {"messages": [user("Count from 1 to 99")], "max_tokens": 50},
    {"messages": [user(f"I look. {CALL}")], "tools": [{"name": "look", "input_schema": PLACE}]},
    {"messages": [user("[[stop_sequence END]] one")], "stop_sequences": ["END"]},
    {"messages": [user("[[stop refusal]] no")]},
    {"messages": [user("[[error mid-stream overloaded_error after 2]] one two three")]},
]

RESPONSES: list[Json] = [
    {"input": "hello"},
    {"input": ANSWERED, "instructions": "Be terse."},
    {"input": [user(ANSWERED), assistant("one"), user("and two")], "instructions": "Be terse."},
    {"input": "Count from 1 to 99", "max_output_tokens": 50},
    {"input": CALL, "tools": [{"type": "function", **FUNCTION}]},
    {"input": "[[thinking of birds]] hello", "reasoning": {"effort": "low", "summary": "auto"}},
]

COMPLETIONS: list[Json] = [{"prompt": "hello"}, {"prompt": "Count from 1 to 99"}]

ASKS: Mapping[str, list[Json]] = {
    "/v1/chat/completions": CHAT,
    "/v1/messages": [{"max_tokens": 2000, **body} for body in MESSAGES],
    "/v1/responses": [{"store": False, **body} for body in RESPONSES],
    "/v1/completions": COMPLETIONS,
}


def masked(reply: Reply) -> tuple[int, Mapping[str, str], bytes]:
    """Return a reply without what is new each time: ids, the time, and the port of the model.

    The model's own ids count how often it was asked; after a fault that is for the program's retries to say.
    """
    headers = {name: value for name, value in reply.headers.items() if name not in NEW}
    body = re.sub(rb"127\.0\.0\.1:\d+", b"<model>", re.sub(rb"[0-9a-f]{32}|01\w{22}", b"<id>", reply.body))
    return reply.status, headers, re.sub(rb'"(created|\w+_at)": ?\d+', rb'"\1":0', body)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("path", ASKS)
def test_each_answer_is_the_same(servers: tuple[Server, Server], path: str, stream: bool) -> None:  # noqa: FBT001
    for body in ASKS[path]:
        said = {"model": "haiku", "stream": stream, **body}
        one, other = (masked(server.exchange("POST", path, said)) for server in servers)
        assert one == other, body
