"""Conversations that stay after an answer that ended by itself, until the next turn: with processes in memory."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import orjson
import pytest
import trio
from attrs import define, evolve

from cca.backends import Exit, Process
from cca.claude.lines import LINE_LIMIT
from cca.errors import CcaError, Unavailable
from cca.exchange import CHANNEL_SIZE, Answer, answer_on, hold, settled
from cca.model import (
    AssistantTurn,
    Conversation,
    Event,
    Failed,
    Finished,
    Image,
    Sampling,
    Text,
    Thinking,
    Told,
    Tool,
    ToolChoice,
    ToolResult,
    ToolUse,
    UserTurn,
)
from cca.staying import GONE_TIMEOUT, LOOK_INTERVAL, REST_TIMEOUT, Room, Staying
from fake_backend import (
    END,
    REMEMBERED,
    RESULT,
    START,
    Action,
    Answered,
    FakeBackend,
    FakeProcess,
    Hang,
    Pause,
    piece,
    printed,
    streamed,
)
from staying_room import DEADLINES, PATIENCE, said, staying_with

TOOL = Tool("look", "Look.", {"type": "object"})
ASKED = Conversation("sonnet", (UserTurn((Text("Is it so?"),)),), system=("Be brief.",), tools=(TOOL,))

YES: list[Action] = [START, piece("Ye"), piece("s."), END]
MORE: list[Action] = [Answered(2), START, piece("More."), END, RESULT, Hang()]
GOES_ON: list[Action] = [*YES, RESULT, *MORE]
ANEW: list[Action] = [REMEMBERED, START, piece("Anew."), END, RESULT, Hang()]


def following(conversation: Conversation = ASKED, answer: str = "Yes.", then: str = "And?") -> Conversation:
    more = (AssistantTurn((Text(answer),)), UserTurn((Text(then),)))
    return evolve(conversation, turns=(*conversation.turns, *more))


FOLLOWING = following()


def frames(written: bytes) -> list[Any]:
    """Return in short what was written: a turn's text, the settings."""
    short = []
    for frame in map(orjson.loads, written.splitlines()):
        if frame["type"] == "user":
            short.append(frame["message"]["content"][0]["text"])
        else:
            short.append(frame["request"]["settings"])
    return short


async def test_a_process_that_has_answered_is_told_the_next_turn_and_nothing_else(
    autojump_clock: trio.testing.MockClock,
) -> None:
    third: list[Action] = [Answered(3), START, piece("Enough."), END, RESULT, Hang()]
    backend = FakeBackend([*GOES_ON[:-1], *third])
    room = staying_with(backend)
    async with room.opened():
        assert (await said(room, ASKED)).said == "Yes."
        assert (backend.alive, room.number) == (1, 1)
        assert (await said(room, FOLLOWING)).said == "More."
        assert (await said(room, following(FOLLOWING, "More.", "Go on."))).said == "Enough."
        assert (backend.alive, room.number) == (1, 1)
    [process] = backend.processes
    assert [frames(each) for each in process.written[1:]] == [["And?"], ["Go on."]]


async def test_a_limit_that_is_near_takes_a_process_of_its_own(autojump_clock: trio.testing.MockClock) -> None:
    """It ends by itself at the limit, which the one that stayed would not."""
    asked = evolve(ASKED, tools=())
    backend = FakeBackend(GOES_ON)
    room = staying_with(backend)
    async with room.opened():
        await said(room, asked)
        backend.actions = ANEW
        assert (await said(room, evolve(following(asked), sampling=Sampling(max_tokens=32)))).said == "Anew."
    assert len(backend.processes) == 2


async def test_a_fault_while_a_process_stays_ends_that_process_alone(
    caplog: pytest.LogCaptureFixture, autojump_clock: trio.testing.MockClock
) -> None:
    backend = FakeBackend([*YES, RESULT, RuntimeError("x")])
    room = staying_with(backend)
    async with room.opened():
        await said(room, ASKED)
        await trio.sleep(1)
        assert (backend.alive, room.number) == (0, 0)
        backend.actions = GOES_ON
        assert (await said(room, ASKED)).said == "Yes."
    assert "a process that stayed" in caplog.text


async def test_a_fault_in_a_look_is_logged_and_the_next_look_is_taken(
    caplog: pytest.LogCaptureFixture, autojump_clock: trio.testing.MockClock
) -> None:
    looks: Iterator[Exception | bool] = iter([RuntimeError("x"), False, True])

    def short() -> bool:
        look = next(looks)
        if isinstance(look, Exception):
            raise look
        return look

    room = Staying(FakeBackend(GOES_ON), Room(4, PATIENCE, short=short), lambda: 1e9)
    async with room.opened():
        await said(room, ASKED)
        await trio.sleep(2.5 * LOOK_INTERVAL)
        assert room.number == 1
        await trio.sleep(LOOK_INTERVAL)
        assert room.number == 0
    assert "looking at the processes that stay" in caplog.text


