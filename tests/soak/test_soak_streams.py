"""What cca takes of a machine when it is asked for long, and by many: its memory, and the delay that it adds."""

import pytest

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
def test_ten_thousand_requests_leave_nothing_in_memory() -> None:
    with replaying(TOKENS) as (server, _):
        held = memory(server, REQUESTS)
    print(f"\n{held}")
    assert held.slope <= MOST_SLOPE


@pytest.mark.soak
def test_five_hundred_streams_at_once_are_passed_on_without_delay() -> None:
    with running("tools.bench_paced") as server:
        found = many(server)
    print(f"\n{found}")
    assert found.pieces == MANY * SECONDS
    assert found.p99 <= MOST_DELAY
    assert found.memory <= MOST_MEMORY
