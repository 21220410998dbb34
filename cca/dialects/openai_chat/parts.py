"""The parts of a message's content, each with its place."""

from collections.abc import Iterator
from typing import assert_never

from cca.dialects.media import document, image
from cca.dialects.openai_chat.body import AudioPart, Content, FilePart, ImagePart, Part
from cca.dialects.openai_fields import RefusalPart, TextPart
from cca.errors import BadRequest
from cca.model import Document, Image, ResultPart, Text


def parts_of(content: Content | None, path: str) -> Iterator[tuple[Part, str]]:
    """Yield the parts of a content. A string is one text, and null is none."""
    if isinstance(content, str):
        yield TextPart(type="text", text=content), path
    else:
        yield from ((part, f"{path}[{index}]") for index, part in enumerate(content or ()))


def shown(part: Part, path: str) -> ResultPart:
    """Return a part of what a user or a tool shows. Raise ``BadRequest`` for what Claude cannot take in."""
    match part:
        case TextPart(text=text):
            return Text(text)
        case ImagePart(image_url=address):
            return image(address.url, f"{path}.image_url.url")
        case FilePart():
            return _file(part, path)
        case RefusalPart():
            raise _unserved(part, path, "only an assistant refuses; send text")
        case AudioPart():
            raise _unserved(part, path, "Claude does not hear; send text")
        case _:
            assert_never(part)


def spoken(part: Part, path: str) -> Text:
    """Return a part of what the assistant said. Raise ``BadRequest`` for anything but text."""
    return Text(part.refusal) if isinstance(part, RefusalPart) else written(part, path)


def written(part: Part, path: str) -> Text:
    """Return a text. Raise ``BadRequest`` for any other part."""
    if isinstance(part, TextPart):
        return Text(part.text)
    raise _unserved(part, path, "such a message has text alone; send it in a user message")


def unheard(part: Part, path: str) -> Iterator[str]:
    """Name what does not arrive of a part, ``path`` its message's content."""
    yield from (f"{path}.{name}" for name in part.extra)
    match part:
        case ImagePart(image_url=address):
            yield from (f"{path}.image_url.{name}" for name in address.extra)
            if address.detail not in (None, "auto"):
                yield f"{path}.image_url.detail"
        case FilePart(file=file):
            yield from (f"{path}.file.{name}" for name in file.extra)
        case _:
            pass


def _file(part: FilePart, path: str) -> Document | Image:
    file = part.file
    if file.file_id is not None:
        where = f"{path}.file.file_id"
        text = f"{where} cannot be honoured: cca keeps no files; send the file itself, as file_data in base64."
        raise BadRequest(text, param=where, code="unsupported_parameter")
    where = f"{path}.file.file_data"
    if file.file_data is None:
        raise BadRequest(f"{where} is missing.", param=where, code="missing_required_parameter")
    return document(file.file_data, file.filename, where)


def _unserved(part: Part, path: str, instead: str) -> BadRequest:
    text = f"{path} is a part of type {part.type}: {instead}."
    return BadRequest(text, param=f"{path}.type", code="unsupported_value")
