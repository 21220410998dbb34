"""Web pages in a real browser: what their scripts can see of cca, and whether they start anything.

The browser is Debian's ``chromium``, which finds the names of the pages at loopback addresses.
"""

import json
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from html import escape
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeAlias

import pytest
import trio
from attrs import define, field
from claude_says import HELLO
from quart import Response, request
from test_wire_keys import desk_of
from trio import SocketStream
from wire_harness import Server

from survival import Survival

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

pytestmark = [
    pytest.mark.soak,
    pytest.mark.skipif(BROWSER is None, reason="there is no chromium on the PATH"),
]

SCRIPT = Path(__file__).with_name("browser_page.js").read_text()

PAGE, REBOUND = "page.test", "rebound.test"
"""Where a page of somebody's is; and a name that points to this machine once its page has come from elsewhere."""

ELSEWHERE = "127.0.0.2"
"""Where the second points at first: another address, and the port that is cca's here."""

PATIENCE = 300.0
"""Seconds for a browser to start, and a page to try all, on a machine with other work."""

ANSWERED = ("Hello", "claude-sonnet", "chat.completion", "backend")
"""What is in answers of cca's, and in no refusal."""

REFUSALS = (400, 401, 403)

Tries: TypeAlias = dict[str, dict[str, Any]]


@define
class Site:
    """Serves the page that tries what it can against ``target``, and hears what it tells."""

    key: str
    target: str = ""
    tell: str = ""
    tries: Tries = field(factory=dict)
    told: trio.Event = field(factory=trio.Event)

    script: str = SCRIPT
    before: str = ""

    def file(self, path: str) -> tuple[str, bytes]:
        """Return the type and the content of what is at a path: of the page, wherever it is."""
        asked = escape(json.dumps([self.target, self.key]), quote=False)
        page = (
            f'<!doctype html><body><p id="asked">{asked}</p><p id="told">{self.tell}</p>{self.before}'
            f'<script type="module">{self.script}</script>'
        )
        return "text/html", page.encode()

    def answer(self, head: bytes) -> bytes:
        kind, content = self.file(head.split(b" ")[1].decode())
        said = f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {len(content)}\r\nConnection: close"
        return said.encode() + b"\r\n\r\n" + content

    async def serve(self, stream: SocketStream) -> None:
        """Answer one request, and close."""
        head, body = await _request(stream)
        if head.startswith(b"POST "):
            self.tries = json.loads(body)
            self.told.set()
        elif head:
            await stream.send_all(self.answer(head))

    async def serve_elsewhere(self, cca: int, stream: SocketStream) -> None:
        """Serve the page; and be the network once its name points here, which has the browser's bytes arrive at cca."""
        first = bytes(await stream.receive_some())
        if first.startswith(b"GET /page "):
            await stream.send_all(self.answer(first))
        elif first:
            async with await trio.open_tcp_stream("127.0.0.1", cca) as there, trio.open_nursery() as nursery:
                await there.send_all(first)
                nursery.start_soon(_copy, stream, there)
                nursery.start_soon(_copy, there, stream)


async def _copy(source: SocketStream, target: SocketStream) -> None:
    try:
        async for piece in source:
            await target.send_all(piece)
        await target.send_eof()
    except (trio.BrokenResourceError, trio.ClosedResourceError):
        # The browser left.
        await target.aclose()


async def _request(stream: SocketStream) -> tuple[bytes, bytes]:
    """Return the head and the body of a request; nothing of a connection that is left without one."""
    came = b""
    async for piece in stream:
        came += piece
        head, end, body = came.partition(b"\r\n\r\n")
        length = next((row for row in head.lower().split(b"\r\n") if row.startswith(b"content-length:")), b":0")
        if end and len(body) >= int(length.partition(b":")[2]):
            return head, body
    return b"", b""


@define
class Seen:
    """What came to cca, and what became of it."""

    statuses: list[tuple[str, str | None, int]] = field(factory=list)

    async def note(self, response: Response) -> Response:
        self.statuses.append((request.method, request.headers.get("Origin"), response.status_code))
        return response


