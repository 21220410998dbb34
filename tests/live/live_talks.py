"""Conversations of several turns with processes that stay, as the server holds them. For the tests beside."""

import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import trio
from attrs import evolve, frozen
from live_cli import PLAIN, SECONDS, Surroundings, open_starter

from cca.backends import Backend
from cca.backends.pool import Pool
from cca.exchange import CHANNEL_SIZE, Deadlines, converse
from cca.message import Message
from cca.model import AssistantTurn, Conversation, Failed, Text, Told, ToolResult, ToolUse, UserTurn
from cca.scripted import ScriptedModel, open_scripted_model
from cca.staying import Room, Staying
from cca.talk import Talk, fresh

DEADLINES = Deadlines(first_event=SECONDS, silence=SECONDS, answer=SECONDS)

Follow = Callable[[Message], UserTurn]
"""What a user says to an answer."""


@frozen
class Table:
    """The model, processes that stay, and processes that are each for one answer."""

    model: ScriptedModel
    staying: Staying
    pool: Pool
    fresh: Backend

    async def say(self, conversation: Conversation, owner: str = "ann") -> Message:
        """Return the answer of the process that stays for ``conversation``, or of a fresh one."""
        return await said(self.staying.talk(owner, conversation))

    async def say_anew(self, conversation: Conversation) -> Message:
        """Return the answer of a process that was started for this alone, and told nothing before."""
        return await said(fresh(self.fresh, conversation, time.time))


@asynccontextmanager
async def open_table(surroundings: Surroundings = PLAIN, *, waiting: int = 0) -> AsyncIterator[Table]:
    """Own the processes of a test; ``waiting`` are started ahead of demand."""
    async with open_scripted_model() as model, open_starter(model, surroundings) as starter:
        pool = Pool(starter, most=24, waiting=waiting, starts=2)
        staying = Staying(pool, Room(most=20, patience=SECONDS), time.time)
        pool.spare = staying.spare
        async with pool.opened(), staying.opened():
            yield Table(model, staying, pool, starter)


async def said(talk: AbstractAsyncContextManager[Talk]) -> Message:
    """Return an answer; raise its failure."""
    sender, events = trio.open_memory_channel[Told](CHANNEL_SIZE)
    message, failed = Message(), None
    async with trio.open_nursery() as nursery:
        nursery.start_soon(converse, talk, DEADLINES, sender)
        async for told in events:
            failed = told.event if isinstance(told.event, Failed) else None
            message.take(told.event)
    if failed is not None:
        raise failed.error
    return message


def answer_of(message: Message) -> AssistantTurn:
    """Return an answer as a client sends it back: what was thought is left out."""
    text = (Text(message.said),) if message.said.strip() else ()
    calls = (ToolUse(call.id, call.name, json.loads(call.arguments or "{}")) for call in message.calls)
    return AssistantTurn((*text, *calls))


def followed(conversation: Conversation, message: Message, follow: Follow) -> Conversation:
    return evolve(conversation, turns=(*conversation.turns, answer_of(message), follow(message)))


def results(*told: str) -> Follow:
    """Say the results of the calls of an answer."""
    return lambda message: UserTurn(
        tuple(ToolResult(call.id, (Text(text),)) for call, text in zip(message.calls, told, strict=True))
    )
