"""Thinking: how it is asked for, and what of it comes back in a history.

Each test is one statement about Claude Code that cca relies on. A release of it that changes one fails by name.
"""

from collections.abc import Sequence
from typing import Any

import pytest
from attrs import evolve
from live_cli import converse, prompt, request_for, turns, user

from cca.model import (
    AssistantPart,
    AssistantTurn,
    Conversation,
    Event,
    Finished,
    Redacted,
    RedactedThinking,
    Sampling,
    Signed,
    Text,
    TextDelta,
    Thinking,
    ThinkingDelta,
    Tool,
    ToolResult,
    ToolUse,
    UserTurn,
)

pytestmark = pytest.mark.live

MODEL = "claude-sonnet-5-5"
LOOK = Tool("look", "Look.", {"type": "object", "properties": {}})

THOUGHTS: tuple[AssistantPart, ...] = (Thinking("Hm.\n", "c2ln"), Thinking("", "bm8="), RedactedThinking("eA=="))
ARRIVED: list[Any] = [
    {"type": "thinking", "thinking": "Hm.\n", "signature": "c2ln"},
    {"type": "thinking", "thinking": "", "signature": "bm8="},
    {"type": "redacted_thinking", "data": "eA=="},
]
CALL = {"type": "tool_use", "id": "t", "name": "look", "input": {}}


@pytest.mark.parametrize(
    ("sampling", "thinking"),
    [
        (Sampling(), {"type": "adaptive", "display": "updates"}),
        (Sampling(thinking=True), {"type": "adaptive"}),
        (Sampling(thinking=True, thinking_display="summarized"), {"type": "adaptive", "display": "summarized"}),
        (
            Sampling(thinking=True, thinking_budget=1024, max_tokens=2000),
            {"type": "enabled", "budget_tokens": 1024},
        ),
        (Sampling(thinking=False), {"type": "disabled"}),
    ],
    ids=["nothing", "adaptive", "shown", "a budget", "none"],
)
async def test_what_is_asked_for_stands_in_the_place_of_what_claude_code_would_ask_for(
    sampling: Sampling, thinking: Any
) -> None:
    request = await request_for(evolve(prompt("hello"), sampling=sampling))
    assert request["thinking"] == thinking


async def test_top_k_arrives() -> None:
    request = await request_for(evolve(prompt("hello"), sampling=Sampling(top_k=7, thinking=False)))
    assert request["top_k"] == 7


def looking(answer: Sequence[AssistantPart], model: str | None, **others: Any) -> Conversation:
    """Return a conversation in the middle of a tool's use, with an answer before it that thought, too."""
    said = (
        user("a"),
        AssistantTurn((*THOUGHTS, Text("b")), model),
        user("c"),
        AssistantTurn((*answer, ToolUse("t", "look", {})), model),
        UserTurn((ToolResult("t", (Text("d"),)),)),
    )
    return Conversation(MODEL, said, tools=(LOOK,), **others)


@pytest.mark.parametrize(
    "sampling",
    [Sampling(), Sampling(thinking=True, thinking_budget=1024, max_tokens=2000)],
    ids=["as it comes", "a budget"],
)
@pytest.mark.parametrize("name", [MODEL, "sonnet", f"{MODEL}[1m]"])
async def test_what_the_model_thought_goes_back_to_it(sampling: Sampling, name: str) -> None:
    """All of it, as it was: the API refuses calls without, where there is a budget for thinking."""
    conversation = evolve(looking(THOUGHTS, MODEL, sampling=sampling), model=name)
    assert [content for role, content in turns(await request_for(conversation)) if role == "assistant"] == [
        [*ARRIVED, {"type": "text", "text": "b"}],
        [*ARRIVED, CALL],
    ]


@pytest.mark.parametrize("model", [None, "sonnet", "claude-haiku-4-5"])
async def test_what_another_model_thought_or_nobody_knows_which_is_dropped(model: str | None) -> None:
    """So each turn has to name the model by its id."""
    request = await request_for(looking(THOUGHTS, model))
    assert [content for role, content in turns(request) if role == "assistant"] == [
        [{"type": "text", "text": "b"}],
        [CALL],
    ]


async def test_a_thought_may_be_of_a_model_by_its_name_with_a_date() -> None:
    """By the name that its API has for it in answers."""
    request = await request_for(looking(THOUGHTS, f"{MODEL}-20261001"))
    assert [content[:3] for role, content in turns(request) if role == "assistant"] == [ARRIVED, ARRIVED]


async def test_thoughts_that_the_api_does_not_know_again_are_left_out_when_it_is_asked_once_more() -> None:
    """As those are before which something was changed, or that came from an API that is not there any more."""
    events, _, requests = await converse(looking((Thinking("Hm.", "not signed"),), MODEL))
    assert isinstance(events[-1], Finished)
    first, second = ([content for role, content in turns(each) if role == "assistant"] for each in requests)
    assert "not signed" in str(first)
    assert second == [[{"type": "text", "text": "b"}], [CALL]]


async def test_an_answer_of_nothing_but_thinking_is_dropped_so_it_must_not_be_sent() -> None:
    said = (user("a"), AssistantTurn(THOUGHTS, MODEL), user("b"))
    assert turns(await request_for(Conversation(MODEL, said))) == [
        ("user", [{"type": "text", "text": "a\n"}, {"type": "text", "text": "b"}])
    ]


def kinds(events: Sequence[Event]) -> list[type]:
    """Return the kinds of events, each once where it comes several times."""
    found = [type(event) for event in events[1:]]
    return [kind for at, kind in enumerate(found) if found[at - 1 : at] != [kind]]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("[[thinking of tea]] Tea.", [ThinkingDelta, Signed, TextDelta, Finished]),
        ("[[hidden thinking]] Tea.", [Signed, TextDelta, Finished]),
        ("[[redacted thinking]] Tea.", [Redacted, TextDelta, Finished]),
    ],
    ids=["told", "hidden", "redacted"],
)
async def test_thinking_comes_with_what_its_api_knows_it_again_by(words: str, told: list[type]) -> None:
    events, _, _ = await converse(prompt(words))
    assert kinds(events) == told


async def test_a_display_that_omits_it_leaves_the_signature() -> None:
    sampling = Sampling(thinking=True, thinking_display="omitted")
    events, _, _ = await converse(evolve(prompt("Think about tea."), sampling=sampling))
    assert kinds(events) == [Signed, TextDelta, Finished]
