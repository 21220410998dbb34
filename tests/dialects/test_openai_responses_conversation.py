"""Items of a conversation: of each kind of turn, and back to it."""

from typing import Any

import pytest
from responses_asked import PNG as PICTURE
from responses_asked import call, output

from cca.dialects.openai_responses.conversation import added, items_of_turn, system_items
from cca.dialects.openai_responses.stored import answer_of, items_of
from cca.errors import BadRequest
from cca.model import AssistantTurn, Document, Image, Text, ToolResult, ToolUse, Turn, UserTurn
from cca.store.turns import content_of

PNG = PICTURE.partition(",")[2]
PDF = "JVBERi0xLjQK"

TURNS: dict[str, Turn] = {
    "text": UserTurn((Text("One"),)),
    "texts and pictures": UserTurn(
        (Text("One"), Image("image/png", data=PNG), Image(url="https://example.org/a.png"), Text("Two"))
    ),
    "documents": UserTurn(
        (
            Document("application/pdf", data=PDF, title="a.pdf"),
            Document(url="https://example.org/a.pdf", title="b.pdf"),
            Document(text="Ж", title="c.txt"),
            Document(text="words"),
        )
    ),
    "an answer": AssistantTurn((Text("Yes."), Text("No."))),
    "calls": AssistantTurn((Text("So:"), ToolUse("c1", "f", {"a": [1, "ж"]}), ToolUse("c2", "g", {}))),
    "results": UserTurn(
        (ToolResult("c1", (Text("42"), Image("image/png", data=PNG))), ToolResult("c2", ()), Text("?"))
    ),
}


def items(turn: Turn) -> list[Any]:
    role = "user" if isinstance(turn, UserTurn) else "assistant"
    return list(items_of_turn("abc", role, content_of(turn)))


@pytest.mark.parametrize("turn", TURNS.values(), ids=TURNS)
def test_a_turn_comes_back_from_its_items(turn: Turn) -> None:
    back = added(items(turn))
    assert (back.system, {type(each) for each in back.turns}) == ((), {type(turn)})
    assert tuple(part for each in back.turns for part in each.content) == turn.content


@pytest.mark.parametrize("turn", TURNS.values(), ids=TURNS)
def test_each_item_has_an_id_of_its_own(turn: Turn) -> None:
    ids = [item["id"] for item in items(turn)]
    assert len(set(ids)) == len(ids)
    assert all(each.split("_")[1] == "abc" for each in ids)


def test_a_text_document_is_a_file() -> None:
    [item] = items(UserTurn((Document(text="words"),)))
    assert item["content"] == [{"type": "input_file", "file_data": "data:text/plain;base64,d29yZHM="}]


def test_what_no_history_has_is_shown() -> None:
    """What was thought, and a call whose answer broke off in its arguments."""
    parts = [
        {"type": "thinking", "text": "Hm."},
        {"type": "tool_use", "id": "c1", "name": "f", "partial_json": '{"a'},
    ]
    thought, call = items_of_turn("abc", "assistant", parts)
    assert thought == {"id": "rs_abc_0", "type": "reasoning", "summary": [{"type": "summary_text", "text": "Hm."}]}
    assert (call["arguments"], call["status"]) == ('{"a', "incomplete")


def test_what_was_thought_and_is_not_told_has_no_item() -> None:
    parts = [
        {"type": "thinking", "text": "Hm.", "signature": "c2ln"},
        {"type": "thinking", "text": "", "signature": "c2ln"},
        {"type": "redacted_thinking", "data": "eA=="},
        {"type": "text", "text": "Yes."},
    ]
    thought, said = items_of_turn("abc", "assistant", parts)
    assert thought == {"id": "rs_abc_0", "type": "reasoning", "summary": [{"type": "summary_text", "text": "Hm."}]}
    assert (said["id"], said["content"][0]["text"]) == ("msg_abc_1", "Yes.")


def test_the_system_prompt_is_messages() -> None:
    shown = list(system_items("conv_1", ("A", "B")))
    assert [(each["id"], each["role"], each["content"][0]["text"]) for each in shown] == [
        ("msg_conv_1_s0", "system", "A"),
        ("msg_conv_1_s1", "system", "B"),
    ]
    assert added(shown).system == ("A", "B")


def test_an_assistant_may_begin() -> None:
    assert added([{"role": "assistant", "content": "One"}]).turns == (AssistantTurn((Text("One"),)),)


def test_what_has_no_effect_is_named() -> None:
    part = {"type": "input_text", "text": "A", "mood": "good"}
    new = added([{"role": "user", "content": [part]}, {"role": "user", "content": "B", "mood": "bad"}])
    assert new.ignored == ("items.content.mood", "items.mood")


def test_the_outputs_of_calls_say_where_they_stand() -> None:
    assert added([call("c"), output("c", "1")]).results == {"c": "items[1]"}


def test_there_may_be_20_items_and_no_more() -> None:
    said = [{"role": "user", "content": "One"}]
    assert len(added(said * 20).turns) == 20
    with pytest.raises(BadRequest, match="has 21 items, and may have 20") as refused:
        added(said * 21)
    assert refused.value.param == "items"


def test_a_fault_is_told_where_it_is() -> None:
    with pytest.raises(BadRequest) as raised:
        added([{"role": "user", "content": "One"}, {"role": "nobody", "content": "Two"}])
    assert raised.value.param == "items[1].role"


@pytest.mark.parametrize(
    ("item", "answer"),
    [
        ("msg_abc_0", "resp_abc"),
        ("fc_abc_12", "resp_abc"),
        ("msg_abc_in0", "resp_abc"),
        ("msg_abc", None),
        ("msg_a_b_c", None),
        ("", None),
    ],
)
def test_an_item_says_whose_it_is(item: str, answer: str | None) -> None:
    assert answer_of(item) == answer


def test_the_items_of_a_stored_response_are_its_input_and_its_output() -> None:
    body = {"id": "resp_abc", "output": [{"id": "msg_abc_0"}]}
    sent = [{"type": "message"}, {"type": "message", "id": "mine"}]
    assert [each["id"] for each in items_of(body, sent)] == ["msg_abc_in0", "mine", "msg_abc_0"]
