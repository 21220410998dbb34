"""Conversations as OpenAI has them: sessions by another name, whose items are read out of their turns.

What is said in one, and a response that goes on from it, is kept in the session of its id.
"""

from collections.abc import Iterable
from functools import partial

import orjson
from attrs import frozen
from quart import Response, g

from cca.dialects.openai import read_metadata
from cca.dialects.openai_responses.conversation import Added, added, items_of_turn, system_items
from cca.errors import BadRequest, NotFound
from cca.model import Json
from cca.service import Service
from cca.store import sessions
from cca.store.database import Connection
from cca.store.sessions import KeptTurn, Name, Said, Session
from cca.store.turns import user_rows
from cca.web.body import as_json
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
    new = added(sent.items or [], first=True)
    name = Name(g.principal.owner, f"conv_{service.new_id()}")

    def write(connection: Connection) -> Session:
        now = service.now()
        session = sessions.begin(connection, name, now, service.settings.expires_after)
        sessions.label(connection, session, metadata)
        sessions.append(connection, session, _said(service, session, new))
        return _found(service, connection, name)

    return as_json(conversation_object(await service.database.write(write)))


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

    def write(connection: Connection) -> list[Json]:
        session = _found(service, connection, _name(id))
        new = added(sent.items, first=not session.turns)
        sessions.append(connection, session, _said(service, session, new))
        before, now = len(session.system), _found(service, connection, _name(id))
        system = [*system_items(session.id, now.system)][before:]
        return [*system, *_of_turns(sessions.turns(connection, now, after=session.turns - 1))]

    async with service.sessions.conversation(_name(id)):
        return listed(await service.database.write(write), has_more=False)


def conversation_object(session: Session) -> Json:
    return {
        "id": session.id,
        "object": "conversation",
        "created_at": int(session.created_at),
        "metadata": session.metadata,
    }


async def _items(service: Service, id: str) -> list[Json]:  # noqa: A002
    def read(connection: Connection) -> tuple[Session, list[KeptTurn]]:
        session = _found(service, connection, _name(id))
        return session, sessions.turns(connection, session)

    session, turns = await service.database.read(read)
    return [*system_items(session.id, session.system), *_of_turns(turns)]


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
        raise NotFound(
            f"There is no conversation {name.id[:100]!r}. POST /v1/conversations makes one.",
            code="conversation_not_found",
        )
    return session
