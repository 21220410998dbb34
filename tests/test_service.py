"""What a server is opened with: the backend that the settings ask for, and nothing left of it afterwards."""

import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio
from attrs import evolve

from cca import create_app
from cca.backends.live import LiveBackend
from cca.backends.pool import Pool
from cca.backends.record import Recorder
from cca.backends.replay import ReplayBackend
from cca.claude.launch import OFFLINE_KEY, Directories, Launch
from cca.dialects.contract import Stamp
from cca.errors import RateLimited, Unavailable
from cca.keys import DEFAULT_SCOPES
from cca.limits.policy import NO_LIMITS, Limits
from cca.model import Conversation, ModelEntry, Text, Usage, UserTurn
from cca.service import DAY, Service, default_database, new_id, open_service, process_environ
from cca.sessions import SWEEP_INTERVAL
from cca.settings import Settings
from cca.store import keys
from cca.store.database import open_database
from cca.store.exchanges import Exchange, add
from cca.store.sessions import Name, begin
from cca.web.app import CcaApp

FAKE = Path(__file__).parent / "backends" / "fake_claude.py"
RECORDED = Path(__file__).parents[1] / "fixtures" / "2.1.330" / "addresses.ndjson"
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


@pytest.fixture
def environ(state_home: Path) -> dict[str, str]:
    """Return an environment of little, in which the database is nobody's."""
    return {"PATH": "/usr/bin:/bin", "XDG_STATE_HOME": str(state_home)}


async def recording(claude: Path, directory: Path, environ: Mapping[str, str]) -> Service:
    """Record one conversation into ``directory`` and return the service that did."""
    settings = Settings(self_test=False, sandbox="off", claude=claude, record=directory)
    async with open_service(settings, environ) as service:
        backend = service.backend
        async with backend.open(CONVERSATION) as process:
            process.write(b'{"type":"control_request","request_id":"initialize","request":{}}\n')
            while b"\n" not in await process.read():
                pass
    return service


async def test_a_service_of_live_processes(claude: Path, environ: dict[str, str]) -> None:
    settings = Settings(self_test=False, sandbox="off", claude=claude, models=("gpt-*=haiku",), silence_timeout=7.0)
    async with open_service(settings, environ) as service:
        assert isinstance(service.backend, Pool)
        assert (service.backend.name, service.backend.cli_version) == ("claude", "2.1.330")
        assert service.catalogue.entries == (ModelEntry("haiku", "claude-haiku-5-5", "Haiku", thinking_off=True),)
        assert service.catalogue.resolve("gpt-4") == "haiku"
        assert service.deadlines.silence == 7.0


@pytest.mark.parametrize(
    ("given", "most", "waiting", "staying"),
    [
        ({"processes": 8}, 8, 2, 6),
        ({"processes": 8, "waiting": 0}, 8, 0, 8),
        ({"processes": 8, "staying": 3}, 8, 2, 3),
        ({"processes": 3}, 3, 1, 2),
        ({"processes": 1}, 1, 1, 1),
        ({"processes": 1, "staying": 0}, 1, 1, 0),
    ],
    ids=str,
)
async def test_what_stays_leaves_room_for_what_waits(
    claude: Path,
    environ: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    given: dict[str, Any],
    most: int,
    waiting: int,
    staying: int,
) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    async with open_service(Settings(self_test=False, sandbox="off", claude=claude, **given), environ) as service:
        assert isinstance(service.backend, Pool)
        assert (service.backend.most, service.backend.waiting, service.staying.room.most) == (most, waiting, staying)


@pytest.mark.parametrize(
    ("given", "file_from"),
    [
        ({}, 40),
        ({"waiting": 0}, 5),
        ({"history_file_from": 7}, 7),
        ({"history_file_from": 7, "waiting": 0}, 7),
        ({"history_file_from": 0}, 0),
    ],
    ids=str,
)
async def test_a_history_goes_by_file_where_that_is_faster(
    claude: Path, environ: dict[str, str], given: dict[str, Any], file_from: int
) -> None:
    async with open_service(Settings(self_test=False, sandbox="off", claude=claude, **given), environ) as service:
        assert isinstance(service.backend, Pool)
        assert isinstance(service.backend.starter, LiveBackend)
        assert service.backend.starter.file_from == file_from


