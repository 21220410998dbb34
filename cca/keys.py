"""API keys: their form, what is kept of them, and what they may do. Randomness and time are passed in.

A key is ``sk-cca-<id>-<secret>``: redactors know its beginning. The id finds it and is no secret; of the whole key
only a digest is kept, whose own key is in the database.
"""

import hmac
import re
from base64 import urlsafe_b64encode
from collections.abc import Iterable
from typing import Literal

from attrs import field, frozen

from cca.limits.policy import NO_LIMITS, Limits

SCOPES = ("chat", "sessions", "usage", "admin")
"""What a key may be for. ``admin`` is for all of it."""

ADMIN = "admin"

DEFAULT_SCOPES = frozenset(("chat", "sessions", "usage"))

ID_SIZE = 8
SECRET_SIZE = 32
RANDOM_SIZE = ID_SIZE + SECRET_SIZE
"""Random bytes that a key is made of."""

DIGEST_KEY_SIZE = 32

NAME_SIZE = 64

INVALID = "invalid_api_key"
"""The error code of whatever is wrong with a key."""

_KEY = re.compile(rb"sk-cca-([0-9a-f]{16})-[A-Za-z0-9_-]{43}")
_ID = re.compile(r"[0-9a-f]{16}")
_DURATION = re.compile(r"([0-9]{1,5})([smhdw])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


@frozen
class Principal:
    """Who asks. ``key_id`` is ``None`` for whoever asks while there is no key."""

    key_id: str | None
    name: str
    scopes: frozenset[str]
    limits: Limits = NO_LIMITS

    @property
    def owner(self) -> str:
        """The owner of what this one makes: the key's id, and "" while there is no key."""
        return self.key_id or ""

    def may(self, scope: str) -> bool:
        return scope in self.scopes or ADMIN in self.scopes


NOBODY = Principal(None, "", frozenset(SCOPES))


@frozen
class Key:
    """What is kept of an API key. Times are in seconds since the epoch; ``None`` is never."""

    id: str
    name: str
    digest: bytes = field(repr=False)
    scopes: frozenset[str]
    limits: Limits
    created_at: float
    expires_at: float | None = None
    revoked_at: float | None = None

    @property
    def principal(self) -> Principal:
        return Principal(self.id, self.name, self.scopes, self.limits)

    def state(self, now: float) -> Literal["valid", "expired", "revoked"]:
        if self.revoked_at is not None:
            return "revoked"
        return "expired" if self.expires_at is not None and self.expires_at <= now else "valid"


def mint(randomness: bytes) -> str:
    """Return the key that ``RANDOM_SIZE`` random bytes make."""
    secret = urlsafe_b64encode(randomness[ID_SIZE:RANDOM_SIZE]).decode().rstrip("=")
    return f"sk-cca-{randomness[:ID_SIZE].hex()}-{secret}"


def id_in(presented: bytes) -> str | None:
    """Return the id in a key, ``None`` for what has not the form of one."""
    found = _KEY.fullmatch(presented)
    return found[1].decode() if found else None


def digest(digest_key: bytes, presented: bytes) -> bytes:
    """Return what is kept in place of a key: its HMAC-SHA256."""
    return hmac.digest(digest_key, presented, "sha256")


def same(one: bytes, other: bytes) -> bool:
    """Return whether two digests are equal, in a time that does not tell where they differ."""
    return hmac.compare_digest(one, other)


def check_name(name: str) -> str:
    """Return ``name``. Raise ``ValueError`` for one that a key cannot have."""
    if not (1 <= len(name) <= NAME_SIZE and name.isprintable() and name == name.strip()):
        raise ValueError(f"a key's name is 1 to {NAME_SIZE} printable characters, with no space at its ends")
    if _ID.fullmatch(name):
        raise ValueError("16 hexadecimal digits are a key's id; choose another name")
    return name


def parse_scopes(given: str) -> frozenset[str]:
    """Return the scopes that are listed with commas between them. Raise ``ValueError`` for none and for others."""
    scopes = frozenset(filter(None, (part.strip() for part in given.split(","))))
    if not scopes or not scopes <= set(SCOPES):
        raise ValueError(f"{given!r} are no scopes; possible are {', '.join(SCOPES)}, with commas between them")
    return scopes


def spelled_scopes(scopes: Iterable[str]) -> str:
    """Return what ``parse_scopes`` reads as ``scopes``."""
    return ",".join(sorted(scopes, key=SCOPES.index))


def parse_duration(given: str) -> float:
    """Return the seconds of "90s", "15m", "12h", "30d" or "2w". Raise ``ValueError`` for anything else."""
    found = _DURATION.fullmatch(given.strip())
    seconds = int(found[1]) * _SECONDS[found[2]] if found else 0
    if not seconds:
        raise ValueError(f"{given!r} is no duration; say a number and s, m, h, d or w, as in 12h or 30d")
    return float(seconds)
