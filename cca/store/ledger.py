"""The exchanges on their way into the database. One that cannot be written now is written with the next."""

import logging
from collections import deque

import trio
from attrs import define, field

from cca.errors import Unavailable
from cca.store import exchanges
from cca.store.database import Database
from cca.store.exchanges import Exchange

log = logging.getLogger(__name__)

PENDING_LIMIT = 10_000
"""Exchanges, of about 1 kB, that wait for a database which cannot be written; past it the oldest are lost."""


@define
class Ledger:
    """Keeps what each request came to. Of all that ``came`` so many are ``taken`` by a transaction."""

    database: Database
    _pending: deque[Exchange] = field(factory=lambda: deque(maxlen=PENDING_LIMIT), init=False)
    _writing: trio.Lock = field(factory=trio.Lock, init=False)
    _came: int = field(default=0, init=False)
    _taken: int = field(default=0, init=False)

    async def keep(self, exchange: Exchange) -> None:
        """Keep ``exchange``, and what is pending. Where the database cannot be written they wait, which is logged."""
        self._pending.append(exchange)
        self._came += 1
        await self.flush()

    async def flush(self) -> None:
        """Keep what is pending, as ``keep`` does."""
        mine = self._came
        # One at a time, so that they stay in their order. Whose own was written along writes nothing: what came since
        # is for who brought it, or those who wait would be ever more where a transaction takes longer than a request.
        async with self._writing:
            if self._taken < mine:
                await self._write()

    async def _write(self) -> None:
        batch, self._pending = self._pending, deque(maxlen=PENDING_LIMIT)
        before, self._taken = self._taken, self._came
        try:
            await self.database.write(lambda connection: exchanges.add(connection, batch))
        except BaseException as error:
            self._pending = deque([*batch, *self._pending], maxlen=PENDING_LIMIT)
            self._taken = before
            if not isinstance(error, Unavailable):
                raise
            log.error("%d exchanges wait to be kept: %s", len(self._pending), error)  # noqa: TRY400 - it says all
