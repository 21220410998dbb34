"""The API keys that a running cca knows: in memory, and read anew as the database changes.

While no key was ever made everybody is let in, as nobody in particular. From the first one on a valid key is asked for,
until cca ends: neither revoking the last key nor losing the database opens it again.
"""

import logging
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from contextlib import suppress
from functools import partial

import trio
from attrs import define, field

from cca.errors import RateLimited, Unauthorized, Unavailable
from cca.keys import INVALID, NOBODY, Key, Principal, digest, id_in, same
from cca.limits.policy import NO_LIMITS
from cca.limits.wrong_keys import WrongKeys
from cca.store import keys
from cca.store.database import Database

log = logging.getLogger(__name__)

INTERVAL = 0.25
"""Seconds between two looks at the database, and at the clock: a revoked key's answers are to end within one."""

PAUSE = 0.05
"""Seconds between two reads that keys which are not valid make cca do, however many are tried."""

NO_KEY = Key("", "", bytes(32), frozenset(), NO_LIMITS, created_at=0.0, revoked_at=0.0)
"""What stands for a key whose id is unknown, so that as much is done for it: nobody has its digest."""


@define
class Keyring:
    """``now`` is the wall clock in seconds since the epoch. ``exists`` is whether there ever was a key."""

    database: Database
    now: Callable[[], float]
    exists: bool = field(default=False, init=False)
    wrong_keys: WrongKeys = field(factory=WrongKeys, init=False)
    _keys: Mapping[str, Key] = field(factory=dict, init=False)
    _lost: frozenset[str] = field(default=frozenset(), init=False)
    _digest_key: bytes = field(default=b"", init=False)
    _mark: keys.Mark | None = field(default=None, init=False)
    _reading: trio.Lock = field(factory=trio.Lock, init=False)
    _read_at: float = field(default=-INTERVAL, init=False)

    async def refresh(self) -> None:
        """Take in what the database holds. Raise ``Unavailable``, and know what was known, where it cannot be read."""
        async with self._reading:
            await self._read()

    async def authenticate(self, presented: tuple[bytes, ...], peer: str = "") -> Principal:
        """Return whose the credentials are. Raise one and the same ``Unauthorized`` for all that are not valid.

        A key that is not known to be valid may be new: then the database is read first, for all who wait at once. From
        a peer with too many wrong ones it is ``RateLimited``, and nothing is read for it.
        """
        if not self.exists:
            return NOBODY
        key = self._valid(presented)
        if key is None and presented:
            wait = self.wrong_keys.wait(peer, trio.current_time())
            if wait is not None:
                raise RateLimited(
                    "Too many wrong API keys came from this address. Look at the key, and try again later.",
                    code="too_many_wrong_keys",
                    retry_after=wait,
                )
        if key is None and any(id_in(each) for each in presented):
            await self._read_again()
            key = self._valid(presented)
        if key is None:
            if presented:
                self.wrong_keys.count(peer, trio.current_time())
            raise Unauthorized(
                "This needs a valid API key, as `Authorization: Bearer sk-cca-...` or `x-api-key: sk-cca-...`, and the "
                "same one where both are sent. Ask whoever runs this cca for one; it is made with `cca keys create`.",
                code=INVALID,
            )
        return key.principal

    def ended(self) -> AbstractSet[str]:
        """Return the ids of the keys that were valid once, and are not."""
        now = self.now()
        return self._lost | {key.id for key in self._keys.values() if key.state(now) != "valid"}

    async def watch(self, tell: Callable[[AbstractSet[str]], None]) -> None:
        """Tell again and again, until cancelled, which keys have ended. A database that cannot be read is logged."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._follow)
            while True:
                # Apart from the reading: a key expires, though the database is locked.
                tell(self.ended())
                await trio.sleep(INTERVAL)

    async def _follow(self) -> None:
        failing = False
        while True:
            await trio.sleep(INTERVAL)
            try:
                await self.refresh()
            except Unavailable as error:
                if not failing:
                    log.error("The API keys stay as they were until the database can be read: %s", error)  # noqa: TRY400 - its message says all
                failing = True
            else:
                failing = False

    async def _read_again(self) -> None:
        asked = trio.current_time()
        async with self._reading:
            if self._read_at <= asked:
                await trio.sleep_until(self._read_at + PAUSE)
                with suppress(Unavailable):
                    await self._read()

    async def _read(self) -> None:
        self._read_at = trio.current_time()
        held = await self.database.read(partial(keys.load, seen=self._mark))
        if held is None:
            return
        found = {key.id: key for key in held.keys}
        self._lost = frozenset((self._lost | self._keys.keys()) - found.keys())
        self._keys, self._digest_key, self._mark = found, held.digest_key, held.mark
        self.exists = self.exists or bool(found)

    def _valid(self, presented: tuple[bytes, ...]) -> Key | None:
        """Return the valid key that all of ``presented`` is."""
        if not presented or len(set(presented)) > 1:
            return None
        key_id = id_in(presented[0])
        if key_id is None:
            return None
        key = self._keys.get(key_id, NO_KEY)
        right = same(digest(self._digest_key, presented[0]), key.digest)
        valid = key.state(self.now()) == "valid"
        return key if right and valid else None
