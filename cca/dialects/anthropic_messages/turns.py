"""The messages of a request, as a system prompt and turns that alternate."""

from collections.abc import Iterator, Sequence
from typing import assert_never

from attrs import define, evolve, field, frozen

from cca.dialects.anthropic_messages.blocks import Reading
from cca.dialects.anthropic_messages.body import (
    Block,
    DocumentBlock,
    ImageBlock,
    Message,
    OtherBlock,
    OutputConfig,
    RedactedThinkingBlock,
    SaidMessage,
    SearchResultBlock,
    SystemBlock,
    SystemContent,
    SystemMessage,
    TextBlock,
    ThinkingBlock,
    ToolResultBlock,
    ToolUseBlock,
)
from cca.dialects.anthropic_messages.checks import empty, unserved
from cca.dialects.anthropic_messages.fields import instead_of
from cca.dialects.pairing import unanswered
from cca.dialects.turns import Said, is_thought, moved, shrunk, telling, turns_of
from cca.errors import BadRequest
from cca.model import (
    AssistantPart,
    AssistantTurn,
    CacheMark,
    RedactedThinking,
    Thinking,
    Turn,
    UserPart,
    UserTurn,
)

TEXT_ALONE = "the system speaks in text; send text"


@frozen
class Heard:
    """What the messages come to. ``results`` are the places of tool results; ``ignored`` names what has no effect.

    ``references`` are the places of references to tools, by the names of these.
    ``output_config`` is what a message of the system's says of the answer that comes next, and ``output_path`` where.
    ``end_mark`` is one on all that is said.
    """

    system: tuple[str, ...]
    system_marks: tuple[CacheMark, ...]
    end_mark: CacheMark | None
    turns: tuple[Turn, ...]
    results: dict[str, str]
    references: dict[str, str]
    ignored: tuple[str, ...]
    output_config: OutputConfig | None
    output_path: str


def read_messages(system: SystemContent | None, messages: Sequence[Message], thinker: str, *, documents: bool) -> Heard:
    """Return what the system prompt and the messages come to. ``thinker`` is the id of the model that is asked.

    ``documents`` says whether the assistant's would be taken by the API. Raise ``BadRequest`` for what Claude cannot
    take, and for an order that has no answer.
    """
    reader = Reader(len(messages) - 1, _last_of_user(messages), documents)
    reader.prompt(system)
    read = [each for position, message in enumerate(messages) for each in reader.read(position, message)]
    said = list(telling(read, reader.ignored))
    if not said:
        raise BadRequest("messages has nothing to answer; send a user message.", param="messages", code="invalid_value")
    turns = turns_of(said)
    lonely = unanswered(turns)
    if lonely is not None:
        path = reader.calls[lonely]
        text = f"{path} is a call that no message right after it has the result of; send that, as a tool_result block."
        raise BadRequest(text, param=path, code="invalid_value")
    return Heard(
        tuple(reader.system),
        tuple(reader.system_marks),
        reader.end_mark,
        tuple(_thinker(turn, thinker) for turn in turns),
        reader.results,
        reader.blocks.references,
        (*reader.ignored, *moved(turns, "messages.content"), *shrunk(said)),
        reader.output_config,
        reader.output_path,
    )


