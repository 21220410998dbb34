"""``cca doctor``: what it prints, and how it ends."""

import json
from pathlib import Path

import pytest

from cca.__main__ import FAULT, main
from command_harness import in_shell

FIXTURES = Path(__file__).parents[1] / "fixtures"


@pytest.fixture(autouse=True)
def environ(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "CLAUDE_CODE_OAUTH_TOKEN", "CLAUDE_CONFIG_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))


def test_all_is_well_where_nothing_is_asked_of_claude_code(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--replay", str(FIXTURES), "--port", "0"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["ok"] * 6


def test_a_failure_is_told_with_what_to_do_and_by_the_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--claude", "/nowhere", "--port", "0", "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert told["ok"] is False
    failures = [check for check in told["checks"] if check["level"] == "fail"]
    assert [check["checked"] for check in failures] == ["claude code", "login"]
    assert all(check["do"] for check in failures)


def test_a_host_that_is_open_and_without_keys_fails() -> None:
    assert main(["doctor", "--replay", str(FIXTURES), "--port", "0", "--host", "0.0.0.0"]) == 1


def test_a_setting_that_cannot_be_used(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--port", "99999"]) == 2
    assert "--port (CCA_PORT) is 99999" in capsys.readouterr().err


def test_a_fault_is_logged_and_what_it_says_is_not_printed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """S-63: Python would print it, with a traceback, past the log."""

    async def break_down(*_: object) -> None:
        raise ValueError("the treasure is under the oak")

    monkeypatch.setattr("cca.commands.doctor.examine", break_down)
    assert main(["doctor"]) == FAULT
    assert capsys.readouterr() == ("", "")
    assert [record.message for record in caplog.records] == ["A fault in cca ended it."]


def test_a_full_disk_is_one_line() -> None:
    """``serve`` has a line to print, too."""
    for arguments in (["doctor", "--port=0"], ["serve"]):
        said = in_shell("> /dev/full", *arguments, "--replay", str(FIXTURES), *["--port=0"] * (arguments == ["serve"]))
        assert said.returncode == 2
        assert said.stderr.count("\n") == 1, said.stderr
        assert "No space left on device" in said.stderr
