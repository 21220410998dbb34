"""A hostile body of some MB is refused in a time that grows with its size, and no faster."""

import time

import pytest

from cca.catalogue import Catalogue
from cca.dialects.contract import Terms
from cca.dialects.openai_chat import OPENAI_CHAT
from cca.errors import BadRequest
from cca.wire import decode_json

SIZE = 4_000_000
SECONDS = 5.0
"""Of each, on a machine with other work to do. Gathering every fault took a quarter of a minute."""


def filled(before: bytes, item: bytes, after: bytes) -> bytes:
    return before + item * ((SIZE - len(before) - len(after)) // len(item)) + after


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
    began = time.perf_counter()
    with pytest.raises(BadRequest):
        OPENAI_CHAT.decode(decode_json(body), Terms(Catalogue((), (("sonnet", "sonnet"),)), 4))
    assert time.perf_counter() - began < SECONDS
