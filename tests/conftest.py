"""What every test has: a place of its own for what ``cca`` keeps, so that none writes to the user's.

And the same examples on every run, with no clock over them: a slow machine is not a fault of the code.
"""

import logging
import math
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from werkzeug.routing import Rule

pytest_plugins = ("scheduling", "survival", "pytester")

settings.register_profile("cca", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("cca")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell that runs the tests in the background has it ignored, and a program that a test starts would inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True, scope="session")
def no_urls_are_built() -> Iterator[None]:
    """Let no application compile for each route what would build its URL: cca builds none, and tests make thousands."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Rule, "_compile_builder", lambda *_: _builds_none)
        yield


def _builds_none(rule: Rule, **values: object) -> None:
    raise AssertionError(f"cca builds no URLs, and one was to be built for {rule}")


@pytest.fixture(autouse=True)
def no_threads_beside_a_clock_that_jumps(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work on what is large where it stands: such a clock would not wait for a thread."""
    if "autojump_clock" in request.fixturenames:
        monkeypatch.setattr("cca.aside.LARGE", math.inf)


@pytest.fixture(autouse=True)
def log_as_before() -> Iterator[None]:
    """Log as before, after a test that ran the command in this process: it sets what is logged."""
    ours = logging.getLogger("cca")
    level = ours.level
    yield
    ours.setLevel(level)


@pytest.fixture(autouse=True)
def state_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return where ``cca`` keeps its database here, and in the programs that a test starts."""
    place = tmp_path / "state"
    monkeypatch.setenv("XDG_STATE_HOME", str(place))
    return place
