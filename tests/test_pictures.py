"""How large a picture is, from the bytes in which each format says it; and the pages of a PDF."""

import base64
import time
import zlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cca.pictures import MOST_BEFORE, MOST_PAGES, MOST_SEGMENTS, pages_of, size_of


def encoded(content: bytes) -> str:
    return base64.b64encode(content).decode()


def png(width: int, height: int) -> bytes:
    def chunk(kind: bytes, content: bytes) -> bytes:
        return len(content).to_bytes(4, "big") + kind + content + zlib.crc32(kind + content).to_bytes(4, "big")

    head = width.to_bytes(4, "big") + height.to_bytes(4, "big") + b"\x08\x02\0\0\0"
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IEND", b"")


def gif(width: int, height: int) -> bytes:
    return b"GIF89a" + width.to_bytes(2, "little") + height.to_bytes(2, "little") + b"\x80\0\0" + bytes(30)


def segment(marker: int, content: bytes) -> bytes:
    return bytes((0xFF, marker)) + (len(content) + 2).to_bytes(2, "big") + content


def jpeg(width: int, height: int, *before: bytes, frame: int = 0xC0) -> bytes:
    said = b"\x08" + height.to_bytes(2, "big") + width.to_bytes(2, "big") + b"\x03" + bytes(9)
    return b"\xff\xd8" + b"".join(before) + segment(frame, said) + b"\xff\xd9"


def webp(kind: bytes, content: bytes) -> bytes:
    return b"RIFF" + bytes(4) + b"WEBP" + kind + len(content).to_bytes(4, "little") + content + bytes(20)


def lossy(width: int, height: int) -> bytes:
    """With the bits above each length set, which say how it is to be enlarged."""
    sides = (width | 0x4000).to_bytes(2, "little") + (height | 0xC000).to_bytes(2, "little")
    return webp(b"VP8 ", bytes(3) + b"\x9d\x01\x2a" + sides)


def lossless(width: int, height: int) -> bytes:
    return webp(b"VP8L", b"\x2f" + ((width - 1) | (height - 1) << 14 | 0xF << 28).to_bytes(4, "little"))


def extended(width: int, height: int) -> bytes:
    return webp(b"VP8X", bytes(4) + (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little"))


EXIF = segment(0xE1, b"Exif\0\0" + segment(0xC0, b"\x08\0\1\0\1\3" + bytes(9)) + bytes(60_000))
"""With a small picture in it, which is not the one that is meant."""


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(png(640, 480), id="PNG"),
        pytest.param(gif(640, 480), id="GIF"),
        pytest.param(jpeg(640, 480), id="JPEG"),
        pytest.param(jpeg(640, 480, frame=0xC2), id="JPEG, progressive"),
        pytest.param(jpeg(640, 480, EXIF, segment(0xC4, bytes(20))), id="JPEG, behind a preview and a table"),
        pytest.param(jpeg(640, 480, b"\xff\xff\xff"), id="JPEG, filled up"),
        pytest.param(jpeg(640, 480, segment(0xE0, b"") * (MOST_SEGMENTS - 1)), id="JPEG, of many segments"),
        pytest.param(jpeg(640, 480, segment(0xE2, bytes(65_000)) * 4), id="JPEG, behind four large segments"),
        pytest.param(lossy(640, 480), id="WebP"),
        pytest.param(lossless(640, 480), id="WebP, lossless"),
        pytest.param(extended(640, 480), id="WebP, extended"),
    ],
)
def test_each_format_says_its_size(content: bytes) -> None:
    assert size_of(encoded(content)) == (640, 480)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param("", id="nothing"),
        pytest.param("iVBORw0KGgo", id="base64 that is cut off"),
        pytest.param(encoded(b"BM" + bytes(60)), id="another format"),
        pytest.param(encoded(png(640, 480)[:20]), id="a PNG that is cut off"),
        pytest.param(encoded(gif(640, 480)[:8]), id="a GIF that is cut off"),
        pytest.param(encoded(jpeg(640, 480)[:8]), id="a JPEG that is cut off"),
        pytest.param(encoded(b"\xff\xd8" + bytes(60)), id="a JPEG without segments"),
        pytest.param(encoded(jpeg(640, 480, segment(0xE0, b"") * MOST_SEGMENTS)), id="a JPEG of too many segments"),
        pytest.param(encoded(jpeg(640, 480, b"\xff" * MOST_BEFORE)), id="a JPEG that says its size too late"),
        pytest.param(encoded(lossy(640, 480)[:28]), id="a WebP that is cut off"),
        pytest.param(encoded(webp(b"ALPH", bytes(20))), id="a WebP of another kind"),
        pytest.param(encoded(png(0, 480)), id="no width"),
    ],
)
def test_what_does_not_say_its_size_has_none(data: str) -> None:
    assert size_of(data) is None


