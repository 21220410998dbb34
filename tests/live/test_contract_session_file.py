"""Histories that Claude Code reads from a file: the model is asked the same as turn by turn.

Each test is one statement about Claude Code that cca relies on. A release of it that changes one fails by name.
"""

import json
from pathlib import Path

import pytest
from attrs import evolve, frozen
from live_cli import PLAIN, Cli, Surroundings, asked, assistant, converse, open_starter, request_for, turns, user
from live_talks import open_table

from cca.backends.live import LiveBackend
from cca.claude.session_file import goes_by_file, session_file
from cca.model import (
    NO_CONTENT,
    AssistantPart,
    AssistantTurn,
    CacheMark,
    Conversation,
    Document,
    Event,
    Finished,
    Image,
    Json,
    RedactedThinking,
    Sampling,
    SearchResult,
    Text,
    Thinking,
    Tool,
    ToolChoice,
    ToolResult,
    ToolUse,
    Turn,
    UserPart,
    UserTurn,
)
from cca.scripted import open_scripted_model

pytestmark = [pytest.mark.live, pytest.mark.soak]

MODEL = "claude-haiku-5-5"
OPEN: Json = {"type": "object"}
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
HUGE = "R0lGODlh0gcBAIAAAAAAAP///ywAAAAA0gcBAAACAkQBADs="
PICTURE = Image("image/png", PIXEL)
THOUGHT = Thinking("hm", "c2ln")
CANARY = "/etc/hostname"

NOT_BARE = Surroundings(without=frozenset({"--bare"}))


def said(*parts: UserPart) -> UserTurn:
    return UserTurn(parts)


def answered(*parts: AssistantPart) -> AssistantTurn:
    return AssistantTurn(parts, model=MODEL if any(isinstance(part, Thinking) for part in parts) else None)


def call(id: str, name: str = "look", **given: Json) -> ToolUse:  # noqa: A002 - as the API calls it
    return ToolUse(id, name, given)


def result(id: str, *content: Text | Image | Document | SearchResult, failed: bool = False) -> ToolResult:  # noqa: A002
    return ToolResult(id, content, is_error=failed)


def after(*past: Turn, **more: Json) -> Conversation:
    """Return a conversation that ends with what is in no file, after ``past``."""
    names = dict.fromkeys(part.name for turn in past for part in turn.content if isinstance(part, ToolUse))
    tools = tuple(Tool(name, "d", OPEN) for name in names)
    return Conversation(MODEL, (*past, assistant("then"), user("Say yes.")), tools=tools, **more)


def alternating(*texts: str) -> tuple[Turn, ...]:
    return tuple((assistant if number % 2 else user)(text) for number, text in enumerate(texts))


CALLS = (
    user("a"),
    answered(Text("x"), call("c1", q=[1, {"a": None}], z=1.5), call("c2"), call("c3")),
    said(result("c1", Text("r"), PICTURE), result("c2", Text("no"), PICTURE, failed=True), result("c3"), Text("more")),
)

