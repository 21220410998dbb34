"""About how many tokens a conversation is: what a limit sets aside, and what is told before anybody has counted."""

import base64
import time
from collections.abc import Callable
from contextlib import suppress
from math import ceil

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from cca.dialects.pairing import check_pairs
from cca.errors import BadRequest
from cca.estimate import (
    BYTES_PER_TOKEN,
    IMAGE_TOKENS,
    MOST_PATCHES,
    PAGE_BYTES,
    PAGE_TOKENS,
    START_TOKENS,
    TOOLS_TOKENS,
    TURN_TOKENS,
    estimated_tokens,
    input_tokens,
)
from cca.model import (
    AssistantTurn,
    Conversation,
    Document,
    Image,
    Json,
    RedactedThinking,
    Sampling,
    SearchResult,
    Text,
    Thinking,
    Tool,
    ToolResult,
    ToolUse,
    Turn,
    UserPart,
    UserTurn,
)
from cca.pictures import MOST_PAGES, MOST_SEGMENTS
from test_pictures import encoded, gif, jpeg, pdf, png

TEN = "x" * 10 * BYTES_PER_TOKEN
"""A text of about ten tokens."""

SCAN = Document("application/pdf", data="A" * (7 * PAGE_BYTES * 4 // 3 + 100))
"""Base64 of seven pages that nobody can count."""


ENDLESS = Document("application/pdf", data="A" * ((MOST_PAGES + 1) * PAGE_BYTES * 4 // 3))


def picture(content: bytes) -> Image:
    return Image("image/png", encoded(content))


SMALL = picture(png(280, 560))
ANYWHERE = Image(url="https://x")


@pytest.mark.parametrize(
    ("turns", "tokens"),
    [
        pytest.param((), 0, id="nothing"),
        pytest.param((UserTurn((Text(TEN), Text(TEN))), AssistantTurn((Text(TEN),))), 30, id="texts"),
        pytest.param((UserTurn((Text("ж" * 20),)),), 10, id="other scripts, by their bytes"),
        pytest.param((UserTurn((Text("abc"),)),), 1, id="less than one"),
        pytest.param((UserTurn((SMALL, Text(TEN), SMALL)),), 2 * 10 * 20 + 10, id="images, by their size"),
        pytest.param((UserTurn((ANYWHERE,)),), IMAGE_TOKENS, id="an image that is elsewhere"),
        pytest.param((UserTurn((Image("image/png", "iVBORw0"),)),), IMAGE_TOKENS, id="an image of no known size"),
        pytest.param((UserTurn((Document("text/plain", text=TEN),)),), 10, id="a document of text"),
        pytest.param((UserTurn((Document(text=TEN, title=TEN, context=TEN),)),), 30, id="what is said about it"),
        pytest.param((UserTurn((Document(pieces=(Text(TEN), SMALL)),)),), 210, id="a document of pieces"),
        pytest.param((UserTurn((Document(data=TEN),)),), PAGE_TOKENS, id="a small PDF, as a page"),
        pytest.param((UserTurn((SCAN,)),), 7 * PAGE_TOKENS, id="a PDF, by its size"),
        pytest.param((UserTurn((Document(data=encoded(pdf(3))),)),), 3 * PAGE_TOKENS, id="a PDF, by its pages"),
        pytest.param((UserTurn((ENDLESS,)),), MOST_PAGES * PAGE_TOKENS, id="a PDF of more pages than there may be"),
        pytest.param((UserTurn((Document(url="https://x"),)),), PAGE_TOKENS, id="a document that is elsewhere"),
        pytest.param((UserTurn((SearchResult(TEN, TEN, (Text(TEN),)),)),), 30, id="a search result"),
        pytest.param((AssistantTurn((ToolUse("t", "f" * 30, {"a": "bc"}),)),), 10, id="a call"),
        pytest.param((UserTurn((ToolResult("t", (Text(TEN), SMALL)),)),), 210, id="its result"),
        pytest.param((UserTurn((ToolResult("t", (Document(text=TEN),)),)),), 10, id="a document in it"),
        pytest.param((AssistantTurn((Thinking(TEN, "s"), RedactedThinking(TEN))),), 20, id="what it thought"),
    ],
)
def test_what_is_said_is_about_a_token_for_four_bytes(turns: tuple[Turn, ...], tokens: int) -> None:
    assert input_tokens(Conversation("haiku", turns)) == START_TOKENS + TURN_TOKENS * len(turns) + tokens


def test_the_system_prompt_the_tools_and_what_may_come_out_count_too() -> None:
    conversation = Conversation(
        "haiku",
        (UserTurn((Text(TEN),)),),
        system=(TEN, TEN),
        tools=(Tool("f" * 20, "d" * 10, {"type": "a"} | {"b": "c"}),),
        sampling=Sampling(max_tokens=1000),
        output_schema={"type": "a"} | {"b": "c"},
    )
    assert len('{"type":"a","b":"c"}') == 20
    said = 10 + 20 + ceil((20 + 10 + 20 + 20) / BYTES_PER_TOKEN)
    assert input_tokens(conversation) == START_TOKENS + TURN_TOKENS + TOOLS_TOKENS + said
    assert estimated_tokens(conversation) == input_tokens(conversation) + 1000


@pytest.mark.parametrize(
    ("content", "tokens"),
    [
        pytest.param(png(1, 1), 1, id="a dot"),
        pytest.param(png(28, 28), 1, id="a patch"),
        pytest.param(gif(29, 28), 2, id="a bit more"),
        pytest.param(jpeg(1092, 1092), 1521, id="a square"),
        pytest.param(png(2576, 1456), 4784, id="the largest"),
        pytest.param(png(5152, 1456), 2392, id="too long"),
        pytest.param(png(2576, 100), 368, id="just not too long"),
        pytest.param(png(5152, 100), 184, id="fewer, for more pixels"),
        pytest.param(png(2576, 2576), MOST_PATCHES, id="too large"),
        pytest.param(png(60_000, 60_000), MOST_PATCHES, id="enormous"),
        pytest.param(png(60_000, 1), 92, id="a line"),
    ],
)
def test_a_picture_is_as_many_patches_as_the_model_sees(content: bytes, tokens: int) -> None:
    with_it = Conversation("opus", (UserTurn((picture(content),)),))
    assert input_tokens(with_it) == START_TOKENS + TURN_TOKENS + tokens


WEATHER = Tool(
    "get_weather",
    "Get the current weather in a given location",
    {
        "type": "object",
        "properties": {"location": {"type": "string", "description": "The city and state, e.g. San Francisco, CA"}},
        "required": ["location"],
    },
)


@pytest.mark.parametrize(
    ("conversation", "published"),
    [
        pytest.param(
            Conversation("opus", (UserTurn((Text("Hello, Claude"),)),), system=("You are a scientist",)), 14, id="text"
        ),
        pytest.param(
            Conversation("opus", (UserTurn((Text("What's the weather like in San Francisco?"),)),), tools=(WEATHER,)),
            403,
            id="a tool",
        ),
        pytest.param(Conversation("opus", (UserTurn((picture(png(1000, 1000)),)),)), 1334, id="a picture"),
        pytest.param(Conversation("opus", (UserTurn((picture(png(1092, 1092)),)),)), 1590, id="a larger one"),
        pytest.param(Conversation("opus", (UserTurn((picture(png(1920, 1080)),)),)), 2765, id="a screen"),
        pytest.param(Conversation("opus", (UserTurn((picture(png(2000, 1500)),)),)), 4000, id="a photograph"),
    ],
)
def test_it_is_within_a_tenth_of_what_anthropic_has_published(conversation: Conversation, published: int) -> None:
    """The examples of its guide on counting tokens, and the table of its guide on vision."""
    assert input_tokens(conversation) == pytest.approx(published, rel=0.1)


SAID = st.text(max_size=40)
PICTURES = st.builds(lambda width, height: picture(png(width, height)), *[st.integers(1, 9000)] * 2)
DOCUMENTS = st.one_of(
    st.builds(lambda text, title: Document(text=text, title=title), SAID, SAID),
    st.builds(lambda pages: Document(data=encoded(pdf(pages))), st.integers(0, 9)),
    st.builds(lambda content: Document(data=base64.b64encode(content).decode()), st.binary(max_size=60)),
)
PARTS: st.SearchStrategy[UserPart] = st.one_of(
    st.builds(Text, SAID),
    PICTURES,
    DOCUMENTS,
    st.builds(lambda source, text: SearchResult(source, "", (Text(text),)), SAID, SAID),
    st.builds(lambda text: ToolResult("c", (Text(text),)), SAID),
)
TURNS: st.SearchStrategy[Turn] = st.one_of(
    st.builds(UserTurn, st.lists(PARTS, max_size=3).map(tuple)),
    st.builds(lambda text: AssistantTurn((Text(text), ToolUse("c", "f", {"a": text}))), SAID),
)
TOOLS = st.builds(lambda text: Tool("f", text, {"type": "object", "description": text}), SAID)
CONVERSATIONS = st.builds(
    Conversation,
    st.just("opus"),
    st.lists(TURNS, max_size=4).map(tuple),
    system=st.lists(SAID, max_size=3).map(tuple),
    tools=st.lists(TOOLS, max_size=3).map(tuple),
)


@given(CONVERSATIONS, TURNS, PARTS, TOOLS, SAID)
def test_it_grows_with_each_part_that_is_added(
    conversation: Conversation, turn: Turn, part: UserPart, tool: Tool, text: str
) -> None:
    """And is the same each time."""
    before = input_tokens(conversation)
    longer = evolve(conversation, turns=(*conversation.turns, turn))
    assert before == input_tokens(conversation) < input_tokens(longer)
    assert before < input_tokens(evolve(conversation, tools=(*conversation.tools, tool)))
    assert before <= input_tokens(evolve(conversation, system=(*conversation.system, text)))
    assert before < input_tokens(evolve(conversation, system=(*conversation.system, text + "four")))
    more = input_tokens(evolve(conversation, turns=(*conversation.turns, UserTurn((part,)))))
    assert more <= input_tokens(evolve(conversation, turns=(*conversation.turns, UserTurn((part, part)))))


def calls(each: int, rounds: int) -> tuple[Turn, ...]:
    """Return calls and their results, as many of ``each`` as are made at once, in so many rounds."""
    made: list[Turn] = [UserTurn((Text("x"),))]
    for number in range(rounds):
        ids = [f"{number}_{call}" for call in range(each)]
        made.append(AssistantTurn(tuple(ToolUse(name, "f", {}) for name in ids)))
        made.append(UserTurn(tuple(ToolResult(name, (Text("x"),)) for name in ids)))
    return tuple(made)


def in_depth(levels: int) -> Json:
    value: Json = "x"
    for _ in range(levels):
        value = {"a": value}
    return value


FILLED = picture(b"\xff\xd8" + b"\xff" * 520)
SEGMENTS = picture(b"\xff\xd8" + b"\xff\xe0\0\2" * MOST_SEGMENTS)


def marks(content: bytes) -> Document:
    return Document(data=encoded(b"%PDF-" + content))


@pytest.mark.soak
@pytest.mark.parametrize(
    "turns",
    [
        pytest.param(lambda: (UserTurn((FILLED,) * 28_000),), id="pictures of fill bytes"),
        pytest.param(lambda: (UserTurn((SEGMENTS,) * 50_000),), id="pictures of segments"),
        pytest.param(lambda: (UserTurn((marks(b"/Type/Page" * 1_400_000),)),), id="a PDF of page marks"),
        pytest.param(lambda: (UserTurn((marks(b"/Type" * 2_800_000),)),), id="of half of them"),
        pytest.param(lambda: calls(1, 45_000), id="calls in turns"),
        pytest.param(lambda: calls(90_000, 1), id="calls at once"),
        pytest.param(lambda: (AssistantTurn((ToolUse("c", "f", {"a": [{"b": 1}] * 2_000_000}),)),), id="a large call"),
        pytest.param(lambda: (AssistantTurn((ToolUse("c", "f", in_depth(1000)),) * 2000),), id="deep calls"),
        pytest.param(lambda: (UserTurn((Text("x" * 20_000_000),)),), id="a text"),
        pytest.param(lambda: (UserTurn((Text("ж"),) * 400_000),), id="texts"),
        pytest.param(lambda: (UserTurn((Document(pieces=(Text("x"),) * 400_000),)),), id="pieces"),
        pytest.param(lambda: (UserTurn((SearchResult("s", "t", (Text("x"),) * 400_000),)),), id="what was found"),
    ],
)
def test_whatever_a_request_may_have_is_counted_in_time(turns: Callable[[], tuple[Turn, ...]]) -> None:
    """Of the processor's time: most take half a second."""
    conversation = Conversation("opus", turns())
    began = time.process_time()
    with suppress(BadRequest):
        check_pairs(conversation.turns, {})
    assert input_tokens(conversation) < 100_000_000
    assert time.process_time() - began < 15
