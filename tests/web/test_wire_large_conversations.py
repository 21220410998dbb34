"""A large conversation takes its time, and nobody else's: what looks at all of it runs aside of the event loop."""

import base64
import gc
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trio
from attrs import define, field
from claude_says import HELLO
from messages_wire import COUNT, MESSAGES, body, counted, post, said, user
from wire_harness import CHAT, Server, chat, get, serving

from cca.estimate import input_tokens
from cca.model import Conversation, Image, UserTurn
from cca.pictures import MOST_SEGMENTS
from cca.store.database import open_database

pytestmark = pytest.mark.soak

SEGMENTS = base64.b64encode(b"\xff\xd8" + b"\xff\xe0\0\2" * MOST_SEGMENTS).decode()
"""A picture that takes as long to look at as one of its size can."""

MANY = 6_000
"""Of them are two megabytes, and take a quarter of a second to count."""

PICTURE = {"type": "image", "source": {"type": "base64", "media_type": "image/jpeg", "data": SEGMENTS}}
PICTURES = user([PICTURE] * MANY)
DATA_URL = {"type": "image_url", "image_url": {"url": f"data:image/jpeg;base64,{SEGMENTS}"}}
ITEM = {"type": "input_image", "image_url": f"data:image/jpeg;base64,{SEGMENTS}"}


@define(eq=False)
class Steps(trio.abc.Instrument):
    """Takes the longest time that any task had the event loop for: of its processor, whatever the machine does."""

    longest: float = 0.0
    _began: float = field(factory=time.thread_time, init=False)

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        self._began = time.thread_time()

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        self.longest = max(self.longest, time.thread_time() - self._began)


@pytest.fixture(autouse=True)
def no_collection() -> Iterator[None]:
    """Collect no garbage meanwhile: that stops whoever happens to allocate, and here there is much to look through."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def counting() -> float:
    """Return how many seconds of the processor it takes here to count the pictures: most of them."""
    conversation = Conversation("sonnet", (UserTurn((Image("image/jpeg", SEGMENTS),) * MANY),))
    began = time.thread_time()
    input_tokens(conversation)
    return 0.7 * (time.thread_time() - began)


async def longest_step(server: Server, large: bytes) -> float:
    """Return the longest step that a large request took, while others asked and were answered."""
    steps = Steps()
    others: list[int] = []

    async def ask() -> None:
        while True:
            others.append((await server.ask(get("/health"))).status)
            await trio.sleep(0.02)

    trio.lowlevel.add_instrument(steps)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(ask)
        reply = await server.ask(large)
        nursery.cancel_scope.cancel()
    trio.lowlevel.remove_instrument(steps)
    assert reply.status == 200
    assert others
    assert set(others) == {200}
    return steps.longest


@pytest.mark.parametrize(
    ("path", "given"),
    [
        pytest.param(COUNT, counted(PICTURES), id="a count"),
        pytest.param(MESSAGES, body(PICTURES), id="a message"),
        pytest.param(CHAT, chat(user([DATA_URL] * MANY)), id="a completion"),
        pytest.param(CHAT, chat(*[user("x")] * 27_000), id="as many messages as fit into a megabyte"),
        pytest.param("/v1/responses/input_tokens", {"input": [user([ITEM] * MANY)]}, id="a response's count"),
    ],
)
async def test_others_are_answered_while_a_large_conversation_is_looked_at(path: str, given: Any) -> None:
    large = post(given, path=path)
    async with serving(*HELLO) as server:
        assert await longest_step(server, large) < counting()


def calls(rounds: int) -> list[Any]:
    made = [user("x")]
    for number in range(rounds):
        use = {"type": "tool_use", "id": f"c{number}", "name": "f", "input": {"a": ["x"] * 20}}
        made += [said([use]), user([{"type": "tool_result", "tool_use_id": f"c{number}", "content": "x"}])]
    return made


@pytest.mark.parametrize("messages", [[PICTURES], calls(5000)], ids=["pictures", "calls"])
async def test_they_are_while_it_is_kept_and_gone_on_from(messages: list[Any], tmp_path: Path) -> None:
    album = "x-session-id: album"
    async with open_database(tmp_path / "cca.db") as database, serving(*HELLO, database=database) as server:
        for large in (post(body(*messages), album), post(counted(), album, path=COUNT)):
            assert await longest_step(server, large) < counting()
