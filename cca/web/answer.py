"""One request of a dialect: decode, converse in the request's nursery, encode what happens.

The status line goes out with the first event, so that an answer which fails before it began has its own status.
"""

import re
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import suppress

import orjson
import trio
from quart import Response, request

from cca.dialects.contract import Ask, Dialect, StreamEncoder, WholeEncoder
from cca.exchange import CHANNEL_SIZE, converse
from cca.model import Event, Failed, Finished
from cca.service import Service
from cca.web import sse
from cca.web.access import check_media_type
from cca.web.scope import request_nursery

IGNORED_LIMIT = 2000
"""Characters of ``x-cca-ignored``: a request may name more than a client takes in a header."""

STREAM_HEADERS = {
    "Content-Type": "text/event-stream; charset=utf-8",
    "Cache-Control": "no-cache",
    "X-Accel-Buffering": "no",
}

Events = trio.MemoryReceiveChannel[Event]


async def answer(service: Service, dialect: Dialect) -> Response:
    """Return the response to the current request. Raise what ``web.refusal`` makes a response of."""
    check_media_type(request.mimetype)
    ask = dialect.decode(await _body(), service.catalogue)
    sender, events = trio.open_memory_channel[Event](CHANNEL_SIZE)
    request_nursery().start_soon(converse, service.backend, ask.conversation, service.deadlines, service.now, sender)
    first = await events.receive()
    if isinstance(first, Failed):
        raise first.error
    if ask.stream:
        encoder = dialect.stream(ask, service.stamp())
        body = _stream(first, events, encoder, service.settings.heartbeat)
        response = Response(body, headers=STREAM_HEADERS)
    else:
        response = await _whole(first, events, dialect.whole(ask, service.stamp()))
    response.headers.update(_ignored(ask))
    return response


async def _body() -> bytes:
    body = await request.get_data(cache=False)
    assert isinstance(body, bytes)
    return body


async def _whole(first: Event, events: Events, encoder: WholeEncoder) -> Response:
    event = first
    encoder.take(event)
    while not isinstance(event, Finished):
        event = await events.receive()
        encoder.take(event)
    return Response(orjson.dumps(encoder.body()), content_type="application/json")


async def _stream(first: Event, events: Events, encoder: StreamEncoder, heartbeat: float) -> AsyncIterator[bytes]:
    yield sse.render(encoder.encode(first))
    while True:
        try:
            with trio.move_on_after(heartbeat) as silence:
                event = await events.receive()
        except trio.EndOfChannel:
            return
        if silence.cancelled_caught:
            yield sse.KEEP_ALIVE
        else:
            yield b"".join(sse.render(encoder.encode(each)) for each in (event, *_waiting(events)))


def _waiting(events: Events) -> Iterator[Event]:
    """Yield the events that are there already: they share one write."""
    with suppress(trio.WouldBlock, trio.EndOfChannel):
        while True:
            yield events.receive_nowait()


def _ignored(ask: Ask) -> Mapping[str, str]:
    """Return the header that names what had no effect. A key of a client's own is shown only as plain ASCII."""
    if not ask.ignored:
        return {}
    names = dict.fromkeys(re.sub(r"[^\x20-\x7e]|,", "?", name)[:100] for name in ask.ignored)
    return {"x-cca-ignored": ", ".join(names)[:IGNORED_LIMIT]}
