"""One request of a dialect: converse in the nursery of the request, encode what happens.

The status line goes out with the first event, so that an answer which fails before it began has its own status. Where
a dialect has pings, a stream begins with one when the model takes its time, and a failure is then an event of it.
"""

import math
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import suppress
from functools import partial
from itertools import chain

import trio
from attrs import define
from quart import Response, g

from cca.dialects.contract import Dialect, StreamEncoder
from cca.exchange import CHANNEL_SIZE
from cca.message import Message
from cca.model import Failed, Finished, Told
from cca.request import Bounding, attend
from cca.service import Service
from cca.web import sse
from cca.web.asked import ignored, read_request
from cca.web.body import as_json
from cca.web.ending import Ending
from cca.web.scope import request_noted, request_nursery
from cca.web.sessions import SESSION_HEADER

LAST_WORD = 0.5
"""Seconds for an answer to end when the server does, or its key: while the database is locked it may take longer."""

TOGETHER = 65_536
"""Bytes from which events wait for the next write: none is cut, and a slow reader has it in memory until it is done."""

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
    request_nursery().start_soon(attend, service, asked, sender, bound, request_noted().take)
    incoming = Incoming(events, bound, len(ask.conversations))
    if ask.stream:
        heartbeat = service.settings.heartbeat
        first = await incoming.within(math.inf if dialect.ping is None else heartbeat)
        if first is not None and isinstance(first.event, Failed):
            raise first.event.error
        silent = sse.KEEP_ALIVE if dialect.ping is None else sse.render([dialect.ping])
        body = _stream(first, incoming, dialect.stream(ask, asked.stamp), silent, heartbeat)
        response = Response(body, headers=STREAM_HEADERS)
    else:
        messages = await _messages(incoming, len(ask.conversations))
        response = as_json(dialect.whole(ask, asked.stamp, messages))
    response.headers.update(ignored(ask.ignored))
    if asked.session is not None:
        response.headers[SESSION_HEADER] = asked.session
    return response


@define
class Incoming:
    """The events of an answer as they come. ``unfinished`` are the choices without an end: none after the last event.

    When an end comes from outside, the answer itself says how it ended, or is too slow to.
    """

    _events: trio.MemoryReceiveChannel[Told]
    _bound: Bounding
    unfinished: int

    async def next(self) -> Told:
        told = await self.within(math.inf)
        assert told is not None, "there is no hurry"
        return told

    async def within(self, seconds: float) -> Told | None:
        """Return the next event, or nothing if it takes longer."""
        with self._bound(seconds) as end:
            return self._seen(await self._events.receive())
        if not end.cancelled_caught:
            return None
        with trio.move_on_after(LAST_WORD):
            return self._seen(await self._events.receive())
        return self._seen(Told(0, Failed(end.error)))

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


async def _messages(incoming: Incoming, choices: int) -> list[Message]:
    """Return the complete message of each choice. Raise the failure that came instead."""
    messages = [Message() for _ in range(choices)]
    while incoming.unfinished:
        first = await incoming.next()
        for told in (first, *incoming.waiting()):
            if isinstance(told.event, Failed):
                raise told.event.error
            messages[told.choice].take(told.event)
    return messages


async def _stream(
    first: Told | None, incoming: Incoming, encoder: StreamEncoder, silent: bytes, heartbeat: float
) -> AsyncIterator[bytes]:
    """Yield the frames of an answer, and what is said while it is ``silent`` for ``heartbeat`` seconds."""
    told = first
    while True:
        if told is None:
            yield silent
        else:
            yield _together(chain([told], incoming.waiting()), encoder)
            if not incoming.unfinished:
                return
        told = await incoming.within(heartbeat)


def _together(events: Iterable[Told], encoder: StreamEncoder) -> bytes:
    """Return the frames of as many events as share a write."""
    frames = bytearray()
    for told in events:
        frames += sse.render(encoder.encode(told))
        if len(frames) >= TOGETHER:
            break
    return bytes(frames)
