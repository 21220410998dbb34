"""A session as a recording answers its last request again; a recording as a session has its conversation and answer."""

from collections.abc import Mapping
from itertools import count, pairwise
from typing import Any

import attrs
import orjson
import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from archived import (
    ANSWERED,
    BROKEN_CALL,
    CALL,
    ENDING_WELL,
    EVERYTHING,
    FAILED_RESULT,
    FAILING,
    LINKED,
    MODEL,
    NOTE,
    PAPER,
    PICTURE,
    RECORDINGS,
    REDACTED,
    RESULT,
    SIGNED,
    THOUGHT,
    UNTOLD,
    answer,
    imported,
    kept,
    session,
    text,
    told,
    user,
)
from cca.archive import Archive, UnreadableArchive
from cca.backends import Exit
from cca.backends.archiving import archive_in
from cca.backends.kept import kept_line
from cca.backends.replay import Recording, ReplayBackend, load
from cca.backends.synthesis import NothingToReplay, transcript_of
from cca.backends.transcript import (
    Ended,
    Entry,
    Garbled,
    Header,
    Read,
    Transcript,
    conversation_of,
    decode,
    encode,
    request_json,
)
from cca.exchange import CHANNEL_SIZE, Deadlines, converse
from cca.message import Message
from cca.model import (
    AssistantTurn,
    Conversation,
    Finished,
    ModelEntry,
    RedactedThinking,
    Text,
    Thinking,
    Told,
    ToolUse,
    UserTurn,
)
from cca.prices import prices_of
from cca.store.turns import Answered, answer_row
from cca.talk import fresh

DEADLINES = Deadlines(first_event=120, silence=300, answer=1800)
NO_PRICES = prices_of(())


async def replayed(archive: Archive, asked: Conversation | None = None) -> tuple[Message, Finished]:
    """Return what the export of ``archive`` answers, through all that a replay goes through.

    Its own request is asked, unless another one is.
    """
    transcript = decode(encode(transcript_of(archive)))
    backend = ReplayBackend((Recording("export", transcript),), "session", ())
    sender, events = trio.open_memory_channel[Told](CHANNEL_SIZE)
    message, last = Message(), None
    async with trio.open_nursery() as nursery:
        conversation = asked or conversation_of(transcript.header.request)
        nursery.start_soon(converse, fresh(backend, conversation, lambda: 0.0), DEADLINES, sender)
        async for told in events:
            last = told.event
            message.take(last)
    assert isinstance(last, Finished), last
    return message, last


async def is_answered_from_its_export(archive: Archive, *, at: int = -1) -> None:
    """Assert that the turn ``at`` comes again: its parts in their order, its model, its end, its tokens."""
    message, end = await replayed(archive)
    turn = archive.turns[at]
    assert turn.answer is not None
    assert orjson.loads(answer_row(message, turn.answer).content) == turn.content
    assert (message.model, end.stop_reason, end.usage) == (
        turn.answer.model,
        turn.answer.outcome,
        turn.answer.usage,
    )


# The answer comes again.


@pytest.mark.parametrize("name", ENDING_WELL)
async def test_a_recording_that_ends_well_is_a_session_and_answers_as_its_export(
    name: str, autojump_clock: trio.testing.MockClock
) -> None:
    recording = RECORDINGS[name]
    archive = imported(recording)
    asked = conversation_of(recording.request)
    exported = conversation_of(transcript_of(archive).header.request)
    assert (exported.turns, exported.system) == (tuple(map(kept, asked.turns)), asked.system)
    await is_answered_from_its_export(archive)


@pytest.mark.parametrize(
    "parts",
    [
        pytest.param([], id="nothing"),
        pytest.param([text("Hello.")], id="text"),
        pytest.param([text(" \n")], id="white space"),
        pytest.param([text("é \u2028 \x00 \r\n ``` # ## {}")], id="any text"),
        pytest.param([THOUGHT, text("Hello.")], id="thinking"),
        pytest.param([SIGNED, UNTOLD, text("Hello."), UNTOLD, CALL], id="thinking that is signed"),
        pytest.param([REDACTED, SIGNED, REDACTED, REDACTED, text("Hello.")], id="thinking that nobody can read"),
        pytest.param([SIGNED, UNTOLD, REDACTED], id="only thinking"),
        pytest.param([text("a"), CALL, text("b"), {**CALL, "id": "2", "input": {}}], id="calls"),
        pytest.param([CALL, BROKEN_CALL], id="a call that broke off"),
    ],
)
async def test_an_answer_of_any_parts_comes_again(parts: list[Any], autojump_clock: trio.testing.MockClock) -> None:
    await is_answered_from_its_export(session(user(text("Hi.")), answer(*parts)))


