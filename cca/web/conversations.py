"""Conversations as OpenAI has them: sessions by another name, whose items are read out of their turns.

What is said in one, and a response that goes on from it, is kept in the session of its id.
"""

from collections.abc import Iterable, Iterator
from functools import partial
from itertools import dropwhile, islice

import orjson
from attrs import frozen
from quart import Response, g, request

from cca.aside import LARGE, aside
from cca.dialects.openai import read_metadata
from cca.dialects.openai_responses.conversation import Added, added, items_of_turn, system_items
from cca.dialects.pairing import check_pairs
from cca.errors import NotFound
from cca.model import Json
from cca.service import Service
from cca.sessions import no_conversation
from cca.store import sessions
from cca.store.database import Connection
from cca.store.sessions import KeptTurn, Name, Said, Session
from cca.store.stored import Order
from cca.store.turns import joined, user_rows
from cca.web.asked import ignored
from cca.web.body import as_json, has_body
from cca.web.paging import limit_of, listed, not_listed, order_of
from cca.web.sent import metadata_sent, sent_as
from cca.wire import Body

PIECE = 20
"""Turns that are read at once: a page may need no more of a conversation of thousands."""


@frozen(kw_only=True)
class NewConversation(Body):
    """What a conversation begins with, and what is noted beside it."""

    items: Json = None
    metadata: Json = None


@frozen(kw_only=True)
class NewItems(Body):
    items: Json = None


async def create_conversation(service: Service) -> Response:
    _, sent = await sent_as(NewConversation)
    metadata = read_metadata(sent.metadata)
    new = await _added([] if sent.items is None else sent.items)
    check_pairs(joined(new.turns), new.results)
    name = Name(g.principal.owner, f"conv_{service.new_id()}")

    def write(connection: Connection) -> Session:
        now = service.now()
        session = sessions.begin(connection, name, now, service.settings.expires_after)
        sessions.label(connection, session, metadata)
        sessions.append(connection, session, _said(service, session, new))
        return _found(service, connection, name)

    response = as_json(conversation_object(await service.database.write(write)))
    response.headers.update(ignored(new.ignored))
    return response


async def get_conversation(service: Service, id: str) -> Response:  # noqa: A002
    return as_json(conversation_object(await service.database.read(partial(_found, service, name=_name(id)))))


async def change_conversation(service: Service, id: str) -> Response:  # noqa: A002
    """Set the metadata."""
    metadata = await metadata_sent()

    def write(connection: Connection) -> Session:
        sessions.label(connection, _found(service, connection, _name(id)), metadata)
        return _found(service, connection, _name(id))

    # What was there before goes from the file.
    return as_json(conversation_object(await service.database.erase(write)))


async def delete_conversation(service: Service, id: str) -> Response:  # noqa: A002
    """Delete a conversation with its items. No text of it is left in the file."""
    await service.database.erase(lambda connection: sessions.remove(connection, _found(service, connection, _name(id))))
    return as_json({"id": id, "object": "conversation.deleted", "deleted": True})


async def list_items(service: Service, id: str) -> Response:  # noqa: A002
    limit, order, after = limit_of(), order_of("desc"), request.args.get("after")
    name = _name(id)

    def read(connection: Connection) -> list[Json] | None:
        session = _found(service, connection, name)
        if after is None:
            return [*islice(_ordered(connection, session, order, None), limit + 1)]
        items = dropwhile(lambda each: each["id"] != after, _ordered(connection, session, order, after))
        return [*islice(items, limit + 1)] if next(items, None) else None

    found = await service.database.read(read)
    if found is None:
        raise not_listed()
    return listed(found[:limit], has_more=len(found) > limit)


async def get_item(service: Service, id: str, item: str) -> Response:  # noqa: A002
    name = _name(id)

    def read(connection: Connection) -> Json:
        items = _ordered(connection, _found(service, connection, name), "asc", item)
        return next((each for each in items if each["id"] == item), None)

    found = await service.database.read(read)
    if found is None:
        raise NotFound(f"There is no item {item[:100]!r} in this conversation.", code="item_not_found")
    return as_json(found)


async def add_items(service: Service, id: str) -> Response:  # noqa: A002
    """Add items after those that are there. It waits for its turn, as a request that is answered in it."""
    _, sent = await sent_as(NewItems)
    new = await _added(sent.items)

    def write(connection: Connection) -> list[Json]:
        session = _found(service, connection, _name(id))
        sessions.append(connection, session, _said(service, session, new))
        now = _found(service, connection, _name(id))
        system = [*system_items(session.id, now.system)][len(session.system) :]
        return [*system, *_of_turns(sessions.turns(connection, now, after=session.turns - 1))]

    async with service.sessions.conversation(_name(id)) as before:
        check_pairs(joined((*before.history, *new.turns)), new.results)
        response = listed(await service.database.write(write), has_more=False)
    response.headers.update(ignored(new.ignored))
    return response


def conversation_object(session: Session) -> Json:
    return {
        "id": session.id,
        "object": "conversation",
        "created_at": int(session.created_at),
        "metadata": session.metadata,
    }


def _ordered(connection: Connection, session: Session, order: Order, since: str | None) -> Iterator[Json]:
    """Yield the items of a conversation, ``since`` the turn of the item of that id; turns are read as they are needed.

    Since an id that no turn has they are all that there are.
    """
    system = [*system_items(session.id, session.system)]
    place = None if since is None else _turn_of(connection, session, since)
    if order == "asc":
        yield from system if place is None else ()
        for start in range(place or 0, session.turns, PIECE):
            yield from _of_turns(sessions.turns(connection, session, PIECE, start - 1))
        return
    ends = session.turns if place is None else place + 1
    for end in range(ends, 0, -PIECE):
        start = max(0, end - PIECE)
        yield from reversed(_of_turns(sessions.turns(connection, session, end - start, start - 1)))
    yield from reversed(system)


def _turn_of(connection: Connection, session: Session, item: str) -> int | None:
    """Return the position of the turn that an item is of, whose id has the turn's in it."""
    stem = item.partition("_")[2].rpartition("_")[0]
    return sessions.position_of(connection, session, f"turn_{stem}")


async def _added(items: Json) -> Added:
    # One that comes in pieces does not say how large it is.
    size = request.content_length or (LARGE if has_body() else 0)
    return await aside(size, added, items)


def _of_turns(turns: Iterable[KeptTurn]) -> list[Json]:
    return [
        item
        for turn in turns
        if turn.status != "undelivered"
        for item in items_of_turn(turn.id.removeprefix("turn_"), turn.role, orjson.loads(turn.content))
    ]


def _said(service: Service, session: Session, new: Added) -> Said:
    rows = [*user_rows(new.turns)]
    ids = [f"turn_{service.new_id()}" for _ in rows]
    return Said((*session.system, *new.system), rows, ids, "completed", service.now())


def _name(id: str) -> Name:  # noqa: A002
    return Name(g.principal.owner, id)


def _found(service: Service, connection: Connection, name: Name) -> Session:
    session = sessions.find(connection, name, service.now())
    if session is None:
        raise no_conversation(name)
    return session
