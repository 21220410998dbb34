"""The seal: after a limit of tokens the program asks again, and what it asks then is nothing, even where no kill comes.

Each test is one statement about Claude Code that cca relies on. A release of it that changes one fails by name.
"""

from typing import Any

import pytest
from attrs import evolve
from live_cli import GOING_ON, RETRYING_REFUSALS, Surroundings, asked, converse, open_cli, prompt, text_of
from live_requests import process_of, received
from live_talks import followed, open_table, results

from cca.claude import frames
from cca.claude.script import NOTHING_TO_ASK
from cca.model import Finished, Sampling, Tool
from cca.scripted import open_scripted_model

pytestmark = pytest.mark.live

SLOWLY = "[[delay 20ms]]"
"""As a model speaks. Without it an answer is over before the program has read what it is told."""

LIMIT = Sampling(max_tokens=40)
WEATHER = Tool("get_weather", None, {"type": "object"})


@pytest.mark.parametrize("reason", GOING_ON)
@pytest.mark.parametrize(
    ("said", "fields"),
    [
        pytest.param("[[tokens 39]]", {}, id="words"),
        pytest.param("[[thinking of many birds]] [[tokens 30]]", {}, id="thoughts"),
        pytest.param("[[tokens 39]]", {"tools": (WEATHER,), "system": ("Be brief.",)}, id="tools and a system prompt"),
    ],
)
async def test_what_a_sealed_program_asks_by_itself_is_nothing_and_is_refused(
    said: str, fields: dict[str, Any], reason: str
) -> None:
    """Nobody kills it here."""
    conversation = evolve(prompt(f"{said} {SLOWLY} [[stop {reason}]]"), sampling=LIMIT, **fields)
    async with open_scripted_model() as model, open_cli(model, RETRYING_REFUSALS) as cli:
        *_, last = await cli.converse(conversation)
        assert isinstance(last, Finished)
        assert last.stop_reason == GOING_ON[reason]
        result = await cli.until(type="result")
        first, *others = asked(model)
    assert (result["is_error"], result["api_error_status"]) == (True, 400)
    assert first["messages"]
    assert others
    assert [body["messages"] for body in others] == [[]] * len(others)


async def test_a_limit_that_is_reached_seals_as_well() -> None:
    conversation = evolve(prompt(f"[[tokens 60]] {SLOWLY}"), sampling=LIMIT)
    async with open_scripted_model() as model, open_cli(model) as cli:
        events = await cli.converse(conversation)
        await cli.until(type="result")
        _, *others = asked(model)
    assert text_of(events).split()[-1] == "t40"
    assert [body["messages"] for body in others] == [[]] * len(others)


async def test_the_seal_is_taken_off_by_settings_that_are_told_again() -> None:
    async with open_scripted_model() as model, open_cli(model) as cli:
        cli.say(NOTHING_TO_ASK, frames.apply_settings("one", {"env": {"CLAUDE_CODE_EXTRA_BODY": "{}"}}))
        cli.ask("hello")
        assert (await cli.until(type="result"))["result"] == "hello"
        cli.say(NOTHING_TO_ASK)
        cli.ask("and again")
        assert (await cli.until(type="result"))["is_error"]
        first, *others = asked(model)
    assert first["messages"]
    assert {len(body["messages"]) for body in others} == {0}


async def test_an_answer_is_the_same_whether_it_is_sealed_or_not() -> None:
    """Being told something in the middle of an answer disturbs nothing of it."""
    free = prompt("[[thinking of birds]] [[tokens 400]] [[delay 1ms]]")
    (one, _, _), (two, _, _) = await converse(free), await converse(evolve(free, sampling=Sampling(max_tokens=1000)))
    assert [type(event) for event in one] == [type(event) for event in two]
    assert text_of(one) == text_of(two)


async def test_a_process_that_is_sealed_in_each_turn_goes_on_turn_after_turn() -> None:
    limit = Sampling(max_tokens=500)
    async with open_table() as table:
        conversation = evolve(prompt("[[call get_weather {}]]"), sampling=limit, tools=(WEATHER,))
        for told in ("[[call get_weather {}]] Once more.", "[[tokens 40]]"):
            conversation = followed(conversation, await table.say(conversation), results(told))
        answer = await table.say(conversation)
        requests = received(table.model)
    assert answer.said.split()[-1] == "t40"
    assert [request.body["messages"] == [] for request in requests] == [False] * 3
    assert {request.body["max_tokens"] for request in requests} == {500}
    assert len({process_of(request) for request in requests}) == 1


@pytest.mark.parametrize("fault", ["cut at start times 1", "error mid-stream overloaded_error after 0 times 1"])
async def test_an_answer_that_starts_again_is_not_sealed_before_it_does(fault: str) -> None:
    conversation = evolve(prompt(f"[[{fault}]] [[tokens 40]]"), sampling=Sampling(max_tokens=100))
    events, _, requests = await converse(conversation, Surroundings(retries=2))
    assert text_of(events).split()[-1] == "t40"
    assert [len(body["messages"]) > 0 for body in requests] == [True, True]


async def test_without_a_limit_nothing_is_sealed() -> None:
    """So whoever sets none has the kill alone."""
    async with open_scripted_model() as model, open_cli(model) as cli:
        await cli.converse(prompt(f"[[tokens 39]] {SLOWLY} [[stop max_tokens]]"))
        await cli.until(type="result")
        assert [len(body["messages"]) > 0 for body in asked(model)] == [True, True]
