"""``cca keys``: what it prints and what of it is kept; and a running cca that follows what another process does."""

import http.client
import json
import os
import re
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from cca.__main__ import CANNOT_START, main
from cca.keys import id_in
from command_harness import in_shell

FAKE = Path(__file__).parent / "backends" / "fake_claude.py"
SECONDS = 60.0
"""For a server to start, on a machine that does much else."""

SOON = 20.0
"""Seconds that stand for one, on such a machine."""

MONTH = 30 * 86_400


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a home of its own, so that the default database is in it."""
    for name in ("CCA_DATABASE", "XDG_STATE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    return tmp_path


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Any:
    """Return what runs ``cca keys``, and returns its exit code, its output and what it told besides."""

    def run(*arguments: str) -> tuple[int, str, str]:
        code = main(["keys", *arguments])
        return code, *capsys.readouterr()

    return run


def test_a_key_alone_is_printed_and_what_to_know_is_told_besides(run: Any, home: Path) -> None:
    code, out, err = run("create", "--name", "ann", "--expires", "30d", "--limit", "rpm=60,usd_per_day=2.5")
    assert code == 0
    assert re.fullmatch(r"sk-cca-[0-9a-f]{16}-[\w-]{43}\n", out)
    key_id = id_in(out.strip().encode())
    assert f"This is key {key_id}, 'ann'. It is shown this once, and kept nowhere." in err
    assert "Scopes: chat,sessions,usage. Limits: rpm=60,usd_per_day=2.5. Expires: 2" in err
    assert "from now on cca answers nobody without one" in err
    file = home / ".local" / "state" / "cca" / "sessions.db"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert out.strip()[-43:].encode() not in file.read_bytes()


def test_only_the_first_key_closes_the_door(run: Any) -> None:
    said = [run("create", "--name", name)[2] for name in ("ann", "bob")]
    assert ["answers nobody without one" in each for each in said] == [True, False]


def test_keys_are_listed_without_themselves(run: Any) -> None:
    made = {name: run("create", "--name", name)[1].strip() for name in ("ann", "bob")}
    run("create", "--name", "carl", "--scopes", "usage", "--limit", "tpm=5", "--expires", "90s")
    run("revoke", "bob")
    code, out, err = run("list")
    assert (code, err) == (0, "")
    heading, *rows = [re.split(r"  +", line) for line in out.splitlines()]
    assert heading == ["ID", "NAME", "STATE", "SCOPES", "LIMITS", "CREATED", "EXPIRES"]
    assert [row[1:5] for row in rows] == [
        ["ann", "valid", "chat,sessions,usage", "none"],
        ["bob", "revoked", "chat,sessions,usage", "none"],
        ["carl", "valid", "usage", "tpm=5"],
    ]
    assert [row[0] for row in rows[:2]] == [id_in(made[name].encode()) for name in ("ann", "bob")]
    assert not any(key[-43:] in out for key in made.values())


def test_keys_are_listed_as_json(run: Any) -> None:
    run("create", "--name", "ann", "--expires", "30d", "--scopes", "admin", "--limit", "rpm=5")
    ((code, out, err),) = [run("list", "--json")]
    assert (code, err) == (0, "")
    (row,) = json.loads(out)
    assert row.pop("expires_at") - row["created_at"] == MONTH
    assert abs(row.pop("created_at") - time.time()) < SECONDS
    assert re.fullmatch("[0-9a-f]{16}", row.pop("id"))
    assert row == {
        "name": "ann",
        "state": "valid",
        "scopes": ["admin"],
        "limits": {"rpm": 5, "tpm": None, "concurrent": None, "usd_per_day": None},
        "revoked_at": None,
    }


@pytest.mark.parametrize("output", ["full", "gone"])
def test_a_key_that_could_not_be_printed_is_named_so_that_it_can_be_revoked(run: Any, output: str) -> None:
    """Its reader is gone, or its file takes nothing."""
    reading, writing = os.pipe()
    os.close(reading)
    redirected = ">/dev/full" if output == "full" else ">&0"
    done = in_shell(redirected, "keys", "create", "--name", "ann", stdin=writing)
    os.close(writing)
    [listed] = json.loads(run("list", "--json")[1])
    assert (done.returncode, done.stdout) == (CANNOT_START, "")
    assert re.fullmatch(
        rf"cca: The key {listed['id']}, 'ann', was made, and could not be printed: .+\. Nobody has it: revoke it with "
        rf"`cca keys revoke {listed['id']}`, and make another\.\n",
        done.stderr,
    )


def test_no_key_is_made_where_it_could_not_be_printed(run: Any, home: Path) -> None:
    done = in_shell(">&-", "keys", "create", "--name", "ann")
    assert (done.returncode, done.stderr.count("\n")) == (CANNOT_START, 1)
    assert not (home / ".local").exists()


@pytest.mark.parametrize("stderr", ["2>&-", "2>/dev/full"], ids=["closed", "full"])
def test_a_key_stays_alone_on_stdout_where_nothing_can_be_told_besides(home: Path, stderr: str) -> None:
    done = in_shell(stderr, "keys", "create", "--name", "ann")
    assert re.fullmatch(r"sk-cca-[0-9a-f]{16}-[\w-]{43}\n", done.stdout)


@pytest.mark.parametrize("by", ["name", "id"])
def test_a_key_is_revoked_by_name_or_id_as_often_as_one_likes(run: Any, by: str) -> None:
    made = run("create", "--name", "ann")[1].strip()
    key_id = id_in(made.encode())
    said = [run("revoke", "ann" if by == "name" else key_id) for _ in range(2)]
    assert said[0] == said[1]
    assert said[0][0] == 0
    assert re.fullmatch(rf"Key {key_id}, 'ann', is revoked since 2[-\d]+ [:\d]+Z\.\n", said[0][1])


def test_a_database_is_the_one_that_is_named(run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    by_flag, by_variable = tmp_path / "a" / "x.db", tmp_path / "y.db"
    run("create", "--name", "ann", "--database", str(by_flag))
    monkeypatch.setenv("CCA_DATABASE", str(by_variable))
    run("create", "--name", "bob")
    assert "ann" in run("list", "--database", str(by_flag))[1]
    listed = run("list")[1]
    assert "bob" in listed
    assert "ann" not in listed
    assert not (tmp_path / ".local").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["create", "--name", "ann"], r"There is a key named 'ann'\. Choose another name, or revoke that key first\."),
        (["revoke", "bob"], r"There is no key with this name or id\. See `cca keys list`\."),
        (["list", "--database", "{home}/none.db"], r"There is no database {home}/none\.db yet\. Name another"),
        (["revoke", "ann", "--database", "{home}/none.db"], r"There is no database"),
        (["list", "--database", "{home}/notes.txt"], r"The file {home}/notes\.txt is not a database"),
    ],
)
def test_what_it_cannot_do_is_one_clear_line(run: Any, home: Path, arguments: list[str], message: str) -> None:
    run("create", "--name", "ann")
    (home / "notes.txt").write_text("shopping: milk, bread\n" * 99)
    code, out, err = run(*(each.replace("{home}", str(home)) for each in arguments))
    assert (code, out) == (CANNOT_START, "")
    assert re.fullmatch(rf"cca: {message.replace('{home}', re.escape(str(home)))}[^\n]*\n", err)
    assert not (home / "none.db").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["create"], "the following arguments are required: --name"),
        (["create", "--name", ""], "--name: a key's name is 1 to 64 printable characters"),
        (["create", "--name", "a", "--scopes", "all"], "--scopes: 'all' are no scopes; possible are chat, sessions"),
        (["create", "--name", "a", "--expires", "soon"], "--expires: 'soon' is no duration; say a number and s, m"),
        (["create", "--name", "a", "--limit", "rps=1"], "--limit: 'rps=1' is no limit; possible are rpm"),
        ([], "the following arguments are required: COMMAND"),
    ],
)
def test_what_cannot_be_read_is_told_and_nothing_is_made(
    home: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["keys", *arguments])
    assert ended.value.code == 2
    out, err = capsys.readouterr()
    assert (out, message in err) == ("", True)
    assert not (home / ".local").exists()


def test_a_database_with_no_key_in_it_is_told(run: Any, home: Path) -> None:
    with serving(home, *CCA):
        code, out, err = run("list")
        assert run("list", "--json")[1] == "[]\n"
    assert (code, out) == (0, "")
    assert "There is no key" in err


CCA = ["cca", "serve", "--port", "0"]
HYPERCORN = ["hypercorn", "-k", "trio", "-w", "0", "-b", "127.0.0.1:0", "cca:create_app()"]


@contextmanager
def serving(home: Path, *command: str) -> Iterator[int]:
    """Run a cca whose answers begin and never go on; yield its port."""
    claude = home / "claude"
    claude.write_text(
        f'#!/bin/sh\nif [ "$1" = --version ]; then echo "2.1.330 (Claude Code)"; exit; fi\n'
        f"exec {sys.executable} -I -S {FAKE} '{json.dumps([['serve']])}'\n"
    )
    claude.chmod(0o700)
    environ = {**os.environ, "CCA_CLAUDE": str(claude), "CCA_SELF_TEST": "0", "CCA_SANDBOX": "off"}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    with subprocess.Popen([sys.executable, "-m", *command], text=True, env=environ, **pipes) as server:  # type: ignore[call-overload]
        try:
            said = [server.stdout.readline()]
            while said[-1] and not (found := re.search(r"(?:port |127\.0\.0\.1:)(\d+)\b", said[-1])):
                said.append(server.stdout.readline())
            assert found, said
            yield int(found[1])
        finally:
            server.kill()


@contextmanager
def asked(port: int, key: str, path: str, body: Any = None) -> Iterator[http.client.HTTPResponse]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=SECONDS)
    headers = {"Authorization": f"Bearer {key}"} | ({} if body is None else {"Content-Type": "application/json"})
    connection.request("GET" if body is None else "POST", path, body and json.dumps(body), headers)
    with connection.getresponse() as response:
        yield response
    connection.close()


def status(port: int, key: str) -> int:
    with asked(port, key, "/v1/models") as response:
        return response.status


STREAMED = {"model": "haiku", "messages": [{"role": "user", "content": "hi"}], "stream": True}


@pytest.mark.parametrize("command", [CCA, HYPERCORN], ids=["cca", "hypercorn"])
def test_a_running_cca_follows_the_command(run: Any, home: Path, command: list[str]) -> None:
    """The first key closes the server, another is good at once, a revoked one ends with all it has running."""
    with serving(home, *command) as port:
        assert status(port, "any") == 200
        ann = run("create", "--name", "ann")[1].strip()
        deadline = time.monotonic() + SOON
        while status(port, "any") != 401:
            assert time.monotonic() < deadline
        bob = run("create", "--name", "bob")[1].strip()
        assert status(port, bob) == 200
        with asked(port, ann, "/v1/chat/completions", STREAMED) as hers, asked(port, bob, "/v1/models") as his:
            assert (hers.status, his.status) == (200, 200)
            run("revoke", "ann")
            began = time.monotonic()
            said = hers.read()
            assert time.monotonic() - began < SOON
        assert b'"code":"invalid_api_key"' in said
        assert [status(port, key) for key in (ann, bob)] == [401, 200]


def test_with_a_key_it_serves_beyond_loopback_and_says_where(run: Any, home: Path) -> None:
    ann = run("create", "--name", "ann")[1].strip()
    with serving(home, *CCA, "--host", "0.0.0.0") as port:
        assert [status(port, key) for key in (ann, "any")] == [200, 401]
