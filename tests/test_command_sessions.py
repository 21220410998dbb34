"""``cca sessions``: what is exported comes back whole, and what cannot be done is said and leaves nothing half done."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio

from archived import ENDING_WELL, EVERYTHING, FIXTURES, MODEL, RECORDINGS, answer, kept, session, text, user
from cca.__main__ import CANNOT_START, NOBODY_READS, main
from cca.archive import Archive
from cca.backends.replay import open_replay
from cca.backends.synthesis import transcript_of
from cca.backends.transcript import conversation_of, decode, encode, request_json
from cca.commands import moment
from cca.commands import sessions as list_room
from cca.errors import BadRequest, CcaError, Conflict, NotFound
from cca.exchange import CHANNEL_SIZE, Deadlines, converse
from cca.keys import Key
from cca.markdown import markdown
from cca.message import Message
from cca.model import Conversation, Text, Told, UserTurn
from cca.store.database import open_database
from cca.store.sessions import TITLE_LIMIT, Name, find
from cca.talk import fresh
from command_harness import ANN, BOB, NOW, Desk, in_shell

Captured = pytest.CaptureFixture[str]

SHORT = session(user(text("Hi.")), answer(text("Ho.")))
UNANSWERED = session(user(text("Hi.")), answer(text("Ho"), status="incomplete"))


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path / "cca.db")


def named(archived: Archive, session_id: str) -> Archive:
    return attrs.evolve(archived, id=session_id)


# To list, to show.


def test_all_sessions_are_listed_those_last_used_first(desk: Desk, capsys: Captured) -> None:
    desk.make_key(ANN)
    desk.keep(EVERYTHING, expires_after=60.0)
    later = attrs.evolve(desk, now=NOW + 1)
    later.keep(named(SHORT, "s2"), owner=ANN.id)
    later.keep(named(SHORT, "s3"), owner="0123456789abcdef")
    desk.run("sessions", "list")
    assert capsys.readouterr().out == (
        "ID  KEY               TITLE         TURNS  UPDATED               EXPIRES\n"
        "s3  0123456789abcdef  -             2      2026-01-02 00:00:01Z  never\n"
        "s2  ann               -             2      2026-01-02 00:00:01Z  never\n"
        "s1  -                 All there is  9      2026-01-02 00:00:00Z  2026-01-02 00:01:00Z\n"
    )


def test_a_list_as_json(desk: Desk, capsys: Captured) -> None:
    desk.make_key(ANN)
    desk.keep(named(EVERYTHING, "s2"), owner=ANN.id, expires_after=60.0)
    desk.run("sessions", "list", "--json")
    assert json.loads(capsys.readouterr().out) == [
        {
            "id": "s2",
            "owner": ANN.id,
            "key_name": "ann",
            "title": "All there is",
            "turns": 9,
            "created_at": EVERYTHING.created_at,
            "updated_at": NOW,
            "expires_after": 60.0,
            "expires_at": NOW + 60.0,
        }
    ]


@pytest.mark.parametrize("as_json", [False, True], ids=["table", "JSON"])
def test_a_list_in_pages_is_the_same_list(
    desk: Desk,
    capsys: Captured,
    monkeypatch: pytest.MonkeyPatch,
    as_json: bool,  # noqa: FBT001
) -> None:
    """Whether some were last used at one moment, and whether the last page is full or not."""
    for number in range(6):
        attrs.evolve(desk, now=NOW + number // 4).keep(named(SHORT, f"s{number}"))
    said = []
    for size in (list_room.PAGE, 1, 2, 3, 4):
        monkeypatch.setattr(list_room, "PAGE", size)
        desk.run("sessions", "list", *(["--json"] if as_json else []))
        said.append(capsys.readouterr().out)
    assert said == [said[0]] * 5
    assert re.findall(r"\bs\d\b", said[0]) == ["s5", "s4", "s3", "s2", "s1", "s0"]


def test_each_page_of_a_list_is_a_transaction(desk: Desk, capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever writes waits for one page, and what is written meanwhile is on the next one."""
    for number in range(3):
        attrs.evolve(desk, now=NOW + number).keep(named(SHORT, f"s{number}"))
    monkeypatch.setattr(list_room, "PAGE", 1)

    async def listed() -> list[str]:
        async with open_database(desk.path) as database, open_database(desk.path) as writing:
            ids = []
            async for [(found, _)] in list_room.pages(database, NOW):
                ids.append(found.id)
                await writing.write(lambda connection: connection.execute("DELETE FROM session WHERE id = 's1'"))
            return ids

    assert trio.run(listed) == ["s2", "s0"]


