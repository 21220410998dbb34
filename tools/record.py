"""Record the cases of ``tools.cases`` as fixtures, with the real Claude Code and the scripted model.

    python -m tools.record                     all of them, into fixtures/<cli-version>
    python -m tools.record plain unicode       those
    python -m tools.record --account plain     with your own login, or key, and the real model
    python -m tools.record --check             write nothing; say which recordings changed, apart from their times

An unchanged case is recorded as it was but for its times; read ``git diff`` before you commit.
"""

import argparse
import os
import signal
import socket
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path

import trio
from attrs import define, evolve, field

from cca.backends.discovery import find_claude
from cca.backends.live import LiveBackend, open_live
from cca.backends.process import LiveProcess
from cca.backends.record import Recorder, write_atomically
from cca.backends.replay import version_order
from cca.backends.telltales import Identity
from cca.backends.transcript import Entry, Read, Transcript, decode
from cca.claude.launch import CREDENTIALS, launch, offline_environ
from cca.exchange import CHANNEL_SIZE, Deadlines, converse
from cca.message import Message
from cca.model import Conversation, Event, Failed, Finished, TextDelta, Told
from cca.scripted import open_scripted_model
from cca.staying import Room, Staying
from cca.talk import Talk
from tools.cases import CASES, Case
from tools.cases.case import followed

ROOT = Path(__file__).parent.parent

WHOLE_ANSWER = 300.0
"""Seconds for one case."""

RECORDED_AT = 0.0
"""The wall clock of every recording, in seconds since the epoch."""


@define(slots=False)
class KillableBackend(LiveBackend):
    """Keeps the process that it started last, for a case that kills it."""

    process: LiveProcess | None = field(default=None, init=False)

    @asynccontextmanager
    async def start(self, conversation: Conversation | None = None) -> AsyncIterator[LiveProcess]:
        async with super().start(conversation) as self.process:
            yield self.process

    def kill(self) -> None:
        assert self.process is not None
        os.killpg(self.process.popen.pid, signal.SIGKILL)


async def record(case: Case, program: str, environ: Mapping[str, str], directory: Path, *, account: bool) -> Event:
    """Record one case as ``directory/<name>.ndjson`` and return its last event."""
    async with AsyncExitStack() as stack:
        environ = dict(environ) if account else await _scripted(environ, stack)
        if not case.login:
            environ = {name: value for name, value in environ.items() if name not in CREDENTIALS}
        live = await stack.enter_async_context(open_live(partial(launch, program, environ, retries=case.retries)))
        backend = KillableBackend(live.launcher, live.reaper, live.directory, live.name, live.cli_version, live.models)
        backend.file_from = 1 if case.from_file else 0
        identity = Identity(os.environ.get("USER"), socket.gethostname())
        recorder = Recorder(backend, directory, identity, name_of=lambda _: case.name)
        return await _answer(case, recorder, backend)


async def _scripted(environ: Mapping[str, str], stack: AsyncExitStack) -> dict[str, str]:
    """Return an environment in which the scripted model answers, and which is the same on every machine."""
    model = await stack.enter_async_context(open_scripted_model())
    home = stack.enter_context(tempfile.TemporaryDirectory(prefix="cca-home-"))
    return offline_environ({"PATH": environ["PATH"], "HOME": home, "LANG": "C.UTF-8"}, model.base_url)


async def _answer(case: Case, recorder: Recorder, backend: KillableBackend) -> Event:
    staying = Staying(recorder, Room(most=1 if case.steps else 0, patience=WHOLE_ANSWER), now=lambda: RECORDED_AT)
    talks: list[Talk] = []

    async def answer(conversation: Conversation) -> tuple[Event, Message]:
        return await _held(case, _noted(staying.talk("", conversation), talks), backend)

    conversation = case.conversation
    async with staying.opened():
        last, message = await answer(conversation)
        for step in case.steps:
            conversation = followed(conversation, message, step)
            last, message = await answer(conversation)
        while talks[-1].stays and talks[-1].dialogue.ending:  # noqa: ASYNC110 - whoever lets it stay hears its turn out
            await trio.sleep(0.01)
        # What is killed with the room is not kept.
        staying.spare()
    return last


@asynccontextmanager
async def _noted(talk: AbstractAsyncContextManager[Talk], talks: list[Talk]) -> AsyncIterator[Talk]:
    async with talk as opened:
        talks.append(opened)
        yield opened


