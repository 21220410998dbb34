"""What the scripted model was asked, for tests to look at, and how often."""

from collections import OrderedDict, deque
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

from attrs import define, field, frozen

from cca.scripted.script import Json

CREDENTIALS = {"authorization", "cookie", "proxy-authorization", "x-api-key"}
MOST_CONVERSATIONS = 10_000


@frozen
class Received:
    """One request as it arrived. Header names are in lower case; a credential's value is ``present``.

    ``body`` is the decoded JSON, or None for a request without any.
    """

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: Json


@define
class Answering:
    """``over`` once all was sent that the script wanted to send."""

    over: bool = False


@define
class Ledger:
    keep: int = 1000
    received: deque[Received] = field(init=False)
    open_streams: int = 0
    streams_opened: int = 0
    streams_abandoned: int = 0
    requests: int = 0
    _attempts: OrderedDict[str, int] = field(factory=OrderedDict)

    def __attrs_post_init__(self) -> None:
        self.received = deque(maxlen=self.keep)

    def note(self, received: Received) -> int:
        """Keep a request and give its number, from 1."""
        self.received.append(received)
        self.requests += 1
        return self.requests

    def attempt(self, conversation: str) -> int:
        """Count a request of a conversation, from 1. The one that was quiet longest is forgotten first."""
        count = self._attempts.pop(conversation, 0) + 1
        self._attempts[conversation] = count
        if len(self._attempts) > MOST_CONVERSATIONS:
            self._attempts.popitem(last=False)
        return count

    @contextmanager
    def answering(self) -> Iterator[Answering]:
        """Count an answer as open while it lasts, and as abandoned when it was not over by then."""
        answering = Answering()
        self.open_streams += 1
        self.streams_opened += 1
        try:
            yield answering
        finally:
            self.open_streams -= 1
            self.streams_abandoned += not answering.over


def without_credentials(headers: Iterable[tuple[str, str]]) -> dict[str, str]:
    lowered = {name.lower(): value for name, value in headers}
    return {name: "present" if name in CREDENTIALS else value for name, value in lowered.items()}