@pytest.mark.parametrize(
    "outcome", ["end_turn", "stop_sequence", "max_tokens", "context_window", "tool_use", "refusal"]
)
async def test_an_answer_of_any_end_comes_again(outcome: str, autojump_clock: trio.testing.MockClock) -> None:
    ended = answer(text("Hello."), answered=attrs.evolve(ANSWERED, outcome=outcome))
    await is_answered_from_its_export(session(user(text("Hi.")), ended))


async def test_a_session_with_everything_is_answered_from_its_export(autojump_clock: trio.testing.MockClock) -> None:
    await is_answered_from_its_export(EVERYTHING)


async def test_an_export_answers_whether_a_client_knows_what_was_thought_before_or_not(
    autojump_clock: trio.testing.MockClock,
) -> None:
    archive = session(user(text("one")), answer(SIGNED, text("first")), user(text("two")), answer(text("last")))
    asked = request_of(archive)
    one, first, two = asked.turns
    assert first == AssistantTurn((Text("first"),))
    thoughts = AssistantTurn((Thinking("So be it.", "c2ln"), RedactedThinking("eA=="), Text("first")), MODEL)
    for turns in ((one, first, two), (one, thoughts, two)):
        message, _ = await replayed(archive, attrs.evolve(asked, turns=turns))
        assert message.said == "last"


async def test_a_session_of_200_turns_is_answered_from_its_export(autojump_clock: trio.testing.MockClock) -> None:
    turns = [each for number in range(100) for each in (user(text(f"Ask {number}.")), answer(text(f"Say {number}.")))]
    archive = session(*turns, system=("Count.",))
    assert len(conversation_of(transcript_of(archive).header.request).turns) == 199
    await is_answered_from_its_export(archive)


TEXTS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=20)
JSONS = st.recursive(st.none() | st.booleans() | st.integers(-(2**53), 2**53) | TEXTS, st.lists, max_leaves=5)
SAID = st.builds(text, TEXTS)
THOUGHTS = st.builds(lambda said: {"type": "thinking", "text": said}, TEXTS)
SIGNED_ONES = st.builds(
    lambda said, signature: {"type": "thinking", "text": said, "signature": signature}, st.just("") | TEXTS, TEXTS
)
REDACTED_ONES = st.builds(lambda data: {"type": "redacted_thinking", "data": data}, TEXTS)
CALLS = st.builds(
    lambda id, name, input: {"type": "tool_use", "id": id, "name": name, "input": input},  # noqa: A006
    TEXTS,
    TEXTS,
    st.dictionaries(TEXTS, JSONS, max_size=3),
)


def unmerged(parts: list[Any]) -> bool:
    """Return whether no thought follows one that is not signed: a model's are one."""
    return not any(
        one["type"] == other["type"] == "thinking" and "signature" not in one for one, other in pairwise(parts)
    )


PARTS = SAID | THOUGHTS | SIGNED_ONES | REDACTED_ONES | CALLS
ANSWERS = st.builds(lambda parts: answer(*parts), st.lists(PARTS, max_size=4).filter(unmerged))
USERS = st.builds(
    lambda parts: user(*parts),
    st.lists(SAID | st.sampled_from([PICTURE, LINKED, PAPER, NOTE, RESULT, FAILED_RESULT]), min_size=1, max_size=3),
)
SESSIONS = st.builds(
    lambda pairs, title, system: session(*(turn for pair in pairs for turn in pair), title=title, system=tuple(system)),
    st.lists(st.tuples(USERS, ANSWERS), min_size=1, max_size=4),
    st.none() | TEXTS,
    st.lists(TEXTS, max_size=2),
)


