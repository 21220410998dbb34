"""What a message would cost in tokens: an estimate that says so, and nothing is begun for it."""

from typing import Any

import pytest
import trio
import trio.testing
from claude_says import HELLO
from messages_wire import COUNT, NEW, OLD, body, counted, error, post, said, user
from trio.testing import MockClock
from wire_harness import FakeBackend, get, serving

from cca.estimate import HOW, IMAGE_TOKENS, PAGE_TOKENS, START_TOKENS, TOOLS_TOKENS, TURN_TOKENS
from cca.limits.policy import Limits

NOTHING = START_TOKENS + TURN_TOKENS
"""What one message is before it says anything."""

RESPONSES_COUNT = "/v1/responses/input_tokens"

FORTY = "x" * 40
"""Ten tokens."""

IMAGE = {"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}}
PDF = {"type": "document", "source": {"type": "url", "url": "https://example.com/a.pdf"}}
PLAIN = {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": FORTY}}
FOUND = {"type": "search_result", "source": FORTY, "title": FORTY, "content": [{"type": "text", "text": FORTY}]}
WORD = {"type": "text", "text": FORTY}
TOOL = {"name": "f" * 20, "description": "d" * 3, "input_schema": {"type": "object"}}
USE = {"type": "tool_use", "id": "c", "name": "ffff", "input": {"a": "x" * 28}}
RESULT = {"type": "tool_result", "tool_use_id": "c", "content": [WORD, IMAGE]}


@pytest.mark.parametrize(
    ("given", "tokens"),
    [
        pytest.param(counted(user(FORTY)), 10, id="text"),
        pytest.param(counted(user(FORTY), system=FORTY), 20, id="and a system prompt"),
        pytest.param(counted(user(FORTY), system=[WORD, WORD]), 30, id="in blocks"),
        pytest.param(counted(user([WORD, IMAGE])), 10 + IMAGE_TOKENS, id="an image"),
        pytest.param(counted(user([WORD, PDF])), 10 + PAGE_TOKENS, id="a PDF"),
        pytest.param(counted(user([WORD, PLAIN])), 20, id="a text"),
        pytest.param(counted(user([WORD, FOUND])), 40, id="a search result"),
        pytest.param(counted(user(FORTY), tools=[TOOL]), 10 + TOOLS_TOKENS + 10, id="a tool"),
        pytest.param(
            counted(user(FORTY), said([USE]), user([RESULT])),
            10 + 10 + 10 + IMAGE_TOKENS + 2 * TURN_TOKENS,
            id="a call and its result",
        ),
        pytest.param(counted(user(FORTY), thinking={"type": "enabled", "budget_tokens": 16_000}), 10, id="to think"),
        pytest.param(body(user(FORTY), stream=True), 10, id="what a message itself would say"),
    ],
)
async def test_all_that_goes_in_is_counted(given: Any, tokens: int, autojump_clock: MockClock) -> None:
    async with serving(*HELLO) as server:
        replies = [await server.ask(post(given, version, path=COUNT)) for version in (OLD, NEW)]
        assert server.backend.opened == 0
    assert [(reply.status, reply.json) for reply in replies] == [(200, {"input_tokens": NOTHING + tokens})] * 2
    assert {reply.headers["x-cca-estimate"] for reply in replies} == {HOW}


async def test_the_query_and_what_has_no_effect_do_not_matter(autojump_clock: MockClock) -> None:
    async with serving() as server:
        reply = await server.ask(post(counted(user(FORTY), speed="fast"), OLD, path=f"{COUNT}?beta=true"))
    assert reply.json == {"input_tokens": NOTHING + 10}
    assert reply.headers["x-cca-ignored"] == "speed"


@pytest.mark.parametrize("limit", [-5, 0, 1, 10**9])
async def test_how_much_may_come_out_has_no_effect(limit: int, autojump_clock: MockClock) -> None:
    thinking = {"type": "enabled", "budget_tokens": 16_000}
    async with serving() as server:
        reply = await server.ask(
            post(counted(user(FORTY), max_tokens=limit, thinking=thinking, stream=True), path=COUNT)
        )
    assert reply.json == {"input_tokens": NOTHING + 10}
    assert reply.headers["x-cca-ignored"] == "max_tokens, stream"


async def test_what_a_session_has_said_is_counted_and_nothing_is_said_in_it(autojump_clock: MockClock) -> None:
    walk = "x-session-id: walk"
    async with serving(*HELLO) as server:
        first = await server.ask(post(counted(user(FORTY)), walk, path=COUNT))
        none = await server.ask(get("/v1/sessions/walk"))
        await server.ask(post(body(user(FORTY)), walk))
        before = await server.ask(get("/v1/sessions/walk/turns"))
        later = await server.ask(post(counted(user(FORTY)), walk, path=COUNT))
        after = await server.ask(get("/v1/sessions/walk/turns"))
        assert server.backend.opened == 1
    assert (first.json["input_tokens"], none.status) == (NOTHING + 10, 404)
    # 85 bytes: what was said, the answer "Hello", and what is new.
    assert later.json["input_tokens"] == NOTHING + 2 * TURN_TOKENS + 22
    assert before.json == after.json


async def test_counting_is_no_request_of_a_limit(autojump_clock: MockClock) -> None:
    """It costs nothing: neither a request a minute, nor tokens, nor one of those at once."""
    async with serving(*HELLO, limits=Limits(rpm=1, tpm=200, concurrent=1)) as server:
        statuses = [(await server.ask(post(counted(user("x" * 9000)), path=COUNT))).status for _ in range(5)]
        reply = await server.ask(post(body()))
    assert statuses == [200] * 5
    assert reply.status == 200
    assert reply.headers["anthropic-ratelimit-requests-remaining"] == "0"


async def test_a_thread_is_not_counted(autojump_clock: MockClock) -> None:
    async with serving() as server:
        reply = await server.ask(post(counted(thread={"type": "continue", "id": "t"}), NEW, path=COUNT))
    assert (reply.status, error(reply)["details"]["error_code"]) == (400, "thread_unsupported_request")


async def test_a_response_s_count_says_how_it_is_made_too(autojump_clock: MockClock) -> None:
    async with serving() as server:
        reply = await server.ask(post({"input": FORTY}, path=RESPONSES_COUNT))
    assert (reply.json["input_tokens"], reply.headers["x-cca-estimate"]) == (NOTHING + 10, HOW)


SLOW = ((100.0, *HELLO), (100.0, *HELLO))
"""Two answers that take their time."""


@pytest.mark.parametrize(
    ("path", "given", "headers"),
    [
        pytest.param(COUNT, counted(user(FORTY)), ["x-session-id: walk"], id="a message"),
        pytest.param(RESPONSES_COUNT, {"input": FORTY}, ["x-session-id: walk"], id="a response"),
        pytest.param(RESPONSES_COUNT, {"input": FORTY, "conversation": "walk"}, [], id="one in a conversation"),
    ],
)
async def test_a_count_waits_for_no_answer_of_its_session(
    path: str, given: Any, headers: list[str], autojump_clock: MockClock
) -> None:
    """It is of what is there by now, and takes no place among those that wait."""
    async with serving(backend=FakeBackend(each=(HELLO, *SLOW)), session_queue=1, processes=4) as server:
        await server.ask(post(body(user(FORTY)), "x-session-id: walk"))
        async with trio.open_nursery() as nursery:
            for _ in range(2):
                nursery.start_soon(server.ask, post(body(user(FORTY)), "x-session-id: walk"))
                await trio.testing.wait_all_tasks_blocked()
            began = trio.current_time()
            reply = await server.ask(post(given, *headers, path=path))
            assert trio.current_time() == began
    assert reply.json["input_tokens"] == NOTHING + 2 * TURN_TOKENS + 22
