"""Checks of what stands in a block, and the refusals of what cannot."""

import re

from cca.dialects.anthropic_messages.body import CacheControl, TextBlock
from cca.errors import BadRequest
from cca.model import CacheMark

MOST_TITLE = 500
"""Characters of a document's title, by Anthropic's schema."""

_ID = re.compile(r"[a-zA-Z0-9_-]+")


def empty(text: str, path: str) -> BadRequest:
    """Return the refusal of a text that says nothing."""
    what = "only white space" if text else "empty"
    said = f"{path} is {what}; send text that says something, or leave it out."
    return BadRequest(said, param=path, code="invalid_value")


def unserved(kind: str, path: str, instead: str) -> BadRequest:
    """Return the refusal of a block that has no place where it is."""
    said = f"{path} is a block of type {kind[:60]!r}: {instead}."
    return BadRequest(said, param=f"{path}.type", code="unsupported_value")


def written(block: TextBlock, path: str) -> str:
    """Return a text that says something."""
    if not block.text.strip():
        raise empty(block.text, f"{path}.text")
    return block.text


def mark(control: CacheControl | None, path: str) -> CacheMark | None:
    """Return the mark for the cache on the object at ``path``. Raise ``BadRequest`` for one that there is not."""
    if control is None:
        return None
    where = f"{path}.cache_control" if path else "cache_control"
    if control.type != "ephemeral":
        raise BadRequest(
            f'{where}.type is {control.type[:40]!r}, and must be "ephemeral".',
            param=f"{where}.type",
            code="invalid_value",
        )
    match control.ttl:
        case None | "5m" | "1h" as ttl:
            return CacheMark(ttl)
        case ttl:
            said = f'{where}.ttl is {ttl[:40]!r}, and must be "5m" or "1h".'
            raise BadRequest(said, param=f"{where}.ttl", code="invalid_value")


def kept_elsewhere(path: str) -> BadRequest:
    """Return the refusal of a source that is a file of the API's."""
    said = f"{path} is a file kept by the API, and cca keeps no files; send what is in it as a source of type base64."
    return BadRequest(said, param=f"{path}.type", code="unsupported_value")


def titled(title: str | None, path: str) -> str | None:
    """Return a document's title. Raise ``BadRequest`` for a long one, or an empty one."""
    if title is not None and len(title) > MOST_TITLE:
        said = f"{path} has {len(title):,} characters, and may have {MOST_TITLE}."
        raise BadRequest(said, param=path, code="invalid_value")
    return filled(title, path)


def filled(text: str | None, path: str) -> str | None:
    """Return a text that may be left out, and not be empty."""
    if text == "":
        raise empty(text, path)
    return text


def call_id(given: str, path: str) -> str:
    """Return the id of a call. Raise ``BadRequest`` for one that the API does not take."""
    if not _ID.fullmatch(given):
        said = f"{path} is {given[:80]!r}; use letters, digits, underscores and dashes."
        raise BadRequest(said, param=path, code="invalid_value")
    return given
