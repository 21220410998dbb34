"""What a recorder keeps, where, and for whom."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest
import trio
from fakes import CONVERSATION, Step, argv, launching, nothing_left, open_backend, read_all, read_frame

from cca.backends import Exit, Process
from cca.backends.live import Launcher
from cca.backends.record import Recorder, digest_name, write_atomically
from cca.backends.replay import load
from cca.backends.telltales import Identity
from cca.backends.transcript import Ended, Garbled, Read, Transcript, Written, decode
from cca.claude import frames
from cca.claude.launch import Directories, Launch
from cca.claude.lines import LINE_LIMIT
from cca.errors import UpstreamFailed
from cca.model import AssistantTurn, Conversation, Text, UserTurn

FRAME = frames.apply_settings("1", {"model": "haiku"})
NOBODY = Identity(None, None)


@asynccontextmanager
async def recording(tmp_path: Path, *steps: Step) -> AsyncIterator[Process]:
    """Own a process that is recorded into ``tmp_path / "kept"``."""
    async with open_backend(tmp_path / "run", launching(*steps)) as live:
        recorder = Recorder(live, tmp_path / "kept", NOBODY)
        async with recorder.open(CONVERSATION) as process:
            yield process


async def record(tmp_path: Path, launcher: Launcher, identity: Identity = NOBODY) -> Transcript:
    """Record a conversation in which a frame is written first, and everything is read."""
    async with open_backend(tmp_path / "run", launcher) as live:
        recorder = Recorder(live, tmp_path / "kept", identity)
        async with recorder.open(CONVERSATION) as process:
            process.write(FRAME)
            await read_all(process)
            await process.wait()
    return only(tmp_path)


def only(tmp_path: Path) -> Transcript:
    (path,) = (tmp_path / "kept").iterdir()
    return decode(path.read_bytes())


async def test_what_passed_is_kept_in_its_order(tmp_path: Path) -> None:
    steps: tuple[Step, ...] = (
        ("frame",),
        ("print", '{"type":"result","num_turns":1}'),
        ("print", "garbled"),
        ("raw", '{"type":"resu'),
        ("stderr", "oops\n"),
        ("exit", 3),
    )
    transcript = await record(tmp_path, launching(*steps))
    assert transcript.header.cli == "2.1.330"
    assert transcript.header.argv[0] == Path(argv()[0]).name
    assert transcript.header.env == ("ANTHROPIC_API_KEY",)
    match transcript.entries:
        case (Written(0, sent), Read(t1, line), Garbled(t2, "garbled"), Garbled(t3, cut), Ended(t4, how)):
            assert (sent, line) == (orjson.loads(FRAME), {"type": "result", "num_turns": 1})
            assert (cut, how) == ('{"type":"resu', Exit(3, "oops\n"))
            assert [0, t1, t2, t3, t4] == sorted([0, t1, t2, t3, t4])
        case entries:
            pytest.fail(str(entries))


async def test_a_history_that_went_in_as_a_file_is_so_in_the_recording(tmp_path: Path) -> None:
    """Of the file its header tells no more than that there was one: what stood in it is in the request."""
    said = UserTurn((Text("a"),))
    conversation = Conversation("haiku", (said, AssistantTurn((Text("b"),)), said))
    async with open_backend(tmp_path / "run", launching(("hang",))) as live:
        live.file_from = 1
        async with Recorder(live, tmp_path / "kept", NOBODY).open(conversation) as process:
            assert process.recalled
    assert only(tmp_path).header.argv[-1] == "--resume=<run>/history.jsonl"
    async with load(tmp_path / "kept").open(conversation) as process:
        assert process.recalled


async def test_a_last_line_without_its_newline_is_kept(tmp_path: Path) -> None:
    transcript = await record(tmp_path, launching(("raw", '{"type":"result"}')))
    assert [entry.line for entry in transcript.entries if isinstance(entry, Read)] == [{"type": "result"}]


async def test_an_answer_to_a_line_stands_behind_it(tmp_path: Path) -> None:
    """Though the process printed the next line, and the recorder read it, before the answer was written."""
    steps: tuple[Step, ...] = (("print", '{"type":"a"}\n{"type":"b"}'), ("frame",), ("hang",))
    async with recording(tmp_path, *steps) as process:
        assert await process.read() == b'{"type":"a"}\n'
        process.write(FRAME)
        assert await process.read() == b'{"type":"b"}\n'
    assert [type(entry) for entry in only(tmp_path).entries] == [Read, Written, Read, Ended]


async def test_a_process_that_was_killed_has_no_exit(tmp_path: Path) -> None:
    async with recording(tmp_path, ("hang",)):
        pass
    assert [entry.exit for entry in only(tmp_path).entries if isinstance(entry, Ended)] == [None]


async def test_a_conversation_that_its_client_left_is_not_kept(tmp_path: Path) -> None:
    with nothing_left(tmp_path / "run"), trio.CancelScope() as client:
        async with recording(tmp_path, ("print", "{}"), ("hang",)) as process:
            await process.read()
            client.cancel()
            await process.read()
    assert not (tmp_path / "kept").exists()


async def test_a_client_that_leaves_with_its_answer_is_recorded(tmp_path: Path) -> None:
    """It is told of the end before the process is dead."""
    with trio.CancelScope() as client:
        async with recording(tmp_path, ("print", "{}"), ("hang",)) as process:
            await process.read()
            client.cancel()
    assert client.cancelled_caught
    assert [type(entry) for entry in only(tmp_path).entries] == [Read, Ended]


async def test_a_directory_that_cannot_be_written_is_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The answer goes through."""
    (tmp_path / "kept").write_text("a file")
    async with recording(tmp_path, ("print", "{}")) as process:
        assert await read_all(process) == b"{}\n"
    (message,) = [entry.getMessage() for entry in caplog.records]
    assert message.startswith("A conversation was not recorded: ")
    assert "kept" in message
    assert message.endswith("File exists")


