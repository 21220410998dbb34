"""What a server is opened with: the backend that the settings ask for, and nothing left of it afterwards."""

import json
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import trio
from attrs import evolve

from cca import create_app
from cca.backends.live import LiveBackend
from cca.backends.record import Recorder
from cca.backends.replay import ReplayBackend
from cca.claude.launch import OFFLINE_KEY, Directories, Launch
from cca.dialects.contract import Stamp
from cca.errors import Unavailable
from cca.model import Conversation, ModelEntry, Text, UserTurn
from cca.service import Service, new_id, open_service, process_environ
from cca.settings import Settings
from cca.web.app import CcaApp

FAKE = Path(__file__).parent / "backends" / "fake_claude.py"
CONVERSATION = Conversation("haiku", (UserTurn((Text("hi"),)),))
DIRECTORIES = Directories("/work", "/tmp", "/config")  # noqa: S108 - names, not places


@pytest.fixture
def claude(tmp_path: Path) -> Path:
    """Return a program that stands for Claude Code."""
    path = tmp_path / "claude"
    steps = json.dumps([["serve", "Hello."]])
    version = 'if [ "$1" = --version ]; then echo "2.1.330 (Claude Code)"; exit; fi'
    path.write_text(f"#!/bin/sh\n{version}\nexec {sys.executable} -I -S {FAKE} '{steps}'\n")
    path.chmod(0o700)
    return path


@pytest.fixture(autouse=True)
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Return where temporary directories are made; nothing may be left there."""
    place = tmp_path / "run"
    place.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    yield place
    assert not list(place.iterdir())


async def recording(claude: Path, directory: Path) -> Service:
    """Record one conversation into ``directory`` and return the service that did."""
    settings = Settings(claude=claude, record=directory)
    async with open_service(settings, {"PATH": "/usr/bin:/bin"}) as service:
        backend = service.backend
        async with backend.open(CONVERSATION) as process:
            process.write(b'{"type":"control_request","request_id":"initialize","request":{}}\n')
            while b"\n" not in await process.read():
                pass
    return service


async def test_a_service_of_live_processes(claude: Path) -> None:
    settings = Settings(claude=claude, models=("gpt-*=haiku",), silence_timeout=7.0)
    async with open_service(settings, {"PATH": "/usr/bin:/bin"}) as service:
        assert isinstance(service.backend, LiveBackend)
        assert (service.backend.name, service.backend.cli_version) == ("claude", "2.1.330")
        assert service.catalogue.entries == (ModelEntry("haiku", "claude-haiku-5-5", "Haiku", thinking_off=True),)
        assert service.catalogue.resolve("gpt-4") == "haiku"
        assert service.deadlines.silence == 7.0


async def test_the_launch_is_that_of_the_settings(claude: Path) -> None:
    settings = Settings(claude=claude, retries=5, inherit=("MY_*",))
    environ = {"PATH": "/bin", "MY_OWN": "1", "DATABASE_PASSWORD": "x", "ANTHROPIC_API_KEY": "k"}
    async with open_service(settings, environ) as service:
        launch = launched(service)
    assert launch.argv[0] == str(claude)
    assert launch.env["CLAUDE_CODE_MAX_RETRIES"] == "5"
    assert launch.env["MY_OWN"] == "1"
    assert launch.env["ANTHROPIC_API_KEY"] == "k"
    assert "DATABASE_PASSWORD" not in launch.env


def launched(service: Service) -> Launch:
    assert isinstance(service.backend, LiveBackend)
    return service.backend.launcher(DIRECTORIES)


async def test_offline_the_scripted_model_answers(claude: Path) -> None:
    """Whatever else is set: no key and no address of the user's is used."""
    environ = {"PATH": "/bin", "ANTHROPIC_API_KEY": "k", "ANTHROPIC_BASE_URL": "http://a", "HTTPS_PROXY": "http://b"}
    async with open_service(Settings(claude=claude, offline=True), environ) as service:
        env = launched(service).env
        assert env["ANTHROPIC_API_KEY"] == OFFLINE_KEY
        assert "HTTPS_PROXY" not in env
        address = env["ANTHROPIC_BASE_URL"].removeprefix("http://")
        host, _, port = address.partition(":")
        await (await trio.open_tcp_stream(host, int(port))).aclose()


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({}, "claude"),
        ({"offline": True}, "claude, scripted model"),
        ({"record": Path("kept")}, "claude, recorded"),
        ({"offline": True, "record": Path("kept")}, "claude, scripted model, recorded"),
    ],
    ids=["live", "offline", "recorded", "offline and recorded"],
)
async def test_health_tells_who_answers(claude: Path, settings: Mapping[str, Any], name: str) -> None:
    app = create_app(Settings(claude=claude, **settings))
    async with app.test_app():
        assert (await health(app))["backend"] == name


