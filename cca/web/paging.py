"""Pages of lists, as OpenAI's clients turn them: ``limit``, ``order`` and ``after``, which is the id of an item."""

from quart import Response, request

from cca.dialects import page
from cca.errors import BadRequest
from cca.model import Json
from cca.store.stored import Order
from cca.web.body import as_json

PAGE = 20
"""Items on a page, unless ``limit`` says otherwise."""

MOST_ON_PAGE = 100


def limit_of() -> int:
    """Return how many items the request wants on a page. Raise ``BadRequest``."""
    return page.limit_of(request.args, PAGE, MOST_ON_PAGE)


def order_of(default: Order) -> Order:
    """Return the order that the request wants. Raise ``BadRequest``."""
    match request.args.get("order"):
        case None:
            return default
        case ("asc" | "desc") as given:
            return given
        case _:
            raise BadRequest("order must be asc or desc.", param="order", code="invalid_value")


def paged(items: list[Json], default: Order) -> Response:
    """Return the page that the request wants of ``items``, which are all there are, the oldest first."""
    limit, after = limit_of(), request.args.get("after")
    ordered = items if order_of(default) == "asc" else items[::-1]
    places = {item["id"]: place for place, item in enumerate(ordered, 1)}
    if after is not None and after not in places:
        raise not_listed()
    start = 0 if after is None else places[after]
    return listed(ordered[start : start + limit], has_more=len(ordered) > start + limit)


def not_listed() -> BadRequest:
    return BadRequest("after must be the id of an item of this list, as last_id of the page before.", param="after")


def listed(items: list[Json], *, has_more: bool) -> Response:
    first_id, last_id = (items[0]["id"], items[-1]["id"]) if items else (None, None)
    return as_json({"object": "list", "data": items, "first_id": first_id, "last_id": last_id, "has_more": has_more})
