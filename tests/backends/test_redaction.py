"""S-60: no secret and no name gets into a recording; and what is neither gets in unchanged."""

import json
import re
from collections.abc import Sequence
from typing import Any

import orjson
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from cca.backends import Exit
from cca.backends.kept import KEPT
from cca.backends.redaction import Literal, Redactor, header_of, named
from cca.backends.transcript import Ended, Entry, Garbled, Header, Read, Transcript, Written, encode
from cca.model import Json

HEADER = Header("2.1.330", ("claude",), (), {})

KEYS = {
    "anthropic": "sk-ant-api03-Zq8vT2yKx4mB7nLr_w1c-AA",
    "openai": "sk-proj-Zq8vT2yKx4mB7nLr",
    "stripe": "sk_live_Zq8vT2yKx4mB7nLr",
    "github": "ghp_Zq8vT2yKx4mB7nLrZq8vT2yKx4mB7nLr",
    "github, fine-grained": "github_pat_11ABCDEFG0Zq8vT2yKx4mB7nLr",
    "gitlab": "glpat-Zq8vT2yKx4mB7nLrAb12",
    "slack": "xoxb-123456789012-Zq8vT2yKx4mB",
    "hugging face": "hf_Zq8vT2yKx4mB7nLrZq8v",
    "groq": "gsk_Zq8vT2yKx4mB7nLrZq8v",
    "npm": "npm_Zq8vT2yKx4mB7nLrZq8v",
    "google": "AIzaSyZq8vT2yKx4mB7nLrZq8vT2yKx4mB7nLr",
    "google, oauth": "ya29.Zq8vT2yKx4mB7nLrZq8v",
    "aws": "AKIAIOSFODNN7EXAMPLE",
    "cca": "cca_Zq8vT2yKx4mB7nLrZq8v",
    "jwt": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N",
    "bearer": "Zq8vT2yKx4mB7nLr/Zq8v+T2yKx4==",
    "pem": "-----BEGIN RSA PRIVATE KEY-----\nMIIEZq8vT2yKx4mB\n7nLr+/Zq==\n-----END RSA PRIVATE KEY-----",
}
IDENTITIES = {
    "email": "jane.doe+x@mail.example.co.uk",
    "account": "7f3c9a52-1b0e-4d6f-8a77-5c2e9d1f0b34",
    "device": "3b" * 32,
}
OWN = {
    "home": Literal("/home/zaphod", "<home>"),
    "run": Literal("/private/cca-q8vt2ykx/7", "<run>"),
    "base url": Literal("http://gateway.example:8080/v9", "<base-url>"),
    "credential": Literal('pass"word\\of é 12', "<credential>"),
    "user": Literal("zaphod", "<user>", word=True),
    "host": Literal("heart-of-gold", "<host>", word=True),
}
CANARIES = {**KEYS, **IDENTITIES, **{name: literal.value for name, literal in OWN.items()}}
FRAGMENTS = [
    *CANARIES.values(),
    "Bearer ",
    "nobody",
    " ",
    "\n",
    '"',
    "\\",
    "/",
    "-",
    ".",
    "@",
    "<user>",
    "<key-1>",
    "é",
    "🎈",
]

canaries = pytest.mark.parametrize("canary", CANARIES.values(), ids=CANARIES)
texts = st.lists(st.sampled_from(FRAGMENTS) | st.text(max_size=5), max_size=8).map("".join)


def redactor() -> Redactor:
    return Redactor(tuple(OWN.values()))


def recorded(*entries: Entry, header: Header = HEADER) -> str:
    return encode(redactor().transcript(Transcript(header, (*entries, Ended(9, None))))).decode()


def halves(value: str) -> tuple[str, str]:
    """Return the two halves of a secret, which overlap: each is one still."""
    middle = len(value) // 2
    return value[: middle + 3], value[middle - 3 :]


PARTS = [
    half.replace("\\", "")
    for value in CANARIES.values()
    for line in value.splitlines()
    if not line.startswith("-----")
    for half in halves(line)
    if len(half) > 5
]


def clean(text: str) -> bool:
    """Whether a recording, however its texts are escaped, and its streams are cut, has nothing of any canary."""
    joined = "".join(
        str(delta.get("text") or delta.get("thinking") or delta.get("partial_json"))
        for row in map(orjson.loads, text.splitlines())
        for delta in [row.get("read", {}).get("event", {}).get("delta", {})]
    )
    seen = text + json.dumps(orjson.loads(f"[{','.join(text.splitlines())}]"), ensure_ascii=False) + joined
    for _ in range(3):
        seen += re.sub(r"\\u([0-9a-f]{4})", lambda match: chr(int(match[1], 16)), seen).replace("\\", "")
    return not [part for part in PARTS if part in seen]


