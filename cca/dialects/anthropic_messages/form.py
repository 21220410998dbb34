"""The form that a request for a message wants its answer in."""

from collections.abc import Iterator, Mapping

from attrs import frozen

from cca.dialects.anthropic_messages.body import MessagesRequest
from cca.dialects.anthropic_messages.fields import unheard
from cca.dialects.schemas import checkable, object_schema
from cca.errors import BadRequest
from cca.model import Json
from cca.wire import Body, strict_converter, structure

FORM = "json_schema"


@frozen(kw_only=True)
class Form(Body):
    type: str
    schema: Json


_CONVERTER = strict_converter()


def output_schema(request: MessagesRequest) -> tuple[Mapping[str, Json] | None, tuple[str, ...]]:
    """Return the schema that the answer is to have, if any, and the names of what has no effect.

    Raise ``BadRequest`` for one that an answer cannot be held to.
    """
    wished = dict(_wished(request))
    if len(wished) > 1:
        text = "output_format is the older name of output_config.format, and both are there; send the newer alone."
        raise BadRequest(text, param="output_format", code="invalid_value")
    for path, form in wished.items():
        return _schema(form, path)
    return None, ()


def _wished(request: MessagesRequest) -> Iterator[tuple[str, Json]]:
    if request.output_config is not None and request.output_config.format is not None:
        yield "output_config.format", request.output_config.format
    if request.output_format is not None:
        yield "output_format", request.output_format


def _schema(given: Json, path: str) -> tuple[Mapping[str, Json], tuple[str, ...]]:
    form = structure(_CONVERTER, given, Form, path)
    if form.type != FORM:
        where = f"{path}.type"
        raise BadRequest(f'{where} is {form.type[:40]!r}, and must be "{FORM}".', param=where, code="invalid_value")
    where = f"{path}.schema"
    return checkable(object_schema(form.schema, where, stated=True), where), tuple(unheard(form, path))
