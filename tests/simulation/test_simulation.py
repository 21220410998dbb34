"""Servers that live through whatever a seed brings. ``CCA_TEST_SEED=N`` replays one that failed."""

import os
import traceback
from collections.abc import Callable
from pathlib import Path

import pytest
import trio
from plan import plan_of
from trio.testing import MockClock
from world import live_through

from cca.store import database as database_room
from survival import Survival

SEED = os.environ.get("CCA_TEST_SEED")


@pytest.fixture(autouse=True)
def no_long_wait_for_a_lock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database_room, "BUSY_TIMEOUT", 0.005)


def failure_of(seed: int, directory: Path) -> str | None:
    """Return what went wrong in a run, or nothing."""
    try:
        trio.run(live_through, plan_of(seed), directory, clock=MockClock(autojump_threshold=0))
    except (Exception, BaseExceptionGroup):  # noqa: BLE001 - to go on with the next seed
        return traceback.format_exc()
    return None


@pytest.mark.parametrize(
    "seeds",
    [pytest.param(range(50), id="some seeds"), pytest.param(range(1000), id="many", marks=pytest.mark.soak)],
)
def test_whatever_happens(seeds: range, tmp_path: Path, survival: Survival, same_order: Callable[[int], None]) -> None:
    """R-01 to R-22, all at once: one end for each request, nothing left of any, and a history that is one line."""
    tried = [int(SEED)] if SEED else seeds
    failures = {}
    for seed in tried:
        same_order(seed)
        if failure := failure_of(seed, tmp_path):
            failures[seed] = failure
    survival("R", "lives of a server, each from a seed", tried=len(tried), lost=len(failures))
    for seed, failure in failures.items():
        print(f"CCA_TEST_SEED={seed} replays this:\n{failure}")
    assert not failures, f"seeds that failed: {sorted(failures)}"
