"""The stored chat completions: those that were asked for with ``store``. Each owner has its own."""

import re
from collections.abc import Callable, Iterator, Mapping
from functools import partial

from quart import Response, g, request

from cca.errors import NotFound
from cca.model import Json
from cca.service import Service
from cca.store import stored
from cca.store.database import Connection
from cca.store.stored import Stored
from cca.web.body import as_json
from cca.web.paging import limit_of, listed, order_of, paged
from cca.web.sent import metadata_sent

KIND: stored.Kind = "chat.completion"

PIECE = 500
"""Completions that one transaction looks through: a filter may pass over a hundred thousand, and others wait."""


_PAIR = re.compile(r"metadata\[(.*)\]", re.DOTALL)


async def list_completions(service: Service) -> Response:
    limit, order, after = limit_of(), order_of("asc"), request.args.get("after")
    wanted, owner = _filter(service), g.principal.owner
    behind = None if after is None else await service.database.read(partial(_found, service, id=after))
    size = limit + 1 if wanted is None else PIECE
    found: list[Stored] = []
    more = True
    while more and len(found) <= limit:
        looked = await service.database.read(
            partial(_page, owner=owner, order=order, limit=size, after=behind, now=service.now())
        )
        found += looked if wanted is None else filter(wanted, looked)
        more = len(looked) == size
        behind = looked[-1] if looked else behind

    def read(connection: Connection) -> list[Json]:
        # What was deleted since is not there, and its place may be another's.
        there = (stored.find(connection, owner, KIND, each.id, service.now()) for each in found[:limit])
        return [_body(connection, each) for each in there if each is not None]

    return listed(await service.database.read(read), has_more=len(found) > limit)


async def get_completion(service: Service, id: str) -> Response:  # noqa: A002
    def read(connection: Connection) -> Json:
        return _body(connection, _found(service, connection, id))

    return as_json(await service.database.read(read))


async def change_completion(service: Service, id: str) -> Response:  # noqa: A002
    """Set the metadata."""
    metadata = await metadata_sent()

    def write(connection: Connection) -> Json:
        stored.change(connection, _found(service, connection, id), metadata)
        return _body(connection, _found(service, connection, id))

    # What was there before goes from the file.
    return as_json(await service.database.erase(write))


async def delete_completion(service: Service, id: str) -> Response:  # noqa: A002
    """Delete a completion. No text of it is left in the file, unless it was said in a session that somebody named."""
    await service.database.erase(lambda connection: stored.remove(connection, _found(service, connection, id)))
    return as_json({"id": id, "object": "chat.completion.deleted", "deleted": True})


async def list_messages(service: Service, id: str) -> Response:  # noqa: A002
    """List the messages that were sent for a completion."""
    sent = await service.database.read(lambda connection: stored.input_of(connection, _found(service, connection, id)))
    return paged([_message(each, f"{id}-{position}") for position, each in enumerate(sent)], "asc")


def _page(
    connection: Connection, *, owner: str, order: stored.Order, limit: int, after: Stored | None, now: float
) -> list[Stored]:
    return stored.page(connection, owner, KIND, order, limit, after, now)


def _filter(service: Service) -> Callable[[Stored], bool] | None:
    """Return what says whether a completion is asked for, by its model and its metadata, unless all are."""
    model = request.args.get("model")
    names = None if model is None else _names(service, model)
    pairs = dict(_pairs())
    if names is None and not pairs:
        return None

    def wanted(each: Stored) -> bool:
        return (names is None or each.model in names or each.asked in names) and pairs.items() <= each.metadata.items()

    return wanted


def _names(service: Service, model: str) -> set[str]:
    """Return what a completion's model may be called, whose request called it ``model``."""
    try:
        resolved = service.catalogue.resolve(model)
    except NotFound:
        return {model}
    entry = service.catalogue.entry(resolved)
    return {model, resolved if entry is None else entry.id}


def _pairs() -> Iterator[tuple[str, str]]:
    """Yield the pairs of ``metadata[key]=value`` in the query."""
    for name, value in request.args.items():
        key = _PAIR.fullmatch(name)
        if key is not None:
            yield key[1], value


def _body(connection: Connection, found: Stored) -> Json:
    return {**stored.body_of(connection, found), "metadata": found.metadata}


def _message(sent: Mapping[str, Json], id: str) -> Json:  # noqa: A002
    """Return a message as it is listed: its text, and the parts if it was sent in parts."""
    content = sent.get("content")
    if not isinstance(content, list):
        return {**sent, "id": id, "content": content, "content_parts": None}
    text = "".join(part["text"] for part in content if part.get("type") == "text")
    return {**sent, "id": id, "content": text, "content_parts": content}


def _found(service: Service, connection: Connection, id: str) -> Stored:  # noqa: A002
    found = stored.find(connection, g.principal.owner, KIND, id, service.now())
    if found is None:
        raise NotFound(
            f"There is no chat completion {id[:100]!r}: it was not stored, is deleted, or has expired. GET "
            "/v1/chat/completions lists those there are.",
            code="completion_not_found",
        )
    return found
