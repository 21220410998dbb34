"""The server around the application: sockets on loopback, Hypercorn, signals, an end in bounded time."""

import errno
import logging
import os
import signal
import socket
from collections.abc import Callable
from functools import partial

import trio
from hypercorn.config import Config
from hypercorn.trio import serve as hypercorn_serve

from cca.settings import Settings, SettingsError
from cca.web.app import CcaApp

log = logging.getLogger(__name__)

LOOPBACKS = {"localhost": ("127.0.0.1", "::1"), "127.0.0.1": ("127.0.0.1",), "::1": ("::1",)}

BACKLOG = 1024
STALLED_WRITE = 60_000
"""Milliseconds until a client that reads nothing is given up: Hypercorn shields its writes, so that one would hold the
server's end for ever."""

LAST_RESORT = 3.0
"""Seconds after the grace time at which the process ends, whatever still hangs; the reaper sees to its children."""


def listen(host: str, port: int) -> list[socket.socket]:
    """Return sockets that listen on ``host``; port 0 picks one that is free on all its addresses.

    Raise ``SettingsError`` for a host that is not loopback, and for a port that cannot be had.
    """
    addresses = LOOPBACKS.get(host.strip("[]").lower())
    if addresses is None:
        raise SettingsError(
            f"cca does not listen on {host}: whoever reaches it uses your Claude account. "
            "Use 127.0.0.1, ::1 or localhost."
        )
    sockets: list[socket.socket] = []
    try:
        for address in addresses:
            try:
                sockets.append(_bind(address, sockets[0].getsockname()[1] if sockets else port))
            except OSError as error:
                # A machine may be without IPv6, and localhost is still one of its names.
                if not sockets or error.errno not in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
                    raise
    except OSError as error:
        for sock in sockets:
            sock.close()
        if error.errno == errno.EADDRINUSE:
            raise SettingsError(f"Port {port} on {host} is in use. Use another --port, or 0 for a free one.") from error
        raise SettingsError(f"cca cannot listen on {host}, port {port}: {error.strerror}.") from error
    return sockets


async def run_server(app: CcaApp, settings: Settings, announce: Callable[[str], None]) -> None:
    """Serve until SIGINT or SIGTERM, then end within the grace time; a second signal ends at once.

    ``announce`` is told the address once connections are accepted. Cancelling ends all answers and their processes.
    Raise ``SettingsError`` as ``listen`` does.
    """
    sockets = listen(settings.host, settings.port)
    port = sockets[0].getsockname()[1]
    config = _config(sockets, settings.grace)
    stop = trio.Event()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_obey_signals, stop, settings.grace, nursery.cancel_scope)
        serving = partial(hypercorn_serve, app, config, shutdown_trigger=stop.wait, mode="asgi")
        async with trio.open_nursery() as server:
            await server.start(serving)
            announce(f"http://{_in_url(settings.host)}:{port}")
        nursery.cancel_scope.cancel()


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host and not host.startswith("[") else host


async def _obey_signals(stop: trio.Event, grace: float, server: trio.CancelScope) -> None:
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        await anext(signals)
        stop.set()
        with trio.move_on_after(grace + LAST_RESORT) as patience:
            await anext(signals)
            server.cancel()
        if patience.cancelled_caught:
            log.error("cca did not end in time; it is ended now.")
            os._exit(1)


def _config(sockets: list[socket.socket], grace: float) -> Config:
    config = Config()
    # Hypercorn makes socket objects of its own from the descriptors, and closes them.
    config.bind = [f"fd://{sock.detach()}" for sock in sockets]
    config.backlog = BACKLOG
    config.graceful_timeout = grace
    config.include_server_header = False
    config.accesslog = None
    config.errorlog = None
    return config


def _bind(address: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, STALLED_WRITE)
        sock.bind((address, port))
        sock.listen(BACKLOG)
    except OSError:
        sock.close()
        raise
    return sock
