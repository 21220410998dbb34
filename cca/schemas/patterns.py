"""Patterns of JSON Schema, for RE2: it reads most of ECMAScript's language alike, and takes time in proportion.

What the two read differently is written out here, and what cannot be is refused.
"""

import re
from typing import Any

import re2  # type: ignore[import-untyped]

_SPACES = (
    *((0x09, 0x0D), (0x20, 0x20), (0xA0, 0xA0), (0x1680, 0x1680), (0x2000, 0x200A)),
    *((0x2028, 0x2029), (0x202F, 0x202F), (0x205F, 0x205F), (0x3000, 0x3000), (0xFEFF, 0xFEFF)),
)
r"""What ``\s`` is, where RE2 knows six characters of ASCII."""

_MEMORY = 1 << 20
"""Bytes for one compiled pattern: one that takes ten milliseconds to compile is over it."""


def compiled(pattern: str) -> Any:
    """Return an ECMAScript pattern, to be searched for. Raise ``re2.error`` for what RE2 has not."""
    options = re2.Options()
    options.log_errors = False
    options.never_capture = True
    options.max_mem = _MEMORY
    return re2.compile(_translated(pattern), options=options)


def size(pattern: str) -> int | None:
    """Return the instructions that a pattern comes to; nothing, for what RE2 has not."""
    try:
        return int(compiled(pattern).programsize)
    except re2.error:
        return None


def _translated(pattern: str) -> str:
    written: list[str] = []
    in_class, at = False, 0
    while found := (_IN_CLASS if in_class else _OUTSIDE).match(pattern, at):
        part, at = found[0], found.end()
        if found["refused"] is not None:
            raise re2.error(f"{part} means something else to RE2")
        code = found["code"] is not None
        written.append(f"\\x{{{_code_point(part):x}}}" if code else _MEANT[in_class].get(part, part))
        in_class = part != "]" if in_class else part.startswith("[")
    return "".join(written)


def _code_point(escape: str) -> int:
    units = [int(unit.strip("{}"), 16) for unit in escape.split("\\u")[1:]]
    return units[0] if len(units) == 1 else 0x10000 + (units[0] - 0xD800) * 0x400 + units[1] - 0xDC00


def _ranges(pairs: tuple[tuple[int, int], ...]) -> str:
    return "".join(f"\\x{{{first:x}}}-\\x{{{last:x}}}" for first, last in pairs)


_HEX = "[0-9a-fA-F]"
_ESCAPES = (
    rf"(?P<code>\\u[dD][89abAB]{_HEX}{{2}}\\u[dD][c-fC-F]{_HEX}{{2}}|\\u\{{{_HEX}{{1,6}}\}}|\\u(?![dD][89a-fA-F]){_HEX}{{4}})"
    rf"|\\x{_HEX}{{2}}|\\[pP](?=\{{)|\\0(?![0-9])|\\(?:[bdfnrstvwBDSW]|[^0-9a-zA-Z])"
)

# Groups may have names, or ignore case. A class may not be empty, which RE2 reads in another way, nor of POSIX.
_OUTSIDE = re.compile(
    _ESCAPES + r"|(?P<refused>\\.|\[\^?\]|\(\?(?!P?<[A-Za-z_]\w*>|:|i:|i\)))|\[\^?|.",
    re.DOTALL,
)
_IN_CLASS = re.compile(_ESCAPES + r"|(?P<refused>\\.|\[:)|.", re.DOTALL)

_NO_SPACES = tuple(
    (before[1] + 1, after[0] - 1) for before, after in zip(((0, -1), *_SPACES), (*_SPACES, (0x110000, 0)), strict=True)
)
_MEANT = {
    False: {
        ".": r"[^\n\r\x{2028}\x{2029}]",
        r"\s": f"[{_ranges(_SPACES)}]",
        r"\S": f"[^{_ranges(_SPACES)}]",
        r"\0": r"\x00",
    },
    True: {
        r"\s": _ranges(_SPACES),
        r"\S": _ranges(_NO_SPACES),
        r"\b": r"\x08",
        r"\0": r"\x00",
        "[": r"\[",
    },
}
"""What is written in another way, outside of a class and in one."""
