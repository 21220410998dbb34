"""Whatever is in a body, it is a conversation that can be answered, or the client is told what to change; in time."""

import time
from contextlib import suppress
from itertools import cycle
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from messages_asked import HE, MARK, OLD, PDF, PNG, SHE, VERSIONS, assistant, call, result, terms, text, user

from cca import marks
from cca.dialects.anthropic_messages.body import BLOCKS, CHOICES, DOCUMENT_SOURCES, THINKING
from cca.dialects.anthropic_messages.request import decode, decode_count
from cca.dialects.contract import Ask
from cca.dialects.pairing import check_pairs
from cca.errors import BadRequest, NotFound
from cca.model import AssistantTurn, UserTurn
from cca.wire import decode_json

NAMES = (
    *("type", "role", "content", "text", "source", "media_type", "data", "url", "id", "tool_use_id", "name", "input"),
    *("is_error", "cache_control", "ttl", "citations", "enabled", "title", "context", "thinking", "signature"),
    *("effort", "format", "schema", "budget_tokens", "display", "input_schema", "description", "strict", "x"),
    *("output_config", "clear_at", "disable_parallel_tool_use", "properties", "allowed_callers"),
)
WORDS = (
    *(*BLOCKS, *DOCUMENT_SOURCES, *CHOICES, *THINKING, "user", "assistant", "system", "ephemeral", "5m", "json_schema"),
    *(
        "image/png",
        "text/plain",
        "application/pdf",
        PNG,
        PDF,
        "https://example.org",
        "sonnet",
        "haiku",
        "object",
        "direct",
    ),
    *("", " ", "a", "f", "c", "low", "tool_reference", "next_user_message", "\x00", "\ud800"),
)
FIELDS = (
    *("system", "tools", "tool_choice", "stop_sequences", "temperature", "top_p", "top_k", "thinking", "stream"),
    *("output_config", "output_format", "cache_control", "metadata", "thread", "mcp_servers"),
)

LEAVES = st.none() | st.booleans() | st.sampled_from((0, 1, -1, 0.5, 2000, 1e300)) | st.sampled_from(WORDS)
ANYTHING = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=5),
    max_leaves=12,
)


def block(kind: str, **fields: Any) -> st.SearchStrategy[dict[str, Any]]:
    """Return blocks of a type with these fields, a mark now and then, and anything else."""
    known = {"type": st.just(kind), **{name: st.sampled_from(values) for name, values in fields.items()}}
    return st.fixed_dictionaries(known, optional={"cache_control": MARKS, "x": ANYTHING})


MARKS = st.sampled_from(({"type": "ephemeral"}, {"type": "ephemeral", "ttl": "1h"}, None, {"type": "x"}))
PICTURES = (
    {"type": "base64", "media_type": "image/png", "data": PNG},
    {"type": "url", "url": "https://example.org"},
)
FILES = (
    {"type": "base64", "media_type": "application/pdf", "data": PDF},
    {"type": "text", "media_type": "text/plain", "data": "words"},
    {"type": "content", "content": [text("a", **MARK)]},
)
TEXTS = block("text", text=("a", "b ", "c\n"))
SHOWN = TEXTS | block("image", source=PICTURES) | block("document", source=FILES)
ASIDES = block("mid_conv_system", content=([], [text("a", **MARK)]))
THOUGHTS = block("thinking", thinking=("", "t"), signature=("", "s")) | block("redacted_thinking", data=("x",))
CALLS = block("tool_use", id=("c", "d"), name=("f",), input=({}, {"a": 1}))
RESULTS = block("tool_result", tool_use_id=("c", "d"), content=("", "r", [text("r", **MARK)]), is_error=(True, None))

MESSAGES = st.sampled_from((HE, SHE, {"role": "system", "content": "s"})) | st.builds(
    lambda role, blocks: {"role": role, "content": blocks},
    st.sampled_from(("user", "assistant", "system")),
    st.lists(SHOWN | CALLS | RESULTS | THOUGHTS | ASIDES, max_size=3) | ANYTHING,
)
ROUNDS = st.tuples(
    st.builds(lambda blocks: user(*blocks), st.lists(SHOWN | ASIDES, min_size=1, max_size=3)) | st.just(HE),
    st.builds(lambda blocks: assistant(*blocks, call()), st.lists(TEXTS | THOUGHTS, max_size=3))
    | st.builds(lambda blocks: assistant(*blocks), st.lists(THOUGHTS, min_size=1, max_size=2))
    | st.just(SHE),
    st.builds(lambda given: user(given, text("a")), RESULTS) | st.just(user(result())) | st.just(HE),
)
TALKS = st.builds(
    lambda rounds, last: [*(each for one in rounds for each in one), *last],
    st.lists(ROUNDS, max_size=1),
    st.lists(MESSAGES, max_size=2),
)

