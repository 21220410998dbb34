"""A session as a recording that nobody recorded.

The request of such a recording is the conversation up to the last answer that is complete. What cca writes for it, the
real dialogue says; what Claude Code prints is what that dialogue reads for this very answer, and no more.
"""

from collections.abc import Iterator

import orjson

from cca.archive import Archive, ArchivedTurn, archive_json
from cca.backends.transcript import Ended, Entry, Header, Read, Transcript, Written, request_json
from cca.claude.dialogue import STOP_REASONS, Dialogue
from cca.claude.script import INITIALIZE, SETTINGS
from cca.model import Conversation, Json, Turn, Usage, UserTurn
from cca.store.turns import Answered, history, joined, turn_of, unthought

CLI = "session"
"""In place of Claude Code's version: no process printed this."""

_PRINTED_REASONS: dict[str, str] = {ours: printed for printed, ours in STOP_REASONS.items()}

_REMEMBERED: Json = {"type": "result", "subtype": "success", "is_error": False, "num_turns": 0, "result": ""}
"""What answers a past turn."""


class NothingToReplay(ValueError):
    """A session without an answer that is complete."""


def transcript_of(archive: Archive) -> Transcript:
    """Return a recording of the last complete answer. Raise ``NothingToReplay`` when there is none."""
    for position, turn in reversed(list(enumerate(archive.turns))):
        answered = turn.answer
        if turn.status == "completed" and answered is not None and answered.outcome in _PRINTED_REASONS:
            turns = _turns_before(archive.turns[:position])
            if not turns or not isinstance(turns[-1], UserTurn):
                break
            conversation = Conversation(answered.model, turns, archive.system)
            header = Header(CLI, (), (), request_json(conversation), archive_json(archive))
            return Transcript(header, tuple(_entries(conversation, turn, answered)))
    raise NothingToReplay(f"the session {archive.id} has no complete answer to a user's turn")


def _turns_before(turns: tuple[ArchivedTurn, ...]) -> tuple[Turn, ...]:
    """Return what an answer answered: the history, and what its client sent, after the answer before."""
    begin = 1 + max((position for position, turn in enumerate(turns) if turn.answer is not None), default=-1)
    known = history((turn.role, turn.status, orjson.dumps(turn.content).decode(), None) for turn in turns[:begin])
    # A client that asks the same again may know nothing of what was thought.
    return joined(map(unthought, (*known, *(turn_of(turn.role, turn.content) for turn in turns[begin:]))))


def _entries(conversation: Conversation, turn: ArchivedTurn, answered: Answered) -> Iterator[Entry]:
    dialogue = Dialogue(conversation, turn.created_at)
    begins, ends = round((answered.first_event or 0) * 1000), round(answered.duration * 1000)
    past = sum(isinstance(each, UserTurn) for each in conversation.turns) - 1
    yield from _written(dialogue.open())
    for line in (*_replies(answered.model), *[_REMEMBERED] * past):
        yield Read(0, line)
        yield from _written(dialogue.feed(orjson.dumps(line)).write)
    for line in _answer(turn, answered):
        yield Read(begins, line)
    yield Ended(ends, None)


def _written(frames: bytes) -> list[Entry]:
    return [Written(0, orjson.loads(frame)) for frame in frames.splitlines()]


def _replies(model: str) -> list[Json]:
    """Return the answers to cca's control requests: the model that answered is the one that there is."""
    models = [{"value": model, "resolvedModel": model, "displayName": model}]
    return [
        _reply({"request_id": INITIALIZE, "response": {"models": models}}),
        _reply({"request_id": SETTINGS}),
    ]


def _reply(response: Json) -> Json:
    return {"type": "control_response", "response": {"subtype": "success", **response}}


def _answer(turn: ArchivedTurn, answered: Answered) -> Iterator[Json]:
    usage = _printed_usage(answered.usage)
    message: Json = {
        "model": answered.model,
        "id": turn.id,
        "type": "message",
        "role": "assistant",
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {**usage, "output_tokens": 0},
    }
    yield _event("message_start", message=message)
    for index, part in enumerate(turn.content):
        opening, deltas = _block(part)
        yield _event("content_block_start", index=index, content_block=opening)
        yield from (_event("content_block_delta", index=index, delta=delta) for delta in deltas)
        yield _event("content_block_stop", index=index)
    end = {"stop_reason": _PRINTED_REASONS[answered.outcome], "stop_sequence": None}
    yield _event("message_delta", delta=end, usage=usage)


def _event(kind: str, **fields: Json) -> Json:
    return {"type": "stream_event", "event": {"type": kind, **fields}, "parent_tool_use_id": None}


def _block(part: Json) -> tuple[Json, list[Json]]:
    """Return how a block opens, and the pieces that it comes in."""
    match part:
        case {"type": "text", "text": text}:
            return {"type": "text", "text": ""}, [{"type": "text_delta", "text": text}]
        case {"type": "thinking", "text": text}:
            told = [{"type": "thinking_delta", "thinking": text}] if text else []
            signed = [{"type": "signature_delta", "signature": part["signature"]}] if "signature" in part else []
            return {"type": "thinking", "thinking": "", "signature": ""}, [*told, *signed]
        case {"type": "redacted_thinking"}:
            return part, []
        case _:
            broken = part.get("partial_json")
            arguments = orjson.dumps(part["input"]).decode() if broken is None else broken
            opening: Json = {"type": "tool_use", "id": part["id"], "name": part["name"], "input": {}}
            return opening, [{"type": "input_json_delta", "partial_json": arguments}]


def _printed_usage(usage: Usage) -> Json:
    return {
        "input_tokens": usage.input_tokens,
        "cache_creation_input_tokens": usage.cache_write_tokens,
        "cache_read_input_tokens": usage.cache_read_tokens,
        "output_tokens": usage.output_tokens,
        "output_tokens_details": {"thinking_tokens": usage.reasoning_tokens},
    }
