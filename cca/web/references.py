"""Items of stored answers in place of what a request refers to by their ids."""

from collections import Counter
from collections.abc import Mapping

import orjson
from quart import g

from cca.dialects.contract import Dialect
from cca.errors import TooLarge
from cca.model import Json
from cca.service import Service
from cca.store import stored
from cca.store.database import Connection


async def resolved(service: Service, dialect: Dialect, given: Mapping[str, Json]) -> tuple[Mapping[str, Json], int]:
    """Return a body with the items that it refers to, and of how many bytes these are.

    Raise ``BadRequest`` for one that its sender does not have, ``TooLarge`` for more than a body may have.
    """
    references = dialect.references
    named = Counter(() if references is None else references.named(given))
    if references is None or not named:
        return given, 0
    answers = {answer: None for item in named if (answer := references.answer_of(item)) is not None}
    limit, owner = service.settings.body_limit, g.principal.owner

    def read(connection: Connection) -> tuple[dict[str, Json], int]:
        items: dict[str, Json] = {}
        size = 0
        for answer in answers:
            found = stored.find(connection, owner, "response", answer, service.now())
            if found is None:
                continue
            for item in references.items_of(stored.body_of(connection, found), stored.input_of(connection, found)):
                if item["id"] not in items and item["id"] in named:
                    items[item["id"]] = item
                    # One of a few bytes may stand for a picture, and be there a hundred thousand times.
                    size += len(orjson.dumps(item)) * named[item["id"]]
            if size > limit:
                raise TooLarge(
                    f"The items that input refers to are more than the {limit} bytes that a request may have. Refer "
                    "to fewer, and to each once; or raise CCA_BODY_LIMIT.",
                    param="input",
                )
        return items, size

    items, size = await service.database.read(read)
    return references.resolved(given, items), size
