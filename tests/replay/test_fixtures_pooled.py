"""Every recorded conversation by a process that waited for it, and some by one that stays: the same happens."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest
import trio
from attrs import define, field
from recordings import RECORDINGS, answer, case_id, held

from cca.backends import Exit
from cca.backends.pool import Pool
from cca.backends.replay import Recording, ReplayBackend, ReplayProcess
from cca.backends.transcript import conversation_of
from cca.claude.form import ends_at_once
from cca.claude.preparation import PREPARE
from cca.message import Message
from cca.model import Conversation, Event, Failed, ModelEntry
from cca.staying import Room, Staying
from fake_backend import printed
from tools.cases import CASES
from tools.cases.case import Case, followed

PREPARED = printed(type="control_response", response={"subtype": "success", "request_id": PREPARE, "response": {}})


@define(eq=False)
class WaitingReplay:
    """A recorded process that was prepared before it goes on as it was recorded."""

    replay: ReplayProcess
    ended: bool = False
    _preparation: list[bytes] = field(factory=list, init=False)
    _said: bool = field(default=False, init=False)

    def write(self, frames: bytes) -> None:
        if self._preparation:
            self.replay.write(frames)
        else:
            self._preparation.append(frames)

    async def read(self) -> bytes:
        if self._said:
            return await self.replay.read()
        await trio.sleep(1)
        self._said = True
        return PREPARED

    async def wait(self) -> Exit:
        return await self.replay.wait()

    def end(self) -> None:
        self.ended = True

    @property
    def fit(self) -> bool:
        return not self.ended

    @property
    def recalled(self) -> bool:
        return self.replay.recalled

    @property
    def memory(self) -> int:
        return 0


@define
class Waiting:
    """Starts processes of one recording, and counts them."""

    recording: Recording
    name: str = "replay"
    cli_version: str = "2.1.330"
    models: tuple[ModelEntry, ...] = ()
    started: int = 0

    def is_special(self, conversation: Conversation) -> bool:
        return ends_at_once(conversation)

    @asynccontextmanager
    async def start(self, conversation: Conversation | None = None) -> AsyncIterator[WaitingReplay]:
        self.started += 1
        yield WaitingReplay(ReplayProcess(self.recording))


@asynccontextmanager
async def staying_in_a_pool(recording: Recording) -> AsyncIterator[tuple[Staying, Waiting]]:
    starter = Waiting(recording)
    pool = Pool(cast(Any, starter), most=2, waiting=1, starts=1)
    staying = Staying(pool, Room(most=1, patience=60), lambda: 0.0)
    pool.spare = staying.spare
    async with pool.opened(), staying.opened():
        # A process waits by now.
        await trio.sleep(2)
        assert pool.ready == 1
        yield staying, starter


def told(events: list[Event]) -> list[Any]:
    """Return events that compare: an error is what it says."""
    return [(type(each.error), vars(each.error)) if isinstance(each, Failed) else each for each in events]


@pytest.mark.parametrize("name", RECORDINGS, ids=case_id)
async def test_by_a_process_that_waited_the_same_happens(name: str, autojump_clock: trio.testing.MockClock) -> None:
    recording = RECORDINGS[name]
    async with staying_in_a_pool(recording) as (staying, _):
        events = await held(staying.talk("", conversation_of(recording.request)))
    assert told(events) == told(await answer(recording))


LOOPS = {case.name: case for case in CASES if case.steps}


async def followed_in(staying: Staying, recording: Recording, case: Case) -> list[list[Event]]:
    """Return what happens in each of the steps of a conversation."""
    conversation, all_events = conversation_of(recording.request), []
    for results in (*case.steps, ()):
        events = await held(staying.talk("", conversation))
        all_events.append(events)
        message = Message()
        for event in events:
            message.take(event)
        if results:
            conversation = followed(conversation, message, results)
    return all_events


@pytest.mark.parametrize("name", LOOPS)
async def test_a_conversation_that_stays_goes_on_the_same_in_a_process_that_waited(
    name: str, autojump_clock: trio.testing.MockClock
) -> None:
    [recording] = (each for each in RECORDINGS.values() if each.name.endswith(f"/{name}"))
    async with staying_in_a_pool(recording) as (staying, starter):
        pooled = await followed_in(staying, recording, LOOPS[name])
        await trio.sleep(1)
        assert starter.started == 2, "the one that answered all, and the one that waits in its place"
    alone = Staying(ReplayBackend((recording,), "2.1.330", ()), Room(most=1, patience=60), lambda: 0.0)
    async with alone.opened():
        assert pooled == await followed_in(alone, recording, LOOPS[name])