@define
class Reader:
    """Reads messages in their order.

    ``end`` is the position of the last message, ``last`` that of the user's last. ``calls`` and ``results`` are the
    places of both in the body, by the ids of the calls.
    """

    end: int
    last: int
    documents: bool
    system: list[str] = field(factory=list)
    system_marks: list[CacheMark] = field(factory=list)
    end_mark: CacheMark | None = None
    calls: dict[str, str] = field(factory=dict)
    results: dict[str, str] = field(factory=dict)
    output_config: OutputConfig | None = None
    output_path: str = ""
    blocks: Reading = field(factory=Reading)
    _begun: bool = False

    @property
    def ignored(self) -> list[str]:
        return self.blocks.ignored

    def prompt(self, content: SystemContent | None) -> None:
        self.system_marks += self._set_up(content, "system")

    def read(self, position: int, message: Message) -> Iterator[Said]:
        """Yield what a message says, if it is no word of the system's."""
        path = f"messages[{position}]"
        self.blocks.note_unheard(message, path)
        match message:
            case SystemMessage():
                self._instruct(message, position, path)
            case SaidMessage(role="assistant"):
                # What the system said of answers was of those before this one.
                self.output_config, self._begun = None, True
                yield from self._said(path, AssistantTurn, tuple(self._answered(message, f"{path}.content")))
            case SaidMessage():
                parts = tuple(self._shown(message, f"{path}.content"))
                self._begun = True
                yield from self._said(path, UserTurn, parts)
            case _:
                assert_never(message)

    def _said(self, path: str, role: type[Turn], parts: tuple[UserPart | AssistantPart, ...]) -> Iterator[Said]:
        if parts:
            yield Said(path, role, parts)

    def _instruct(self, message: SystemMessage, position: int, path: str) -> None:
        if message.clear_at not in (None, "never", "next_user_message"):
            where = f"{path}.clear_at"
            text = f'{where} must be "never" or "next_user_message".'
            raise BadRequest(text, param=where, code="invalid_value")
        if message.clear_at == "next_user_message" and position < self.last:
            self.ignored.append(f"{path} (cleared)")
            return
        if message.output_config is not None:
            self.output_config, self.output_path = message.output_config, f"{path}.output_config"
        if not message.content and message.output_config is None:
            self.ignored.append(f"{path} (empty)")
        else:
            marks = self._set_up(message.content, f"{path}.content", moved=path if self._begun else None)
            if marks and self._begun and position == self.end:
                # The text moves, but its mark is on all that was said before it.
                self.end_mark = marks.pop()
            self.system_marks += marks

    def _set_up(self, content: SystemContent | None, path: str, *, moved: str | None = None) -> list[CacheMark]:
        """Take in what the system says, and return the marks on it. Claude Code has one system prompt, in front."""
        before, marks = len(self.system), []
        if isinstance(content, str):
            if content.strip():
                self.system.append(content)
            elif content:
                self.ignored.append(f"{path} (empty)")
        else:
            for text in self.blocks.texts(content or (), path, TEXT_ALONE):
                self.system.append(text.text)
                marks += [text.cache] if text.cache is not None else []
        if moved is not None and len(self.system) > before:
            self.ignored.append(f"{moved} (moved to the front)")
        return marks

    def _blocks(self, message: SaidMessage, path: str) -> Iterator[tuple[Block, str]]:
        """Yield the blocks of a message that says something. A string is one text."""
        if isinstance(message.content, str):
            if not message.content.strip():
                raise empty(message.content, path)
            yield TextBlock(type="text", text=message.content), path
            return
        if not message.content:
            raise empty("", path)
        for index, block in enumerate(message.content):
            yield block, f"{path}[{index}]"

    def _shown(self, message: SaidMessage, path: str) -> Iterator[UserPart]:
        for block, where in self._blocks(message, path):
            match block:
                case ToolResultBlock():
                    self.results[block.tool_use_id] = where
                    yield self.blocks.tool_result(block, where)
                case SystemBlock():
                    self.system_marks += filter(None, (self.blocks.mark(block.cache_control, where),))
                    self.blocks.note_unheard(block, where)
                    self.system_marks += self._set_up(block.content, f"{where}.content", moved=where)
                case ToolUseBlock(type=kind) | ThinkingBlock(type=kind) | RedactedThinkingBlock(type=kind):
                    raise unserved(kind, where, "only an assistant has those; send it in a message of that role")
                case _:
                    yield self.blocks.shown(block, where)

    def _answered(self, message: SaidMessage, path: str) -> Iterator[AssistantPart]:
        for block, where in self._blocks(message, path):
            match block:
                case TextBlock():
                    yield self.blocks.text(block, where)
                case ToolUseBlock():
                    yield self._called(block, where)
                case ThinkingBlock(thinking=text, signature=signature):
                    self.blocks.note_unheard(block, where)
                    yield Thinking(text, signature)
                case RedactedThinkingBlock(data=hidden):
                    self.blocks.note_unheard(block, where)
                    yield RedactedThinking(hidden)
                case OtherBlock(type=kind):
                    raise unserved(kind, where, instead_of(kind))
                case DocumentBlock(type=kind) if self.documents:
                    raise unserved(kind, where, "cca passes on none of the assistant's; send it as the user's")
                case ImageBlock() | DocumentBlock() | SearchResultBlock() | ToolResultBlock() | SystemBlock():
                    raise unserved(block.type, where, "only a user has those; send it in a message of that role")
                case _:
                    assert_never(block)

    def _called(self, block: ToolUseBlock, path: str) -> AssistantPart:
        call = self.blocks.tool_use(block, path)
        if call.id in self.calls:
            where = f"{path}.id"
            text = f"{where} is {call.id[:80]!r}, as that of a call before it; give each an id of its own."
            raise BadRequest(text, param=where, code="invalid_value")
        self.calls[call.id] = path
        return call


def _last_of_user(messages: Sequence[Message]) -> int:
    return max((at for at, message in enumerate(messages) if message.role == "user"), default=-1)


def _thinker(turn: Turn, model: str) -> Turn:
    """Return a turn that says, where there are thoughts in it, which model they are of."""
    if isinstance(turn, AssistantTurn) and any(map(is_thought, turn.content)):
        return evolve(turn, model=model)
    return turn
