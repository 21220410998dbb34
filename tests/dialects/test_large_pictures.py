"""Pictures that Claude Code may make smaller are named, in whichever API they come."""

import struct
from binascii import b2a_base64
from typing import Any

import chat_asked
import messages_asked
import pytest
import responses_asked


def png(width: int) -> str:
    """Return as much of a picture as says its size, in base64."""
    head = b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sII", 13, b"IHDR", width, 10)
    return b2a_base64(head, newline=False).decode()


LARGE, SMALL = png(2001), png(2000)


def url(data: str) -> str:
    return f"data:image/png;base64,{data}"


def in_chat(data: str) -> tuple[str, ...]:
    part = {"type": "image_url", "image_url": {"url": url(data)}}
    result = chat_asked.result("c", [part])
    said = {"role": "user", "content": [{"type": "text", "text": "a"}, part]}
    return chat_asked.ask(chat_asked.HE, chat_asked.calling("c"), result, said).ignored


def in_a_response(data: str) -> tuple[str, ...]:
    part = {"type": "input_image", "image_url": url(data)}
    called = (responses_asked.call("c"), responses_asked.output("c", [part]))
    asked = responses_asked.ask(
        [responses_asked.message("user", "He"), *called, responses_asked.message("user", [part])]
    )
    return asked.ignored


def in_messages(data: str) -> tuple[str, ...]:
    block = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": data}}
    called = messages_asked.assistant(messages_asked.call("c"))
    result = messages_asked.user(messages_asked.result("c", content=[block]))
    return messages_asked.ask(messages_asked.HE, called, result, messages_asked.user(block)).ignored


@pytest.mark.parametrize(
    ("named", "place"),
    [(in_chat, "messages[3]"), (in_a_response, "input[3]"), (in_messages, "messages[3]")],
    ids=["chat", "responses", "messages"],
)
def test_a_large_picture_is_named_where_it_does_not_arrive_as_it_is(named: Any, place: str) -> None:
    """In the result of a call it does."""
    assert named(SMALL) == ()
    assert named(LARGE) == (f"{place} (large picture: may be made smaller)",)


def test_one_in_the_result_of_a_call_that_failed_stands_beside_it() -> None:
    block = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": LARGE}}
    called = messages_asked.assistant(messages_asked.call("c"))
    failed = messages_asked.user(messages_asked.result("c", content=[block], is_error=True))
    heard = messages_asked.ask(messages_asked.HE, called, failed)
    assert heard.ignored == ("messages[2] (large picture: may be made smaller)",)