# After what a process stays, and after what it does not.


def stopped(reason: str) -> bytes:
    return streamed("message_delta", delta={"stop_reason": reason}, usage={"output_tokens": 3})


@pytest.mark.parametrize(
    ("reason", "stays"),
    [
        ("end_turn", 1),
        ("stop_sequence", 1),
        ("max_tokens", 0),
        ("refusal", 0),
        ("model_context_window_exceeded", 0),
        ("tool_use", 0),
    ],
)
async def test_it_stays_after_an_answer_that_ended_by_itself(
    reason: str, stays: int, autojump_clock: trio.testing.MockClock
) -> None:
    backend = FakeBackend([START, piece("Yes."), stopped(reason), RESULT, Hang()])
    room = staying_with(backend)
    async with room.opened():
        await said(room, ASKED)
        assert (backend.alive, room.number) == (stays, stays)


MESSAGE = {"id": "msg_1", "model": "claude-x", "content": [{"type": "text", "text": "Yes."}]}
WHOLE = printed(type="assistant", message={**MESSAGE, "stop_reason": "end_turn", "usage": {}})
CALL = streamed("content_block_start", content_block={"type": "tool_use", "id": "a", "name": "look", "input": {}})


@pytest.mark.parametrize(
    "actions",
    [
        pytest.param([START, piece("Ye"), Exit(1)], id="an end in its middle"),
        pytest.param([START, piece("Ye"), stopped("pause_turn"), Hang()], id="a reason that nobody knows"),
        pytest.param([START, piece("Ye"), Hang()], id="silence"),
        pytest.param([printed(type="result", is_error=True, result="no", num_turns=1), Hang()], id="a refusal"),
    ],
)
async def test_it_does_not_stay_after_a_failure(
    actions: Sequence[Action], autojump_clock: trio.testing.MockClock
) -> None:
    backend = FakeBackend(actions)
    room = staying_with(backend)
    async with room.opened():
        with pytest.raises(CcaError):
            await said(room, ASKED)
        assert (backend.alive, room.number) == (0, 0)


@pytest.mark.parametrize(
    "actions",
    [
        pytest.param([WHOLE, RESULT, Hang()], id="that was not streamed"),
        pytest.param([START, piece("Yes."), CALL, stopped("stop_sequence"), Hang()], id="whose call was cut off"),
    ],
)
async def test_it_does_not_stay_after_an_answer(
    actions: Sequence[Action], autojump_clock: trio.testing.MockClock
) -> None:
    backend = FakeBackend(actions)
    room = staying_with(backend)
    async with room.opened():
        assert (await said(room, ASKED)).said == "Yes."
        assert (backend.alive, room.number) == (0, 0)


async def test_one_that_stayed_does_not_stay_again_after_a_limit(autojump_clock: trio.testing.MockClock) -> None:
    backend = FakeBackend([*YES, RESULT, Answered(2), START, piece("Mo"), stopped("max_tokens"), Hang()])
    room = staying_with(backend)
    async with room.opened():
        await said(room, ASKED)
        assert (await said(room, FOLLOWING)).stop_reason == "max_tokens"
        assert (backend.alive, room.number) == (0, 0)


@define
class Dying(FakeBackend):
    """Its processes take ``seconds`` to be gone."""

    seconds: float = 0

    @asynccontextmanager
    async def open(self, conversation: Conversation) -> AsyncIterator[Process]:
        async with FakeBackend.open(self, conversation) as process:
            try:
                yield process
            finally:
                with trio.CancelScope(shield=True):
                    await trio.sleep(self.seconds)


@pytest.mark.parametrize(("dying", "waited"), [(5, 5), (1000, GONE_TIMEOUT)])
@pytest.mark.parametrize("leaves", [False, True], ids=["it has its answer", "its client leaves"])
async def test_a_request_whose_process_does_not_stay_waits_until_it_is_gone_but_not_for_ever(
    leaves: Any, dying: float, waited: float, autojump_clock: trio.testing.MockClock
) -> None:
    ending: list[Action] = [Hang()] if leaves else [stopped("max_tokens"), Hang()]
    room = staying_with(Dying([START, piece("Ye"), *ending], seconds=dying))
    async with room.opened():
        with trio.move_on_after(1 if leaves else 1000):
            await said(room, ASKED)
        assert trio.current_time() == waited + leaves