async def test_a_disk_that_hangs_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    release = trio.Event()
    token = trio.lowlevel.current_trio_token()

    def hang(*_: object) -> None:
        trio.from_thread.run(release.wait, trio_token=token)

    monkeypatch.setattr("cca.backends.record.write_atomically", hang)
    monkeypatch.setattr("cca.backends.record.SAVE_TIMEOUT", 0.05)
    async with recording(tmp_path):
        pass
    release.set()
    assert "was not written within" in caplog.text


async def test_a_line_without_end_is_a_failure_of_claude_codes(tmp_path: Path) -> None:
    failed = pytest.RaisesExc(UpstreamFailed, match="a line of more than 67,108,864 bytes")
    with pytest.RaisesGroup(failed, flatten_subgroups=True):
        async with recording(tmp_path, ("huge", LINE_LIMIT + 1)) as process:
            await read_all(process)


async def test_files_are_for_their_owner_only(tmp_path: Path) -> None:
    await record(tmp_path, launching())
    (path,) = (tmp_path / "kept").iterdir()
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)


async def test_the_same_request_is_recorded_over_its_last_recording(tmp_path: Path) -> None:
    first = await record(tmp_path, launching(("print", '{"type":"a"}')))
    second = await record(tmp_path, launching(("print", '{"type":"b"}')))
    assert first.header.request == second.header.request
    assert second == only(tmp_path)


def test_the_name_of_a_recording_is_its_requests() -> None:
    assert digest_name({"a": 1, "b": 2}) == digest_name({"b": 2, "a": 1}) != digest_name({"a": 1})


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "kept.ndjson"
    write_atomically(path, b"old")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OSError, match="No space"):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_two_writers_of_one_file_do_not_mix(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "kept.ndjson"
    replace = Path.replace

    def overtaken(unfinished: Path, target: Path) -> Path:
        monkeypatch.setattr(Path, "replace", replace)
        write_atomically(path, b"second")
        return replace(unfinished, target)

    monkeypatch.setattr(Path, "replace", overtaken)
    write_atomically(path, b"first")
    assert path.read_bytes() == b"first"
    assert list(tmp_path.iterdir()) == [path]


SECRET = "Zq8vT2yKx4mB7nLr"


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        pytest.param("{cwd}/x", "<run>/work/x", id="working directory"),
        pytest.param("{home}/x", "<home>/x", id="home"),
        pytest.param(f"is {SECRET}!", "is <credential>!", id="key"),
        pytest.param("https://u:p4ssw0rd@proxy:3128", "<credential>", id="proxy"),
        pytest.param("inherited-value", "<credential>", id="inherited secret"),
        pytest.param("http://gateway.example/v9/m", "<base-url>/m", id="base URL"),
        pytest.param("gateway.example refused", "<base-url> refused", id="host of the base URL"),
        pytest.param("Zaphod on HEART.of.gold", "<user> on <host>", id="user and host"),
        pytest.param("heart only", "<host> only", id="short name of the host"),
        pytest.param("x in short", "x in short", id="a credential of one letter"),
        pytest.param("127.0.0.1", "127.0.0.1", id="addresses that take no proxy"),
    ],
)
async def test_what_the_process_was_given_is_hidden(tmp_path: Path, text: str, kept: str) -> None:
    home = tmp_path / "home"

    def launcher(directories: Directories) -> Launch:
        env = {
            "HOME": str(home),
            "ANTHROPIC_API_KEY": SECRET,
            "ANTHROPIC_AUTH_TOKEN": "x",
            "ANTHROPIC_BASE_URL": "http://gateway.example/v9",
            "HTTPS_PROXY": "https://u:p4ssw0rd@proxy:3128",
            "NO_PROXY": "127.0.0.1",
            "MY_DATABASE_PASSWORD": "inherited-value",
        }
        said = text.replace("{cwd}", directories.work).replace("{home}", str(home))
        line = orjson.dumps({"type": "result", "result": said}).decode()
        return Launch(argv(("print", line)), env, directories.work)

    transcript = await record(tmp_path, launcher, Identity("zaphod", "heart.of.gold"))
    said: list[Any] = [entry.line["result"] for entry in transcript.entries if isinstance(entry, Read)]
    assert said == [kept]


async def test_a_recorder_is_known_by_what_it_records(tmp_path: Path) -> None:
    async with open_backend(tmp_path / "run", launching(("pid",))) as live:
        recorder = Recorder(live, tmp_path / "kept", NOBODY)
        assert (recorder.cli_version, recorder.models) == (live.cli_version, live.models)
        async with live.open(CONVERSATION) as process:
            assert (await read_frame(process))["pid"] != os.getpid()
