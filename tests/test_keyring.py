"""The keys that a running cca knows: who is let in, who is not, and how soon it learns of a change."""

import logging
import sqlite3
from collections.abc import AsyncIterator, Callable
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Any, TypeVar

import pytest
import trio
from attrs import define, field
from trio.testing import MockClock

from cca.errors import Unauthorized
from cca.keyring import INTERVAL, PAUSE, Keyring
from cca.keys import DEFAULT_SCOPES, NOBODY, RANDOM_SIZE, id_in, mint
from cca.limits.policy import NO_LIMITS, Limits
from cca.store import keys
from cca.store.database import Database, open_database

T = TypeVar("T")

SOON = 1.0
"""Seconds in which a revoked or expired key is to be told."""


@define
class Inline:
    """Runs a transaction where it stands, and counts; no thread, as the mock clock waits for none."""

    runs: int = 0
    slow: float = 0.0

    async def __call__(self, function: Callable[..., T], *arguments: Any) -> T:
        self.runs += 1
        await trio.sleep(self.slow)
        return function(*arguments)


@define
class Office:
    """Makes and revokes keys, by a connection of its own, as the command does."""

    database: Database
    keyring: Keyring
    inline: Inline
    wall: list[float] = field(factory=lambda: [1000.0])
    _made: int = 0

    async def make(self, name: str, expires_in: float | None = None, limits: Limits = NO_LIMITS) -> bytes:
        self._made += 1
        now, filling = self.wall[0], self._made
        expires_at = None if expires_in is None else now + expires_in

        def make(connection: sqlite3.Connection) -> bytes:
            made = keys.make(
                connection, lambda size: bytes([filling]) * size, name, DEFAULT_SCOPES, limits, now, expires_at
            )
            return made[0].encode()

        return await self.database.write(make)

    async def revoke(self, name: str) -> None:
        await self.database.write(lambda connection: keys.revoke(connection, name, self.wall[0]))

    async def lets_in(self, *presented: bytes) -> bool:
        try:
            await self.keyring.authenticate(presented)
        except Unauthorized:
            return False
        return True


@pytest.fixture
async def office(tmp_path: Path, autojump_clock: MockClock) -> AsyncIterator[Office]:
    path, inline, wall = tmp_path / "cca.db", Inline(), [1000.0]
    async with open_database(path, Inline()) as other, open_database(path, inline) as database:
        keyring = Keyring(database, lambda: wall[0])
        await keyring.refresh()
        yield Office(other, keyring, inline, wall)


def id_of(text: bytes) -> str:
    found = id_in(text)
    assert found is not None
    return found


@pytest.mark.parametrize("presented", [(), (b"dummy",), (b"",), (b"one", b"another")], ids=str)
async def test_while_there_is_no_key_everybody_is_let_in(
    office: Office, autojump_clock: MockClock, presented: tuple[bytes, ...]
) -> None:
    assert not office.keyring.exists
    assert await office.keyring.authenticate(presented) == NOBODY


async def test_a_key_is_let_in_as_whom_it_was_made_for(office: Office, autojump_clock: MockClock) -> None:
    text = await office.make("ann", limits=Limits(rpm=5))
    await office.keyring.refresh()
    principal = await office.keyring.authenticate((text,))
    assert (principal.key_id, principal.name) == (id_of(text), "ann")
    assert (principal.scopes, principal.limits) == (DEFAULT_SCOPES, Limits(rpm=5))
    assert await office.keyring.authenticate((text, text)) == principal


async def refusal(office: Office, presented: tuple[bytes, ...]) -> Unauthorized:
    with pytest.raises(Unauthorized) as caught:
        await office.keyring.authenticate(presented)
    return caught.value


async def test_all_that_is_not_valid_is_refused_in_the_same_words(office: Office, autojump_clock: MockClock) -> None:
    good, other = await office.make("ann"), await office.make("bob")
    revoked, expired = await office.make("carl"), await office.make("dora", expires_in=10.0)
    await office.revoke("carl")
    office.wall[0] += 10.0
    await office.keyring.refresh()
    assert await office.lets_in(good)
    assert await office.lets_in(other)
    unknown = mint(bytes(RANDOM_SIZE)).encode()
    wrong = good[:-2] + (b"AA" if good[-2:] != b"AA" else b"BA")
    tried = [
        *((), (b"",), (b"dummy",), (unknown,), (wrong,), (revoked,), (expired,)),
        *((good, other), (good, b""), (b"", good), (good[:-1],), (good + b" ",), (b"Bearer " + good,)),
        *((good + b"\x00",), (good.upper(),), (b"\xff\xfe",), (b"x" * 1_000_000,)),
    ]
    said = [await refusal(office, presented) for presented in tried]
    assert {(error.status, error.code, error.retryable) for error in said} == {(401, "invalid_api_key", False)}
    assert len({str(error) for error in said}) == 1
    assert "cca keys create" in str(said[0])


async def test_revoking_the_last_key_does_not_open_the_server(office: Office, autojump_clock: MockClock) -> None:
    text = await office.make("ann")
    await office.revoke("ann")
    await office.keyring.refresh()
    assert office.keyring.exists
    assert not await office.lets_in()
    assert not await office.lets_in(text)


async def test_a_server_that_starts_with_revoked_keys_only_is_closed(office: Office, autojump_clock: MockClock) -> None:
    await office.make("ann")
    await office.revoke("ann")
    later = Keyring(office.keyring.database, lambda: office.wall[0])
    await later.refresh()
    with pytest.raises(Unauthorized):
        await later.authenticate(())