@pytest.mark.parametrize("most", [0, 1])
async def test_none_stays_where_none_may(most: int, autojump_clock: trio.testing.MockClock) -> None:
    backend = FakeBackend(GOES_ON)
    room = staying_with(backend, most)
    async with room.opened():
        await said(room, ASKED)
        assert (backend.alive, room.number) == (most, most)


# The rest of the program's turn.

ECHO = printed(type="assistant", message=MESSAGE)
LIMIT = printed(type="rate_limit_event", rate_limit_info={"status": "allowed"})
DONE = printed(type="control_response", response={"subtype": "success", "request_id": "settings-2", "response": {}})
NEWS = printed(type="system", subtype="status", status="idle")


@pytest.mark.parametrize("apart", [True, False], ids=["a chunk each", "in one chunk"])
async def test_what_ends_a_turn_is_heard_out(apart: Any, autojump_clock: trio.testing.MockClock) -> None:
    rest = [ECHO, streamed("content_block_stop", index=0), streamed("message_stop"), LIMIT, DONE, NEWS, b"\n", RESULT]
    backend = FakeBackend([*YES[:-1], *((END, *rest) if apart else (END + b"".join(rest),)), LIMIT, *MORE])
    room = staying_with(backend)
    async with room.opened():
        await said(room, ASKED)
        assert (await said(room, FOLLOWING)).said == "More."
    assert len(backend.processes) == 1


async def test_who_asks_before_the_turn_has_ended_waits_for_it(autojump_clock: trio.testing.MockClock) -> None:
    backend = FakeBackend([*YES, Pause(2), RESULT, *MORE])
    room = staying_with(backend)
    async with room.opened():
        await said(room, ASKED)
        assert (await said(room, FOLLOWING)).said == "More."
        assert trio.current_time() == 2
    assert len(backend.processes) == 1


async def test_a_turn_that_does_not_end_is_not_waited_for_long(autojump_clock: trio.testing.MockClock) -> None:
    backend = FakeBackend([*YES, Hang()])
    room = staying_with(backend)
    async with room.opened():
        await said(room, ASKED)
        backend.actions = ANEW
        assert (await said(room, FOLLOWING)).said == "Anew."
        assert trio.current_time() == REST_TIMEOUT
        assert (len(backend.processes), backend.alive) == (2, 1)


async def test_one_whose_turn_does_not_end_is_let_go_though_nobody_comes(
    autojump_clock: trio.testing.MockClock,
) -> None:
    backend = FakeBackend([*YES, Hang()])
    room = staying_with(backend)
    async with room.opened():
        await said(room, ASKED)
        await trio.sleep(REST_TIMEOUT - 0.1)
        assert room.number == 1
        await trio.sleep(0.2)
        assert await number_of(room, backend) == (0, 0)


WRONG = [
    pytest.param(streamed("message_start", message={"id": "msg_2", "model": "x", "usage": {}}), id="another message"),
    pytest.param(piece("!"), id="more of an answer"),
    pytest.param(printed(type="assistant", message={**MESSAGE, "id": "msg_2"}), id="another whole message"),
    pytest.param(printed(type="assistant", message={**MESSAGE, "model": "<synthetic>"}), id="words of its own"),
    pytest.param(printed(type="result", is_error=True, result="no", num_turns=1), id="a failure"),
    pytest.param(printed(type="user", message={"role": "user", "content": "Go on."}), id="a turn of its own"),
    pytest.param(printed(type="system", subtype="api_retry", error_status=500, retry_delay_ms=1), id="a retry"),
    pytest.param(printed(type="system", subtype="compact_boundary"), id="a summary"),
    pytest.param(
        printed(type="control_response", response={"subtype": "error", "request_id": "s", "error": "no"}),
        id="no to its settings",
    ),
    pytest.param(b"Segmentation fault\n", id="what nobody can read"),
    pytest.param(b"x" * (LINE_LIMIT + 1), id="a line without end"),
    pytest.param(Exit(1), id="nothing more"),
]


@pytest.mark.parametrize("wrong", WRONG)
async def test_a_program_that_does_not_end_its_turn_as_it_should_is_let_go(
    wrong: Action, autojump_clock: trio.testing.MockClock
) -> None:
    backend = FakeBackend([*YES, Pause(1), wrong, *GOES_ON])
    room = staying_with(backend)
    async with room.opened():
        await said(room, ASKED)
        backend.actions = ANEW
        assert (await said(room, FOLLOWING)).said == "Anew."
        assert trio.current_time() == 1
        assert (len(backend.processes), backend.alive) == (2, 1)


