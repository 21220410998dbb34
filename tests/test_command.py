"""The command, as a process of its own: what it prints, how it ends, and that it leaves nothing behind."""

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

from cca.__main__ import CANNOT_START, INTERRUPTED, main
from cca.version import VERSION

FAKE = Path(__file__).parent / "backends" / "fake_claude.py"
SECONDS = 60.0
"""For a server to start, or to end, on a machine that does much else."""

SOON = 20.0
"""Seconds for a process to be killed. What nobody kills here lives for longer."""

CHAT = {"model": "haiku", "messages": [{"role": "user", "content": "hi"}]}
ANSWERING = [["serve", "Hello."]]
STALLING = [["serve"]]
"""Its answer begins, and never goes on."""


ALONE, WAITING = 2, 1
"""Processes of a server that answers nobody: itself and its reaper, and what waits for a request."""


@pytest.fixture(autouse=True)
def environ(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Return, and set, an environment in which all that a server makes has ``tmp_path`` in its name."""
    for name in os.environ:
        if name.startswith(("CCA_", "ANTHROPIC_", "CLAUDE_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("CCA_GRACE", "0.2")
    monkeypatch.setenv("CCA_WAITING", str(WAITING))
    monkeypatch.setenv("CCA_SELF_TEST", "0")
    # What stands for Claude Code needs the Python of the tests, which is not in the sandbox.
    monkeypatch.setenv("CCA_SANDBOX", "off")
    # What stands for Claude Code here is more files than itself.
    monkeypatch.setenv("CCA_SANDBOX", "off")
    return dict(os.environ)


def claude(tmp_path: Path, steps: Any, version: str = "2.1.330 (Claude Code)") -> Path:
    """Return a program that stands for Claude Code."""
    path = tmp_path / "claude"
    asked = f'if [ "$1" = --version ]; then echo "{version}"; exit; fi'
    path.write_text(f"#!/bin/sh\n{asked}\nexec {sys.executable} -I -S {FAKE} '{json.dumps(steps)}'\n")
    path.chmod(0o700)
    return path


def running(tmp_path: Path) -> list[int]:
    """Return the processes that live, and have ``tmp_path`` in their arguments or their environment."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        if int(process.name) == os.getpid():
            continue
        try:
            told = (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
        except OSError:
            continue
        if str(tmp_path).encode() in told:
            found.append(int(process.name))
    return found


def until(happened: Callable[[], bool], seconds: float = SECONDS) -> None:
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.005)


@contextmanager
def started(command: list[str], says: str, stream: str = "stdout") -> Iterator[tuple["subprocess.Popen[str]", int]]:
    """Run a server; yield it and its port, which it says in a line on ``stream``. It is killed at the end."""
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-m", *command], text=True, **pipes) as server:  # type: ignore[call-overload]
        try:
            found = None
            for line in getattr(server, stream):
                if found := re.search(says, line):
                    break
            assert found, server.communicate()
            yield server, int(found[1])
        finally:
            server.kill()


def serving(*arguments: str) -> Any:
    return started(["cca", "serve", "--port", "0", *arguments], r"^cca is listening on http://127\.0\.0\.1:(\d+)\n$")


def ask(port: int, method: str, path: str, body: Any = None) -> tuple[int, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=SECONDS)
    headers = {} if body is None else {"Content-Type": "application/json"}
    connection.request(method, path, None if body is None else json.dumps(body), headers)
    response = connection.getresponse()
    said = json.loads(response.read())
    connection.close()
    return response.status, said


@contextmanager
def stalled(port: int) -> Iterator[http.client.HTTPResponse]:
    """Hold an answer that has begun."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=SECONDS)
    body = json.dumps({**CHAT, "stream": True})
    connection.request("POST", "/v1/chat/completions", body, {"Content-Type": "application/json"})
    with connection.getresponse() as response:
        assert response.status == 200
        assert b"..." in response.readline() + response.readline() + response.readline()
        yield response
    connection.close()


def sockets(pid: int) -> Iterator[str]:
    """Yield the sockets of a process, which may end meanwhile."""
    with suppress(OSError):
        for each in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(OSError):
                yield str(each.readlink())


def listeners(processes: Iterable[int]) -> set[tuple[str, int]]:
    """Return the addresses and ports on which processes listen, as the kernel has them."""
    theirs = {each for pid in processes for each in sockets(pid)}
    found = set()
    for table in ("tcp", "tcp6"):
        _, *rows = Path("/proc/net", table).read_text().splitlines()
        for _, local, _, state, *_, inode in (row.split()[:10] for row in rows):
            if state == "0A" and f"socket:[{inode}]" in theirs:
                address, _, port = local.partition(":")
                words = [int(address[each : each + 8], 16) for each in range(0, len(address), 8)]
                # Each word is in the order of the machine.
                packed = b"".join(word.to_bytes(4, sys.byteorder) for word in words)
                found.add((str(ip_address(packed)), int(port, 16)))
    return found


def nothing_is_left(tmp_path: Path) -> None:
    until(lambda: not running(tmp_path) and not list(tmp_path.glob("cca-*")), SOON)


def test_it_says_its_version(capsys: pytest.CaptureFixture[str]) -> None:
    said = subprocess.run([sys.executable, "-m", "cca", "--version"], capture_output=True, check=True, text=True)
    assert (said.stdout, said.stderr) == (f"cca {VERSION}\n", "")


def test_it_explains_its_settings(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["serve", "--help"])
    said = " ".join(capsys.readouterr().out.split())
    assert "--port PORT port to listen on; 0 picks a free one (CCA_PORT, 8000 by default)" in said
    assert "--offline let Claude Code talk" in said


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
def test_it_serves_until_it_is_told_to_end(tmp_path: Path, number: int) -> None:
    with serving("--claude", str(claude(tmp_path, ANSWERING))) as (server, port):
        status, said = ask(port, "GET", "/health")
        assert (status, said["status"], said["cli_version"], said["backend"]) == (200, "ok", "2.1.330", "claude")
        status, said = ask(port, "POST", "/v1/chat/completions", CHAT)
        assert (status, said["choices"][0]["message"]["content"]) == (200, "Hello.")
        # S-01: by default, and of all its processes.
        assert listeners(running(tmp_path)) == {("127.0.0.1", port)}
        server.send_signal(number)
        assert server.communicate(timeout=SECONDS) == ("", "")
        assert server.returncode == 0
    nothing_is_left(tmp_path)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=["SIGTERM", "SIGKILL"])
def test_the_processes_of_open_answers_end_with_it(tmp_path: Path, number: int) -> None:
    with serving("--claude", str(claude(tmp_path, STALLING))) as (server, port), stalled(port):
        until(lambda: len(running(tmp_path)) == ALONE + 1 + WAITING)
        server.send_signal(number)
        server.wait(timeout=SECONDS)
        assert server.returncode == (0 if number == signal.SIGTERM else -signal.SIGKILL)
        nothing_is_left(tmp_path)


def test_a_client_that_leaves_takes_its_process_along(tmp_path: Path) -> None:
    with serving("--claude", str(claude(tmp_path, STALLING))) as (_, port):
        with stalled(port):
            until(lambda: len(running(tmp_path)) == ALONE + 1 + WAITING)
        until(lambda: len(running(tmp_path)) == ALONE + WAITING, SOON)


def test_what_it_records_it_replays_without_claude_code(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    with serving("--claude", str(claude(tmp_path, ANSWERING)), "--record", str(kept)) as (_, port):
        _, recorded = ask(port, "POST", "/v1/chat/completions", CHAT)
        until(lambda: bool(list(kept.glob("*.ndjson"))))
    (tmp_path / "claude").unlink()
    with serving("--replay", str(kept)) as (_, port):
        assert ask(port, "GET", "/health")[1]["backend"] == "replay"
        status, replayed = ask(port, "POST", "/v1/chat/completions", CHAT)
        assert status == 200
        assert replayed["choices"] == recorded["choices"]
        status, missed = ask(port, "POST", "/v1/chat/completions", {**CHAT, "max_tokens": 5})
        assert status == 404
        assert "No recording answers this request" in missed["error"]["message"]


def test_ctrl_c_while_it_starts(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "cca", "serve", "--claude", str(claude(tmp_path, [["hang"]]))]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as server:
        until(lambda: len(running(tmp_path)) == 3)
        server.send_signal(signal.SIGINT)
        assert server.communicate(timeout=SECONDS) == (b"", b"")
        assert server.returncode == INTERRUPTED
    nothing_is_left(tmp_path)


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as holder:
        yield holder.getsockname()[1]


@pytest.mark.parametrize(
    ("arguments", "variables", "message"),
    [
        pytest.param(["--port", "{taken}"], {}, r"Port \d+ on 127\.0\.0\.1 is in use\. Use another", id="port in use"),
        pytest.param(["--host", "0.0.0.0"], {}, r"does not listen on 0\.0\.0\.0", id="public bind"),
        pytest.param(["--claude", "/nowhere"], {}, r"--claude /nowhere is not a program", id="no such program"),
        pytest.param(["--claude", "{old}"], {}, r"is version 2\.1\.247; cca needs 2\.1\.248", id="too old"),
        pytest.param(["--claude", "{silent}"], {}, r"ended at its start \(exit code 7\): oops", id="dies"),
        pytest.param(["--replay", "/nowhere"], {}, r"no recordings .* under /nowhere", id="no recordings"),
        pytest.param(
            ["--replay", "/nowhere"],
            {"CCA_OFFLINE": "1"},
            r"--replay .* and --offline .* exclude",
            id="no model",
        ),
        pytest.param(["--port", "99999"], {}, r"--port \(CCA_PORT\) is 99999, and must be from 0 to 65535", id="port"),
        pytest.param([], {"CCA_GRACE": "inf"}, r"CCA_GRACE is inf, and must be from 0 to 86400", id="endless grace"),
        pytest.param([], {"CCA_PORT": "http"}, r"CCA_PORT='http' cannot be used", id="bad variable"),
        pytest.param(
            [], {"CCA_OFFLINE": "perhaps"}, r"CCA_OFFLINE='perhaps' cannot be used: say 1 or 0", id="bad flag"
        ),
        pytest.param([], {"CCA_ANSWER_TIMEOUT": "0"}, r"CCA_ANSWER_TIMEOUT is 0, and must be", id="no time"),
    ],
)
def test_what_it_cannot_do_is_one_clear_line(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    taken: int,
    *,
    arguments: list[str],
    variables: Mapping[str, str],
    message: str,
) -> None:
    (tmp_path / "old").mkdir()
    (tmp_path / "silent").mkdir()
    values = {
        "taken": str(taken),
        "old": str(claude(tmp_path / "old", ANSWERING, "2.1.247 (Claude Code)")),
        "silent": str(claude(tmp_path / "silent", [["stderr", "oops\n"], ["exit", 7]])),
    }
    if "--replay" not in arguments:
        monkeypatch.setenv("CCA_CLAUDE", str(claude(tmp_path, ANSWERING)))
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert main(["serve", *(each.format(**values) for each in arguments)]) == CANNOT_START
    out, err = capsys.readouterr()
    assert re.fullmatch(rf"cca: [^\n]*{message}[^\n]*\n", err)
    assert out == ""


def test_without_claude_code_it_says_what_to_do(tmp_path: Path, environ: dict[str, str]) -> None:
    """As a process: exit 2, one line, no traceback."""
    (tmp_path / "claude_agent_sdk.py").write_text("")
    bare = {**environ, "PATH": "/nowhere", "PYTHONPATH": str(tmp_path)}
    said = subprocess.run([sys.executable, "-m", "cca", "serve"], capture_output=True, check=False, text=True, env=bare)
    assert (said.returncode, said.stdout) == (CANNOT_START, "")
    assert re.fullmatch(
        r"cca: There is no Claude Code [\d.]+ or newer on this machine\. Install one[^\n]*\n", said.stderr
    )


# The application under Hypercorn's own command.

HYPERCORN = ["hypercorn", "-k", "trio", "-w", "0", "-b", "127.0.0.1:0", "cca:create_app()"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=["SIGTERM", "SIGKILL"])
def test_under_hypercorn_no_child_outlives_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """Hypercorn then dies without a shutdown; the reaper sees to its children."""
    monkeypatch.setenv("CCA_CLAUDE", str(claude(tmp_path, STALLING)))
    with started(HYPERCORN, r"Running on http://127\.0\.0\.1:(\d+)", "stderr") as (server, port):
        assert ask(port, "GET", "/health")[0] == 200
        with stalled(port):
            assert len(running(tmp_path)) >= 3
            server.send_signal(number)
            server.wait(timeout=SECONDS)
            nothing_is_left(tmp_path)


def test_under_hypercorn_a_failed_start_says_why(tmp_path: Path, environ: dict[str, str]) -> None:
    said = subprocess.run(
        [sys.executable, "-m", *HYPERCORN],
        capture_output=True,
        check=False,
        text=True,
        env={**environ, "CCA_CLAUDE": str(tmp_path / "nowhere")},
        timeout=SECONDS,
    )
    assert said.returncode != 0
    assert f"--claude {tmp_path}/nowhere is not a program" in said.stderr