@pytest.mark.parametrize(
    ("given", "names"),
    [
        ({}, []),
        ({"allowed_hosts": ("box.lan",)}, ["CCA_ALLOWED_HOSTS"]),
        ({"allowed_hosts": ("a",), "allowed_origins": ("http://a",)}, ["CCA_ALLOWED_HOSTS", "CCA_ALLOWED_ORIGINS"]),
    ],
    ids=str,
)
async def test_its_start_says_which_settings_have_no_effect_without_a_key(
    given: dict[str, Any], names: list[str], tmp_path: Path, environ: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    shutil.copy(RECORDED, tmp_path)
    settings = Settings(replay=tmp_path, database=tmp_path / "cca.db", **given)
    async with open_service(settings, environ) as service:
        assert [record.getMessage().split()[0] for record in caplog.records] == names
        caplog.clear()
        make = partial(
            keys.make, randomness=bytes, name="ann", scopes=DEFAULT_SCOPES, limits=NO_LIMITS, now=0.0, expires_at=None
        )
        await service.database.write(make)
    async with open_service(settings, environ):
        assert caplog.records == []


async def test_the_launch_is_that_of_the_settings(claude: Path, environ: dict[str, str]) -> None:
    settings = Settings(self_test=False, sandbox="off", claude=claude, retries=5, inherit=("MY_*",))
    environ |= {"MY_OWN": "1", "DATABASE_PASSWORD": "x", "ANTHROPIC_API_KEY": "k"}
    async with open_service(settings, environ) as service:
        launch = launched(service)
    assert launch.argv[0] == str(claude)
    assert launch.env["CLAUDE_CODE_MAX_RETRIES"] == "5"
    assert launch.env["MY_OWN"] == "1"
    assert launch.env["ANTHROPIC_API_KEY"] == "k"
    assert "DATABASE_PASSWORD" not in launch.env


def launched(service: Service) -> Launch:
    assert isinstance(service.backend, Pool)
    assert isinstance(service.backend.starter, LiveBackend)
    return service.backend.starter.launcher(DIRECTORIES)


async def test_offline_the_scripted_model_answers(claude: Path, environ: dict[str, str]) -> None:
    """Whatever else is set: no key and no address of the user's is used."""
    environ |= {"ANTHROPIC_API_KEY": "k", "ANTHROPIC_BASE_URL": "http://a", "HTTPS_PROXY": "http://b"}
    async with open_service(Settings(self_test=False, sandbox="off", claude=claude, offline=True), environ) as service:
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
    app = create_app(Settings(self_test=False, sandbox="off", claude=claude, **settings))
    async with app.test_app():
        assert (await health(app))["backend"] == name


async def test_recording_and_replaying_what_was_recorded(claude: Path, tmp_path: Path, environ: dict[str, str]) -> None:
    recorder = await recording(claude, tmp_path / "kept", environ)
    assert isinstance(recorder.backend, Recorder)
    async with open_service(Settings(replay=tmp_path / "kept"), environ) as service:
        assert isinstance(service.backend, ReplayBackend)
        assert service.backend.models == recorder.backend.models
        assert service.backend.cli_version == "2.1.330"


async def test_a_service_that_cannot_be_had(tmp_path: Path, environ: dict[str, str]) -> None:
    with pytest.raises(Unavailable, match="no recordings"):
        async with open_service(Settings(replay=tmp_path / "nowhere"), environ):
            pass
    with pytest.raises(Unavailable, match="is not a program"):
        async with open_service(Settings(claude=tmp_path / "nowhere"), environ):
            pass


async def test_a_stamp_is_of_the_moment(claude: Path, tmp_path: Path, environ: dict[str, str]) -> None:
    await recording(claude, tmp_path / "kept", environ)
    async with open_service(Settings(replay=tmp_path / "kept"), environ) as service:
        assert evolve(service, now=lambda: 12.9, new_id=lambda: "id").stamp() == Stamp("id", 12)


# The database that it is opened with.


@pytest.mark.parametrize(
    ("variables", "path"),
    [
        ({"XDG_STATE_HOME": "/state", "HOME": "/home/a"}, "/state/cca/sessions.db"),
        ({"HOME": "/home/a"}, "/home/a/.local/state/cca/sessions.db"),
        ({"XDG_STATE_HOME": "", "HOME": "/home/a"}, "/home/a/.local/state/cca/sessions.db"),
        ({"XDG_STATE_HOME": "state", "HOME": "/home/a"}, "/home/a/.local/state/cca/sessions.db"),
    ],
    ids=["as the user says", "the standard's default", "empty", "relative, which the standard ignores"],
)
def test_sessions_are_in_the_users_state_directory(variables: Mapping[str, str], path: str) -> None:
    assert default_database(variables) == Path(path)


async def test_the_database_is_where_the_settings_say(
    claude: Path, tmp_path: Path, state_home: Path, environ: dict[str, str]
) -> None:
    async with open_service(Settings(self_test=False, sandbox="off", claude=claude), environ) as service:
        assert service.database.path == state_home / "cca" / "sessions.db"
    async with open_service(
        Settings(self_test=False, sandbox="off", claude=claude, database=tmp_path / "own.db"), environ
    ) as service:
        assert service.database.path == tmp_path / "own.db"
    assert (tmp_path / "own.db").exists()


async def test_a_database_that_cannot_be_used_is_told_before_claude_code_is_looked_for(
    tmp_path: Path, environ: dict[str, str]
) -> None:
    with pytest.raises(Unavailable, match="cannot be opened"):
        async with open_service(Settings(claude=tmp_path / "nowhere", database=tmp_path), environ):
            pass


async def spent(path: Path, *exchanges: Exchange) -> None:
    async with open_database(path) as database:
        await database.write(lambda connection: add(connection, exchanges))


async def test_what_was_spent_in_the_last_day_counts_after_a_restart(
    claude: Path, tmp_path: Path, environ: dict[str, str]
) -> None:
    path, now = tmp_path / "cca.db", time.time()
    once = Exchange("req_1", now - 3600, "openai_chat", "k1", "claude-x", "end_turn", 0.5, 1.0, 3.0, Usage())
    await spent(path, once, evolve(once, key="k2", began_at=now - 2 * DAY), evolve(once, key="k3", cost=0.0))
    settings = Settings(self_test=False, sandbox="off", claude=claude, database=path)
    limits = Limits(usd_per_day=2.0)
    async with open_service(settings, environ) as service:
        with pytest.raises(RateLimited), service.limiter.admit("k1", limits, 1):
            pass
        for key in ("k2", "k3"):
            with service.limiter.admit(key, limits, 1):
                pass


async def test_what_has_expired_is_gone_once_it_serves(claude: Path, tmp_path: Path, environ: dict[str, str]) -> None:
    path, now = tmp_path / "cca.db", time.time()
    async with open_database(path) as database:
        for name, expires_after in (("old", 1.0), ("young", 1e6), ("kept", None)):
            begun = partial(begin, name=Name("", name), now=now - 100, expires_after=expires_after)
            await database.write(begun)
    async with open_service(Settings(self_test=False, sandbox="off", claude=claude, database=path), environ) as service:
        names = ["old"]
        with trio.fail_after(5):
            while "old" in names:
                rows = await service.database.read(
                    lambda connection: connection.execute("SELECT id FROM session").fetchall()
                )
                names = [name for (name,) in rows]
    assert sorted(names) == ["kept", "young"]


async def test_a_sweep_that_cannot_be_done_is_told_and_done_later(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, autojump_clock: trio.testing.MockClock
) -> None:
    refusals = [Unavailable("The disk is full.")]

    async def run(function: Any, *arguments: Any) -> Any:
        if refusals and function.__name__ == "_erase":
            raise refusals.pop()
        return function(*arguments)

    async with open_database(tmp_path / "cca.db", run) as database:
        await database.write(partial(begin, name=Name("", "old"), now=0.0, expires_after=1.0))
        backend = ReplayBackend((), "2.1.330", ())
        service = Service(Settings(), backend, database)
        with trio.move_on_after(SWEEP_INTERVAL + 1):
            await service.sweep()
        assert "Expired sessions are still there: The disk is full." in caplog.text
        count = await database.read(lambda connection: connection.execute("SELECT count(*) FROM session").fetchone())
    assert count == (0,)


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
    for name, value in {"CCA_CLAUDE": str(claude), "CCA_SELF_TEST": "0", "CCA_SANDBOX": "off"}.items():
        monkeypatch.setenv(name, value)
    app = create_app()
    async with app.test_app():
        assert (await health(app))["cli_version"] == "2.1.330"


async def test_an_application_with_settings_of_its_own(claude: Path) -> None:
    app = create_app(Settings(self_test=False, sandbox="off", claude=claude, body_limit=10))
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
