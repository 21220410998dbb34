"""openai-python with a key of cca's, in a session, and at its limits."""

import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from live_server import Server, serving

pytest.importorskip("openai", reason="nox -s clients installs it")

import openai

pytestmark = [pytest.mark.live, pytest.mark.clients]


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("state") / "cca.db"


@pytest.fixture(scope="module")
def server(database: Path) -> Iterator[Server]:
    with serving(f"--database={database}") as server:
        yield server


def create(database: Path, name: str, *arguments: str) -> str:
    command = [sys.executable, "-m", "cca", "keys", "create", "--database", str(database), "--name", name, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True, env=dict(os.environ)).stdout.strip()


def client(server: Server, key: str, max_retries: int = 0) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{server.address}/v1", api_key=key, timeout=20, max_retries=max_retries)


def said(asking: openai.OpenAI, text: str, session: str | None = None) -> str:
    headers = {} if session is None else {"x-session-id": session}
    answer = asking.chat.completions.create(
        model="haiku", messages=[{"role": "user", "content": text}], extra_headers=headers
    )
    return answer.choices[0].message.content or ""


def test_a_key_is_taken_and_a_wrong_one_refused_at_once(server: Server, database: Path) -> None:
    with client(server, create(database, "ann")) as asking:
        assert said(asking, "Reply with exactly: hello") == "hello"
        assert asking.models.list().data
    with client(server, "sk-wrong", max_retries=5) as asking, pytest.raises(openai.AuthenticationError) as refused:
        said(asking, "hi")
    assert refused.value.code == "invalid_api_key"


def test_a_key_without_the_scope_is_refused_with_its_name(server: Server, database: Path) -> None:
    with client(server, create(database, "reader", "--scopes", "usage")) as asking:
        with pytest.raises(openai.PermissionDeniedError, match="chat"):
            said(asking, "hi")
        assert asking.get("/usage", cast_to=object)


def test_a_session_remembers_and_is_its_owners_alone(server: Server, database: Path) -> None:
    with client(server, create(database, "eve")) as eve, client(server, create(database, "bob")) as bob:
        said(eve, "My name is Eve.", "s")
        said(eve, "Reply with exactly: two", "s")
        assert len(eve.get("/sessions/s/turns", cast_to=dict)["data"]) == 4
        with pytest.raises(openai.NotFoundError):
            bob.get("/sessions/s", cast_to=object)
        said(bob, "hi", "s")
        assert len(bob.get("/sessions/s/turns", cast_to=dict)["data"]) == 2


def test_a_limit_is_an_exception_that_says_how_long(server: Server, database: Path) -> None:
    with client(server, create(database, "busy", "--limit", "rpm=1")) as asking:
        said(asking, "one")
        with pytest.raises(openai.RateLimitError) as refused:
            said(asking, "two")
    assert refused.value.code == "rate_limit_exceeded"
    assert 50 <= int(refused.value.response.headers["retry-after"]) <= 60
    assert refused.value.response.headers["x-ratelimit-remaining-requests"] == "0"


def test_a_client_waits_for_as_long_as_it_is_told_and_gets_through(server: Server, database: Path) -> None:
    """Two at once, and the third has to wait for one of them."""
    key = create(database, "patient", "--limit", "concurrent=2")
    with client(server, key, max_retries=5) as asking, ThreadPoolExecutor(3) as threads:
        answers = list(threads.map(lambda number: said(asking, f"Reply with exactly: {number}"), range(3)))
    assert answers == ["0", "1", "2"]
