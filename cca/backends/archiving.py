"""A recording as a session: what an export has of one, or else its request and the answer that it holds.

A file may come from anybody. What is in it is held to what cca writes, and the rest is refused.
"""

from collections.abc import Callable
from functools import partial

import orjson

from cca.archive import Archive, ArchivedTurn, UnreadableArchive, archive_of, check
from cca.backends.transcript import Ended, Entry, Garbled, Read, Transcript, conversation_of, request_json
from cca.claude.dialogue import Dialogue
from cca.claude.launch import knows_history
from cca.errors import BadRequest
from cca.message import Message
from cca.model import Conversation, Event, Failed, Finished, Json, UserTurn
from cca.prices import Prices
from cca.schemas.keywords import fault_in
from cca.store.turns import Answered, Role, answer_row, user_rows


def archive_in(transcript: Transcript, prices: Prices, now: float, new_id: Callable[[], str]) -> Archive:
    """Return the session that was exported, or the one that a recording makes ``now``.

    Raise ``UnreadableArchive`` for what cca did not write, and for a recording whose answer is not complete.
    """
    if transcript.header.session is not None:
        return archive_of(transcript.header.session)
    conversation = _conversation(transcript.header.request)
    message, answered = _replayed(transcript, conversation, prices)
    archived = partial(_archived, new_id, now)
    answer = answer_row(message, answered)
    turns = [archived(row.role, row.content) for row in user_rows(conversation.turns)]
    turns.append(archived(answer.role, answer.content, answered))
    archive = Archive(f"session_{new_id()}", None, conversation.system, now, now, tuple(turns))
    check(archive)
    return archive


def _conversation(request: Json) -> Conversation:
    """Return the conversation that ``request`` is, and not only near enough to."""
    try:
        conversation = conversation_of(request)
        is_same = orjson.loads(orjson.dumps(request_json(conversation))) == request
    except Exception as error:  # cattrs raises many kinds, alone and in groups
        raise UnreadableArchive("its request is not understood") from error
    if not is_same or not conversation.turns or not isinstance(conversation.turns[-1], UserTurn):
        raise UnreadableArchive("its request is not a conversation that ends with a user's turn")
    return conversation


def _replayed(transcript: Transcript, conversation: Conversation, prices: Prices) -> tuple[Message, Answered]:
    """Return the answer that the real dialogue makes of the recorded lines."""
    fault = None if conversation.output_schema is None else fault_in(conversation.output_schema)
    if fault is not None:
        raise UnreadableArchive(f"its request would be refused: The answer cannot be held to its schema: {fault}")
    dialogue = Dialogue(conversation, began_at=0.0, recalled=knows_history(transcript.header.argv))
    try:
        dialogue.open()
    except BadRequest as error:
        raise UnreadableArchive(f"its request would be refused: {error}") from error
    message = Message()
    first: float | None = None
    for entry in transcript.entries:
        seconds = entry.at / 1000
        for event in _heard(dialogue, entry):
            first = seconds if first is None else first
            _take(message, event)
            if isinstance(event, Finished):
                cost = prices.cost(message.model, event.usage) if event.cost is None else event.cost
                return message, Answered(message.model, event.stop_reason, first, seconds, event.usage, cost)
    raise UnreadableArchive("its answer has no end")


def _heard(dialogue: Dialogue, entry: Entry) -> tuple[Event, ...]:
    match entry:
        case Read(_, line):
            return dialogue.feed(orjson.dumps(line)).events
        case Garbled(_, text):
            return dialogue.feed(text.encode()).events
        case Ended(_, how) if how is not None:
            return dialogue.close(str(how))
        case _:
            return ()


def _take(message: Message, event: Event) -> None:
    if isinstance(event, Failed):
        raise UnreadableArchive(f"its answer failed: {event.error}")
    message.take(event)


def _archived(
    new_id: Callable[[], str], now: float, role: Role, content: str, answered: Answered | None = None
) -> ArchivedTurn:
    return ArchivedTurn(f"turn_{new_id()}", role, "completed", orjson.loads(content), now, answered)