def delta(text: str, name: str = "text", index: int = 0) -> Json:
    kind = {"text": "text_delta", "thinking": "thinking_delta", "partial_json": "input_json_delta"}[name]
    event = {"type": "content_block_delta", "index": index, "delta": {"type": kind, name: text}}
    return {"type": "stream_event", "event": event, "parent_tool_use_id": None}


def surrounded(canary: str) -> str:
    return f"it is Bearer {canary}, or so."


def places(text: str) -> dict[str, tuple[Header, Sequence[Entry]]]:
    """Return each place of a recording that can hold ``text``."""
    deep = {"a": [text, {text: {"b": text}}]}
    block = {"type": "text", "text": text}
    message = {"id": "m", "model": "claude", "content": [block], "usage": {}}
    reply = {"subtype": "success", "request_id": "1", "error": text, "response": {"models": [{"displayName": text}]}}
    account = {"email": text, "organization": text, "uuid": text, "deviceId": text}
    call = {"params": {"name": "f", "arguments": deep}}
    rows: dict[str, Json] = {
        "whole message": {"type": "assistant", "message": message},
        "tool input": {"type": "assistant", "message": {**message, "content": [{"type": "tool_use", "input": deep}]}},
        "result": {"type": "result", "is_error": True, "result": text, "errors": [text]},
        "control reply": {"type": "control_response", "response": reply},
        "account": {"type": "control_response", "response": {"response": {"account": account, "models": [account]}}},
        "tool call": {"type": "control_request", "request": {"subtype": "mcp_message", "message": call}},
        "retry": {"type": "system", "subtype": "api_retry", "error": text},
        "init": {"type": "system", "subtype": "init", "cwd": text, "session_id": text, "mcp_servers": [text]},
        "later type": {"type": "account_info", "text": text, "message": {"content": text}},
        "type": {"type": {"a": text}},
        "type as text": {"type": text},
        "block start": {"type": "stream_event", "event": {"type": "content_block_start", "content_block": block}},
        "later delta": {"type": "stream_event", "event": {"type": "x", "delta": {"type": "later", "secret": text}}},
        "subagent": {**delta(text), "parent_tool_use_id": text},
        "user": {"type": "user", "message": {"role": "user", "content": [{"type": "tool_result", "content": [block]}]}},
        "user, plain": {"type": "user", "message": {"role": "user", "content": text}},
    }
    extra = {"env": {"CLAUDE_CODE_EXTRA_BODY": json.dumps({"tools": [{"description": text, "input_schema": deep}]})}}
    return {
        **{name: (HEADER, [Read(0, row)]) for name, row in rows.items()},
        "request": (header_of("2", ["claude"], [], {"turns": [deep]}), []),
        "argument": (header_of("2", ["claude", f"--x={text}"], [], {}), []),
        "program": (header_of("2", [f"/home/zaphod/{text.replace('/', '')}/claude"], [], {}), []),
        "frame": (HEADER, [Written(0, deep)]),
        "JSON in a frame": (HEADER, [Written(0, {"settings": extra})]),
        "JSON in JSON in a frame": (HEADER, [Written(0, {"settings": json.dumps(extra)})]),
        "garbled line": (HEADER, [Garbled(0, f"x{text[:0]} {text}")]),
        "garbled JSON": (HEADER, [Garbled(0, json.dumps([deep])[:-1])]),
        "stderr": (HEADER, [Ended(0, Exit(1, f"at {text}\n"))]),
        "delta": (HEADER, [Read(0, delta(text))]),
        "thinking": (HEADER, [Read(0, delta(text, "thinking"))]),
        "tool input as it comes": (HEADER, [Read(0, delta(json.dumps(deep), "partial_json"))]),
        "tool input cut short": (HEADER, [Read(0, delta(json.dumps(deep)[:-2], "partial_json"))]),
    }


@pytest.mark.parametrize("place", places(""))
def test_no_canary_survives_anywhere(place: str) -> None:
    for canary in CANARIES.values():
        header, entries = places(surrounded(canary))[place]
        unsafe = encode(Transcript(header, tuple(entries))).decode()
        assert place == "program" or not clean(unsafe), f"{canary} is not looked for well"
        assert clean(recorded(*entries, header=header)), canary


@canaries
@pytest.mark.parametrize("name", ["text", "thinking", "partial_json"])
def test_a_canary_cut_at_any_position(canary: str, name: str) -> None:
    """Also with other lines, and another block's pieces, between its pieces."""
    text = surrounded(canary) if name != "partial_json" else json.dumps({"a": surrounded(canary)})
    between = [Read(0, {"type": "system", "subtype": "status"}), Read(0, delta("other", index=1))]
    for cut in range(1, len(text)):
        assert clean(recorded(Read(0, delta(text[:cut], name)), *between, Read(0, delta(text[cut:], name)))), cut
    assert clean(recorded(*(Read(0, delta(each, name)) for each in text)))


