"""Streamed responses as openai-python gathers them."""

from typing import Any

import pytest

pytest.importorskip("openai", reason="nox -s clients installs it")

import httpx2
import openai

from cca.dialects.contract import Ask, Stamp
from cca.dialects.openai_responses.stream import ResponseEncoder
from cca.errors import UpstreamFailed
from cca.model import (
    Conversation,
    Event,
    Failed,
    Finished,
    Started,
    StopReason,
    TextDelta,
    ThinkingDelta,
    Told,
    ToolCallDelta,
    ToolCallStarted,
    Usage,
)
from cca.web import sse

pytestmark = pytest.mark.clients

STARTED = Started("msg_1", "claude-x", Usage())
TOOLS = [{"type": "namespace", "name": "s", "tools": [{"type": "function", "name": "g"}]}]
PARTS = (
    ThinkingDelta("Hm"),
    TextDelta("a"),
    TextDelta("b"),
    ToolCallStarted("i", "f"),
    ToolCallStarted("j", "s__g"),
    ToolCallDelta('{"x"'),
    ToolCallDelta(":1}"),
)


def ended(reason: StopReason = "end_turn") -> Finished:
    return Finished(reason, None, Usage(input_tokens=2, output_tokens=3))


def client(*events: Event) -> openai.OpenAI:
    """Return a client that is answered with ``events`` by no server at all."""
    echo: dict[str, Any] = {"reasoning": {"effort": None, "summary": "auto"}, "tools": TOOLS}
    encoder = ResponseEncoder(Ask((Conversation("sonnet", ()),), stream=True, echo=echo), Stamp("x", 17))
    said = b"".join(sse.render(encoder.encode(Told(0, event))) for event in events)
    answer = httpx2.Response(200, headers={"content-type": "text/event-stream"}, content=said)
    by = httpx2.Client(transport=httpx2.MockTransport(lambda _: answer))
    return openai.OpenAI(base_url="http://cca/v1", api_key="any", http_client=by)


def test_an_answer_is_gathered() -> None:
    with client(STARTED, *PARTS, ended("tool_use")).responses.stream(model="sonnet", input="Hello") as stream:
        kinds = [event.type for event in stream]
        response = stream.get_final_response()
    assert kinds[0] == "response.created"
    assert kinds[-1] == "response.completed"
    assert response.output_text == "ab"
    calls = [item for item in response.output if item.type == "function_call"]
    assert [(call.id, call.call_id, call.namespace, call.name, call.arguments) for call in calls] == [
        ("fc_x_2", "i", None, "f", "{}"),
        ("fc_x_3", "j", "s", "g", '{"x":1}'),
    ]
    (reasoning,) = [item for item in response.output if item.type == "reasoning"]
    assert [part.text for part in reasoning.summary] == ["Hm"]
    assert response.usage is not None
    assert response.usage.total_tokens == 5


@pytest.mark.parametrize(
    ("end", "kind", "said"),
    [
        pytest.param(ended("max_tokens"), "response.incomplete", "ab", id="cut off"),
        pytest.param(Failed(UpstreamFailed("gone")), "response.failed", "ab", id="failed"),
    ],
)
def test_an_answer_without_its_end_is_told_as_that(end: Event, kind: str, said: str) -> None:
    with client(STARTED, *PARTS[1:3], end).responses.stream(model="sonnet", input="Hello") as stream:
        last: Any = list(stream)[-1]
        assert last.type == kind
        assert last.response.output_text == said
        with pytest.raises(RuntimeError, match=r"response\.completed"):
            stream.get_final_response()
