"""Events to the events of a streamed response.

created, in_progress      the response, empty
output_item.added         then its part, if it has parts; its pieces; the whole of it, twice; output_item.done
completed, incomplete     the response, whole, or as far as it came; one of these, or failed
[DONE]

Source of the format: OpenAI's published schema (``ResponseStreamEvent``), the Open Responses specification, and what
OpenAI's client libraries rely on: created first, numbers without a gap, each item added once and done before the end.
"""

from collections.abc import Iterator, Mapping
from typing import assert_never

from attrs import define, field, frozen

from cca.dialects.contract import Ask, Frame, Stamp
from cca.dialects.openai_chunks import DONE
from cca.dialects.openai_responses.items import Items, Status, content_part, items_of, parts_of, text_of
from cca.dialects.openai_responses.resource import Standing, last_status, resource, standing
from cca.errors import CcaError
from cca.message import Called, Message, Part, Said, Thought
from cca.model import (
    Cited,
    Failed,
    Finished,
    Json,
    NextText,
    Redacted,
    Signed,
    Started,
    TextDelta,
    ThinkingDelta,
    Told,
    ToolCallDelta,
    ToolCallStarted,
)


@frozen
class Strand:
    """How an item of a kind is written: under which names its pieces go, and in which field all of them together.

    ``part`` is the name of the part that they stand in, ``within`` where that is, ``besides`` fields that are required.
    """

    pieces: str
    whole: str
    part: str | None = None
    within: Mapping[str, Json] = field(factory=dict)
    besides: Mapping[str, Json] = field(factory=dict)


STRANDS: Mapping[type[Part], Strand] = {
    Said: Strand("output_text", "text", "content_part", {"content_index": 0}, {"logprobs": []}),
    Thought: Strand("reasoning_summary_text", "text", "reasoning_summary_part", {"summary_index": 0}),
    Called: Strand("function_call_arguments", "arguments"),
}


@define
class ResponseEncoder:
    """Encodes a stream. A failure comes as a response that failed, and not as an error that might be any request's."""

    ask: Ask
    stamp: Stamp
    _message: Message = field(factory=Message, init=False)
    _sequence: int = field(default=0, init=False)
    _items: Items = field(init=False)

    @_items.default
    def _items_of(self) -> Items:
        return items_of(self.ask, self.stamp)

    def encode(self, told: Told) -> Iterator[Frame]:
        event, before = told.event, len(parts_of(self._message))
        self._message.take(event)
        match event:
            case Started():
                yield self._lifecycle("created", "in_progress")
                yield self._lifecycle("in_progress", "in_progress")
            case TextDelta(piece) | ThinkingDelta(piece) | ToolCallDelta(piece):
                yield from self._opening(before)
                shown = parts_of(self._message)
                yield from self._piece(len(shown) - 1, shown[-1], piece)
            case ToolCallStarted() | NextText() | Cited() | Signed() | Redacted():
                # The format has no place for the last three themselves: they part what comes before and after them.
                yield from self._opening(before)
            case Finished():
                yield from self._end(before, standing(self._message))
            case Failed(error):
                yield from self._over("failed", error)
            case _:
                assert_never(event)

    def _opening(self, before: int) -> Iterator[Frame]:
        """Open the item of a part that was not there, and close the one before it."""
        shown = parts_of(self._message)
        if len(shown) > before:
            if before:
                yield from self._close(before - 1, shown[before - 1], "completed")
            yield from self._open(before, shown[before])

    def _end(self, written: int, status: Standing) -> Iterator[Frame]:
        shown = parts_of(self._message)
        for index in range(max(written - 1, 0), len(shown)):
            if index >= written:
                yield from self._open(index, shown[index])
            yield from self._close(index, shown[index], last_status(status))
        yield from self._over(status)

    def _open(self, index: int, part: Part) -> Iterator[Frame]:
        item = self._items.opened(index, part)
        yield self._event("output_item.added", {"output_index": index, "item": item})
        yield from self._part("added", index, part, "")

    def _piece(self, index: int, part: Part, piece: str) -> Iterator[Frame]:
        if self._told(part):
            strand = STRANDS[type(part)]
            yield self._event(f"{strand.pieces}.delta", {**self._place(index, part), "delta": piece, **strand.besides})

    def _close(self, index: int, part: Part, status: Status) -> Iterator[Frame]:
        strand, text = STRANDS[type(part)], text_of(part, status)
        if isinstance(part, Called) and text and not part.arguments:
            yield from self._piece(index, part, text)
        if self._told(part):
            whole = {strand.whole: text, **strand.besides}
            if isinstance(part, Called):
                whole["name"] = self._items.route(part.name).name
            yield self._event(f"{strand.pieces}.done", {**self._place(index, part), **whole})
        yield from self._part("done", index, part, text)
        yield self._event("output_item.done", {"output_index": index, "item": self._items.item(index, part, status)})

    def _part(self, what: str, index: int, part: Part, text: str) -> Iterator[Frame]:
        strand = STRANDS[type(part)]
        if not isinstance(part, Called) and self._told(part):
            yield self._event(f"{strand.part}.{what}", {**self._place(index, part), "part": content_part(part, text)})

    def _told(self, part: Part) -> bool:
        """Return whether what is written in a part is told piece by piece."""
        return self._items.summary or not isinstance(part, Thought)

    def _place(self, index: int, part: Part) -> dict[str, Json]:
        return {"item_id": self._items.id(index, part), "output_index": index, **STRANDS[type(part)].within}

    def _over(self, status: Standing, error: CcaError | None = None) -> Iterator[Frame]:
        yield self._lifecycle(status, status, error)
        yield DONE

    def _lifecycle(self, name: str, status: Standing, error: CcaError | None = None) -> Frame:
        return self._event(name, {"response": resource(self.ask, self.stamp, self._message, status, error)})

    def _event(self, name: str, content: Mapping[str, Json]) -> Frame:
        kind, number = f"response.{name}", self._sequence
        self._sequence += 1
        return Frame({"type": kind, "sequence_number": number, **content}, name=kind)
