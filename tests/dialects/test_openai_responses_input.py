"""The input of a request for a response: what of it reaches the model, and what is refused."""

from typing import Any

import pytest
from responses_asked import PNG, ask, body, call, conversation, message, output

from cca.dialects.openai_responses.references import references, resolved
from cca.errors import BadRequest
from cca.model import AssistantTurn, Document, Image, Text, ToolResult, ToolUse, UserTurn

HELLO = message("user", "Hello")
PICTURE = Image("image/png", PNG.rpartition(",")[2])
CSV = "data:text/csv;base64,YSxi"


def user(*parts: Any) -> UserTurn:
    return UserTurn(tuple(Text(part) if isinstance(part, str) else part for part in parts))


def model(*parts: Any) -> AssistantTurn:
    return AssistantTurn(tuple(Text(part) if isinstance(part, str) else part for part in parts))


@pytest.mark.parametrize(
    ("given", "turns"),
    [
        pytest.param("Hello", [user("Hello")], id="a string"),
        pytest.param([HELLO], [user("Hello")], id="an item without a type"),
        pytest.param([{**HELLO, "type": "message"}], [user("Hello")], id="an item with one"),
        pytest.param([{**HELLO, "type": None}], [user("Hello")], id="null is no type"),
        pytest.param(
            [message("user", [{"type": "input_text", "text": "a"}, {"type": "input_text", "text": "b"}])],
            [user("a", "b")],
            id="parts",
        ),
        pytest.param([message("user", "a"), message("user", "b")], [user("a", "b")], id="neighbours of one role"),
        pytest.param(
            [HELLO, message("assistant", [{"type": "output_text", "text": "Hi", "annotations": []}]), HELLO],
            [user("Hello"), model("Hi"), user("Hello")],
            id="an answer",
        ),
        pytest.param(
            [HELLO, message("assistant", [{"type": "refusal", "refusal": "No"}]), HELLO],
            [user("Hello"), model("No"), user("Hello")],
            id="a refusal",
        ),
        pytest.param([message("user", [{"type": "input_image", "image_url": PNG}])], [user(PICTURE)], id="a picture"),
        pytest.param(
            [message("user", [{"type": "input_image", "image_url": "https://x.org/a.png"}])],
            [user(Image(url="https://x.org/a.png"))],
            id="a picture's address",
        ),
        pytest.param(
            [message("user", [{"type": "input_file", "file_data": CSV, "filename": "a.csv"}])],
            [user(Document(text="a,b", title="a.csv"))],
            id="a file",
        ),
        pytest.param(
            [message("user", [{"type": "input_file", "file_url": "https://x.org/a.pdf"}])],
            [user(Document(url="https://x.org/a.pdf"))],
            id="a file's address",
        ),
        pytest.param(
            [message("user", [{"type": "input_file", "file_url": "https://x.org/a", "filename": "a.pdf"}])],
            [user(Document(url="https://x.org/a", title="a.pdf"))],
            id="a file's address and name",
        ),
        pytest.param(
            [HELLO, call("c", arguments='{"a":1}'), output("c", "ok")],
            [user("Hello"), model(ToolUse("c", "f", {"a": 1})), user(ToolResult("c", (Text("ok"),)))],
            id="a call and its output",
        ),
        pytest.param(
            [HELLO, call("c", arguments=""), output("c", "")],
            [user("Hello"), model(ToolUse("c", "f", {})), user(ToolResult("c", ()))],
            id="of nothing",
        ),
        pytest.param(
            [HELLO, call("c"), call("d"), output("c", "1"), output("d", "2")],
            [
                user("Hello"),
                model(ToolUse("c", "f", {}), ToolUse("d", "f", {})),
                user(ToolResult("c", (Text("1"),)), ToolResult("d", (Text("2"),))),
            ],
            id="parallel calls",
        ),
        pytest.param(
            [
                HELLO,
                call("c"),
                output("c", [{"type": "input_text", "text": "a"}, {"type": "input_image", "image_url": PNG}]),
            ],
            [user("Hello"), model(ToolUse("c", "f", {})), user(ToolResult("c", (Text("a"), PICTURE)))],
            id="a picture as output",
        ),
        pytest.param(
            [HELLO, call("c", "g", namespace="mcp__s__"), output("c", "1")],
            [user("Hello"), model(ToolUse("c", "mcp__s__g", {})), user(ToolResult("c", (Text("1"),)))],
            id="of a namespace",
        ),
        pytest.param(
            [
                HELLO,
                {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "x"},
                call("c"),
                output("c", "1"),
            ],
            [user("Hello"), model(ToolUse("c", "f", {})), user(ToolResult("c", (Text("1"),)))],
            id="what it thought is dropped",
        ),
    ],
)
def test_what_arrives(given: Any, turns: list[Any]) -> None:
    asked = ask(given)
    assert asked.ignored == ()
    assert list(asked.conversations[0].turns) == turns


