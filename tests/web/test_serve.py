"""The server on real sockets and with real signals: what it binds, how it starts, and that it ends in bounded time."""

import errno
import os
import re
import signal
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import trio
from attrs import define, field
from claude_says import HELLO, start, text
from wire_harness import CHAT, JSON, Client, FakeBackend, Reply, database_at_hand, post, raw, service_of, streamed, user

from cca.aside import LARGE
from cca.exchange import CHANNEL_SIZE
from cca.model import Text, UserTurn
from cca.settings import Settings, SettingsError
from cca.web import serve
from cca.web.app import service_app
from cca.web.serve import listen, run_server

SECONDS = 20.0
SOON = 5.0
"""Seconds that stand for at once, on a machine with other work to do."""


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as sock:
            sock.bind(("::1", 0))
    except OSError:
        return False
    return True


needs_ipv6 = pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "", "192.168.1.1", "127.0.0.2", "example.com", "localhost.", "*"])
def test_without_a_key_another_host_than_loopback_is_refused_by_name(host: str) -> None:
    with pytest.raises(SettingsError, match=r"cca does not listen on .* while it has no API key: .*cca keys create"):
        listen(host, 0, guarded=False)


@pytest.mark.parametrize(
    ("host", "addresses"),
    [
        pytest.param("0.0.0.0", ["0.0.0.0"], id="every v4"),
        pytest.param("::", ["::"], id="every address", marks=needs_ipv6),
        pytest.param("127.0.0.2", ["127.0.0.2"], id="another"),
        pytest.param("LocalHost", ["127.0.0.1", "::1"], id="both loopbacks", marks=needs_ipv6),
    ],
)
def test_with_a_key_any_address_of_this_machine_will_do(host: str, addresses: list[str]) -> None:
    sockets = listen(host, 0, guarded=True)
    names = [sock.getsockname() for sock in sockets]
    for sock in sockets:
        sock.close()
    assert [name[0] for name in names] == addresses


@needs_ipv6
def test_every_address_is_ipv4_too_whatever_the_system_says() -> None:
    (sock,) = listen("::", 0, guarded=True)
    with sock, socket.create_connection(("127.0.0.1", sock.getsockname()[1]), timeout=SECONDS):
        pass


@pytest.mark.parametrize("host", ["", "*", "example.com", "localhost.", "127.1", "0", "192.168.1.0/24"])
def test_with_a_key_a_host_that_is_no_address_is_told(host: str) -> None:
    with pytest.raises(SettingsError, match=f"^cca cannot listen on {re.escape(host)}: it is no IP address"):
        listen(host, 0, guarded=True)


def test_an_address_of_another_machine_is_told() -> None:
    with pytest.raises(SettingsError, match=r"^cca cannot listen on 192\.0\.2\.1, port 0: "):
        listen("192.0.2.1", 0, guarded=True)


@pytest.mark.parametrize(
    ("host", "place"),
    [
        ("0.0.0.0", "port 8000 of every IPv4 address of this machine"),
        ("::", "port 8000 of every address of this machine"),
        ("[::]", "port 8000 of every address of this machine"),
        ("192.168.1.2", "http://192.168.1.2:8000"),
        ("fe80::1", "http://[fe80::1]:8000"),
    ],
)
def test_it_says_what_it_listens_on(host: str, place: str) -> None:
    assert serve._place(host, 8000) == place