def test_a_list_of_none_as_json(desk: Desk, capsys: Captured) -> None:
    desk.make_key(ANN)
    desk.run("sessions", "list", "--json")
    assert capsys.readouterr().out == "[]\n"


def test_what_is_wider_than_the_first_page_is_shown_in_full(
    desk: Desk, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    attrs.evolve(desk, now=NOW + 1).keep(named(SHORT, "s"))
    desk.keep(named(SHORT, "a-long-name"))
    monkeypatch.setattr(list_room, "PAGE", 1)
    desk.run("sessions", "list")
    _, first, second = capsys.readouterr().out.splitlines()
    assert first.split() == ["s", "-", "-", "2", "2026-01-02", "00:00:01Z", "never"]
    assert second.split() == ["a-long-name", "-", "-", "2", "2026-01-02", "00:00:00Z", "never"]


def test_what_has_expired_is_not_there(desk: Desk, capsys: Captured) -> None:
    desk.keep(SHORT, expires_after=60.0)
    later = attrs.evolve(desk, now=NOW + 60.0)
    later.run("sessions", "list")
    assert capsys.readouterr() == ("", "There is no session.\n")
    with pytest.raises(NotFound):
        later.run("sessions", "show", "s1")


def test_a_session_is_shown_in_brief(desk: Desk, capsys: Captured) -> None:
    desk.keep(attrs.evolve(EVERYTHING, title="\x1b[2J" + "long " * 20))
    desk.run("sessions", "show", "s1")
    shown = capsys.readouterr().out
    assert shown.startswith("id:       s1\nkey:      -\ntitle:     [2Jlong long")
    assert "system:   Be brief. Be kind.\n\nTURN  ROLE       STATUS       MODEL             TOKENS  COST" in shown
    assert f"1     assistant  completed    {MODEL}  37      $0.001234  [thinking] I look. [tool_use find]\n" in shown
    assert "2     user       completed    -                 -       -          [tool_result] [tool_result]\n" in shown
    assert "5     assistant  undelivered" in shown
    assert shown.isascii()


def test_nothing_that_was_said_moves_a_terminal(desk: Desk, capsys: Captured) -> None:
    nasty = "a\x1b]0;b\x07\r\n\x9bc\u202e"
    desk.keep(attrs.evolve(session(user(text(nasty)), answer(text(nasty)), title=nasty), system=(nasty,)))
    for command in (["list"], ["show", "s1"]):
        desk.run("sessions", *command)
    assert all(each.isprintable() or each == "\n" for each in capsys.readouterr().out)


# Out, and in again.


def exported(desk: Desk, capsysbinary: Any, *arguments: str) -> bytes:
    desk.run("sessions", "export", *arguments)
    out: bytes = capsysbinary.readouterr().out
    return out


@pytest.mark.parametrize("title", [None, "A walk"])
def test_an_export_comes_back_whole_to_another_owner(
    desk: Desk, tmp_path: Path, capsysbinary: Any, title: str | None
) -> None:
    """The same rows; a new owner; kept from now on, for as long as the settings say."""
    archived = attrs.evolve(EVERYTHING, title=title)
    desk.keep(archived)
    file = tmp_path / "s1.ndjson"
    file.write_bytes(exported(desk, capsysbinary, "s1"))
    desk.make_key(ANN)
    later = attrs.evolve(desk, now=NOW + 1000)
    later.run("sessions", "import", str(file), "--key", "ann", CCA_SESSION_EXPIRY="3600")
    assert capsysbinary.readouterr().out == b"s1\n"
    assert later.kept("s1", owner=ANN.id) == attrs.evolve(archived, updated_at=NOW + 1000)
    found = later.within(lambda connection: find(connection, Name(ANN.id, "s1"), later.now))
    assert found is not None
    assert (found.expires_after, found.expires_at) == (3600.0, NOW + 4600)


def test_an_import_without_expiry_stays(desk: Desk, capsys: Captured) -> None:
    desk.run("sessions", "import", str(FIXTURES / "2.1.330" / "plain.ndjson"), CCA_SESSION_EXPIRY="inf")
    assert capsys.readouterr() == (f"session_{2:032x}\n", "It has 2 turns, and expires: never.\n")


def test_an_import_takes_the_id_and_the_title_that_are_given(desk: Desk, tmp_path: Path) -> None:
    desk.keep(EVERYTHING)
    file = tmp_path / "s1.ndjson"
    desk.run("sessions", "export", "s1", "--output", str(file))
    desk.run("sessions", "import", str(file), "--id", "s2", "--title", "Another")
    assert desk.kept("s2") == attrs.evolve(EVERYTHING, id="s2", title="Another", updated_at=NOW)


@pytest.mark.parametrize("name", ENDING_WELL)
def test_a_recording_is_imported_and_exported_again(desk: Desk, tmp_path: Path, capsysbinary: Any, name: str) -> None:
    recording = RECORDINGS[name]
    desk.run("sessions", "import", str(FIXTURES / f"{recording.name}.ndjson"), "--id", "s1")
    capsysbinary.readouterr()
    asked, exporting = conversation_of(recording.request), decode(exported(desk, capsysbinary, "s1")).header
    again = conversation_of(exporting.request)
    assert again.turns == tuple(map(kept, asked.turns))
    assert again.system == asked.system
    assert exporting.session["turns"][-1]["answer"]["model"] == exporting.request["model"]


async def answered(directory: Path) -> str:
    """Return what a server that replays ``directory`` answers the one recording's request with."""
    backend = await open_replay(directory)
    conversation = conversation_of(backend.recordings[0].request)
    sender, events = trio.open_memory_channel[Told](CHANNEL_SIZE)
    message = Message()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(converse, fresh(backend, conversation, lambda: 0.0), Deadlines(9, 9, 9), sender)
        async for told in events:
            message.take(told.event)
    assert message.stop_reason == "end_turn"
    return message.said


def test_a_replay_of_an_export_answers_as_the_session_did(desk: Desk, tmp_path: Path) -> None:
    desk.keep(EVERYTHING)
    desk.run("sessions", "export", "s1", "--output", str(tmp_path / "exports" / "s1.ndjson"))
    assert trio.run(answered, tmp_path / "exports") == "So I do."


def test_an_export_as_markdown(desk: Desk, tmp_path: Path, capsysbinary: Any) -> None:
    desk.keep(EVERYTHING)
    page = markdown(attrs.evolve(EVERYTHING, updated_at=NOW), moment).encode()
    assert exported(desk, capsysbinary, "s1", "--format", "markdown") == page
    desk.run("sessions", "export", "s1", "--format", "markdown", "--output", str(tmp_path / "s1.md"))
    assert (tmp_path / "s1.md").read_bytes() == page


def test_a_session_without_an_answer_can_be_read_as_markdown(desk: Desk, tmp_path: Path, capsysbinary: Any) -> None:
    desk.keep(UNANSWERED)
    output = tmp_path / "s1.ndjson"
    with pytest.raises(Conflict, match=r"No fixture can be made: .*s1 has no complete answer.*Use --format markdown\."):
        desk.run("sessions", "export", "s1", "--output", str(output))
    assert not output.exists()
    assert b"incomplete" in exported(desk, capsysbinary, "s1", "--format", "markdown")


def test_arguments_that_no_recording_can_hold(desk: Desk, capsysbinary: Any) -> None:
    """JSON that is as deep as can be written is too deep with the rest of a recording around it."""
    deep: Any = {}
    for _ in range(249):
        deep = {"a": deep}
    call = {"type": "tool_use", "id": "1", "name": "dig", "input": deep}
    desk.keep(session(user(text("Dig.")), answer(call)))
    with pytest.raises(Conflict, match=r"No fixture can be made of session s1: .*Use --format markdown"):
        desk.run("sessions", "export", "s1")
    assert b"Tool call:" in exported(desk, capsysbinary, "s1", "--format", "markdown")


def test_an_export_says_that_it_hides_nothing(desk: Desk, tmp_path: Path, capsys: Captured) -> None:
    """The user's own copy is whole, and for nobody else's eyes."""
    desk.keep(session(user(text("My key is sk-ant-api03-abcdefghijklmnop.")), answer(text("Mail me@example.com."))))
    output = tmp_path / "s1.ndjson"
    desk.run("sessions", "export", "s1", "--output", str(output))
    assert capsys.readouterr().err == (
        "This is session s1. Nothing of it is redacted: what was said is in it as it was said, secrets too.\n"
    )
    assert "sk-ant-api03-abcdefghijklmnop" in output.read_text()
    assert "me@example.com" in output.read_text()
    assert output.stat().st_mode & 0o777 == 0o600
    with pytest.raises(SystemExit):
        desk.run("sessions", "export", "--help")
    assert "Nothing of it is redacted" in " ".join(capsys.readouterr().out.split())


def test_an_output_that_is_no_file_is_left_as_it_is(desk: Desk, tmp_path: Path) -> None:
    """Nor is a device replaced by a file."""
    desk.keep(SHORT)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path in (pipe, tmp_path):
        with pytest.raises(BadRequest, match=rf"{path} is no file\. Name one with --output"):
            desk.run("sessions", "export", "s1", "--output", str(path))
    assert pipe.is_fifo()


def test_an_output_that_cannot_be_written(desk: Desk) -> None:
    """A file is in the way of its directory; or it cannot even be looked whether there is one."""
    desk.keep(SHORT)
    for path in (desk.path / "s1.ndjson", desk.path.parent / ("x" * 300)):
        with pytest.raises(BadRequest, match=rf"{path} cannot be written: .+\. Name another file"):
            desk.run("sessions", "export", "s1", "--output", str(path))


# What cannot come in.


def recording(**changes: Any) -> bytes:
    """Return the export of a session with something else in its place."""
    header, *rows = encode(transcript_of(SHORT)).splitlines(keepends=True)
    return json.dumps({**json.loads(header), **changes}).encode() + b"\n" + b"".join(rows)


def archived_as(**changes: Any) -> bytes:
    return recording(session={**json.loads(recording().splitlines()[0])["session"], **changes})


def turns_of(**changes: Any) -> Any:
    """Return the turns of the export of a session, with something else in all of them."""
    exported = json.loads(recording().splitlines()[0])["session"]
    return [{**turn, **changes} for turn in exported["turns"]]


def slow_recording() -> bytes:
    header, *rows = recording(session=None).splitlines()
    return b"\n".join([header, *(json.dumps({**json.loads(row), "at": 10**16}).encode() for row in rows)])


FAILED = (FIXTURES / "2.1.330" / "error_400.ndjson").read_bytes()


@pytest.mark.parametrize(
    ("content", "why"),
    [
        pytest.param(b"", "it does not begin as a recording", id="empty"),
        pytest.param(b"\xff\xfe", "a line is not JSON", id="not text"),
        pytest.param(b"# Session `s1`\n", "a line is not JSON", id="an export as Markdown"),
        pytest.param(b"[1]\n", "it does not begin as a recording", id="other JSON"),
        pytest.param(recording(format=2), "its format is 2, and this cca knows format 1", id="another format"),
        pytest.param(recording().rpartition(b"\n{")[0], "it must end once", id="cut short"),
        pytest.param(FAILED, "its answer failed: The model's API refused", id="a failed answer"),
        pytest.param(recording(session=5), "has not the fields of one", id="no session"),
        pytest.param(archived_as(turns=[1]), "its turn 0 is not understood", id="no turn"),
        pytest.param(archived_as(id="a b"), "a session's id is 1 to 128 letters", id="no id"),
        pytest.param(archived_as(id=".."), "not dots alone", id="an id of dots"),
        pytest.param(archived_as(turns=turns_of(id="x" * 129)), "the ids of its turns are not", id="a long turn's id"),
        pytest.param(archived_as(turns=turns_of(id="same")), "two have the same one", id="one id for two turns"),
        pytest.param(slow_recording(), "a number or a name that no answer has", id="a recording of 300,000 years"),
        pytest.param(archived_as(title="x" * (TITLE_LIMIT + 1)), "may have 500 characters", id="a long title"),
        pytest.param(recording(session=None, request={}), "its request is not understood", id="no request"),
    ],
)
def test_what_cca_did_not_write_is_refused_untouched(desk: Desk, tmp_path: Path, content: bytes, why: str) -> None:
    file = tmp_path / "given"
    file.write_bytes(content)
    with pytest.raises(BadRequest) as raised:
        desk.run("sessions", "import", str(file))
    said = raised.value.message
    assert re.match(rf"{file} cannot be imported: .*{re.escape(why)}", said)
    assert said.endswith("Give a file that `cca sessions export` or `cca serve --record` wrote.")
    assert file.read_bytes() == content
    assert not desk.path.exists()


def test_a_file_that_is_not_there(desk: Desk, tmp_path: Path) -> None:
    for path in (tmp_path / "nowhere", tmp_path):
        with pytest.raises(BadRequest, match=rf"{path} cannot be read: .+\. Name a file that is there"):
            desk.run("sessions", "import", str(path))


def test_an_id_that_is_taken_is_not_overwritten(desk: Desk, tmp_path: Path) -> None:
    desk.keep(SHORT)
    file = tmp_path / "s1.ndjson"
    desk.run("sessions", "export", "s1", "--output", str(file))
    desk.within(lambda connection: connection.execute("UPDATE session SET created_at = 5"))
    with pytest.raises(Conflict, match=r"There is a session s1 already\. Give this one another id with --id\."):
        desk.run("sessions", "import", str(file))
    assert desk.kept("s1") == attrs.evolve(SHORT, created_at=5.0, updated_at=NOW)


@pytest.mark.parametrize("flag", [("--id", "a b"), ("--id", ""), ("--title", "x" * 501), ("--title", "\udcff")])
def test_a_name_or_a_title_that_no_session_has(desk: Desk, capsys: Captured, flag: tuple[str, str]) -> None:
    with pytest.raises(SystemExit) as ended:
        desk.run("sessions", "import", str(FIXTURES / "2.1.330" / "plain.ndjson"), *flag)
    assert ended.value.code == CANNOT_START
    assert f"argument {flag[0]}: " in capsys.readouterr().err
    assert not desk.path.exists()


# Whose.


def revoked(key: Key, at: float) -> Key:
    return attrs.evolve(key, id=f"{at:016.0f}", revoked_at=at)


@pytest.fixture
def shared(desk: Desk) -> Desk:
    """Return a desk where three have a session of the same id."""
    for key in (revoked(ANN, 5), revoked(ANN, 6), ANN, BOB):
        desk.make_key(key)
    for owner, title in (("", "nobody's"), (ANN.id, "ann's"), (BOB.id, "bob's"), (revoked(ANN, 6).id, "old ann's")):
        desk.keep(attrs.evolve(SHORT, title=title), owner=owner)
    return desk


@pytest.mark.parametrize(
    "command", [("show", "s1"), ("export", "s1"), ("delete", "s1")], ids=["show", "export", "delete"]
)
def test_an_id_of_several_owners_needs_one_of_them(shared: Desk, command: tuple[str, ...]) -> None:
    with pytest.raises(Conflict) as raised:
        shared.run("sessions", *command)
    assert raised.value.message == (
        "4 owners have a session s1: - (no key), ann (0000000000000006), ann (0001020304050607), "
        "bob (ffffffffffffffff). Say whose with --key."
    )
    assert shared.kept("s1", owner=ANN.id) is not None


@pytest.mark.parametrize(
    ("key", "title"),
    [("-", "nobody's"), ("ann", "ann's"), (ANN.id, "ann's"), ("bob", "bob's"), ("0000000000000006", "old ann's")],
)
def test_whose_it_is_may_be_said_by_name_or_id(shared: Desk, capsys: Captured, key: str, title: str) -> None:
    """A name is that of the key which has it now."""
    shared.run("sessions", "show", "s1", "--key", key)
    assert f"title:    {title}\n" in capsys.readouterr().out


def test_a_name_that_no_key_has_now_is_the_last_ones(desk: Desk, capsys: Captured) -> None:
    for at in (6, 5):
        desk.make_key(revoked(ANN, at))
        desk.keep(attrs.evolve(SHORT, title=f"of {at}"), owner=revoked(ANN, at).id)
    desk.run("sessions", "show", "s1", "--key", "ann")
    assert "title:    of 6\n" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["show", "s2"], "There is no session 's2'. `cca sessions list` shows those there are."),
        (["show", "\udcff"], "There is no session '\\udcff'. `cca sessions list` shows those there are."),
        (["show", "s2", "--key", "bob"], "There is no session 's2' of bob. `cca sessions list` shows those there are."),
        (["show", "s1", "--key", "eve"], "There is no key 'eve'. `cca keys list` shows those there are."),
        (["delete", "s1", "--key", "eve"], "There is no key 'eve'. `cca keys list` shows those there are."),
    ],
)
def test_what_is_not_there(shared: Desk, arguments: list[str], message: str) -> None:
    with pytest.raises(NotFound) as raised:
        shared.run("sessions", *arguments)
    assert raised.value.message == message