@settings(max_examples=60, deadline=None)
@given(SESSIONS)
def test_any_session_comes_back_from_its_export_and_is_answered_from_it(archive: Archive) -> None:
    assert archive_in(decode(encode(transcript_of(archive))), NO_PRICES, 0.0, str) == archive
    trio.run(is_answered_from_its_export, archive, clock=trio.testing.MockClock(autojump_threshold=0))


# What the request is.


def request_of(archive: Archive) -> Conversation:
    return conversation_of(transcript_of(archive).header.request)


def test_the_request_is_what_was_asked_of_the_model() -> None:
    """With the history that there was; what came after the answer is none of it."""
    archive = session(
        user(text("one")),
        answer(THOUGHT, SIGNED, text("first"), REDACTED, CALL),
        user(RESULT),
        answer(text("half"), CALL, status="incomplete"),
        user(text("lost"), status="undelivered"),
        answer(text("never seen"), status="undelivered"),
        user(text("two")),
        told(text("I said")),
        user(text(" ")),
        answer(text("last")),
        user(text("later"), status="incomplete"),
        answer(text("cut"), status="incomplete"),
        system=("Be brief.",),
    )
    request = request_of(archive)
    assert request == Conversation(
        MODEL,
        (
            UserTurn((Text("one"),)),
            AssistantTurn((Text("first"), ToolUse("toolu_1", "find", CALL["input"]))),
            request.turns[2],
            AssistantTurn((Text("half"),)),
            UserTurn((Text("two"),)),
            AssistantTurn((Text("I said"),)),
            UserTurn((Text(" "),)),
        ),
        system=("Be brief.",),
    )


def test_it_says_that_no_process_printed_it(autojump_clock: trio.testing.MockClock) -> None:
    header = transcript_of(EVERYTHING).header
    assert (header.cli, header.argv, header.env) == ("session", (), ())


def test_its_lines_have_no_field_that_a_recording_of_claude_code_has_not() -> None:
    lines = [entry.line for entry in transcript_of(EVERYTHING).entries if isinstance(entry, Read)]
    assert [kept_line(line) for line in lines] == lines


def test_a_server_that_replays_it_has_its_model(tmp_path: Any) -> None:
    (tmp_path / "export.ndjson").write_bytes(encode(transcript_of(EVERYTHING)))
    assert load(tmp_path).models == (ModelEntry(MODEL, MODEL, MODEL),)


@pytest.mark.parametrize(
    "archive",
    [
        pytest.param(session(), id="no turns"),
        pytest.param(session(user(text("Hi."))), id="no answer"),
        pytest.param(session(user(text("Hi.")), told(text("Ho."))), id="an answer that no model gave"),
        pytest.param(session(user(text("Hi.")), answer(text("Ho"), status="incomplete")), id="half an answer"),
        pytest.param(
            session(user(text("Hi.")), answer(answered=attrs.evolve(ANSWERED, outcome="500"))), id="no end of a model's"
        ),
        pytest.param(session(answer(text("Ho."))), id="an answer to nothing"),
        pytest.param(session(user(text("Hi.")), told(text("Ho.")), answer(text("Ho."))), id="an answer to an answer"),
    ],
)
def test_without_a_complete_answer_to_a_user_there_is_nothing_to_replay(archive: Archive) -> None:
    with pytest.raises(NothingToReplay, match="the session s1 has no complete answer to a user's turn"):
        transcript_of(archive)


# What a recording makes.


def test_a_recording_becomes_a_session_with_what_its_answer_came_to() -> None:
    archive = imported(RECORDINGS["tool_use"])
    asked, called = archive.turns
    assert (archive.id, archive.title, asked.id, called.id) == ("session_id3", None, "turn_id1", "turn_id2")
    assert asked.content == [text("What is the weather in Paris?")]
    assert [(part["type"], part["name"], part["input"]) for part in called.content] == [
        ("tool_use", "get_weather", {"city": "Paris"})
    ]
    assert called.answer is not None
    times = [entry.at / 1000 for entry in RECORDINGS["tool_use"].transcript.entries]
    assert called.answer.first_event is not None
    assert times[0] < called.answer.first_event < called.answer.duration == times[-2]
    assert called.answer.cost == pytest.approx((6 * 1 + 2 * 5) / 1_000_000)