CASES = {
    "texts": after(user("a", "b", "c"), assistant("d", "e"), user("f"), system=("Be brief.", "Please.")),
    "calls": after(*CALLS),
    "calls one after the other": after(*CALLS, answered(call("c4")), said(result("c4", Text("s")))),
    "an open call": Conversation(
        MODEL,
        (*CALLS, answered(call("c4")), said(result("c4", Text("s")), Text("x"))),
        tools=(Tool("look", "d", OPEN),),
    ),
    "calls by names of the program's own": after(
        user("a"),
        answered(
            call("c1", "Bash", command="id"),
            call("c2", "Read", file_path=CANARY),
            call("c3", "Edit", file_path="f", old_string="a", new_string="b", replace_all=False),
            call("c4", "ExitPlanMode", plan="p"),
            call("c5", "TodoWrite", todos=[{"content": "x", "status": "pending", "activeForm": "y"}]),
        ),
        said(*(result(f"c{number}", Text("r")) for number in range(1, 6))),
    ),
    "calls of nothing that is offered": evolve(after(*CALLS), tools=()),
    "a call that is forced": after(*CALLS, tool_choice=ToolChoice("any")),
    "what is shown": after(
        said(
            PICTURE,
            Image(url="https://example.com/a.png"),
            Document("application/pdf", "JVBERi0xLjQKJcOkw7zDtsOfCg==", title="n.pdf"),
            Document(text="abc", title="T", context="about", citations=True),
            Document(url="https://example.com/a.pdf"),
            Document(pieces=(Text("p"),), citations=True),
            SearchResult("s", "t", (Text("x"),), citations=True),
            Text("q"),
        ),
        answered(call("c1")),
        said(result("c1", Document(text="t", title="T"), SearchResult("s", "t", (Text("x"),)))),
    ),
    "marks": after(said(Text("a", CacheMark("1h"))), answered(Text("k", CacheMark())), user("b"), system=("s",)),
    "thoughts": after(
        user("a"),
        answered(RedactedThinking("YWJj"), THOUGHT, Text("k"), call("c1")),
        said(result("c1", Text("r"))),
    ),
    "thoughts of another before": after(
        user("a"),
        AssistantTurn((THOUGHT, Text("k")), "claude-opus-4-1"),
        user("b"),
        answered(THOUGHT, Text("k")),
        user("c"),
    ),
    "nobody's thoughts": after(user("a"), AssistantTurn((THOUGHT, Text("k"))), user("b")),
    "no thinking": after(user("a"), answered(THOUGHT, Text("k")), user("b"), sampling=Sampling(thinking=False)),
    "the assistant first": after(UserTurn((NO_CONTENT,)), assistant("hello"), user("", " \n", "x")),
    "no words": after(user(""), assistant("x", "", "  ", "y \n"), user(" \n")),
    "characters": after(
        *alternating("a\u2028b\u2029c\x85\x00\x1b\ufeff\u200b\U0001f600\uffff", "x\udfff\U000e0042", "\ud800\r\n\n")
    ),
    "rows": after(*alternating('{"type":"user"}\n{"type":"summary"}', '{"type":"assistant"}', '"}}\n{"a":1}')),
    "words of the program's own": after(
        *alternating(
            "<system-reminder>x</system-reminder>",
            "<local-command-stdout>Set model to opus</local-command-stdout>",
            "<command-name>/model</command-name>\n<command-args>opus</command-args>",
            "No response requested.",
            "<local-command-caveat>q</local-command-caveat>",
            "API Error: 500",
            "[Request interrupted by user]",
            "<user-prompt-submit-hook>h</user-prompt-submit-hook>",
            "This session is being continued from a previous conversation that ran out of context.",
            "k",
            "<task-notification>x</task-notification><tick>1</tick><bash-input>ls</bash-input>",
        )
    ),
    "the same again": after(*alternating(*"ababababa")),
    "two megabytes": after(*alternating("x" * 1_500_000, "y" * 500_000, "z"), *CALLS[1:]),
    "a limit at once": after(user("a"), sampling=Sampling(max_tokens=5)),
    "a form": after(
        user("a"),
        output_schema={"type": "object", "properties": {"a": {"type": "string"}}, "additionalProperties": False},
    ),
    "250 turns": after(*alternating(*(f"turn {number}" for number in range(499)))),
}


WITH_A_LOGIN = ("texts", "an open call", "what is shown", "thoughts", "words of the program's own")


@frozen
class Held:
    """A conversation that was held: its events, the request for it, and what became of its file."""

    events: list[Event]
    request: Json
    unchanged: bool
    elsewhere: list[str]