def test_once_there_are_keys_a_session_must_be_somebodys(desk: Desk) -> None:
    """Or it is said that no key shall reach it."""
    plain = str(FIXTURES / "2.1.330" / "plain.ndjson")
    expired = attrs.evolve(BOB, expires_at=NOW - 1)
    for key in (revoked(ANN, 5), ANN, expired):
        desk.make_key(key)
    for arguments, message in (
        ((), r"say whose this is to be with --key NAME-OR-ID\. --key - keeps it out"),
        (("--key", "bob"), r"The key 'bob' \(ffffffffffffffff\) is expired: it can use no session"),
        (("--key", revoked(ANN, 5).id), r"The key 'ann' \(0000000000000005\) is revoked"),
        (("--key", "eve"), "There is no key 'eve'"),
    ):
        with pytest.raises(CcaError, match=message):
            desk.run("sessions", "import", plain, "--id", "s1", *arguments)
    for owner, arguments in (("", ("--key", "-")), (ANN.id, ("--key", "ann"))):
        desk.run("sessions", "import", plain, "--id", "s1", *arguments)
        assert desk.kept("s1", owner=owner) is not None


# To delete.


def test_what_is_deleted_is_not_in_the_file(desk: Desk, capsys: Captured) -> None:
    for each in ("s1", "s2", "s3"):
        desk.keep(named(session(user(text(f"The secret of {each}.")), answer(), title=f"about {each}"), each))
    desk.run("sessions", "delete", "s1", "s3", "s1")
    assert capsys.readouterr().out == "Session s1 is deleted: 2 turns.\nSession s3 is deleted: 2 turns.\n"
    left = b"".join(path.read_bytes() for path in desk.path.parent.glob("cca.db*"))
    found = {
        each: f"secret of {each}".encode() in left or f"about {each}".encode() in left for each in ("s1", "s2", "s3")
    }
    assert found == {"s1": False, "s2": True, "s3": False}


