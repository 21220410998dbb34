"""A page of a list: how many items of it a request wants."""

import re
from collections.abc import Mapping

from cca.errors import BadRequest


def limit_of(query: Mapping[str, str], usual: int, most: int) -> int:
    """Return the ``limit`` of a query, the usual one without. Raise ``BadRequest``."""
    given = query.get("limit", str(usual))
    if not re.fullmatch(r"[0-9]{1,9}", given, re.ASCII) or not 1 <= int(given) <= most:
        raise BadRequest(f"limit must be from 1 to {most}.", param="limit", code="invalid_value")
    return int(given)
