"""Whose a session is: a key is named by its name or its id, and who had none by a dash."""

from collections.abc import Mapping

from cca.errors import Conflict, NotFound
from cca.keys import Key
from cca.store import keys, sessions
from cca.store.database import Connection
from cca.store.sessions import Session, is_id

NOBODY = "-"
"""Stands for whoever asked while there was no key."""

KEY_HELP = f"the name or id of the key whose it is; {NOBODY} for who asked while there was none"


def owner_names(connection: Connection) -> Mapping[str, str]:
    """Return the names of owners for people to read."""
    return {"": NOBODY, **{key.id: key.name for key in keys.listed(connection)}}


def owner(connection: Connection, given: str) -> str:
    """Return the owner that is meant. Raise ``NotFound``."""
    return "" if given == NOBODY else _key(connection, given).id


def new_owner(connection: Connection, given: str | None, now: float) -> str:
    """Return who is to own a new session. Raise ``Conflict`` where nobody could ever ask for it."""
    if given == NOBODY:
        return ""
    if given is not None:
        key = _key(connection, given)
        if key.state(now) != "valid":
            raise Conflict(f"The key {key.name!r} ({key.id}) is {key.state(now)}: it can use no session.")
        return key.id
    if keys.listed(connection):
        raise Conflict(
            "cca asks for an API key, and each session is a key's: say whose this is to be with --key NAME-OR-ID. "
            f"--key {NOBODY} keeps it out of reach of all keys."
        )
    return ""


def found_session(connection: Connection, session_id: str, given: str | None, now: float) -> Session:
    """Return the session that is meant. Raise ``NotFound``, or ``Conflict`` when several owners have one of this id."""
    found = sessions.of_id(connection, session_id, now) if is_id(session_id) else []
    if given is not None:
        meant = owner(connection, given)
        found = [session for session in found if session.owner == meant]
    match found:
        case [session]:
            return session
        case []:
            whose = "" if given is None else f" of {given}"
            raise NotFound(f"There is no session {session_id!r}{whose}. `cca sessions list` shows those there are.")
        case _:
            names = owner_names(connection)
            owners = ", ".join(f"{names.get(each.owner, NOBODY)} ({each.owner or 'no key'})" for each in found)
            raise Conflict(f"{len(found)} owners have a session {session_id}: {owners}. Say whose with --key.")


def _key(connection: Connection, given: str) -> Key:
    """Return the key of an id; or of a name: that which has it now, else the last that had it."""
    found = [key for key in keys.listed(connection) if given in (key.id, key.name)]
    if not found:
        raise NotFound(f"There is no key {given!r}. `cca keys list` shows those there are.")
    return max(found, key=lambda key: (key.id == given, key.revoked_at is None, key.revoked_at or 0.0))