@asynccontextmanager
async def listening(server: Server, site: Site) -> AsyncIterator[tuple[int, int, Seen]]:
    """Serve cca and the site on sockets; yield their ports, and what comes to cca."""
    seen = Seen()
    server.app.after_request(seen.note)
    async with trio.open_nursery() as nursery:
        start = partial(trio.serve_listeners, handler_nursery=nursery)
        (ours,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
        port = ours.socket.getsockname()[1]
        await nursery.start(start, server.connections.serve, [ours])
        (theirs,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
        await nursery.start(start, site.serve, [theirs])
        elsewhere = await trio.open_tcp_listeners(port, host=ELSEWHERE)
        await nursery.start(start, partial(site.serve_elsewhere, port), elsewhere)
        yield port, theirs.socket.getsockname()[1], seen
        nursery.cancel_scope.cancel()


async def browse(url: str, site: Site) -> Tries:
    """Let a browser show a page until it has told what it saw. Nothing of the browser is left."""
    # A short name: there are sockets in it. What the browser's last process still writes may go on being written.
    with TemporaryDirectory(ignore_cleanup_errors=True) as home, trio.fail_after(PATIENCE):
        command = [
            str(BROWSER), "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
            "--no-first-run", "--disable-background-networking", f"--user-data-dir={home}/profile",
            f"--host-resolver-rules=MAP {PAGE} 127.0.0.1, MAP {REBOUND} {ELSEWHERE}", url,
        ]  # fmt: skip
        own = {**os.environ, "HOME": home, "TMPDIR": home}
        async with trio.open_nursery() as nursery:
            nursery.start_soon(
                partial(trio.run_process, command, capture_stdout=True, capture_stderr=True, check=False, env=own)
            )
            await site.told.wait()
            nursery.cancel_scope.cancel()
    return site.tries


def allow(server: Server, origin: str) -> None:
    """Put an origin into the settings, whose port nobody knew before they were made."""
    object.__setattr__(server.service.settings, "allowed_origins", (origin,))


def read_of(tries: Tries) -> list[str]:
    """Return the tries in which a script saw anything of an answer of cca's."""
    return [name for name, seen in tries.items() if any(word in seen.get("text", "") for word in ANSWERED)]


@pytest.mark.parametrize("where", ["another origin", "a name that was rebound"])
@pytest.mark.parametrize("guarded", [False, True], ids=["without a key", "with a key"])
async def test_a_page_reads_nothing_and_starts_nothing(
    where: str, tmp_path: Path, survival: Survival, *, guarded: bool
) -> None:
    """S-04, S-05: whatever its script tries, with the right key too; and the browser did send it."""
    async with desk_of(tmp_path, *HELLO) as desk:
        site = Site(await desk.make("ann") if guarded else "any")
        async with listening(desk.server, site) as (cca, theirs, seen):
            site.tell = f"http://{PAGE}:{theirs}/told"
            if where == "another origin":
                site.target, url = f"http://127.0.0.1:{cca}", f"http://{PAGE}:{theirs}/page"
            else:
                site.target, url = f"http://{REBOUND}:{cca}", f"http://{REBOUND}:{cca}/page"
            tries = await browse(url, site)
        read, started = read_of(tries), desk.server.backend.opened
    refused = sum(status in REFUSALS for _, _, status in seen.statuses)
    came = len(seen.statuses)
    survival(
        "S-04, S-05",
        f"tries of a page of {where}, {'with' if guarded else 'without'} a key",
        tried=len(tries),
        lost=len(read) + started,
        figure=f"{came} requests came, {refused} were refused",
    )
    assert (read, started) == ([], 0)
    assert len(tries) >= 15
    assert came >= 10
    assert refused == came, seen.statuses


async def tries_where_it_may(server: Server, site: Site) -> Tries:
    """Return what came of the tries of a page whose origin is in the settings."""
    async with listening(server, site) as (cca, theirs, _):
        allow(server, f"http://{PAGE}:{theirs}")
        site.target, site.tell = f"http://127.0.0.1:{cca}", f"http://{PAGE}:{theirs}/told"
        return await browse(f"http://{PAGE}:{theirs}/page", site)


async def test_a_page_in_the_settings_reads_what_its_key_is_for(tmp_path: Path) -> None:
    """The same page is let in once its origin is listed: so the others are refused for what they are."""
    async with desk_of(tmp_path, *HELLO) as desk:
        site = Site(await desk.make("ann"))
        tries = await tries_where_it_may(desk.server, site)
        assert desk.server.backend.opened == 1
    assert read_of(tries) == ["health", "post, keyed"]
    answer = tries["post, keyed"]
    assert (answer["type"], answer["status"]) == ("cors", 200)
    assert answer["id"].startswith("req_")
    assert tries["get"]["status"] == 401
    assert tries["get, with cookies"]["type"] == "refused"
