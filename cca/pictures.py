"""How large a picture is, and how many pages a PDF has, from their first bytes or their plain ones. Nothing is drawn.

Sources of the formats: the PNG specification, 11.2.2; GIF89a, 18; RFC 9649 (WebP), 2.5 to 2.7; ITU-T T.81 (JPEG), B.2;
ISO 32000-1 (PDF), 7.7.3.3.
"""

import binascii
import re
from collections.abc import Callable
from typing import Literal

MOST_SEGMENTS = 500
"""Of a JPEG: those before its size are about a dozen, and an ill-meant one may have millions."""

_PAGE = re.compile(rb"/Type\s{0,20}/Page(?![A-Za-z])")

_FRAMES = frozenset((0xC0, 0xC1, 0xC2, 0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF))
"""Markers of the segments of a JPEG that say its size."""

Read = Callable[[int, int], bytes]
"""Returns so many bytes from a place on, or fewer at the end."""


def size_of(data: str) -> tuple[int, int] | None:
    """Return the width and the height of a picture in base64, or nothing if it does not say them where it should."""

    def read(start: int, count: int) -> bytes:
        # Four characters are three bytes: only those that are asked for are decoded.
        first, end = start // 3 * 4, (start + count + 2) // 3 * 4
        try:
            return binascii.a2b_base64(data[first:end])[start % 3 :][:count]
        except ValueError:
            return b""

    head = read(0, 30)
    match head:
        case _ if head.startswith(b"\x89PNG\r\n\x1a\n"):
            size = _pair(head[16:24], 4, "big")
        case _ if head.startswith((b"GIF87a", b"GIF89a")):
            size = _pair(head[6:10], 2, "little")
        case _ if head.startswith(b"\xff\xd8"):
            size = _jpeg(read)
        case _ if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
            size = _webp(head)
        case _:
            return None
    return size if size is not None and all(size) else None


def pages_of(data: str) -> int:
    """Return how many pages a PDF in base64 shows: none where they are in compressed objects, and of what is no PDF."""
    try:
        return len(_PAGE.findall(binascii.a2b_base64(data)))
    except ValueError:
        return 0


def _pair(content: bytes, width: int, order: Literal["big", "little"]) -> tuple[int, int] | None:
    if len(content) < 2 * width:
        return None
    return int.from_bytes(content[:width], order), int.from_bytes(content[width:], order)


def _jpeg(read: Read) -> tuple[int, int] | None:
    place = 2
    for _ in range(MOST_SEGMENTS):
        segment = read(place, 9)
        if len(segment) < 9 or segment[0] != 0xFF:
            return None
        if segment[1] in _FRAMES:
            height, width = int.from_bytes(segment[5:7], "big"), int.from_bytes(segment[7:9], "big")
            return width, height
        # A marker may be filled up with bytes of its own.
        place += 1 if segment[1] == 0xFF else 2 + int.from_bytes(segment[2:4], "big")
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
