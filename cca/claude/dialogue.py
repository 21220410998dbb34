"""The dialogue with one Claude Code process about one conversation. Everything about its order lives here.

``Dialogue`` is told the lines that the program prints and says what to write and what happened. ``phases`` has what it
goes through. A message that breaks off before ``Saying`` is forgotten, and the one that the program then asks for is
used; after it the answer cannot be mended and fails.
"""

from collections import deque
from collections.abc import Iterator, Mapping
from typing import assert_never

from attrs import define, evolve, field, frozen

from cca.claude.blocks import Blocks
from cca.claude.calls import Calls, is_plain
from cca.claude.events import (
    ApiRetry,
    BlockStart,
    CitationPiece,
    Compacted,
    ControlReply,
    Ignored,
    JsonPiece,
    Line,
    MessageDelta,
    MessageStart,
    MessageStop,
    Onward,
    Piece,
    RateLimit,
    SignaturePiece,
    TextPiece,
    ThinkingPiece,
    ToolRequest,
    TurnResult,
    Unreadable,
    WholeMessage,
    decode,
    usage_of,
)
from cca.claude.failures import CONTEXT_LIMITS, FINAL_STATUSES, api_failure, too_long
from cca.claude.form import Form
from cca.claude.phases import (
    Answered,
    Answering,
    Asked,
    Begun,
    Called,
    Over,
    Phase,
    Recalling,
    Refused,
    Resting,
    Saying,
    Spoken,
)
from cca.claude.script import said, script
from cca.claude.told import Told, told_of
from cca.errors import CcaError, NotUnderstood, UpstreamFailed
from cca.model import (
    Conversation,
    Event,
    Failed,
    Finished,
    Json,
    Started,
    StopReason,
    ToolResult,
    Turn,
    Usage,
    UserTurn,
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

BY_ITSELF = ("end_turn", "stop_sequence")
"""Stop reasons after which the program ends its turn, too."""


@frozen
class Step:
    """What one line led to: bytes to write, then events to pass on."""

    write: bytes = b""
    events: tuple[Event, ...] = ()


@define
class Dialogue:
    """``began_at`` is the wall clock in seconds since the epoch, which a subscription's reset time is compared with.

    The program has ``recalled`` the history if it knows it from a file.
    """

    conversation: Conversation
    began_at: float
    recalled: bool = False
    phase: Phase = field(factory=Recalling, init=False)
    ignored_lines: int = field(default=0, init=False)
    _batches: deque[bytes] = field(factory=deque, init=False)
    _retry_after: float | None = field(default=None, init=False)
    _cost_before: float | None = field(default=0.0, init=False)
    _form: Form = field(init=False)
    _calls: Calls = field(init=False)
    _told: Told = field(init=False)
    _blocks: Blocks = field(factory=Blocks, init=False)

    def __attrs_post_init__(self) -> None:
        self._expect(self.conversation)

    def open(self) -> bytes:
        """Return what to write first. What was said is with the program then, and no more here."""
        self._batches.extend(script(self.conversation, recalled=self.recalled))
        self._told = told_of(self.conversation)
        self.conversation = evolve(self.conversation, turns=())
        return self._say()

    def takes(self, turn: Turn) -> bool:
        """Whether the program waits for ``turn``, and it reaches the model as it would from a history.

        While it has calls, that is their results, and nothing else.
        """
        results = [part for part in turn.content if isinstance(part, ToolResult)]
        if isinstance(self.phase, Resting):
            return isinstance(turn, UserTurn) and not results
        plain = [result for result in results if is_plain(result)]
        return len(plain) == len(turn.content) and {result.tool_use_id for result in plain} == self.calls

    def resume(self, conversation: Conversation, began_at: float) -> bytes:
        """Return what to write so that the turn that ends ``conversation`` is answered, which the program ``takes``.

        What it was not told of before besides is told to it. Raise ``BadRequest`` for JSON that is nested too deep.
        """
        *_, last = conversation.turns
        assert isinstance(last, UserTurn), "it is to be answered"
        told = self._told.anew(conversation)
        self.began_at, self._retry_after = began_at, None
        # What it costs is counted for all answers of the process.
        self._cost_before = None
        match self.phase:
            case Called(id):
                self.phase = Answering(id)
                told += self._calls.answer(part for part in last.content if isinstance(part, ToolResult))
                self._form = Form(evolve(conversation, turns=()))
                return told
            case Resting():
                self.phase = Asked()
                self._expect(conversation)
                return told + said(last)
            case _:
                raise AssertionError("the program waits for nothing")

    @property
    def calls(self) -> frozenset[str]:
        """The ids of the tool calls whose results the program waits for."""
        return self.phase.calls if isinstance(self.phase, Called) else frozenset()

    @property
    def over(self) -> bool:
        return isinstance(self.phase, Over | Called | Answered | Resting)

    @property
    def may_go_on(self) -> bool:
        """Whether the program waits for what comes next, or will once its turn is over."""
        return isinstance(self.phase, Called | Answered | Resting)

    @property
    def ending(self) -> bool:
        """Whether the answer is over, and the program's turn is not."""
        return isinstance(self.phase, Answered)

    @property
    def answering(self) -> bool:
        """Whether the model has begun to answer."""
        return not isinstance(self.phase, Recalling | Asked | Answering)

    def feed(self, line: bytes) -> Step:
        """Return what ``line`` leads to. A line that cannot be read is a failure, and so ends the dialogue."""
        if isinstance(self.phase, Over) or not line.strip():
            return Step()
        try:
            return self._heard(decode(line))
        except Unreadable as error:
            return self._fail(UpstreamFailed(f"Claude Code printed a line that cannot be read: {error}"))

    def fail(self, error: CcaError) -> tuple[Event, ...]:
        """End the dialogue for a reason from outside: return nothing, if the answer is over."""
        events = () if self.over else (Failed(error),)
        self.phase = Over()
        return events

    def close(self, how: str) -> tuple[Event, ...]:
        """Return the events of the program's end; ``how`` it ended, as in "exit code 1"."""
        match self.phase:
            case Refused(kind, said, _):
                return self._fail(api_failure(None, kind, said, self._retry_after)).events
            case _:
                return self.fail(UpstreamFailed(f"Claude Code ended ({how}) before its answer was complete."))

    def _heard(self, line: Line) -> Step:
        if isinstance(self.phase, Called | Answered | Resting):
            return self._after(self.phase, line)
        if isinstance(self.phase, Spoken) and _ends(self.phase.message, line):
            return self._spoken(self.phase.message, self.phase.message.stop_reason, None)
        match line:
            case TextPiece() | CitationPiece() | ThinkingPiece() | SignaturePiece() | JsonPiece() | BlockStart():
                return self._pass_on(line)
            case MessageStart():
                return self._begin(line)
            case MessageDelta():
                return self._end(line)
            case MessageStop():
                return self._fail(_broke_off()) if isinstance(self.phase, Saying) else Step()
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
            case RateLimit():
                return self._limited(line)
            case Compacted():
                return self._fail(too_long("Claude Code began to summarize it"))
            case ToolRequest():
                return Step(write=self._calls.requested(line))
            case Onward():
                return Step()
            case Ignored():
                self.ignored_lines += 1
                return Step()
            case _:
                assert_never(line)

    def _after(self, phase: Called | Answered | Resting, line: Line) -> Step:
        """Take in what comes after an answer. What does not belong there ends the dialogue."""
        match phase, line:
            case Called(), ToolRequest():
                return Step(write=self._calls.requested(line))
            case Answered(), TurnResult(is_error=False):
                self.phase = Resting()
            case Called(id) | Answered(id), WholeMessage() if line.id == id and line.model != SYNTHETIC:
                pass
            case _, MessageStop() | RateLimit() | Ignored() | ControlReply(error=None):
                pass
            case _:
                self.phase = Over()
        return Step()

    def _say(self) -> bytes:
        batch = self._batches.popleft()
        if not self._batches:
            self.phase = Asked()
        return batch

    def _begin(self, line: MessageStart) -> Step:
        self._calls.begin()
        match self.phase:
            case Saying() | Refused(cut=True):
                return self._fail(_broke_off())
            case Asked() | Answering() | Begun() | Refused():
                self._form.begin()
                self._blocks.begin()
                self.phase = Begun(line)
                return Step()
            case _:
                return self._fail(UpstreamFailed("Claude Code began an answer before it was asked."))

    def _pass_on(self, line: Piece) -> Step:
        events = tuple(self._passed_on(line))
        self._calls.note(line)
        if not events:
            return Step()
        match self.phase:
            case Saying():
                return Step(events=events)
            case Begun(start):
                self.phase = Saying(start)
                return Step(self._told.seal(), (_started(start), *events))
            case _:
                return self._fail(UpstreamFailed("Claude Code sent a piece of an answer outside of a message."))

    def _expect(self, conversation: Conversation) -> None:
        self._form = Form(evolve(conversation, turns=()))
        self._calls = Calls(frozenset(tool.name for tool in conversation.tools))

    def _passed_on(self, line: Piece) -> Iterator[Event]:
        for event in self._blocks.events(line):
            yield from self._form.pass_on(event)

    def _end(self, line: MessageDelta) -> Step:
        if line.stop_reason is None:
            return Step()
        empty = isinstance(self.phase, Begun)
        match self.phase:
            case Begun(start):
                opening: tuple[Event, ...] = (_started(start), *self._blocks.rest())
            case Saying(start):
                opening = ()
            case _:
                return self._fail(UpstreamFailed("Claude Code ended an answer that it had not begun."))
        step = self._finish(
            opening, line.stop_reason, line.stop_sequence, usage_of(start.usage, line.usage), details=line.details
        )
        if not isinstance(step.events[-1], Finished):
            return step
        awaited = self._calls.awaited
        if line.stop_reason == "tool_use" and awaited:
            self.phase = Called(start.id, awaited)
        elif line.stop_reason in BY_ITSELF and not (self._calls.any or empty):
            # After a message of nothing the program asks for the same again, and pays for it.
            self.phase = Answered(start.id)
        return evolve(step, write=self._told.unseal()) if self.may_go_on else step

    def _whole(self, line: WholeMessage) -> Step:
        if line.model == SYNTHETIC:
            if line.stop_reason == "refusal" and isinstance(self.phase, Begun | Saying):
                # The program says that the model refused; the model's own message ends with it next.
                return Step()
            cut = isinstance(self.phase, Saying) or (isinstance(self.phase, Refused) and self.phase.cut)
            self.phase = Refused(line.error, _text(line), cut)
            return Step()
        match self.phase:
            case Begun(start) | Saying(start) if start.id == line.id:
                # What was streamed, once more.
                pass
            case Answering(id) if id == line.id:
                pass
            case Saying() | Refused(cut=True):
                return self._fail(_broke_off())
            case Spoken(message):
                self.phase = Spoken(evolve(message, pieces=message.pieces + line.pieces))
            case Asked() | Answering() | Begun() | Refused():
                self.phase = Spoken(line)
            case _:
                return self._fail(UpstreamFailed("Claude Code answered before it was asked."))
        return Step()

    def _result(self, line: TurnResult) -> Step:
        match self.phase:
            case Refused(kind, said, _):
                return self._fail(self._failure(line, kind, said or line.text))
            case _ if line.is_error:
                return self._fail(self._failure(line, None, line.text))
            case Recalling():
                if line.total_cost is not None:
                    self._cost_before = line.total_cost
                return Step(write=self._say())
            case Spoken(message):
                return self._spoken(message, message.stop_reason or line.stop_reason, self._cost(line))
            case _:
                return self._fail(UpstreamFailed("Claude Code ended its turn without an answer."))

    def _cost(self, line: TurnResult) -> float | None:
        if line.total_cost is None or self._cost_before is None:
            return None
        return max(0.0, line.total_cost - self._cost_before)

    def _failure(self, line: TurnResult, kind: str | None, said: str) -> CcaError:
        if line.terminal_reason in CONTEXT_LIMITS:
            return too_long(said)
        return api_failure(line.status, kind, said, self._retry_after)

    def _spoken(self, message: WholeMessage, reason: str | None, cost: float | None) -> Step:
        start = MessageStart(message.id, message.model, message.usage)
        self._form.begin()
        self._blocks.begin()
        said = [event for piece in message.pieces for event in self._passed_on(piece)]
        said += self._blocks.rest()
        usage = usage_of(message.usage)
        return self._finish((_started(start), *said), reason, message.stop_sequence, usage, cost, message.details)

    def _retry(self, line: ApiRetry) -> Step:
        if isinstance(self.phase, Saying):
            return self._fail(_broke_off())
        self._wait(line.delay)
        if line.status not in FINAL_STATUSES:
            return Step()
        said = f"the API answered {line.status} ({line.error or 'no reason given'})"
        return self._fail(api_failure(line.status, line.error, said, self._retry_after))

    def _limited(self, line: RateLimit) -> Step:
        if line.status == "rejected" and line.resets_at is not None:
            self._wait(line.resets_at - self.began_at)
        return Step()

    def _wait(self, seconds: float) -> None:
        """Remember for how long no try helps: the longest time that was said counts."""
        if seconds > 0:
            self._retry_after = max(self._retry_after or 0.0, seconds)

    def _finish(
        self,
        said: tuple[Event, ...],
        reason: str | None,
        sequence: str | None,
        usage: Usage,
        cost: float | None = None,
        details: Mapping[str, Json] | None = None,
    ) -> Step:
        known = STOP_REASONS.get(reason or "")
        if known is None:
            return self._fail(NotUnderstood(f"The model stopped for a reason that cca does not know: {reason}"))
        self.phase = Over()
        return Step(events=(*said, *self._form.end(Finished(known, sequence, usage, cost, details))))

    def _fail(self, error: CcaError) -> Step:
        self.phase = Over()
        return Step(events=(Failed(error),))


def _ends(message: WholeMessage, line: Line) -> bool:
    """Whether ``line`` shows that all of ``message`` is here. Its result does too, and may say that it failed."""
    match line:
        case WholeMessage(id, model):
            return id != message.id or model == SYNTHETIC
        case MessageStart() | Onward() | ToolRequest() | ApiRetry():
            return True
        case _:
            return False


def _broke_off() -> CcaError:
    return UpstreamFailed(
        "The connection to the model's API broke in the middle of the answer. Send the request again."
    )


def _started(start: MessageStart) -> Started:
    return Started(start.id, start.model, usage_of(start.usage))


def _text(message: WholeMessage) -> str:
    return "\n".join(piece.text for piece in message.pieces if isinstance(piece, BlockStart))
