"""R-08. Claude Code is killed after any byte that it prints: its client is told of a failure, and never of an end."""

from collections.abc import Sequence
from itertools import cycle
from random import Random

import pytest
from claude_says import arguments, start, stop, text, thinking, tool
from trio.testing import MockClock
from wire_harness import FakeBackend, posted, serving

from cca.backends import Exit
from outcomes import WAYS, Outcome
from survival import Survival

KILLED = Exit(-9)

SPOKEN = (start(), thinking("Hm.", "sig"), *[text(f"w\u00f6rd{number} ") for number in range(26)], stop())
CALLING = (start(), text("I look."), tool("toolu_1", "f"), *[arguments(f'"{n}') for n in range(26)], stop("tool_use"))

MODES = [(name, stream) for name in WAYS for stream in (True, False)]


def bytes_to_kill_at(content: bytes, share: int) -> Sequence[int]:
    """Return one in ``share`` of the bytes of ``content`` but its last: those about its line ends among them."""
    ends = [at for at in range(1, len(content)) if b"\n" in content[at - 1 : at + 1]]
    drawn = Random(8).sample(range(1, len(content)), len(content) // share - 1)  # noqa: S311 - the same on every run
    return sorted({1, *drawn, *(ends if share == 1 else ends[-3:])})


@pytest.mark.parametrize("transcript", [SPOKEN, CALLING], ids=["spoken", "calling"])
@pytest.mark.parametrize("share", [pytest.param(300, id="some"), pytest.param(1, id="all", marks=pytest.mark.soak)])
async def test_killed_at_a_byte_it_is_a_failure(
    transcript: Sequence[bytes], share: int, autojump_clock: MockClock, survival: Survival
) -> None:
    """Streamed and whole, in each dialect in turn: a 502, or an error in the stream, and no word that was not said."""
    content = b"".join(transcript)
    assert content.count(b"\n") >= 30
    ats, modes = bytes_to_kill_at(content, share), cycle(MODES)
    tries = [(at, *next(modes)) for at in ats for _ in ("streamed", "whole")]
    said = [(content[:at], KILLED) for at, *_ in tries]
    lost = 0
    async with serving(backend=FakeBackend(each=tuple(said))) as server:
        for at, name, stream in tries:
            way = WAYS[name]
            reply = await server.ask(posted(way.path, way.body("Hello", stream=stream)))
            outcome = way.outcome(reply.status, reply.body, stream=stream)
            lost += outcome.end != "failed" or outcome.status not in ({200, 502} if stream else {502})
            assert spoken(transcript).startswith(outcome.text), (at, name, stream)
    what = "what it says" if transcript is SPOKEN else "its calls"
    survival("R-08", f"kills of Claude Code at the bytes of {what}", tried=len(tries), lost=lost)
    assert not lost


async def test_killed_after_its_last_byte_it_has_answered(autojump_clock: MockClock) -> None:
    """So the others are not failures of the reader."""
    for transcript in (SPOKEN, CALLING):
        for name, stream in MODES:
            way = WAYS[name]
            async with serving(b"".join(transcript), KILLED) as server:
                reply = await server.ask(posted(way.path, way.body("Hello", stream=stream)))
            assert way.outcome(reply.status, reply.body, stream=stream) == Outcome("answered", spoken(transcript))


def spoken(transcript: Sequence[bytes]) -> str:
    return "".join(f"w\u00f6rd{number} " for number in range(26)) if transcript is SPOKEN else "I look."
