"""``cca keys``: make API keys, list them, revoke them. A running cca follows within a second."""

import argparse
import sys
from functools import partial

import attrs
import orjson

from cca.commands import Subparsers, Surroundings, add_command, moment, opened, reads, table
from cca.errors import Unavailable
from cca.keys import DEFAULT_SCOPES, SCOPES, Key, check_name, parse_duration, parse_scopes, spelled_scopes
from cca.limits.policy import EXAMPLE, NO_LIMITS, parse_limits, spelled
from cca.model import Json
from cca.store import keys
from cca.store.database import Connection


def add_keys(commands: Subparsers) -> None:
    """Add ``keys`` and its commands."""
    parser = commands.add_parser("keys", help="make, list and revoke API keys")
    of_keys = parser.add_subparsers(required=True, metavar="COMMAND")
    create = add_command(of_keys, "create", "make an API key and print it, this once", _create)
    create.add_argument("--name", type=reads(check_name), required=True, help="whose it is, for people to read")
    create.add_argument(
        "--scopes",
        type=reads(parse_scopes),
        default=DEFAULT_SCOPES,
        help=f"what it is for, of {','.join(SCOPES)}; {spelled_scopes(DEFAULT_SCOPES)} by default",
    )
    create.add_argument("--expires", type=reads(parse_duration), help="in how long, as in 12h or 30d; never by default")
    create.add_argument("--limit", type=reads(parse_limits), default=NO_LIMITS, help=f"as in {EXAMPLE}")
    listing = add_command(of_keys, "list", "list the API keys, revoked and expired ones too", _list)
    listing.add_argument("--json", action="store_true", help="as JSON; times are in seconds since the epoch")
    revoke = add_command(of_keys, "revoke", "revoke an API key, and end what it has running", _revoke)
    revoke.add_argument("key", metavar="NAME-OR-ID")


async def _create(flags: argparse.Namespace, around: Surroundings) -> None:
    now = around.now()
    expires_at = None if flags.expires is None else now + flags.expires

    def create(connection: Connection) -> tuple[str, Key, bool]:
        first = not keys.listed(connection)
        text, key = keys.make(connection, around.randomness, flags.name, flags.scopes, flags.limit, now, expires_at)
        return text, key, first

    async with opened(flags, around, make=True) as database:
        text, key, first = await database.write(create)
    try:
        print(text, flush=True)
    except OSError as error:
        raise Unavailable(
            f"The key {key.id}, {key.name!r}, was made, and could not be printed: {error.strerror}. Nobody has it: "
            f"revoke it with `cca keys revoke {key.id}`, and make another."
        ) from error
    limits = spelled(key.limits) or "none"
    _explain(f"This is key {key.id}, {key.name!r}. It is shown this once, and kept nowhere.")
    _explain(f"Scopes: {spelled_scopes(key.scopes)}. Limits: {limits}. Expires: {moment(key.expires_at)}.")
    if first:
        _explain("It is the first key: from now on cca answers nobody without one.")


async def _list(flags: argparse.Namespace, around: Surroundings) -> None:
    async with opened(flags, around) as database:
        found = await database.read(keys.listed)
    now = around.now()
    if flags.json:
        print(orjson.dumps([_object(key, now) for key in found], option=orjson.OPT_INDENT_2).decode())
    elif found:
        heading = ("ID", "NAME", "STATE", "SCOPES", "LIMITS", "CREATED", "EXPIRES")
        print(table(heading, [_row(key, now) for key in found]), end="")
    else:
        _explain("There is no key: cca answers every program of this machine, and no other.")


async def _revoke(flags: argparse.Namespace, around: Surroundings) -> None:
    async with opened(flags, around) as database:
        key = await database.write(partial(keys.revoke, name_or_id=flags.key, now=around.now()))
    print(f"Key {key.id}, {key.name!r}, is revoked since {moment(key.revoked_at)}.")


def _row(key: Key, now: float) -> tuple[str, ...]:
    shown = (key.id, key.name, key.state(now), spelled_scopes(key.scopes), spelled(key.limits) or "none")
    return (*shown, moment(key.created_at), moment(key.expires_at))


def _object(key: Key, now: float) -> Json:
    return {
        "id": key.id,
        "name": key.name,
        "state": key.state(now),
        "scopes": sorted(key.scopes, key=SCOPES.index),
        "limits": attrs.asdict(key.limits),
        "created_at": key.created_at,
        "expires_at": key.expires_at,
        "revoked_at": key.revoked_at,
    }


def _explain(said: str) -> None:
    """Tell a person what is no part of the output."""
    print(said, file=sys.stderr)
