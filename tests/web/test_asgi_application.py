"""The application under Hypercorn's own server, as ``hypercorn -k trio -w 0 'cca:create_app()'`` runs it."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import partial

import pytest
import trio
from claude_says import HELLO
from hypercorn.config import Config
from hypercorn.trio import serve
from hypercorn.utils import LifespanFailureError
from wire_harness import Client, FakeBackend, database_at_hand, post, raw, service_of, streamed

from cca import asgi
from cca.errors import Unavailable
from cca.service import Service
from cca.settings import Settings

SECONDS = 60.0


@asynccontextmanager
async def hypercorn(backend: FakeBackend, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[int]:
    """Serve until the block ends, and yield the port."""
    open_services: list[Service] = []

    @asynccontextmanager
    async def open_service(settings: Settings, environ: Mapping[str, str]) -> AsyncIterator[Service]:
        if backend.fault is not None:
            raise backend.fault
        async with database_at_hand(None) as database, service_of(backend, database, settings) as service:
            open_services.append(service)
            yield service
        open_services.clear()

    monkeypatch.setattr(asgi, "open_service", open_service)
    config = Config()
    config.bind = ["127.0.0.1:0"]
    config.errorlog = None
    stop = trio.Event()
    serving = partial(serve, asgi.create_app(Settings()), config, shutdown_trigger=stop.wait, mode="asgi")
    with trio.fail_after(SECONDS):
        async with trio.open_nursery() as nursery:
            (address,) = await nursery.start(serving)
            yield int(address.rpartition(":")[2])
            stop.set()
    assert open_services == []


async def test_it_answers_and_ends_with_its_service(monkeypatch: pytest.MonkeyPatch) -> None:
    async with (
        hypercorn(FakeBackend(HELLO), monkeypatch) as port,
        await trio.open_tcp_stream("127.0.0.1", port) as stream,
    ):
        reply = await Client(stream).ask(post(streamed()).replace(b":8000", b":%d" % port))
        assert (reply.status, reply.events[-1]) == (200, "[DONE]")
        stranger = await Client(stream).ask(raw("GET", "/health", "Host: evil.com"))
        assert stranger.status == 403


async def test_a_service_that_cannot_be_had_is_a_failed_start(monkeypatch: pytest.MonkeyPatch) -> None:
    failing = FakeBackend(fault=Unavailable("There is no Claude Code here."))
    with pytest.RaisesGroup(
        pytest.RaisesExc(LifespanFailureError, match="no Claude Code here"), flatten_subgroups=True
    ):
        async with hypercorn(failing, monkeypatch):
            await trio.sleep_forever()


async def test_settings_that_cannot_be_used_are_a_failed_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CCA_PORT", "abc")
    app = asgi.create_app()
    with pytest.RaisesGroup(
        pytest.RaisesExc(LifespanFailureError, match="CCA_PORT='abc' cannot be used"), flatten_subgroups=True
    ):
        await serve(app, Config(), shutdown_trigger=trio.sleep_forever, mode="asgi")


H2_CLIENT = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\x00\x00\x00\x04\x00\x00\x00\x00\x00"
# HEADERS that end both the headers and the stream, by HPACK's static table: GET, http, /, and an authority.
H2_GET = b"\x00\x00\x0e\x01\x05\x00\x00\x00\x01\x82\x86\x84\x01\x09127.0.0.1"


async def test_http_2_is_a_505_there(monkeypatch: pytest.MonkeyPatch) -> None:
    said = b""
    async with hypercorn(FakeBackend(), monkeypatch) as port, await trio.open_tcp_stream("127.0.0.1", port) as stream:
        await stream.send_all(H2_CLIENT + H2_GET)
        while b"http_version_not_supported" not in said:
            piece = await stream.receive_some()
            assert piece
            said += piece