@given(st.binary(max_size=200), st.sampled_from((b"", b"\xff\xd8", b"\x89PNG\r\n\x1a\n", b"RIFF\0\0\0\0WEBPVP8X")))
def test_whatever_it_is_there_is_a_size_or_none(rest: bytes, head: bytes) -> None:
    size = size_of(encoded(head + rest))
    assert size is None or min(size) > 0


def pdf(pages: int) -> bytes:
    objects = [b"1 0 obj << /Type /Pages /Count %d >> endobj" % pages]
    objects += [b"%d 0 obj <</Type/Page /Parent 1 0 R>> endobj" % (number + 2) for number in range(pages)]
    return b"%PDF-1.4\n" + b"\n".join(objects)


@pytest.mark.parametrize(
    ("data", "pages"),
    [
        pytest.param(encoded(pdf(1)), 1, id="one"),
        pytest.param(encoded(pdf(12)), 12, id="twelve"),
        pytest.param(encoded(b"%PDF-1.4" + b"/Type/Page" * (MOST_PAGES + 1)), MOST_PAGES, id="more than there may be"),
        pytest.param(encoded(b"%PDF-1.5 << /Type /ObjStm >> stream ..."), 0, id="compressed"),
        pytest.param("%%%", 0, id="no base64"),
        pytest.param("JVBERi0xL", 0, id="cut off"),
    ],
)
def test_the_pages_of_a_pdf_are_counted_where_they_are_plain(data: Any, pages: int) -> None:
    assert pages_of(data) == pages


LARGE = 20_000_000
"""Characters: as much as a request may have."""


@pytest.mark.soak
@pytest.mark.parametrize(
    ("content", "seconds"),
    [
        pytest.param(b"\xff\xd8" + b"\xff" * 520, 3, id="small JPEGs that are filled up"),
        pytest.param(b"\xff\xd8" + b"\xff" * (MOST_BEFORE + 1), 3, id="large ones"),
        pytest.param(b"\xff\xd8" + segment(0xE0, b"") * MOST_SEGMENTS, 15, id="JPEGs of many segments"),
        pytest.param(b"\xff\xd8" + bytes(100), 10, id="JPEGs of nothing"),
        pytest.param(lossy(640, 480), 10, id="WebPs"),
    ],
)
def test_as_many_pictures_as_a_request_has_are_looked_at_in_time(content: bytes, seconds: float) -> None:
    """Of the processor's time: several times what each takes. To decode each segment by itself took eight seconds."""
    data = encoded(content)
    began = time.process_time()
    for _ in range(LARGE // len(data)):
        size_of(data)
    assert time.process_time() - began < seconds


@pytest.mark.soak
@pytest.mark.parametrize("piece", [b"/Type", b"/Type ", b"/Type/Page", b"/Type" + b" " * 20, b"/Type/Pages"])
def test_the_pages_of_a_large_pdf_are_counted_in_time(piece: bytes) -> None:
    data = encoded(b"%PDF-" + piece * (LARGE * 3 // 4 // len(piece)))
    began = time.process_time()
    assert pages_of(data) in (0, MOST_PAGES)
    assert time.process_time() - began < 3