@pytest.mark.parametrize("wrong", [*WRONG, pytest.param(RESULT, id="another end")])
async def test_a_program_that_speaks_unasked_is_let_go(wrong: Action, autojump_clock: trio.testing.MockClock) -> None:
    """It would be taken for the answer to what comes next."""
    backend = FakeBackend([*YES, RESULT, Pause(10), wrong, Hang()])
    room = staying_with(backend)
    async with room.opened():
        await said(room, ASKED)
        await trio.sleep(9)
        assert (backend.alive, room.number) == (1, 1)
        await trio.sleep(2)
        assert (backend.alive, room.number) == (0, 0)


async def test_news_that_mean_nothing_let_it_stay(autojump_clock: trio.testing.MockClock) -> None:
    backend = FakeBackend([*YES, RESULT, Pause(10), NEWS, LIMIT, Pause(10), *MORE])
    room = staying_with(backend)
    async with room.opened():
        await said(room, ASKED)
        await trio.sleep(25)
        assert (await said(room, FOLLOWING)).said == "More."
    assert len(backend.processes) == 1


# What is told again, and what gets a fresh process.


def sampled(**sampling: Any) -> Callable[[Conversation], Conversation]:
    return lambda conversation: evolve(conversation, sampling=Sampling(**sampling))


def changed(**fields: Any) -> Callable[[Conversation], Conversation]:
    return lambda conversation: evolve(conversation, **fields)


SCHEMA = {"type": "object", "properties": {}, "additionalProperties": False}
MAY_CHANGE = [
    pytest.param(sampled(temperature=0.5), {"temperature": 0.5}, id="the temperature"),
    pytest.param(sampled(top_p=0.5, top_k=3), {"top_p": 0.5, "top_k": 3}, id="what it chooses from"),
    pytest.param(sampled(max_tokens=100), {"max_tokens": 100}, id="a limit"),
    pytest.param(sampled(stop_sequences=("x",)), {"stop_sequences": ["x"]}, id="where it stops"),
    pytest.param(sampled(thinking=True), {"thinking": {"type": "adaptive"}}, id="that it thinks"),
    pytest.param(
        changed(tool_choice=ToolChoice(parallel=False)),
        {"tool_choice": {"type": "auto", "disable_parallel_tool_use": True}},
        id="how it may call",
    ),
    pytest.param(
        changed(tools=(evolve(TOOL, description="Look well."),)),
        {"tools": [{"name": "look", "description": "Look well.", "input_schema": {"type": "object"}}]},
        id="what a tool is for",
    ),
    pytest.param(
        changed(tools=(evolve(TOOL, input_schema=SCHEMA),)),
        {"tools": [{"name": "look", "description": "Look.", "input_schema": SCHEMA}]},
        id="what a tool takes",
    ),
    pytest.param(
        changed(output_schema=SCHEMA),
        {"output_config": {"format": {"type": "json_schema", "schema": SCHEMA}}},
        id="what it answers in",
    ),
]
PLAIN_BODY = {"tools": [{"name": "look", "description": "Look.", "input_schema": {"type": "object"}}]}


def body_of(settings: Any) -> Any:
    return orjson.loads(settings["env"]["CLAUDE_CODE_EXTRA_BODY"])


def again(process: FakeProcess, answer: bytes) -> int:
    """Let a process answer what it is told next. Return how often it was written to."""
    count = len(process.written)
    process.actions.clear()
    process.actions.extend([Answered(count + 1), START, answer, END, RESULT, Hang()])
    return count


@pytest.mark.parametrize(("change", "body"), MAY_CHANGE)
async def test_settings_that_changed_are_told_again_and_taken_back(
    change: Callable[[Conversation], Conversation], body: Any, autojump_clock: trio.testing.MockClock
) -> None:
    backend = FakeBackend([*YES, RESULT, Answered(2), START, piece("{}"), END, RESULT, Hang()])
    room = staying_with(backend)
    async with room.opened():
        await said(room, ASKED)
        await said(room, change(FOLLOWING))
        [process] = backend.processes
        count = again(process, piece("Yes."))
        await said(room, following(FOLLOWING, "{}"))
    assert len(backend.processes) == 1
    settings, turn = frames(process.written[1])
    assert (body_of(settings), turn) == ({**PLAIN_BODY, **body}, "And?")
    settings, turn = frames(process.written[count])
    assert (body_of(settings), turn) == (PLAIN_BODY, "And?")


