"""The tool that records fixtures: what it refuses, and what it compares with."""

from pathlib import Path

import pytest

from cca.backends import Exit
from cca.backends.transcript import Ended, Entry, Header, Read, Transcript, encode
from tools.cases import CASES
from tools.record import changed, main, newest, write_index


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["plane"], "not among the cases: plane. They are plain, "),
        (["plain", "plane", "x"], "not among the cases: plane, x. "),
        (["--check", "plane"], "not among the cases: plane. "),
        (["--account", "unicode"], "not among the cases for an account: unicode. "),
    ],
    ids=["unknown", "two unknown", "to check", "not for an account"],
)
def test_a_case_that_there_is_not_is_refused_before_anything_starts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], told: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--claude", "/nowhere", "--into", str(tmp_path), *arguments])
    assert ended.value.code == 2
    assert told in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_the_newest_version_is_newest_by_its_numbers(tmp_path: Path) -> None:
    for name in ("2.1.99", "2.1.330", "2.0.1000", "account-2.1.400"):
        (tmp_path / name).mkdir()
    assert newest(tmp_path).name == "2.1.330"


def save(directory: Path, name: str, said: str, at: int, delay: int) -> None:
    retry = {"type": "system", "subtype": "api_retry", "retry_delay_ms": delay}
    heard = Read(at, {"type": "control_response", "response": {"subtype": "success", "request_id": "seal"}})
    lines: list[Entry] = [Read(at, {"type": "result", "result": said}), Read(at, retry)]
    lines.insert(at, heard)
    entries = (*lines, Ended(at, Exit(0)))
    directory.mkdir(exist_ok=True)
    (directory / f"{name}.ndjson").write_bytes(encode(Transcript(Header("2.1.330", ("claude",), (), {}), entries)))


def test_a_recording_changed_if_anything_but_its_times_did_and_when_a_frame_was_read(tmp_path: Path) -> None:
    before, after = tmp_path / "before", tmp_path / "after"
    for directory, said, at in ((before, "old", 1), (after, "new", 2)):
        save(directory, "same", "same", at, delay=at)
        save(directory, "other", said, at, delay=at)
    save(after, "added", "x", 1, delay=1)
    assert list(changed(before, after)) == ["added", "other"]


def test_the_index_says_what_each_recording_proves(tmp_path: Path) -> None:
    plain = next(case for case in CASES if case.name == "plain")
    save(tmp_path, "plain", "x", 1, delay=1)
    write_index(tmp_path)
    page = (tmp_path / "README.md").read_text()
    assert f"| `plain` | {plain.proves} |\n" in page
    assert page.startswith(f"# Conversations with Claude Code {tmp_path.name}\n")
