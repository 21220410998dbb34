r"""A text as it stands, and as it reads once the escapes of JSON in it are undone.

A secret in a JSON text may be written ``\u0073k-...``, or follow the ``n`` of an escaped newline. The JSON may be
whole, or cut short by the end of a stream, or itself stand as a string in other JSON.
"""

import re
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence

DEPTH = 3
"""How deep escapes are undone: a client's JSON is in the settings' JSON, in a frame."""

ESCAPE = re.compile(
    r"\\(?:u(?P<high>[dD][89abAB][0-9a-fA-F]{2})\\u(?P<low>[dD][c-fC-F][0-9a-fA-F]{2})"
    r"|u(?P<code>[0-9a-fA-F]{4})|(?P<short>[\"\\/bfnrt]))"
)
SHORT_ESCAPES = dict(zip('"\\/bfnrt', '"\\/\b\f\n\r\t', strict=True))


def readings(text: str) -> Iterator[tuple[str, Callable[[int], int]]]:
    """Yield ``text``, and what it reads as with JSON's escapes undone, again and again; with where a position was."""
    place: Callable[[int], int] = int
    for _ in range(DEPTH):
        yield text, place
        parts: list[str] = []
        reached, came_from = [0], [0]
        for escape in ESCAPE.finditer(text):
            plain = text[came_from[-1] : escape.start()]
            parts += [plain, _character(escape)]
            reached.append(reached[-1] + len(plain) + 1)
            came_from.append(escape.end())
        if not parts:
            return
        text = "".join([*parts, text[came_from[-1] :]])
        place = _placer(reached, came_from, place)
    yield text, place


def _placer(reached: Sequence[int], came_from: Sequence[int], outer: Callable[[int], int]) -> Callable[[int], int]:
    def place(position: int) -> int:
        nearest = bisect_right(reached, position) - 1
        return outer(came_from[nearest] + position - reached[nearest])

    return place


def _character(escape: re.Match[str]) -> str:
    if escape["short"]:
        return SHORT_ESCAPES[escape["short"]]
    if escape["code"]:
        return chr(int(escape["code"], 16))
    return chr(0x10000 + ((int(escape["high"], 16) & 0x3FF) << 10) + (int(escape["low"], 16) & 0x3FF))