@pytest.mark.parametrize(("change", "body"), MAY_CHANGE)
async def test_settings_that_stayed_the_same_are_not_told_again(
    change: Callable[[Conversation], Conversation], body: Any, autojump_clock: trio.testing.MockClock
) -> None:
    backend = FakeBackend([START, piece("{}"), END, RESULT, Hang()])
    room = staying_with(backend)
    asked = change(ASKED)
    async with room.opened():
        await said(room, asked)
        [process] = backend.processes
        count = again(process, piece("{}"))
        await said(room, following(asked, "{}"))
    assert len(backend.processes) == 1
    assert frames(process.written[count]) == ["And?"]


def edited(conversation: Conversation, place: int, *content: Any) -> Conversation:
    turns: list[Any] = list(conversation.turns)
    turns[place] = evolve(turns[place], content=content)
    return evolve(conversation, turns=tuple(turns))


MUST_NOT = [
    pytest.param(FOLLOWING, "bob", id="another owner"),
    pytest.param(evolve(FOLLOWING, model="opus"), "ann", id="another model"),
    pytest.param(evolve(FOLLOWING, system=()), "ann", id="no system prompt"),
    pytest.param(evolve(FOLLOWING, system=("Be brief", ".")), "ann", id="a system prompt cut otherwise"),
    pytest.param(evolve(FOLLOWING, tools=()), "ann", id="no tools"),
    pytest.param(evolve(FOLLOWING, tools=(evolve(TOOL, name="see"),)), "ann", id="a tool of another name"),
    pytest.param(sampled(effort="low")(FOLLOWING), "ann", id="another effort"),
    pytest.param(sampled(thinking=False)(FOLLOWING), "ann", id="no thinking"),
    pytest.param(evolve(FOLLOWING, tool_choice=ToolChoice("any")), "ann", id="a call that must be"),
    pytest.param(edited(FOLLOWING, 0, Text("Was it so?")), "ann", id="another question"),
    pytest.param(edited(FOLLOWING, 0, Text("Is it "), Text("so?")), "ann", id="a question cut otherwise"),
    pytest.param(edited(FOLLOWING, 0, Image(url="https://x/y"), Text("Is it so?")), "ann", id="a picture with it"),
    pytest.param(edited(FOLLOWING, 1, Text("No.")), "ann", id="another answer"),
    pytest.param(edited(FOLLOWING, 1, Text("Yes. ")), "ann", id="an answer with a blank"),
    pytest.param(evolve(FOLLOWING, turns=FOLLOWING.turns[:1]), "ann", id="the same question again"),
    pytest.param(following(FOLLOWING), "ann", id="a turn in between"),
    pytest.param(evolve(FOLLOWING, turns=FOLLOWING.turns[2:]), "ann", id="nothing of what was said"),
    pytest.param(evolve(FOLLOWING, turns=(*FOLLOWING.turns[:2], *FOLLOWING.turns[2:] * 2)), "ann", id="two turns more"),
]


@pytest.mark.parametrize(("conversation", "owner"), MUST_NOT)
async def test_with_this_a_fresh_process_answers(
    conversation: Conversation, owner: str, autojump_clock: trio.testing.MockClock
) -> None:
    backend = FakeBackend(GOES_ON)
    room = staying_with(backend)
    async with room.opened():
        await said(room, ASKED)
        backend.actions = [REMEMBERED, *ANEW] if len(conversation.turns) > 3 else ANEW
        if len(conversation.turns) == 1:
            backend.actions = ANEW[1:]
        assert (await said(room, conversation, owner)).said == "Anew."
    assert len(backend.processes) == 2
    assert len(backend.processes[0].written) == 1


@pytest.mark.parametrize(
    "conversation",
    [
        pytest.param(edited(FOLLOWING, 1, Text("Ye"), Text("s.")), id="an answer cut otherwise"),
        pytest.param(edited(FOLLOWING, 1, Thinking("Hm", "c2ln"), Text("Yes.")), id="a thought"),
        pytest.param(edited(FOLLOWING, 2, Image(url="https://x/y"), Text("And?")), id="a picture with the new turn"),
    ],
)
async def test_with_this_the_conversation_goes_on(
    conversation: Conversation, autojump_clock: trio.testing.MockClock
) -> None:
    backend = FakeBackend(GOES_ON)
    room = staying_with(backend)
    async with room.opened():
        await said(room, ASKED)
        assert (await said(room, conversation)).said == "More."
    assert len(backend.processes) == 1


# How many stay, and for how long.


async def number_of(room: Staying, backend: FakeBackend) -> tuple[int, int]:
    await trio.testing.wait_all_tasks_blocked()
    return room.number, backend.alive


