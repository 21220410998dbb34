"""Who may ask: programs of this machine, under its own names, and no web page.

A page that a browser shows can send requests to loopback, from its own origin or through a name that it makes point
here. The ``Host`` of the second, and the ``Origin`` of both, give them away.
"""

import re
from ipaddress import IPv6Address, ip_address

from attrs import frozen

from cca.errors import Forbidden, UnsupportedMediaType

LOCAL_NAMES = ("localhost", "127.0.0.1", "[::1]")

_HOST = re.compile(r"(localhost|127\.0\.0\.1|\[::1\])(?::(\d{1,5}))?", re.ASCII | re.IGNORECASE)


@frozen
class Caller:
    """What a request says of where it comes from, and the address and port of cca's that it reached.

    These are ``None`` where they are not known, and at a socket that is a file, which has permissions of its own.
    """

    hosts: tuple[str, ...]
    origins: tuple[str, ...]
    address: str | None
    port: int | None


def admit(caller: Caller) -> None:
    """Raise ``Forbidden`` for whoever is not a program on this machine."""
    if caller.address is not None and not _is_loopback(caller.address):
        raise Forbidden(
            "cca answers on loopback only: whoever reaches it uses its Claude account. "
            "Bind the server that runs it to 127.0.0.1, and ask there.",
            code="address_not_allowed",
        )
    match caller.hosts:
        case [host] if _is_local(host, caller.port):
            pass
        case _:
            raise Forbidden(
                "The Host header does not name this machine; use http://localhost or http://127.0.0.1 with cca's port.",
                code="host_not_allowed",
            )
    if caller.origins:
        raise Forbidden(
            "cca does not answer web pages (the request has an Origin header); ask from a program.",
            code="origin_not_allowed",
        )


def check_media_type(media_type: str) -> None:
    """Raise ``UnsupportedMediaType`` for a body that a web page could send without asking."""
    if media_type != "application/json":
        said = f"and is {media_type[:60]}" if media_type else "and is missing"
        raise UnsupportedMediaType(f"The content type must be application/json, {said}.")


def _is_loopback(address: str) -> bool:
    if address == "localhost":
        return True
    try:
        ip = ip_address(address)
    except ValueError:
        return False
    mapped = ip.ipv4_mapped if isinstance(ip, IPv6Address) else None
    return (mapped or ip).is_loopback


def _is_local(host: str, port: int | None) -> bool:
    named = _HOST.fullmatch(host)
    return named is not None and (port is None or int(named[2] or 80) == port)
