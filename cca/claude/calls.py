"""The tool calls of an answer: whether the program waits for their results, and what it is told of these.

It waits for calls of tools that are on offer, whose arguments it can read. Any other call it answers itself, in words
of its own, and asks the model again. What is told to it must reach the model as it would from a history: where it would
not, no process waits.
"""

from collections.abc import Iterable

import orjson
from attrs import define, field

from cca.claude import frames
from cca.claude.events import BlockStart, JsonPiece, Piece, ToolRequest
from cca.depth import too_deep
from cca.model import Json, Text, ToolResult

LONGEST_RESULT = 20_000
"""Characters. A longer one, told to a process that waits for it, is counted by the API, or saved to a file in place of
being told."""

MOST_CALLS = 3
"""The results of more calls the program passes on in another order: those of the fourth and on first."""

LOST = "__proto__"
"""The key that is gone from arguments by the time the program tells the API of them."""


@define
class Calls:
    """The calls of one message. ``offered`` are the names of the tools."""

    offered: frozenset[str]
    _names: dict[str, str] = field(factory=dict, init=False)
    _pieces: dict[str, list[str]] = field(factory=dict, init=False)
    _open: str | None = field(default=None, init=False)
    _requests: dict[str, ToolRequest] = field(factory=dict, init=False)
    _results: dict[str, ToolResult] = field(factory=dict, init=False)

    def begin(self) -> None:
        """Forget what was called: a message starts, or starts again."""
        self._open = None
        for each in (self._names, self._pieces, self._requests, self._results):
            each.clear()

    def note(self, line: Piece) -> None:
        """Take in a piece of the message."""
        match line:
            case BlockStart("tool_use", _, id, name):
                self._open, self._names[id], self._pieces[id] = id, name, []
            case BlockStart():
                # What comes next may be the arguments of a tool of the API's own.
                self._open = None
            case JsonPiece(piece) if self._open is not None:
                self._pieces[self._open].append(piece)
            case _:
                pass

    @property
    def any(self) -> bool:
        """Whether there are any."""
        return bool(self._names)

    @property
    def awaited(self) -> frozenset[str]:
        """The ids of the calls whose results it waits for, and passes on as they are: all of them, or none."""
        if len(self._names) > MOST_CALLS or not self.offered.issuperset(self._names.values()):
            return frozenset()
        if not all(_is_read("".join(pieces)) for pieces in self._pieces.values()):
            return frozenset()
        return frozenset(self._names)

    def requested(self, request: ToolRequest) -> bytes:
        """Take in that the program wants a result. Return what is to be written now."""
        self._requests[request.tool_use_id] = request
        return self._ready()

    def answer(self, results: Iterable[ToolResult]) -> bytes:
        """Take in the results of all calls. Return what is to be written now; the rest is, once it was asked for."""
        given = {result.tool_use_id: result for result in results}
        self._results = {id: given[id] for id in self._names}  # noqa: A001 - the wire's word
        return self._ready()

    def _ready(self) -> bytes:
        """Return the results that are asked for, in the order of the calls: the program passes them on as they come."""
        said = b""
        while self._results and (first := next(iter(self._results))) in self._requests:
            request, result = self._requests.pop(first), self._results.pop(first)
            texts = [part.text for part in result.content if isinstance(part, Text)]
            said += frames.tool_result(request.request_id, request.call, texts)
        return said


def is_plain(result: ToolResult) -> bool:
    """Whether the program passes a result on unchanged: it has words of its own for one that is empty, or too long."""
    texts = [part.text for part in result.content if isinstance(part, Text) and part.text.strip()]
    size = sum(len(text) for text in texts)
    return not result.is_error and len(texts) == len(result.content) and 0 < size <= LONGEST_RESULT


def _is_read(arguments: str) -> bool:
    """Whether the program reads arguments, and keeps all of them."""
    try:
        value = orjson.loads(arguments or "{}")
    except orjson.JSONDecodeError:
        return False
    return isinstance(value, dict) and not too_deep(value) and not _has_lost(value)


def _has_lost(value: Json) -> bool:
    inside = [value]
    while inside:
        each = inside.pop()
        if isinstance(each, dict):
            if LOST in each:
                return True
            inside += each.values()
        elif isinstance(each, list):
            inside += each
    return False
