"""The dialogue with one Claude Code process about one conversation. Everything about its order lives here.

``Dialogue`` is told the lines that the program prints and says what to write and what happened. Its phases:

    Recalling --result--> Recalling | Asked       the history goes in, a turn at a time
    Asked --message_start--> Begun                the model answers
    Begun --first piece--> Saying                 from here a client may have seen something
    Asked | Begun --assistant--> Spoken           the program asked again without streaming
    any --<synthetic> assistant--> Refused        the program speaks for itself: its result tells why
    Begun | Saying --stop reason--> Over          one API message is one answer
    any --failure--> Over

A message that breaks off before ``Saying`` is forgotten, and the one that the program then asks for is used; after it
the answer cannot be mended and fails.
"""

from collections import deque
from collections.abc import Iterable, Mapping
from typing import TypeAlias, assert_never

import orjson
from attrs import define, field, frozen

from cca.claude.events import (
    ApiRetry,
    BlockStart,
    ControlReply,
    Ignored,
    JsonPiece,
    Line,
    MessageDelta,
    MessageStart,
    RateLimit,
    TextPiece,
    ThinkingPiece,
    TurnResult,
    Unreadable,
    WholeMessage,
    decode,
    usage_of,
)
from cca.claude.failures import FINAL_STATUSES, api_failure
from cca.claude.script import script
from cca.errors import CcaError, UpstreamFailed
from cca.model import (
    Conversation,
    Event,
    Failed,
    Finished,
    Json,
    Started,
    StopReason,
    TextDelta,
    ThinkingDelta,
    ToolCallDelta,
    ToolCallStarted,
)

SYNTHETIC = "<synthetic>"

STOP_REASONS: Mapping[str, StopReason] = {
    "end_turn": "end_turn",
    "stop_sequence": "stop_sequence",
    "max_tokens": "max_tokens",
    "model_context_window_exceeded": "context_window",
    "tool_use": "tool_use",
    "refusal": "refusal",
}


@frozen
class Recalling:
    """The program is remembering past turns."""


@frozen
class Asked:
    """The turn to be answered was said."""


@frozen
class Begun:
    """A message started, and nothing of it was passed on."""

    start: MessageStart


@frozen
class Saying:
    """A message is being passed on."""

    start: MessageStart


@frozen
class Spoken:
    """A message came whole, and ends with its result."""

    message: WholeMessage


@frozen
class Refused:
    kind: str | None
    said: str


@frozen
class Over:
    """The answer ended. The process owes nothing more, and must not go on."""


Phase: TypeAlias = Recalling | Asked | Begun | Saying | Spoken | Refused | Over


@frozen
class Step:
    """What one line led to: bytes to write, then events to pass on."""

    write: bytes = b""
    events: tuple[Event, ...] = ()


