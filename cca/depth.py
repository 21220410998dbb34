"""How deep JSON may be nested. What is deeper, orjson does not write, and other code here runs out of frames on."""

import orjson

from cca.model import Json

DEPTH_LIMIT = 128
"""Levels of arrays and objects. orjson writes 254; what a client sends is wrapped in some of ours before."""

_WRITABLE = 254


def too_deep(value: Json) -> bool:
    """Whether ``value`` has more levels than ``DEPTH_LIMIT``. At the speed of orjson, which is asked to write it."""
    for _ in range(_WRITABLE - DEPTH_LIMIT):
        value = [value]
    try:
        orjson.dumps(value)
    except TypeError:
        return True
    return False
