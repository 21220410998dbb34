"""Replay finds the recording of a request, and says in words what is missing when there is none."""

import threading
from pathlib import Path
from typing import Any

import attrs
import orjson
import pytest
import trio

from cca.backends import Exit
from cca.backends.redaction import Redactor
from cca.backends.replay import LARGE, ReplayBackend, ReplayProcess, first_difference, load, open_replay
from cca.backends.transcript import Ended, Entry, Garbled, Header, Read, Transcript, Written, encode, request_json
from cca.errors import NotFound, Unavailable, UpstreamFailed
from cca.model import Conversation, ModelEntry, Sampling, Text, UserTurn

HI = Conversation("haiku", (UserTurn((Text("hi"),)),))
FRAME = {"type": "user", "message": {"content": "hi"}}
LINE = {"type": "result", "result": "é"}
KEY = "sk-ant-api03-Zq8vT2yKx4mB7nLr"


def written(frame: Any) -> bytes:
    return orjson.dumps(frame) + b"\n"


def save(directory: Path, name: str, *entries: Entry, request: Any = None, cli: str = "2.1.330") -> None:
    header = Header(cli, ("claude",), (), request_json(HI) if request is None else request)
    end = () if entries and isinstance(entries[-1], Ended) else (Ended(9, None),)
    directory.mkdir(exist_ok=True)
    (directory / f"{name}.ndjson").write_bytes(encode(Transcript(header, (*entries, *end))))


def asking(text: str, **changes: Any) -> Conversation:
    return attrs.evolve(HI, turns=(UserTurn((Text(text),)),), **changes)


async def replayed(backend: ReplayBackend, conversation: Conversation) -> bytes:
    async with backend.open(conversation) as process:
        return await process.read()


async def found(backend: ReplayBackend, conversation: Conversation) -> str:
    return (await replayed(backend, conversation)).decode().strip()


# Which recording.


@pytest.fixture
def several(tmp_path: Path) -> ReplayBackend:
    save(tmp_path, "hello", Garbled(0, "1"), request=request_json(asking("hello")))
    save(tmp_path, "limited", Garbled(0, "2"), request=request_json(asking("hi", sampling=Sampling(max_tokens=5))))
    save(tmp_path, "opus", Garbled(0, "3"), request=request_json(attrs.evolve(HI, model="opus", system=("Be brief.",))))
    return load(tmp_path)


@pytest.mark.parametrize(
    ("conversation", "answer"),
    [(asking("hello"), "1"), (attrs.evolve(HI, sampling=Sampling(5)), "2")],
    ids=["hello", "limited"],
)
async def test_the_recording_of_a_request_answers_it(
    several: ReplayBackend, conversation: Conversation, answer: str
) -> None:
    for _ in range(2):
        assert await found(several, conversation) == answer


@pytest.mark.parametrize(
    ("conversation", "difference"),
    [
        pytest.param(
            asking("hallo"),
            'The nearest is hello: there, turns[0].content[0].text is "hello", and here it is "hallo". Record',
            id="another text",
        ),
        pytest.param(
            asking("hi", sampling=Sampling(max_tokens=6)),
            "The nearest is limited: there, sampling.max_tokens is 5, and here it is 6. Record",
            id="another number",
        ),
        pytest.param(
            asking("hi", model="opus"),
            'The nearest is opus: there, system is ["Be brief."], and here it is not there. Record',
            id="something missing",
        ),
        pytest.param(
            asking("hello", sampling=Sampling(top_p=0.5)),
            'The nearest is hello: there, sampling is not there, and here it is {"top_p":0.5}. Record',
            id="something more",
        ),
        pytest.param(
            asking("x" * 100, sampling=Sampling(effort="low")),
            f'.text is "hello", and here it is "{"x" * 59}..., and 1 more of its values differ. Record',
            id="two things, one long",
        ),
        pytest.param(
            attrs.evolve(HI, turns=(UserTurn((Text("hello"), Text("again"))),)),
            'there, turns[0].content[1] is not there, and here it is {"text":"again","kind":"text"}',
            id="a part more",
        ),
    ],
)
async def test_a_miss_names_the_nearest_and_what_differs(
    several: ReplayBackend, conversation: Conversation, difference: str
) -> None:
    with pytest.raises(NotFound) as raised:
        await replayed(several, conversation)
    assert raised.value.message.startswith("No recording answers this request.")
    assert difference in raised.value.message
    assert raised.value.code == "recording_not_found"