async def by_file(conversation: Conversation, surroundings: Surroundings = PLAIN, canary: str = "") -> Held:
    """Hold a conversation of which the program has a file. ``elsewhere`` are others with the ``canary`` in them."""
    async with open_scripted_model() as model, open_starter(model, surroundings) as starter:
        starter.file_from = 1
        async with starter.start(conversation) as process:
            assert process.recalled
            events = await Cli(process).converse(conversation)
            [path] = starter.directory.rglob("*.jsonl")
            unchanged = path.read_bytes() == session_file(conversation)
            others = (each for each in starter.directory.parent.rglob("*") if each.is_file() and each != path)
            elsewhere = [str(each) for each in others if canary and canary.encode() in each.read_bytes()]
        assert not path.exists()
    [request] = asked(model)
    return Held(events, request, unchanged, elsewhere)


def comparable(request: Json) -> Json:
    """Return a request without the id of its session, and the directory of its process where the model is told it."""
    messages = [turn for turn in request["messages"] if "# Environment" not in json.dumps(turn)]
    return {**request, "metadata": None, "messages": messages}


@pytest.mark.parametrize(
    ("case", "surroundings"),
    [
        *(pytest.param(case, PLAIN, id=case) for case in CASES),
        *(pytest.param(case, NOT_BARE, id=f"{case}, as with a login") for case in WITH_A_LOGIN),
    ],
)
async def test_the_model_is_asked_the_same(case: str, surroundings: Surroundings) -> None:
    conversation = CASES[case]
    assert goes_by_file(conversation, 1)
    events, _, [request] = await converse(conversation, surroundings)
    held = await by_file(conversation, surroundings)
    assert comparable(held.request) == comparable(request)
    assert held.events == events
    assert held.unchanged


async def test_nothing_that_is_named_or_told_to_be_run_in_a_file_is() -> None:
    texts = (f"@{CANARY} read it", f"See @{CANARY}", "/cost", "!id", f"/add-dir {CANARY}", "/compact", "#memorize")
    held = await by_file(after(*alternating(*texts)))
    arrived = [block["text"] for _, content in turns(held.request) for block in content]
    assert arrived == [*texts, "then", "Say yes."]
    assert isinstance(held.events[-1], Finished)


@pytest.mark.parametrize("surroundings", [PLAIN, NOT_BARE], ids=["bare", "as with a login"])
async def test_what_stands_in_a_file_is_written_to_no_other(surroundings: Surroundings) -> None:
    held = await by_file(after(*alternating("canary-4711", "canary-4711", "canary-4711")), surroundings, "canary-4711")
    assert held.elsewhere == []
    assert held.unchanged


@pytest.mark.parametrize(
    "past",
    [
        pytest.param((user("a"), answered(call("c1")), user("never mind")), id="a call without a result"),
        pytest.param(
            (user("a"), AssistantTurn((THOUGHT, Text("k")), "claude-opus-4-1"), user("b")), id="another model"
        ),
        pytest.param((said(Image("image/png", PIXEL, cache=CacheMark())),), id="a mark on a picture"),
        pytest.param((said(Image("image/gif", HUGE), Text("b")),), id="a large picture"),
    ],
)
async def test_what_goes_turn_by_turn_would_arrive_otherwise(past: tuple[Turn, ...], tmp_path: Path) -> None:
    """Where it no longer does, a history with it may go by file."""
    conversation = after(*past)
    assert not goes_by_file(conversation, 1)
    path = tmp_path / "history.jsonl"
    path.write_bytes(session_file(conversation))
    forced = await request_for(conversation, Surroundings(arguments=(f"--resume={path}",)))
    assert comparable(forced) != comparable(await request_for(conversation))


async def test_a_conversation_that_was_in_a_file_goes_on_in_its_process() -> None:
    conversation = after(*alternating("a", "b", "c"))
    async with open_table() as table:
        assert isinstance(table.fresh, LiveBackend)
        table.fresh.file_from = 1
        answer = await table.say(conversation)
        more = evolve(conversation, turns=(*conversation.turns, assistant(answer.said), user("And now?")))
        await table.say(more)
        assert table.staying.number == 1
        table.fresh.file_from = 0
        await table.say_anew(more)
    stayed, anew = asked(table.model)[-2:]
    assert turns(stayed) == turns(anew)
