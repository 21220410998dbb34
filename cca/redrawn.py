"""Pictures that Claude Code draws anew before it asks the model: a user's, without their marks, and large ones smaller.

It leaves those alone that are at an address, in the result of a call that did not fail, or in a document.
"""

from collections.abc import Iterable, Iterator

from cca.model import AssistantPart, Image, ToolResult, UserPart
from cca.pictures import size_of

LONGEST_SIDE = 2000
"""Pixels. A picture with a longer one is made smaller, and a text beside it tells the model so."""

PATCH, MOST_PATCHES = 28, 4784
"""Pixels on a side of what a model sees at once, and how many of those it takes: some of them do, older ones not."""

MOST_BYTES = 512_000
"""A picture of more becomes a JPEG of no more, and nobody is told."""


def redrawn(parts: Iterable[UserPart | AssistantPart]) -> Iterator[Image]:
    """Yield the pictures of a turn that are drawn anew: those of failures stand beside their results."""
    for part in parts:
        inside = part.content if isinstance(part, ToolResult) and part.is_error else (part,)
        yield from (each for each in inside if isinstance(each, Image) and each.data is not None)


def is_large(picture: Image) -> bool:
    """Whether a picture may be made smaller where it is drawn anew."""
    data = picture.data or ""
    width, height = size_of(data) or (0, 0)
    patches = -(-width // PATCH) * -(-height // PATCH)
    size = len(data) * 3 // 4 - data.count("=", -2)
    return max(width, height) > LONGEST_SIDE or patches > MOST_PATCHES or size > MOST_BYTES
