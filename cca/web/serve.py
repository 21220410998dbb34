"""The server around the application: its sockets, Hypercorn, signals, an end in bounded time."""

import errno
import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from ipaddress import ip_address

import trio

from cca.settings import Settings, SettingsError
from cca.web.app import CcaApp
from cca.web.connections import FAREWELL, Connections

log = logging.getLogger(__name__)

LOOPBACKS = {"localhost": ("127.0.0.1", "::1"), "127.0.0.1": ("127.0.0.1",), "::1": ("::1",)}

EVERY_ADDRESS = {"0.0.0.0": "every IPv4 address of this machine", "::": "every address of this machine"}

MOST_PORT = 65_535
BACKLOG = 1024
VANISHED = 300
"""Seconds without a sign of life. One that reads a kilobyte a second gives one every two minutes."""

LAST_RESORT = 3.0
"""Seconds for what is left to end after the grace time."""

AT_ONCE = 0.8
"""Seconds for it after a second signal."""

PORT_TRIES = 10
"""How often a port that the system picked for one loopback may be taken on the other."""


def listen(host: str, port: int, *, guarded: bool) -> list[socket.socket]:
    """Return sockets that listen on ``host``; port 0 picks one that is free on all its addresses.

    Raise ``SettingsError`` for a port that cannot be had, and for a host that is not loopback, unless cca is
    ``guarded``: unless it asks everybody for a key.
    """
    addresses = _addresses(host, guarded=guarded)
    if not 0 <= port <= MOST_PORT:
        raise SettingsError(f"There is no port {port}; --port is from 0 to {MOST_PORT}.")
    for _ in range(PORT_TRIES):
        try:
            return _listen(addresses, port)
        except OSError as error:
            failure = error
            if port != 0 or error.errno != errno.EADDRINUSE:
                break
    if failure.errno == errno.EADDRINUSE:
        raise SettingsError(f"Port {port} on {host} is in use. Use another --port, or 0 for a free one.") from failure
    raise SettingsError(f"cca cannot listen on {host}, port {port}: {failure.strerror}.") from failure


def _addresses(host: str, *, guarded: bool) -> Sequence[str]:
    plain = host.strip("[]").lower()
    if plain in LOOPBACKS:
        return LOOPBACKS[plain]
    if not guarded:
        raise SettingsError(
            f"cca does not listen on {host} while it has no API key: whoever reaches it uses your Claude account. "
            "Create a key with `cca keys create`, or use 127.0.0.1, ::1 or localhost."
        )
    try:
        return (str(ip_address(plain)),)
    except ValueError as error:
        raise SettingsError(
            f"cca cannot listen on {host}: it is no IP address. "
            "Use one of this machine's, 0.0.0.0 or :: for all of them, or localhost."
        ) from error


def _listen(addresses: Sequence[str], port: int) -> list[socket.socket]:
    sockets: list[socket.socket] = []
    try:
        for address in addresses:
            try:
                sockets.append(_bind(address, sockets[0].getsockname()[1] if sockets else port))
            except OSError as error:
                # A machine may be without IPv6, and localhost is still one of its names.
                if not sockets or error.errno not in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
                    raise
    except OSError:
        for sock in sockets:
            sock.close()
        raise
    return sockets


async def run_server(app: CcaApp, settings: Settings, announce: Callable[[str], None]) -> None:
    """Serve until SIGINT or SIGTERM, then end within the grace time; a second signal ends at once.

    ``announce`` is told where it listens once connections are accepted. Cancelling ends all answers and their
    processes. Raise ``SettingsError`` as ``listen`` does.
    """
    keyring = app.service.keyring
    sockets = listen(settings.host, settings.port, guarded=keyring.exists)
    port = sockets[0].getsockname()[1]
    listeners = [trio.SocketListener(trio.socket.from_stdlib_socket(sock)) for sock in sockets]
    stop = trio.Event()
    with ExitStack() as patience:
        async with trio.open_nursery() as nursery:
            await nursery.start(_obey_signals, stop, settings.grace, nursery.cancel_scope, patience)
            nursery.start_soon(keyring.watch, app.ending.come_to)
            await _serve(
                Connections(app), listeners, stop, settings.grace, lambda: announce(_place(settings.host, port))
            )
            nursery.cancel_scope.cancel()


async def _serve(
    connections: Connections,
    listeners: list[trio.SocketListener],
    stop: trio.Event,
    grace: float,
    started: Callable[[], None],
) -> None:
    async with trio.open_nursery() as serving:
        try:
            async with trio.open_nursery() as accepting:
                accept = partial(trio.serve_listeners, connections.serve, listeners, handler_nursery=serving)
                await accepting.start(accept)
                started()
                await stop.wait()
                accepting.cancel_scope.cancel()
            await connections.end(grace)
        finally:
            connections.cut()
            serving.cancel_scope.cancel()


def _place(host: str, port: int) -> str:
    """Return where cca listens: a URL, where there is one that everybody may use."""
    plain = host.strip("[]")
    if plain in EVERY_ADDRESS:
        return f"port {port} of {EVERY_ADDRESS[plain]}"
    return f"http://[{plain}]:{port}" if ":" in plain else f"http://{host}:{port}"


async def _obey_signals(
    stop: trio.Event,
    grace: float,
    server: trio.CancelScope,
    patience: ExitStack,
    task_status: trio.TaskStatus[None],
) -> None:
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        task_status.started()
        await anext(signals)
        patience.enter_context(_last_resort(grace + FAREWELL + LAST_RESORT))
        stop.set()
        await anext(signals)
        patience.enter_context(_last_resort(AT_ONCE))
        server.cancel()


@contextmanager
def _last_resort(seconds: float) -> Iterator[None]:
    """End the process after ``seconds``, whatever hangs in it; the reaper sees to its children."""
    timer = threading.Timer(seconds, _give_up)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _give_up() -> None:
    log.error("cca did not end in time; it is ended now.")
    os._exit(1)


def _ask_who_is_there(sock: socket.socket) -> None:
    """Let the connections of a listener end when their client's machine is gone, which tells nobody: on Linux."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    if sys.platform == "linux":
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, VANISHED // 5)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, VANISHED // 5)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, VANISHED * 1000)


def _bind(address: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        _ask_who_is_there(sock)
        if family == socket.AF_INET6:
            # Else it is a setting of the system's whether :: is IPv4, too.
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int(address != "::"))
        sock.bind((address, port))
        sock.listen(BACKLOG)
    except OSError:
        sock.close()
        raise
    return sock
