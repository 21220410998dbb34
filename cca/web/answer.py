"""One request of a dialect: decode, converse in the request's nursery, encode what happens.

The status line goes out with the first event, so that an answer which fails before it began has its own status.
"""

import re
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import suppress
from functools import partial

import trio
from quart import Response, g, request

from cca.dialects.contract import Ask, Dialect, StreamEncoder, WholeEncoder
from cca.exchange import CHANNEL_SIZE
from cca.model import Event, Failed, Finished
from cca.request import Bounding, Request, attend
from cca.service import Service
from cca.web import sse
from cca.web.access import check_media_type
from cca.web.body import as_json, has_body, read_body
from cca.web.ending import Ending
from cca.web.scope import request_nursery
from cca.web.sessions import SESSION_HEADER, named_session

IGNORED_LIMIT = 2000
"""Characters of ``x-cca-ignored``: a request may name more than a client takes in a header."""

NAME_LIMIT = 100
"""Characters of one name in it."""

LARGE_BODY = 1_000_000
"""Bytes from which a body is decoded in a thread: half a million messages take seconds, and others are waiting."""

LAST_WORD = 0.5
"""Seconds for an answer to end when the server does, or its key: while the database is locked it may take longer."""

STREAM_HEADERS = {
    "Content-Type": "text/event-stream; charset=utf-8",
    "Cache-Control": "no-cache",
    "X-Accel-Buffering": "no",
}

Events = trio.MemoryReceiveChannel[Event]


async def answer(service: Service, dialect: Dialect, ending: Ending) -> Response:
    """Return the response to the current request. Raise what ``web.refusal`` makes a response of."""
    if has_body():
        check_media_type(request.mimetype)
    session = named_session()
    bound = partial(ending.bound, g.principal.key_id)
    ask = await _ask(dialect, service, bound)
    sender, events = trio.open_memory_channel[Event](CHANNEL_SIZE)
    asked = Request(g.request_id, g.principal, dialect.name, ask, session)
    request_nursery().start_soon(attend, service, asked, sender, bound)
    first = await _receive(events, bound)
    if isinstance(first, Failed):
        raise first.error
    if ask.stream:
        encoder = dialect.stream(ask, service.stamp())
        body = _stream(first, events, encoder, service.settings.heartbeat, bound)
        response = Response(body, headers=STREAM_HEADERS)
    else:
        response = await _whole(first, events, dialect.whole(ask, service.stamp()), bound)
    response.headers.update(_ignored(ask))
    if session is not None:
        response.headers[SESSION_HEADER] = session
    return response


async def _ask(dialect: Dialect, service: Service, bound: Bounding) -> Ask:
    with bound() as end:
        body = await read_body()
        if len(body) < LARGE_BODY:
            ask = dialect.decode(body, service.catalogue)
        else:
            ask = await trio.to_thread.run_sync(dialect.decode, body, service.catalogue, abandon_on_cancel=True)
    if end.cancelled_caught:
        raise end.error
    return ask


async def _whole(first: Event, events: Events, encoder: WholeEncoder, bound: Bounding) -> Response:
    event = first
    encoder.take(event)
    while not isinstance(event, Finished):
        event = await _receive(events, bound)
        if isinstance(event, Failed):
            raise event.error
        encoder.take(event)
    return as_json(encoder.body())


async def _stream(
    first: Event, events: Events, encoder: StreamEncoder, heartbeat: float, bound: Bounding
) -> AsyncIterator[bytes]:
    event: Event | None = first
    while True:
        if event is None:
            yield sse.KEEP_ALIVE
        else:
            together = (event, *_waiting(events))
            yield b"".join(sse.render(encoder.encode(each)) for each in together)
            if isinstance(together[-1], Finished | Failed):
                return
        event = None
        with trio.move_on_after(heartbeat):
            event = await _receive(events, bound)


async def _receive(events: Events, bound: Bounding) -> Event:
    """Return the next event. When an end comes from outside, the answer itself says how it ended, or is too slow to."""
    event: Event | None = None
    with bound() as end:
        event = await events.receive()
    if end.cancelled_caught:
        with trio.move_on_after(LAST_WORD):
            event = await events.receive()
    return event or Failed(end.error)


def _waiting(events: Events) -> Iterator[Event]:
    """Yield the events that are there already: they share one write."""
    with suppress(trio.WouldBlock, trio.EndOfChannel):
        while True:
            yield events.receive_nowait()


def _ignored(ask: Ask) -> Mapping[str, str]:
    """Return the header that names what had no effect. A key of a client's own is shown only as plain ASCII."""
    names: dict[str, None] = {}
    room = IGNORED_LIMIT
    for ignored in ask.ignored:
        name = re.sub(r"[^\x20-\x7e]|,", "?", ignored[:NAME_LIMIT]).strip() or "?"
        if name in names:
            continue
        room -= len(name) + len(", ")
        if room < 0:
            names["..."] = None
            break
        names[name] = None
    return {"x-cca-ignored": ", ".join(names)} if names else {}
