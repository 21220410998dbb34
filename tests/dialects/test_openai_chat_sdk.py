"""Streamed chat completions as openai-python gathers them."""

from itertools import permutations

import pytest

pytest.importorskip("openai", reason="nox -s clients installs it")

import httpx2
import openai

from cca.dialects.contract import Ask, Stamp
from cca.dialects.openai_chat import OPENAI_CHAT
from cca.model import Conversation, Finished, Started, TextDelta, Told, Usage
from cca.web import sse

pytestmark = pytest.mark.clients

TEXTS = ("a", "b", "c")


def client(told: list[Told]) -> openai.OpenAI:
    """Return a client that is told this by no server at all."""
    encoder = OPENAI_CHAT.stream(Ask((Conversation("sonnet", ()),) * len(TEXTS), stream=True), Stamp("x", 17))
    said = b"".join(sse.render(encoder.encode(each)) for each in told)
    answer = httpx2.Response(200, headers={"content-type": "text/event-stream"}, content=said)
    by = httpx2.Client(transport=httpx2.MockTransport(lambda _: answer))
    return openai.OpenAI(base_url="http://cca/v1", api_key="any", http_client=by)


@pytest.mark.parametrize("order", [*permutations(range(len(TEXTS)))], ids=str)
def test_choices_are_gathered_whichever_starts_first(order: tuple[int, ...]) -> None:
    told = [
        Told(choice, event)
        for choice in order
        for event in (
            Started("msg_1", "claude-x", Usage()),
            TextDelta(TEXTS[choice]),
            Finished("end_turn", None, Usage()),
        )
    ]
    asked = client(told).chat.completions
    with asked.stream(model="sonnet", messages=[{"role": "user", "content": "Hi"}], n=len(TEXTS)) as stream:
        completion = stream.get_final_completion()
    assert tuple(choice.message.content for choice in completion.choices) == TEXTS
    assert {choice.message.role for choice in completion.choices} == {"assistant"}
