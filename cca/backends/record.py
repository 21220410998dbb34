"""A backend that records what passes between cca and its live processes, redacted, one file a conversation."""

import hashlib
import logging
import os
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Protocol

import orjson
import trio
from attrs import define, field

from cca.backends import Exit, Named, Process
from cca.backends.process import LiveProcess
from cca.backends.redaction import Redactor, header_of
from cca.backends.telltales import Identity, telltales
from cca.backends.transcript import Ended, Entry, Transcript, Written, encode, line_entry, request_json
from cca.claude.launch import Launch
from cca.claude.lines import LineFramer, LineTooLong
from cca.errors import UpstreamFailed
from cca.model import Conversation, Json, ModelEntry

log = logging.getLogger(__name__)

SAVE_TIMEOUT = 30.0
"""Seconds for a recording to be written; it is shielded, so that a full disk must not hold the request for ever."""


def digest_name(request: Json) -> str:
    """Return a file name for a request: the same request is recorded over its last recording."""
    return hashlib.sha256(orjson.dumps(request, option=orjson.OPT_SORT_KEYS)).hexdigest()[:16]


class Live(Named, Protocol):
    """A backend of live processes: how each was launched is in its recording."""

    def open(self, conversation: Conversation) -> AbstractAsyncContextManager[LiveProcess]: ...


@define
class Recorder:
    """Records the conversations of ``inner`` into ``directory``. A conversation that its client left is not kept."""

    inner: Live
    directory: Path
    identity: Identity
    name_of: Callable[[Json], str] = digest_name

    @property
    def name(self) -> str:
        return f"{self.inner.name}, recorded"

    @property
    def cli_version(self) -> str:
        return self.inner.cli_version

    @property
    def models(self) -> tuple[ModelEntry, ...]:
        return self.inner.models

    @asynccontextmanager
    async def open(self, conversation: Conversation) -> AsyncIterator[Process]:
        """Own a process whose frames and lines are kept until it ends, and then saved."""
        finished = None
        try:
            async with self.inner.open(conversation) as process:
                recording = _RecordingProcess(process)
                yield recording
                # Its client has its answer, and may leave while the process is being killed.
                finished = recording
        finally:
            if finished is not None:
                await self._keep(conversation, finished)

    async def _keep(self, conversation: Conversation, recording: "_RecordingProcess") -> None:
        with trio.move_on_after(SAVE_TIMEOUT, shield=True) as saving:
            await trio.to_thread.run_sync(
                self._save, conversation, recording.inner.launch, recording.entries(), abandon_on_cancel=True
            )
        if saving.cancelled_caught:
            log.error("A recording was not written within %.0f s.", SAVE_TIMEOUT)

    def _save(self, conversation: Conversation, launch: Launch, entries: tuple[Entry, ...]) -> None:
        request = request_json(conversation)
        header = header_of(self.cli_version, launch.argv, launch.env, request)
        redactor = Redactor(telltales(launch, self.identity))
        transcript = redactor.transcript(Transcript(header, entries))
        path = self.directory / f"{self.name_of(transcript.header.request)}.ndjson"
        try:
            write_atomically(path, encode(transcript))
        except OSError as error:
            log.error("A conversation was not recorded: %s cannot be written: %s", path, error.strerror)  # noqa: TRY400


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file that is there whole or not at all, for its owner's eyes."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # A name of its own: the same request may be answered twice at once.
    descriptor, name = tempfile.mkstemp(prefix=f".{path.stem}-", suffix=".part", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        Path(name).replace(path)
    except OSError:
        Path(name).unlink(missing_ok=True)
        raise


@define
class _RecordingProcess:
    """Gives one line a read, so that what is written in answer to a line stands behind it, every time."""

    inner: LiveProcess
    _started: float = field(factory=trio.current_time, init=False)
    _entries: list[Entry] = field(factory=list, init=False)
    _framer: LineFramer = field(factory=LineFramer, init=False)
    _lines: list[bytes] = field(factory=list, init=False)
    _exit: Exit | None = field(default=None, init=False)

    def write(self, frames: bytes) -> None:
        self._entries += [Written(self._at(), orjson.loads(frame)) for frame in frames.splitlines()]
        self.inner.write(frames)

    async def read(self) -> bytes:
        """Return one line. Raise ``UpstreamFailed`` for one that is too long."""
        while not self._lines:
            chunk = await self.inner.read()
            if not chunk:
                return self._last_line()
            try:
                self._lines += self._framer.feed(chunk)
            except LineTooLong as error:
                raise UpstreamFailed(f"Claude Code printed {error}.") from error
        line = self._lines.pop(0)
        self._entries.append(line_entry(self._at(), line))
        return line + b"\n"

    async def wait(self) -> Exit:
        self._exit = await self.inner.wait()
        return self._exit

    def end(self) -> None:
        self.inner.end()

    @property
    def recalled(self) -> bool:
        return self.inner.recalled

    @property
    def fit(self) -> bool:
        return self.inner.fit

    @property
    def memory(self) -> int:
        return self.inner.memory

    def entries(self) -> tuple[Entry, ...]:
        return (*self._entries, Ended(self._at(), self._exit))

    def _last_line(self) -> bytes:
        line = self._framer.close()
        if line:
            self._entries.append(line_entry(self._at(), line))
        return line

    def _at(self) -> int:
        return round((trio.current_time() - self._started) * 1000)
