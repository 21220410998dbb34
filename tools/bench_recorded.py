"""Recordings of answers of any length, as Claude Code prints them, and the requests that each dialect asks them by."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import orjson

from cca.backends.transcript import Ended, Entry, Header, Read, Transcript, Written, encode, request_json
from cca.catalogue import Catalogue
from cca.claude.script import script
from cca.dialects import DIALECTS
from cca.dialects.contract import Dialect, Terms
from cca.model import Conversation, Json, ModelEntry

MODEL = ModelEntry("haiku", "claude-haiku-5-5", "Haiku")

WORD = " word"
"""What one token of an answer is."""

BODIES: Mapping[str, Mapping[str, Json]] = {
    "/v1/chat/completions": {"messages": [{"role": "user", "content": "Go on."}]},
    "/v1/completions": {"prompt": "Go on."},
    "/v1/responses": {"input": "Go on.", "store": False},
    "/v1/messages": {"messages": [{"role": "user", "content": "Go on."}], "max_tokens": 9000},
}


def asked(dialect: Dialect, tokens: int, *, stream: bool) -> Mapping[str, Json]:
    """Return a request whose answer has so many tokens: its prompt says so, as each recording has one of its own."""
    said = orjson.loads(orjson.dumps(BODIES[dialect.path]).replace(b"Go on.", b"Say %d words." % tokens))
    return {"model": MODEL.alias, "stream": stream, **said}


def printed(tokens: int) -> Iterator[Mapping[str, Json]]:
    """Yield the lines of an answer as Claude Code 2.1.330 prints them."""
    usage = {"input_tokens": 5, "output_tokens": 1, "output_tokens_details": {"thinking_tokens": 0}}
    message = {"model": MODEL.id, "id": "msg_1", "type": "message", "role": "assistant", "content": [], "usage": usage}
    yield {"type": "system", "subtype": "init", "tools": [], "model": MODEL.id, "claude_code_version": "2.1.330"}
    yield _event({"type": "message_start", "message": message})
    yield _event({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}})
    for _ in range(tokens):
        yield piece(WORD)
    said = {**message, "content": [{"type": "text", "text": WORD * tokens}]}
    yield {"type": "assistant", "message": said, "parent_tool_use_id": None}
    yield _event({"type": "content_block_stop", "index": 0})
    delta = {"stop_reason": "end_turn", "stop_sequence": None}
    yield _event({"type": "message_delta", "delta": delta, "usage": {**usage, "output_tokens": tokens}})


def piece(text: str) -> Mapping[str, Json]:
    delta = {"type": "text_delta", "text": text}
    return _event({"type": "content_block_delta", "index": 0, "delta": delta})


def _event(event: Json) -> Mapping[str, Json]:
    return {"type": "stream_event", "event": event, "parent_tool_use_id": None}


INTRODUCED = [
    {
        "type": "control_response",
        "response": {
            "subtype": "success",
            "request_id": "initialize",
            "response": {
                "models": [
                    {"value": MODEL.alias, "resolvedModel": MODEL.id, "displayName": "Haiku", "supportsEffort": True}
                ]
            },
        },
    },
    {"type": "control_response", "response": {"subtype": "success", "request_id": "settings"}},
]


def record(directory: Path, tokens: Sequence[int]) -> None:
    """Write recordings that answer ``asked`` in each dialect."""
    for number in tokens:
        for dialect in DIALECTS:
            ask = dialect.decode(asked(dialect, number, stream=True), Terms(Catalogue((MODEL,), ()), 1))
            path = directory / f"{dialect.name}_{number}.ndjson"
            path.write_bytes(encode(_transcript(ask.conversations[0], number)))


def _transcript(conversation: Conversation, tokens: int) -> Transcript:
    [frames] = script(conversation)
    entries: tuple[Entry, ...] = (
        *(Written(0, orjson.loads(frame)) for frame in frames.splitlines()),
        *(Read(1, line) for line in (*INTRODUCED, *printed(tokens))),
        Ended(2, None),
    )
    return Transcript(Header("2.1.330", (), (), request_json(conversation)), entries)
