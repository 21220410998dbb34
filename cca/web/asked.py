"""What the current request asks for: its body, decoded by its dialect, and the session that it names."""

import re
from collections.abc import Iterable, Mapping

from attrs import evolve
from quart import g, request

from cca.aside import aside
from cca.dialects.contract import Ask, Dialect, Terms
from cca.errors import BadRequest
from cca.request import Bounding, Request
from cca.service import Service
from cca.web.body import read_body
from cca.web.references import resolved
from cca.web.sessions import SESSION_HEADER, is_affinity, named_session
from cca.web.shapes import shape_of
from cca.wire import decode_json

IGNORED_LIMIT = 2000
"""Characters of ``x-cca-ignored``: a request may name more than a client takes in a header."""

NAME_LIMIT = 100
"""Characters of one name in it."""


async def read_request(service: Service, dialect: Dialect, bound: Bounding) -> Request:
    """Return what the current request asks for. Raise what is wrong with it."""
    named = named_session()
    version = shape_of(request.path, request.scope["headers"]).version
    terms = Terms(service.catalogue, service.settings.choices, version, continues=named is not None)
    ask, size = await _ask(dialect, service, terms, bound)
    if is_affinity():
        ask = evolve(ask, ignored=(*ask.ignored, SESSION_HEADER))
    stamp = evolve(service.stamp(), request_id=g.request_id)
    return Request(g.request_id, g.principal, dialect, ask, stamp, size, _session(named, ask))


def _session(named: str | None, ask: Ask) -> str | None:
    """Return the session that a request goes on from, if it names one. Raise ``BadRequest`` where it names two."""
    keeping = ask.keeping
    if named is not None and keeping.previous is not None:
        raise BadRequest(
            f"previous_response_id and {SESSION_HEADER} each say what the request goes on from; send one of them.",
            param="previous_response_id",
            code="mutually_exclusive_parameters",
        )
    if named is not None and keeping.session not in (None, named):
        raise BadRequest(
            f"conversation and {SESSION_HEADER} name two sessions; send one of them.",
            param="conversation",
            code="mutually_exclusive_parameters",
        )
    session = keeping.session or named
    if session is not None and len(ask.conversations) > 1:
        raise BadRequest(
            f"The request names a session, and asks for {len(ask.conversations)} choices: a session goes on from one. "
            f"Ask for one, or leave out {SESSION_HEADER}.",
            code="unsupported_value",
        )
    return session


async def _ask(dialect: Dialect, service: Service, terms: Terms, bound: Bounding) -> tuple[Ask, int]:
    with bound() as end:
        body = await read_body()
        given = await aside(len(body), decode_json, body)
        given, referred = await resolved(service, dialect, given)
        ask = await aside(len(body) + referred, dialect.decode, given, terms)
    if end.cancelled_caught:
        raise end.error
    return ask, len(body) + referred


def ignored(sent: Iterable[str]) -> Mapping[str, str]:
    """Return the header that names what had no effect. A key of a client's own is shown only as plain ASCII."""
    names: dict[str, None] = {}
    room = IGNORED_LIMIT
    for each in sent:
        name = re.sub(r"[^\x20-\x7e]|,", "?", each[:NAME_LIMIT]).strip() or "?"
        if name in names:
            continue
        room -= len(name) + len(", ")
        if room < 0:
            names["..."] = None
            break
        names[name] = None
    return {"x-cca-ignored": ", ".join(names)} if names else {}
