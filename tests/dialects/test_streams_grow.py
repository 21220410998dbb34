"""What a piece of an answer costs does not depend on how much was said before it: nothing grows with its square."""

import sys
from collections.abc import Callable
from types import FrameType

import pytest

from cca.claude.dialogue import Dialogue
from cca.dialects import DIALECTS
from cca.dialects.contract import Ask, Dialect, Stamp
from cca.model import Conversation, Started, Text, TextDelta, Told, Usage, UserTurn
from cca.web import sse

MANY = 3000

ASKED = Conversation("haiku", (UserTurn((Text("Hello"),)),))

START = (
    b'{"type":"stream_event","event":{"type":"message_start",'
    b'"message":{"id":"msg_1","model":"claude-haiku-5-5","usage":{}}}}'
)
PIECE = (
    b'{"type":"stream_event","event":{"type":"content_block_delta","index":0,'
    b'"delta":{"type":"text_delta","text":"word "}}}'
)


def calls(work: Callable[[], object]) -> int:
    """Return how many functions ``work`` calls, Python's own among them."""
    count = 0

    def note(_frame: FrameType, event: str, _argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(note)
    try:
        work()
    finally:
        sys.setprofile(None)
    return count


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)
def test_the_last_piece_of_a_stream_is_as_much_work_as_the_second(dialect: Dialect) -> None:
    encoder = dialect.stream(Ask((ASKED,), stream=True), Stamp("1", 0))

    def piece() -> bytes:
        return sse.render(encoder.encode(Told(0, TextDelta("word "))))

    for _ in encoder.encode(Told(0, Started("msg_1", "claude-haiku-5-5", Usage()))):
        pass
    piece()
    second = calls(piece)
    for _ in range(MANY):
        piece()
    assert calls(piece) == second


def test_the_last_line_of_an_answer_is_as_much_work_as_the_second() -> None:
    dialogue = Dialogue(ASKED, 0.0)
    dialogue.open()
    dialogue.feed(START)
    dialogue.feed(PIECE)
    second = calls(lambda: dialogue.feed(PIECE))
    for _ in range(MANY):
        dialogue.feed(PIECE)
    assert calls(lambda: dialogue.feed(PIECE)) == second
