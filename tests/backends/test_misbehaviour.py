"""Whatever Claude Code does on its pipes: its request ends in bounded time, as it should, and nothing is left of it."""

import re
import threading
from collections.abc import Sequence
from pathlib import Path
from random import Random

import pytest
import trio
from attrs import frozen
from claude_says import api_error, line, start, stop, text, thinking, turn_ended
from fakes import CONVERSATION, SECONDS, Step, launching, nothing_left, open_backend, unwatched

from cca.backends import Exit
from cca.claude.lines import LINE_LIMIT
from cca.errors import CcaError, DeadlineExceeded, ModelApiFailed, Unheard, UpstreamFailed
from cca.exchange import CHANNEL_SIZE, Deadlines, converse
from cca.model import Event, Failed, Finished, TextDelta, Told
from cca.talk import fresh
from survival import Survival

PATIENT = Deadlines(first_event=SECONDS, silence=SECONDS, answer=60.0)
SOON = 10.0
"""Seconds from the end of an answer until its process is gone. It takes 5 ms, and for ever if nobody ends it."""

MOST_STDERR = 10 * 1024 * 1024
"""Bytes that memory may grow by, whatever is written to stderr: what is kept of it is 8 KB."""


@frozen
class Heard:
    """What a client was told, and for how long the process was there after the last of it."""

    events: Sequence[Event]
    lingered: float

    @property
    def text(self) -> str:
        return "".join(event.text for event in self.events if isinstance(event, TextDelta))

    @property
    def error(self) -> CcaError | None:
        """The failure that ended the answer, or nothing, if it is complete. There is one end, and it is the last."""
        *before, last = self.events
        assert not any(isinstance(event, Finished | Failed) for event in before)
        if isinstance(last, Failed):
            return last.error
        assert isinstance(last, Finished)
        return None


async def heard_of(tmp_path: Path, *steps: Step, deadlines: Deadlines = PATIENT) -> Heard:
    """Ask a program that does ``steps``. Hold that nothing is left of it."""
    sender, receiver = trio.open_memory_channel[Told](CHANNEL_SIZE)
    events: list[Event] = []
    last = 0.0
    with nothing_left(tmp_path / "run"), unwatched(tmp_path / "run", launching(*steps)) as backend:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(converse, fresh(backend, CONVERSATION, lambda: 0.0), deadlines, sender)
            async for told in receiver:
                events.append(told.event)
                last = trio.current_time()
            # The channel is closed once the process is gone.
            return Heard(events, trio.current_time() - last)


def puts(*printed: bytes) -> Step:
    return ("bytes", b"".join(printed).hex())


BEGUN = puts(start(), text("a"))
ENDS = puts(text("b"), stop())
HANGS: Step = ("hang",)
EXITS: Step = ("exit", 0)

END_OF_A_TURN: dict[str, tuple[Sequence[Step], type[CcaError] | None, str]] = {
    "exit 0 without a word": ([EXITS], Unheard, "ended (exit code 0)"),
    "exit 0 in its answer": ([BEGUN, EXITS], UpstreamFailed, "ended (exit code 0)"),
    "exit 1 with is_error": ([puts(api_error(500, "boom")), ("exit", 1)], ModelApiFailed, "boom"),
    "is_error in its answer": ([BEGUN, puts(api_error(500, "boom")), ("exit", 1)], ModelApiFailed, "boom"),
    "is_error, and it hangs": ([puts(api_error(500, "boom")), HANGS], ModelApiFailed, "boom"),
    "a signal": ([BEGUN, ("die", 11)], UpstreamFailed, "killed by signal 11"),
    "stdout is closed, and it hangs": ([BEGUN, ("close",), HANGS], DeadlineExceeded, "fell silent"),
    "a result, and it hangs": ([BEGUN, ENDS, puts(turn_ended()), HANGS], None, ""),
    "two results": ([BEGUN, ENDS, puts(turn_ended(), turn_ended()), HANGS], None, ""),
    "no result, and exit 1": ([BEGUN, ENDS, ("exit", 1)], None, ""),
    "a result of nothing": ([puts(turn_ended()), HANGS], UpstreamFailed, "without an answer"),
}


