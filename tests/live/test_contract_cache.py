"""Marks for the cache: the client's where it sends any, else those that Claude Code makes.

Each test is one statement about Claude Code that cca relies on. A release of it that changes one fails by name.
"""

from collections.abc import Iterator

import pytest
from attrs import evolve
from live_cli import prompt, request_for, user

from cca.model import (
    AssistantTurn,
    CacheMark,
    Conversation,
    Document,
    Image,
    Json,
    SearchResult,
    Text,
    Tool,
    ToolResult,
    ToolUse,
    Turn,
    UserTurn,
)

pytestmark = pytest.mark.live

MARK, HOUR = CacheMark(), CacheMark("1h")
SHORT, LONG = {"type": "ephemeral"}, {"type": "ephemeral", "ttl": "1h"}

LOOK = Tool("look", "Look.", {"type": "object", "properties": {}})

DRAWN = Image(
    "image/png",
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==",
)

OWN_LINE = "system.1"
"""The line of Claude Code's, after the block for the vendor's billing."""


def marks(value: Json, path: str = "") -> Iterator[tuple[str, Json]]:
    """Yield the places of all marks in a request, and what they are."""
    match value:
        case dict():
            for name, inner in value.items():
                if name == "cache_control":
                    yield path, inner
                else:
                    yield from marks(inner, f"{path}.{name}".removeprefix("."))
        case list():
            for at, inner in enumerate(value):
                yield from marks(inner, f"{path}.{at}")
        case _:
            pass


async def marks_of(conversation: Conversation) -> dict[str, Json]:
    return dict(marks(await request_for(conversation)))


async def test_without_marks_of_the_clients_claude_code_makes_its_own() -> None:
    assert await marks_of(prompt("hello")) == {OWN_LINE: SHORT, "messages.0.content.0": SHORT}


async def test_a_system_prompt_brings_one_more() -> None:
    conversation = evolve(prompt("hello"), system=("Be brief.", "Be kind."), tools=(LOOK,))
    assert await marks_of(conversation) == {OWN_LINE: SHORT, "system.2": SHORT, "messages.0.content.0": SHORT}


ON_ITS_WAY = (
    user("a"),
    AssistantTurn((Text("b"), ToolUse("t", "look", {}))),
    UserTurn((ToolResult("t", (Text("c"), Text("d"))), Text("e"))),
)