@define
class Dialogue:
    """``began_at`` is the wall clock in seconds since the epoch, which a subscription's reset time is compared with."""

    conversation: Conversation
    began_at: float
    phase: Phase = field(factory=Recalling, init=False)
    ignored_lines: int = field(default=0, init=False)
    _batches: deque[bytes] = field(factory=deque, init=False)
    _retry_after: float | None = field(default=None, init=False)

    def open(self) -> bytes:
        """Return what to write first."""
        self._batches.extend(script(self.conversation))
        return self._say()

    @property
    def over(self) -> bool:
        return isinstance(self.phase, Over)

    @property
    def answering(self) -> bool:
        """Whether the model has begun to answer."""
        return not isinstance(self.phase, Recalling | Asked)

    def feed(self, line: bytes) -> Step:
        """Return what ``line`` leads to. A line that cannot be read is a failure, and so ends the dialogue."""
        if self.over or not line.strip():
            return Step()
        try:
            return self._heard(decode(line))
        except Unreadable as error:
            return self._fail(UpstreamFailed(f"Claude Code printed a line that cannot be read: {error}"))

    def fail(self, error: CcaError) -> tuple[Event, ...]:
        """End the dialogue for a reason from outside; nothing, if it is over."""
        return () if self.over else self._fail(error).events

    def close(self, how: str) -> tuple[Event, ...]:
        """Return the events of the program's end; ``how`` it ended, as in "exit code 1"."""
        match self.phase:
            case Refused(kind, said):
                return self._fail(api_failure(None, kind, said, self._retry_after)).events
            case _:
                return self.fail(UpstreamFailed(f"Claude Code ended ({how}) before its answer was complete."))

    def _heard(self, line: Line) -> Step:
        match line:
            case TextPiece() | ThinkingPiece() | JsonPiece() | BlockStart():
                return self._pass_on(line)
            case MessageStart():
                return self._begin(line)
            case MessageDelta():
                return self._end(line)
            case WholeMessage():
                return self._whole(line)
            case TurnResult():
                return self._result(line)
            case ControlReply(request_id, error, _):
                if error is None:
                    return Step()
                return self._fail(UpstreamFailed(f"Claude Code refused its {request_id} request: {error}"))
            case ApiRetry():
                return self._retry(line)
            case RateLimit(status, resets_at):
                if status == "rejected" and resets_at is not None:
                    self._retry_after = max(0.0, resets_at - self.began_at)
                return Step()
            case Ignored():
                self.ignored_lines += 1
                return Step()
            case _:
                assert_never(line)

    def _say(self) -> bytes:
        batch = self._batches.popleft()
        if not self._batches:
            self.phase = Asked()
        return batch

    def _begin(self, line: MessageStart) -> Step:
        match self.phase:
            case Asked() | Begun() | Refused():
                self.phase = Begun(line)
                return Step()
            case Saying():
                return self._fail(_broke_off())
            case _:
                return self._fail(UpstreamFailed("Claude Code began an answer before it was asked."))

    def _pass_on(self, line: TextPiece | ThinkingPiece | JsonPiece | BlockStart) -> Step:
        events = tuple(_events(line))
        if not events:
            return Step()
        match self.phase:
            case Saying():
                return Step(events=events)
            case Begun(start):
                self.phase = Saying(start)
                return Step(events=(_started(start), *events))
            case _:
                return self._fail(UpstreamFailed("Claude Code sent a piece of an answer outside of a message."))

    def _end(self, line: MessageDelta) -> Step:
        if line.stop_reason is None:
            return Step()
        match self.phase:
            case Begun(start):
                opening: tuple[Event, ...] = (_started(start),)
            case Saying(start):
                opening = ()
            case _:
                return self._fail(UpstreamFailed("Claude Code ended an answer that it had not begun."))
        ended = self._finish(line.stop_reason, line.stop_sequence, start.usage, line.usage)
        return Step(events=opening + ended)

    def _whole(self, line: WholeMessage) -> Step:
        if line.model == SYNTHETIC:
            self.phase = Refused(line.error, _text(line))
            return Step()
        match self.phase:
            case Saying(start) if start.id != line.id:
                return self._fail(_broke_off())
            case Asked() | Spoken() | Refused():
                self.phase = Spoken(line)
            case Begun(start) if start.id != line.id:
                self.phase = Spoken(line)
            case _:
                pass
        return Step()

    def _result(self, line: TurnResult) -> Step:
        match self.phase:
            case Refused(kind, said):
                return self._fail(api_failure(line.status, kind, said or line.text, self._retry_after))
            case _ if line.is_error:
                return self._fail(api_failure(line.status, None, line.text, self._retry_after))
            case Recalling():
                return Step(write=self._say())
            case Spoken(message):
                return self._spoken(message, line)
            case _:
                return self._fail(UpstreamFailed("Claude Code ended its turn without an answer."))

    def _spoken(self, message: WholeMessage, line: TurnResult) -> Step:
        start = MessageStart(message.id, message.model, message.usage)
        reason = message.stop_reason or line.stop_reason or "end_turn"
        ended = self._finish(reason, message.stop_sequence, message.usage, {})
        return Step(events=(_started(start), *_whole_events(message.content), *ended))

    def _retry(self, line: ApiRetry) -> Step:
        if isinstance(self.phase, Saying):
            return self._fail(_broke_off())
        if line.delay:
            self._retry_after = line.delay
        if line.status not in FINAL_STATUSES:
            return Step()
        said = line.error or f"status {line.status}"
        return self._fail(api_failure(line.status, line.error, said, self._retry_after))

    def _finish(
        self, reason: str, sequence: str | None, start: Mapping[str, Json], end: Mapping[str, Json]
    ) -> tuple[Event, ...]:
        known = STOP_REASONS.get(reason)
        if known is None:
            return self._fail(UpstreamFailed(f"The model stopped for a reason that cca does not know: {reason}")).events
        self.phase = Over()
        return (Finished(known, sequence, usage_of(start, end)),)

    def _fail(self, error: CcaError) -> Step:
        self.phase = Over()
        return Step(events=(Failed(error),))


def _broke_off() -> CcaError:
    return UpstreamFailed(
        "The connection to the model's API broke in the middle of the answer. Send the request again."
    )


def _started(start: MessageStart) -> Started:
    return Started(start.id, start.model, usage_of(start.usage))


def _events(line: TextPiece | ThinkingPiece | JsonPiece | BlockStart) -> Iterable[Event]:
    match line:
        case TextPiece(text):
            return [TextDelta(text)] if text else []
        case ThinkingPiece(text):
            return [ThinkingDelta(text)] if text else []
        case JsonPiece(piece):
            return [ToolCallDelta(piece)] if piece else []
        case BlockStart("tool_use", _, id, name):
            return [ToolCallStarted(id, name)]
        case BlockStart("text", text) if text:
            return [TextDelta(text)]
        case BlockStart("thinking", text) if text:
            return [ThinkingDelta(text)]
        case BlockStart():
            return []
        case _:
            assert_never(line)


def _whole_events(content: Iterable[Mapping[str, Json]]) -> Iterable[Event]:
    for block in content:
        match block:
            case {"type": "text", "text": str(text)}:
                yield TextDelta(text)
            case {"type": "thinking", "thinking": str(text)} if text:
                yield ThinkingDelta(text)
            case {"type": "tool_use", "id": str(id), "name": str(name), "input": arguments}:
                yield ToolCallStarted(id, name)
                yield ToolCallDelta(orjson.dumps(arguments).decode())
            case _:
                pass


def _text(message: WholeMessage) -> str:
    texts = (block.get("text") for block in message.content)
    return "\n".join(text for text in texts if isinstance(text, str))