def test_all_that_are_named_are_deleted_or_none(desk: Desk) -> None:
    desk.keep(SHORT)
    with pytest.raises(NotFound, match="There is no session 's2'"):
        desk.run("sessions", "delete", "s1", "s2")
    assert desk.kept("s1") is not None


# Beside a server.


def test_a_server_that_has_the_database_open_is_not_in_the_way(desk: Desk, tmp_path: Path) -> None:
    desk.keep(EVERYTHING)
    file = str(tmp_path / "s1.ndjson")

    async def serve() -> None:
        async with open_database(desk.path) as database:
            await database.write(lambda connection: connection.execute("UPDATE session SET updated_at = 5"))
            for command in (
                ["list"],
                ["show", "s1"],
                ["export", "s1", "--output", file],
                ["import", file, "--id", "s2"],
                ["delete", "s1"],
            ):
                await trio.to_thread.run_sync(desk.run, "sessions", *command)
            left = await database.read(lambda connection: connection.execute("SELECT id FROM session").fetchall())
            assert left == [("s2",)]

    trio.run(serve)


# As a command.


LONG_NAME = "x" * 300
"""No system can look whether there is such a file, as with one in a directory that is closed to us."""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["list"], r"There is no database \S+ yet\. Name another with --database\."),
        (["list", "--database", LONG_NAME], r"The database x+ cannot be opened: File name too long\. Name another .+"),
        (["import", "/nowhere"], r"/nowhere cannot be read: No such file or directory\. Name a file that is there\."),
    ],
)
def test_an_error_is_one_line_and_exit_code_2(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, capsys: Captured, arguments: list[str], message: str
) -> None:
    monkeypatch.setenv("CCA_DATABASE", str(desk.path))
    assert main(["sessions", *arguments]) == CANNOT_START
    out, err = capsys.readouterr()
    assert out == ""
    assert re.fullmatch(rf"cca: {message}\n", err)


