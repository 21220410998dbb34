"""What is checked of a machine, on one that a test furnishes."""

import json
import os
import platform
import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import pytest
import trio

from cca.doctor import machine
from cca.doctor.finding import ok

KEY = "sk-ant-a-secret-that-nobody-shows"


@pytest.mark.parametrize(("system", "level"), [("Linux", "ok"), ("Darwin", "warn")])
def test_what_is_linux_only_is_told_elsewhere(monkeypatch: pytest.MonkeyPatch, system: str, level: str) -> None:
    monkeypatch.setattr(platform, "system", lambda: system)
    found = machine.python()
    assert (found.level, "not watched" in found.said) == (level, system == "Darwin")


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({"ANTHROPIC_API_KEY": KEY}, "the key in ANTHROPIC_API_KEY"),
        ({"ANTHROPIC_AUTH_TOKEN": KEY}, "the key in ANTHROPIC_AUTH_TOKEN"),
        ({"CLAUDE_CODE_OAUTH_TOKEN": KEY}, "the token in CLAUDE_CODE_OAUTH_TOKEN"),
        ({"CLAUDE_CODE_USE_BEDROCK": "1"}, "that of the cloud that CLAUDE_CODE_USE_BEDROCK chooses"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_login_is_named_and_not_shown(tmp_path: Path, environ: dict[str, str], said: str) -> None:
    found = machine.login({"HOME": str(tmp_path), **environ}, ())
    assert (found.level, found.said) == ("ok", said)
    assert KEY not in str(found)


@pytest.mark.parametrize("held", [None, "not JSON", "[]", "{}", json.dumps({"claudeAiOauth": {}})])
@pytest.mark.parametrize(("system", "level"), [("Linux", "fail"), ("Darwin", "warn")])
def test_no_login(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, held: str | None, system: str, level: str) -> None:
    """On a Mac it can be where nobody looks."""
    monkeypatch.setattr(platform, "system", lambda: system)
    if held is not None:
        (tmp_path / ".credentials.json").write_text(held)
    found = machine.login({"HOME": "/nowhere", "CLAUDE_CONFIG_DIR": str(tmp_path)}, ())
    assert found.level == level
    assert found.do


def test_claude_codes_own_login(tmp_path: Path) -> None:
    (tmp_path / ".claude").mkdir()
    (tmp_path / ".claude" / ".credentials.json").write_text(json.dumps({"claudeAiOauth": {"accessToken": KEY}}))
    found = machine.login({"HOME": str(tmp_path)}, ())
    assert (found.level, KEY in str(found)) == ("ok", False)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_a_run_directory(place: Path) -> None:
    assert machine.run_directory().level == "ok"
    assert list(place.iterdir()) == []


def test_a_run_directory_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", "/nowhere")
    found = machine.run_directory()
    assert (found.level, found.do) == ("fail", "Set TMPDIR to another directory.")


def test_a_run_directory_that_others_read(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a file system without modes."""
    monkeypatch.setattr(os, "stat", lambda path: os.lstat(place))
    place.chmod(0o755)
    assert "open to others" in machine.run_directory().said


def test_a_full_disk(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=5_000_000))
    found = machine.run_directory()
    assert (found.level, found.said) == ("warn", f"{place} has 5 MB left")


@pytest.fixture
def taken() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as holder:
        yield holder


async def test_a_port_that_is_free(taken: socket.socket) -> None:
    number = taken.getsockname()[1]
    taken.close()
    assert await machine.port("localhost", number) == ok("port", f"localhost:{number} is free")
    assert (await machine.port("localhost", 0)).said == "any that is free"


@pytest.mark.parametrize(
    ("answer", "level", "said"),
    [
        (
            b"HTTP/1.1 200 OK\r\n\r\n" + json.dumps({"version": "1", "cli_version": "2", "backend": "claude"}).encode(),
            "ok",
            "a cca 1 listens already (claude)",
        ),
        (b"HTTP/1.1 200 OK\r\n\r\n{}", "fail", "Address already in use"),
        (b"HTTP/1.1 200 OK\r\n\r\n[1]", "fail", "Address already in use"),
        (b"SSH-2.0\r\n", "fail", "Address already in use"),
        (b"x" * 200_000, "fail", "Address already in use"),
    ],
    ids=["cca", "another server", "a list", "no HTTP", "a flood"],
)
async def test_a_port_that_is_taken(taken: socket.socket, answer: bytes, level: str, said: str) -> None:
    async def serve(stream: trio.SocketStream) -> None:
        await stream.receive_some()
        with suppress(trio.BrokenResourceError):
            await stream.send_all(answer)
        await stream.aclose()

    taken.setblocking(False)  # noqa: FBT003 - the system's
    listener = trio.SocketListener(trio.socket.from_stdlib_socket(taken))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.serve_listeners, serve, [listener])
        found = await machine.port("127.0.0.1", taken.getsockname()[1])
        nursery.cancel_scope.cancel()
    assert found.level == level
    assert said in found.said


async def test_a_port_whose_holder_says_nothing(taken: socket.socket, autojump_clock: trio.testing.MockClock) -> None:
    """The system takes the connection, and nobody answers."""
    found = await machine.port("127.0.0.1", taken.getsockname()[1])
    assert found.level == "fail"
    assert trio.current_time() == machine.PATIENCE


async def test_a_port_that_may_not_be_had() -> None:
    found = await machine.port("192.0.2.1", 8000)
    assert found.level == "fail"
