"""The input of a request for a response, as a system prompt and turns that alternate."""

from typing import TypeAlias, assert_never

from attrs import define, field

from cca.dialects import media
from cca.dialects.openai_fields import RefusalPart, TextPart
from cca.dialects.openai_responses.body import (
    Content,
    FilePart,
    FunctionCall,
    FunctionCallOutput,
    ImagePart,
    Input,
    Item,
    ItemReference,
    Message,
    Part,
    Reasoning,
)
from cca.dialects.openai_responses.routes import Route
from cca.dialects.openai_tools import MOST_NAME, CallIds, arguments_of
from cca.dialects.pairing import unanswered
from cca.dialects.tools import check_name
from cca.dialects.turns import Said, moved, shrunk, telling, texts, turns_of
from cca.errors import BadRequest
from cca.model import NO_CONTENT, AssistantTurn, Document, Image, Json, Text, ToolResult, ToolUse, Turn, UserTurn

Media: TypeAlias = Text | Image | Document

NO_FILES = "cca keeps no files; send what is in it, as a data URL, or an address."


UNSAID: tuple[Json, ...] = ([], {}, "auto")
"""Values of a part's other fields that ask for nothing: no annotations, and a picture in whatever detail."""


@define
class Reading:
    """Takes in items, one after the other.

    ``calls`` and ``results`` are the places of both in the body, by the ids of the calls; ``ignored`` names what does
    not arrive where, or as, it stood. ``name`` is the field that the items are in.
    """

    system: list[str] = field(factory=list)
    said: list[Said] = field(factory=list)
    calls: dict[str, str] = field(factory=dict)
    results: dict[str, str] = field(factory=dict)
    ignored: list[str] = field(factory=list)
    name: str = "input"
    _ids: CallIds = field(factory=CallIds)

    def take(self, position: int, item: Item) -> None:
        path = f"{self.name}[{position}]"
        match item:
            case Message(role="user"):
                self._say(path, UserTurn, self._content(item.content, f"{path}.content"))
            case Message(role="assistant"):
                self._say(path, AssistantTurn, self._texts(item.content, f"{path}.content"))
            case Message():
                self._instruct(path, self._texts(item.content, f"{path}.content"))
            case FunctionCall():
                self._say(path, AssistantTurn, (self._call(item, path),))
            case FunctionCallOutput():
                result = ToolResult(self._ids.answered(item.call_id), self._content(item.output, f"{path}.output"))
                self.results[result.tool_use_id] = path
                self._say(path, UserTurn, (result,))
            case Reasoning():
                return
            case ItemReference():
                text = f"{path} refers to an item that cca does not have; send it whole."
                raise BadRequest(text, param=f"{path}.id", code="invalid_value")
            case _:
                assert_never(item)
        self.ignored += (f"{self.name}.{name}" for name in item.extra)

    def turns(self, *, goes_on: bool) -> tuple[Turn, ...]:
        """Return the turns, before which something was said if it ``goes_on``.

        Raise ``BadRequest`` for an order that has no answer.
        """
        first = self.said[0]
        begun = first.role is UserTurn
        said = tuple(telling(self.said, self.ignored))
        turns = turns_of(said if begun else (Said(first.path, UserTurn, (NO_CONTENT,)), *said))
        if goes_on and not begun:
            turns = turns[1:]
        elif not begun:
            self.ignored.append(f"{first.path} (after a user turn of no content)")
        self.ignored += (*moved(turns, self.name), *shrunk(said))
        lonely = unanswered(turns)
        if lonely is not None:
            path = self.calls[lonely]
            text = f"{path} is a call whose output does not come right after it; send that as a function_call_output."
            raise BadRequest(text, param=path, code="invalid_value")
        return turns

    def _say(self, path: str, role: type[Turn], parts: tuple[Media | ToolUse | ToolResult, ...]) -> None:
        if parts:
            self.said.append(Said(path, role, parts))
        else:
            self.ignored.append(f"{path} (empty)")

    def _instruct(self, path: str, told: tuple[Text, ...]) -> None:
        self.system += (text.text for text in told)
        if not told:
            self.ignored.append(f"{path} (empty)")
        elif self.said:
            # Claude Code has one system prompt, in front.
            self.ignored.append(f"{path} (moved to the front)")

    def _content(self, content: Content, path: str) -> tuple[Media, ...]:
        if isinstance(content, str):
            return texts(content)
        read = (self._part(part, f"{path}[{index}]") for index, part in enumerate(content))
        return tuple(part for part in read if part is not None)

    def _texts(self, content: Content, path: str) -> tuple[Text, ...]:
        """Return what is text only: an assistant's answer, or a system prompt."""
        for index, part in enumerate(content):
            if isinstance(part, ImagePart | FilePart):
                where = f"{path}[{index}]"
                text = f"{where} is no text, and only a user can send anything else; put it into a user message."
                raise BadRequest(text, param=where, code="unsupported_value")
        return tuple(part for part in self._content(content, path) if isinstance(part, Text))

    def _part(self, part: Part, path: str) -> Media | None:
        self.ignored += (f"{self.name}.content.{name}" for name, value in part.extra.items() if value not in UNSAID)
        match part:
            case TextPart(text=text) | RefusalPart(refusal=text):
                if text.strip():
                    return Text(text)
                self.ignored.append(f"{path} (empty)")
                return None
            case ImagePart() | FilePart():
                return _medium(part, path)
            case _:
                assert_never(part)

    def _call(self, call: FunctionCall, path: str) -> ToolUse:
        name = Route(call.name, call.namespace).flat
        check_name(name, f"{path}.name", MOST_NAME)
        made = ToolUse(self._ids.called(call.call_id), name, arguments_of(call.arguments, f"{path}.arguments"))
        self.calls[made.id] = path
        return made


