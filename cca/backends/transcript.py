"""The format of a recorded conversation: one JSON value a line.

    {"format": 1, "cli": "2.1.330", "argv": [...], "env": ["HOME", ...], "request": {...}}     the header
    {"at": 0, "write": {...}}                     a frame that cca wrote, at so many ms after the process started
    {"at": 431, "read": {...}}                    a line that Claude Code printed
    {"at": 432, "garbled": "..."}                 a line that is not a JSON object
    {"at": 733, "exit": {"code": 1, "stderr": "..."}}   how it ended by itself, or null: cca killed it, and until then
                                                  it had nothing more to say

``request`` is the conversation as ``cca.model`` has it, so that a recording can be replayed through any dialect.

One that ``cca sessions export`` made of a session, without a process, has "session" as its ``cli`` and all that is kept
of it (``cca.archive``) as ``session``. Its ``argv`` and ``env`` are empty, and nothing in it is redacted.
"""

from typing import TypeAlias, assert_never

import orjson
from attrs import frozen

from cca.backends import Exit
from cca.model import Conversation, Json
from cca.model_json import model_converter

FORMAT = 1


class UnreadableTranscript(ValueError):
    """A file that is not a recording, or one of a format that this cca does not know."""


@frozen
class Header:
    """What the process was started for and with. ``env`` has names only; ``request`` is redacted.

    ``session`` is there in the export of one alone.
    """

    cli: str
    argv: tuple[str, ...]
    env: tuple[str, ...]
    request: Json
    session: Json = None


@frozen
class Written:
    at: int
    frame: Json


@frozen
class Read:
    at: int
    line: Json


@frozen
class Garbled:
    at: int
    text: str


@frozen
class Ended:
    """The process's end; ``None`` for one that cca killed."""

    at: int
    exit: Exit | None


Entry: TypeAlias = Written | Read | Garbled | Ended


@frozen
class Transcript:
    header: Header
    entries: tuple[Entry, ...]


def encode(transcript: Transcript) -> bytes:
    header = transcript.header
    first = {
        "format": FORMAT,
        "cli": header.cli,
        "argv": list(header.argv),
        "env": list(header.env),
        "request": header.request,
    }
    if header.session is not None:
        first["session"] = header.session
    return b"".join(orjson.dumps(row) + b"\n" for row in (first, *map(_row, transcript.entries)))


def decode(content: bytes) -> Transcript:
    """Return the recording in ``content``. Raise ``UnreadableTranscript``."""
    try:
        rows = [orjson.loads(line) for line in content.splitlines() if line.strip()]
    except orjson.JSONDecodeError as error:
        raise UnreadableTranscript(f"a line is not JSON: {error}") from error
    header = _header(rows[0] if rows else None)
    entries = tuple(_entry(row) for row in rows[1:])
    if [isinstance(entry, Ended) for entry in entries] != [False] * (len(entries) - 1) + [True]:
        raise UnreadableTranscript("it must end once, at its last line; this one was cut short, or put together")
    return Transcript(header, entries)


def request_json(conversation: Conversation) -> Json:
    """Return a conversation as JSON; what has its default value is left out."""
    return _CONVERTER.unstructure(conversation)


def conversation_of(request: Json) -> Conversation:
    return _CONVERTER.structure(request, Conversation)


def line_entry(at: int, line: bytes) -> Entry:
    """Return the entry for a line as it came from the process."""
    try:
        value = orjson.loads(line)
    except orjson.JSONDecodeError:
        value = None
    return Read(at, value) if isinstance(value, dict) else Garbled(at, line.decode("utf-8", "backslashreplace"))


def _header(row: Json) -> Header:
    match row:
        case {"format": other} if other != FORMAT:
            raise UnreadableTranscript(f"its format is {_excerpt(other)}, and this cca knows format {FORMAT}")
        case {"format": _, "cli": str(cli), "argv": list(argv), "env": list(env), "request": dict(request)} if all(
            isinstance(item, str) for item in (*argv, *env)
        ):
            return Header(cli, tuple(argv), tuple(env), request, row.get("session"))
        case _:
            raise UnreadableTranscript("it does not begin as a recording of cca's does")


def _excerpt(value: Json) -> str:
    return str(value)[:80]


def _row(entry: Entry) -> Json:
    match entry:
        case Written(at, frame):
            return {"at": at, "write": frame}
        case Read(at, line):
            return {"at": at, "read": line}
        case Garbled(at, text):
            return {"at": at, "garbled": text}
        case Ended(at, how):
            return {"at": at, "exit": None if how is None else {"code": how.code, "stderr": how.stderr}}
        case _:
            assert_never(entry)


def _entry(row: Json) -> Entry:
    match row:
        case {"at": int(at), "write": dict(frame)}:
            return Written(at, frame)
        case {"at": int(at), "read": dict(line)}:
            return Read(at, line)
        case {"at": int(at), "garbled": str(text)}:
            return Garbled(at, text)
        case {"at": int(at), "exit": None}:
            return Ended(at, None)
        case {"at": int(at), "exit": {"code": int(code), "stderr": str(stderr)}}:
            return Ended(at, Exit(code, stderr))
        case _:
            raise UnreadableTranscript(f"an entry is not understood: {_excerpt(row)}")


_CONVERTER = model_converter("kind")