def asked_by(number: int) -> Conversation:
    return edited(ASKED, 0, Text(f"Is it {number}?"))


async def test_the_last_to_have_answered_stay(autojump_clock: trio.testing.MockClock) -> None:
    backend = FakeBackend(GOES_ON)
    room = staying_with(backend, most=2)
    async with room.opened():
        await said(room, asked_by(1))
        await said(room, asked_by(2))
        await said(room, following(asked_by(1)))
        await said(room, asked_by(3))
        assert await number_of(room, backend) == (2, 2)
        assert [process.ended for process in backend.processes] == [False, True, False]


async def test_one_that_nobody_comes_for_is_let_go_in_time_each_time_anew(
    autojump_clock: trio.testing.MockClock,
) -> None:
    backend = FakeBackend(GOES_ON)
    room = staying_with(backend)
    async with room.opened():
        await said(room, ASKED)
        await trio.sleep(PATIENCE - 1)
        await said(room, FOLLOWING)
        await trio.sleep(PATIENCE - 1)
        assert await number_of(room, backend) == (1, 1)
        await trio.sleep(2)
        assert await number_of(room, backend) == (0, 0)


@pytest.mark.parametrize("turn", range(20))
async def test_who_comes_in_the_moment_it_is_let_go_is_answered(
    turn: int, autojump_clock: trio.testing.MockClock
) -> None:
    backend = FakeBackend(GOES_ON)
    room = staying_with(backend)
    async with room.opened():
        await said(room, ASKED)
        backend.actions = ANEW
        await trio.sleep(PATIENCE)
        assert (await said(room, FOLLOWING)).said in ("More.", "Anew.")
        assert await number_of(room, backend) == (1, 1)


async def test_those_that_have_waited_longest_are_let_go_where_all_take_too_much_memory(
    autojump_clock: trio.testing.MockClock,
) -> None:
    backend = FakeBackend(GOES_ON)
    room = Staying(backend, Room(most=9, patience=PATIENCE, memory=250), lambda: 1e9)
    async with room.opened():
        for number in range(4):
            await said(room, asked_by(number))
            backend.processes[-1].memory = 100
        await trio.sleep(LOOK_INTERVAL)
        assert await number_of(room, backend) == (2, 2)
        assert [process.ended for process in backend.processes] == [True, True, False, False]


async def test_one_after_the_other_is_let_go_while_the_machine_is_short_of_memory(
    autojump_clock: trio.testing.MockClock,
) -> None:
    backend, short = FakeBackend(GOES_ON), True
    room = Staying(backend, Room(most=9, patience=PATIENCE, short=lambda: short), lambda: 1e9)
    async with room.opened():
        for number in range(3):
            await said(room, asked_by(number))
        for left in (2, 1):
            await trio.sleep(LOOK_INTERVAL)
            assert await number_of(room, backend) == (left, left)
        short = False
        await trio.sleep(LOOK_INTERVAL)
        assert await number_of(room, backend) == (1, 1)
        assert [process.ended for process in backend.processes] == [True, True, False]


async def test_one_of_an_owner_who_may_ask_no_more_is_let_go(autojump_clock: trio.testing.MockClock) -> None:
    backend, barred = FakeBackend(GOES_ON), set[str]()
    room = Staying(backend, Room(most=9, patience=PATIENCE, barred=lambda: barred), lambda: 1e9)
    async with room.opened():
        await said(room, asked_by(1), "ann")
        await said(room, asked_by(2), "bob")
        barred.add("ann")
        await trio.sleep(LOOK_INTERVAL)
        assert await number_of(room, backend) == (1, 1)
        assert [process.ended for process in backend.processes] == [True, False]


async def test_one_whose_program_is_no_more_is_let_go(autojump_clock: trio.testing.MockClock) -> None:
    backend = FakeBackend(GOES_ON)
    room = staying_with(backend)
    async with room.opened():
        await said(room, asked_by(1))
        await said(room, asked_by(2))
        backend.processes[0].stale = True
        await trio.sleep(LOOK_INTERVAL)
        assert await number_of(room, backend) == (1, 1)
        backend.processes[1].stale = True
        backend.actions = ANEW
        assert (await said(room, following(asked_by(2)))).said == "Anew."


async def test_the_one_that_has_waited_longest_makes_room_for_others(autojump_clock: trio.testing.MockClock) -> None:
    backend = FakeBackend(GOES_ON)
    room = staying_with(backend)
    async with room.opened():
        for number in (1, 2):
            await said(room, asked_by(number))
        assert room.spare()
        assert await number_of(room, backend) == (1, 1)
        assert [process.ended for process in backend.processes] == [True, False]
        assert room.spare()
        assert not room.spare()
        assert await number_of(room, backend) == (0, 0)


