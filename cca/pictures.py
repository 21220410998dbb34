"""How large a picture is, and how many pages a PDF has, from their first bytes or their plain ones. Nothing is drawn.

Sources of the formats: the PNG specification, 11.2.2; GIF89a, 18; RFC 9649 (WebP), 2.5 to 2.7; ITU-T T.81 (JPEG), B.2;
ISO 32000-1 (PDF), 7.7.3.3.
"""

import binascii
import re
from itertools import islice
from typing import Literal

MOST_SEGMENTS = 64
"""Of a JPEG: those before its size are about a dozen, and an ill-meant one may have millions."""

MOST_BEFORE = 262_144
"""Bytes of a JPEG in which it says its size: a preview, a profile of its colours and whatever was noted on it come
before, of 64 kB each at most."""

MOST_PAGES = 600
"""Of a PDF: Anthropic's API takes no more in a request."""

_FIRST = 30
"""Bytes in which the other formats say their sizes."""

_MARKER = re.compile(rb"\xff+([^\xff])", re.DOTALL)
"""Of a segment of a JPEG: it may be filled up with bytes of its own."""

_PAGE = re.compile(rb"/Type\s{0,20}/Page(?![A-Za-z])")

_FRAMES = frozenset((0xC0, 0xC1, 0xC2, 0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF))
"""Markers of the segments of a JPEG that say its size."""


def size_of(data: str) -> tuple[int, int] | None:
    """Return the width and the height of a picture in base64, or nothing if it does not say them where it should."""
    head = _bytes(data, _FIRST)
    match head:
        case _ if head.startswith(b"\x89PNG\r\n\x1a\n"):
            size = _pair(head[16:24], 4, "big")
        case _ if head.startswith((b"GIF87a", b"GIF89a")):
            size = _pair(head[6:10], 2, "little")
        case _ if head.startswith(b"\xff\xd8"):
            size = _jpeg(_bytes(data, MOST_BEFORE))
        case _ if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
            size = _webp(head)
        case _:
            return None
    return size if size is not None and all(size) else None


def pages_of(data: str) -> int:
    """Return how many pages a PDF in base64 shows, at most as many as it may have.

    That is none where they are in compressed objects, and of what is no PDF.
    """
    return sum(1 for _ in islice(_PAGE.finditer(_bytes(data, len(data))), MOST_PAGES))


def _bytes(data: str, count: int) -> bytes:
    """Return the first bytes of what is in base64, or none of what is not."""
    # Four characters are three bytes.
    try:
        return binascii.a2b_base64(data[: (count + 2) // 3 * 4])[:count]
    except ValueError:
        return b""


def _pair(content: bytes, width: int, order: Literal["big", "little"]) -> tuple[int, int] | None:
    if len(content) < 2 * width:
        return None
    return int.from_bytes(content[:width], order), int.from_bytes(content[width:], order)


def _jpeg(head: bytes) -> tuple[int, int] | None:
    place = 2
    for _ in range(MOST_SEGMENTS):
        marker = _MARKER.match(head, place)
        if marker is None:
            return None
        place = marker.end()
        if marker[1][0] in _FRAMES:
            # Behind a length and the bits of a sample; the height is first.
            size = _pair(head[place + 3 : place + 7], 2, "big")
            return None if size is None else size[::-1]
        place += int.from_bytes(head[place : place + 2], "big")
    return None


def _webp(head: bytes) -> tuple[int, int] | None:
    match head[12:16], len(head):
        case b"VP8 ", 30:
            # The two bits above each say how it is to be enlarged.
            return int.from_bytes(head[26:28], "little") & 0x3FFF, int.from_bytes(head[28:30], "little") & 0x3FFF
        case b"VP8L", 30:
            bits = int.from_bytes(head[21:25], "little")
            return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
        case b"VP8X", 30:
            return int.from_bytes(head[24:27], "little") + 1, int.from_bytes(head[27:30], "little") + 1
        case _:
            return None
