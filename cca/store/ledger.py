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
    """Keeps what each request came to."""

    database: Database
    _pending: deque[Exchange] = field(factory=lambda: deque(maxlen=PENDING_LIMIT), init=False)
    _writing: trio.Lock = field(factory=trio.Lock, init=False)

    async def keep(self, exchange: Exchange) -> None:
        """Keep ``exchange``, and what is pending. Where the database cannot be written they wait, which is logged."""
        self._pending.append(exchange)
        await self.flush()

    async def flush(self) -> None:
        """Keep what is pending, as ``keep`` does."""
        # One at a time, so that they stay in their order; who waited may find that its own was written along.
        async with self._writing:
            if self._pending:
                await self._write()

    async def _write(self) -> None:
        batch, self._pending = self._pending, deque(maxlen=PENDING_LIMIT)
        try:
            await self.database.write(lambda connection: exchanges.add(connection, batch))
        except BaseException as error:
            self._pending = deque([*batch, *self._pending], maxlen=PENDING_LIMIT)
            if not isinstance(error, Unavailable):
                raise
            log.error("%d exchanges wait to be kept: %s", len(self._pending), error)  # noqa: TRY400 - it says all
