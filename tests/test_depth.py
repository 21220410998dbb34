"""How deep JSON may be: what passes can be written, recorded and compared; what is deeper is told."""

from typing import Any

import pytest

from cca.backends.redaction import Redactor
from cca.backends.transcript import conversation_of, request_json
from cca.claude.script import script
from cca.depth import DEPTH_LIMIT, too_deep
from cca.errors import BadRequest
from cca.estimate import estimated_tokens
from cca.model import AssistantTurn, Conversation, Json, Text, Tool, ToolResult, ToolUse, UserTurn


def nested(levels: int, *, within: Json = 1, arrays: bool = False) -> Any:
    value = within
    for _ in range(levels):
        value = [value] if arrays else {"not": value}
    return value


ASKED = UserTurn((Text("a"),))


def with_tool(value: Json) -> Conversation:
    return Conversation("haiku", (ASKED,), tools=(Tool("f", "", value),))


def with_call(value: Json) -> Conversation:
    called = AssistantTurn((ToolUse("c", "f", value),))
    return Conversation("haiku", (ASKED, called, UserTurn((ToolResult("c", ()),))))


def with_schema(value: Json) -> Conversation:
    return Conversation("haiku", (ASKED,), output_schema=value)


@pytest.mark.parametrize("arrays", [False, True], ids=["objects", "arrays"])
def test_the_limit_is_where_it_is_said_to_be(arrays: bool) -> None:  # noqa: FBT001
    assert not too_deep(nested(DEPTH_LIMIT, arrays=arrays))
    assert too_deep(nested(DEPTH_LIMIT + 1, arrays=arrays))
    assert too_deep(nested(900, arrays=arrays))


@pytest.mark.parametrize("place", [with_tool, with_call, with_schema])
def test_what_is_at_the_limit_can_be_counted_recorded_and_told(place: Any) -> None:
    conversation = place(nested(DEPTH_LIMIT, within=True))
    request = request_json(conversation)
    assert conversation_of(request) == conversation
    assert Redactor().value(request) == request
    assert estimated_tokens(conversation) > 0
    assert script(conversation)


@pytest.mark.parametrize("place", [with_tool, with_call, with_schema])
@pytest.mark.parametrize("levels", [DEPTH_LIMIT + 1, 300, 900])
def test_what_is_deeper_is_counted_and_refused(place: Any, levels: int) -> None:
    conversation = place(nested(levels))
    assert estimated_tokens(conversation) >= 0
    with pytest.raises(BadRequest, match="nested deeper than 128 levels"):
        script(conversation)