@pytest.mark.parametrize(("steps", "kind", "words"), END_OF_A_TURN.values(), ids=END_OF_A_TURN)
async def test_how_a_turn_may_end(
    steps: Sequence[Step], kind: type[CcaError] | None, words: str, tmp_path: Path
) -> None:
    """R-09."""
    heard = await heard_of(tmp_path, *steps, deadlines=Deadlines(first_event=SECONDS, silence=0.1, answer=SECONDS))
    assert type(heard.error) is (kind or type(None))
    assert words in str(heard.error)
    assert heard.lingered < SOON
    if kind is None:
        assert heard.text == "ab"


WORDS = tuple(f"w\u00f6rd{number} " for number in range(26))
SPOKEN = b"".join((start(), thinking("Hm.", "sig"), *map(text, WORDS), stop()))


@pytest.mark.parametrize("number", [40, pytest.param(800, marks=pytest.mark.soak)])
async def test_killed_at_a_byte_on_real_pipes_it_is_a_failure(number: int, tmp_path: Path, survival: Survival) -> None:
    """R-08; that each dialect tells so, for every byte, is in tests/simulation."""
    ats = Random(number).sample(range(len(SPOKEN)), number)  # noqa: S311 - the same on every run
    lost = 0
    for at in ats:
        heard = await heard_of(tmp_path, puts(SPOKEN[:at]), ("die", 9))
        lost += not isinstance(heard.error, UpstreamFailed) or heard.lingered > SOON
        assert "killed by signal 9" in str(heard.error)
        assert "".join(WORDS).startswith(heard.text)
    survival("R-08", "kills of Claude Code on its pipes", tried=number, lost=lost)
    assert not lost
    assert (await heard_of(tmp_path, puts(SPOKEN), ("die", 9))).error is None


HARMLESS = {
    "blank": b"\n\n \n",
    "ended as on Windows": text("x").replace(b"\n", b"\r\n"),
    "a type of tomorrow": line({"type": "tomorrow", "is_error": True, "result": "no"}),
    "an event of tomorrow": line({"type": "stream_event", "event": {"type": "tomorrow"}}),
    "deep, and of tomorrow": b'{"type":"x","y":' + b"[" * 500 + b"]" * 500 + b"}\n",
}

BROKEN = {
    "no JSON": b"Segmentation fault\n",
    "a byte order mark": b"\xef\xbb\xbf" + text("x"),
    "a number": b"7\n",
    "null": b"null\n",
    "too deep": b'{"type":"x","y":' + b"[" * 9000 + b"]" * 9000 + b"}\n",
    "no UTF-8": text("x").replace(b"x", b"\xff"),
    "half a letter": text("x").replace(b"x", b"\xf0\x9f\x98"),
    "two in one": text("x")[:-1] + text("y"),
    "a NUL beside it": b"\x00" + text("x"),
}


@pytest.mark.parametrize("between", HARMLESS.values(), ids=HARMLESS)
async def test_a_line_that_says_nothing_changes_nothing(between: bytes, tmp_path: Path) -> None:
    """R-10."""
    heard = await heard_of(tmp_path, BEGUN, puts(between), ENDS, HANGS)
    assert heard.error is None
    assert heard.text.replace("x", "") == "ab"


@pytest.mark.parametrize("between", BROKEN.values(), ids=BROKEN)
async def test_a_line_that_is_broken_is_an_error_though_the_answer_goes_on(between: bytes, tmp_path: Path) -> None:
    """R-10."""
    heard = await heard_of(tmp_path, BEGUN, puts(between), ENDS, HANGS)
    assert isinstance(heard.error, UpstreamFailed)
    assert "a line that cannot be read" in str(heard.error)
    assert heard.text == "a"
    assert heard.lingered < SOON


async def test_a_line_without_its_end_is_none_however_complete_it_looks(tmp_path: Path) -> None:
    """R-10."""
    heard = await heard_of(tmp_path, BEGUN, puts(stop().rstrip(b"\n")), EXITS)
    assert isinstance(heard.error, UpstreamFailed)


STUBBORN: dict[str, tuple[Sequence[Step], str]] = {
    "silent": ([HANGS], "did not begin"),
    "silent in its answer": ([BEGUN, HANGS], "fell silent"),
    "heeds no SIGTERM": ([("stay",), BEGUN, HANGS], "fell silent"),
    "with a child": ([("child",), BEGUN, HANGS], "fell silent"),
}


