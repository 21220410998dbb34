"""What a dialect is: a wire format on a path, as pure functions between its JSON and the model of ``cca.model``."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Protocol

from attrs import field, frozen

from cca.catalogue import Catalogue
from cca.dialects.fields import Fields
from cca.errors import CcaError
from cca.message import Message
from cca.model import Conversation, Json, Told


@frozen
class Frame:
    """A server-sent event: its JSON or its fixed text, and its name where the dialect has names."""

    content: Json
    name: str | None = None


@frozen
class Terms:
    """What the server offers: the models, and how many choices an answer may have.

    ``version`` is that of the API which the request names, where an API has versions. A request that ``continues``
    may have only what is new in it: the session that it names has what was said before.
    """

    catalogue: Catalogue
    choices: int
    version: str | None = None
    continues: bool = False


@frozen
class Keeping:
    """What a request says of its being kept.

    ``store`` keeps the answer under its own id, with the ``input`` and the ``metadata`` that the client sent, in the
    dialect's shape. ``previous`` is the id of a stored answer that the request goes on from, ``session`` the one that
    it belongs to. ``instructions`` go before the system prompt, and are no part of what the next request goes on from.
    """

    store: bool = False
    input: tuple[Json, ...] = ()
    metadata: Mapping[str, str] = field(factory=dict)
    previous: str | None = None
    session: str | None = None
    instructions: tuple[str, ...] = ()


@frozen
class Ask:
    """A decoded request: a conversation for each choice of the answer.

    ``ignored`` names what was sent and has no effect; ``include_usage`` is about the stream. ``results`` has the place
    in the body of each tool result, by the id of its call. ``echo`` is what the answer repeats of the request, in the
    dialect's own shape.
    """

    conversations: tuple[Conversation, ...]
    stream: bool
    ignored: tuple[str, ...] = ()
    include_usage: bool = False
    keeping: Keeping = field(factory=Keeping)
    results: Mapping[str, str] = field(factory=dict)
    echo: Mapping[str, Json] = field(factory=dict)


@frozen
class Stamp:
    """What makes one answer that one: an id without its prefix, and the time in whole seconds since the epoch.

    ``request_id`` is that of the request which it answers.
    """

    id: str
    created: int
    request_id: str = ""


class StreamEncoder(Protocol):
    def encode(self, told: Told) -> Iterable[Frame]:
        """Return what an event is on the wire. It is complete when all choices are, or after a failure."""


@frozen
class References:
    """How a body refers to items of stored answers, by their ids.

    ``named`` has these ids; ``answer_of`` the id of the answer that an item is of, if it looks like one; ``items_of``
    the items of a stored answer, of its body and of its input; ``resolved`` the body with the items that there are in
    their places, and raises ``BadRequest`` for one that is not there.
    """

    named: Callable[[Mapping[str, Json]], Sequence[str]]
    answer_of: Callable[[str], str | None]
    items_of: Callable[[Json, Sequence[Json]], Iterable[Json]]
    resolved: Callable[[Mapping[str, Json], Mapping[str, Json]], Mapping[str, Json]]


@frozen
class Dialect:
    """A wire format.

    ``fields`` are those of a body; ``decode`` raises ``BadRequest`` or ``NotFound``; ``whole`` makes the body of
    complete messages, one a choice; ``refusal`` gives an error, and the id of the request that failed, its status and
    body. ``ping`` is what a stream says while there is nothing to say, where the dialect has an event for that.
    """

    name: str
    path: str
    fields: Fields
    decode: Callable[[Mapping[str, Json], Terms], Ask]
    stream: Callable[[Ask, Stamp], StreamEncoder]
    whole: Callable[[Ask, Stamp, Sequence[Message]], Json]
    refusal: Callable[[CcaError, str], tuple[int, Json]]
    references: References | None = None
    ping: Frame | None = None
