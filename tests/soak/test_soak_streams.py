"""What cca takes of a machine when it is asked for long, and by many: its memory, and the delay that it adds."""

import pytest

from survival import Survival
from tools.bench_paced import MANY, SECONDS, many
from tools.bench_replayed import running
from tools.bench_streams import TOKENS, memory, replaying

REQUESTS = 10_000

MOST_SLOPE = 1000
"""Bytes that a request may leave behind, on average."""

MOST_DELAY = 50.0
"""Milliseconds from a piece being there to its client having it, for 99 of 100."""

MOST_MEMORY = 400
"""Megabytes that a server of many streams may take at its most."""


@pytest.mark.soak
def test_ten_thousand_requests_leave_nothing_in_memory(survival: Survival) -> None:
    with replaying(TOKENS) as (server, _):
        held = memory(server, REQUESTS)
    survival("R-23", "requests in a row", tried=REQUESTS, lost=0, figure=f"{held.slope:.0f} bytes left by each")
    assert held.slope <= MOST_SLOPE


@pytest.mark.soak
def test_five_hundred_streams_at_once_are_passed_on_without_delay(survival: Survival) -> None:
    with running("tools.bench_paced") as server:
        found = many(server)
    lost = MANY * SECONDS - found.pieces
    figure = f"{found.p99:.0f} ms added to 99 of 100 pieces, {found.memory:.0f} MB"
    survival("R-01", f"pieces of {MANY} streams at once", tried=MANY * SECONDS, lost=lost, figure=figure)
    assert found.pieces == MANY * SECONDS
    assert found.p99 <= MOST_DELAY
    assert found.memory <= MOST_MEMORY
