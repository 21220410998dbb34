"""Conversations as OpenAI has them: sessions by another name, whose items are read out of their turns.

What is said in one, and a response that goes on from it, is kept in the session of its id.
"""

from collections.abc import Iterable
from functools import partial

import orjson
from attrs import frozen
from quart import Response, g, request

from cca.dialects.openai import read_metadata
from cca.dialects.openai_responses.conversation import Added, added, items_of_turn, system_items
from cca.dialects.pairing import check_pairs
from cca.errors import BadRequest, NotFound
from cca.model import Json
from cca.service import Service
from cca.sessions import no_conversation
from cca.store import sessions
from cca.store.database import Connection
from cca.store.sessions import KeptTurn, Name, Said, Session
from cca.store.turns import joined, user_rows
from cca.web.answer import ignored
from cca.web.body import LARGE_BODY, as_json, has_body, read_in_time
from cca.web.paging import listed, paged
from cca.web.sent import sent_as
from cca.wire import Body


@frozen(kw_only=True)
class NewConversation(Body):
    """What a conversation begins with, and what is noted beside it."""

    items: Json = None
    metadata: Json = None


@frozen(kw_only=True)
class Labels(Body):
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
    given, sent = await sent_as(Labels)
    if "metadata" not in given:
        text = "metadata is missing: it is what can be changed."
        raise BadRequest(text, param="metadata", code="missing_required_parameter")
    metadata = read_metadata(sent.metadata)

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
    return paged(await _items(service, id), "desc")


async def get_item(service: Service, id: str, item: str) -> Response:  # noqa: A002
    found = next((each for each in await _items(service, id) if each["id"] == item), None)
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


async def _items(service: Service, id: str) -> list[Json]:  # noqa: A002
    name = _name(id)

    def read(connection: Connection) -> list[Json]:
        session = _found(service, connection, name)
        return [*system_items(session.id, session.system), *_of_turns(sessions.turns(connection, session))]

    return await service.database.read(read)


async def _added(items: Json) -> Added:
    # One that comes in pieces does not say how large it is.
    size = request.content_length or (LARGE_BODY if has_body() else 0)
    return await read_in_time(size, added, items)


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
