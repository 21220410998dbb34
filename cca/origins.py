"""Origins of web pages, as their browsers name them: a scheme, a host, and a port where it is not the scheme's own.

Source of the form: RFC 6454, section 6, and the Fetch standard, which compares what is sent byte for byte.
"""

import re

DEFAULT_PORTS = {"http": 80, "https": 443}
"""Browsers leave these out."""

MOST_PORT = 65_535

_ORIGIN = re.compile(r"([a-z][a-z0-9+.-]*)://([a-z0-9._-]+|\[[0-9a-f:.]+\])(?::([0-9]{1,5}))?", re.ASCII)


def origin_of(given: str) -> str:
    """Return an origin as a browser sends it. Raise ``ValueError`` that says what is wrong with one that is none."""
    if given == "*":
        raise ValueError("* is every page in the world; list the origins of those that may ask, one by one")
    if given.lower() == "null":
        raise ValueError("null is what a browser calls any page without an origin; serve yours from one, and list that")
    # Some letters that are not ASCII are lower case in it.
    named = _ORIGIN.fullmatch(given.lower()) if given.isascii() else None
    if named is None or int(named[3] or 0) > MOST_PORT:
        raise ValueError(
            f"{given!r} is not SCHEME://HOST or SCHEME://HOST:PORT, with no slash at its end, as in "
            "https://app.example.com; a name in other letters is written as its browser sends it, xn--..."
        )
    scheme, host, port = named[1], named[2], named[3]
    if port is None or int(port) == DEFAULT_PORTS.get(scheme):
        return f"{scheme}://{host}"
    return f"{scheme}://{host}:{int(port)}"