async def test_one_that_died_is_given_to_nobody(autojump_clock: trio.testing.MockClock) -> None:
    backend = FakeBackend(GOES_ON)
    room = staying_with(backend)
    async with room.opened():
        await said(room, ASKED)
        backend.processes[0].end()
        backend.actions = ANEW
        assert (await said(room, FOLLOWING)).said == "Anew."


async def test_of_two_in_which_the_same_was_said_the_later_stays(autojump_clock: trio.testing.MockClock) -> None:
    backend = FakeBackend(GOES_ON)
    room = staying_with(backend)
    async with room.opened():
        await said(room, ASKED)
        await said(room, ASKED)
        assert await number_of(room, backend) == (1, 1)
        assert [process.ended for process in backend.processes] == [True, False]
        assert (await said(room, FOLLOWING)).said == "More."
    assert len(backend.processes) == 2


# Requests at the same time.


async def test_of_two_that_go_on_with_the_same_one_gets_it(autojump_clock: trio.testing.MockClock) -> None:
    backend = FakeBackend(GOES_ON)
    room = staying_with(backend)
    answers = []

    async def ask() -> None:
        answers.append((await said(room, FOLLOWING)).said)

    async with room.opened():
        await said(room, ASKED)
        backend.actions = ANEW
        async with trio.open_nursery() as nursery:
            for _ in range(3):
                nursery.start_soon(ask)
        assert sorted(answers) == ["Anew.", "Anew.", "More."]
        assert (len(backend.processes), room.number) == (3, 2)


SLOWLY: list[Action] = [*YES, Pause(1), RESULT, Answered(2), START, Hang()]


async def test_who_leaves_while_it_waits_for_the_turns_end_takes_the_process_along(
    autojump_clock: trio.testing.MockClock,
) -> None:
    backend = FakeBackend(SLOWLY)
    room = staying_with(backend)
    async with room.opened():
        await said(room, ASKED)
        with trio.move_on_after(0.5) as scope:
            await said(room, FOLLOWING)
        assert scope.cancelled_caught
        assert await number_of(room, backend) == (0, 0)


class FromThenOn(trio.abc.Instrument):
    """Calls ``then`` so many steps of the scheduler after ``since``."""

    def __init__(self, since: float, steps: int, then: Callable[[], None]) -> None:
        self.since, self.steps, self.then = since, steps, then

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        self.steps -= trio.current_time() >= self.since
        if self.steps == 0:
            trio.lowlevel.remove_instrument(self)
            self.then()


@pytest.mark.parametrize("step", range(1, 12))
async def test_who_leaves_at_any_step_of_taking_a_process_leaves_nothing(
    step: int, autojump_clock: trio.testing.MockClock
) -> None:
    backend = FakeBackend(SLOWLY)
    room = staying_with(backend)
    async with room.opened():
        await said(room, ASKED)
        with trio.move_on_after(50) as scope:
            trio.lowlevel.add_instrument(FromThenOn(1, step, scope.cancel))
            await said(room, FOLLOWING)
        assert scope.cancelled_caught
        assert await number_of(room, backend) == (0, 0)


async def events_of(
    room: Staying, conversation: Conversation, settle: Callable[[], Awaitable[None]] = settled
) -> list[Event]:
    """Return the events of an answer that is kept by ``settle`` before its end is told."""
    sender, receiver = trio.open_memory_channel[Told](CHANNEL_SIZE)

    async def work(answer: Answer) -> None:
        await hold(room.talk("ann", conversation), DEADLINES, answer.choice(0, lambda _: None), settle)

    async with trio.open_nursery() as nursery, receiver:
        nursery.start_soon(answer_on, sender, work)
        return [told.event async for told in receiver]


