"""Whatever is asked, by whom and when: each answer is to just that, whichever process gives it.

The program here answers with a digest of all that it knows, and of how it was told to answer: a turn too many, a
setting of another request, or a turn of another owner would be in it.
"""

import hashlib
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from random import Random
from typing import Any, cast

import orjson
import pytest
import trio
from attrs import define, evolve, field

from cca.backends import Exit
from cca.backends.pool import Pool
from cca.claude.form import ends_at_once
from cca.claude.launch import Launch
from cca.claude.script import EXTRA_BODY, settings
from cca.model import AssistantTurn, Conversation, ModelEntry, Sampling, Text, Turn, UserTurn
from cca.staying import Room, Staying
from fake_backend import END, REMEMBERED, RESULT, piece, printed, streamed
from staying_room import said

LAUNCH = Launch(("claude",), {}, "")


def digest(system: Any, turns: list[str], model: str, body: str) -> str:
    return hashlib.sha256(orjson.dumps([system, turns, model, orjson.loads(body)])).hexdigest()[:12]


def answer_to(conversation: Conversation) -> str:
    told = settings(conversation)
    texts = ["".join(cast(Text, part).text for part in turn.content) for turn in conversation.turns]
    return digest(list(conversation.system), texts, conversation.model, told["env"][EXTRA_BODY])


@define(eq=False)
class Program:
    """Knows what it was told, and answers with its digest. ``number`` is in the id of its messages."""

    number: int
    chance: Random
    launch: Launch = LAUNCH
    recalled: bool = False
    memory: int = 0
    stale: bool = False
    busy: bool = False
    _system: Any = field(factory=list, init=False)
    _model: str = field(default="", init=False)
    _body: str = field(default="{}", init=False)
    _turns: list[str] = field(factory=list, init=False)
    _lines: deque[bytes | float] = field(factory=deque, init=False)
    _more: trio.Event = field(factory=trio.Event, init=False)
    _ended: trio.Event = field(factory=trio.Event, init=False)

    def write(self, frames: bytes) -> None:
        for frame in map(orjson.loads, frames.splitlines()):
            match frame:
                case {"type": "control_request", "request_id": id, "request": request}:
                    self._set(request)
                    done = {"subtype": "success", "request_id": id}
                    self._lines.append(printed(type="control_response", response=done))
                case {"type": role, "message": {"content": content}}:
                    self._turns.append("".join(part["text"] for part in content))
                    if frame.get("shouldQuery") is False:
                        self._lines.append(REMEMBERED)
                    elif role == "user":
                        self._lines.append(b"ask")
        self._more.set()
        self._more = trio.Event()

    def _set(self, request: Any) -> None:
        if request["subtype"] == "initialize":
            self._system = request.get("systemPrompt", [])
        else:
            self._model = request["settings"].get("model", self._model)
            self._body = request["settings"].get("env", {}).get(EXTRA_BODY, self._body)

    def _answer(self) -> None:
        """Ask the model, with what it is told by now, and say what that answers."""
        text = digest(self._system, self._turns, self._model, self._body)
        self._turns.append(text)
        start = streamed("message_start", message={"id": f"{self.number}", "model": "claude-x", "usage": {}})
        between, rest = self.chance.choice([0.0, 0.2, 2.0]), self.chance.choice([0.0, 0.0, 0.01, 1.0, 30.0])
        self._lines.extend([start, piece(text[:5]), between, piece(text[5:]), END, rest, RESULT])

    async def read(self) -> bytes:
        await trio.lowlevel.checkpoint()
        while not self.ended:
            match self._lines[0] if self._lines else None:
                case None:
                    await self._more.wait()
                case float() as seconds:
                    await trio.sleep(seconds)
                    self._lines.popleft()
                case b"ask":
                    self._lines.popleft()
                    self._answer()
                case bytes() as line:
                    self._lines.popleft()
                    return line
        return b""

    async def wait(self) -> Exit:
        await self._ended.wait()
        return Exit(-9)

    def end(self) -> None:
        self._ended.set()
        self._more.set()

    @property
    def ended(self) -> bool:
        return self._ended.is_set()

    @property
    def fit(self) -> bool:
        return not self.ended and not self.stale


