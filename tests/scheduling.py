"""The same order of tasks on every run: Trio lets chance choose it, so that nobody relies on one."""

from collections.abc import Callable, Iterator

import pytest
import trio


@pytest.fixture
def same_order(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[int], None]]:
    """Return what lets a seed say in which order tasks run from now on, in this test."""
    run = trio._core._run
    monkeypatch.setattr(run, "_ALLOW_DETERMINISTIC_SCHEDULING", True)
    state = run._r.getstate()
    yield run._r.seed
    run._r.setstate(state)
