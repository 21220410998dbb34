"""R-04. A request ends at any step that any task of the server takes for it: nothing of it is left."""

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any, TypeAlias

import pytest
import trio
from claude_says import HELLO
from held import Held
from messages_wire import MESSAGES, body
from trio.testing import MockClock
from wire_harness import CHAT, Client, FakeBackend, Server, chat, posted, serving, streamed, user

from cca.backends import Exit
from cca.web.sessions import SESSION_HEADER
from survival import Survival

SETTLED = 30.0
"""Seconds, of a clock that jumps, after which all that is bounded has ended."""

MOST = 2000
"""Steps of one request, at most."""

ASSISTANT = {"role": "assistant", "content": "Yes?"}
CLOSE = "Connection: close"

REQUESTS: dict[str, tuple[bytes, tuple[Any, ...]]] = {
    "a stream": (posted(MESSAGES, body(stream=True), CLOSE), HELLO),
    "a whole answer to a history": (posted(CHAT, chat(user(), ASSISTANT, user()), CLOSE), HELLO),
    "a stream that is kept": (posted(CHAT, streamed(store=True), f"{SESSION_HEADER}: step-0", CLOSE), HELLO),
    "two choices": (posted(CHAT, streamed(n=2), CLOSE), HELLO),
    "a failure": (posted("/v1/responses", {"model": "sonnet", "input": "Hello"}, CLOSE), (*HELLO[:2], Exit(1))),
}

Ending: TypeAlias = Callable[[trio.CancelScope, Client], None]


def cancelled(scope: trio.CancelScope, client: Client) -> None:
    """End what serves the connection, from outside."""
    scope.cancel()


def left(scope: trio.CancelScope, client: Client) -> None:
    """Close both directions, as the kernel does for a program that was killed."""
    assert isinstance(client.stream, trio.StapledStream)
    client.stream.send_stream.close()
    client.stream.receive_stream.close()


class AtStep(trio.abc.Instrument):
    """Does something before a task takes the step of that number, whichever task it is."""

    def __init__(self, step: int, do: Callable[[], None]) -> None:
        self.left = step
        self._do = do

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        self.left -= 1
        if self.left == 0:
            self._do()


async def ends_at(server: Server, step: int, request: bytes, end: Ending) -> bool:
    """Send a request, with a session of its own if it has one, and end it at a step. Return whether it had so many."""
    request = request.replace(b"step-0", b"step-%d" % step)
    scope = trio.CancelScope()
    client = await server.connect(scope=scope)
    at = AtStep(step, partial(end, scope, client))
    trio.lowlevel.add_instrument(at)
    try:
        with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            await client.send(request)
            await client.rest()
    finally:
        trio.lowlevel.remove_instrument(at)
    return at.left <= 0


@pytest.mark.parametrize(
    "stride", [pytest.param(23, id="some steps"), pytest.param(1, id="all steps", marks=pytest.mark.soak)]
)
@pytest.mark.parametrize("end", [cancelled, left])
@pytest.mark.parametrize("name", REQUESTS)
async def test_nothing_is_left(
    name: str,
    end: Ending,
    stride: int,
    autojump_clock: MockClock,
    survival: Survival,
    caplog: pytest.LogCaptureFixture,
) -> None:
    request_bytes, said = REQUESTS[name]
    tried, lost = 0, list[str]()
    async with serving(backend=FakeBackend(said, start_seconds=0.1, end_seconds=0.1)) as server:
        await server.ask(request_bytes)
        await trio.sleep(SETTLED)
        base = Held.of(server)
        for step in range(1, MOST, stride):
            had = await ends_at(server, step, request_bytes, end)
            await trio.sleep(SETTLED)
            tried += 1
            if Held.of(server) != base:
                lost.append(f"{step}: {Held.of(server)}")
                break
            if not had:
                break
        assert (await server.ask(request_bytes)).status in (200, 502)
    survival("R-04", f"steps at which {name} was {end.__name__}", tried=tried, lost=len(lost))
    assert not lost
    assert 30 < tried * stride < MOST
    assert not [record for record in caplog.records if record.exc_info]
