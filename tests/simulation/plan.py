"""What happens to a server in one run: who comes when and how, what each process does, what else goes wrong.

All of it is drawn from a seed. Nothing in a plan depends on what comes of it.
"""

import math
from collections.abc import Iterator, Mapping
from random import Random
from typing import Any

from attrs import frozen
from claude_says import api_error, start, stop, text
from wire_harness import Said

from cca.backends import Exit
from outcomes import WAYS

DAY = 60.0
"""Seconds in which all that is planned begins."""

FAR = (3600.0, -3600.0, 86_400.0, -86_400.0)
"""Seconds that the wall clock jumps."""

OWNERS = ("ann", "bob")

GARBAGE = (b"Killed\n", b"\xff\xfe\n", b"null\n", b"[" * 2000 + b"\n")
"""Lines that are none of Claude Code's."""


@frozen
class Visit:
    """A client that asks once. ``patience`` is in seconds, and ``pace`` between two pieces that it reads.

    ``said`` is what the process does that answers it; ``text`` what that says if nothing comes between.
    """

    name: str
    at: float
    way: str
    stream: bool
    session: str | None
    owner: str
    patience: float
    pace: float
    said: tuple[Said, ...]
    text: str

    @property
    def garbled(self) -> bool:
        """Whether what is said to it is no answer, though all of one is there."""
        return any(each in GARBAGE for each in self.said)


@frozen
class Trouble:
    """A fault of the database, by its name, for so long."""

    at: float
    seconds: float
    fault: str


@frozen
class Plan:
    """``starts`` is what the next processes do as they are started: how long that takes, or why it fails.

    ``revoked`` and ``ends`` are when the first owner's key is, and when the server does; ``None`` is never. ``jumps``
    has when the wall clock jumps, and how far. ``updates`` has about which visit Claude Code is replaced, and how many
    seconds after it has come.
    """

    seed: int
    settings: Mapping[str, Any]
    pooled: bool
    keys: bool
    visits: tuple[Visit, ...]
    starts: tuple[float | None, ...]
    troubles: tuple[Trouble, ...]
    revoked: float | None
    ends: float | None
    jumps: tuple[tuple[float, float], ...]
    updates: tuple[tuple[int, float], ...]


def plan_of(seed: int) -> Plan:
    chance = Random(seed)  # noqa: S311 - to be drawn again
    keys = chance.random() < 0.3
    return Plan(
        seed,
        settings={
            "processes": chance.randint(1, 4),
            "queue": chance.choice([0, 1, 100]),
            "session_queue": chance.choice([0, 1, 64]),
            "heartbeat": chance.choice([2.0, 15.0]),
            "first_event_timeout": 20.0,
            "silence_timeout": 10.0,
            "answer_timeout": 60.0,
            "staying_timeout": 30.0,
            "session_expiry": math.inf,
        },
        pooled=chance.random() < 0.5,
        keys=keys,
        visits=tuple(_visit(chance, number) for number in range(chance.randint(4, 9))),
        starts=tuple(chance.choice([0.0, 0.0, 0.0, 0.1, 3.0, None]) for _ in range(12)),
        troubles=tuple(_troubles(chance)),
        revoked=chance.random() * DAY if keys else None,
        ends=chance.random() * DAY if chance.random() < 0.2 else None,
        jumps=tuple((chance.random() * DAY, chance.choice(FAR)) for _ in range(chance.choice([0, 0, 1, 2]))),
        updates=tuple((chance.randrange(4), chance.choice([-1.0, 1.0])) for _ in range(chance.choice([0, 0, 2]))),
    )


def _visit(chance: Random, number: int) -> Visit:
    name = f"v{number}"
    pieces = [f"{name}.{each} " for each in range(chance.randint(1, 6))]
    return Visit(
        name,
        at=chance.choice([0.0, chance.random() * DAY]),
        way=chance.choice(list(WAYS)),
        stream=chance.random() < 0.6,
        session=chance.choice([None, None, "s", "t"]),
        owner=chance.choice(OWNERS),
        patience=chance.choice([1e4, 1e4, 1e4, chance.random() * 0.01, chance.random() * 20]),
        pace=chance.choice([0.0, 0.0, 0.0, 0.5]),
        said=tuple(_said(chance, pieces)),
        text="".join(pieces),
    )


def _said(chance: Random, pieces: list[str]) -> Iterator[Said]:
    """Yield what a process does: an answer in half of the cases, or one that goes wrong somewhere."""
    lines = [start(), *map(text, pieces), stop(chance.choice(["end_turn", "end_turn", "max_tokens"]))]
    at = chance.randrange(len(lines))
    match chance.choice(["answers"] * 6 + ["dies", "dies", "falls silent", "babbles", "is refused", "breaks"]):
        case "answers":
            for line in lines:
                yield chance.choice([0.0, 0.0, 0.2, 3.0])
                yield line
        case "dies":
            content = b"".join(lines)
            yield content[: chance.randint(1, len(content) - 1)]
            yield Exit(chance.choice([0, 1, -9, -11]))
        case "falls silent":
            yield from lines[:at]
        case "babbles":
            yield from lines[:at]
            yield chance.choice(GARBAGE)
            yield from lines[at:]
        case "is refused":
            yield from lines[: chance.choice([0, at])]
            yield api_error(chance.choice([400, 401, 429, 500, 529]))
        case _:
            yield from lines[:at]
            yield ValueError("a fault of ours")


def _troubles(chance: Random) -> Iterator[Trouble]:
    if chance.random() < 0.4:
        yield Trouble(chance.random() * DAY, chance.random() * 10, chance.choice(["full", "read-only", "locked"]))
