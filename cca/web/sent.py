"""What is sent to cca's routes besides those of the dialects: small objects, in which every name must be known."""

from collections.abc import Mapping
from typing import TypeVar

from attrs import fields, frozen
from cattrs import Converter

from cca.aside import aside
from cca.dialects.openai import read_metadata
from cca.errors import BadRequest
from cca.model import Json
from cca.web.body import has_body, read_body
from cca.wire import Body, decode_json, or_null, strict_converter, structure

T = TypeVar("T", bound=Body)


async def sent_as(kind: type[T]) -> tuple[Mapping[str, Json], T]:
    """Return the body as it was sent and as a ``kind``; one that is empty says nothing. Raise ``BadRequest``."""
    if not has_body():
        return {}, kind()
    body = await read_body()
    given = await aside(len(body), decode_json, body)
    sent = structure(CONVERTER, given, kind)
    unknown = next(iter(sent.extra), None)
    if unknown is not None:
        known = ", ".join(field.name for field in fields(kind) if field.name != "extra")
        raise BadRequest(
            f"{unknown[:100]} is not known here; possible are {known}.",
            param=unknown[:100],
            code="unknown_parameter",
        )
    return given, sent


@frozen(kw_only=True)
class Labels(Body):
    """What can be changed of what is stored."""

    metadata: Json = None


async def metadata_sent() -> Mapping[str, str]:
    """Return the metadata that the body sets. Raise ``BadRequest`` for a body without."""
    given, sent = await sent_as(Labels)
    if "metadata" not in given:
        text = "metadata is missing: it is what can be changed."
        raise BadRequest(text, param="metadata", code="missing_required_parameter")
    return read_metadata(sent.metadata)


def _converter() -> Converter:
    converter = strict_converter()
    for optional, kind in ((str | None, str), (float | None, float), (int | None, int)):
        converter.register_structure_hook(optional, or_null(converter.get_structure_hook(kind)))
    return converter


CONVERTER = _converter()
