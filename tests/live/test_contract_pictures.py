"""Pictures: which of them arrive as they are, and which Claude Code draws anew.

Each test is one statement about Claude Code that cca relies on. A release of it that changes one fails by name.
"""

import re
import struct
import zlib
from binascii import b2a_base64

import pytest
from attrs import evolve
from live_cli import request_for, turns, user

from cca.model import AssistantTurn, Conversation, Document, Image, Json, Text, Tool, ToolResult, ToolUse, UserTurn
from cca.redrawn import is_large, redrawn

pytestmark = pytest.mark.live

LOOK = Tool("look", "Look.", {"type": "object", "properties": {}})


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(width: int, height: int, size: int = 0) -> Image:
    """Return a picture of one colour, filled up to so many bytes."""
    head = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    rows = zlib.compress((b"\0" + b"\x40\x80\xc0" * width) * height)
    end = chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    filling = size - len(head) - len(end) - 12
    content = head + (chunk(b"teSt", bytes(filling)) if filling >= 0 else b"") + end
    return Image("image/png", b2a_base64(content, newline=False).decode())


async def arrived(*parts: Image | Text, model: str = "haiku") -> Json:
    """Return the blocks of the one turn."""
    [(_, blocks)] = turns(await request_for(Conversation(model, (UserTurn(parts),))))
    return blocks


def block(picture: Image) -> Json:
    return {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": picture.data}}


@pytest.mark.parametrize(
    "picture",
    [
        pytest.param(png(2000, 1200), id="2000 wide"),
        pytest.param(png(10, 2000), id="2000 high"),
        pytest.param(png(1932, 1932), id="4761 patches"),
        pytest.param(png(10, 10, 512_000), id="512,000 bytes"),
    ],
)
async def test_up_to_its_limits_a_picture_arrives_as_it_is(picture: Image) -> None:
    assert not is_large(picture)
    assert await arrived(Text("a"), picture) == [{"type": "text", "text": "a"}, block(picture)]


@pytest.mark.parametrize(
    ("picture", "sizes"),
    [
        pytest.param(png(2001, 10), "2001x10, displayed at 2000x10", id="2001 wide"),
        pytest.param(png(10, 2001), "10x2001, displayed at 10x2000", id="2001 high"),
        pytest.param(png(1932, 1960), "1932x1960, displayed at 1904x1932", id="4830 patches"),
    ],
)
async def test_one_of_more_pixels_is_made_smaller_and_the_model_is_told(picture: Image, sizes: str) -> None:
    assert is_large(picture)
    _, shown, told = await arrived(Text("a"), picture)
    assert shown["source"]["media_type"] == "image/png"
    assert shown != block(picture)
    assert re.fullmatch(
        rf"\[Image: original {sizes}\. Multiply coordinates by .* to map to original image\.\]", told["text"]
    )


async def test_one_of_more_bytes_becomes_a_jpeg_and_nobody_is_told() -> None:
    picture = png(10, 10, 512_001)
    assert is_large(picture)
    [shown] = await arrived(picture)
    assert shown["source"]["media_type"] == "image/jpeg"


async def test_an_old_model_sees_as_many_patches_as_there_are() -> None:
    picture = png(2000, 2000)
    assert await arrived(picture, model="claude-sonnet-4-5") == [block(picture)]


async def test_one_that_is_large_and_broken_becomes_a_text() -> None:
    picture = png(2001, 10)
    broken = evolve(picture, data=(picture.data or "")[:60])
    [told] = await arrived(broken)
    assert told["text"].startswith("[Image could not be processed: ")


LARGE = png(2001, 10)


async def test_in_the_result_of_a_call_and_in_a_document_any_arrives_as_it_is() -> None:
    shown = UserTurn((ToolResult("t", (LARGE,)), Document(pieces=(LARGE,)), Text("b")))
    said = (user("a"), AssistantTurn((ToolUse("t", "look", {}),)), shown)
    assert list(redrawn(shown.content)) == []
    *_, (_, (result, document, _)) = turns(await request_for(Conversation("haiku", said, tools=(LOOK,))))
    assert [result["content"], document["source"]["content"]] == [[block(LARGE)]] * 2


async def test_a_past_one_and_one_beside_a_failure_are_drawn_anew_as_well() -> None:
    failed = UserTurn((ToolResult("t", (LARGE,), is_error=True),))
    said = (UserTurn((LARGE, Text("a"))), AssistantTurn((ToolUse("t", "look", {}),)), failed)
    assert list(redrawn(failed.content)) == [LARGE]
    request = await request_for(Conversation("haiku", said, tools=(LOOK,)))
    pictures = [each for _, blocks in turns(request) for each in blocks if each["type"] == "image"]
    assert [each == block(LARGE) for each in pictures] == [False, False]