@pytest.mark.parametrize(
    ("host", "addresses"),
    [
        pytest.param("127.0.0.1", ["127.0.0.1"], id="v4"),
        pytest.param("::1", ["::1"], id="v6", marks=needs_ipv6),
        pytest.param("[::1]", ["::1"], id="v6 in brackets", marks=needs_ipv6),
        pytest.param("LocalHost", ["127.0.0.1", "::1"], id="both", marks=needs_ipv6),
    ],
)
def test_port_0_is_one_free_port_on_all_addresses(host: str, addresses: list[str]) -> None:
    sockets = listen(host, 0, guarded=False)
    names = [sock.getsockname() for sock in sockets]
    for sock in sockets:
        sock.close()
    assert [name[0] for name in names] == addresses
    assert len({name[1] for name in names}) == 1
    assert names[0][1] > 0


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_port_in_use_is_told(host: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(SettingsError, match=f"^Port {port} on {host} is in use. Use another --port, or 0"):
            listen(host, port, guarded=False)


@needs_ipv6
def test_a_port_in_use_on_one_loopback_leaves_the_other_alone() -> None:
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(SettingsError, match="is in use"):
            listen("localhost", port, guarded=False)
    for sock in listen("127.0.0.1", port, guarded=False):
        sock.close()


@pytest.mark.parametrize("port", [-1, 65_536, 10**9])
def test_a_port_that_is_none_is_told(port: int) -> None:
    with pytest.raises(SettingsError, match=f"There is no port {port}"):
        listen("127.0.0.1", port, guarded=False)


Bind = Callable[[str, int], socket.socket]


def failing_on_ipv6(bind: Bind, *codes: int) -> Bind:
    """Return a ``bind`` that fails on ``::1`` with each of ``codes`` in turn."""
    left = list(codes)

    def failing(address: str, port: int) -> socket.socket:
        if address == "::1" and left:
            raise OSError(left.pop(0), "as the test says")
        return bind(address if address != "::1" else "127.0.0.1", port if address != "::1" else 0)

    return failing


def test_a_port_that_is_free_on_one_loopback_only_is_not_the_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serve, "_bind", failing_on_ipv6(serve._bind, errno.EADDRINUSE, errno.EADDRINUSE))
    sockets = listen("localhost", 0, guarded=False)
    for sock in sockets:
        sock.close()
    assert len(sockets) == 2


def test_a_port_that_is_never_free_on_both_is_told_after_some_tries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serve, "_bind", failing_on_ipv6(serve._bind, *[errno.EADDRINUSE] * 100))
    with pytest.raises(SettingsError, match="Port 0 on localhost is in use"):
        listen("localhost", 0, guarded=False)


@pytest.mark.parametrize("code", [errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT])
def test_localhost_without_ipv6_is_the_other_loopback(code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serve, "_bind", failing_on_ipv6(serve._bind, code))
    (sock,) = listen("localhost", 0, guarded=False)
    sock.close()


def test_a_host_that_cannot_be_had_is_told_with_its_cause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serve, "_bind", failing_on_ipv6(serve._bind, errno.EADDRNOTAVAIL))
    with pytest.raises(SettingsError, match=r"^cca cannot listen on ::1, port 0: as the test says"):
        listen("::1", 0, guarded=False)


@define
class Running:
    address: str
    backend: FakeBackend
    sockets: AsyncExitStack
    ended: trio.Event = field(factory=trio.Event)

    @property
    def port(self) -> int:
        return int(self.address.rpartition(":")[2])

    @property
    def host(self) -> str:
        return f"Host: 127.0.0.1:{self.port}"

    async def connect(self, host: str = "127.0.0.1") -> Client:
        stream = await trio.open_tcp_stream(host, self.port)
        return Client(await self.sockets.enter_async_context(stream))

    def ask(self, body: bytes = b"") -> bytes:
        return (body or post(streamed())).replace(b"127.0.0.1:8000", b"127.0.0.1:%d" % self.port)


@asynccontextmanager
async def running(
    backend: FakeBackend,
    *,
    host: str = "127.0.0.1",
    grace: float = 60.0,
    seconds: float = SECONDS,
    **others: Any,
) -> AsyncIterator[Running]:
    """Run the server while the block lasts; whoever does not stop it within ``seconds`` fails."""
    settings = Settings(host=host, port=0, grace=grace, **others)
    announced = trio.Event()
    addresses: list[str] = []

    def announce(address: str) -> None:
        addresses.append(address)
        announced.set()

    async def run() -> None:
        async with database_at_hand(None) as database, service_of(backend, database, settings) as service:
            await run_server(service_app(service), settings, announce)
        server.ended.set()

    with trio.fail_after(seconds):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(run)
            await announced.wait()
            async with AsyncExitStack() as sockets:
                server = Running(addresses[0], backend, sockets)
                yield server
                nursery.cancel_scope.cancel()
    assert backend.left == backend.opened


