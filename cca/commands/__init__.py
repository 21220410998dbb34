"""What the commands beside ``serve`` share: the database that they open beside a running cca, and how they print."""

import argparse
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeAlias, TypeVar

import attrs
from attrs import frozen

from cca.errors import NotFound, Unavailable
from cca.service import default_database
from cca.settings import Settings, flag, read_settings, reader, variable
from cca.store.database import Database, open_database

T = TypeVar("T")

Subparsers: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"  # noqa: SLF001 - it has no other name


@frozen
class Surroundings:
    """What a command finds around it. ``now`` is the wall clock in seconds since the epoch."""

    environ: Mapping[str, str]
    now: Callable[[], float] = time.time
    randomness: Callable[[int], bytes] = secrets.token_bytes


Command: TypeAlias = Callable[[argparse.Namespace, Surroundings], Awaitable[int | None]]
"""Does what was told, and returns the exit code, where it is not 0."""


def add_command(commands: Subparsers, name: str, explained: str, run: Command) -> argparse.ArgumentParser:
    """Add a command that uses the database, and return its parser for flags of its own."""
    parser = commands.add_parser(name, help=explained, description=f"{explained[0].upper()}{explained[1:]}.")
    parser.add_argument("--database", type=Path, help="the database; else CCA_DATABASE, else the one that serve uses")
    parser.set_defaults(run=run)
    return parser


def add_setting(parser: argparse.ArgumentParser, name: str) -> None:
    """Add the flag of a setting."""
    attribute = attrs.fields_dict(Settings)[name]
    shown = "" if attribute.default in (None, False) else f", {attribute.default} by default"
    explained = f"{attribute.metadata['help']} ({variable(attribute)}{shown})".replace("%", "%%")
    if attribute.type is bool:
        parser.add_argument(flag(attribute), action="store_true", default=None, help=explained)
    else:
        parser.add_argument(flag(attribute), type=reader(attribute), help=explained)


def reads(read: Callable[[str], T]) -> Callable[[str], T]:
    """Return ``read`` as argparse wants it: so that it shows the message of its ``ValueError``."""

    def reading(given: str) -> T:
        try:
            return read(given)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from error

    return reading


@asynccontextmanager
async def opened(flags: argparse.Namespace, around: Surroundings, *, make: bool = False) -> AsyncIterator[Database]:
    """Own the database that ``flags`` and the environment name.

    Raise ``NotFound`` if it is not there, unless it is to be made, and ``Unavailable`` as ``open_database`` does.
    """
    given = read_settings(around.environ, {"database": flags.database}).database
    path = given or default_database(around.environ)
    if not make:
        _find(path)
    async with open_database(path) as database:
        yield database


def _find(path: Path) -> None:
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise NotFound(f"There is no database {path} yet. Name another with --database.") from error
    except OSError as error:
        raise Unavailable(
            f"The database {path} cannot be opened: {error.strerror}. Name another with --database."
        ) from error


def table(heading: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return lines with their columns one under the other."""
    lines = [heading, *rows]
    return aligned(lines, widths(lines))


def widths(lines: Iterable[Sequence[str]]) -> list[int]:
    """Return how wide the columns of ``lines`` are."""
    return [max(map(len, column)) for column in zip(*lines, strict=True)]


def aligned(lines: Iterable[Sequence[str]], widths: Sequence[int]) -> str:
    """Return ``lines`` with columns of at least ``widths``."""
    return "".join("  ".join(map(str.ljust, line, widths)).rstrip() + "\n" for line in lines)


def moment(seconds: float | None, never: str = "never") -> str:
    """Return a time since the epoch as people read it, in UTC."""
    return never if seconds is None else datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