@pytest.mark.parametrize("said", ["Ho.", "long " * 100_000], ids=["little", "much"])
def test_a_reader_that_has_enough_ends_it_in_silence(desk: Desk, said: str) -> None:
    """As ``head`` does, whether all of it is in the pipe by then or not."""
    desk.keep(session(user(text("Hi.")), answer(text(said))))
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "cca", "sessions", "export", "s1", "--database", str(desk.path)]
    done = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, check=False, text=True)
    os.close(writing)
    assert (done.returncode, done.stderr.count("\n")) == (NOBODY_READS, 0)


@pytest.mark.parametrize("kind", ["fixture", "markdown"])
@pytest.mark.parametrize(
    ("redirected", "message"),
    [
        (">/dev/full", "The output cannot be written: No space left on device."),
        (">&-", "There is no stdout to tell anything on, and nothing was done. Send it to /dev/null if need be."),
    ],
    ids=["full", "closed"],
)
def test_an_output_that_takes_nothing_is_told(desk: Desk, kind: str, redirected: str, message: str) -> None:
    desk.keep(SHORT)
    done = in_shell(redirected, "sessions", "export", "s1", "--format", kind, "--database", str(desk.path))
    assert done.returncode == CANNOT_START
    assert done.stderr.splitlines()[-1] == f"cca: {message}"
    assert "Traceback" not in done.stderr


def test_a_recording_of_cca_s_own_is_imported_by_the_command(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, capsys: Captured, tmp_path: Path
) -> None:
    conversation = Conversation("haiku", (UserTurn((Text("Reply with exactly: Hello, world."),)),))
    plain = FIXTURES / "2.1.330" / "plain.ndjson"
    assert decode(plain.read_bytes()).header.request == request_json(conversation)
    assert main(["sessions", "import", str(plain), "--id", "s1", "--database", str(desk.path)]) == 0
    assert capsys.readouterr().out == "s1\n"
    kept = desk.kept("s1")
    assert kept is not None
    assert [turn.content for turn in kept.turns] == [
        [text("Reply with exactly: Hello, world.")],
        [text("Hello, world.")],
    ]
