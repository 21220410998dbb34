"""Sessions as requests use them: one writer at a time, in the order of their coming, each on what is there by then."""

from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, asynccontextmanager
from functools import partial

import trio
from attrs import define, evolve, field, frozen

from cca.aside import aside
from cca.errors import BadRequest, Conflict, NotFound
from cca.model import Conversation, Turn
from cca.store import exchanges, sessions, stored
from cca.store.database import Connection, Database
from cca.store.sessions import Name, Session
from cca.store.stored import Answer, Stored
from cca.store.turns import Row, Status, answer_row, joined, user_rows
from cca.tally import Tally

SWEEP_INTERVAL = 300.0
"""Seconds between two sweeps. What has expired is not seen from that moment on; a sweep takes it out of the file."""

QUEUE_RETRY_AFTER = 1.0
"""Seconds, told to a client whose session has too many requests waiting: when one ends is not known."""


@frozen
class Beginning:
    """What a new session begins with: the first turns of another one."""

    session: Session
    turns: int


@define
class OpenSession:
    """A session whose next exchange is its owner's to write. ``session`` is ``None`` for a new one.

    A new one may have a ``beginning``. What is ``only_stored`` is kept when an answer is stored with it, and else
    not: nobody could go on from it, or has asked for it. The system prompt of a request stands in the place of the
    one before, or ``adds`` to it. ``size`` is of the history, in bytes.
    """

    name: Name
    session: Session | None
    history: tuple[Turn, ...]
    _sessions: "Sessions"
    _release: Callable[[], None]
    system: tuple[str, ...] = ()
    adds: bool = False
    only_stored: bool = False
    lone: bool = False
    beginning: Beginning | None = None
    size: int = 0
    _sent: Conversation | None = field(default=None, init=False)
    _kept: bool = field(default=False, init=False)

    def continued(self, sent: Conversation, instructions: tuple[str, ...] = ()) -> Conversation:
        """Return what a client sent with the history before it, and the system prompt.

        ``instructions`` come first in it, and are not kept.
        """
        system = (*self.system, *sent.system) if self.adds else sent.system or self.system
        self._sent = evolve(sent, system=system)
        return evolve(sent, system=(*instructions, *system), turns=joined((*self.history, *sent.turns)))

    @property
    def next_system(self) -> tuple[str, ...]:
        """The system prompt that the next request goes on from."""
        return () if self._sent is None else self._sent.system

    async def keep(self, tally: Tally, status: Status, answer: Answer | None = None, size: int = 0) -> bool:
        """Commit the exchange as far as it came, and let the next writer go on; return whether it is kept by now.

        ``answer`` is stored with it; what was sent is of ``size`` bytes at most. Raise ``Conflict`` when the session is
        not as it was, ``Unavailable`` when the database cannot be written.
        """
        if self._kept or self._sent is None or (self.only_stored and answer is None):
            return self._kept
        sent = await aside(size, _rows, self._sent)
        rows = (*sent, answer_row(tally.message, tally.answered()))
        said = sessions.Said(
            self._sent.system,
            rows,
            [f"turn_{self._sessions.new_id()}" for _ in rows],
            status,
            self._sessions.now(),
        )
        exchange = tally.exchange()
        await self._sessions.database.write(partial(self._append, said=said, exchange=exchange, answer=answer))
        self._kept = True
        self._release()
        return True

    def _append(
        self, connection: Connection, said: sessions.Said, exchange: exchanges.Exchange, answer: Answer | None
    ) -> None:
        session = self.session or self._begun(connection, said.at)
        sessions.append(connection, session, said)
        if session.lone and not self.only_stored:
            sessions.claim(connection, session)
        if answer is not None:
            stored.add(connection, session, session.turns + len(said.rows), answer)
        exchanges.add(connection, [exchange])

    def _begun(self, connection: Connection, now: float) -> Session:
        session = sessions.begin(connection, self.name, now, self._sessions.expires_after, lone=self.lone)
        if self.beginning is None:
            return session
        return sessions.copy(connection, self.beginning.session, self.beginning.turns, session)


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
    async def open(self, name: Name, *, write: bool = True) -> AsyncIterator[OpenSession]:
        """Own the next exchange of a session, after those that came before. Who is not to ``write`` waits for nobody.

        Raise ``Conflict`` when too many wait, ``TooLarge`` for a history that is, ``Unavailable`` when the database
        cannot be read.
        """
        if not write:
            yield await self._read(name, lambda: None)
            return
        # Not a lock: the task of a choice lets the next writer go on, and the request's took its turn.
        turn = self._writers.get(name) or trio.Semaphore(1, max_value=1)
        if not turn.value and turn.statistics().tasks_waiting >= self.queue:
            raise self._busy(name)
        self._writers[name] = turn
        held = ExitStack()
        try:
            await turn.acquire()
            held.callback(turn.release)
            yield await self._read(name, held.close)
        finally:
            held.close()
            # By now the name may have another one: this was released when the exchange was kept.
            if turn.value and self._writers.get(name) is turn:
                del self._writers[name]

    async def _read(self, name: Name, release: Callable[[], None]) -> OpenSession:
        found = await self.database.read(partial(self._load, name))
        session, history, size = found or (None, (), 0)
        system = () if session is None else session.system
        return OpenSession(name, session, history, self, release, system, size=size)

    def _load(
        self, name: Name, connection: Connection, turns: int = sessions.MOST_TURNS
    ) -> tuple[Session, tuple[Turn, ...], int] | None:
        found = sessions.load(connection, name, self.now(), self.most_bytes, turns)
        return None if found is None else (*found, sessions.size_of(connection, found[0], turns))

    def _busy(self, name: Name) -> Conflict:
        return Conflict(
            f"{self.queue} requests wait for the session {name.id} already. Send this one later, or raise "
            "CCA_SESSION_QUEUE.",
            code="session_busy",
            retry_after=QUEUE_RETRY_AFTER,
        )

    @property
    def writing(self) -> frozenset[Name]:
        """The sessions that are being written, or waited for."""
        return frozenset(self._writers)

    @asynccontextmanager
    async def conversation(self, name: Name, *, write: bool = True) -> AsyncIterator[OpenSession]:
        """Own the next exchange of a session that is there, as ``open`` does. Raise ``NotFound`` for any other."""
        async with self.open(name, write=write) as session:
            if session.session is None:
                raise no_conversation(name, "conversation")
            session.adds = True
            yield session

    def new(self, owner: str, *, keep: bool = True) -> OpenSession:
        """Return a session that no client has named: nobody else writes it.

        Unless it is to ``keep`` whatever is said, it is there for the answers that are stored in it.
        """
        return OpenSession(self._new_name(owner), None, (), self, lambda: None, only_stored=not keep, lone=not keep)

    @asynccontextmanager
    async def going_on(self, owner: str, answer_id: str, *, keep: bool, store: bool) -> AsyncIterator[OpenSession]:
        """Own the next exchange after a stored response.

        It is that of its session when nobody went on from it before, nor does so now. Otherwise it is in a new session,
        with what was said up to it. Without ``store`` nothing is added to what is there.

        Raise ``BadRequest`` for a response that is not there, and otherwise as ``open``.
        """
        found = await self.database.read(
            lambda connection: stored.find(connection, owner, "response", answer_id, self.now())
        )
        if found is None:
            raise _not_found(answer_id)
        if store and not self._is_written(found.name):
            async with self.open(found.name) as last:
                if last.session is not None and _is_where(found, last.session):
                    last.adds, last.only_stored = True, True
                    yield last
                    return
        yield await self._branch(found, keep=keep)

    async def _branch(self, found: Stored, *, keep: bool) -> OpenSession:
        loaded = await self.database.read(partial(self._load, found.name, turns=found.turns))
        if loaded is None or loaded[0].number != found.session:
            raise _not_found(found.id)
        session, history, size = loaded
        return OpenSession(
            self._new_name(found.name.owner),
            None,
            history,
            self,
            lambda: None,
            found.system,
            adds=True,
            only_stored=not keep,
            lone=not keep,
            beginning=Beginning(session, found.turns),
            size=size,
        )

    def _is_written(self, name: Name) -> bool:
        return name in self._writers and not self._writers[name].value

    def _new_name(self, owner: str) -> Name:
        return Name(owner, f"session_{self.new_id()}")

    async def sweep(self) -> int:
        """Delete what has expired, and return how many sessions that were. None is deleted while it is answered."""
        now, writing = self.now(), self.writing
        return await self.database.erase(lambda connection: sessions.sweep(connection, now, writing))


def _rows(sent: Conversation) -> list[Row]:
    return [*user_rows(sent.turns)]


def no_conversation(name: Name, param: str | None = None) -> NotFound:
    """Return what is told of a conversation that is not there, which ``param`` names."""
    text = f"There is no conversation {name.id[:100]!r}. POST /v1/conversations makes one."
    return NotFound(text, param=param, code="conversation_not_found")


def _is_where(found: Stored, session: Session) -> bool:
    """Return whether nothing was said in ``session`` since it was answered: no instruction, either."""
    return (session.number, session.turns, session.system) == (found.session, found.turns, found.system)


def _not_found(answer_id: str) -> BadRequest:
    return BadRequest(
        f"There is no response {answer_id[:100]!r} to go on from: it was not stored, is deleted, or has expired. Send "
        "what was said before as input.",
        param="previous_response_id",
        code="previous_response_not_found",
    )
