"""The description of all routes, put together."""

import re
from collections.abc import Iterable, Mapping
from functools import cache

from cca.model import Json
from cca.version import VERSION
from cca.web.openapi.answers import SCHEMAS
from cca.web.openapi.operations import OPERATIONS, Operation, Taken
from cca.web.openapi.reading import AT, Shelf
from cca.web.openapi.refusals import (
    ANYBODY,
    SAYS,
    SHAPES,
    WITH_A_BODY,
    WITH_A_KEY,
    statuses,
)
from cca.web.shapes import MODELS, shape_of

ABOUT = """OpenAI's and Anthropic's HTTP APIs in front of Claude Code.

A field that these schemas do not name is ignored, and named in the header `x-cca-ignored`, unless it would change the
meaning of an answer: then it is a 400. An integer has no point in it: `1.0` is none. Where a key has limits, answers of
models say in both vendors' headers where it stands, `x-ratelimit-...` and `anthropic-ratelimit-...`. Each `GET` has a
`HEAD`, too. What is no HTTP/1.1 as cca reads it is a 400 on any path, and too long a head a 431."""

PUBLIC = ("GET /", "GET /health")

HEADERS: Mapping[str, Json] = {
    "request-id": {"description": "The request's id, as Anthropic names it.", "required": True},
    "x-request-id": {"description": "The same, as OpenAI names it.", "required": True},
    "retry-after": {"description": "Seconds after which to ask again."},
    "x-should-retry": {"description": "`false` where no retry helps."},
    "x-cca-ignored": {"description": "What was sent and has no effect, with commas between."},
    "x-session-id": {"description": "The session that the answer is in."},
}

ALWAYS = ("request-id", "x-request-id")

SECURITY: Mapping[str, Json] = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "An API key. While there is none, anything is fine."},
    "x-api-key": {"type": "apiKey", "in": "header", "name": "x-api-key", "description": "The same key."},
}


@cache
def description() -> Json:
    """Return the description. It says nothing of the machine, its keys or its settings."""
    shelf = Shelf({**SCHEMAS, **SHAPES})
    paths: dict[str, dict[str, Json]] = {}
    for endpoint, operation in OPERATIONS.items():
        method, route = endpoint.split()
        path = re.sub(r"<(?:path:)?(\w+)>", r"{\1}", route)
        paths.setdefault(path, {})[method.lower()] = _described(endpoint, path, operation, shelf)
    return {
        "openapi": "3.1.0",
        "info": {"title": "cca", "version": VERSION, "description": ABOUT},
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "schemas": shelf.schemas,
            "responses": shelf.responses,
            "headers": {name: {**header, "schema": {"type": "string"}} for name, header in HEADERS.items()},
            "securitySchemes": SECURITY,
        },
    }


def _described(endpoint: str, path: str, operation: Operation, shelf: Shelf) -> Json:
    method, _ = endpoint.split()
    guide = "" if operation.guide is None else f" The format is the vendor's: {operation.guide}"
    described: dict[str, Json] = {
        "operationId": "-".join((method.lower(), *re.findall(r"[a-z_]+", path))),
        "summary": operation.says,
        "description": operation.says + guide,
        "parameters": [*map(_in_path, re.findall(r"{(\w+)}", path)), *operation.parameters],
        "security": [] if endpoint in PUBLIC else [{name: []} for name in SECURITY],
        "responses": {**_answer(operation), **_refusals(endpoint, path, operation, shelf)},
    }
    if operation.taken is not None:
        described["requestBody"] = _body(operation.taken, shelf)
    return described


def _in_path(name: str) -> Json:
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}


def _body(taken: Taken, shelf: Shelf) -> Json:
    schema = shelf.body(taken.fields, without=taken.without, closed=not taken.required or taken.also is not None)
    if taken.needs:
        schema = {**schema, "properties": taken.needs, "required": [*taken.needs]}
    if taken.also is not None:
        schema = {"allOf": [schema, shelf.body(taken.also)]}
    return {"required": taken.required, "content": {"application/json": {"schema": schema}}}


def _answer(operation: Operation) -> Mapping[str, Json]:
    if operation.answer is None:
        return {}
    content: dict[str, Json] = {"application/json": {"schema": {"$ref": AT + operation.answer}}}
    says = operation.says
    if operation.streams:
        # Events have schemas from OpenAPI 3.2 on.
        content["text/event-stream"] = {}
        says += " A stream is of server-sent events, in the vendor's format."
    told = [*ALWAYS, *(("x-cca-ignored", "x-session-id") if operation.taken is not None else ())]
    return {"200": {"description": says, "headers": _headers(told), "content": content}}


def _refusals(endpoint: str, path: str, operation: Operation, shelf: Shelf) -> Mapping[str, Json]:
    kinds = {*ANYBODY, *operation.errors}
    if endpoint not in PUBLIC:
        kinds |= {*WITH_A_KEY}
    if endpoint.startswith(("POST ", "PATCH ")):
        kinds |= {*WITH_A_BODY}
    error, *vendors = _shape(path)
    found = sorted({status for vendor in vendors for status in statuses(kinds, anthropics=vendor)})
    shelf.responses |= {f"{error}{status}": _refusal(error, status) for status in found}
    return {str(status): {"$ref": f"#/components/responses/{error}{status}"} for status in found}


def _shape(path: str) -> tuple[str, *tuple[bool, ...]]:
    """Return what an error on a path is called, and whether it is of Anthropic's API; where it may be either, both."""
    if path.startswith(MODELS):
        return "AnyError", False, True
    of_anthropics = shape_of(path, ()).anthropics
    return ("AnthropicError" if of_anthropics else "OpenAIError"), of_anthropics


def _refusal(error: str, status: int) -> Json:
    return {
        "description": SAYS[status],
        "headers": _headers((*ALWAYS, "retry-after", "x-should-retry")),
        "content": {"application/json": {"schema": {"$ref": AT + error}}},
    }


def _headers(names: Iterable[str]) -> Json:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}