async def _held(case: Case, talk: AbstractAsyncContextManager[Talk], backend: KillableBackend) -> tuple[Event, Message]:
    deadlines = Deadlines(first_event=case.deadline, silence=case.deadline, answer=WHOLE_ANSWER)
    sender, events = trio.open_memory_channel[Told](CHANNEL_SIZE)
    message, last = Message(), None
    async with trio.open_nursery() as nursery:
        nursery.start_soon(converse, talk, deadlines, sender)
        async for told in events:
            last = told.event
            message.take(last)
            if case.killed and isinstance(last, TextDelta):
                backend.kill()
    assert last is not None
    return last, message


async def record_all(cases: Sequence[Case], program: str, into: Path | None, *, account: bool) -> Path:
    """Record ``cases`` one after the other and return the directory that they are in."""
    version = await _version(program)
    directory = into or ROOT / "fixtures" / (f"account-{version}" if account else version)
    for case in cases:
        ended = await record(case, program, os.environ, directory, account=account)
        print(f"{case.name:28} {_told(ended)}")
    return directory


async def _version(program: str) -> str:
    async with open_live(partial(launch, program, os.environ, retries=0)) as backend:
        return backend.cli_version


def _told(event: Event) -> str:
    match event:
        case Finished(stop_reason):
            return stop_reason
        case Failed(error):
            return f"{error.status} {error}"
        case _:
            return repr(event)


def timeless(transcript: Transcript) -> Transcript:
    """Return a recording without its times: what is compared. Claude Code draws the delay of a retry at random.

    It says that it has read a frame when it has, between any two lines.
    """
    entries = (_timeless(entry) for entry in transcript.entries if not _only_acknowledges(entry))
    return evolve(transcript, entries=tuple(entries))


def _timeless(entry: Entry) -> Entry:
    match entry:
        case Read(_, {"retry_delay_ms": _} as line):
            return Read(0, {**line, "retry_delay_ms": 0})
        case _:
            return evolve(entry, at=0)


def _only_acknowledges(entry: Entry) -> bool:
    match entry:
        case Read(_, {"type": "control_response", "response": {"subtype": "success"} as response}):
            return "response" not in response
        case _:
            return False


def changed(before: Path, after: Path) -> Iterator[str]:
    """Yield the names of the recordings under ``after`` that are not those under ``before``, apart from times."""
    for path in sorted(after.glob("*.ndjson")):
        old = before / path.name
        if not old.exists() or timeless(decode(old.read_bytes())) != timeless(decode(path.read_bytes())):
            yield path.stem


def write_index(directory: Path) -> None:
    """Write the page that says what each recording in ``directory`` proves."""
    proves = {case.name: case.proves for case in CASES}
    rows = [f"| `{path.stem}` | {proves.get(path.stem, '')} |" for path in sorted(directory.glob("*.ndjson"))]
    page = [
        f"# Conversations with Claude Code {directory.name}",
        "",
        "Recorded by `python -m tools.record`, never written by hand. The format is described in",
        "`cca/backends/transcript.py`, the conversations in `tools/cases`.",
        "",
        "| recording | what it proves |",
        "|---|---|",
        *rows,
        "",
    ]
    write_atomically(directory / "README.md", "\n".join(page).encode())


def main(arguments: Sequence[str] | None = None) -> int:
    parser = _parser()
    options = parser.parse_args(arguments)
    cases = [case for case in CASES if case.account or not options.account]
    if unknown := sorted(set(options.names) - {case.name for case in cases}):
        among = "the cases for an account" if options.account else "the cases"
        parser.error(f"not among {among}: {', '.join(unknown)}. They are {', '.join(case.name for case in cases)}.")
    cases = [case for case in cases if case.name in options.names or not options.names]
    program = find_claude(options.claude, os.environ)
    if options.check:
        return _check(cases, program)
    directory = trio.run(partial(record_all, cases, program, options.into, account=options.account))
    write_index(directory)
    return 0


def _check(cases: Sequence[Case], program: str) -> int:
    with tempfile.TemporaryDirectory() as scratch:
        after = trio.run(partial(record_all, cases, program, Path(scratch), account=False))
        names = list(changed(newest(ROOT / "fixtures"), after))
    print(f"{len(cases) - len(names)} as recorded, {len(names)} changed: {', '.join(names) or 'none'}")
    return 1 if names else 0


def newest(fixtures: Path) -> Path:
    """Return the recordings with the newest Claude Code."""
    return max(fixtures.glob("[0-9]*"), key=lambda path: version_order(path.name))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("names", nargs="*", metavar="CASE", help="cases to record; all without any")
    parser.add_argument("--account", action="store_true", help="record with your own account and the real model")
    parser.add_argument("--check", action="store_true", help="say what changed, and write nothing")
    parser.add_argument("--claude", type=Path, help="the Claude Code program")
    parser.add_argument("--into", type=Path, help="the directory to write to")
    return parser


if __name__ == "__main__":
    sys.exit(main())
