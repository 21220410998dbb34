"""Pictures and files: what they are is what their bytes say, and what Claude's API would refuse is named."""

from base64 import b64encode
from typing import Any

import pytest

from cca.dialects.media import document, document_url, image
from cca.errors import BadRequest
from cca.model import Document, Image

REST = b"\0" * 16
JPEG, PNG = b"\xff\xd8\xff\xe0" + REST, b"\x89PNG\r\n\x1a\n" + REST
GIF, GIF_87, WEBP = b"GIF89a" + REST, b"GIF87a" + REST, b"RIFF\x10\0\0\0WEBPVP8L" + REST
PDF = b"%PDF-1.4\n"

PATH = "messages[0].content[0].image_url.url"


def encoded(content: bytes) -> str:
    return b64encode(content).decode()


def data_url(content: bytes, media_type: str = "image/png") -> str:
    return f"data:{media_type};base64,{encoded(content)}"


@pytest.mark.parametrize(
    ("content", "media_type"),
    [
        pytest.param(JPEG, "image/jpeg", id="JPEG"),
        pytest.param(PNG, "image/png", id="PNG"),
        pytest.param(GIF, "image/gif", id="GIF"),
        pytest.param(GIF_87, "image/gif", id="older GIF"),
        pytest.param(WEBP, "image/webp", id="WebP"),
    ],
)
@pytest.mark.parametrize("stated", ["image/jpeg", "image/png", "IMAGE/JPG", "application/octet-stream", ""])
def test_a_picture_is_what_its_first_bytes_say(content: bytes, media_type: str, stated: str) -> None:
    assert image(data_url(content, stated), PATH) == Image(media_type, encoded(content))


@pytest.mark.parametrize(
    "url",
    [
        pytest.param(f"DATA:image/png;BASE64,{encoded(PNG)}", id="capitals"),
        pytest.param(f"data:image/png;charset=utf-8;base64,{encoded(PNG)}", id="a parameter"),
        pytest.param(f"data:image/png;base64,\n{encoded(PNG)[:8]}\r\n{encoded(PNG)[8:]}\n", id="broken lines"),
    ],
)
def test_a_data_url_may_be_written_in_several_ways(url: str) -> None:
    assert image(url, PATH) == Image("image/png", encoded(PNG))


@pytest.mark.parametrize(
    "url", ["https://example.org/a.png", "http://127.0.0.1:9/a?b=c#d", "HTTPS://example.org", "https://ä.example/ж.png"]
)
def test_an_address_is_passed_on(url: str) -> None:
    assert image(url, PATH) == Image(url=url)
    assert document_url(url, PATH, "a.pdf") == Document(url=url, title="a.pdf")


@pytest.mark.parametrize(
    "url",
    [
        *("", "cat.png", "/etc/passwd", "file:///etc/passwd", "ftp://x/y.png", "https://", "http:x", "//x/y.png"),
        *("javascript:alert(1)", "https://x/a b", "https://x/\n", "https://[::1", "dat:image/png;base64,AAAA"),
    ],
)
def test_no_other_scheme_is_an_address(url: str) -> None:
    for read in (image, document_url):
        with pytest.raises(BadRequest, match="send an http") as told:
            read(url, PATH)
        assert (told.value.param, told.value.code) == (PATH, "unsupported_value")


BROKEN = [
    pytest.param("data:image/png;base64,", "is empty", id="empty"),
    pytest.param("data:image/png;base64,AA*=", "is not base64", id="not base64"),
    pytest.param("data:image/png;base64,iVBORw0", "is not base64, or is cut off", id="cut off"),
    pytest.param("data:image/png;base64,ä", "is not base64", id="not ASCII"),
    pytest.param("data:image/png,%89PNG", "is a data URL that is not in base64", id="percent"),
    pytest.param("data:image/png;base64", "is a data URL that is not in base64", id="no comma"),
]


@pytest.mark.parametrize(("url", "said"), BROKEN)
def test_broken_data_is_refused(url: str, said: str) -> None:
    for read in (lambda url: image(url, PATH), lambda url: document(url, None, PATH)):
        with pytest.raises(BadRequest, match=said) as told:
            read(url)
        assert (told.value.param, told.value.code) == (PATH, "invalid_value")


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"BM" + REST, id="BMP"),
        pytest.param(b"II*\0" + REST, id="TIFF"),
        pytest.param(b"<svg xmlns='http://www.w3.org/2000/svg'/>", id="SVG"),
        pytest.param(b"RIFF\0\0\0\0WAVE" + REST, id="a sound"),
        pytest.param(PDF + REST, id="PDF"),
        pytest.param(PNG[:8], id="no more than its signature"),
        pytest.param(b"\0", id="a byte"),
    ],
)
def test_what_claude_cannot_see_is_no_picture_whatever_it_states(content: bytes) -> None:
    with pytest.raises(BadRequest, match="JPEG, PNG, GIF or WebP") as told:
        image(data_url(content, "image/png"), PATH)
    assert (told.value.param, told.value.code) == (PATH, "unsupported_value")


def test_a_stated_type_is_not_told_at_length() -> None:
    with pytest.raises(BadRequest) as told:
        image(data_url(b"x", "x" * 100_000), PATH)
    assert len(told.value.message) < 300


@pytest.mark.parametrize(
    ("data", "filename", "heard"),
    [
        pytest.param(
            data_url(PDF, "application/pdf"), "a.pdf", ("application/pdf", encoded(PDF), None, "a.pdf"), id="PDF"
        ),
        pytest.param(encoded(PDF), None, ("application/pdf", encoded(PDF), None, None), id="bare"),
        pytest.param(data_url(PDF, "text/plain"), "", ("application/pdf", encoded(PDF), None, None), id="by its bytes"),
        pytest.param(data_url("Grüße".encode(), "text/plain"), "a.txt", (None, None, "Grüße", "a.txt"), id="text"),
        pytest.param(data_url(b'{"a":1}', "application/json"), None, (None, None, '{"a":1}', None), id="JSON"),
        pytest.param(data_url(b"a,b\n", ""), "a.csv", (None, None, "a,b\n", "a.csv"), id="no type"),
        pytest.param(encoded(b"\xef\xbb\xbfBOM"), None, (None, None, "BOM", None), id="BOM"),
    ],
)
def test_a_document_is_a_pdf_or_a_text(data: str, filename: str | None, heard: Any) -> None:
    assert document(data, filename, PATH) == Document(*heard)


@pytest.mark.parametrize(
    ("data", "said", "code"),
    [
        pytest.param(encoded(b"PK\x03\x04\xff"), "neither a PDF nor text", "unsupported_value", id="zip"),
        pytest.param(encoded(b"a\0b"), "neither a PDF nor text", "unsupported_value", id="with a NUL"),
        pytest.param(encoded("ä".encode("latin-1")), "text in UTF-8", "unsupported_value", id="Latin-1"),
        pytest.param(data_url(b"%PDX", "application/pdf"), "neither a PDF", "unsupported_value", id="a broken PDF"),
        pytest.param(data_url(PNG), "send it as an image part", "unsupported_value", id="a picture"),
        pytest.param(encoded(b" \n"), "nothing but white space", "invalid_value", id="white space"),
    ],
)
def test_another_file_is_refused(data: str, said: str, code: str) -> None:
    with pytest.raises(BadRequest, match=said) as told:
        document(data, "a", PATH)
    assert (told.value.param, told.value.code) == (PATH, code)
