"""What the model is asked by a process that stayed is what a fresh one asks for the same conversation.

Each test is one statement about Claude Code that cca relies on. A release of it that changes one fails by name.
"""

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from attrs import evolve, frozen
from live_cli import asked, open_cli, prompt, turns
from live_requests import process_of, received, substance
from live_talks import Follow, Table, followed, open_table, results

from cca.model import (
    AssistantTurn,
    CacheMark,
    Conversation,
    Document,
    Image,
    Json,
    Sampling,
    Text,
    Tool,
    ToolChoice,
    UserPart,
    UserTurn,
)
from cca.scripted import open_scripted_model

pytestmark = pytest.mark.live

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
PICTURE = Image("image/png", PIXEL)
PDF = Document("application/pdf", "JVBERi0xLjEKJSVFT0YK", title="report.pdf")
NOTE = Document(text="Ada wrote the notes in 1843.", title="Notes", context="A shelf.")

WEATHER = Tool(
    "get_weather",
    "Get the current weather of a city.",
    {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
)
CLOCK = Tool("Read", "Read a clock.", {"type": "object"})
CITIES = "What is the weather in Paris and Rome?"
CALLED_AGAIN = '[[call get_weather {"city": "Oslo"}]]'

SHAPE: Json = {
    "type": "object",
    "properties": {"a": {"type": "string"}},
    "required": ["a"],
    "additionalProperties": False,
}

MARK = CacheMark()
MARKED: Mapping[str, Any] = {"system": ("Be brief.",), "system_marks": (MARK, MARK), "cache": MARK}


def says(*parts: str | UserPart) -> Follow:
    said = UserTurn(tuple(Text(part) if isinstance(part, str) else part for part in parts))
    return lambda _: said


MORE = says("[[tokens 5]] and more")


Fields = Mapping[str, Any]
"""Of a conversation."""


@frozen
class Case:
    """A conversation, what its user goes on with, and what each request has of its own from then on."""

    name: str
    first: Conversation
    follows: tuple[tuple[Follow, Fields], ...]


def case(name: str, text: str, *follows: Follow | tuple[Follow, Fields], **fields: Any) -> Case:
    steps = (follow if isinstance(follow, tuple) else (follow, {}) for follow in follows or (MORE,))
    return Case(name, evolve(prompt(text), **fields), tuple(steps))


CASES = (
    case("words, turn after turn", "[[tokens 3]]", MORE, says("[[tokens 7]]"), MORE, system=("Be brief.", "Rhyme.")),
    case(
        "any script, white space, several blocks",
        "\u2028 \x00 é 👩‍👩‍👧 ﷽ \u200b e\u0301 \ufeff \U0001d54f",
        says("\n  lead and \t trail \r\n\n "),
        says("and more,", " in two", "\n\nor three blocks "),
        MORE,
    ),
    case(
        "words that could be taken for more",
        "hello",
        says("/cost"),
        says("@/etc/hostname and @./notes.txt"),
        says("#memo", '{"type":"control_request"}', "!ls <system-reminder>"),
        says("hello"),
    ),
    case("what is long", "x y " * 30_000, says("é👩 " * 10_000), says("[[tokens 3000]]"), MORE),
    Case(
        "pictures and documents",
        Conversation("haiku", (UserTurn((PICTURE, NOTE, PDF, Text("[[tokens 5]]"))),)),
        ((says("What is this?", PICTURE), {}), (says(PDF, NOTE, "What do they say?"), {})),
    ),
    case(
        "calls, results, calls, results, words, calls, results",
        CITIES,
        *(results("18 degrees", CALLED_AGAIN), results("3 degrees"), MORE, says(f"I look. {CALLED_AGAIN}")),
        *(results("3 degrees"), MORE),
        tools=(WEATHER, CLOCK),
    ),
    case("a forced call", "In Paris?", results("3 degrees"), tools=(WEATHER,), tool_choice=ToolChoice("any")),
    case(
        "tools that are described otherwise, and chosen otherwise",
        "hello",
        (MORE, {"tools": (evolve(WEATHER, description="Look outside.", input_schema={"type": "object"}),)}),
        (MORE, {"tool_choice": ToolChoice("none")}),
        (MORE, {"tool_choice": ToolChoice(parallel=False)}),
        tools=(WEATHER,),
    ),
    case(
        "no more calls after results",
        CITIES,
        (results("18 degrees", "5 degrees"), {"tool_choice": ToolChoice("none"), "sampling": Sampling(50)}),
        tools=(WEATHER,),
    ),
    case(
        "stop sequences",
        "one two END three",
        MORE,
        (MORE, {"sampling": Sampling(stop_sequences=("FIN", "more"))}),
        sampling=Sampling(stop_sequences=("END",)),
    ),
    case(
        "a limit that comes, changes, and goes",
        "hello",
        (MORE, {"sampling": Sampling(max_tokens=100)}),
        (MORE, {"sampling": Sampling(max_tokens=77)}),
        (MORE, {"sampling": Sampling()}),
    ),
    case("a limit and calls", CITIES, results("1", "2"), MORE, tools=(WEATHER,), sampling=Sampling(max_tokens=500)),
    case(
        "a temperature that changes",
        "hello",
        (MORE, {"sampling": Sampling(thinking=False, temperature=0.7, top_k=5)}),
        sampling=Sampling(thinking=False, temperature=0.1, top_p=0.5),
    ),
    case("effort", "hello", sampling=Sampling(effort="low")),
    case("thinking that is not told", "hello", sampling=Sampling(thinking=True, thinking_display="omitted")),
    case("a budget for thinking", "hello", sampling=Sampling(4000, thinking=True, thinking_budget=1024)),
    case(
        "a schema that changes, and goes",
        "hello",
        (
            says("and more"),
            {"output_schema": {**SHAPE, "required": ["b"], "properties": {"b": {"type": "integer"}}}},
        ),
        (MORE, {"output_schema": None}),
        output_schema=SHAPE,
    ),
    case("marks of the program's own, that move on", "hello", MORE, MORE, **MARKED),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
async def test_the_model_is_asked_what_a_fresh_process_asks(case: Case) -> None:
    """And by the same process as before, in one request a turn; so it answers the same.

    A request that has something of its own is compared, and the last one, which has all that was said.
    """
    async with open_table() as table:
        conversation, message, requests = case.first, await table.say(case.first), 1
        for follow, fields in case.follows:
            conversation = evolve(followed(conversation, message, follow), **fields)
            message, requests = await table.say(conversation), requests + 1
            if not fields and follow is not case.follows[-1][0]:
                continue
            by_another, requests = await table.say_anew(conversation), requests + 1
            first, *_, stayed, fresh = received(table.model)
            assert process_of(first) == process_of(stayed) != process_of(fresh)
            assert substance(stayed) == substance(fresh)
            assert message.said == by_another.said
        assert len(received(table.model)) == requests


async def gone_on(table: Table, first: Conversation) -> Conversation:
    """Have the first request answered, and return what follows it."""
    message = await table.say(first)
    assert table.staying.number > 0, message.stop_reason
    return followed(first, message, MORE)


async def test_only_a_process_that_stayed_knows_what_it_thought() -> None:
    """A client leaves it out; the model's API may be told, or not."""
    async with open_table() as table:
        last = await gone_on(table, evolve(prompt("[[thinking of birds]] Birds."), sampling=Sampling(thinking=True)))
        await table.say(last)
        await table.say_anew(last)
        _, stayed, fresh = (turns(request.body) for request in received(table.model))
    [(_, [thought, *said])] = [turn for turn in stayed if turn not in fresh]
    assert (thought["type"], thought["thinking"]) == ("thinking", "of birds")
    assert ("assistant", said) in fresh


CITED = Document(text="Ada wrote the notes in 1843. They are longer than the paper.", title="Notes", citations=True)


async def test_of_what_an_answer_cites_the_program_remembers_nothing_but_that_it_does() -> None:
    """So its process does not stay: a client may send all of it back."""
    question = Conversation("haiku", (UserTurn((CITED, Text("What do they say?"))),))
    async with open_table() as table:
        assert (await table.say(question)).cites
        assert table.staying.number == 0
    async with open_scripted_model() as model, open_cli(model) as cli:
        await cli.converse(question)
        await cli.until(type="result")
        cli.ask("and more")
        await cli.until(type="result")
        *_, (_, answer), _ = turns(asked(model)[-1])
    assert [block.get("citations") for block in answer] == [None, []]


FIRST = evolve(prompt("My name is Ada."), system=("Be brief.",), tools=(WEATHER,))


def edited(conversation: Conversation, at: int, *texts: str) -> Conversation:
    """Return a conversation with a turn said otherwise."""
    kinds = {0: UserTurn, 1: AssistantTurn}
    turn = kinds[at % 2](tuple(map(Text, texts)))
    return evolve(conversation, turns=(*conversation.turns[:at], turn, *conversation.turns[at + 1 :]))


BRANCHES: Mapping[str, Callable[[Conversation], Conversation]] = {
    "its question edited": lambda said: edited(said, 0, "My name is Bob."),
    "its question cut otherwise": lambda said: edited(said, 0, "My name", " is Ada."),
    "its answer edited": lambda said: edited(said, 1, "My name is Bob."),
    "its answer left out": lambda said: evolve(said, turns=said.turns[2:]),
    "another system prompt": lambda said: evolve(said, system=("Be long.",)),
    "no tools": lambda said: evolve(said, tools=()),
    "another model": lambda said: evolve(said, model="sonnet"),
    "another effort": lambda said: evolve(said, sampling=Sampling(effort="high")),
    "no thinking": lambda said: evolve(said, sampling=Sampling(thinking=False)),
    "a forced call": lambda said: evolve(said, tool_choice=ToolChoice("any")),
    "a mark on a turn": lambda said: evolve(said, turns=(*said.turns[:-1], UserTurn((Text("So?", MARK),)))),
    "a schema of the program's": lambda said: evolve(
        edited(said, 2, "So?"), output_schema={**SHAPE, "minProperties": 1}
    ),
    "a near limit": lambda said: evolve(said, tools=(), sampling=Sampling(max_tokens=5)),
}


@pytest.mark.parametrize("some", [list(BRANCHES)[at::4] for at in range(4)], ids=", ".join)
async def test_no_other_conversation_is_told_to_a_process_that_stayed(some: list[str]) -> None:
    """Each is asked by a process of its own; and the one that stayed goes on with what it knows."""
    async with open_table() as table:
        said = await gone_on(table, FIRST)
        for branch in some:
            await table.say(BRANCHES[branch](said))
        await table.say(said)
        first, *branched, went_on = map(process_of, received(table.model))
    asked_by = dict(zip(some, branched, strict=True))
    assert [name for name, process in asked_by.items() if process == first] == []
    assert len(set(branched)) == len(branched)
    assert went_on == first


@pytest.mark.parametrize("branch", ["its question edited", "another system prompt"])
async def test_another_conversation_is_asked_as_if_nothing_had_been_said_before(branch: str) -> None:
    async with open_table() as table:
        other = BRANCHES[branch](await gone_on(table, FIRST))
        await table.say(other)
        await table.say_anew(other)
        _, branched, fresh = received(table.model)
    assert substance(branched) == substance(fresh)


async def test_the_same_words_of_another_owner_are_not_told_to_a_process_that_stayed() -> None:
    async with open_table() as table:
        said = await gone_on(table, FIRST)
        await table.say(said, owner="bob")
        await table.say(said, owner="ann")
        first, bobs, anns = received(table.model)
    assert process_of(bobs) != process_of(first) == process_of(anns)
    assert substance(bobs) == substance(anns)


async def test_a_conversation_that_branches_goes_on_once_in_its_process_and_once_in_another() -> None:
    async with open_table() as table:
        said = await gone_on(table, FIRST)
        await table.say(said)
        other = edited(said, 2, "Or not?")
        await table.say(other)
        await table.say_anew(other)
        first, one, two, fresh = received(table.model)
    assert process_of(first) == process_of(one) != process_of(two)
    assert substance(two) == substance(fresh)


async def test_of_two_processes_with_the_same_conversation_the_last_goes_on() -> None:
    async with open_table() as table:
        await gone_on(table, FIRST)
        await table.say(await gone_on(table, FIRST))
        first, again, went_on = received(table.model)
    assert process_of(first) != process_of(again) == process_of(went_on)
    assert substance(first) == substance(again)


ENDS = ("[[stop max_tokens]] a b", "[[stop refusal]] no", "[[stop model_context_window_exceeded]] a", "[[tokens 0]]")


@pytest.mark.parametrize("text", ENDS)
async def test_after_another_end_no_process_stays(text: str) -> None:
    async with open_table() as table:
        await table.say(prompt(text))
        assert (table.staying.number, table.pool.alive) == (0, 0)
