"""What else a chat completion request says: how many choices, in what form, and whether they are kept."""

from typing import Any

import pytest
from chat_asked import HE, SHE, ask, conversation

from cca.dialects.contract import Keeping

SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"], "additionalProperties": False}


@pytest.mark.parametrize(("n", "choices"), [(None, 1), (1, 1), (4, 4)])
def test_each_choice_is_the_same_conversation(n: int | None, choices: int) -> None:
    assert ask(n=n).conversations == (conversation(),) * choices


@pytest.mark.parametrize(
    ("wished", "schema"),
    [
        (None, None),
        ({"type": "text"}, None),
        ({"type": "json_object"}, {"type": "object"}),
        ({"type": "json_schema", "json_schema": {"name": "x", "schema": SCHEMA, "strict": True}}, SCHEMA),
    ],
)
def test_the_form_of_the_answer_is_a_schema(wished: Any, schema: Any) -> None:
    heard = ask(response_format=wished)
    assert heard.conversations[0].output_schema == schema
    assert heard.ignored == ()


def test_what_a_form_says_besides_its_schema_is_named() -> None:
    wished = {"type": "json_schema", "x": 1, "json_schema": {"name": "x", "schema": SCHEMA, "description": "d", "y": 1}}
    inner = "response_format.json_schema"
    assert ask(response_format=wished).ignored == ("response_format.x", f"{inner}.y", f"{inner}.description")
    assert ask(response_format={"type": "text", "x": 1}).ignored == ("response_format.x",)


NOTES = {"k" * 64: "v" * 512, **{str(key): "" for key in range(15)}}


@pytest.mark.parametrize(
    ("fields", "keeping", "ignored"),
    [
        pytest.param({}, Keeping(), (), id="left out"),
        pytest.param({"store": False, "metadata": {}}, Keeping(), (), id="not kept"),
        pytest.param({"store": True}, Keeping(store=True, input=(HE, SHE, HE)), (), id="kept"),
        pytest.param(
            {"store": True, "metadata": NOTES},
            Keeping(store=True, input=(HE, SHE, HE), metadata=NOTES),
            (),
            id="with notes, as many as there may be",
        ),
        pytest.param({"metadata": NOTES}, Keeping(), ("metadata",), id="notes on what is not kept"),
    ],
)
def test_what_is_kept(fields: Any, keeping: Keeping, ignored: Any) -> None:
    heard = ask(HE, SHE, HE, **fields)
    assert (heard.keeping, heard.ignored) == (keeping, ignored)


def test_messages_are_kept_with_all_that_was_in_them() -> None:
    message = {**HE, "name": "Al", "x": {"y": [1]}}
    assert ask(message, store=True).keeping.input == (message,)
