"""Sessions in full, as tests need them."""

from itertools import count
from pathlib import Path
from typing import Any

from attrs import evolve

from cca.archive import Archive, ArchivedTurn
from cca.backends.archiving import archive_in
from cca.backends.replay import Recording, read_recordings
from cca.marks import unmarked_turn
from cca.model import AssistantTurn, RedactedThinking, Thinking, Turn, Usage, UserTurn
from cca.prices import prices_of
from cca.store.turns import Answered, Status

FIXTURES = Path(__file__).parent.parent / "fixtures"
RECORDINGS = {recording.name.rpartition("/")[2]: recording for recording in read_recordings(FIXTURES)}

FAILING = frozenset(
    (
        *("broken_after_text", "cut_after_text", "killed", "no_login", "silence", "silence_after_text", "unknown_stop"),
        *("structured_violation", "schema_violation", "schema_in_other_words"),
        *(name for name in RECORDINGS if name.startswith("error_") and name != "error_then_answer"),
    )
)
"""Fixtures whose answer does not end well."""

ENDING_WELL = sorted(set(RECORDINGS) - FAILING)

DEAR = prices_of(("*=1/5/0.1/1.25",))

BEGUN = 1_767_225_600.0
MODEL = "claude-haiku-5-5"

ANSWERED = Answered(
    model=MODEL,
    outcome="end_turn",
    first_event=0.5,
    duration=1.25,
    usage=Usage(10, 20, 3, 4, 5),
    cost=0.001234,
)

CALL: Any = {"type": "tool_use", "id": "toolu_1", "name": "find", "input": {"deep": [{"a": None}, 2.5, "é"]}}
BROKEN_CALL: Any = {"type": "tool_use", "id": "toolu_2", "name": "find", "partial_json": '{"deep": ['}
THOUGHT: Any = {"type": "thinking", "text": "Let me think.\n"}
SIGNED: Any = {"type": "thinking", "text": "So be it.", "signature": "c2ln"}
UNTOLD: Any = {"type": "thinking", "text": "", "signature": "bm8="}
REDACTED: Any = {"type": "redacted_thinking", "data": "eA=="}
PICTURE: Any = {"type": "image", "media_type": "image/png", "data": "iVBORw0KGgo="}
LINKED: Any = {"type": "image", "url": "https://example.com/a.png"}
PAPER: Any = {"type": "document", "media_type": "application/pdf", "data": "JVBERi0xLjcK", "title": "A paper"}
FOUND: Any = {
    "type": "search_result",
    "source": "https://example.com",
    "title": "A page",
    "content": [{"text": "found"}],
}
NOTE: Any = {"type": "document", "text": "plain\ntext"}
RESULT: Any = {"type": "tool_result", "tool_use_id": "toolu_1", "content": [{"type": "text", "text": "found"}, PICTURE]}
FAILED_RESULT: Any = {"type": "tool_result", "tool_use_id": "toolu_2", "content": [], "is_error": True}


def text(said: str) -> Any:
    return {"type": "text", "text": said}


def user(*parts: Any, status: Status = "completed") -> ArchivedTurn:
    return ArchivedTurn("turn_user", "user", status, list(parts), BEGUN)


def told(*parts: Any) -> ArchivedTurn:
    """Return what a client says that the assistant said."""
    return ArchivedTurn("turn_told", "assistant", "completed", list(parts), BEGUN)


def answer(*parts: Any, status: Status = "completed", answered: Answered = ANSWERED) -> ArchivedTurn:
    return ArchivedTurn("turn_answer", "assistant", status, list(parts), BEGUN + 1, answered)


def session(*turns: ArchivedTurn, title: str | None = None, system: tuple[str, ...] = ()) -> Archive:
    numbered = tuple(evolve(turn, id=f"{turn.id}_{position}") for position, turn in enumerate(turns))
    return Archive("s1", title, system, BEGUN, BEGUN + 60, numbered)


def kept(turn: Turn) -> Turn:
    """Return what a session keeps of a client's turn: no marks for the cache, and nothing that was thought."""
    bare = unmarked_turn(turn)
    if isinstance(bare, UserTurn):
        return bare
    return AssistantTurn(tuple(part for part in bare.content if not isinstance(part, Thinking | RedactedThinking)))


def imported(recording: Recording) -> Archive:
    """Return the session that a recording makes."""
    ids = count(1)
    return archive_in(recording.transcript, DEAR, BEGUN, lambda: f"id{next(ids)}")


EVERYTHING = session(
    user(text("Look at these."), PICTURE, LINKED, PAPER, NOTE, FOUND),
    answer(THOUGHT, text("I look."), CALL),
    user(RESULT, FAILED_RESULT),
    answer(text("Half of an"), BROKEN_CALL, status="incomplete"),
    user(text("Are you there?"), status="undelivered"),
    answer(status="undelivered"),
    told(text("I said so.")),
    user(text("Then go on.")),
    answer(SIGNED, UNTOLD, REDACTED, text("So I do.")),
    title="All there is",
    system=("Be brief.", "Be kind."),
)
"""A session that has every kind of part, status and role."""
