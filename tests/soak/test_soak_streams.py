"""What cca takes of a machine when it is asked for long, and by many: its memory, and the delay that it adds."""

from pathlib import Path

import pytest

from survival import Survival
from tools.bench_paced import many
from tools.bench_replayed import running
from tools.bench_streams import TOKENS, memory, replaying

REQUESTS = 10_000

PIECES = 60
"""Of each stream, one a second in the long run."""

MOST_SLOPE = 1000
"""Bytes that a request may leave behind, on average."""

MOST_DELAY = 50.0
"""Milliseconds from a piece being there to its client having it, for 99 of 100."""

MOST_MEMORY = 400
"""Megabytes that a server of many streams may take at its most."""


@pytest.mark.soak
def test_ten_thousand_requests_leave_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, survival: Survival
) -> None:
    """R-23, without processes of Claude Code; with them it is in tests/backends."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    with replaying(TOKENS) as (server, _):
        before = {*tmp_path.iterdir()}
        held = memory(server, REQUESTS)
        left = {*tmp_path.iterdir()} ^ before
    lost = int(held.opened > 0 or bool(left))
    survival("R-23", "requests in a row", tried=REQUESTS, lost=lost, figure=f"{held.slope:.0f} bytes left by each")
    assert held.slope <= MOST_SLOPE
    assert held.opened <= 0
    assert not left


@pytest.mark.parametrize(
    ("streams", "pause"),
    [pytest.param(25, 0.02, id="25"), pytest.param(500, 1.0, id="500", marks=pytest.mark.soak)],
)
def test_streams_at_once_are_passed_on_whole_and_in_order(streams: int, pause: float, survival: Survival) -> None:
    """R-01. How long it takes, and how much memory, is asked of the long run."""
    with running("tools.bench_paced", str(PIECES), str(pause)) as server:
        found = many(server, streams, PIECES, pause)
    figure = f"{found.p99:.0f} ms added to 99 of 100 pieces, {found.memory:.0f} MB"
    survival("R-01", f"streams of {PIECES} pieces at once", tried=streams, lost=streams - found.whole, figure=figure)
    assert found.whole == streams
    assert found.memory <= MOST_MEMORY
    assert pause < 1 or found.p99 <= MOST_DELAY
