"""What every test has: a place of its own for what ``cca`` keeps, so that none writes to the user's."""

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def state_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return where ``cca`` keeps its database here, and in the programs that a test starts."""
    place = tmp_path / "state"
    monkeypatch.setenv("XDG_STATE_HOME", str(place))
    return place
