"""The parts of an answer as output items.

Source of the format: OpenAI's published schema (``OutputMessage``, ``FunctionToolCall``, ``ReasoningItem``), and the
Open Responses specification. An item's id is its response's, with its place: whoever has one finds the other.
"""

from collections.abc import Mapping, Sequence
from typing import Literal, TypeAlias, assert_never

from attrs import frozen

from cca.dialects.contract import Ask, Stamp
from cca.dialects.openai_responses.routes import Route, routes_of
from cca.message import Called, Message, Part, Said, Thought
from cca.model import Json

Status: TypeAlias = Literal["in_progress", "completed", "incomplete"]

PREFIXES: Mapping[type[Part], str] = {Said: "msg", Thought: "rs", Called: "fc"}


@frozen
class Items:
    """Makes the items of one response. ``summary`` is whether its client wants to read what the model thought.

    ``routes`` are the names of functions by those that the model knows them by.
    """

    response: str
    summary: bool
    routes: Mapping[str, Route]

    def id(self, index: int, part: Part) -> str:
        return f"{PREFIXES[type(part)]}_{self.response}_{index}"

    def opened(self, index: int, part: Part) -> Json:
        """Return an item that nothing is in yet."""
        match part:
            case Said():
                empty: dict[str, Json] = {"content": []}
            case Thought():
                empty = {"summary": []}
            case Called():
                empty = {"arguments": ""}
            case _:
                assert_never(part)
        return {**self.item(index, part, "in_progress"), **empty}

    def item(self, index: int, part: Part, status: Status) -> Json:
        head = {"id": self.id(index, part), "status": status}
        match part:
            case Said():
                content = [content_part(part, part.text)]
                return {**head, "type": "message", "role": "assistant", "content": content}
            case Thought():
                return {**head, "type": "reasoning", "summary": self._summary(part)}
            case Called(id, name):
                call = {"call_id": id, **self.route(name).named(), "arguments": text_of(part, status)}
                return {**head, "type": "function_call", **call}
            case _:
                assert_never(part)

    def route(self, flat: str) -> Route:
        return self.routes.get(flat) or Route(flat)

    def _summary(self, thought: Thought) -> list[Json]:
        return [content_part(thought, thought.text)] if self.summary else []


def items_of(ask: Ask, stamp: Stamp) -> Items:
    reasoning = ask.echo.get("reasoning") or {}
    return Items(stamp.id, bool(reasoning.get("summary")), routes_of(ask.echo.get("tools") or ()))


def content_part(part: Said | Thought, text: str) -> Json:
    """Return a part of an item: of a message's content, or of a summary."""
    if isinstance(part, Thought):
        return {"type": "summary_text", "text": text}
    return {"type": "output_text", "annotations": [], "logprobs": [], "text": text}


def text_of(part: Part, status: Status) -> str:
    """Return what is written in a part. A complete call of no arguments has an empty object of them."""
    if isinstance(part, Called):
        return part.arguments or ("{}" if status == "completed" else "")
    return part.text


def parts_of(message: Message) -> Sequence[Part]:
    """Return what there is to show of a message: one that came to its end, and says nothing, says the empty text."""
    ended = message.stop_reason in ("end_turn", "stop_sequence")
    # What was thought and is not told has no item.
    shown = [part for part in message.parts if part.pieces or not isinstance(part, Thought)]
    if not ended or any(not isinstance(part, Thought) for part in shown):
        return shown
    return [*shown, Said([])]
