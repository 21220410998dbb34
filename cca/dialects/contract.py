"""What a dialect is: a wire format on a path, as pure functions between its JSON and the model of ``cca.model``."""

from collections.abc import Callable, Iterable
from typing import Protocol

from attrs import frozen

from cca.catalogue import Catalogue
from cca.errors import CcaError
from cca.model import Conversation, Event, Json


@frozen
class Frame:
    """A server-sent event: its JSON or its fixed text, and its name where the dialect has names."""

    content: Json
    name: str | None = None


@frozen
class Ask:
    """A decoded request. ``ignored`` names what was sent and has no effect; ``include_usage`` is about the stream."""

    conversation: Conversation
    stream: bool
    ignored: tuple[str, ...] = ()
    include_usage: bool = False


@frozen
class Stamp:
    """What makes one answer that one: an id without its prefix, and the time in whole seconds since the epoch."""

    id: str
    created: int


class StreamEncoder(Protocol):
    def encode(self, event: Event) -> Iterable[Frame]:
        """Return what ``event`` is on the wire. After ``Finished`` or ``Failed`` the stream is complete."""


class WholeEncoder(Protocol):
    def take(self, event: Event) -> None:
        """Take in any event but ``Failed``."""

    def body(self) -> Json:
        """Return the answer, after ``Finished``."""


@frozen
class Dialect:
    """``decode`` raises ``BadRequest`` or ``NotFound``; ``refusal`` gives an error its status and body."""

    name: str
    path: str
    decode: Callable[[bytes, Catalogue], Ask]
    stream: Callable[[Ask, Stamp], StreamEncoder]
    whole: Callable[[Ask, Stamp], WholeEncoder]
    refusal: Callable[[CcaError], tuple[int, Json]]
