"""What messages hold besides calls: texts, pictures and files, and what of it is named as not heard."""

from base64 import b64encode
from typing import Any

import pytest
from chat_asked import HE, SHE, ask, calling, result, turns

from cca.model import AssistantTurn, Document, Image, Text, ToolUse, UserTurn

PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNk+A8AAQUBAScY42YAAAAASUVORK5CYII="
PDF = b64encode(b"%PDF-1.4\n").decode()


def text(said: str) -> dict[str, Any]:
    return {"type": "text", "text": said}


def image(url: str, **fields: Any) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": url, **fields}}


def file(**fields: Any) -> dict[str, Any]:
    return {"type": "file", "file": fields}


PICTURE = image(f"data:image/png;base64,{PNG}")
CAT = "https://example.org/cat.png"


@pytest.mark.parametrize(
    ("parts", "heard"),
    [
        pytest.param([PICTURE], (Image("image/png", PNG),), id="a picture alone"),
        pytest.param([image(CAT)], (Image(url=CAT),), id="at an address"),
        pytest.param(
            [text("a"), PICTURE, text("b"), image(CAT)],
            (Text("a"), Image("image/png", PNG), Text("b"), Image(url=CAT)),
            id="several, in their order",
        ),
        pytest.param(
            [file(file_data=f"data:application/pdf;base64,{PDF}", filename="a.pdf"), text("?")],
            (Document("application/pdf", PDF, title="a.pdf"), Text("?")),
            id="a PDF",
        ),
        pytest.param([file(file_data=b64encode(b"words").decode())], (Document(text="words"),), id="a text alone"),
    ],
)
def test_pictures_and_files_are_parts_of_the_user_s_turn(parts: Any, heard: Any) -> None:
    assert turns({"role": "user", "content": parts}) == (UserTurn(heard),)


@pytest.mark.parametrize(
    "said",
    [
        pytest.param({"content": [{"type": "refusal", "refusal": "No."}]}, id="a part"),
        pytest.param({"content": None, "refusal": "No."}, id="a field"),
    ],
)
def test_a_refusal_is_a_text_of_the_assistant_s(said: Any) -> None:
    assert turns(HE, {"role": "assistant", **said}, HE)[1] == AssistantTurn((Text("No."),))


@pytest.mark.parametrize(
    ("message", "ignored"),
    [
        pytest.param({**HE, "content": [image(CAT, detail="auto")]}, (), id="detail auto"),
        pytest.param(
            {**HE, "content": [image(CAT, detail="low")]}, ("messages.content.image_url.detail",), id="detail"
        ),
        pytest.param({**HE, "content": [image(CAT, x=1)]}, ("messages.content.image_url.x",), id="in a picture"),
        pytest.param({**HE, "content": [{**PICTURE, "x": 1}]}, ("messages.content.x",), id="beside it"),
        pytest.param(
            {**HE, "content": [file(file_data=PDF, x=1)]},
            ("messages.content.file.x",),
            id="in a file",
        ),
        pytest.param({**HE, "name": "Al"}, ("messages.name",), id="a name"),
        pytest.param({**HE, "content": [text("a"), text(" ")]}, ("messages[0].content[1] (empty)",), id="white space"),
    ],
)
def test_what_of_a_message_has_no_effect_is_named(message: Any, ignored: Any) -> None:
    assert ask(message).ignored == ignored


def test_an_assistant_message_of_white_space_is_left_out_and_named() -> None:
    heard = ask(HE, {**SHE, "content": " ", "refusal": " "}, HE)
    assert heard.conversations[0].turns == (UserTurn((Text("He"), Text("He"))),)
    assert heard.ignored == ("messages[1] (empty)",)


def test_an_assistant_message_that_claude_code_moves_before_a_call_is_named() -> None:
    heard = ask(HE, calling("c"), SHE, result("c"))
    assert [type(part) for part in heard.conversations[0].turns[1].content] == [ToolUse, Text]
    assert heard.ignored == ("messages (moved before calls)",)


def test_an_assistant_message_that_claude_code_would_drop_is_left_out_and_named() -> None:
    heard = ask(HE, {**SHE, "content": "(no content)"}, HE)
    assert heard.conversations[0].turns == (UserTurn((Text("He"), Text("He"))),)
    assert heard.ignored == ("messages[1] (no content)",)
