"""How many requests are answered at once, and how many may wait for it."""

import math
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import trio
from attrs import define, field

from cca.errors import Busy

FIRST_GUESS = 10.0
"""Seconds that an answer is thought to take, until one was seen."""

WEIGHT = 0.2
"""Of the newest answer in the average of how long they take."""

LEAST_WAIT, MOST_WAIT = 1, 120
"""Seconds. OpenAI's clients give up where they are told to wait longer than two minutes."""


@define
class Gate:
    """At most ``size`` at once, first come, first served, and at most ``queue`` waiting. ``clock`` is in seconds."""

    size: int
    queue: int
    clock: Callable[[], float]
    _free: trio.Semaphore = field(init=False)
    _held: float = field(default=FIRST_GUESS, init=False)

    def __attrs_post_init__(self) -> None:
        self._free = trio.Semaphore(self.size)

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[None]:
        """Wait for a slot, and hold it. Cancelling leaves the queue, or gives the slot back.

        Raise ``Busy`` at once where the queue is full. Its ``retry_after`` is when a slot would be there for one more,
        by how long they were held lately.
        """
        if self._free.value == 0 and self.waiting >= self.queue:
            raise self._busy()
        async with self._free:
            began = self.clock()
            try:
                yield
            finally:
                self._held += WEIGHT * (self.clock() - began - self._held)

    @property
    def waiting(self) -> int:
        return self._free.statistics().tasks_waiting

    def _busy(self) -> Busy:
        wait = math.ceil((self.waiting + 1) * self._held / self.size)
        wait = max(LEAST_WAIT, min(wait, MOST_WAIT))
        return Busy(
            f"cca is full. Requests that it answers at once (CCA_PROCESSES): {self.size}. Further ones that may wait "
            f"(CCA_QUEUE): {self.queue}. Try again in {wait} s, or raise one of these settings.",
            retry_after=wait,
        )