@define
class Programs:
    chance: Random
    name: str = "programs"
    cli_version: str = "0"
    models: tuple[ModelEntry, ...] = ()
    all: list[Program] = field(factory=list)
    alive: int = 0
    most: int = 0

    def is_special(self, conversation: Conversation) -> bool:
        return ends_at_once(conversation)

    @asynccontextmanager
    async def start(self, conversation: Conversation | None = None) -> AsyncIterator[Program]:
        self.alive += 1
        self.most = max(self.most, self.alive)
        try:
            await trio.sleep(self.chance.choice([0.0, 0.1, 1.0]))
            program = Program(len(self.all), self.chance)
            self.all.append(program)
            try:
                yield program
            finally:
                program.end()
        finally:
            self.alive -= 1


@define
class Clients:
    """Ask whatever was said before to go on, or something of it in another way."""

    chance: Random
    staying: Staying
    programs: Programs
    known: list[Conversation] = field(factory=list)
    owners: dict[str, str] = field(factory=dict)
    answers: int = 0
    left: int = 0

    async def come(self) -> None:
        for _ in range(25):
            await trio.sleep(self.chance.choice([0.0, 0.0, 0.1, 1.0, 4.0]))
            owner, conversation = self.chance.choice(["ann", "bob"]), self._conversation()
            with trio.move_on_after(self.chance.choice([0.1, 1000.0, 1000.0, 1000.0])) as patience:
                message = await said(self.staying, conversation, owner)
                assert message.said == answer_to(conversation)
                assert self.owners.setdefault(message.id, owner) == owner
                self.answers += 1
                self._keep(evolve(conversation, turns=(*conversation.turns, AssistantTurn((Text(message.said),)))))
            self.left += patience.cancelled_caught

    def _keep(self, conversation: Conversation) -> None:
        """Remember the last few: so that they go on while they stay."""
        self.known = [*self.known[-4:], conversation]

    def _conversation(self) -> Conversation:
        chance = self.chance
        asked = UserTurn((Text(chance.choice(["a", "b"])),))
        before = chance.choice(self.known) if self.known and chance.random() < 0.9 else Conversation("haiku", ())
        turns: tuple[Turn, ...] = (*before.turns, asked)
        match chance.randrange(12):
            case 0:
                turns = (UserTurn((Text("edited"),)), *turns[1:])
            case 1:
                turns = turns[2:] or turns
            case 2:
                before = evolve(before, system=("Be brief.",) if not before.system else ())
            case 3:
                before = evolve(before, model=chance.choice(["haiku", "opus"]))
            case 4 | 5:
                temperature, limit = chance.choice([None, 0.5]), chance.choice([None, 100, 16])
                before = evolve(before, sampling=Sampling(temperature=temperature, max_tokens=limit))
            case _:
                pass
        return evolve(before, turns=turns)


async def harm(programs: Programs, chance: Random) -> None:
    for _ in range(30):
        await trio.sleep(1.37)
        if programs.all and chance.random() < 0.3:
            chance.choice(programs.all).stale = True


@pytest.mark.parametrize("seed", range(20))
async def test_each_answer_is_to_what_was_asked(
    seed: int, same_order: Callable[[int], None], autojump_clock: trio.testing.MockClock
) -> None:
    same_order(seed)
    chance = Random(seed)  # noqa: S311 - the same on every run
    programs, most = Programs(chance), chance.randint(2, 6)
    pool = Pool(cast(Any, programs), most, waiting=chance.randint(0, 2), starts=chance.randint(1, 2))
    staying = Staying(pool, Room(most=chance.randint(1, 6), patience=20), lambda: 1e9)
    pool.spare = staying.spare
    clients = Clients(chance, staying, programs)
    with trio.fail_after(100_000):
        async with pool.opened(), staying.opened(), trio.open_nursery() as nursery:
            nursery.start_soon(harm, programs, chance)
            for _ in range(4):
                nursery.start_soon(clients.come)
    assert clients.answers + clients.left == 100
    assert len(clients.owners) < clients.answers, "some of them stayed"
    assert programs.most <= most
    assert programs.alive == 0