async def test_a_key_that_was_made_just_now_is_let_in(office: Office, autojump_clock: MockClock) -> None:
    await office.make("ann")
    await office.keyring.refresh()
    assert await office.lets_in(await office.make("bob"))


async def test_keys_that_are_not_valid_make_it_read_once_for_all_who_wait(
    office: Office, autojump_clock: MockClock
) -> None:
    good = await office.make("ann")
    await office.keyring.refresh()
    office.keyring.wrong_keys.most = 1000
    wrong = [mint(bytes([9, at]) * RANDOM_SIZE).encode() for at in range(200)]
    office.inline.runs, began = 0, trio.current_time()
    async with trio.open_nursery() as nursery:
        for each in wrong:
            nursery.start_soon(office.lets_in, each)
    assert office.inline.runs <= 2
    for each in wrong[:20]:
        assert not await office.lets_in(each)
    assert office.inline.runs <= 2 + (trio.current_time() - began) / PAUSE
    before = trio.current_time()
    assert await office.lets_in(good)
    assert trio.current_time() == before


async def test_what_is_no_key_makes_it_read_nothing(office: Office, autojump_clock: MockClock) -> None:
    await office.make("ann")
    await office.keyring.refresh()
    office.inline.runs = 0
    for presented in [(), (b"dummy",), (b"", b"")]:
        assert not await office.lets_in(*presented)
    assert office.inline.runs == 0


@define
class Told:
    """What a watch has told, and when each key was first in it."""

    ids: AbstractSet[str] = frozenset()
    first: dict[str, float] = field(factory=dict)

    def __call__(self, ids: AbstractSet[str]) -> None:
        self.ids = ids
        for each in ids:
            self.first.setdefault(each, trio.current_time())


async def test_a_revoked_and_an_expired_key_are_told_within_a_second(office: Office, autojump_clock: MockClock) -> None:
    ann, bob, carl = await office.make("ann"), await office.make("bob", expires_in=50.0), await office.make("carl")
    await office.keyring.refresh()
    told = Told()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(office.keyring.watch, told)
        await trio.sleep(5)
        assert told.ids == set()
        await office.revoke("ann")
        await trio.sleep(SOON)
        assert told.ids == {id_of(ann)}
        assert not await office.lets_in(ann)
        office.wall[0] += 50.0
        await trio.sleep(SOON)
        assert told.ids == {id_of(ann), id_of(bob)}
        assert await office.lets_in(carl)
        nursery.cancel_scope.cancel()
    assert told.first[id_of(ann)] - 5 <= 2 * INTERVAL


async def test_the_first_key_closes_the_server_within_a_second(office: Office, autojump_clock: MockClock) -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(office.keyring.watch, Told())
        await trio.sleep(5)
        assert await office.lets_in()
        await office.make("ann")
        await trio.sleep(SOON)
        assert not await office.lets_in()
        nursery.cancel_scope.cancel()


async def test_a_database_that_cannot_be_read_leaves_the_keys_as_they_were(
    office: Office, autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    ann, bob = await office.make("ann"), await office.make("bob", expires_in=50.0)
    await office.keyring.refresh()
    path, away = office.database.path, office.database.path.with_name("away")
    told = Told()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(office.keyring.watch, told)
        path.rename(away)
        await trio.sleep(20)
        assert await office.lets_in(ann)
        assert not await office.lets_in()
        assert not await office.lets_in(mint(bytes(RANDOM_SIZE)).encode())
        office.wall[0] += 50.0
        await trio.sleep(SOON)
        assert told.ids == {id_of(bob)}, "a key expires all the same"
        away.rename(path)
        carl = await office.make("carl")
        await trio.sleep(SOON)
        assert await office.lets_in(carl)
        path.rename(away)
        await trio.sleep(5)
        away.rename(path)
        nursery.cancel_scope.cancel()
    said = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert len(said) == 2, "once for each time that it was away"
    assert "The API keys stay as they were" in said[0].message


async def test_a_database_that_takes_seconds_does_not_keep_a_key_from_expiring(
    office: Office, autojump_clock: MockClock
) -> None:
    ann = await office.make("ann", expires_in=3.0)
    await office.keyring.refresh()
    told = Told()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(office.keyring.watch, told)
        office.inline.slow = 60.0
        await trio.sleep(10)
        office.wall[0] += 3.0
        await trio.sleep(SOON)
        assert told.ids == {id_of(ann)}
        nursery.cancel_scope.cancel()


async def test_an_empty_database_in_its_place_ends_the_keys_and_opens_nothing(
    office: Office, autojump_clock: MockClock, tmp_path: Path
) -> None:
    ann = await office.make("ann")
    await office.keyring.refresh()
    path, away = office.database.path, tmp_path / "away"
    told = Told()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(office.keyring.watch, told)
        path.rename(away)
        async with open_database(path, Inline()):
            await trio.sleep(SOON)
        assert told.ids == {id_of(ann)}
        assert not await office.lets_in()
        assert not await office.lets_in(ann)
        away.rename(path)
        await trio.sleep(SOON)
        assert told.ids == set()
        assert await office.lets_in(ann)
        nursery.cancel_scope.cancel()


async def test_cancelling_a_read_leaves_the_keyring_usable(office: Office, autojump_clock: MockClock) -> None:
    text = await office.make("ann")
    office.inline.slow = 5.0
    with trio.move_on_after(1):
        await office.keyring.refresh()
    office.inline.slow = 0.0
    await office.keyring.refresh()
    assert await office.lets_in(text)
