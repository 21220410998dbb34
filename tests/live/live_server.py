"""The whole of cca as a user runs it: a program with a home of its own, asked over HTTP. For the tests beside."""

import http.client
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from attrs import frozen
from live_pool import VARIABLES

from cca.model import Json

SECONDS = 60.0
"""For anything to happen that a test waits for."""

OFFLINE = ("-m", "cca", "serve", "--offline", "--port=0")

ANNOUNCED = "cca is listening on "


@frozen
class Reply:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Json:
        return json.loads(self.body)

    @property
    def frames(self) -> list[str]:
        """The contents of a stream's events, without its comments."""
        return [
            event.removeprefix("data: ") for event in self.body.decode().split("\n\n") if event[:1] not in ("", ":")
        ]

    @property
    def chunks(self) -> list[Json]:
        """The JSON of a stream's events. All but one that says that it is over."""
        return [json.loads(frame) for frame in self.frames if frame != "[DONE]"]


@frozen
class Server:
    """A program that was started, the address that it listens on, and the directory that its temporary files are in."""

    process: "subprocess.Popen[str]"
    address: str
    temporary: Path

    def connect(self) -> http.client.HTTPConnection:
        parts = urlsplit(self.address)
        return http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=SECONDS)

    def get(self, path: str) -> Reply:
        return self.exchange("GET", path)

    def chat(self, prompt: str, **fields: Json) -> Reply:
        return self.exchange("POST", "/v1/chat/completions", chat(prompt, **fields))

    def exchange(self, method: str, path: str, body: Json = None) -> Reply:
        connection = self.connect()
        try:
            send(connection, method, path, body)
            response = connection.getresponse()
            headers = {name.lower(): value for name, value in response.getheaders()}
            return Reply(response.status, headers, response.read())
        finally:
            connection.close()

    def stop(self, number: signal.Signals) -> int:
        """Send a signal, and return the exit code that follows."""
        self.process.send_signal(number)
        return self.process.wait(SECONDS)


def chat(prompt: str, **fields: Json) -> Json:
    return {"model": "gpt-3.5-turbo", "messages": [{"role": "user", "content": prompt}], **fields}


def send(connection: http.client.HTTPConnection, method: str, path: str, body: Json) -> None:
    content = None if body is None else json.dumps(body).encode()
    connection.request(method, path, content, {"Content-Type": "application/json"})


@contextmanager
def running(
    command: Sequence[str], address: Callable[["subprocess.Popen[str]"], str], **environ: str
) -> Iterator[Server]:
    """Run Python with ``command`` in an environment of little. It is killed at the end, if it has not ended."""
    with tempfile.TemporaryDirectory() as place:
        home, temporary = Path(place, "home"), Path(place, "tmp")
        home.mkdir()
        temporary.mkdir()
        kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
        # One test has it look at Claude Code first; the others need not, each time.
        own = {"HOME": str(home), "TMPDIR": str(temporary), "CCA_SELF_TEST": "0"}
        env = {**kept, **own, **VARIABLES, **environ}
        with subprocess.Popen([sys.executable, *command], env=env, stdout=subprocess.PIPE, text=True) as process:
            try:
                yield Server(process, address(process), temporary)
            finally:
                process.kill()


@contextmanager
def serving(*arguments: str, command: Sequence[str] = OFFLINE, **environ: str) -> Iterator[Server]:
    """Run ``cca serve``, with no account and on a port of its own."""
    with running([*command, *arguments], _announced, **environ) as server:
        yield server


def _announced(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line.startswith(ANNOUNCED), line
    return line.removeprefix(ANNOUNCED).strip()


def children(pid: int) -> set[int]:
    """Return the processes that ``pid`` started and that live."""
    tasks = Path(f"/proc/{pid}/task").glob("*/children")
    return {int(child) for task in tasks for child in task.read_text().split()}


def alive(pids: set[int]) -> set[int]:
    return {pid for pid in pids if Path(f"/proc/{pid}/stat").exists() and _state(pid) not in "ZX"}


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][:1]
    except OSError:
        return "X"


def within(seconds: float, condition: Callable[[], bool]) -> bool:
    """Whether ``condition`` came to hold in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True
