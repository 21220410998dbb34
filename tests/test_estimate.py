"""About how many tokens a conversation is: what a limit sets aside before anybody has counted."""

from math import ceil

import pytest

from cca.estimate import BYTES_PER_TOKEN, IMAGE_TOKENS, PAGE_BYTES, PAGE_TOKENS, estimated_tokens
from cca.model import (
    AssistantTurn,
    Conversation,
    Document,
    Image,
    Sampling,
    Text,
    Tool,
    ToolResult,
    ToolUse,
    Turn,
    UserTurn,
)

TEN = "x" * 10 * BYTES_PER_TOKEN
"""A text of about ten tokens."""

PDF = Document("application/pdf", data="A" * (7 * PAGE_BYTES * 4 // 3 + 100))
"""Base64 of seven pages."""

IMAGE = Image("image/png", "iVBORw0" * 100_000)


@pytest.mark.parametrize(
    ("turns", "tokens"),
    [
        pytest.param((), 0, id="nothing"),
        pytest.param((UserTurn((Text(TEN), Text(TEN))), AssistantTurn((Text(TEN),))), 30, id="texts"),
        pytest.param((UserTurn((Text("ж" * 20),)),), 10, id="other scripts, by their bytes"),
        pytest.param((UserTurn((Text("abc"),)),), 1, id="less than one"),
        pytest.param((UserTurn((IMAGE, Text(TEN), IMAGE)),), 2 * IMAGE_TOKENS + 10, id="images, whatever their size"),
        pytest.param((UserTurn((Document("text/plain", text=TEN),)),), 10, id="a document of text"),
        pytest.param((UserTurn((Document("application/pdf", data=TEN),)),), PAGE_TOKENS, id="a small PDF, as a page"),
        pytest.param((UserTurn((PDF,)),), 7 * PAGE_TOKENS, id="a PDF, by its size"),
        pytest.param((UserTurn((Document(url="https://x"),)),), PAGE_TOKENS, id="a document that is elsewhere"),
        pytest.param((AssistantTurn((ToolUse("t", "f" * 30, {"a": "bc"}),)),), 10, id="a call"),
        pytest.param((UserTurn((ToolResult("t", (Text(TEN), IMAGE)),)),), 10 + IMAGE_TOKENS, id="its result"),
        pytest.param((UserTurn((ToolResult("t", (Document(text=TEN),)),)),), 10, id="a document in it"),
    ],
)
def test_what_is_said_is_about_a_token_for_four_bytes(turns: tuple[Turn, ...], tokens: int) -> None:
    assert estimated_tokens(Conversation("haiku", turns)) == tokens


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
    assert estimated_tokens(conversation) == 10 + 20 + ceil((20 + 10 + 20 + 20) / BYTES_PER_TOKEN) + 1000
