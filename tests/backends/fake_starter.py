"""Processes in memory for a pool: each is started, prepared after a while, waits, and does as a test says."""

from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import TypeAlias

import trio
from attrs import define, field

from cca.backends import Exit
from cca.claude.launch import Launch
from cca.model import Conversation, ModelEntry
from fake_backend import Action, Answered, FakeProcess, Hang, Pause, printed

LAUNCH = Launch(("claude",), {}, "")
PREPARED = printed(type="control_response", response={"subtype": "success", "request_id": "prepare", "response": {}})

Plan: TypeAlias = Sequence[Action]
"""What a process does; the first that it is told is its preparation."""


def prepared_after(seconds: float) -> Plan:
    return (Answered(1), Pause(seconds), PREPARED, Hang())


def dead_after(seconds: float) -> Plan:
    return (Answered(1), Pause(seconds), Exit(1, "no licence\n"))


GARBAGE: Plan = (b"GNU bash, version 5\n", Hang())
SILENCE: Plan = (Hang(),)


@define(eq=False)
class WaitingProcess(FakeProcess):
    """``conversation`` is what it was started for alone."""

    number: int = 0
    conversation: Conversation | None = None
    launch: Launch = LAUNCH
    as_it_is_prepared: Callable[[], None] = lambda: None

    async def read(self) -> bytes:
        chunk = await super().read()
        if chunk == PREPARED:
            self.as_it_is_prepared()
        return chunk

    @property
    def prepared(self) -> bool:
        return self.printed == len(PREPARED)

    def die(self) -> None:
        """End by itself."""
        self._ended.set()


@define
class FakeStarter:
    """Starts processes that take ``seconds`` to be prepared, but for the next ones, which do as ``plans`` say.

    One for a conversation is prepared at once. One that is left is there for ``dying`` seconds more. ``begun`` has when
    each was started. ``start_up`` runs as one starts, ``prepared`` as one says that it is, ``end`` when one is gone.
    """

    seconds: float = 1.0
    plans: deque[Plan] = field(factory=deque)
    dying: float = 0.0
    start_up: Callable[[], None] = lambda: None
    prepared: Callable[[], None] = lambda: None
    end: Callable[[], None] = lambda: None
    name: str = "fake"
    cli_version: str = "0"
    models: tuple[ModelEntry, ...] = ()
    special: Callable[[Conversation], bool] = lambda conversation: conversation.model == "special"
    processes: list[WaitingProcess] = field(factory=list)
    begun: list[float] = field(factory=list)
    alive: int = 0
    most_alive: int = 0
    most_starting: int = 0

    def is_special(self, conversation: Conversation) -> bool:
        return self.special(conversation)

    def _plan(self, conversation: Conversation | None) -> Plan:
        if conversation is not None:
            return prepared_after(0)
        return self.plans.popleft() if self.plans else prepared_after(self.seconds)

    @property
    def starting(self) -> int:
        return sum(not (each.prepared or each.ended or each.conversation) for each in self.processes)

    @asynccontextmanager
    async def start(self, conversation: Conversation | None = None) -> AsyncIterator[WaitingProcess]:
        self.alive += 1
        self.most_alive = max(self.most_alive, self.alive)
        self.begun.append(trio.current_time())
        try:
            await trio.lowlevel.checkpoint()
            self.start_up()
            plan = self._plan(conversation)
            process = WaitingProcess(
                deque(plan),
                number=len(self.processes),
                conversation=conversation,
                as_it_is_prepared=self.prepared,
            )
            self.processes.append(process)
            self.most_starting = max(self.most_starting, self.starting)
            try:
                # As the live backend does: what is raised inside comes out in a group.
                async with trio.open_nursery():
                    yield process
            finally:
                process.end()
                with trio.CancelScope(shield=True):
                    await trio.sleep(self.dying)
                self.end()
        finally:
            self.alive -= 1