async def test_recording_and_replaying_what_was_recorded(claude: Path, tmp_path: Path) -> None:
    recorder = await recording(claude, tmp_path / "kept")
    assert isinstance(recorder.backend, Recorder)
    async with open_service(Settings(replay=tmp_path / "kept"), {}) as service:
        assert isinstance(service.backend, ReplayBackend)
        assert service.backend.models == recorder.backend.models
        assert service.backend.cli_version == "2.1.330"


async def test_a_service_that_cannot_be_had(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="no recordings"):
        async with open_service(Settings(replay=tmp_path / "nowhere"), {}):
            pass
    with pytest.raises(Unavailable, match="is not a program"):
        async with open_service(Settings(claude=tmp_path / "nowhere"), {}):
            pass


async def test_a_stamp_is_of_the_moment(claude: Path, tmp_path: Path) -> None:
    await recording(claude, tmp_path / "kept")
    async with open_service(Settings(replay=tmp_path / "kept"), {}) as service:
        assert evolve(service, now=lambda: 12.9, new_id=lambda: "id").stamp() == Stamp("id", 12)


def test_ids_are_not_guessed() -> None:
    assert len({new_id() for _ in range(100)}) == 100


def test_the_environment_is_the_process_s(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CCA_HOST", "x")
    environ = process_environ()
    monkeypatch.setenv("CCA_HOST", "y")
    assert environ["CCA_HOST"] == "x"


# The application that another server runs.


async def health(app: CcaApp) -> Mapping[str, str]:
    response = await app.test_client().get("/health", headers={"Host": "localhost"})
    said: Mapping[str, str] = await response.get_json()
    return said


async def test_an_application_opens_its_service_when_it_starts(claude: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CCA_CLAUDE", str(claude))
    app = create_app()
    async with app.test_app():
        assert (await health(app))["cli_version"] == "2.1.330"


async def test_an_application_with_settings_of_its_own(claude: Path) -> None:
    app = create_app(Settings(claude=claude, body_limit=10))
    assert app.config["MAX_CONTENT_LENGTH"] == 10
    async with app.test_app():
        assert (await health(app))["backend"] == "claude"


async def test_an_application_that_cannot_start_says_why(tmp_path: Path) -> None:
    """As ASGI has it, for the server that runs the application to report."""
    to_app, receiving = trio.open_memory_channel[Any](1)
    sending, from_app = trio.open_memory_channel[Any](1)
    app: Any = create_app(Settings(claude=tmp_path / "nowhere"))
    async with trio.open_nursery() as nursery:
        scope = {"type": "lifespan", "asgi": {"version": "3.0"}}
        nursery.start_soon(app, scope, receiving.receive, sending.send)
        await to_app.send({"type": "lifespan.startup"})
        failed = await from_app.receive()
        nursery.cancel_scope.cancel()
    assert failed["type"] == "lifespan.startup.failed"
    assert failed["message"] == f"--claude {tmp_path}/nowhere is not a program. Name the Claude Code executable itself."
