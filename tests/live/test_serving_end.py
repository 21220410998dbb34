"""How the server ends, and what is left of its processes then: nothing."""

import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress

import pytest
from live_server import SECONDS, Server, alive, chat, children, running, send, serving, within

from outcomes import WAYS
from survival import Survival

pytestmark = pytest.mark.live

TALKING = "[[silent after 2]] one two three"
"""A prompt that is answered by two words, and then nothing, for as long as anybody waits."""

MANY = 20

SOON = 5.0
"""Seconds for what takes a tenth of one on an idle machine, and two where twenty processes more are killed."""


@contextmanager
def talking(server: Server) -> Iterator[http.client.HTTPResponse]:
    """Own a stream that has begun, and does not end."""
    with closing(server.connect()) as connection:
        send(connection, "POST", "/v1/chat/completions", chat(TALKING, stream=True))
        response = connection.getresponse()
        assert response.status == 200
        yield response


def is_gone(server: Server, started: set[int]) -> bool:
    return not alive(started) and not list(server.temporary.iterdir())


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
def test_a_signal_ends_it_with_exit_0(number: signal.Signals) -> None:
    with serving() as server:
        started = children(server.process.pid)
        assert started
        assert server.stop(number) == 0
        assert is_gone(server, started)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
def test_a_signal_ends_it_with_its_processes_after_the_grace_time(number: signal.Signals) -> None:
    with serving(CCA_GRACE="0.5") as server, talking(server):
        started = children(server.process.pid)
        assert len(started) >= 2
        assert server.stop(number) == 0
        assert is_gone(server, started)


def test_an_answer_under_way_is_finished_in_the_grace_time() -> None:
    with serving() as server, closing(server.connect()) as connection:
        send(connection, "POST", "/v1/chat/completions", chat("[[delay 100ms]] [[tokens 8]]", stream=True))
        response = connection.getresponse()
        server.process.send_signal(signal.SIGTERM)
        assert response.read().endswith(b"data: [DONE]\n\n")
        assert server.process.wait(SECONDS) == 0


SHORT = "[[delay 100ms]] [[tokens 15]]"


@pytest.mark.soak
def test_twenty_answers_under_way_each_end_well_formed(survival: Survival) -> None:
    """R-07. What ends in the grace time is whole, the rest ends in an error; nobody new is let in."""
    with serving(CCA_PROCESSES=str(MANY), CCA_GRACE="4") as server, ExitStack() as connections:
        clients = [connections.enter_context(closing(server.connect())) for _ in range(MANY)]
        ways = [way for way in WAYS.values() for _ in ("whole", "failed")] * MANY
        for number, (client, way) in enumerate(zip(clients, ways, strict=False)):
            send(client, "POST", way.path, way.body(SHORT if number % 2 else TALKING, stream=True))
        responses = [client.getresponse() for client in clients]
        started = children(server.process.pid)
        server.process.send_signal(signal.SIGTERM)
        assert within(SOON, lambda: is_refused(server))
        began = time.monotonic()
        ends = [
            way.outcome(response.status, response.read(), stream=True).end
            for response, way in zip(responses, ways, strict=False)
        ]
        assert server.process.wait(SECONDS) == 0
        took = time.monotonic() - began
        whole, failed = ends.count("answered"), ends.count("failed")
        figure = f"{whole} whole and {failed} with an error, the server gone after {took:.1f} s of 4 s grace"
        survival("R-07", "answers under way at SIGTERM", tried=MANY, lost=MANY - whole - failed, figure=figure)
        assert ends == ["failed", "answered"] * (MANY // 2)
        assert within(SOON, lambda: is_gone(server, started))


def is_refused(server: Server) -> bool:
    with closing(server.connect()) as connection, suppress(OSError):
        connection.connect()
        return False
    return True


@pytest.mark.parametrize(
    ("number", "seconds"),
    [pytest.param(1, SOON, id="1"), pytest.param(MANY, 1.0, marks=pytest.mark.soak, id=f"{MANY}")],
)
def test_a_second_signal_ends_it_at_once(number: int, seconds: float, survival: Survival) -> None:
    """R-07, with so many answers under way."""
    with serving(CCA_PROCESSES=str(MANY), CCA_GRACE="60") as server, ExitStack() as talks:
        for _ in range(number):
            talks.enter_context(talking(server))
        started = children(server.process.pid)
        server.process.send_signal(signal.SIGTERM)
        assert not within(0.3, lambda: server.process.poll() is not None)
        began = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(SECONDS) == 0
        took = time.monotonic() - began
        late = int(took > seconds)
        survival("R-07", f"second SIGTERMs, {number} under way", tried=1, lost=late, figure=f"ended after {took:.2f} s")
        assert not late
        assert within(SOON, lambda: is_gone(server, started))


@pytest.mark.soak
def test_sigkill_with_twenty_children_leaves_none() -> None:
    with serving(CCA_PROCESSES=str(MANY)) as server, ExitStack() as connections:
        clients = [connections.enter_context(closing(server.connect())) for _ in range(MANY)]
        for client in clients:
            send(client, "POST", "/v1/chat/completions", chat(TALKING, stream=True))
        assert [client.getresponse().status for client in clients] == [200] * MANY
        started = children(server.process.pid)
        assert len(started) == MANY + 1
        os.kill(server.process.pid, signal.SIGKILL)
        assert within(SOON, lambda: is_gone(server, started))


def test_hypercorn_runs_the_application_and_leaves_no_child() -> None:
    """Hypercorn without a worker dies of SIGTERM at once, and shuts nothing down."""
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
    command = ["-m", "hypercorn", "-k", "trio", "-w", "0", "-b", f"127.0.0.1:{port}", "cca:create_app()"]

    def address(process: "subprocess.Popen[str]") -> str:
        assert within(SECONDS, lambda: answers(port) or process.poll() is not None)
        return f"http://127.0.0.1:{port}"

    with running(command, address, CCA_OFFLINE="1") as server:
        assert server.chat("hello").json["choices"][0]["message"]["content"] == "hello"
        with talking(server):
            started = children(server.process.pid)
            assert len(started) >= 2
            server.stop(signal.SIGTERM)
        assert within(SOON, lambda: is_gone(server, started))


def answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--offline", "--host=0.0.0.0"], "does not listen on 0.0.0.0"),
        (["--offline", "--claude=/bin/false"], "does not say that it is Claude Code"),
        (["--replay=/nowhere"], "/nowhere"),
    ],
    ids=["host", "claude", "replay"],
)
def test_what_cannot_start_is_exit_2_with_a_clear_line(arguments: list[str], told: str) -> None:
    # Where there is no bubblewrap, a second line would say so.
    command = [sys.executable, "-m", "cca", "serve", "--port=0", "--sandbox=off", *arguments]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert told in ended.stderr
    assert len(ended.stderr.splitlines()) == 1
