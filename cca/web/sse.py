"""Server-sent events as bytes. Source of the format: the HTML standard, section 9.2."""

from collections.abc import Iterable

import orjson

from cca.dialects.contract import Frame
from cca.model import Json

KEEP_ALIVE = b": keep-alive\n\n"

BREAKS = tuple((each.encode(), f"\\u{ord(each):04x}".encode()) for each in "\u0085\u2028\u2029")
"""What ends no event, but is a line's end to Unicode: and to httpx, by whose lines many a client reads."""


def render(frames: Iterable[Frame]) -> bytes:
    return b"".join(_render(frame) for frame in frames)


def _render(frame: Frame) -> bytes:
    content = frame.content.encode() if isinstance(frame.content, str) else _json(frame.content)
    name = b"" if frame.name is None else b"event: " + frame.name.encode() + b"\n"
    return name + b"data: " + content + b"\n\n"


def _json(value: Json) -> bytes:
    """Return JSON without a line break of any kind, so that a model's text cannot end an event."""
    written = orjson.dumps(value)
    if not written.isascii():
        for plain, escaped in BREAKS:
            written = written.replace(plain, escaped)
    return written
