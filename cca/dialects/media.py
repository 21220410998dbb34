"""Pictures and files that a request carries: looked at as far as it takes to name what Claude's API would refuse.

An address is never fetched here: the model's API does that.
"""

import binascii
from urllib.parse import urlsplit

from attrs import evolve, frozen

from cca.errors import BadRequest
from cca.model import Document, Image

IMAGES = "JPEG, PNG, GIF or WebP"
"""What Claude can see."""

_URL_SHOWN = 40

_SIGNATURES: tuple[tuple[bytes, str], ...] = (
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
)

_SHORTEST = 16
"""Bytes that no picture has fewer of: those that are told apart by less are cut off."""

IMAGE_TYPES = ("image/jpeg", "image/png", "image/gif", "image/webp")

PDF, PDF_SIGNATURE = "application/pdf", b"%PDF-"

PLAIN = "text/plain"

DATA_URL = "an http(s) address, or data:TYPE;base64,DATA"
"""What may be sent where an address is, in APIs that have data URLs."""


@frozen
class DataUrl:
    """A ``data:`` URL: the type that it states, and what it holds, in base64 and as bytes."""

    media_type: str
    base64: str
    content: bytes


def image(url: str, path: str) -> Image:
    """Return the picture of a ``data:`` URL, or at an address. Raise ``BadRequest`` for what Claude cannot see.

    A picture is what its first bytes say: Claude's API refuses one that is stated to be of another type.
    """
    if not _is_data(url):
        return Image(url=address(url, path))
    data = _read(url, path)
    media_type = _image_type(data.content)
    if media_type is None:
        stated = data.media_type or "no type"
        raise _bad(path, f"holds no picture that Claude can see (it states {stated!r:.60}); send a whole {IMAGES}.")
    return Image(media_type, data.base64)


def stated_image(media_type: str, data: str, path: str) -> Image:
    """Return the picture of a source in base64, at ``path``, that states its type.

    Raise ``BadRequest`` for what is of another type, as Claude's API does, or for what Claude cannot see.
    """
    if media_type not in IMAGE_TYPES:
        known = ", ".join(IMAGE_TYPES)
        raise _bad(f"{path}.media_type", f"is {media_type!r:.60}, and must be one of: {known}.")
    file = _decoded(data, f"{path}.data")
    found = _image_type(file.content)
    if found != media_type:
        is_one = "no picture that Claude can see" if found is None else f"a picture of type {found}"
        raise _bad(f"{path}.data", f"is {is_one}, and media_type says {media_type}; state what it is.")
    return Image(media_type, file.base64)


def stated_pdf(media_type: str, data: str, path: str) -> Document:
    """Return the PDF of a source in base64, at ``path``, that states its type. Raise ``BadRequest`` for another."""
    if media_type != PDF:
        where = f"{path}.media_type"
        raise _bad(where, f"is {media_type!r:.60}, and must be {PDF}; send text as a source of type text.")
    file = _decoded(data, f"{path}.data")
    if not file.content.startswith(PDF_SIGNATURE):
        raise _bad(f"{path}.data", f"is no PDF, and media_type says {PDF}; send the whole file.")
    return Document(PDF, file.base64)


def document(data: str, filename: str | None, path: str) -> Document:
    """Return the PDF or the text in a ``data:`` URL, or in bare base64. Raise ``BadRequest`` for any other file."""
    file = _read(data, path)
    title = filename or None
    if file.content.startswith(PDF_SIGNATURE):
        return Document(PDF, file.base64, title=title)
    if _image_type(file.content) is not None:
        raise _bad(path, "holds a picture; send it as an image part.")
    text = None if file.media_type == PDF else _text(file.content)
    if text is None:
        raise _bad(path, "is neither a PDF nor text in UTF-8, and Claude reads no other files; send its text.")
    if not text.strip():
        raise _bad(path, "is a text of nothing but white space; leave it out.", "invalid_value")
    return Document(text=text, title=title)


def document_url(url: str, path: str, filename: str | None = None) -> Document:
    """Return the PDF that is said to be at an address. Raise ``BadRequest`` for what is none."""
    return Document(url=address(url, path), title=filename or None)


def _is_data(url: str) -> bool:
    return url[:5].lower() == "data:"


def _read(data: str, path: str) -> DataUrl:
    """Return what a ``data:`` URL, or bare base64, holds."""
    head, comma, encoded = data.partition(",") if _is_data(data) else ("data:;base64", ",", data)
    media_type, *parameters = (part.strip().lower() for part in head[5:].split(";"))
    if not comma or "base64" not in parameters:
        raise _bad(path, "is a data URL that is not in base64; send data:TYPE;base64,DATA.", "invalid_value")
    file = _decoded(encoded, path)
    return evolve(file, media_type=media_type)


def _decoded(encoded: str, path: str) -> DataUrl:
    """Return what is in base64, and of no type."""
    # Programs that encode base64 break its lines.
    encoded = "".join(encoded.split())
    try:
        content = binascii.a2b_base64(encoded, strict_mode=True)
    except ValueError as error:
        raise _bad(path, "is not base64, or is cut off; encode the whole file anew.", "invalid_value") from error
    if not content:
        raise _bad(path, "is empty; send the whole file.", "invalid_value")
    return DataUrl("", encoded, content)


def _image_type(content: bytes) -> str | None:
    if len(content) < _SHORTEST:
        return None
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "image/webp"
    return next((kind for signature, kind in _SIGNATURES if content.startswith(signature)), None)


def _text(content: bytes) -> str | None:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return None
    return None if "\0" in text else text


def address(url: str, path: str, instead: str = DATA_URL) -> str:
    """Return an address that the model's API can fetch from. Raise ``BadRequest`` for what is none."""
    try:
        parts = urlsplit(url)
        valid = parts.scheme in ("http", "https") and parts.hostname and url.isprintable() and " " not in url
    except ValueError:
        valid = False
    if not valid:
        raise _bad(path, f"is {url[:_URL_SHOWN]!r}; send {instead}.")
    return url


def _bad(path: str, said: str, code: str = "unsupported_value") -> BadRequest:
    return BadRequest(f"{path} {said}", param=path, code=code)
