"""Server-sent events as bytes. Source of the format: the HTML standard, section 9.2."""

from collections.abc import Iterable

import orjson

from cca.dialects.contract import Frame

KEEP_ALIVE = b": keep-alive\n\n"


def render(frames: Iterable[Frame]) -> bytes:
    return b"".join(_render(frame) for frame in frames)


def _render(frame: Frame) -> bytes:
    # JSON as orjson writes it has no line break of any kind, so that a model's text cannot end an event.
    content = frame.content.encode() if isinstance(frame.content, str) else orjson.dumps(frame.content)
    name = b"" if frame.name is None else b"event: " + frame.name.encode() + b"\n"
    return name + b"data: " + content + b"\n\n"
