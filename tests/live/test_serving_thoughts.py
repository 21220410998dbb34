"""What a model thought goes back to it in a session, whichever process is asked next."""

import json

import pytest
from live_cli import asked, turns
from live_inside import Inside, open_inside

from cca.model import Json

pytestmark = pytest.mark.live

LOOK: Json = {"name": "look", "description": "Look.", "input_schema": {"type": "object", "properties": {}}}

ASKED: Json = {
    "model": "sonnet",
    "max_tokens": 4000,
    "thinking": {"type": "enabled", "budget_tokens": 1024},
    "tools": [LOOK],
}


async def ask(server: Inside, said: Json, **others: Json) -> Json:
    """Return what the model says in the session, thinking within a budget."""
    body = {**ASKED, "messages": [{"role": "user", "content": said}], **others}
    head, _, content = (await server.chat(body, "x-session-id: s\r\n", "/v1/messages")).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200"), (head, content)
    return json.loads(content)["content"]


def result(answer: Json) -> Json:
    """Return the result of the call that ends an answer."""
    return [{"type": "tool_result", "tool_use_id": answer[-1]["id"], "content": "A bird."}]


def answers(body: Json) -> list[Json]:
    """Return the blocks of all that the assistant said, as the model's API gets them."""
    return [content for role, content in turns(body) if role == "assistant"]


def bare(answer: Json) -> list[Json]:
    """Return the blocks of an answer without what only answers have."""
    return [{name: value for name, value in block.items() if name != "caller"} for block in answer]


@pytest.mark.parametrize(
    ("thinking", "kind"),
    [
        pytest.param("[[thinking of birds]]", "thinking", id="told"),
        pytest.param("[[hidden thinking]]", "thinking", id="hidden"),
        pytest.param("[[redacted thinking]]", "redacted_thinking", id="redacted"),
    ],
)
@pytest.mark.parametrize(("staying", "opened"), [(0, 3), (4, 1)], ids=["fresh processes", "the one that stays"])
async def test_the_result_of_a_call_is_all_that_a_client_sends(
    thinking: str, kind: str, staying: int, opened: int
) -> None:
    """The API refuses a result where the answer with its call does not begin with what was thought."""
    async with open_inside(staying=staying) as server:
        called = await ask(server, f"{thinking} [[call look {{}}]]")
        done = await ask(server, result(called))
        await ask(server, "And now?")
        _, second, third = asked(server.model)
        assert server.backend.opened == opened
    assert [block["type"] for block in called] == [kind, "tool_use"]
    assert answers(second) == [bare(called)]
    assert answers(third) == [bare(called), bare(done)]


async def test_another_model_gets_what_was_said_and_not_what_this_one_thought() -> None:
    async with open_inside() as server:
        said = await ask(server, "[[thinking of birds]] Birds.")
        await ask(server, "And now?", model="opus")
        *_, last = asked(server.model)
    assert [block["type"] for block in said] == ["thinking", "text"]
    assert answers(last) == [bare(said[1:])]


async def test_a_request_without_thinking_goes_on_without_what_was_thought() -> None:
    """The API refuses thoughts in the answer that is gone on from, then."""
    async with open_inside(staying=0) as server:
        called = await ask(server, "[[thinking of birds]] [[call look {}]]", model="claude-haiku-4-5")
        await ask(server, result(called), model="claude-haiku-4-5", thinking={"type": "disabled"})
        *_, last = asked(server.model)
    assert answers(last) == [bare(called[1:])]
