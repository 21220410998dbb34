"""The ways to ask: Claude Code itself, as cca would, and any server that speaks OpenAI's chat completions.

On raw sockets and pipes, because the client shares two cores with what it measures: while an answer comes it looks for
the first text and for the end, and reads the rest afterwards.
"""

import re
import subprocess
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import orjson
import trio
from attrs import define, field, frozen

from cca.catalogue import Catalogue
from cca.claude import frames
from cca.claude.launch import Directories, launch
from cca.claude.script import script
from cca.dialects.contract import Terms
from cca.dialects.openai_chat import OPENAI_CHAT
from cca.model import Json

MODEL = "claude-haiku-4-5"

TERMS = Terms(Catalogue((), ()), choices=1)
"""By which a request becomes what Claude Code is told: as cca reads it."""

STREAMED_TEXT = re.compile(rb'"text_delta"')
"""What stands in the line of Claude Code's that holds a piece of text."""

HTTP_TEXT = re.compile(rb'"content": ?"[^"]')
"""What stands in the chunk that holds the first piece of text; one before it may have an empty one."""

STREAM_END = b"data: [DONE]"

LONGEST_MARK = 64
"""Bytes: what is looked for may come in two pieces, and none of it is longer."""


class NotAnswered(Exception):
    """A server refused, or does not do what was asked of it; the message has what it said."""


@frozen
class Times:
    """Seconds from asking to the first text, and to the end."""

    first: float
    total: float


@define
class Watch:
    """Looks for the first text and the end in what arrives, each byte once."""

    text: re.Pattern[bytes]
    end: bytes
    started: float = field(factory=trio.current_time)
    first: float | None = field(default=None, init=False)
    total: float | None = field(default=None, init=False)
    pieces: list[bytes] = field(factory=list, init=False)
    _tail: bytes = field(default=b"", init=False)

    def see(self, piece: bytes) -> None:
        seen = self._tail + piece
        self._tail = seen[-LONGEST_MARK:]
        self.pieces.append(piece)
        if self.first is None and self.text.search(seen):
            self.first = trio.current_time() - self.started
        if self.total is None and self.end in seen:
            self.total = trio.current_time() - self.started

    @property
    def times(self) -> Times:
        """Return what was seen. An answer of nothing but calls has its first text at its end."""
        assert self.total is not None
        return Times(self.total if self.first is None else self.first, self.total)


@define
class Bare:
    """A running Claude Code. Whoever started it asks it, any number of times."""

    process: trio.Process
    _unread: bytes = field(default=b"", init=False)

    async def ask(self, written: bytes, started: float | None = None) -> Times:
        """Write all that there is to say in one go, and return once the message is over."""
        assert self.process.stdin is not None
        watch = Watch(STREAMED_TEXT, b'"message_delta"')
        if started is not None:
            watch.started = started
        await self.process.stdin.send_all(written)
        await self._read(watch)
        return watch.times

    async def settle(self) -> None:
        """Wait for the turn to be over, so that the next one can be asked."""
        await self._read(Watch(STREAMED_TEXT, b'"type":"result"'))

    async def _read(self, watch: Watch) -> None:
        assert self.process.stdout is not None
        watch.see(self._unread)
        while watch.total is None:
            piece = await self.process.stdout.receive_some(65_536)
            if not piece:
                raise NotAnswered(f"Claude Code ended: {b''.join(watch.pieces)[-300:]!r}")
            watch.see(bytes(piece))
        # What follows may have come with it.
        self._unread = b"".join(watch.pieces).rpartition(watch.end)[2]


@asynccontextmanager
async def running(program: str, environ: Mapping[str, str]) -> AsyncIterator[Bare]:
    """Own a Claude Code, started as cca starts it, and kill it at the end, as cca does."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as own:
        places = [Path(own, name) for name in ("work", "tmp", "config")]
        for place in places:
            place.mkdir()
        how = launch(program, environ, Directories(*map(str, places)), retries=0)
        process = await trio.lowlevel.open_process(
            how.argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=how.cwd, env=how.env
        )
        try:
            yield Bare(process)
        finally:
            process.kill()
            with trio.CancelScope(shield=True):  # it was killed, and takes some 20 ms to be gone
                await process.wait()


async def cold(program: str, environ: Mapping[str, str], body: Json) -> Times:
    """Ask a Claude Code that is started for it; its start counts."""
    started = trio.current_time()
    async with running(program, environ) as bare:
        return await bare.ask(told(body), started)


def told(body: Json) -> bytes:
    """Return what Claude Code is told for a request without a history, as cca would tell it."""
    [everything] = script(OPENAI_CHAT.decode({**body, "model": MODEL}, TERMS).conversations[0])
    return everything


def one_more(text: str) -> bytes:
    """Return a further turn."""
    return frames.user([{"type": "text", "text": text}], query=True)


@frozen
class Answered:
    times: Times
    message: Json
    """The assistant's, as the next request has it in its history."""


@frozen
class Server:
    """An OpenAI API: ``base`` is all of its address before ``/v1``."""

    base: str
    model: str = MODEL

    async def ask(self, body: Json) -> Answered:
        """Ask for a streamed chat completion, on a connection of its own. Raise ``NotAnswered``."""
        place = urlsplit(self.base)
        content = orjson.dumps({**body, "model": self.model, "stream": True})
        head = (
            f"POST {place.path.rstrip('/')}/v1/chat/completions HTTP/1.1\r\nHost: {place.netloc}\r\n"
            f"Content-Type: application/json\r\nAuthorization: Bearer any\r\nContent-Length: {len(content)}\r\n"
            "Connection: close\r\n\r\n"
        )
        watch = Watch(HTTP_TEXT, STREAM_END)
        async with await trio.open_tcp_stream(str(place.hostname), place.port or 80) as stream:
            await stream.send_all(head.encode() + content)
            while watch.total is None:
                piece = await stream.receive_some(65_536)
                if not piece:
                    raise NotAnswered(f"{self.base} ended its answer: {b''.join(watch.pieces)[-500:]!r}")
                watch.see(bytes(piece))
        return Answered(watch.times, message_of(b"".join(watch.pieces)))


def message_of(response: bytes) -> Json:
    """Return the message that a streamed response comes to."""
    head, _, body = response.partition(b"\r\n\r\n")
    if b"transfer-encoding: chunked" in head.lower():
        body = unchunked(body)
    text = ""
    calls: dict[int, Json] = {}
    for line in body.splitlines():
        if not line.startswith(b"data:") or line.startswith(STREAM_END):
            continue
        for choice in orjson.loads(line[5:]).get("choices") or ():
            delta = choice.get("delta") or {}
            text += delta.get("content") or ""
            _collect(calls, delta.get("tool_calls") or ())
    message = {"role": "assistant", "content": text or None}
    return {**message, "tool_calls": list(calls.values())} if calls else message


def _collect(calls: dict[int, Json], deltas: Sequence[Json]) -> None:
    for delta in deltas:
        call = calls.setdefault(
            delta["index"],
            {"id": delta.get("id"), "type": "function", "function": {"name": "", "arguments": ""}},
        )
        for name, piece in (delta.get("function") or {}).items():
            call["function"][name] += piece or ""


def unchunked(body: bytes) -> bytes:
    """Return the content of a chunked body, as far as it came. Source: RFC 9112, section 7.1."""
    content = b""
    while body:
        size, _, rest = body.partition(b"\r\n")
        length = int(size.partition(b";")[0] or b"0", 16)
        content += rest[:length]
        body = rest[length + 2 :] if length else b""
    return content
