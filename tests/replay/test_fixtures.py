"""Every recorded conversation, through the real framer, dialogue and encoders of every dialect, as a client sees it.

A snapshot is one file: what goes over the wire for one recording in one dialect, streamed and whole. Read its diff
before you accept it with ``pytest --snapshot-update``.
"""

import orjson
import pytest
import trio
from recordings import FIXTURES, RECORDINGS, answer, case_id, held
from syrupy.assertion import SnapshotAssertion
from syrupy.extensions.single_file import SingleFileSnapshotExtension, WriteMode

from cca.backends.replay import ReplayBackend
from cca.backends.transcript import conversation_of
from cca.dialects import DIALECTS
from cca.dialects.contract import Ask, Dialect, Stamp
from cca.dialects.openai_responses import OPENAI_RESPONSES
from cca.message import Message
from cca.model import Conversation, Event, Failed, Finished, Told
from cca.staying import Room, Staying
from cca.web import sse
from tools.cases import CASES
from tools.cases.case import followed

STAMP = Stamp(id="0001", created=1_767_225_600, request_id="req_0001")


class TextFile(SingleFileSnapshotExtension):
    """A snapshot that reads as what it is."""

    _write_mode = WriteMode.TEXT
    file_extension = "txt"


@pytest.fixture
def snapshot(snapshot: SnapshotAssertion) -> SnapshotAssertion:
    return snapshot.use_extension(TextFile)


def streamed(dialect: Dialect, conversation: Conversation, events: list[Event]) -> str:
    encoder = dialect.stream(Ask((conversation,), stream=True, include_usage=True), STAMP)
    return b"".join(sse.render(encoder.encode(Told(0, event))) for event in events).decode()


def whole(dialect: Dialect, conversation: Conversation, events: list[Event]) -> str:
    """Return the body, or the error and its status."""
    message = Message()
    for event in events:
        if isinstance(event, Failed):
            status, body = dialect.refusal(event.error, STAMP.request_id)
            return f"{status}\n{pretty(body)}"
        message.take(event)
    body = dialect.whole(Ask((conversation,), stream=False), STAMP, [message])
    return f"200\n{pretty(body)}"


def pretty(body: object) -> str:
    return orjson.dumps(body, option=orjson.OPT_INDENT_2).decode()


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)
@pytest.mark.parametrize("name", RECORDINGS, ids=case_id)
async def test_on_the_wire(
    name: str, dialect: Dialect, snapshot: SnapshotAssertion, autojump_clock: trio.testing.MockClock
) -> None:
    recording = RECORDINGS[name]
    conversation = conversation_of(recording.request)
    events = await answer(recording)
    page = f"--- stream\n{streamed(dialect, conversation, events)}--- whole\n{whole(dialect, conversation, events)}\n"
    assert page == snapshot


@pytest.mark.parametrize("name", RECORDINGS, ids=case_id)
async def test_a_streamed_response_ends_with_what_is_stored_of_it(
    name: str, autojump_clock: trio.testing.MockClock
) -> None:
    events = await answer(RECORDINGS[name])
    ask, gathered = Ask((conversation_of(RECORDINGS[name].request),), stream=True), Message()
    encoder = OPENAI_RESPONSES.stream(ask, STAMP)
    frames = [frame for event in events for frame in encoder.encode(Told(0, event)) if frame.name]
    for event in events:
        gathered.take(event)
    if isinstance(events[-1], Finished):
        assert frames[-1].content["response"] == OPENAI_RESPONSES.whole(ask, STAMP, [gathered])
    else:
        assert frames[-1].name == "response.failed"


@pytest.mark.parametrize("name", RECORDINGS, ids=case_id)
async def test_a_recording_ends_once_and_its_end_is_its_last_event(
    name: str, autojump_clock: trio.testing.MockClock
) -> None:
    events = await answer(RECORDINGS[name])
    assert [event for event in events if isinstance(event, Finished | Failed)] == events[-1:]


@pytest.mark.parametrize("name", RECORDINGS, ids=case_id)
async def test_no_answer_speaks_of_an_api_error(name: str, autojump_clock: trio.testing.MockClock) -> None:
    events = await answer(RECORDINGS[name])
    assert not any("API Error" in str(event) for event in events)


LOOPS = {case.name: case for case in CASES if case.steps}


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)
@pytest.mark.parametrize("name", LOOPS)
async def test_what_follows_in_the_same_process_on_the_wire(
    name: str, dialect: Dialect, snapshot: SnapshotAssertion, autojump_clock: trio.testing.MockClock
) -> None:
    [recording] = (each for each in RECORDINGS.values() if each.name.endswith(f"/{name}"))
    backend = ReplayBackend((recording,), recording.transcript.header.cli, ())
    staying = Staying(backend, Room(most=1, patience=60), now=lambda: 0.0)
    conversation, pages = conversation_of(recording.request), []
    async with staying.opened():
        for results in (*LOOPS[name].steps, ()):
            events = await held(staying.talk("", conversation))
            pages.append(streamed(dialect, conversation, events))
            message = Message()
            for event in events:
                message.take(event)
            if results:
                conversation = followed(conversation, message, results)
    assert "--- and then\n".join(pages) == snapshot


async def test_an_answer_that_came_with_its_result_has_the_cost_that_this_told(
    autojump_clock: trio.testing.MockClock,
) -> None:
    *_, last = await answer(RECORDINGS["2.1.330/broken_before_text"])
    assert isinstance(last, Finished)
    assert last.cost == pytest.approx(3.4e-06)


def test_every_case_is_recorded_as_the_conversation_that_it_is() -> None:
    recorded = {name.rsplit("/", 1)[-1]: conversation_of(each.request) for name, each in RECORDINGS.items()}
    assert recorded == {case.name: case.conversation for case in CASES}


def test_the_index_says_what_each_recording_proves() -> None:
    for name, recording in RECORDINGS.items():
        index = (FIXTURES / recording.transcript.header.cli / "README.md").read_text()
        assert f"| `{name.rsplit('/', 1)[-1]}` | " in index
