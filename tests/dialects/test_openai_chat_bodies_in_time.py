"""A body of some MB is refused, or taken in, in a time that grows with its size, and no faster."""

import time

import orjson
import pytest

from cca.catalogue import Catalogue
from cca.dialects.contract import Terms
from cca.dialects.openai_chat import OPENAI_CHAT
from cca.dialects.pairing import check_pairs
from cca.errors import BadRequest
from cca.wire import decode_json

pytestmark = pytest.mark.soak

SIZE = 8_000_000
SECONDS = 20.0
"""Of the processor's time for each: most take one. Gathering every fault took 15 for half as much."""


def filled(before: bytes, item: bytes, after: bytes) -> bytes:
    return before + item * ((SIZE - len(before) - len(after)) // len(item)) + after


TERMS = Terms(Catalogue((), (("sonnet", "sonnet"),)), 4)
START = b'{"model":"sonnet","messages":['
USER = b'{"role":"user","content":"x"},'


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"[" * SIZE, id="depth"),
        pytest.param(filled(START, b"[],", b"1]}"), id="arrays"),
        pytest.param(filled(START, b'{"role":"user","content":5},', b"1]}"), id="faults"),
        pytest.param(filled(START, b'{"a":{"b":[{}]}},', b"1]}"), id="nested"),
        pytest.param(filled(START, USER, b"1]}"), id="a fault at the end"),
        pytest.param(
            filled(START + b'{"role":"user","content":[', b'{"type":"text","text":""},', b"1]}]}"), id="parts"
        ),
        pytest.param(filled(b'{"model":"sonnet","messages":[],"x":"', b"\\u0000", b'"}'), id="escapes"),
        pytest.param(filled(b'{"model":"sonnet","messages":[],"x":', b"9", b"}"), id="digits"),
    ],
)
def test_it_is_refused_in_time(body: bytes) -> None:
    began = time.process_time()
    with pytest.raises(BadRequest):
        OPENAI_CHAT.decode(decode_json(body), TERMS)
    assert time.process_time() - began < SECONDS


CALL = {"id": "c", "type": "function", "function": {"name": "f", "arguments": '{"a":[1]}'}}
ROUND = (
    {"role": "user", "content": [{"type": "text", "text": "x"}]},
    {"role": "assistant", "content": "y", "tool_calls": [CALL]},
    {"role": "tool", "tool_call_id": "c", "content": "z"},
)


def test_as_many_messages_and_tools_as_there_may_be_are_taken_in_in_time() -> None:
    wide = {"type": "object", "properties": {f"p{number}": {"type": "string"} for number in range(300)}}
    tools = [
        {"type": "function", "function": {"name": f"f{number}", "description": "d" * 10_000, "parameters": wide}}
        for number in range(128)
    ]
    body = orjson.dumps({"model": "sonnet", "messages": ROUND * 33_333, "tools": tools, "store": True})
    began = time.process_time()
    ask = OPENAI_CHAT.decode(decode_json(body), TERMS)
    check_pairs(ask.conversations[0].turns, ask.results)
    # Four seconds, and thrice that while coverage is measured; what grows with the square would take an hour.
    assert time.process_time() - began < 3 * SECONDS
    assert len(ask.conversations[0].turns) == 3 * 33_333 - 33_332


def test_a_picture_of_many_bytes_is_looked_at_in_time() -> None:
    png = b"iVBORw0KGgoAAAANSUhEUgAA" + b"AAAA" * (SIZE // 4)
    part = b'{"type":"image_url","image_url":{"url":"data:image/png;base64,%b"}}' % png
    body = START + b'{"role":"user","content":[%b]}]}' % b",".join([part] * 4)
    began = time.process_time()
    ask = OPENAI_CHAT.decode(decode_json(body), TERMS)
    assert time.process_time() - began < SECONDS
    assert len(ask.conversations[0].turns[0].content) == 4