async def test_an_answer_that_could_not_be_kept_lets_its_process_go_and_who_waits_for_it_too(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async def unkept() -> None:
        await trio.sleep(1)
        raise Unavailable("There is no room on the disk.")

    backend = FakeBackend(GOES_ON)
    room = staying_with(backend)
    events: list[Event] = []

    async def ask() -> None:
        events.extend(await events_of(room, ASKED, unkept))

    async with room.opened(), trio.open_nursery() as nursery:
        nursery.start_soon(ask)
        await trio.testing.wait_all_tasks_blocked()
        assert room.number == 1
        backend.actions = ANEW
        assert (await said(room, FOLLOWING)).said == "Anew."
        assert trio.current_time() == 1
        assert isinstance(events[-1], Failed)
        assert await number_of(room, backend) == (1, 1)


async def test_an_answer_that_is_long_in_being_kept_is_not_waited_for(autojump_clock: trio.testing.MockClock) -> None:
    """Nor is its process given to another while it is the first one's."""

    async def slowly() -> None:
        await trio.sleep(2 * REST_TIMEOUT)

    backend = FakeBackend(GOES_ON)
    room = staying_with(backend)
    events: list[Event] = []

    async def ask() -> None:
        events.extend(await events_of(room, ASKED, slowly))

    async with room.opened(), trio.open_nursery() as nursery:
        nursery.start_soon(ask)
        await trio.testing.wait_all_tasks_blocked()
        backend.actions = ANEW
        assert (await said(room, FOLLOWING)).said == "Anew."
        assert trio.current_time() == REST_TIMEOUT
        await trio.sleep(2 * REST_TIMEOUT)
        assert isinstance(events[-1], Finished)
        assert await number_of(room, backend) == (1, 1)


async def test_while_calls_are_being_kept_their_process_is_not_given_to_who_has_the_results(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async def slowly() -> None:
        await trio.sleep(2 * REST_TIMEOUT)

    backend = FakeBackend([START, CALL, stopped("tool_use"), Answered(2), *YES, Hang()])
    room = staying_with(backend)
    called = (AssistantTurn((ToolUse("a", "look", {}),)), UserTurn((ToolResult("a", (Text("It is."),)),)))
    events: list[Event] = []

    async def ask() -> None:
        events.extend(await events_of(room, ASKED, slowly))

    async with room.opened(), trio.open_nursery() as nursery:
        nursery.start_soon(ask)
        await trio.testing.wait_all_tasks_blocked()
        assert room.number == 1
        backend.actions = ANEW
        assert (await said(room, evolve(ASKED, turns=(*ASKED.turns, *called)))).said == "Anew."
        assert trio.current_time() == REST_TIMEOUT
        await trio.sleep(2 * REST_TIMEOUT)
        assert isinstance(events[-1], Finished)


async def test_one_whose_answer_is_being_kept_makes_room_and_the_answer_is_whole(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async def slowly() -> None:
        await trio.sleep(1)

    backend = FakeBackend(GOES_ON)
    room = staying_with(backend)
    events: list[Event] = []

    async def ask() -> None:
        events.extend(await events_of(room, ASKED, slowly))

    async with room.opened(), trio.open_nursery() as nursery:
        nursery.start_soon(ask)
        await trio.testing.wait_all_tasks_blocked()
        assert room.spare()
        await trio.sleep(2)
        assert isinstance(events[-1], Finished)
        assert await number_of(room, backend) == (0, 0)


async def test_a_client_that_leaves_before_the_end_is_told_takes_its_process_along(
    autojump_clock: trio.testing.MockClock,
) -> None:
    backend = FakeBackend(GOES_ON)
    room = staying_with(backend)
    async with room.opened():
        with trio.move_on_after(1) as scope:
            await events_of(room, ASKED, trio.sleep_forever)
        assert scope.cancelled_caught
        assert await number_of(room, backend) == (0, 0)


@pytest.mark.parametrize("which", ["its turn ends", "it stays", "it goes on"])
async def test_all_are_killed_when_the_room_is_left(which: str, autojump_clock: trio.testing.MockClock) -> None:
    ends_later: list[Action] = [Pause(5)] if which == "its turn ends" else []
    backend = FakeBackend([*YES, *ends_later, RESULT, Answered(2), Hang()])
    room = staying_with(backend)
    async with trio.open_nursery() as nursery:
        async with room.opened():
            await said(room, ASKED)
            if which == "it goes on":
                nursery.start_soon(events_of, room, FOLLOWING)
            await trio.testing.wait_all_tasks_blocked()
        assert (backend.alive, room.number) == (0, 0)
        nursery.cancel_scope.cancel()


async def test_an_answer_that_ends_after_the_room_was_left_stays_nowhere(
    autojump_clock: trio.testing.MockClock,
) -> None:
    backend = FakeBackend([START, Pause(1), *YES[1:], Hang()])
    room = staying_with(backend)
    events: list[Event] = []

    async def ask() -> None:
        events.extend(await events_of(room, ASKED))

    async with trio.open_nursery() as nursery:
        async with room.opened():
            nursery.start_soon(ask)
            await trio.testing.wait_all_tasks_blocked()
        assert events == []
    assert isinstance(events[-1], Finished)
    assert (backend.alive, room.number) == (0, 0)