async def seconds_to_end(server: Running, *signals: signal.Signals) -> float:
    began = time.monotonic()
    for number in signals:
        os.kill(os.getpid(), number)
        await trio.sleep(0.01)
    await server.ended.wait()
    return time.monotonic() - began


@pytest.mark.parametrize(
    ("host", "address"),
    [
        pytest.param("127.0.0.1", "http://127.0.0.1:", id="v4"),
        pytest.param("localhost", "http://localhost:", id="name"),
        pytest.param("::1", "http://[::1]:", id="v6", marks=needs_ipv6),
        pytest.param("[::1]", "http://[::1]:", id="v6 in brackets", marks=needs_ipv6),
    ],
)
async def test_the_announced_address_answers(host: str, address: str) -> None:
    async with running(FakeBackend(HELLO), host=host) as server:
        assert server.address.startswith(address)
        where = server.address.removeprefix("http://")
        client = await server.connect(host.strip("[]"))
        await client.send(raw("GET", "/health", f"Host: {where}", "Connection: close"))
        assert (await client.reply()).status == 200


@needs_ipv6
async def test_localhost_answers_on_both_loopbacks() -> None:
    async with running(FakeBackend(), host="localhost") as server:
        for host, name in (("127.0.0.1", "127.0.0.1"), ("::1", "[::1]")):
            client = await server.connect(host)
            reply = await client.ask(raw("GET", "/health", f"Host: {name}:{server.port}"))
            assert reply.status == 200


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_ends_an_idle_server_at_once(number: signal.Signals) -> None:
    async with running(FakeBackend(HELLO)) as server:
        idle, used = await server.connect(), await server.connect()
        assert (await used.ask(server.ask())).status == 200
        assert await seconds_to_end(server, number) < SOON
        assert await idle.rest() + await used.rest() == b""


async def test_a_stream_ends_in_an_error_when_the_grace_time_is_over() -> None:
    async with running(FakeBackend((start(), text("a"))), grace=0.2) as server:
        client = await server.connect()
        await client.send(server.ask())
        await client.head()
        assert 0.2 <= await seconds_to_end(server, signal.SIGTERM) < SOON
        said = await client.rest()
    assert b"cca was stopped before this answer was complete" in said
    assert said.endswith(b"\r\n0\r\n\r\n")


async def test_a_second_signal_ends_it_at_once() -> None:
    async with running(FakeBackend((start(), text("a")))) as server:
        client = await server.connect()
        await client.send(server.ask())
        await client.head()
        assert await seconds_to_end(server, signal.SIGTERM, signal.SIGTERM) < SOON


FLOOD = (start(), *[text("x" * 4000)] * 3 * CHANNEL_SIZE)
"""More than the sockets, one write and the channel together take up."""


async def stall(server: Running) -> None:
    """Connect a client that reads nothing of a long answer."""
    client = await server.connect()
    await client.send(server.ask())
    while not server.backend.processes:  # noqa: ASYNC110 - the fake has no event for it
        await trio.sleep(0.01)
    (process,) = server.backend.processes
    left = -1
    while len(process.said) != left:
        left = len(process.said)
        await trio.sleep(0.1)
    assert left > 0


@pytest.mark.parametrize(
    ("signals", "grace"),
    [
        pytest.param([signal.SIGTERM], 0.1, id="past the grace time"),
        pytest.param([signal.SIGTERM, signal.SIGTERM], 60.0, id="at once"),
    ],
)
async def test_a_stalled_reader_does_not_hold_the_end(signals: list[signal.Signals], grace: float) -> None:
    async with running(FakeBackend(FLOOD), grace=grace) as server:
        await stall(server)
        assert await seconds_to_end(server, *signals) < SOON


async def test_cancelling_ends_it_with_a_stalled_reader_too() -> None:
    async with running(FakeBackend(FLOOD)) as server:
        await stall(server)


async def test_no_connection_is_taken_in_the_grace_time() -> None:
    async with running(FakeBackend((start(), text("a"))), grace=0.5) as server:
        client = await server.connect()
        await client.send(server.ask())
        await client.head()
        os.kill(os.getpid(), signal.SIGTERM)
        await trio.sleep(0.1)
        with pytest.raises(OSError, match="all attempts to connect"):
            await server.connect()
        await server.ended.wait()


