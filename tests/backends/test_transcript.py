"""The format of a recording: everything in it survives being written and read; nothing else is taken for one."""

from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cca.backends import Exit
from cca.backends.transcript import (
    Ended,
    Entry,
    Garbled,
    Header,
    Read,
    Transcript,
    UnreadableTranscript,
    Written,
    conversation_of,
    decode,
    encode,
    line_entry,
    request_json,
)
from cca.model import (
    AssistantTurn,
    Conversation,
    Document,
    Image,
    Sampling,
    Text,
    Tool,
    ToolResult,
    ToolUse,
    UserTurn,
)

HEADER = Header("2.1.330", ("claude", "-p"), ("HOME", "PATH"), {"model": "haiku"})
END = Ended(9, None)

SHORT = Conversation("haiku", (UserTurn((Text("hi"),)),))
FULL = Conversation(
    model="sonnet",
    turns=(
        UserTurn(
            (
                Text("é \u2028 \x00"),
                Image(media_type="image/png", data="AAAA"),
                Image(url="https://example.com/a.png"),
                Document(media_type="application/pdf", data="AAAA", title="a title"),
                Document(text="plain"),
            )
        ),
        AssistantTurn((Text("look"), ToolUse("toolu_1", "find", {"deep": [{"a": None, "b": [1, 2.5, True]}]}))),
        UserTurn(
            (
                ToolResult("toolu_1", (Text("found"), Image(url="https://example.com/b.png")), is_error=True),
                ToolResult("toolu_2", ()),
            )
        ),
    ),
    system=("one", "two"),
    tools=(Tool("find", "finds", {"type": "object", "properties": {"q": {"type": "string"}}}),),
    sampling=Sampling(100, ("END",), 0.5, 0.9, "low", thinking=False),
    output_schema={"type": "object"},
)


@pytest.mark.parametrize(
    "entry",
    [
        Written(0, {"type": "user", "message": {"content": "é"}}),
        Read(1, {"type": "result", "n": [None, True, 1.5, {}]}),
        Garbled(2, 'not JSON \x00 "\\'),
        END,
        Ended(3, Exit(0)),
        Ended(3, Exit(-9, "killed\n")),
    ],
    ids=repr,
)
def test_every_entry_comes_back(entry: Entry) -> None:
    end = () if isinstance(entry, Ended) else (END,)
    transcript = Transcript(HEADER, (entry, *end))
    assert decode(encode(transcript)) == transcript


@pytest.mark.parametrize("conversation", [SHORT, FULL], ids=["short", "full"])
def test_every_kind_of_part_comes_back(conversation: Conversation) -> None:
    request = orjson.loads(orjson.dumps(request_json(conversation)))
    assert conversation_of(request) == conversation
    assert request_json(conversation_of(request)) == request_json(conversation)


def test_what_has_its_default_value_is_left_out() -> None:
    content = [{"kind": "text", "text": "hi"}]
    assert orjson.loads(orjson.dumps(request_json(SHORT))) == {
        "model": "haiku",
        "turns": [{"kind": "user_turn", "content": content}],
    }


def test_a_request_of_another_shape_is_not_a_conversation() -> None:
    with pytest.raises(ExceptionGroup):
        conversation_of({"model": "haiku", "turns": [], "cwd": "/"})


@settings(deadline=None)
@given(st.binary().filter(lambda line: b"\n" not in line))
def test_any_line_can_be_kept(line: bytes) -> None:
    """A line that is no JSON object stays unreadable when it is replayed."""
    entry = line_entry(0, line)
    assert decode(encode(Transcript(HEADER, (entry, END)))).entries[0] == entry
    if isinstance(entry, Garbled):
        assert isinstance(line_entry(0, entry.text.encode()), Garbled)


@pytest.mark.parametrize("line", [b"", b"[1]", b"1", b"null", b"{", b'{"a":"\xff"}', b"\xef\xbb\xbf{}"])
def test_lines_that_are_no_json_object_are_garbled(line: bytes) -> None:
    assert isinstance(line_entry(0, line), Garbled)


FIRST: dict[str, Any] = {"format": 1, "cli": "2", "argv": [], "env": [], "request": {}}
LAST: dict[str, Any] = {"at": 1, "exit": None}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(b"", "does not begin", id="empty"),
        pytest.param(b"\n\n", "does not begin", id="blank"),
        pytest.param(b"\x00\xff", "not JSON", id="binary"),
        pytest.param(b"# notes", "not JSON", id="text"),
        pytest.param([[]], "does not begin", id="array"),
        pytest.param([{"at": 1}], "does not begin", id="no header"),
        pytest.param([{**FIRST, "format": 2}, LAST], "format is 2, and this cca knows format 1", id="later format"),
        pytest.param([{**FIRST, "format": "x" * 99}, LAST], "format is x{80}, and", id="odd format"),
        pytest.param([{**FIRST, "cli": 2}, LAST], "does not begin", id="header of other types"),
        pytest.param([{**FIRST, "argv": [1]}, LAST], "does not begin", id="arguments of another type"),
        pytest.param([{**FIRST, "env": [None]}, LAST], "does not begin", id="variables of another type"),
        pytest.param([{**FIRST, "request": None}, LAST], "does not begin", id="no request"),
        pytest.param([FIRST], "cut short", id="header alone"),
        pytest.param([FIRST, {"at": 1, "read": {}}], "cut short", id="no end"),
        pytest.param([FIRST, LAST, LAST], "put together", id="two ends"),
        pytest.param([FIRST, {"at": 1, "said": ""}, LAST], "an entry is not understood: .*said", id="unknown entry"),
        pytest.param([FIRST, {"at": 1, "read": []}, LAST], "an entry is not understood", id="line of no object"),
        pytest.param([FIRST, {"at": "1", "read": {}}, LAST], "an entry is not understood", id="time as text"),
        pytest.param([FIRST, {"at": 1, "exit": {"code": 1}}], "an entry is not understood", id="half an exit"),
        pytest.param(orjson.dumps(FIRST) + b'\n{"at":1,"rea', "not JSON", id="cut in a line"),
    ],
)
def test_what_is_no_recording(content: "bytes | list[Any]", message: str) -> None:
    if isinstance(content, list):
        content = b"\n".join(map(orjson.dumps, content))
    with pytest.raises(UnreadableTranscript, match=message):
        decode(content)


@pytest.mark.parametrize("cut", range(1, 4))
def test_a_recording_that_lost_its_end(cut: int) -> None:
    lines = encode(Transcript(HEADER, (Written(0, {}), Read(1, {}), END))).splitlines(keepends=True)
    with pytest.raises(UnreadableTranscript):
        decode(b"".join(lines[:-cut]))
