"""Sessions as requests use them: one writer at a time, in the order of their coming, each on what is there by then."""

from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, asynccontextmanager
from functools import partial

import trio
from attrs import define, evolve, field

from cca.errors import Conflict
from cca.model import Conversation, Turn
from cca.store import exchanges, sessions
from cca.store.database import Connection, Database
from cca.store.sessions import Name, Session
from cca.store.turns import Status, answer_row, joined, user_rows
from cca.tally import Tally

SWEEP_INTERVAL = 300.0
"""Seconds between two sweeps. What has expired is not seen from that moment on; a sweep takes it out of the file."""

QUEUE_RETRY_AFTER = 1.0
"""Seconds, told to a client whose session has too many requests waiting: when one ends is not known."""


@define
class OpenSession:
    """A session whose next exchange is its owner's to write. ``session`` is ``None`` for a new one."""

    name: Name
    session: Session | None
    history: tuple[Turn, ...]
    _sessions: "Sessions"
    _release: Callable[[], None]
    _sent: Conversation | None = field(default=None, init=False)
    _kept: bool = field(default=False, init=False)

    def continued(self, sent: Conversation) -> Conversation:
        """Return what a client sent with the history before it, and the system prompt where it sent none."""
        kept = () if self.session is None else self.session.system
        self._sent = evolve(sent, system=sent.system or kept)
        return evolve(self._sent, turns=joined((*self.history, *sent.turns)))

    async def keep(self, tally: Tally, status: Status) -> None:
        """Commit the exchange as far as it came, and let the next writer go on; once it is kept, do nothing.

        Raise ``Conflict`` when the session is not as it was, ``Unavailable`` when the database cannot be written.
        """
        if self._kept or self._sent is None:
            return
        rows = (*user_rows(self._sent.turns), answer_row(tally.message, tally.answered()))
        said = sessions.Said(
            self._sent.system,
            rows,
            [f"turn_{self._sessions.new_id()}" for _ in rows],
            status,
            self._sessions.now(),
        )
        exchange = tally.exchange()
        await self._sessions.database.write(partial(self._append, said=said, exchange=exchange))
        self._kept = True
        self._release()

    def _append(self, connection: Connection, said: sessions.Said, exchange: exchanges.Exchange) -> None:
        session = self.session or sessions.begin(connection, self.name, said.at, self._sessions.expires_after)
        sessions.append(connection, session, said)
        exchanges.add(connection, [exchange])


@define
class Sessions:
    """``queue`` is how many requests may wait for one session; ``expires_after`` in seconds, ``None`` keeps them.

    A history of more than ``most_bytes`` is not gone on from: a request of more would not be taken, either.
    """

    database: Database
    queue: int
    expires_after: float | None
    most_bytes: int
    now: Callable[[], float]
    new_id: Callable[[], str]
    _writers: dict[Name, trio.Semaphore] = field(factory=dict, init=False)

    @asynccontextmanager
    async def open(self, name: Name) -> AsyncIterator[OpenSession]:
        """Own the next exchange of a session, after those that came before.

        Raise ``Conflict`` when too many wait, ``TooLarge`` for a history that is, ``Unavailable`` when the database
        cannot be read.
        """
        # Not a lock: the task of a choice lets the next writer go on, and the request's took its turn.
        turn = self._writers.get(name) or trio.Semaphore(1, max_value=1)
        if not turn.value and turn.statistics().tasks_waiting >= self.queue:
            raise Conflict(
                f"{self.queue} requests wait for the session {name.id} already. Send this one later, or raise "
                "CCA_SESSION_QUEUE.",
                code="session_busy",
                retry_after=QUEUE_RETRY_AFTER,
            )

        self._writers[name] = turn
        held = ExitStack()
        try:
            await turn.acquire()
            held.callback(turn.release)
            found = await self.database.read(
                lambda connection: sessions.load(connection, name, self.now(), self.most_bytes)
            )
            session, history = found or (None, ())
            yield OpenSession(name, session, history, self, held.close)
        finally:
            held.close()
            # By now the name may have another one: this was released when the exchange was kept.
            if turn.value and self._writers.get(name) is turn:
                del self._writers[name]

    @property
    def writing(self) -> frozenset[Name]:
        """The sessions that are being written, or waited for."""
        return frozenset(self._writers)

    def new(self, owner: str) -> OpenSession:
        """Return a session that no client has named: nobody else writes it."""
        return OpenSession(Name(owner, f"session_{self.new_id()}"), None, (), self, lambda: None)

    async def sweep(self) -> int:
        """Delete what has expired, and return how many sessions that were. None is deleted while it is answered."""
        now, writing = self.now(), self.writing
        return await self.database.erase(lambda connection: sessions.sweep(connection, now, writing))
