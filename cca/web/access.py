"""Who may ask, and for what: programs of this machine, whoever has a key, and no web page that is not in the settings.

A page that a browser shows can send requests to loopback, from its own origin or through a name that it makes point
here. The ``Host`` of the second, and the ``Origin`` of both, give them away.
"""

import re
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, ip_address

from attrs import frozen

from cca.errors import Forbidden, UnsupportedMediaType
from cca.keys import Principal
from cca.origins import origin_of

LOCAL_NAMES = ("localhost", "127.0.0.1", "[::1]")

HTTP_PORT = 80

OTHER_SITES = frozenset(("cross-site", "same-site"))
"""What browsers send as ``Sec-Fetch-Site`` for a page that is not cca's own. Who types an address is none."""

PLAIN = ("", "identity")
"""Content encodings that change nothing."""

_HOST = re.compile(r"([a-z0-9._-]+|\[[0-9a-f:.]+\])(?::(\d{1,5}))?", re.ASCII | re.IGNORECASE)


@frozen
class Caller:
    """What a request says of where it comes from, and the address and port of cca's that it reached.

    ``sites`` is what its browser says of the page that asks. Address and port are ``None`` where they are not known,
    and at a socket that is a file, which has permissions of its own.
    """

    hosts: tuple[str, ...]
    origins: tuple[str, ...]
    address: str | None
    port: int | None
    sites: tuple[str, ...] = ()


@frozen
class Door:
    """Whether a key is asked for; the further names that cca then has, and the origins of pages that then may ask."""

    guarded: bool
    names: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()


def admit(caller: Caller, door: Door) -> None:
    """Raise ``Forbidden`` for a web page, and while no key is asked for, for who is not a program on this machine."""
    if not door.guarded and caller.address is not None and not _is_loopback(caller.address):
        raise Forbidden(
            "cca has no API key, and answers on loopback only: whoever reaches it uses its Claude account. "
            "Create a key with `cca keys create`, or bind the server that runs it to 127.0.0.1 and ask there.",
            code="address_not_allowed",
        )
    match caller.hosts:
        case [host] if _is_ours(host.lower(), caller, door):
            pass
        case _:
            raise Forbidden(
                "The Host header does not name this machine; use http://localhost or http://127.0.0.1 with cca's port. "
                "Further names are those in CCA_ALLOWED_HOSTS, once there is an API key.",
                code="host_not_allowed",
            )
    # A picture, a script or a frame of a page's is asked for without an Origin.
    of_a_page = bool(caller.origins) or not OTHER_SITES.isdisjoint(caller.sites)
    if of_a_page and not _may_ask(caller.origins, door):
        raise Forbidden(
            "cca does not answer web pages (the request has an Origin header, or a Sec-Fetch-Site of a page's); ask "
            "from a program. Pages that may ask are those in CCA_ALLOWED_ORIGINS, once there is an API key.",
            code="origin_not_allowed",
        )


def authorize(principal: Principal, scope: str) -> None:
    """Raise ``Forbidden`` for a key that is not for ``scope``."""
    if not principal.may(scope):
        raise Forbidden(
            f"This API key is not for this: it lacks the scope {scope!r}. Use one that was created with it.",
            code="insufficient_scope",
        )


def check_media_type(media_type: str, encodings: Iterable[str] = ()) -> None:
    """Raise ``UnsupportedMediaType`` for a body that a web page could send without asking, or that is not plain."""
    if media_type != "application/json":
        said = f"and is {media_type[:60]}" if media_type else "and is missing"
        raise UnsupportedMediaType(f"The content type must be application/json, {said}.")
    for name in (each.strip() for header in encodings for each in header.split(",")):
        if name.lower() not in PLAIN:
            raise UnsupportedMediaType(f"Content-Encoding {name[:60]} is not read; send it plain.")


def _is_ours(host: str, caller: Caller, door: Door) -> bool:
    """Return whether ``host`` is a name of cca's: a local one, and for those with keys its address, or one in settings.

    The port must be cca's, but for the last: whoever gave cca a name may have a proxy at another port.
    """
    named = _HOST.fullmatch(host)
    if named is None:
        return False
    right_port = caller.port is None or int(named[2] or HTTP_PORT) == caller.port
    if named[1] in LOCAL_NAMES:
        return right_port
    if not door.guarded:
        return False
    if {host, named[1]} & {name.lower() for name in door.names}:
        return True
    return right_port and caller.address is not None and _is_reached(named[1], caller.address)


def _may_ask(origins: tuple[str, ...], door: Door) -> bool:
    """Return whether there is one origin, and it is in the settings, as a browser writes it."""
    return door.guarded and len(origins) == 1 and origins[0] in {origin_of(each) for each in door.origins}


def _is_reached(name: str, address: str) -> bool:
    literal, reached = _ip(name.strip("[]")), _ip(address)
    return literal is not None and literal == reached and not literal.is_unspecified


def _is_loopback(address: str) -> bool:
    ip = _ip(address)
    return address == "localhost" or (ip is not None and ip.is_loopback)


def _ip(text: str) -> IPv4Address | IPv6Address | None:
    """Return the address that ``text`` is, without its zone, and IPv4 as what it is."""
    try:
        ip = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return (ip.ipv4_mapped or ip) if isinstance(ip, IPv6Address) else ip
