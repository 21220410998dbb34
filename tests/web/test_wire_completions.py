"""Completions over HTTP: prompts and choices, whole and streamed, each with a process of its own."""

from typing import Any

import pytest
from claude_says import HELLO, MODEL, api_error, start, stop, text
from trio.testing import MockClock
from wire_harness import FakeBackend, posted, serving

PATH = "/v1/completions"


def asked(**fields: Any) -> bytes:
    return posted(PATH, {"model": "sonnet", "prompt": "Say", **fields})


async def test_a_completion(autojump_clock: MockClock) -> None:
    async with serving(*HELLO) as server:
        reply = await server.ask(asked(user="u"))
    assert (reply.status, reply.headers["x-cca-ignored"]) == (200, "user")
    assert reply.json == {
        "id": "cmpl-id2",
        "object": "text_completion",
        "created": 1_700_000_000,
        "model": MODEL,
        "choices": [{"text": "Hello", "index": 0, "logprobs": None, "finish_reason": "stop"}],
        "usage": {
            "prompt_tokens": 7,
            "completion_tokens": 3,
            "total_tokens": 10,
            "prompt_tokens_details": {"cached_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": 0},
        },
    }


async def test_each_choice_of_each_prompt_is_a_process(autojump_clock: MockClock) -> None:
    async with serving(*HELLO) as server:
        reply = await server.ask(asked(prompt=["a", "b"], n=2, echo=True))
    assert [(each["index"], each["text"]) for each in reply.json["choices"]] == [
        *((0, "aHello"), (1, "aHello"), (2, "bHello"), (3, "bHello")),
    ]
    assert (reply.json["usage"]["prompt_tokens"], reply.json["usage"]["completion_tokens"]) == (14, 12)
    assert server.backend.opened == 4


async def test_a_stream(autojump_clock: MockClock) -> None:
    options = {"include_usage": True}
    async with serving(start(), text("a"), 1.0, text("b"), stop("max_tokens")) as server:
        reply = await server.ask(asked(stream=True, echo=True, max_tokens=2, stream_options=options))
    *chunks, usage, done = reply.events
    shown = [(each["text"], each["finish_reason"]) for chunk in chunks for each in chunk["choices"]]
    assert shown == [("Say", None), ("a", None), ("b", None), ("", "length")]
    assert (usage["choices"], usage["usage"]["total_tokens"], done) == ([], 10, "[DONE]")
    assert server.backend.conversations[0].sampling.max_tokens == 2


async def test_a_failure_before_it_began_is_a_status(autojump_clock: MockClock) -> None:
    async with serving(api_error(429)) as server:
        reply = await server.ask(asked(stream=True))
    assert (reply.status, reply.error["type"]) == (429, "rate_limit_error")


async def test_a_client_that_leaves_takes_all_processes_along(autojump_clock: MockClock) -> None:
    hanging = FakeBackend((start(), text("a")))
    async with serving(backend=hanging) as server:
        client = await server.connect()
        await client.send(asked(prompt=["a", "b", "c"], stream=True))
        await client.head()
        await client.leave()
        await hanging.all_left.wait()
    assert hanging.opened == 3


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        pytest.param({"prompt": [1, 2]}, "prompt", id="tokens"),
        pytest.param({"prompt": ["a", ""]}, "prompt[1]", id="no text"),
        pytest.param({"prompt": list("abcde")}, "prompt", id="five prompts"),
        pytest.param({"n": 5}, "n", id="five choices"),
        pytest.param({"best_of": 2}, "best_of", id="best_of"),
        pytest.param({"suffix": "x"}, "suffix", id="suffix"),
        pytest.param({"logprobs": 1}, "logprobs", id="logprobs"),
    ],
)
async def test_what_cannot_be_honoured_starts_nothing(fields: Any, param: str, autojump_clock: MockClock) -> None:
    async with serving(*HELLO) as server:
        reply = await server.ask(asked(**fields))
    assert (reply.status, reply.error["param"], server.backend.opened) == (400, param, 0)


async def test_how_many_choices_there_may_be_is_a_setting(autojump_clock: MockClock) -> None:
    async with serving(*HELLO, choices=5) as server:
        statuses = [(await server.ask(asked(prompt=["a"] * count))).status for count in (5, 6)]
    assert statuses == [200, 400]
