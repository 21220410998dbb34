"""Items of stored answers in place of what a request refers to by their ids."""

from collections.abc import Mapping

from quart import g

from cca.dialects.contract import Dialect
from cca.model import Json
from cca.service import Service
from cca.store import stored
from cca.store.database import Connection


async def resolved(service: Service, dialect: Dialect, given: Mapping[str, Json]) -> Mapping[str, Json]:
    """Return a body with the items that it refers to. Raise ``BadRequest`` for one that its sender does not have."""
    references = dialect.references
    named = () if references is None else references.named(given)
    if references is None or not named:
        return given
    answers = {references.answer_of(item) for item in named} - {None}

    def read(connection: Connection) -> dict[str, Json]:
        items: dict[str, Json] = {}
        for answer in answers:
            found = stored.find(connection, g.principal.owner, "response", str(answer), service.now())
            if found is not None:
                body, sent = stored.body_of(connection, found), stored.input_of(connection, found)
                items.update((item["id"], item) for item in references.items_of(body, sent))
        return items

    return references.resolved(given, await service.database.read(read))
