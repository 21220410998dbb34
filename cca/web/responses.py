"""The stored answers of OpenAI's Responses API. Each owner has its own."""

from quart import Response, g, request

from cca.dialects.openai_responses.stored import input_items
from cca.errors import BadRequest, NotFound
from cca.model import Json
from cca.service import Service
from cca.store import stored
from cca.store.database import Connection
from cca.store.stored import Stored
from cca.web.body import as_json
from cca.web.paging import paged


async def get_response(service: Service, id: str) -> Response:  # noqa: A002
    if request.args.get("stream") == "true":
        raise BadRequest(
            "A response can be streamed only while it is made; get it whole, without stream.",
            param="stream",
            code="unsupported_value",
        )
    return as_json(
        await service.database.read(lambda connection: stored.body_of(connection, _found(service, connection, id)))
    )


async def delete_response(service: Service, id: str) -> Response:  # noqa: A002
    """Delete a response. No text of it is left in the file, but for what is in a session that others need."""
    await service.database.erase(lambda connection: stored.remove(connection, _found(service, connection, id)))
    return as_json({"id": id, "object": "response", "deleted": True})


async def list_input_items(service: Service, id: str) -> Response:  # noqa: A002
    def read(connection: Connection) -> list[Json]:
        found = _found(service, connection, id)
        return input_items(found.id, stored.input_of(connection, found))

    return paged(await service.database.read(read), "desc")


async def cancel_response(service: Service, id: str) -> Response:  # noqa: A002
    await service.database.read(lambda connection: _found(service, connection, id))
    raise BadRequest(
        "This response was not made in the background, and is complete: only a response that was created with "
        "background=true can be cancelled.",
        code="invalid_value",
    )


async def compact(_: Service) -> Response:
    """Raise ``NotFound``: without this route it would look like a response's id."""
    raise NotFound(
        "cca compacts nothing: ask a model for a summary of what was said, and go on from that.", code="unknown_url"
    )


def _found(service: Service, connection: Connection, id: str) -> Stored:  # noqa: A002
    found = stored.find(connection, g.principal.owner, "response", id, service.now())
    if found is None:
        raise NotFound(
            f"There is no response {id[:100]!r}: it was not stored, is deleted, or has expired.",
            code="response_not_found",
        )
    return found