@pytest.mark.parametrize(
    ("given", "ignored"),
    [
        pytest.param([{**HELLO, "phase": "commentary"}], "input.phase", id="a field"),
        pytest.param(
            [message("user", [{"type": "input_image", "image_url": PNG, "detail": "low"}])],
            "input.content.detail",
            id="a part's field",
        ),
        pytest.param([HELLO, message("developer", "d")], "input[1] (moved to the front)", id="a late system message"),
        pytest.param([message("system", " "), HELLO], "input[0] (empty)", id="an empty system message"),
        pytest.param([message("assistant", ""), HELLO], "input[0] (empty)", id="an empty answer"),
        pytest.param(
            [HELLO, message("assistant", "(no content)"), HELLO], "input[1] (no content)", id="an answer of no content"
        ),
        pytest.param(
            [message("user", [{"type": "input_text", "text": " "}, {"type": "input_text", "text": "a"}])],
            "input[0].content[0] (empty)",
            id="an empty part",
        ),
    ],
)
def test_what_does_not_is_named(given: Any, ignored: str) -> None:
    assert ask(given).ignored == (ignored,)


def test_an_answer_that_claude_code_moves_before_a_call_is_named() -> None:
    asked = ask([HELLO, call("c"), message("assistant", "Hi"), output("c", "ok")])
    assert [type(part) for part in asked.conversations[0].turns[1].content] == [ToolUse, Text]
    assert asked.ignored == ("input (moved before calls)",)


def test_an_answer_that_comes_first_stays_one() -> None:
    asked = ask([message("assistant", "Hi"), HELLO])
    assert asked.conversations[0].turns == (user("(no content)"), model("Hi"), user("Hello"))
    assert asked.ignored == ("input[0] (after a user turn of no content)",)


@pytest.mark.parametrize(
    "fields", [{"previous_response_id": "resp_1"}, {"conversation": "c"}], ids=["response", "items"]
)
def test_an_answer_that_comes_after_others_has_no_turn_before_it(fields: Any) -> None:
    asked = ask([message("assistant", "Hi"), HELLO], **fields)
    assert (asked.conversations[0].turns, asked.ignored) == ((model("Hi"), user("Hello")), ())


def test_system_and_developer_messages_are_the_system_prompt() -> None:
    parts = [{"type": "input_text", "text": "b"}, {"type": "input_text", "text": "c"}]
    assert conversation([message("system", "a"), message("developer", parts), HELLO]).system == ("a", "b", "c")


def test_the_output_of_a_call_says_where_it_stands() -> None:
    assert ask([HELLO, call("c"), output("c", "1")]).results == {"c": "input[2]"}


def test_ids_that_claude_would_not_take_are_made_into_some_that_it_does() -> None:
    asked = ask([HELLO, call("c!"), output("c!", "1")])
    _, called, answered = asked.conversations[0].turns
    (use,), (result,) = called.content, answered.content
    assert isinstance(use, ToolUse)
    assert isinstance(result, ToolResult)
    assert use.id == result.tool_use_id != "c!"
    assert asked.results == {use.id: "input[2]"}


