"""Servers in processes of their own, what they take of the machine, and a client that costs little beside them."""

import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import orjson
from attrs import define, field, frozen

from cca.model import Json

SERVER_TIMEOUT = 30.0
"""Seconds for a server to start, to say something, or to end."""


@define
class Client:
    """A connection that stays, and is read as fast as can be."""

    port: int
    _socket: socket.socket = field(init=False)

    @_socket.default
    def _connected(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=SERVER_TIMEOUT)

    def ask(self, path: str, body: Json) -> bytes:
        """Return the whole answer, head and all, as it came."""
        self._socket.sendall(request(self.port, path, body))
        answer = self._read()
        if b" 200 " not in answer[:20]:
            raise RuntimeError(f"{path} answered {answer[:500]!r}")
        if b"\r\nconnection: close\r\n" in answer[:1000]:
            # Hypercorn ends a connection at its thousandth request.
            self._socket.close()
            self._socket = self._connected()
        return answer

    def _read(self) -> bytes:
        pieces = bytearray()
        end = -1
        while end < 0 or len(pieces) < end:
            more = self._socket.recv(1 << 18)
            if not more:
                raise RuntimeError(f"the connection ended after {bytes(pieces[-300:])!r}")
            pieces += more
            if end < 0 and b"chunked" in pieces[:1000]:
                end = len(pieces) if pieces.endswith(b"0\r\n\r\n") else -1
            elif end < 0 and (length := re.search(rb"content-length: (\d+)\r\n.*?\r\n\r\n", pieces, re.DOTALL)):
                end = length.end() + int(length[1])
        return bytes(pieces)

    def close(self) -> None:
        self._socket.close()


def request(port: int, path: str, body: Json) -> bytes:
    content = orjson.dumps(body)
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(content)}\r\n\r\n".encode() + content


@frozen
class Server:
    """A server in a process of its own."""

    pid: int
    port: int

    @property
    def cpu(self) -> float:
        """Seconds of the processor that it took so far."""
        user, system = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")

    @property
    def memory(self) -> float:
        """Megabytes of memory that it holds."""
        return self._status("VmRSS")

    @property
    def peak(self) -> float:
        return self._status("VmHWM")

    @property
    def descriptors(self) -> int:
        """How many files, sockets and pipes it has open."""
        return len([*Path(f"/proc/{self.pid}/fd").iterdir()])

    def _status(self, name: str) -> float:
        found = re.search(rf"{name}:\s+(\d+) kB", Path(f"/proc/{self.pid}/status").read_text())
        assert found is not None
        return int(found[1]) * 1024 / 1e6


@contextmanager
def running(*command: str) -> Iterator[Server]:
    """Run a server that says its port in the first line that it prints."""
    state = tempfile.TemporaryDirectory()
    with (
        state,
        subprocess.Popen(
            [sys.executable, "-m", *command],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "CCA_DATABASE": f"{state.name}/cca.db"},
        ) as process,
    ):
        try:
            assert process.stdout is not None
            said = process.stdout.readline()
            port = re.search(r":(\d+)\s*$", said)
            if port is None:
                raise RuntimeError(f"{command} did not start: it said {said!r}")
            yield Server(process.pid, int(port[1]))
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(SERVER_TIMEOUT)
            except subprocess.TimeoutExpired:
                process.kill()
