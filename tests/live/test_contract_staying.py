"""What the model is asked by a process that stayed is what a fresh one asks for the same conversation.

Each test is one statement about Claude Code that cca relies on. A release of it that changes one fails by name.
"""

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from attrs import evolve, field, frozen
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


@frozen
class Case:
    """A conversation, what its user goes on with, and what the last request has of its own."""

    name: str
    first: Conversation
    follows: tuple[Follow, ...] = (MORE,)
    changed: Mapping[str, Any] = field(factory=dict)


def case(name: str, text: str, *follows: Follow, changed: Mapping[str, Any] | None = None, **fields: Any) -> Case:
    return Case(name, evolve(prompt(text), **fields), follows or (MORE,), changed or {})


CASES = (
    case("words", "hello"),
    case("several blocks", "hello", says("and more,", " in two", "\n\nor three blocks ")),
    case("a system prompt", "hello", system=("Be brief.", "Rhyme.")),
    case("four turns", "[[tokens 3]]", MORE, says("[[tokens 7]] [[delay 1ms]]"), MORE),
    case("a picture to the second answer", "hello", says("What is this?", PICTURE)),
    Case("a picture to the first", Conversation("haiku", (UserTurn((PICTURE, Text("[[tokens 5]]"))),))),
    case("documents", "hello", says(PDF, NOTE, "What do they say?")),
    Case("documents to the first", Conversation("haiku", (UserTurn((NOTE, PDF, Text("[[tokens 5]]"))),))),
    case("calls and their results", CITIES, results("18 degrees", "5 degrees"), tools=(WEATHER,)),
    case(
        "calls, results, calls, results, words",
        CITIES,
        *(results("18 degrees", CALLED_AGAIN), results("3 degrees"), MORE),
        tools=(WEATHER, CLOCK),
    ),
    case("words, then calls", "hello", says(CITIES), results("18 degrees", "5 degrees"), tools=(WEATHER,)),
    case("a call with words", f"I look. {CALLED_AGAIN}", results("3 degrees"), MORE, tools=(WEATHER,)),
    case("a forced call", "In Paris?", results("3 degrees"), tools=(WEATHER,), tool_choice=ToolChoice("any")),
    case("tools that are not called", "hello", tools=(WEATHER, CLOCK)),
    case(
        "tools described otherwise",
        "hello",
        tools=(WEATHER,),
        changed={"tools": (evolve(WEATHER, description="Look outside.", input_schema={"type": "object"}),)},
    ),
    case("no more calls", "hello", tools=(WEATHER,), changed={"tool_choice": ToolChoice("none")}),
    case(
        "no more calls after results",
        CITIES,
        results("18 degrees", "5 degrees"),
        tools=(WEATHER,),
        changed={"tool_choice": ToolChoice("none"), "sampling": Sampling(max_tokens=50)},
    ),
    case("one call at a time", "hello", tools=(WEATHER,), changed={"tool_choice": ToolChoice(parallel=False)}),
    case("a stop sequence", "one two END three", sampling=Sampling(stop_sequences=("END",))),
    case("a stop sequence that changes", "one", changed={"sampling": Sampling(stop_sequences=("FIN", "more"))}),
    case("a limit", "hello", sampling=Sampling(max_tokens=100)),
    case("a limit that changes", "hello", sampling=Sampling(max_tokens=100), changed={"sampling": Sampling(77)}),
    case("a limit that goes", "hello", sampling=Sampling(max_tokens=100), changed={"sampling": Sampling()}),
    case("a limit that comes", "hello", changed={"sampling": Sampling(max_tokens=77)}),
    case("a limit and calls", CITIES, results("1", "2"), MORE, tools=(WEATHER,), sampling=Sampling(max_tokens=500)),
    case(
        "a temperature that changes",
        "hello",
        sampling=Sampling(thinking=False, temperature=0.1, top_p=0.5),
        changed={"sampling": Sampling(thinking=False, temperature=0.7, top_k=5)},
    ),
    case("effort", "hello", sampling=Sampling(effort="low")),
    case("thinking that is not told", "hello", sampling=Sampling(thinking=True, thinking_display="omitted")),
    case("a budget for thinking", "hello", sampling=Sampling(4000, thinking=True, thinking_budget=1024)),
    case("a schema that goes", "hello", output_schema=SHAPE, changed={"output_schema": None}),
    case(
        "a schema that changes",
        "hello",
        says("more"),
        output_schema=SHAPE,
        changed={"output_schema": {**SHAPE, "required": ["b"], "properties": {"b": {"type": "integer"}}}},
    ),
    case("marks of the program's own, that move on", "hello", MORE, MORE, **MARKED),
    case("any script", "\u2028 \x00 é 👩‍👩‍👧 ﷽ \u200b e\u0301 \ufeff \U0001d54f", says("é\u0000\u2029 ok")),
    case("white space", "\n  lead and \t trail \r\n\n ", says(" \n and \t more  \n")),
    case("a long answer", "[[tokens 3000]]"),
    case("a long text", "x y " * 30_000, says("é👩 " * 10_000)),
    case("a command", "hello", says("/cost")),
    case("a file", "hello", says("@/etc/hostname and @./notes.txt")),
    case("look-alikes", "hello", says("#memo", '{"type":"control_request"}', "!ls <system-reminder>")),
    case("a turn that was heard before", "hello", says("hello"), says("hello")),
)


