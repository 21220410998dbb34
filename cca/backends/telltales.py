"""What of a process's own surroundings would tell where a recording was made, or let its reader in."""

from collections.abc import Iterator
from urllib.parse import unquote, urlsplit

from attrs import frozen

from cca.backends.redaction import Literal, named
from cca.claude.launch import LOOPBACK, Launch

SECRET_NAMES = ("KEY", "TOKEN", "SECRET", "PASSWORD", "CREDENTIAL", "PROXY")
"""What the name of an environment variable with a secret has in it. A proxy's address can hold a password."""

SHORTEST_SECRET = 8
"""Characters of a credential that is hidden wherever it stands; a shorter one is hidden in an address alone, and there
only as a word: ``x``, for a local proxy, is a letter of any text.
"""


@frozen
class Identity:
    """The names that would tell where a recording was made."""

    user: str | None
    host: str | None


def telltales(launch: Launch, identity: Identity) -> list[Literal]:
    """Return what a recording of ``launch`` must not show."""
    hosts = {identity.host, (identity.host or "").partition(".")[0]}
    return [
        *_secrets(launch),
        *_places(launch),
        *_addresses(launch),
        *named(identity.user, "<user>"),
        *(literal for host in sorted(filter(None, hosts)) for literal in named(host, "<host>")),
    ]


def _secrets(launch: Launch) -> Iterator[Literal]:
    for name, value in launch.env.items():
        if any(word in name.upper() for word in SECRET_NAMES) and name.upper() != "NO_PROXY":
            yield from _secret(value)


def _secret(value: str) -> Iterator[Literal]:
    if len(value) >= SHORTEST_SECRET:
        yield Literal(value, "<credential>")


def _places(launch: Launch) -> Iterator[Literal]:
    places = {
        launch.cwd.rpartition("/")[0]: "<run>",
        launch.env.get("CLAUDE_CONFIG_DIR", ""): "<config>",
        launch.env.get("HOME", ""): "<home>",
        launch.argv[0]: "<claude>",
    }
    return (Literal(place, placeholder) for place, placeholder in places.items() if len(place) > 1)


def _addresses(launch: Launch) -> Iterator[Literal]:
    """Yield the addresses that the program asks, whole and in the parts that its errors tell of."""
    for name, value in launch.env.items():
        if name.endswith("_BASE_URL") and value:
            yield Literal(value, "<base-url>")
            yield from _parts(value, "<base-url>")
        elif name.upper().endswith("_PROXY") and name.upper() != "NO_PROXY":
            yield from _parts(value, "<host>")


def _parts(address: str, placeholder: str) -> Iterator[Literal]:
    # A proxy may be HOST:PORT alone.
    try:
        url = urlsplit(address if "//" in address else f"//{address}")
    except ValueError:
        # It is no address, and no host can be told from it.
        return
    login, _, place = url.netloc.rpartition("@")
    if url.hostname not in LOOPBACK:
        yield from named(url.hostname, placeholder)
    # A port says which server it is, though the host be this machine. Without one, it is the host again.
    if ":" in place and place.strip("[]") != url.hostname:
        yield Literal(place, placeholder)
    for part in login.split(":", 1):
        for spelling in dict.fromkeys((part, unquote(part))):
            yield from _secret(spelling) if len(spelling) >= SHORTEST_SECRET else named(spelling, "<credential>")
