"""``cca sessions export`` and ``import``: a session as a file, which a file that cca wrote becomes again."""

import argparse
import sys
from pathlib import Path

import attrs
import orjson

from cca.archive import Archive
from cca.backends.archiving import archive_in
from cca.backends.record import write_atomically
from cca.backends.synthesis import NothingToReplay, transcript_of
from cca.backends.transcript import decode, encode
from cca.commands import Subparsers, Surroundings, add_command, moment, opened, reads
from cca.commands.owners import KEY_HELP, found_session, new_owner
from cca.errors import BadRequest, Conflict
from cca.markdown import markdown
from cca.prices import prices_of
from cca.settings import read_settings
from cca.store import sessions
from cca.store.archives import archive, restore
from cca.store.database import Connection
from cca.store.sessions import ID_RULE, TITLE_LIMIT, Name, Session, is_id

UNREDACTED = "Nothing of it is redacted: what was said is in it as it was said, secrets too."

ID_SIZE = 16
"""Random bytes of an id."""


def add_export(commands: Subparsers) -> None:
    parser = add_command(commands, "export", "write a session to a file or to stdout", _export)
    parser.description = f"{parser.description} {UNREDACTED}"
    parser.add_argument("id", metavar="ID")
    parser.add_argument("--key", metavar="NAME-OR-ID", help=KEY_HELP)
    parser.add_argument(
        "--format",
        choices=("fixture", "markdown"),
        default="fixture",
        help="a fixture, which `cca serve --replay` answers from and import reads, or Markdown; fixture by default",
    )
    parser.add_argument("--output", type=Path, metavar="FILE", help="where to; else stdout")


def add_import(commands: Subparsers) -> None:
    parser = add_command(commands, "import", "make a session of an export, or of any recording of cca's", _import)
    parser.add_argument("file", type=Path, metavar="FILE")
    parser.add_argument("--id", type=reads(_read_id), help="of the new session; else the exported one, or a new one")
    parser.add_argument("--key", metavar="NAME-OR-ID", help=KEY_HELP)
    parser.add_argument("--title", type=reads(_read_title), help="of the new session; else the exported one")


async def _export(flags: argparse.Namespace, around: Surroundings) -> None:
    def read(connection: Connection) -> Archive:
        return archive(connection, found_session(connection, flags.id, flags.key, around.now()))

    async with opened(flags, around) as database:
        archived = await database.read(read)
    content = markdown(archived, moment).encode() if flags.format == "markdown" else _fixture(archived)
    if flags.output is None:
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()
    else:
        _write(flags.output, content)
    print(f"This is session {archived.id}. {UNREDACTED}", file=sys.stderr)


async def _import(flags: argparse.Namespace, around: Surroundings) -> None:
    settings = read_settings(around.environ, {})
    now = around.now()
    given = _read(flags.file)
    try:
        archived = archive_in(decode(given), prices_of(settings.prices), now, lambda: around.randomness(ID_SIZE).hex())
        _check(archived)
    except ValueError as error:
        raise BadRequest(
            f"{flags.file} cannot be imported: {error}. Give a file that `cca sessions export` or "
            "`cca serve --record` wrote."
        ) from error
    archived = attrs.evolve(archived, title=archived.title if flags.title is None else flags.title)

    def write(connection: Connection) -> Session:
        name = Name(new_owner(connection, flags.key, now), flags.id or archived.id)
        if sessions.find(connection, name, now) is not None:
            raise Conflict(f"There is a session {name.id} already. Give this one another id with --id.")
        return restore(connection, archived, name, now, settings.expires_after)

    async with opened(flags, around, make=True) as database:
        session = await database.write(write)
    print(session.id)
    print(f"It has {session.turns} turns, and expires: {moment(session.expires_at)}.", file=sys.stderr)


def _fixture(archived: Archive) -> bytes:
    try:
        return encode(transcript_of(archived))
    except NothingToReplay as error:
        raise Conflict(f"No fixture can be made: {error}. Use --format markdown.") from error
    except orjson.JSONEncodeError as error:
        raise Conflict(f"No fixture can be made of session {archived.id}: {error}. Use --format markdown.") from error


def _write(path: Path, content: bytes) -> None:
    # A device, say, would be replaced by a file.
    try:
        if path.exists() and not path.is_file():
            raise BadRequest(f"{path} is no file. Name one with --output, or leave it out for stdout.")
        write_atomically(path, content)
    except OSError as error:
        raise BadRequest(f"{path} cannot be written: {error.strerror}. Name another file with --output.") from error


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise BadRequest(f"{path} cannot be read: {error.strerror}. Name a file that is there.") from error


def _check(archived: Archive) -> None:
    """Raise ``ValueError`` for a name or a title that no session has, and for such names of its turns."""
    _read_id(archived.id)
    ids = {turn.id for turn in archived.turns if is_id(turn.id)}
    if len(ids) < len(archived.turns):
        raise ValueError("the ids of its turns are not as a session's id is, or two have the same one")
    if archived.title is not None:
        _read_title(archived.title)


def _read_id(given: str) -> str:
    if not is_id(given):
        raise ValueError(f"a session's id is {ID_RULE}")
    return given


def _read_title(given: str) -> str:
    given.encode()
    if len(given) > TITLE_LIMIT:
        raise ValueError(f"a session's title may have {TITLE_LIMIT} characters")
    return given