BODIES = st.fixed_dictionaries(
    {
        "model": st.sampled_from(("sonnet", "haiku", "claude-x", "gpt-x")),
        "max_tokens": st.sampled_from((9, 4096)),
        "messages": TALKS | st.lists(MESSAGES, max_size=4) | ANYTHING,
    },
    optional={"system": st.just("s") | st.just([text("s", **MARK)])},
)
STRANGE = st.dictionaries(st.sampled_from((*FIELDS, "model", "messages", "max_tokens")), ANYTHING, max_size=2)


@given(BODIES, st.just({}) | STRANGE, st.sampled_from(VERSIONS))
def test_it_is_a_conversation_or_the_client_is_told_what_to_change(body: Any, strange: Any, version: str) -> None:
    for decoded in (decode, decode_count):
        with suppress(BadRequest, NotFound):
            _check(decoded({**body, **strange}, terms(version)))


def _check(heard: Ask) -> None:
    (conversation,) = heard.conversations
    alternating = cycle((UserTurn, AssistantTurn))
    assert all(type(turn) is kind for turn, kind in zip(conversation.turns, alternating, strict=False))
    assert type(conversation.turns[-1]) is UserTurn
    assert all(turn.content for turn in conversation.turns)
    assert marks.count(conversation) <= 4
    assert all(heard.ignored)
    # Results that answer no call are refused where a session's history is known.
    with suppress(BadRequest):
        check_pairs(conversation.turns, heard.results)


SIZE = 2_000_000
SECONDS = 20.0
"""Of the processor's time for each: most take less than one."""

START = b'{"model":"sonnet","max_tokens":9,"messages":['


def filled(before: bytes, item: bytes, after: bytes) -> bytes:
    return before + item * ((SIZE - len(before) - len(after)) // len(item)) + after


@pytest.mark.soak
@pytest.mark.parametrize(
    "body",
    [
        pytest.param(filled(START, b'{"role":"user","content":5},', b"1]}"), id="faults"),
        pytest.param(filled(START, b'{"role":"user","content":"x"},', b"1]}"), id="a fault at the end"),
        pytest.param(
            filled(START + b'{"role":"user","content":[', b'{"type":"text","text":"x"},', b"1]}]}"), id="blocks"
        ),
        pytest.param(
            filled(START + b'{"role":"user","content":"x"}],"stop_sequences":[', b'"a",', b'"a"]}'), id="stop sequences"
        ),
        pytest.param(
            filled(
                START + b'{"role":"user","content":"x"}],"tools":[',
                b'{"name":"f","input_schema":{"type":"object"}},',
                b"1]}",
            ),
            id="tools",
        ),
        pytest.param(
            filled(
                START + b'{"role":"user","content":[',
                b'{"type":"text","text":"x","cache_control":{"type":"ephemeral"}},',
                b'{"type":"text","text":"x"}]}]}',
            ),
            id="marks",
        ),
    ],
)
def test_a_large_body_is_refused_in_time(body: bytes) -> None:
    began = time.process_time()
    with pytest.raises(BadRequest):
        decode(decode_json(body), terms(OLD))
    assert time.process_time() - began < SECONDS


@pytest.mark.soak
def test_a_large_body_is_taken_in_in_time() -> None:
    rounds = [
        message
        for number in range(6_000)
        for message in (
            user(text("x", x=1)),
            assistant({"type": "thinking", "thinking": "t", "signature": "s"}, text("y"), call(f"c{number}")),
            user(result(f"c{number}", content=[text("z")])),
            {"role": "system", "content": "s"},
        )
    ]
    body = orjson.dumps({"model": "sonnet", "max_tokens": 9, "messages": [*rounds, HE]})
    assert len(body) > SIZE
    began = time.process_time()
    heard = decode(decode_json(body), terms(OLD))
    (conversation,) = heard.conversations
    check_pairs(conversation.turns, heard.results)
    # Three seconds, and thrice that while coverage is measured; what grows with the square would take minutes.
    assert time.process_time() - began < 3 * SECONDS
    assert (len(conversation.turns), len(conversation.system)) == (12_001, 6_000)


@pytest.mark.soak
def test_a_large_picture_is_looked_at_in_time() -> None:
    large = PNG[:24] + "A" * SIZE
    block = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": large}}
    began = time.process_time()
    heard = decode({"model": "sonnet", "max_tokens": 9, "messages": [user(block)]}, terms(OLD))
    assert time.process_time() - began < SECONDS
    assert len(heard.conversations[0].turns[0].content) == 1