@pytest.mark.parametrize(("more", "recalled"), [((), False), (("--resume=<run>/history.jsonl",), True)])
async def test_a_process_knows_of_a_history_what_the_recorded_one_knew(
    more: tuple[str, ...], tmp_path: Path, *, recalled: bool
) -> None:
    """How long a history is told of by a file now, or what file that was, does not count."""
    header = Header("2.1.330", ("claude", "-p", *more), (), request_json(HI))
    (tmp_path / "a.ndjson").write_bytes(encode(Transcript(header, (Garbled(0, "1"), Ended(9, None)))))
    async with load(tmp_path).open(HI) as process:
        assert process.recalled is recalled


async def test_a_secret_in_a_request_does_not_hide_its_recording(tmp_path: Path) -> None:
    """It was redacted when it was recorded; what stood for it was numbered by what else was recorded."""
    request = request_json(asking("my key is <key-7>, mail me at <email-2>"))
    save(tmp_path, "secret", Garbled(0, "found"), request=request)
    backend = load(tmp_path)
    assert await found(backend, asking(f"my key is {KEY}, mail me at jane@example.com")) == "found"


async def test_of_several_recordings_the_equal_one_answers_then_the_first(tmp_path: Path) -> None:
    """An equal one may come after one whose placeholder could stand for the same word."""
    for name, text in (("a", "I am <user>"), ("b", "I am here"), ("c", "I am here")):
        save(tmp_path, name, Garbled(0, name), request=request_json(asking(text)))
    backend = load(tmp_path)
    assert await found(backend, asking("I am here")) == "b"
    assert await found(backend, asking("I am there")) == "a"


@pytest.fixture
def comparing(monkeypatch: pytest.MonkeyPatch) -> set[bool]:
    """Return in which threads texts are compared: ``True`` for the event loop's."""
    threads = set()

    class Noting(Redactor):
        def value(self, value: Any) -> Any:
            threads.add(threading.current_thread() is threading.main_thread())
            return super().value(value)

    monkeypatch.setattr("cca.backends.replay.Redactor", Noting)
    return threads


@pytest.mark.parametrize(
    ("text", "threads"),
    [
        pytest.param("my key is <key-7>", set(), id="equal"),
        pytest.param("x" * LARGE, set(), id="equal and large"),
        pytest.param(f"my key is {KEY}", {True}, id="small"),
        pytest.param(f"{KEY} {'y' * LARGE}", {False}, id="large"),
    ],
)
async def test_a_large_request_is_compared_in_a_thread(
    tmp_path: Path, comparing: set[bool], text: str, threads: set[bool]
) -> None:
    for name, recorded in (("a", "my key is <key-7>"), ("b", "x" * LARGE), ("c", f"<key-1> {'y' * LARGE}")):
        save(tmp_path, name, Garbled(0, "found"), request=request_json(asking(recorded)))
    assert await found(load(tmp_path), asking(text)) == "found"
    assert comparing == threads


def large_frame(tmp_path: Path) -> ReplayProcess:
    """Return a process to which a large frame was written that is as recorded but for a secret."""
    process = recorded(tmp_path, Written(0, {"text": f"<key-9> {'y' * LARGE}"}), Read(1, LINE))
    process.write(written({"text": f"{KEY} {'y' * LARGE}"}))
    return process


async def test_a_large_frame_is_compared_in_a_thread(tmp_path: Path, comparing: set[bool]) -> None:
    assert await large_frame(tmp_path).read() == written(LINE)
    assert comparing == {False}


