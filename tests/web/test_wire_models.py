"""The models in the shape of whose client asks: Anthropic's, which names a version of its API, or OpenAI's."""

from typing import Any

import pytest
from messages_wire import NEW, OLD, error
from trio.testing import MockClock
from wire_harness import get, serving

NAMES = ["sonnet", "claude-sonnet-5-5", "haiku", "claude-haiku-4-5", "opus[1m]", "claude-opus-5[1m]"]
ONLY: dict[str, Any] = {"models": ()}
"""Settings without patterns: what Claude Code lists, and nothing else."""


@pytest.mark.parametrize("version", [OLD, NEW])
async def test_anthropic_s_clients_get_anthropic_s_list(version: str, autojump_clock: MockClock) -> None:
    async with serving(**ONLY) as server:
        reply = await server.ask(get("/v1/models", version))
    assert (reply.status, reply.headers["content-type"]) == (200, "application/json")
    assert set(reply.json) == {"data", "first_id", "last_id", "has_more"}
    assert [model["id"] for model in reply.json["data"]] == NAMES
    assert {model["type"] for model in reply.json["data"]} == {"model"}
    assert (reply.json["first_id"], reply.json["last_id"], reply.json["has_more"]) == (NAMES[0], NAMES[-1], False)


async def test_all_others_get_openai_s(autojump_clock: MockClock) -> None:
    async with serving(**ONLY) as server:
        reply = await server.ask(get("/v1/models?limit=2&after_id=x"))
    assert reply.json["object"] == "list"
    assert [model["id"] for model in reply.json["data"]] == NAMES


@pytest.mark.parametrize(
    ("query", "names", "more"),
    [
        ("limit=1000", NAMES, False),
        ("limit=2", NAMES[:2], True),
        ("limit=2&after_id=claude-sonnet-5-5", NAMES[2:4], True),
        ("limit=4&after_id=claude-sonnet-5-5", NAMES[2:], False),
        ("limit=2&before_id=haiku", NAMES[:2], False),
        ("limit=2&before_id=opus%5B1m%5D", NAMES[2:4], True),
        ("after_id=claude-opus-5%5B1m%5D", [], False),
        ("beta=true", NAMES, False),
    ],
)
async def test_its_pages_are_turned_in_both_directions(
    *, query: str, names: list[str], more: bool, autojump_clock: MockClock
) -> None:
    async with serving(**ONLY) as server:
        reply = await server.ask(get(f"/v1/models?{query}", NEW))
    assert ([model["id"] for model in reply.json["data"]], reply.json["has_more"]) == (names, more)


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=1001", "limit=x", "limit=", "after_id=none", "before_id=none", "after_id=a&before_id=b"]
)
async def test_a_page_that_there_is_not(query: str, autojump_clock: MockClock) -> None:
    async with serving() as server:
        reply = await server.ask(get(f"/v1/models?{query}", OLD))
    assert (reply.status, error(reply)["type"]) == (400, "invalid_request_error")
    assert reply.headers["x-should-retry"] == "false"


@pytest.mark.parametrize(
    ("asked", "told", "shown"),
    [
        ("sonnet", "claude-sonnet-5-5", "Sonnet"),
        ("claude-haiku-4-5", "claude-haiku-4-5", "Haiku"),
        ("opus[1m]", "claude-opus-5[1m]", "Opus"),
        ("opus%5B1m%5D", "claude-opus-5[1m]", "Opus"),
        ("claude-unheard-of-9", "claude-unheard-of-9", "claude-unheard-of-9"),
    ],
)
async def test_a_model_is_told_by_its_id(asked: str, told: str, shown: str, autojump_clock: MockClock) -> None:
    async with serving() as server:
        anthropic = await server.ask(get(f"/v1/models/{asked}", NEW))
        openai = await server.ask(get(f"/v1/models/{asked}"))
    assert (anthropic.json["type"], anthropic.json["id"], anthropic.json["display_name"]) == ("model", told, shown)
    assert (openai.json["object"], openai.json["id"]) == ("model", asked.replace("%5B", "[").replace("%5D", "]"))


async def test_a_model_that_there_is_not(autojump_clock: MockClock) -> None:
    async with serving() as server:
        reply = await server.ask(get("/v1/models/llama", NEW))
        bare = await server.ask(get("/v1/models/llama"))
    assert (reply.status, error(reply)["type"]) == (404, "not_found_error")
    assert (bare.status, bare.error["code"]) == (404, "model_not_found")
