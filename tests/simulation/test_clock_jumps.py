"""R-21. The wall clock jumps: deadlines are where they were. Limits are in tests/web/test_wire_limits.py."""

from collections.abc import Mapping
from typing import Any

import pytest
import trio
from claude_says import start, text
from trio.testing import MockClock
from wire_harness import NOW, Said, chat, post, serving

HOUR, DAY = 3600.0, 86_400.0

DEADLINES: Mapping[str, tuple[tuple[Said, ...], str]] = {
    "to the first event": ((), "first_event_timeout"),
    "of silence": ((start(), text("a")), "silence_timeout"),
    "for the answer": ((start(), *(1.0, text("a")) * 100), "answer_timeout"),
}


@pytest.mark.parametrize("jump", [HOUR, -HOUR, DAY, -DAY])
@pytest.mark.parametrize(("said", "deadline"), DEADLINES.values(), ids=DEADLINES)
async def test_a_deadline_is_where_it_was(
    said: tuple[Said, ...], deadline: str, jump: float, autojump_clock: MockClock
) -> None:
    jumped = [0.0]
    given: dict[str, Any] = {deadline: 20.0}
    async with serving(*said, now=lambda: NOW + trio.current_time() + jumped[0], **given) as server:

        async def jumps() -> None:
            await trio.sleep(5)
            jumped[0] = jump

        server.nursery.start_soon(jumps)
        reply = await server.ask(post(chat()))
        assert reply.status == 504
        assert trio.current_time() == pytest.approx(20)
