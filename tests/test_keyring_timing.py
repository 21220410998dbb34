"""How long the look at a wrong key takes: it tells nothing of the keys that there are.

Compared is by ranks, which one slow try does not move, in tries that take turns: whatever the machine does meanwhile
falls on all alike. Where nothing differs, one of a kind is slower than one of another in half of the pairs.
"""

import time
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import Any, cast

import pytest
import trio
from attrs import define

from cca import keyring as module
from cca.errors import Unauthorized
from cca.keyring import Keyring
from cca.keys import DEFAULT_SCOPES, RANDOM_SIZE, Key, digest, id_in, mint, same
from cca.limits.policy import NO_LIMITS
from cca.store.keys import Held
from survival import Survival

DIGEST_KEY = bytes(range(32))
GOOD, REVOKED, EXPIRED, NEVER = (mint(bytes([each]) * RANDOM_SIZE).encode() for each in range(4))
NOW = 1000.0


def wrong(key: bytes, at: int) -> bytes:
    """Return a key that differs in one character."""
    other = b"B" if key[at : at + 1] != b"B" else b"C"
    return key[:at] + other + key[at + 1 :]


SECRET = len(b"sk-cca-0123456789abcdef-")

WRONG: Mapping[str, bytes] = {
    "an unknown id": NEVER,
    "a known id, and another secret": GOOD[:SECRET] + NEVER[SECRET:],
    "wrong in the first character of the secret": wrong(GOOD, SECRET),
    "wrong in the last but one": wrong(GOOD, len(GOOD) - 2),
    "revoked": REVOKED,
    "revoked, and wrong": wrong(REVOKED, SECRET + 20),
    "expired": EXPIRED,
    "expired, and wrong": wrong(EXPIRED, SECRET + 20),
}


@define
class Unchanged:
    """A database that is read once, and has nothing new then."""

    held: Held | None

    async def read(self, _: object) -> Held | None:
        await trio.lowlevel.checkpoint()
        held, self.held = self.held, None
        return held


def kept(text: bytes, expires_at: float | None = None, revoked_at: float | None = None) -> Key:
    key_id = id_in(text)
    assert key_id is not None
    return Key(key_id, key_id, digest(DIGEST_KEY, text), DEFAULT_SCOPES, NO_LIMITS, 0.0, expires_at, revoked_at)


async def made(kind: type[Keyring] = Keyring) -> Keyring:
    keys = (kept(GOOD), kept(REVOKED, revoked_at=1.0), kept(EXPIRED, expires_at=1.0))
    others = (kept(mint(bytes([each]) * RANDOM_SIZE).encode()) for each in range(10, 60))
    ring = kind(cast(Any, Unchanged(Held((1,), DIGEST_KEY, (*keys, *others)))), lambda: NOW)
    await ring.refresh()
    assert (await ring.authenticate((GOOD,))).key_id == id_in(GOOD)
    return ring


async def refused(ring: Keyring, presented: bytes, peer: str) -> None:
    with pytest.raises(Unauthorized):
        await ring.authenticate((presented,), peer)


async def seconds_by_kind(ring: Keyring, tries: int, clock: trio.testing.MockClock) -> dict[str, list[float]]:
    """Return how long each try took, sorted. Each comes from a peer of its own, and none waits for a read."""
    random = Random(1)  # noqa: S311 - the same order on every run
    took: dict[str, list[float]] = {kind: [] for kind in WRONG}
    kinds = list(WRONG) * (tries // len(WRONG))
    random.shuffle(kinds)
    for number, kind in enumerate(kinds):
        clock.jump(1.0)
        began = time.perf_counter_ns()
        try:
            await ring.authenticate((WRONG[kind],), f"peer {number}")
        except Unauthorized:
            took[kind].append(time.perf_counter_ns() - began)
    assert sum(map(len, took.values())) == len(kinds)
    return {kind: sorted(times) for kind, times in took.items()}


def slower(some: Sequence[float], others: Sequence[float]) -> float:
    """Return in how many pairs, of all, the first is slower than the second; both are sorted. Equal ones are halves."""
    wins = sum(bisect_left(others, each) + bisect_right(others, each) for each in some)
    return wins / 2 / (len(some) * len(others))


def off(took: Mapping[str, Sequence[float]]) -> dict[str, float]:
    """Return by how much each kind is off from a half, against all others."""
    return {
        kind: abs(0.5 - slower(times, sorted(t for other, ts in took.items() if other != kind for t in ts)))
        for kind, times in took.items()
    }


LEAST_TOLD = 0.06
"""Nine times the deviation of what is due to chance, of 2,500 tries against 17,500."""


@pytest.mark.soak
async def test_no_wrong_key_takes_longer_than_another(survival: Survival, mock_clock: trio.testing.MockClock) -> None:
    """S-09: of 20,000 tries, whatever the key has in common with one that there is."""
    took = await seconds_by_kind(await made(), 20_000, mock_clock)
    found = off(took)
    worst = max(found, key=lambda kind: found[kind])
    medians = sorted(times[len(times) // 2] for times in took.values())
    figure = (
        f"off by {found[worst] * 100:.1f} of 100 pairs; medians {medians[0] / 1000:.1f}-{medians[-1] / 1000:.1f} us"
    )
    survival("S-09", "wrong keys, timed", tried=20_000, lost=0, figure=figure)
    assert found[worst] < LEAST_TOLD, worst


@define
class Hasty(Keyring):
    """Tells an unknown id from a known one: it does not look further."""

    def _valid(self, presented: tuple[bytes, ...]) -> Key | None:
        return super()._valid(presented) if id_in(presented[0]) in self._keys else None


@pytest.mark.soak
async def test_one_that_looks_no_further_would_be_seen(mock_clock: trio.testing.MockClock) -> None:
    found = off(await seconds_by_kind(await made(Hasty), 20_000, mock_clock))
    assert max(found, key=lambda kind: found[kind]) == "an unknown id"
    assert found["an unknown id"] > 2 * LEAST_TOLD


@pytest.mark.parametrize("kind", WRONG)
async def test_as_much_is_done_for_each_wrong_key(
    kind: str, monkeypatch: pytest.MonkeyPatch, mock_clock: trio.testing.MockClock
) -> None:
    """S-09: one digest and one comparison a look, and two looks; which is what takes time."""
    done: list[str] = []
    ring = await made()

    def noted(name: str, function: Callable[[bytes, bytes], object]) -> None:
        def noting(one: bytes, other: bytes) -> object:
            done.append(name)
            return function(one, other)

        monkeypatch.setattr(module, name, noting)

    noted("digest", digest)
    noted("same", same)
    mock_clock.jump(1.0)
    await refused(ring, WRONG[kind], "peer")
    assert done == ["digest", "same"] * 2


def test_what_comes_as_early_as_late_is_not_slower() -> None:
    assert slower([1, 2, 3], [1, 2, 3]) == 0.5
    assert slower([2, 2], [1, 1, 1]) == 1
    assert slower([1], [2, 3]) == 0
