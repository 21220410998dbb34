"""``cca sessions``: the sessions of all owners, for the user of this machine.

A running cca may have the database open: each command is a short transaction.
"""

import argparse
import sys
from collections.abc import AsyncIterator
from functools import partial
from typing import TypeAlias

import orjson
from attrs import asdict

from cca.archive import Archive, ArchivedTurn
from cca.commands import Subparsers, Surroundings, add_command, aligned, moment, opened, table, widths
from cca.commands.owners import KEY_HELP, NOBODY, found_session, owner_names
from cca.commands.session_files import add_export, add_import
from cca.model import Json
from cca.store import sessions
from cca.store.archives import archive
from cca.store.database import Connection, Database
from cca.store.sessions import Session

PAGE = 1000
"""Sessions that one transaction reads."""

Page: TypeAlias = list[tuple[Session, str]]

EXCERPT = 60
"""Characters of a text in a table."""


def add_sessions(commands: Subparsers) -> None:
    """Add ``sessions`` and its commands."""
    parser = commands.add_parser("sessions", help="list, show, export, import and delete sessions")
    of_sessions = parser.add_subparsers(required=True, metavar="COMMAND")
    listing = add_command(of_sessions, "list", "list the sessions of all owners, those last used first", _list)
    listing.add_argument("--json", action="store_true", help="as JSON; times are in seconds since the epoch")
    show = add_command(of_sessions, "show", "show a session, its turns in brief", _show)
    show.add_argument("id", metavar="ID")
    show.add_argument("--key", metavar="NAME-OR-ID", help=KEY_HELP)
    add_export(of_sessions)
    add_import(of_sessions)
    delete = add_command(of_sessions, "delete", "delete sessions, all that are named or none", _delete)
    delete.add_argument("ids", metavar="ID", nargs="+")
    delete.add_argument("--key", metavar="NAME-OR-ID", help=KEY_HELP)


async def _list(flags: argparse.Namespace, around: Surroundings) -> None:
    async with opened(flags, around) as database:
        await (_list_as_json if flags.json else _list_as_table)(pages(database, around.now()))


async def pages(database: Database, now: float) -> AsyncIterator[Page]:
    """Yield all sessions with the names of their owners, page by page, those last used first.

    Each page is a transaction: nobody who writes waits for a million sessions. One that is used meanwhile is moved to
    the front, and may not be among them.
    """
    names = await database.read(owner_names)
    after: Session | None = None
    while found := await database.read(
        partial(sessions.everybodys, now=now, limit=PAGE, after=after),
    ):
        yield [(session, names.get(session.owner, session.owner)) for session in found]
        after = found[-1]


async def _list_as_json(listed: AsyncIterator[Page]) -> None:
    between = "[\n"
    async for page in listed:
        print(between + ",\n".join(orjson.dumps(_object(*each)).decode() for each in page), end="")
        between = ",\n"
    print("[]" if between == "[\n" else "\n]")


async def _list_as_table(listed: AsyncIterator[Page]) -> None:
    """Print a table. Its columns are as wide as the first page is, and more where they must be."""
    heading = ("ID", "KEY", "TITLE", "TURNS", "UPDATED", "EXPIRES")
    wide: list[int] = []
    async for page in listed:
        rows = [_row(*each) for each in page]
        lines = rows if wide else [heading, *rows]
        wide = wide or widths(lines)
        print(aligned(lines, wide), end="")
    if not wide:
        print("There is no session.", file=sys.stderr)


async def _show(flags: argparse.Namespace, around: Surroundings) -> None:
    def read(connection: Connection) -> tuple[Session, str, Archive]:
        session = found_session(connection, flags.id, flags.key, around.now())
        return session, owner_names(connection).get(session.owner, session.owner), archive(connection, session)

    async with opened(flags, around) as database:
        session, name, archived = await database.read(read)
    facts = {
        "id": session.id,
        "key": name,
        "title": NOBODY if session.title is None else excerpt(session.title),
        "begun": moment(session.created_at),
        "updated": moment(session.updated_at),
        "expires": moment(session.expires_at),
        "system": excerpt(" ".join(archived.system)) or NOBODY,
    }
    print("".join(f"{fact + ':':<9} {said}\n" for fact, said in facts.items()))
    heading = ("TURN", "ROLE", "STATUS", "MODEL", "TOKENS", "COST", "CONTENT")
    print(table(heading, [_turn(position, turn) for position, turn in enumerate(archived.turns)]), end="")


async def _delete(flags: argparse.Namespace, around: Surroundings) -> None:
    def erase(connection: Connection) -> list[Session]:
        named = [found_session(connection, each, flags.key, around.now()) for each in dict.fromkeys(flags.ids)]
        for session in named:
            sessions.remove(connection, session)
        return named

    async with opened(flags, around) as database:
        deleted = await database.erase(erase)
    for session in deleted:
        print(f"Session {session.id} is deleted: {session.turns} turns.")


def _row(session: Session, name: str) -> tuple[str, ...]:
    title = NOBODY if session.title is None else excerpt(session.title)
    return (
        session.id,
        name,
        title,
        str(session.turns),
        moment(session.updated_at),
        moment(session.expires_at),
    )


def _object(session: Session, name: str) -> Json:
    kept = asdict(session, filter=lambda attribute, _: attribute.name not in ("number", "system", "metadata", "lone"))
    return {**kept, "owner": session.owner or None, "key_name": None if session.owner == "" else name}


def _turn(position: int, turn: ArchivedTurn) -> tuple[str, ...]:
    said = excerpt(" ".join(_brief(part) for part in turn.content))
    answer = turn.answer
    if answer is None:
        return str(position), turn.role, turn.status, NOBODY, NOBODY, NOBODY, said
    tokens = str(answer.usage.total_tokens)
    return str(position), turn.role, turn.status, excerpt(answer.model), tokens, f"${answer.cost:.6f}", said


def _brief(part: Json) -> str:
    match part:
        case {"type": "text", "text": text}:
            return str(text)
        case {"type": kind, "name": name}:
            return f"[{kind} {name}]"
        case _:
            return f"[{part['type']}]"


def excerpt(text: str) -> str:
    """Return the beginning of a text, in one line that moves no terminal."""
    shown = "".join(each if each.isprintable() else " " for each in text[: EXCERPT + 1])
    return shown if len(text) <= EXCERPT else f"{shown[: EXCERPT - 3]}..."