@pytest.mark.parametrize(
    ("conversation", "arrive"),
    [
        pytest.param(
            Conversation("haiku", (UserTurn((Text("a", MARK), Text("b"))),)),
            {"messages.0.content.0": SHORT},
            id="one",
        ),
        pytest.param(
            Conversation("haiku", (UserTurn((Text("a", HOUR),)),), ("Be brief.",)),
            {"messages.0.content.0": LONG},
            id="one for an hour, beside a system prompt",
        ),
        pytest.param(
            Conversation(
                "haiku",
                (
                    UserTurn((Text("a", HOUR),)),
                    AssistantTurn((Text("b", HOUR), ToolUse("t", "look", {}))),
                    UserTurn((ToolResult("t", (Text("c"), Text("d")), cache=MARK), Text("e", MARK))),
                ),
                tools=(LOOK,),
            ),
            {
                "messages.0.content.0": LONG,
                # An empty turn of the system's, Claude Code's own, stands between.
                "messages.2.content.0": LONG,
                "messages.3.content.0": SHORT,
                "messages.3.content.1": SHORT,
            },
            id="four, on blocks of all turns",
        ),
        pytest.param(
            Conversation(
                "haiku",
                (
                    *ON_ITS_WAY[:2],
                    UserTurn((ToolResult("t", (Text("c", MARK), Text("d", MARK)), cache=MARK), Text("e", MARK))),
                ),
                tools=(LOOK,),
            ),
            {
                "messages.3.content.0": SHORT,
                "messages.3.content.0.content.0": SHORT,
                "messages.3.content.0.content.1": SHORT,
                "messages.3.content.1": SHORT,
            },
            id="four, inside of a result as well",
        ),
        pytest.param(
            Conversation(
                "haiku",
                (
                    UserTurn(
                        (
                            Document(pieces=(Text("a", HOUR), Text("b")), cache=HOUR),
                            SearchResult("s", "t", (Text("c"),), cache=MARK),
                            Image(url="https://example.com/cat.png", cache=MARK),
                            Text("d"),
                        )
                    ),
                ),
            ),
            {
                "messages.0.content.0": LONG,
                "messages.0.content.0.source.content.0": LONG,
                "messages.0.content.1": SHORT,
                "messages.0.content.2": SHORT,
            },
            id="four, on and in what is no text",
        ),
        pytest.param(
            Conversation(
                "haiku",
                (UserTurn((Text("a"), Text("b", MARK))),),
                ("Be brief.",),
                (LOOK, evolve(LOOK, name="hear", cache=HOUR)),
                cache=MARK,
            ),
            {"tools.1": LONG, "messages.0.content.1": SHORT, "": SHORT},
            id="on a tool, a block, and whatever comes last",
        ),
        pytest.param(evolve(prompt("hello"), cache=HOUR), {"": LONG}, id="on whatever comes last alone"),
        pytest.param(
            Conversation("haiku", (UserTurn((Text("a", MARK),)),), ("Be brief.",), system_marks=(MARK,)),
            {"messages.0.content.0": SHORT},
            id="on a system prompt, which cannot be kept",
        ),
        pytest.param(
            Conversation("haiku", (UserTurn((Text("a", MARK),)),), ("Be brief.",), system_marks=(MARK, MARK)),
            {OWN_LINE: SHORT, "system.2": SHORT, "messages.0.content.0": SHORT},
            id="in the places of Claude Code's own",
        ),
        pytest.param(
            Conversation(
                "haiku", ON_ITS_WAY, ("Be brief.",), (evolve(LOOK, cache=MARK),), system_marks=(MARK,), cache=MARK
            ),
            {OWN_LINE: SHORT, "system.2": SHORT, "messages.3.content.1": SHORT},
            id="in the places of Claude Code's own, and on the tools before them",
        ),
        pytest.param(
            Conversation(
                "haiku", (UserTurn((Text("a"), evolve(DRAWN, cache=MARK))),), ("Be brief.",), system_marks=(MARK, MARK)
            ),
            {OWN_LINE: SHORT, "system.2": SHORT, "messages.0.content.1": SHORT},
            id="in the places of Claude Code's own, on a picture",
        ),
        pytest.param(
            evolve(prompt("hello"), system=("Be brief.",), system_marks=(HOUR, MARK)),
            {"": LONG},
            id="on a system prompt alone, so at the end instead",
        ),
        pytest.param(
            Conversation(
                "haiku",
                (
                    UserTurn((evolve(DRAWN, cache=MARK), Text("a"))),
                    AssistantTurn((ToolUse("t", "look", {}, MARK),)),
                    UserTurn((ToolResult("t", (evolve(DRAWN, cache=MARK),), is_error=True),)),
                ),
                tools=(LOOK,),
            ),
            {"": SHORT},
            id="three that Claude Code drops, so at the end instead",
        ),
        pytest.param(
            Conversation(
                "haiku",
                (
                    UserTurn((Document("application/pdf", "JVBERi0=", cache=MARK), Text("a"))),
                    AssistantTurn((ToolUse("t", "look", {}),)),
                    UserTurn(
                        (
                            ToolResult("t", (evolve(DRAWN, cache=MARK),)),
                            Document(pieces=(evolve(DRAWN, cache=MARK),)),
                            Text("b"),
                        )
                    ),
                ),
                tools=(LOOK,),
            ),
            {
                "messages.0.content.0": SHORT,
                "messages.3.content.0.content.0": SHORT,
                "messages.3.content.1.source.content.0": SHORT,
            },
            id="on files, and on pictures in results and documents",
        ),
    ],
)
async def test_the_marks_that_arrive_are_the_clients_and_never_more(
    conversation: Conversation, arrive: dict[str, Json]
) -> None:
    assert await marks_of(conversation) == arrive


async def test_a_mark_on_a_call_is_dropped() -> None:
    """Claude Code writes calls anew, so a dialect says that such a mark has no effect."""
    marked = AssistantTurn((Text("b", MARK), ToolUse("t", "look", {}, MARK)))
    conversation = Conversation("haiku", (ON_ITS_WAY[0], marked, ON_ITS_WAY[2]), tools=(LOOK,))
    assert await marks_of(conversation) == {"messages.2.content.0": SHORT}


@pytest.mark.parametrize("past", [(), (AssistantTurn((Text("b"),)), user("c"))], ids=["last", "past"])
async def test_a_mark_on_a_users_picture_is_dropped(past: tuple[Turn, ...]) -> None:
    """Claude Code draws it anew."""
    conversation = Conversation("haiku", (UserTurn((evolve(DRAWN, cache=MARK), Text("a", HOUR))), *past))
    assert await marks_of(conversation) == {"messages.0.content.1": LONG}