async def test_a_client_that_leaves_while_its_frame_is_compared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not held, and the frame is there for who reads on."""
    process = large_frame(tmp_path)

    def leaving(now: Any, then: Any) -> None:
        monkeypatch.undo()
        trio.from_thread.run_sync(client.cancel)

    monkeypatch.setattr("cca.backends.replay.first_difference", leaving)
    with trio.CancelScope() as client:
        await process.read()
    assert client.cancelled_caught
    assert await process.read() == written(LINE)


@pytest.mark.parametrize(
    ("now", "recorded", "is_same"),
    [
        ("I am zaphod.", "I am <user>.", True),
        ("I am zaphod of /home/zaphod/x", "I am <user> of <home>/x", True),
        ("zaphod", "<user>", True),
        ("zaphod@heart", "<user>@<host>", True),
        ("/home/zaphod/cca", "<home><run>", True),
        ("I am ford prefect.", "I am <user>.", False),
        ("I am .", "I am <user>.", False),
        ("I am", "I am <user>.", False),
        ("You are zaphod.", "I am <user>.", False),
        ("I am zaphod!", "I am <user>.", False),
        ("a b", "a <user> b", False),
        ("I am <user>.", "I am <user>.", True),
        ("<div>", "<span>", False),
        ("<div>", "<div>", True),
        (KEY, "<key-3>", True),
        ({"a": [KEY, 1]}, {"a": ["<key-1>", 1]}, True),
        ({"a": None}, {}, True),
        ([1], [1, 2], False),
        (True, False, False),
        ({"a": 1}, [1], False),
    ],
)
def test_what_would_have_become_the_recording(now: Any, recorded: Any, *, is_same: bool) -> None:
    """Who was hidden where it was recorded, this machine cannot know: it was one word."""
    assert (first_difference(now, recorded) is None) is is_same


# What is there to replay.


async def test_without_recordings_it_cannot_serve(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match=rf"no recordings .* under {tmp_path}.*--record {tmp_path}"):
        await open_replay(tmp_path)
    with pytest.raises(Unavailable, match="no recordings"):
        await open_replay(tmp_path / "nowhere")


@pytest.mark.parametrize("content", [b"garbage", b"", b'{"format":2}'])
async def test_a_recording_that_cannot_be_read_is_named(tmp_path: Path, content: bytes) -> None:
    save(tmp_path, "a")
    (tmp_path / "b.ndjson").write_bytes(content)
    with pytest.raises(Unavailable, match=rf"The recording {tmp_path}/b.ndjson cannot be read: "):
        await open_replay(tmp_path)


async def test_a_recording_that_is_a_directory(tmp_path: Path) -> None:
    (tmp_path / "a.ndjson").mkdir()
    with pytest.raises(Unavailable, match=r"cannot be read: .*Is a directory"):
        await open_replay(tmp_path)


def test_recordings_are_named_by_their_places(tmp_path: Path) -> None:
    for name in ("b", "a"):
        save(tmp_path, name)
        save(tmp_path / "2.1", name)
    (tmp_path / ".b-x.part").write_text("unfinished")
    assert [each.name for each in load(tmp_path).recordings] == ["2.1/a", "2.1/b", "a", "b"]


def models(*names: str) -> Read:
    listed = [{"value": name, "resolvedModel": f"claude-{name}", "displayName": name.title()} for name in names]
    reply = {"subtype": "success", "request_id": "initialize", "response": {"models": listed}}
    return Read(0, {"type": "control_response", "response": reply})


def test_version_and_models_are_those_of_the_latest(tmp_path: Path) -> None:
    broken = Read(0, {"type": "control_response", "response": {"response": {"models": ["x"]}}})
    save(tmp_path, "a", broken, Read(0, {"type": "assistant"}), models("opus"), models("haiku"), cli="2.1.99")
    save(tmp_path, "b", models("sonnet"), cli="2.1.330")
    save(tmp_path, "c", models(), cli="unknown")
    backend = load(tmp_path)
    assert backend.cli_version == "2.1.330"
    assert backend.models == (ModelEntry("sonnet", "claude-sonnet", "Sonnet"),)


def test_recordings_without_models_offer_none(tmp_path: Path) -> None:
    save(tmp_path, "a")
    assert load(tmp_path).models == ()


# A recorded process.


def recorded(tmp_path: Path, *entries: Entry) -> ReplayProcess:
    save(tmp_path, "case", *entries)
    return ReplayProcess(load(tmp_path).recordings[0])


async def test_lines_come_when_what_stood_before_them_was_written(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    process = recorded(
        tmp_path, Written(0, FRAME), Read(1, LINE), Garbled(2, "oops \\xff"), Written(3, FRAME), Read(4, {})
    )
    with trio.move_on_after(1000) as waiting:
        await process.read()
    assert waiting.cancelled_caught
    process.write(written(FRAME))
    assert await process.read() == written(LINE) + b"oops \\xff\n"
    process.write(written(FRAME))
    assert await process.read() == b"{}\n"


async def test_a_frame_that_comes_late_is_waited_for(tmp_path: Path, autojump_clock: trio.testing.MockClock) -> None:
    process = recorded(tmp_path, Written(0, FRAME), Read(1, LINE))

    async def write_late() -> None:
        await trio.sleep(100)
        process.write(written(FRAME))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(write_late)
        assert await process.read() == written(LINE)
    assert trio.current_time() >= 100


async def test_a_process_that_was_killed_is_silent(tmp_path: Path, autojump_clock: trio.testing.MockClock) -> None:
    process = recorded(tmp_path, Read(0, LINE))
    assert await process.read() == written(LINE)
    for ask in (process.read, process.wait):
        with trio.move_on_after(1000) as waiting:
            await ask()
        assert waiting.cancelled_caught


async def test_a_process_that_ended_says_how(tmp_path: Path) -> None:
    process = recorded(tmp_path, Ended(1, Exit(1, "oops")))
    assert await process.read() == b""
    assert await process.read() == b""
    assert await process.wait() == Exit(1, "oops")


@pytest.mark.parametrize(
    ("entries", "frame", "how"),
    [
        pytest.param(
            [Written(0, FRAME), Read(1, LINE)],
            {"type": "user", "message": {"content": "ho"}},
            'message.content was "hi", and is "ho"',
            id="another value",
        ),
        pytest.param(
            [Written(0, FRAME)], {"type": "user"}, 'message was {"content":"hi"}, and is not there', id="less"
        ),
        pytest.param(
            [Written(0, FRAME)], {**FRAME, "shouldQuery": False}, "shouldQuery was not there, and is false", id="more"
        ),
        pytest.param([Read(0, LINE)], {"type": "x"}, 'it writes {"type":"x"}, and did not then', id="too early"),
        pytest.param([Ended(0, Exit(0))], {"type": "x"}, 'it writes {"type":"x"}, and did not then', id="at the end"),
        pytest.param([], {"type": "x"}, 'it writes {"type":"x"}, and did not then', id="when it was killed"),
    ],
)
async def test_what_cca_no_longer_writes(tmp_path: Path, entries: list[Entry], frame: Any, how: str) -> None:
    process = recorded(tmp_path, *entries)
    process.write(written(frame))
    with pytest.raises(UpstreamFailed) as raised:
        await process.read()
    assert raised.value.message == (
        f"cca no longer writes what case recorded: {how}. Record it again, or mend what changed."
    )


async def test_frames_are_compared_as_they_would_have_been_recorded(tmp_path: Path) -> None:
    process = recorded(tmp_path, Written(0, {"text": "<key-9> of <user>"}), Read(1, LINE))
    process.write(written({"text": f"{KEY} of zaphod"}))
    assert await process.read() == written(LINE)