def read_input(given: Input, *, goes_on: bool) -> tuple[Reading, tuple[Turn, ...]]:
    """Return what an input says, and its turns. Raise ``BadRequest`` for one that has no answer."""
    reading = Reading()
    if isinstance(given, str):
        given = (Message(role="user", content=given),)
    for position, item in enumerate(given):
        reading.take(position, item)
    _check_asked(given, reading.said)
    return reading, reading.turns(goes_on=goes_on)


def _check_asked(given: tuple[Item, ...], said: list[Said]) -> None:
    """Raise ``BadRequest`` if nobody asks anything, or the last of those who do says nothing."""
    if not said:
        raise BadRequest("input has nothing to answer; send a user message.", param="input", code="invalid_value")
    spoken = [at for at, item in enumerate(given) if isinstance(item, FunctionCall | FunctionCallOutput | Message)]
    last = given[spoken[-1]]
    if isinstance(last, Message) and last.role == "user" and said[-1].path != f"input[{spoken[-1]}]":
        where = f"input[{spoken[-1]}].content"
        text = "The last user message has no text; send what is to be answered."
        raise BadRequest(text, param=where, code="invalid_value")


def _medium(part: ImagePart | FilePart, path: str) -> Image | Document:
    """Return a picture or a file. Raise ``BadRequest`` for one of no content, and for one of two."""
    if part.file_id is not None:
        where = f"{path}.file_id"
        raise BadRequest(f"{where} cannot be honoured: {NO_FILES}", param=where, code="unsupported_parameter")
    match part:
        case ImagePart(image_url=str(url)):
            return media.image(url, f"{path}.image_url")
        case FilePart(file_data=str(), file_url=str()):
            where = f"{path}.file_url"
            text = f"{where} and file_data each are the whole file; send one of them."
            raise BadRequest(text, param=where, code="mutually_exclusive_parameters")
        case FilePart(file_data=str(content), filename=name):
            return media.document(content, name, f"{path}.file_data")
        case FilePart(file_url=str(url), filename=name):
            return media.document_url(url, f"{path}.file_url", name)
        case _:
            where = f"{path}.{'image_url' if isinstance(part, ImagePart) else 'file_data'}"
            raise BadRequest(f"{where} is missing.", param=where, code="missing_required_parameter")
