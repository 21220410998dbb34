"""A process that is killed just as a request is given it costs the request a second one, and no more."""

from typing import Any

import pytest
from claude_says import HELLO, start
from trio.testing import MockClock
from wire_harness import FakeBackend, Said, chat, post, serving, streamed

from cca.backends import Exit

KILLED = Exit(-9)


@pytest.mark.parametrize("body", [streamed(), chat()], ids=["stream", "whole"])
@pytest.mark.parametrize(
    ("each", "status", "processes"),
    [
        pytest.param(((KILLED,), HELLO), 200, 2, id="it is killed before it hears"),
        pytest.param(((KILLED,), (KILLED,), HELLO), 502, 2, id="so is the second"),
        pytest.param(((start(), KILLED), HELLO), 502, 1, id="it was heard"),
        pytest.param(((b"{", KILLED), HELLO), 502, 1, id="half a word was heard"),
    ],
)
async def test_a_second_process(
    each: tuple[tuple[Said, ...], ...], status: int, processes: int, body: Any, autojump_clock: MockClock
) -> None:
    async with serving(backend=FakeBackend(each=each)) as server:
        assert (await server.ask(post(body))).status == status
        assert server.backend.opened == processes