LENGTHS_OF_100_MB = ["Content-Length: 100000000", "Transfer-Encoding: chunked"]


async def reply_to_100_mb(server: Running, length: str) -> Reply:
    """Send 100 MB, of that ``length``, and return what comes before they are all there."""
    piece = b"186A0\r\n%s\r\n" % (b" " * 100_000)
    client = await server.connect()

    async def send() -> None:
        with suppress(trio.BrokenResourceError):
            await client.send(raw("POST", CHAT, server.host, JSON, length))
            for _ in range(1000):
                await client.send(piece)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(send)
        return await client.reply()


@pytest.mark.parametrize("length", LENGTHS_OF_100_MB)
async def test_a_client_that_sends_100_mb_still_learns_that_it_is_too_much(length: str) -> None:
    async with running(FakeBackend(HELLO)) as server:
        reply = await reply_to_100_mb(server, length)
        assert reply.status == 413
        assert (await (await server.connect()).ask(server.ask())).status == 200


async def test_a_large_body_is_decoded_as_a_small_one_is() -> None:
    prompt = "x" * 2 * LARGE
    async with running(FakeBackend(HELLO)) as server:
        client = await server.connect()
        reply = await client.ask(server.ask(post(streamed(user(prompt)))))
        refused = await client.ask(server.ask(post(streamed(user(5), x=prompt))))
    assert (reply.status, refused.status) == (200, 400)
    assert server.backend.conversations[0].turns == (UserTurn((Text(prompt),)),)
    assert refused.error["param"] == "messages[0].content"


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the system's own times count")
def test_a_machine_that_is_gone_is_asked_whether_it_is_there() -> None:
    """It says nothing any more, and of a stream little would wait for it: nobody else would notice."""
    with serve._bind("127.0.0.1", 0) as listener, socket.create_connection(listener.getsockname()):
        connection, _ = listener.accept()
        with connection:
            assert connection.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
            assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 60
            assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 300_000


HANGING = """
    import sys
    import trio
    from contextlib import asynccontextmanager
    from pathlib import Path
    from cca.model import ModelEntry
    from cca.service import Service
    from cca.settings import Settings
    from cca.store.database import open_database
    from cca.web import serve
    from cca.web.app import service_app

    class Backend:
        name, cli_version, models = "hanging", "1", (ModelEntry("sonnet", "claude-sonnet", "Sonnet"),)

        @asynccontextmanager
        async def open(self, conversation):
            print("asked", flush=True)
            with trio.CancelScope(shield=True):
                await trio.sleep_forever()
            yield

    async def main():
        settings = Settings(port=0, grace={grace})
        async with open_database(Path(sys.argv[1])) as database:
            app = service_app(Service(settings, Backend(), database))
            await serve.run_server(app, settings, lambda address: print(address, flush=True))

    serve.LAST_RESORT = 0.5
    trio.run(main)
"""


@pytest.mark.parametrize(
    ("signals", "grace"),
    [pytest.param(1, 0.0, id="after the grace time"), pytest.param(2, 60.0, id="after two signals")],
)
def test_what_hangs_for_ever_is_ended_hard(signals: int, grace: float, tmp_path: Path) -> None:
    script = tmp_path / "hanging.py"
    script.write_text(textwrap.dedent(HANGING.replace("{grace}", str(grace))))
    with subprocess.Popen([sys.executable, script, tmp_path / "cca.db"], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            port = int(process.stdout.readline().rpartition(":")[2])
            with socket.create_connection(("127.0.0.1", port)) as client:
                client.sendall(post(streamed()).replace(b"127.0.0.1:8000", b"127.0.0.1:%d" % port))
                assert process.stdout.readline() == "asked\n"
                began = time.monotonic()
                for _ in range(signals):
                    process.terminate()
                    time.sleep(0.1)
                assert process.wait(SECONDS) == 1
                assert time.monotonic() - began < SOON + 5
        finally:
            process.kill()