@canaries
def test_a_canary_between_the_start_of_a_block_and_its_first_piece(canary: str) -> None:
    text = surrounded(canary)
    block = {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": text[:20]}}
    assert clean(recorded(Read(0, {"type": "stream_event", "event": block}), Read(0, delta(text[20:]))))


@settings(deadline=None)
@given(st.sampled_from(list(CANARIES.values())), st.data())
def test_a_canary_in_a_tools_input_however_it_is_escaped_and_cut(canary: str, data: st.DataObject) -> None:
    escaped = "".join(
        data.draw(st.sampled_from([json.dumps(each)[1:-1], "".join(f"\\u{ord(unit):04x}" for unit in each)]))
        if ord(each) < 0x10000
        else json.dumps(each)[1:-1]
        for each in surrounded(canary)
    )
    text = f'{{"a":"{escaped}"}}'
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=6)))
    pieces = [text[start:end] for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    written = recorded(*(Read(0, delta(piece, "partial_json")) for piece in pieces))
    assert clean(written)
    deltas = [row["read"]["event"]["delta"] for row in map(orjson.loads, written.splitlines()[1:-1])]
    assert set(orjson.loads("".join(each["partial_json"] for each in deltas))) == {"a"}


def test_streams_of_two_messages_are_not_joined() -> None:
    start = Read(0, {"type": "stream_event", "event": {"type": "message_start", "message": {}}})
    pieces = [Read(0, delta("sk-ant-api03")), start, Read(0, delta("-Zq8vT2yKx4mB7nLr"))]
    assert "-Zq8vT2yKx4mB7nLr" in recorded(*pieces)


def test_pieces_keep_their_places() -> None:
    key = KEYS["openai"]
    lines = [delta(piece) for piece in ("a ", key[:9], key[9:15], key[15:] + " b ", f"{key} c")]
    kept = [
        orjson.loads(row)["read"]["event"]["delta"]["text"]
        for row in recorded(*(Read(0, x) for x in lines)).splitlines()[1:-1]
    ]
    assert kept == ["a ", "<key-1>", "", " b ", "<key-1> c"]


def test_the_same_secret_has_the_same_placeholder_everywhere() -> None:
    key, other = KEYS["openai"], KEYS["github"]
    request = {"a": f"{key} {other}", "b": IDENTITIES["email"]}
    entries: list[Entry] = [
        Written(0, {"text": f"{other} {key}"}),
        Read(1, delta(key[:12])),
        Read(2, delta(key[12:])),
        Read(3, delta(json.dumps(other).replace("_", "\\u005f"), "partial_json")),
        Ended(4, Exit(1, key)),
    ]
    written = Redactor().transcript(Transcript(header_of("2", ["c"], [], request), tuple(entries)))
    assert written.header.request == {"a": "<key-1> <key-2>", "b": "<email-1>"}
    assert [str(entry).count("<key-1>") for entry in written.entries] == [1, 1, 0, 0, 1]
    assert [str(entry).count("<key-2>") for entry in written.entries] == [1, 0, 0, 1, 0]


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        ("zaphod@example.com", "<email-1>"),
        ("sk-ant-zaphod-Zq8vT2yKx4mB7nLr", "<key-1>"),
        ("/home/zaphod/heart-of-gold/x", "<home>/<host>/x"),
        ("Zaphod zaphods ZAPHOD", "<user> zaphods <user>"),
        ("/home/zaphodsk-ant-Zq8vT2yKx4mB7nLr", "<home><key-1>"),
        ("\\nsk-ant-Zq8vT2yKx4mB7nLr", "\\n<key-1>"),
        (r"C:\new\zaphod", r"C:\new\<user>"),
        ("<user> <key-1> zaphod", "<user> <key-1> <user>"),
        ("bearer of good news", "bearer of good news"),
        ("risk-averse, task-oriented-programming", "risk-averse, task-oriented-programming"),
        ("a@b, @home, user@localhost", "a@b, @home, user@localhost"),
    ],
)
def test_what_is_hidden(text: str, redacted: str) -> None:
    assert redactor().text(text) == redacted


def test_a_placeholder_is_not_redacted() -> None:
    """A user may be called like one."""
    assert Redactor((Literal("key", "<user>", word=True),)).text(f"{KEYS['openai']} key") == "<key-1> <user>"


@pytest.mark.parametrize("depth", range(4))
def test_json_in_json_in_json(depth: int) -> None:
    text = f"first\n{KEYS['openai']}"
    for _ in range(depth):
        text = json.dumps({"a": text})
    assert redactor().text(text) == text.replace(KEYS["openai"], "<key-1>")


