"""Which pictures Claude Code draws anew, and which of them it makes smaller."""

import base64
import struct
from binascii import b2a_base64

import pytest

from cca.model import Document, Image, Text, ToolResult, ToolUse, UserPart
from cca.redrawn import is_large, redrawn

DRAWN = Image("image/png", "iVBO")
LINKED = Image(url="https://x/cat.png")


@pytest.mark.parametrize(
    ("part", "pictures"),
    [
        pytest.param(DRAWN, [DRAWN], id="a user's"),
        pytest.param(
            ToolResult("t", (Text("a"), DRAWN), is_error=True), [DRAWN], id="a failure's, which stands beside"
        ),
        pytest.param(ToolResult("t", (DRAWN,)), [], id="a result's"),
        pytest.param(Document(pieces=(DRAWN,)), [], id="a document's"),
        pytest.param(ToolResult("t", (LINKED,), is_error=True), [], id="at an address"),
        pytest.param(Text("a"), [], id="a text is none"),
    ],
)
def test_pictures_that_are_drawn_anew(part: UserPart, pictures: list[Image]) -> None:
    assert list(redrawn([ToolUse("t", "f", {}), part])) == pictures


def png(width: int, height: int, size: int = 30) -> Image:
    head = b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sII", 13, b"IHDR", width, height)
    return Image("image/png", b2a_base64(head.ljust(size, b"\0"), newline=False).decode())


@pytest.mark.parametrize(
    ("picture", "large"),
    [
        pytest.param(png(2000, 10), False, id="2000 wide"),
        pytest.param(png(2001, 10), True, id="wider"),
        pytest.param(png(10, 2000), False, id="2000 high"),
        pytest.param(png(10, 2001), True, id="higher"),
        pytest.param(png(1932, 1932), False, id="as many patches as there may be"),
        pytest.param(png(1932, 1960), True, id="more patches"),
        pytest.param(png(1, 1, 512_000), False, id="as many bytes as there may be"),
        pytest.param(png(1, 1, 512_001), True, id="more bytes"),
        pytest.param(Image("image/png", base64.b64encode(b"?" * 40).decode()), False, id="of no known size"),
        pytest.param(LINKED, False, id="at an address"),
    ],
)
def test_a_picture_that_may_be_made_smaller(picture: Image, large: bool) -> None:  # noqa: FBT001
    assert is_large(picture) is large
