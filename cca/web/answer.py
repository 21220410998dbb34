"""One request of a dialect: decode, converse in the request's nursery, encode what happens.

The status line goes out with the first event, so that an answer which fails before it began has its own status. Where
a dialect has pings, a stream begins with one when the model takes its time, and a failure is then an event of it.
"""

import math
import re
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import suppress
from functools import partial

import trio
from attrs import define, evolve
from quart import Response, g, request

from cca.aside import aside
from cca.dialects.contract import Ask, Dialect, StreamEncoder, Terms
from cca.errors import BadRequest
from cca.exchange import CHANNEL_SIZE
from cca.message import Message
from cca.model import Failed, Finished, Told
from cca.request import Bounding, Request, attend
from cca.service import Service
from cca.web import sse
from cca.web.access import check_media_type
from cca.web.body import as_json, has_body, read_body
from cca.web.ending import Ending
from cca.web.references import resolved
from cca.web.scope import request_nursery
from cca.web.sessions import SESSION_HEADER, is_affinity, named_session
from cca.web.shapes import shape_of
from cca.wire import decode_json

IGNORED_LIMIT = 2000
"""Characters of ``x-cca-ignored``: a request may name more than a client takes in a header."""

NAME_LIMIT = 100
"""Characters of one name in it."""

LAST_WORD = 0.5
"""Seconds for an answer to end when the server does, or its key: while the database is locked it may take longer."""

STREAM_HEADERS = {
    "Content-Type": "text/event-stream; charset=utf-8",
    "Cache-Control": "no-cache",
    "X-Accel-Buffering": "no",
}


async def answer(service: Service, dialect: Dialect, ending: Ending) -> Response:
    """Return the response to the current request. Raise what ``web.refusal`` makes a response of."""
    bound = partial(ending.bound, g.principal.key_id)
    asked = await read_request(service, dialect, bound)
    ask = asked.ask
    sender, events = trio.open_memory_channel[Told](CHANNEL_SIZE)
    request_nursery().start_soon(attend, service, asked, sender, bound)
    arriving = Arriving(events, bound, len(ask.conversations))
    if ask.stream:
        heartbeat = service.settings.heartbeat
        first = await arriving.within(math.inf if dialect.ping is None else heartbeat)
        if first is not None and isinstance(first.event, Failed):
            raise first.event.error
        silent = sse.KEEP_ALIVE if dialect.ping is None else sse.render([dialect.ping])
        body = _stream(first, arriving, dialect.stream(ask, asked.stamp), silent, heartbeat)
        response = Response(body, headers=STREAM_HEADERS)
    else:
        messages = await _messages(arriving, len(ask.conversations))
        response = as_json(dialect.whole(ask, asked.stamp, messages))
    response.headers.update(ignored(ask.ignored))
    if asked.session is not None:
        response.headers[SESSION_HEADER] = asked.session
    return response


async def read_request(service: Service, dialect: Dialect, bound: Bounding) -> Request:
    """Return what the current request asks for. Raise what is wrong with it."""
    if has_body():
        check_media_type(request.mimetype, request.headers.getlist("Content-Encoding"))
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


@define
class Arriving:
    """The events of an answer as they come. ``unfinished`` are the choices without an end: none after the last event.

    When an end comes from outside, the answer itself says how it ended, or is too slow to.
    """

    _events: trio.MemoryReceiveChannel[Told]
    _bound: Bounding
    unfinished: int

    async def next(self) -> Told:
        told: Told | None = None
        with self._bound() as end:
            told = await self._events.receive()
        if end.cancelled_caught:
            with trio.move_on_after(LAST_WORD):
                told = await self._events.receive()
        return self._seen(told or Told(0, Failed(end.error)))

    async def within(self, seconds: float) -> Told | None:
        """Return the next event, or nothing if it takes longer."""
        with trio.move_on_after(seconds):
            return await self.next()
        return None

    def waiting(self) -> Iterator[Told]:
        """Yield the events that are there already: they share one write."""
        with suppress(trio.WouldBlock, trio.EndOfChannel):
            while True:
                yield self._seen(self._events.receive_nowait())

    def _seen(self, told: Told) -> Told:
        match told.event:
            case Finished():
                self.unfinished -= 1
            case Failed():
                self.unfinished = 0
            case _:
                pass
        return told


async def _ask(dialect: Dialect, service: Service, terms: Terms, bound: Bounding) -> tuple[Ask, int]:
    with bound() as end:
        body = await read_body()
        given = await aside(len(body), decode_json, body)
        given, referred = await resolved(service, dialect, given)
        ask = await aside(len(body) + referred, dialect.decode, given, terms)
    if end.cancelled_caught:
        raise end.error
    return ask, len(body) + referred


async def _messages(arriving: Arriving, choices: int) -> list[Message]:
    """Return the complete message of each choice. Raise the failure that came instead."""
    messages = [Message() for _ in range(choices)]
    while arriving.unfinished:
        told = await arriving.next()
        if isinstance(told.event, Failed):
            raise told.event.error
        messages[told.choice].take(told.event)
    return messages


async def _stream(
    first: Told | None, arriving: Arriving, encoder: StreamEncoder, silent: bytes, heartbeat: float
) -> AsyncIterator[bytes]:
    """Yield the frames of an answer, and what is said while it is ``silent`` for ``heartbeat`` seconds."""
    told = first
    while True:
        if told is None:
            yield silent
        else:
            together = (told, *arriving.waiting())
            yield b"".join(sse.render(encoder.encode(each)) for each in together)
            if not arriving.unfinished:
                return
        told = await arriving.within(heartbeat)


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
