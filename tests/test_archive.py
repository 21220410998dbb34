"""A session as JSON: what cca wrote comes back, and nothing else gets in."""

from typing import Any

import orjson
import pytest

from archived import EVERYTHING, REDACTED, SIGNED, text
from cca.archive import UnreadableArchive, archive_json, archive_of

FIELDS = "^its session has not the fields of one$"
TURN = "^its turn {} is not understood$"
PARTS = "^its turn {} has parts that cca does not keep$"
NUMBER = "^what its turn 1 came to has a number or a name that no answer has$"
ANSWER = "^what an answer came to is not understood$"


def fresh() -> Any:
    return orjson.loads(orjson.dumps(archive_json(EVERYTHING)))


def test_what_was_written_comes_back() -> None:
    assert archive_of(fresh()) == EVERYTHING


@pytest.mark.parametrize("given", [1, None, [], {}, "s1"])
def test_what_is_no_session(given: Any) -> None:
    with pytest.raises(UnreadableArchive, match=FIELDS):
        archive_of(given)


def test_the_largest_numbers_and_names_come_back() -> None:
    given = changed("turns.1.answer.usage.input_tokens", 2**53 - 1)
    given["turns"][1]["answer"] |= {"model": "x" * 300, "first_event": None, "duration": 253_402_300_799, "cost": 1e9}
    assert archive_json(archive_of(given)) == given


def test_a_session_of_which_nothing_was_delivered_comes_back() -> None:
    """The user's next question is its first."""
    given = fresh()
    given["turns"] = [{**turn, "status": "undelivered"} for turn in given["turns"]]
    assert archive_json(archive_of(given)) == given


def changed(path: str, value: Any) -> Any:
    """Return the session with the value at ``path``, as in ``turns.0.role``, changed."""
    given = fresh()
    *steps, last = (int(step) if step.isdecimal() else step for step in path.split("."))
    place = given
    for step in steps:
        place = place[step]
    place[last] = value
    return given


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("id", 1, FIELDS),
        ("title", 1, FIELDS),
        ("system", "be brief", FIELDS),
        ("system", [1], FIELDS),
        ("created_at", "now", FIELDS),
        ("created_at", -1, FIELDS),
        ("created_at", True, FIELDS),
        ("updated_at", 1e300, FIELDS),
        ("turns", {}, FIELDS),
        ("turns.0", 1, TURN.format(0)),
        ("turns.1.id", None, TURN.format(1)),
        ("turns.1.role", "system", TURN.format(1)),
        ("turns.1.status", "lost", TURN.format(1)),
        ("turns.1.status", [], TURN.format(1)),
        ("turns.1.content", "text", TURN.format(1)),
        ("turns.1.created_at", None, TURN.format(1)),
        ("turns.0.answer", fresh()["turns"][1]["answer"], TURN.format(0)),
        ("turns.1.answer", {}, ANSWER),
        ("turns.1.answer.model", None, ANSWER),
        ("turns.1.answer.more", 1, ANSWER),
        ("turns.1.answer.cost", "much", ANSWER),
        ("turns.1.answer.usage.input_tokens", 1.5, ANSWER),
        ("turns.1.answer.usage.more", 1, ANSWER),
        ("turns.1.answer.model", "x" * 301, NUMBER),
        ("turns.1.answer.outcome", "x" * 301, NUMBER),
        ("turns.1.answer.first_event", -0.5, NUMBER),
        ("turns.1.answer.first_event", False, NUMBER),
        ("turns.1.answer.duration", 1e308, NUMBER),
        ("turns.1.answer.duration", True, NUMBER),
        ("turns.1.answer.cost", -0.01, NUMBER),
        ("turns.1.answer.cost", 1e300, NUMBER),
        ("turns.1.answer.usage.input_tokens", -1, NUMBER),
        ("turns.1.answer.usage.output_tokens", 2**53, NUMBER),
        ("turns.0.content.0", "text", PARTS.format(0)),
        ("turns.0.content.0", {"type": "video"}, PARTS.format(0)),
        ("turns.0.content.0", {"text": "no type"}, PARTS.format(0)),
        ("turns.0.content.0.text", 5, PARTS.format(0)),
        ("turns.0.content.0.more", 5, PARTS.format(0)),
        ("turns.0.content.0", {"type": "thinking", "text": "a user's"}, PARTS.format(0)),
        ("turns.1.content.0.more", 5, PARTS.format(1)),
        ("turns.1.content.0.text", None, PARTS.format(1)),
        ("turns.1.content.2.input", [], PARTS.format(1)),
        ("turns.3.content.1.partial_json", {}, PARTS.format(3)),
        ("turns.3.content.1.input", {}, PARTS.format(3)),
        ("turns.6.content", [text("x"), {"type": "thinking", "text": "no model's"}], PARTS.format(6)),
        ("turns.6.content", [SIGNED, text("nor this")], PARTS.format(6)),
        ("turns.6.content", [text("x"), REDACTED], PARTS.format(6)),
        ("turns.0.content.0", REDACTED, PARTS.format(0)),
        ("turns.0.content.0.cache", {"ttl": "1h"}, PARTS.format(0)),
        ("turns.1.content.1.cache", {}, PARTS.format(1)),
        ("turns.8.content.0.signature", None, PARTS.format(8)),
        ("turns.8.content.0.more", 5, PARTS.format(8)),
        ("turns.8.content.2.data", 5, PARTS.format(8)),
        ("turns.8.content.2.more", 5, PARTS.format(8)),
    ],
)
def test_what_cca_does_not_keep_is_refused(path: str, value: Any, message: str) -> None:
    with pytest.raises(UnreadableArchive, match=message):
        archive_of(changed(path, value))
