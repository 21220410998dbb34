"""Stored responses: their items, by ids that say which response they are of."""

from collections.abc import Sequence

from cca.dialects.contract import References
from cca.dialects.openai_responses.listing import identified
from cca.dialects.openai_responses.references import references, resolved
from cca.model import Json

PREFIX = "resp_"


def answer_of(item: str) -> str | None:
    """Return the id of the response that an item is of, whose id begins and ends as cca's do."""
    match item.split("_"):
        case [_, stamp, _]:
            return f"{PREFIX}{stamp}"
        case _:
            return None


def input_items(answer: str, sent: Sequence[Json]) -> list[Json]:
    """Return the items that a stored response was made of, each with an id."""
    return [*identified(sent, answer.removeprefix(PREFIX))]


def items_of(body: Json, sent: Sequence[Json]) -> list[Json]:
    return [*input_items(body["id"], sent), *body["output"]]


REFERENCES = References(references, answer_of, items_of, resolved)
