"""A room where conversations stay, and what is said in it."""

import trio

from cca.backends import Backend
from cca.exchange import CHANNEL_SIZE, Deadlines, converse
from cca.message import Message
from cca.model import Conversation, Failed, Told
from cca.staying import Room, Staying

DEADLINES = Deadlines(first_event=120, silence=300, answer=1800)
PATIENCE = 300


def staying_with(backend: Backend, most: int = 4) -> Staying:
    return Staying(backend, Room(most, PATIENCE), lambda: 1e9)


async def said(room: Staying, conversation: Conversation, owner: str = "ann") -> Message:
    """Return the answer to ``conversation``; raise its failure."""
    sender, receiver = trio.open_memory_channel[Told](CHANNEL_SIZE)
    message, failed = Message(), None
    async with trio.open_nursery() as nursery, receiver:
        nursery.start_soon(converse, room.talk(owner, conversation), DEADLINES, sender)
        async for told in receiver:
            failed = told.event if isinstance(told.event, Failed) else None
            message.take(told.event)
    if failed is not None:
        raise failed.error
    return message