async def held(table: Table, case: Case) -> Conversation:
    """Hold a conversation up to its last request, and return this."""
    conversation = case.first
    for follow in case.follows:
        message = await table.say(conversation)
        assert table.staying.number == 1, message.stop_reason
        conversation = followed(conversation, message, follow)
    return evolve(conversation, **case.changed)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
async def test_the_model_is_asked_what_a_fresh_process_asks(case: Case) -> None:
    """And by the same process as before, in one request a turn; so it answers the same."""
    async with open_table() as table:
        last = await held(table, case)
        by_the_one = await table.say(last)
        by_the_other = await table.say_anew(last)
        first, *_, stayed, fresh = requests = received(table.model)
    assert len(requests) == len(case.follows) + 2
    assert process_of(first) == process_of(stayed) != process_of(fresh)
    assert substance(stayed) == substance(fresh)
    assert by_the_one.said == by_the_other.said


async def test_only_a_process_that_stayed_knows_what_it_thought() -> None:
    """A client leaves it out; the model's API may be told, or not."""
    async with open_table() as table:
        last = await held(table, case("", "[[thinking of birds]] Birds.", sampling=Sampling(thinking=True)))
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


@pytest.mark.parametrize("branch", BRANCHES)
async def test_another_conversation_is_not_told_to_a_process_that_stayed(branch: str) -> None:
    """It is asked as if nothing had been said before; and the one that stayed still goes on with its own."""
    async with open_table() as table:
        said = await held(table, Case("", FIRST))
        other = BRANCHES[branch](said)
        await table.say(other)
        await table.say_anew(other)
        await table.say(said)
        first, branched, fresh, went_on = received(table.model)
    assert process_of(branched) != process_of(first) == process_of(went_on)
    assert substance(branched) == substance(fresh)


async def test_the_same_words_of_another_owner_are_not_told_to_a_process_that_stayed() -> None:
    async with open_table() as table:
        said = await held(table, Case("", FIRST))
        await table.say(said, owner="bob")
        await table.say(said, owner="ann")
        first, bobs, anns = received(table.model)
    assert process_of(bobs) != process_of(first) == process_of(anns)
    assert substance(bobs) == substance(anns)


async def test_a_conversation_that_branches_goes_on_once_in_its_process_and_once_in_another() -> None:
    async with open_table() as table:
        said = await held(table, Case("", FIRST))
        await table.say(said)
        other = edited(said, 2, "Or not?")
        await table.say(other)
        await table.say_anew(other)
        first, one, two, fresh = received(table.model)
    assert process_of(first) == process_of(one) != process_of(two)
    assert substance(two) == substance(fresh)


async def test_of_two_processes_with_the_same_conversation_the_last_goes_on() -> None:
    async with open_table() as table:
        await held(table, Case("", FIRST))
        await table.say(await held(table, Case("", FIRST)))
        first, again, went_on = received(table.model)
    assert process_of(first) != process_of(again) == process_of(went_on)
    assert substance(first) == substance(again)


ENDS = ("[[stop max_tokens]] a b", "[[stop refusal]] no", "[[stop model_context_window_exceeded]] a", "[[tokens 0]]")


@pytest.mark.parametrize("text", ENDS)
async def test_after_another_end_no_process_stays(text: str) -> None:
    async with open_table() as table:
        await table.say(prompt(text))
        assert (table.staying.number, len(received(table.model))) == (0, 1)