@pytest.mark.parametrize(
    ("given", "param", "code"),
    [
        pytest.param("", "input", "invalid_value", id="nothing"),
        pytest.param([], "input", "invalid_value", id="no items"),
        pytest.param(7, "input", "invalid_type", id="a number"),
        pytest.param([7], "input[0]", "invalid_type", id="an item that is a number"),
        pytest.param([{"type": "message"}], "input[0].role", "missing_required_parameter", id="no role"),
        pytest.param([message("robot", "a")], "input[0].role", "invalid_value", id="no such role"),
        pytest.param([{"role": "user"}], "input[0].content", "missing_required_parameter", id="no content"),
        pytest.param(
            [{"type": "reasoning", "id": [1], "summary": []}, HELLO], "input[0].id", "invalid_type", id="an odd id"
        ),
        pytest.param(
            [message("user", [{"type": "input_file", "file_data": CSV, "file_url": "https://x.org/a.pdf"}])],
            "input[0].content[0].file_url",
            "mutually_exclusive_parameters",
            id="a file of two",
        ),
        pytest.param(
            [message("user", [{"type": "input_file", "file_data": CSV, "file_id": "file-1"}])],
            "input[0].content[0].file_id",
            "unsupported_parameter",
            id="a file and its id",
        ),
        pytest.param(
            [message("user", [{"type": "input_image", "image_url": PNG, "file_id": "file-1"}])],
            "input[0].content[0].file_id",
            "unsupported_parameter",
            id="a picture and its id",
        ),
        pytest.param([{"type": "local_shell_call"}], "input[0].type", "invalid_value", id="another kind of item"),
        pytest.param([{"id": "msg_1"}], "input[0].id", "invalid_value", id="a reference"),
        pytest.param(
            [message("user", [{"type": "input_audio"}])], "input[0].content[0].type", "invalid_value", id="audio"
        ),
        pytest.param(
            [message("user", [{"type": "input_image", "file_id": "f"}])],
            "input[0].content[0].file_id",
            "unsupported_parameter",
            id="a picture's file id",
        ),
        pytest.param(
            [message("user", [{"type": "input_file", "file_id": "f"}])],
            "input[0].content[0].file_id",
            "unsupported_parameter",
            id="a file id",
        ),
        pytest.param(
            [message("user", [{"type": "input_image"}])],
            "input[0].content[0].image_url",
            "missing_required_parameter",
            id="no picture",
        ),
        pytest.param(
            [message("user", [{"type": "input_file"}])],
            "input[0].content[0].file_data",
            "missing_required_parameter",
            id="no file",
        ),
        pytest.param(
            [message("user", [{"type": "input_image", "image_url": "data:image/png;base64,AAAA"}])],
            "input[0].content[0].image_url",
            "unsupported_value",
            id="no such picture",
        ),
        pytest.param(
            [
                message("assistant", [{"type": "output_text", "text": " "}, {"type": "input_image", "image_url": PNG}]),
                HELLO,
            ],
            "input[0].content[1]",
            "unsupported_value",
            id="a picture of the assistant's",
        ),
        pytest.param([HELLO, message("assistant", "Hi")], "input[1]", "unsupported_value", id="an answer last"),
        pytest.param([HELLO, call("c")], "input[1]", "unsupported_value", id="a call last"),
        pytest.param([HELLO, call("c"), HELLO], "input[1]", "invalid_value", id="a call without its output"),
        pytest.param([HELLO, call("c", "a b"), output("c", "1")], "input[1].name", "invalid_value", id="a name"),
        pytest.param(
            [HELLO, message("assistant", "Hi"), message("user", " ")],
            "input[2].content",
            "invalid_value",
            id="no question",
        ),
        pytest.param([message("system", "a")], "input", "invalid_value", id="instructions alone"),
        pytest.param(
            [HELLO, call("c", arguments="[]"), output("c", "1")], "input[1].arguments", "invalid_value", id="an array"
        ),
        pytest.param(
            [HELLO, call("c", arguments='{"a'), output("c", "1")], "input[1].arguments", "invalid_value", id="no JSON"
        ),
    ],
)
def test_what_is_refused(given: Any, param: str, code: str) -> None:
    with pytest.raises(BadRequest) as caught:
        ask(given)
    assert (caught.value.param, caught.value.code) == (param, code)


REFERENCE = {"type": "item_reference", "id": "msg_1"}


def test_the_references_of_a_body() -> None:
    assert references(body([REFERENCE, HELLO, {"id": "rs_1"}, {"type": None, "id": "fc_1"}])) == (
        "msg_1",
        "rs_1",
        "fc_1",
    )


@pytest.mark.parametrize(
    "given", ["Hello", [HELLO], [7], [{"type": "item_reference"}], [{**HELLO, "id": "msg_1"}], None]
)
def test_what_has_no_references_stays_as_it_is(given: Any) -> None:
    assert references(body(given)) == ()
    assert resolved(body(given), {}) == body(given)


def test_items_take_the_places_of_their_references() -> None:
    item = message("assistant", "Hi", id="msg_1")
    assert resolved(body([HELLO, REFERENCE, HELLO]), {"msg_1": item}) == body([HELLO, item, HELLO])


def test_a_reference_to_nothing_is_refused() -> None:
    with pytest.raises(BadRequest) as caught:
        resolved(body([HELLO, REFERENCE]), {"msg_2": HELLO})
    assert caught.value.param == "input[1].id"
