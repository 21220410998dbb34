"""The one reader of credentials. They are in headers; a query is written to logs, and a cookie is sent by web pages."""

from collections.abc import Iterable

UNREADABLE = b""
"""What stands for credentials of another kind: something was presented, and it is no key."""


def credentials(headers: Iterable[tuple[bytes, bytes]]) -> tuple[bytes, ...]:
    """Return what a request presents as an API key, once for each header that presents one."""
    presented = []
    for name, value in headers:
        match name.lower():
            case b"authorization":
                presented.append(_bearer(value))
            case b"x-api-key":
                presented.append(value)
    return tuple(presented)


def _bearer(value: bytes) -> bytes:
    scheme, _, token = value.partition(b" ")
    return token.strip(b" ") if scheme.lower() == b"bearer" else UNREADABLE