@pytest.mark.parametrize(
    ("name", "hidden"),
    [("zaphod", True), ("Heart-of-Gold", True), ("root", False), ("Runner", False), ("ab", False), (None, False)],
)
def test_names_that_say_nothing_are_not_hidden(name: str | None, *, hidden: bool) -> None:
    assert bool(named(name, "<user>")) is hidden


@pytest.mark.parametrize("name", ["content", "Delta", "claude", "input_tokens", "claudecode/tooluseid"])
def test_a_user_who_is_called_like_a_word_of_the_protocol(name: str) -> None:
    """Its recordings would not be readable."""
    assert named(name, "<user>") == []


def test_paths_are_hidden_in_what_nobody_wrote() -> None:
    trace = "at f (/opt/x/cli.js:1:2) file:///home/zaphod/a /b\n"
    kept = "at f (<path>:1:2) file://<home>/a /b\n"
    written = redactor().transcript(Transcript(HEADER, (Garbled(0, trace), Ended(1, Exit(1, trace)))))
    assert written.entries == (Garbled(0, kept), Ended(1, Exit(1, kept)))
    assert redactor().text("see /opt/x/cli.js") == "see /opt/x/cli.js"


@settings(deadline=None)
@given(st.lists(texts, max_size=4), st.sampled_from(["text", "thinking", "partial_json"]))
@example(["/home/zaphodsk-ant-Zq8vT2yKx4m", "B7nLr"], "text")
def test_redaction_is_idempotent(pieces: list[str], name: str) -> None:
    entries: list[Entry] = [*(Read(0, delta(piece, name)) for piece in pieces), Garbled(1, "".join(pieces))]
    request = {"a": pieces, "".join(pieces): 1}
    once = redactor().transcript(Transcript(header_of("2", ["claude"], [], request), (*entries, Ended(2, None))))
    assert redactor().transcript(once) == once


@settings(deadline=None)
@given(st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="@-_./")), max_size=6))
def test_text_without_secrets_is_unchanged(pieces: list[str]) -> None:
    lines = [delta(piece, name) for piece in pieces for name in ("text", "partial_json")]
    transcript = Transcript(
        header_of("2", ["claude"], [], {"turns": pieces}),
        (Written(0, {"text": pieces}), *(Read(1, line) for line in lines), Garbled(2, "".join(pieces)), Ended(3, None)),
    )
    assert encode(redactor().transcript(transcript)) == encode(transcript)


@pytest.mark.parametrize("kind", [*KEPT, "of_a_later_version"])
def test_an_unknown_field_never_survives(kind: str) -> None:
    """At no depth of what is kept."""

    def planted(shape: Any) -> Json:
        inner = {name: planted(each) for name, each in (shape or {}).items()}
        return {**inner, "new_field": "canary"} if shape is not None else "kept"

    line = {**planted(KEPT.get(kind, {})), "type": kind}
    written = redactor().line(line)
    assert "canary" not in str(written)
    assert written["type"] == kind


def test_a_list_keeps_the_allowed_fields_of_each() -> None:
    models = [{"value": "haiku", "account": "x"}, {"displayName": "Opus"}, "odd"]
    line = {"type": "control_response", "response": {"response": {"models": models}}}
    kept = [{"value": "haiku"}, {"displayName": "Opus"}, "odd"]
    assert redactor().line(line) == {"type": "control_response", "response": {"response": {"models": kept}}}


@pytest.mark.parametrize(
    "text", ["x" * 2_000_000, "eyJ-" * 500_000, "a@" * 1_000_000, "\\n" * 200_000, "sk-" * 600_000]
)
def test_long_texts_take_no_longer_than_they_are(text: str) -> None:
    """Half a second each; the square of it would be hours."""
    assert len(redactor().text(text)) <= len(text)


CITATION = {"type": "char_location", "cited_text": "May", "document_index": 0, "start_char_index": 0}
REFUSED = {"type": "refusal", "category": "cyber", "explanation": "No."}


@pytest.mark.parametrize(
    "event",
    [
        {"type": "content_block_delta", "index": 0, "delta": {"type": "citations_delta", "citation": CITATION}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "redacted_thinking", "data": "eA=="}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "citations": [CITATION]}},
        {"type": "message_delta", "delta": {"stop_reason": "refusal", "stop_details": REFUSED}},
    ],
    ids=["citation", "redacted thinking", "citations", "why it refuses"],
)
def test_what_an_answer_is_made_of_is_kept(event: Json) -> None:
    line = {"type": "stream_event", "event": event}
    assert Redactor().line(line) == line


def test_that_nothing_is_refused_is_not_kept() -> None:
    """It would stand in every message."""
    event = {"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_details": None}}
    kept = {"type": "message_delta", "delta": {"stop_reason": "end_turn"}}
    assert Redactor().line({"type": "stream_event", "event": event}) == {"type": "stream_event", "event": kept}