def test_what_claude_code_says_that_an_answer_cost_counts_more_than_a_table() -> None:
    archive = imported(RECORDINGS["broken_before_text"])
    line = next(
        entry.line["total_cost_usd"]
        for entry in RECORDINGS["broken_before_text"].transcript.entries
        if isinstance(entry, Read) and entry.line["type"] == "result"
    )
    assert archive.turns[-1].answer is not None
    assert archive.turns[-1].answer.cost == line


@pytest.mark.parametrize("name", sorted(FAILING))
def test_a_recording_whose_answer_does_not_end_well_is_refused(name: str) -> None:
    with pytest.raises(UnreadableArchive, match=r"^its answer (failed: .+|has no end)$"):
        imported(RECORDINGS[name])


def nested(levels: int) -> Any:
    return {"not": nested(levels - 1)} if levels else {}


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        pytest.param({"output_schema": {"type": "strin"}}, "The answer cannot be held", id="a schema that is none"),
        pytest.param(
            {"tools": [{"name": "f", "description": "", "input_schema": nested(200)}]},
            "A tool's schema is nested deeper",
            id="a schema that is nested too deep",
        ),
    ],
)
def test_a_recording_of_a_request_that_would_be_refused_is_refused(fields: Any, why: str) -> None:
    recording = RECORDINGS["structured_output"]
    header = attrs.evolve(recording.transcript.header, request={**recording.request, **fields})
    with pytest.raises(UnreadableArchive, match=f"its request would be refused: {why}"):
        imported(attrs.evolve(recording, transcript=attrs.evolve(recording.transcript, header=header)))


HI = request_json(Conversation("haiku", (UserTurn((Text("Hi."),)),)))
START = {
    "type": "stream_event",
    "event": {"type": "message_start", "message": {"id": "m", "model": MODEL, "usage": {}}},
}
PIECE = {
    "type": "stream_event",
    "event": {"type": "content_block_delta", "delta": {"type": "input_json_delta", "partial_json": "{}"}},
}


@pytest.mark.parametrize(
    ("request_", "entries", "message"),
    [
        pytest.param({}, [], "its request is not understood", id="no request"),
        pytest.param({**HI, "model": None}, [], "its request is not", id="a model that is none"),
        pytest.param({**HI, "more": 1}, [], "its request is not understood", id="an unknown field"),
        pytest.param({**HI, "turns": []}, [], "that ends with a user's turn", id="no turns"),
        pytest.param(
            request_json(Conversation("haiku", (AssistantTurn((Text("Ho."),)),))), [], "that ends with", id="no user"
        ),
        pytest.param(HI, [Garbled(1, "oops")], "its answer failed: .*cannot be read", id="garbled"),
        pytest.param(HI, [Read(1, START), Read(2, PIECE)], "its answer has no end", id="arguments without a call"),
        pytest.param(HI, [Ended(3, Exit(1, "oops"))], r"its answer failed: .*\(exit code 1\)", id="ended"),
        pytest.param(HI, [], "its answer has no end", id="silent"),
    ],
)
def test_a_recording_that_cca_did_not_write_is_refused(
    request_: Mapping[str, Any], entries: list[Entry], message: str
) -> None:
    transcript = Transcript(Header("2.1.330", (), (), request_), (*entries, Ended(9, None)))
    ids = count()
    with pytest.raises(UnreadableArchive, match=message):
        archive_in(transcript, NO_PRICES, 0.0, lambda: str(next(ids)))


def test_an_answer_of_an_export_is_what_the_session_says_and_not_its_lines() -> None:
    """So what is exported comes back whole: costs and ids, which no line has."""
    transcript = decode(encode(transcript_of(EVERYTHING)))
    cut = Transcript(transcript.header, transcript.entries[-1:])
    assert archive_in(cut, NO_PRICES, 0.0, str) == EVERYTHING


def test_an_answer_whose_first_event_nobody_noted() -> None:
    unknown: Answered = attrs.evolve(ANSWERED, first_event=None)
    entries = transcript_of(session(user(text("Hi.")), answer(text("Ho."), answered=unknown))).entries
    assert [entry.at for entry in entries] == [0] * (len(entries) - 1) + [1250]
