"""Every recorded conversation, held anew: what happens goes through the real framer and dialogue."""

from contextlib import AbstractAsyncContextManager
from pathlib import Path

import trio

from cca.backends.replay import Recording, ReplayBackend, read_recordings
from cca.backends.transcript import conversation_of
from cca.exchange import CHANNEL_SIZE, Deadlines, converse
from cca.model import Event, Told
from cca.talk import Talk, fresh

FIXTURES = Path(__file__).parent.parent.parent / "fixtures"
RECORDINGS = {recording.name: recording for recording in read_recordings(FIXTURES)}
DEADLINES = Deadlines(first_event=120, silence=300, answer=1800)


def case_id(name: str) -> str:
    return name.replace("/", "-")


async def answer(recording: Recording) -> list[Event]:
    """Return what happens when the conversation of ``recording`` is held anew with it."""
    backend = ReplayBackend((recording,), recording.transcript.header.cli, ())
    return await held(fresh(backend, conversation_of(recording.request), lambda: 0.0))


async def held(talk: AbstractAsyncContextManager[Talk]) -> list[Event]:
    sender, events = trio.open_memory_channel[Told](CHANNEL_SIZE)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(converse, talk, DEADLINES, sender)
        return [told.event async for told in events]