@pytest.mark.parametrize(("steps", "words"), STUBBORN.values(), ids=STUBBORN)
async def test_a_silent_program_is_killed_at_its_deadline(steps: Sequence[Step], words: str, tmp_path: Path) -> None:
    """R-12; that deadlines fire to the second is in tests/test_exchange.py."""
    short = Deadlines(first_event=0.2 if steps == [HANGS] else SECONDS, silence=0.1, answer=SECONDS)
    heard = await heard_of(tmp_path, *steps, deadlines=short)
    assert isinstance(heard.error, DeadlineExceeded)
    assert words in str(heard.error)
    assert heard.lingered < SOON


# What is out of measure.


def has(what: str) -> int:
    """Return a row of this process's memory, in bytes: ``VmRSS`` is what it has, ``VmHWM`` the most that it had."""
    found = re.search(rf"^{what}:\s+(\d+) kB$", Path("/proc/self/status").read_text(), re.MULTILINE)
    assert found is not None
    return int(found[1]) * 1024


@frozen
class Grown:
    """How much memory this process has taken, at its most, since ``before``."""

    before: int

    @classmethod
    def since_now(cls) -> "Grown":
        # It makes the most that there was what there is. Source: proc(5).
        Path("/proc/self/clear_refs").write_text("5")
        return cls(has("VmRSS"))

    @property
    def by(self) -> int:
        return has("VmHWM") - self.before


@pytest.mark.parametrize("size", [pytest.param(50, id="50 MB"), pytest.param(1000, id="1 GB", marks=pytest.mark.soak)])
async def test_a_flood_of_stderr_takes_no_memory_and_stops_nothing(
    size: int, tmp_path: Path, survival: Survival
) -> None:
    """R-12."""
    flood: Step = ("stderr", "x" * 65_535 + "\n", size * 1_000_000 // 65_536)
    grown = Grown.since_now()
    heard = await heard_of(tmp_path, BEGUN, flood, ENDS, HANGS)
    taken = grown.by
    lost = int(heard.text != "ab" or taken > MOST_STDERR)
    survival("R-12", f"{size} MB on stderr", tried=1, lost=lost, figure=f"{taken / 1e6:.1f} MB more")
    assert not lost


@pytest.mark.soak
@pytest.mark.parametrize("ended", [True, False], ids=["a line of 50 MB", "a line without end"])
async def test_a_line_out_of_measure(*, ended: bool, tmp_path: Path, survival: Survival) -> None:
    """R-11."""
    said, rest = text("@").split(b"@")
    huge: Sequence[Step] = (puts(said), ("huge", 50_000_000), puts(rest), ENDS) if ended else (("huge", 10**9),)
    grown = Grown.since_now()
    heard = await heard_of(tmp_path, puts(start()), *huge, HANGS)
    taken = grown.by
    lost = int(taken > 3 * LINE_LIMIT or heard.lingered > SOON or (heard.error is None) is not ended)
    figure = f"{taken / 1e6:.0f} MB more, gone after {heard.lingered * 1000:.0f} ms"
    survival("R-11", "a line of 50 MB" if ended else "a line without end", tried=1, lost=lost, figure=figure)
    assert not lost
    assert len(heard.text) == (50_000_001 if ended else 0)


def workers() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if thread.name.startswith("Trio")}


@pytest.mark.soak
async def test_no_signal_comes_to_a_process_whose_thread_has_ended(tmp_path: Path, survival: Survival) -> None:
    """R-06: Trio ends a thread after ten idle seconds, and with it goes what forked the process."""
    pieces: list[Step] = [step for _ in range(16) for step in (("raw", "."), ("sleep", 1))]
    async with open_backend(tmp_path / "run", launching(*pieces)) as backend, backend.start() as process:
        forked = workers()
        assert forked
        printed = b""
        with trio.fail_after(60):
            while chunk := await process.read():
                printed += chunk
            how = await process.wait()
        assert not forked & workers()
    survival("R-06", "streams of 16 s", tried=1, lost=int(how != Exit(0)))
    assert (printed, how) == (b"." * 16, Exit(0))
