"""A backend that records what passes between cca and another backend's processes, redacted, one file a conversation."""

import hashlib
import logging
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import orjson
import trio
from attrs import define, field, frozen

from cca.backends import Exit, Process
from cca.backends.live import LiveBackend, LiveProcess
from cca.backends.redaction import Literal, Redactor, header_of, named
from cca.backends.transcript import Ended, Entry, Transcript, Written, encode, line_entry, request_json
from cca.claude.launch import CREDENTIALS, Launch
from cca.claude.lines import LineFramer
from cca.model import Conversation, Json, ModelEntry

log = logging.getLogger(__name__)

SHORTEST_SECRET = 8
"""Characters of a credential that is hidden; a shorter one (``x`` for a local proxy) is a letter of any text."""

SAVE_TIMEOUT = 30.0
"""Seconds for a recording to be written; it is shielded, so that a full disk must not hold the request for ever."""


@frozen
class Identity:
    """The names that would tell where a recording was made."""

    user: str | None
    host: str | None


def digest_name(request: Json) -> str:
    """Return a file name for a request: the same request is recorded over its last recording."""
    return hashlib.sha256(orjson.dumps(request, option=orjson.OPT_SORT_KEYS)).hexdigest()[:16]


@define
class Recorder:
    """Records the conversations of ``inner`` into ``directory``. A conversation that its client left is not kept."""

    inner: LiveBackend
    directory: Path
    identity: Identity
    name_of: Callable[[Json], str] = digest_name
    name: str = "claude, recorded"

    @property
    def cli_version(self) -> str:
        return self.inner.cli_version

    @property
    def models(self) -> tuple[ModelEntry, ...]:
        return self.inner.models

    @asynccontextmanager
    async def open(self, conversation: Conversation) -> AsyncIterator[Process]:
        """Own a process whose frames and lines are kept until it ends, and then saved."""
        async with self.inner.start() as process:
            recording = _RecordingProcess(process)
            yield recording
        with trio.move_on_after(SAVE_TIMEOUT, shield=True) as saving:
            await trio.to_thread.run_sync(self._save, conversation, process.launch, recording, abandon_on_cancel=True)
        if saving.cancelled_caught:
            log.error("A recording was not written within %.0f s.", SAVE_TIMEOUT)

    def _save(self, conversation: Conversation, launch: Launch, recording: "_RecordingProcess") -> None:
        request = request_json(conversation)
        header = header_of(self.cli_version, launch.argv, launch.env, request)
        redactor = Redactor(_literals(launch, self.identity))
        transcript = redactor.transcript(Transcript(header, recording.entries()))
        path = self.directory / f"{self.name_of(transcript.header.request)}.ndjson"
        try:
            write_atomically(path, encode(transcript))
        except OSError as error:
            log.error("A conversation was not recorded: %s cannot be written: %s", path, error.strerror)  # noqa: TRY400


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file that is there whole or not at all, for its owner's eyes."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    unfinished = path.with_suffix(".part")
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    unfinished.replace(path)


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
        while not self._lines:
            chunk = await self.inner.read()
            if not chunk:
                return self._last_line()
            self._lines += self._framer.feed(chunk)
        line = self._lines.pop(0)
        self._entries.append(line_entry(self._at(), line))
        return line + b"\n"

    async def wait(self) -> Exit:
        self._exit = await self.inner.wait()
        return self._exit

    def entries(self) -> tuple[Entry, ...]:
        return (*self._entries, Ended(self._at(), self._exit))

    def _last_line(self) -> bytes:
        line = self._framer.close()
        if line:
            self._entries.append(line_entry(self._at(), line))
        return line

    def _at(self) -> int:
        return round((trio.current_time() - self._started) * 1000)


def _literals(launch: Launch, identity: Identity) -> list[Literal]:
    secrets = [launch.env[name] for name in CREDENTIALS if len(launch.env.get(name, "")) >= SHORTEST_SECRET]
    places = {
        str(Path(launch.cwd).parent): "<run>",
        launch.env.get("CLAUDE_CONFIG_DIR", ""): "<config>",
        launch.env.get("HOME", ""): "<home>",
        launch.env.get("ANTHROPIC_BASE_URL", ""): "<base-url>",
        launch.argv[0]: "<claude>",
    }
    return [
        *(Literal(secret, "<credential>") for secret in secrets),
        *(Literal(place, placeholder) for place, placeholder in places.items() if len(place) > 1),
        *named(identity.user, "<user>"),
        *named(identity.host, "<host>"),
    ]
