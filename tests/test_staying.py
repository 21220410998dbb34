"""Processes that wait for tool results, and who gets them: with processes in memory that do as a test says."""

from collections.abc import Sequence
from typing import Any

import pytest
import trio
from attrs import evolve

from cca.backends import Exit
from cca.errors import BadRequest, RateLimited, Unavailable
from cca.model import (
    AssistantPart,
    AssistantTurn,
    CacheMark,
    Conversation,
    Image,
    RedactedThinking,
    ResultPart,
    Sampling,
    Text,
    Thinking,
    Tool,
    ToolResult,
    ToolUse,
    UserTurn,
)
from fake_backend import (
    END,
    REMEMBERED,
    RESULT,
    START,
    Action,
    Answered,
    FakeBackend,
    Hang,
    Pause,
    piece,
    printed,
    streamed,
)
from staying_room import PATIENCE, said, staying_with

TOOL = Tool("look", "Look.", {"type": "object"})
ASKED = Conversation("sonnet", (UserTurn((Text("Look twice."),)),), tools=(TOOL,))

STOPPED = streamed("message_delta", delta={"stop_reason": "tool_use"}, usage={"output_tokens": 3})


def calling(id: str, name: str = "look") -> bytes:  # noqa: A002 - the wire's word
    return streamed("content_block_start", content_block={"type": "tool_use", "id": id, "name": name, "input": {}})


def wanted(id: str, call: int) -> bytes:  # noqa: A002 - the wire's word
    """Return the program's request for the result of a call."""
    params = {"name": "look", "arguments": {}, "_meta": {"claudecode/toolUseId": id}}
    message = {"method": "tools/call", "params": params, "jsonrpc": "2.0", "id": call}
    return printed(
        type="control_request",
        request_id=f"r{call}",
        request={"subtype": "mcp_message", "server_name": "c", "message": message},
    )


ARGUMENTS = streamed("content_block_delta", delta={"type": "input_json_delta", "partial_json": '{"at": [1, "x"]}'})
BOTH_CALLED = [START, piece("I "), piece("look."), calling("a"), ARGUMENTS, wanted("a", 1), calling("b")]
CALLS: list[Action] = [*BOTH_CALLED, STOPPED]
GOES_ON: list[Action] = [START, piece("Two birds."), END]
ANEW: list[Action] = [REMEMBERED, START, piece("Anew."), END, Hang()]
LOOKS: list[Action] = [*BOTH_CALLED, STOPPED + wanted("b", 2), Answered(2), *GOES_ON, Hang()]


def following(*results: tuple[str, tuple[ResultPart, ...]], said: Sequence[str] = ("I look.",)) -> Conversation:
    calls = (ToolUse("a", "look", {"at": [1, "x"]}), ToolUse("b", "look", {}))
    answer = AssistantTurn((*map(Text, said), *calls))
    given = UserTurn(tuple(ToolResult(id, content) for id, content in results))  # noqa: A001 - the wire's word
    return evolve(ASKED, turns=(*ASKED.turns, answer, given))


BOTH = (("a", (Text("One bird."),)), ("b", (Text("Another."),)))
FOLLOWING = following(*BOTH)


async def test_results_are_told_to_the_process_that_waits_for_them(autojump_clock: trio.testing.MockClock) -> None:
    backend = FakeBackend(LOOKS)
    room = staying_with(backend)
    async with room.opened():
        assert [call.id for call in (await said(room, ASKED)).calls] == ["a", "b"]
        assert (backend.alive, room.number) == (1, 1)
        assert (await said(room, FOLLOWING)).said == "Two birds."
        assert (backend.alive, room.number) == (1, 1)
    [process] = backend.processes
    assert [text in process.written[1] for text in (b'"id":1', b"One bird.", b'"request_id":"r1"')] == [True] * 3
    assert b"Another." in b"".join(process.written[1:])


async def test_what_the_program_asks_for_late_is_answered_when_it_does(autojump_clock: trio.testing.MockClock) -> None:
    said_before = printed(type="assistant", message={"id": "msg_1", "model": "claude-x", "content": []})
    late = [*CALLS, Answered(2), said_before, wanted("b", 2), Answered(3), *GOES_ON]
    backend = FakeBackend(late)
    room = staying_with(backend)
    async with room.opened():
        await said(room, ASKED)
        assert (await said(room, FOLLOWING)).said == "Two birds."
    assert b"Another." in backend.processes[0].written[2]


async def test_the_answer_to_results_may_call_again(autojump_clock: trio.testing.MockClock) -> None:
    again = [*CALLS, wanted("b", 2), Answered(2), START, calling("c"), STOPPED, wanted("c", 3), Answered(3), *GOES_ON]
    backend = FakeBackend(again)
    room = staying_with(backend)
    async with room.opened():
        await said(room, ASKED)
        assert [call.id for call in (await said(room, FOLLOWING)).calls] == ["c"]
        third = (AssistantTurn((ToolUse("c", "look", {}),)), UserTurn((ToolResult("c", (Text("A third."),)),)))
        assert (await said(room, evolve(FOLLOWING, turns=(*FOLLOWING.turns, *third)))).said == "Two birds."
    assert len(backend.processes) == 1


@pytest.mark.parametrize(
    ("conversation", "owner"),
    [
        pytest.param(FOLLOWING, "bob", id="of another owner"),
        pytest.param(following(*BOTH, said=("I looked.",)), "ann", id="whose history was edited"),
        pytest.param(evolve(FOLLOWING, system=("Be brief.",)), "ann", id="with another system prompt"),
        pytest.param(evolve(FOLLOWING, model="opus"), "ann", id="of another model"),
        pytest.param(evolve(FOLLOWING, tools=(TOOL, evolve(TOOL, name="hear"))), "ann", id="with another tool"),
        pytest.param(evolve(FOLLOWING, sampling=Sampling(effort="low")), "ann", id="sampled otherwise"),
        pytest.param(following(BOTH[0]), "ann", id="with a result missing"),
        pytest.param(following(*BOTH, ("c", (Text("x"),))), "ann", id="with a result too many"),
        pytest.param(following(("a", ()), BOTH[1]), "ann", id="with an empty result"),
        pytest.param(following(("a", (Text(" \n"),)), BOTH[1]), "ann", id="with a result of white space"),
        pytest.param(following(("a", (Text("x" * 20_001),)), BOTH[1]), "ann", id="with a long result"),
        pytest.param(following(("a", (Image(url="https://x/y.png"),)), BOTH[1]), "ann", id="with a picture"),
    ],
)
async def test_a_request_gets_a_fresh_process(
    conversation: Conversation, owner: str, autojump_clock: trio.testing.MockClock
) -> None:
    backend = FakeBackend(LOOKS)
    room = staying_with(backend)
    async with room.opened():
        await said(room, ASKED)
        backend.actions = ANEW
        assert (await said(room, conversation, owner)).said == "Anew."
    assert (len(backend.processes), backend.alive) == (2, 0)


MARK = CacheMark()


def marked(conversation: Conversation, *at: int, tool: CacheMark | None = None, **fields: Any) -> Conversation:
    """Return a conversation with marks for the cache at the end of the turns ``at``, and others."""
    turns = list(conversation.turns)
    for place in at:
        turn = turns[place]
        assert isinstance(turn, UserTurn)
        *parts, last = turn.content
        turns[place] = UserTurn((*parts, evolve(last, cache=MARK)))
    return evolve(conversation, turns=tuple(turns), tools=(evolve(TOOL, cache=tool),), **fields)


OWN: Any = {"system": ("Be brief.",), "system_marks": (MARK, MARK)}
"""With a mark on the last block, these are for Claude Code to make."""


@pytest.mark.parametrize(
    ("first", "then"),
    [
        pytest.param(marked(ASKED, -1, **OWN), marked(FOLLOWING, -1, **OWN), id="that move on"),
        pytest.param(
            marked(ASKED, -1, **OWN), evolve(FOLLOWING, system=("Be brief.",)), id="that the next request has not"
        ),
        pytest.param(marked(ASKED, tool=MARK), marked(FOLLOWING, tool=MARK), id="on a tool"),
        pytest.param(marked(ASKED, cache=MARK), marked(FOLLOWING, cache=MARK), id="on whatever is last"),
    ],
)
async def test_a_process_stays_with_marks_for_the_cache(
    first: Conversation, then: Conversation, autojump_clock: trio.testing.MockClock
) -> None:
    backend = FakeBackend(LOOKS)
    room = staying_with(backend)
    async with room.opened():
        await said(room, first)
        assert room.number == 1
        assert (await said(room, then)).said == "Two birds."
    assert len(backend.processes) == 1


@pytest.mark.parametrize(
    ("first", "then", "stayed"),
    [
        pytest.param(marked(ASKED, -1), FOLLOWING, 0, id="in a turn, which stay there"),
        pytest.param(ASKED, marked(FOLLOWING, -1), 1, id="in a turn of the next request"),
        pytest.param(ASKED, marked(FOLLOWING, cache=MARK), 1, id="that are new"),
        pytest.param(marked(ASKED, tool=MARK), FOLLOWING, 1, id="that the next request has not"),
    ],
)
async def test_marks_for_the_cache_that_a_process_cannot_have_get_a_fresh_one(
    first: Conversation, then: Conversation, stayed: int, autojump_clock: trio.testing.MockClock
) -> None:
    backend = FakeBackend(LOOKS)
    room = staying_with(backend)
    async with room.opened():
        await said(room, first)
        assert room.number == stayed
        backend.actions = ANEW
        assert (await said(room, then)).said == "Anew."
    assert len(backend.processes) == 2


@pytest.mark.parametrize(
    "thoughts",
    [(Thinking("I could look.", "c2ln"),), (RedactedThinking("eA=="), Thinking("", "c2ln"))],
    ids=["told", "hidden"],
)
async def test_what_was_thought_may_be_in_the_history_and_is_with_the_process_anyway(
    thoughts: tuple[AssistantPart, ...], autojump_clock: trio.testing.MockClock
) -> None:
    backend = FakeBackend(LOOKS)
    room = staying_with(backend)
    asked, answer, results = FOLLOWING.turns
    assert isinstance(answer, AssistantTurn)
    async with room.opened():
        await said(room, ASKED)
        thought = AssistantTurn((*thoughts, *answer.content), "claude-sonnet-5-5")
        assert (await said(room, evolve(FOLLOWING, turns=(asked, thought, results)))).said == "Two birds."
    assert len(backend.processes) == 1


async def test_more_said_beside_the_results_gets_a_fresh_process(autojump_clock: trio.testing.MockClock) -> None:
    *before, last = FOLLOWING.turns
    assert isinstance(last, UserTurn)
    more = evolve(FOLLOWING, turns=(*before, UserTurn((*last.content, Text("Be quick.")))))
    backend = FakeBackend(LOOKS)
    room = staying_with(backend)
    async with room.opened():
        await said(room, ASKED)
        backend.actions = ANEW
        assert (await said(room, more)).said == "Anew."
        await trio.testing.wait_all_tasks_blocked()
        # The conversation has gone on without the one that waited.
        assert (len(backend.processes), backend.alive, room.number) == (2, 1, 1)


async def test_however_an_answers_text_is_cut_it_is_the_same(autojump_clock: trio.testing.MockClock) -> None:
    backend = FakeBackend(LOOKS)
    room = staying_with(backend)
    async with room.opened():
        await said(room, ASKED)
        assert (await said(room, following(*BOTH, said=("I", " look.")))).said == "Two birds."
    assert len(backend.processes) == 1


@pytest.mark.parametrize(
    "conversation",
    [
        pytest.param(evolve(ASKED, output_schema={"type": "object"}), id="a schema that takes a tool"),
        pytest.param(evolve(ASKED, tools=(), sampling=Sampling(max_tokens=32)), id="a limit that is near"),
    ],
)
async def test_with_this_no_process_stays(conversation: Conversation, autojump_clock: trio.testing.MockClock) -> None:
    backend = FakeBackend(LOOKS)
    room = staying_with(backend)
    async with room.opened():
        await said(room, conversation)
        assert backend.alive == 0


@pytest.mark.parametrize(
    "actions",
    [
        pytest.param([START, piece(" "), END, Hang()], id="an answer of nothing"),
        pytest.param([START, calling("a", "Bash"), STOPPED, Hang()], id="a call of a tool that is not on offer"),
    ],
)
async def test_after_this_no_process_stays(actions: Sequence[Action], autojump_clock: trio.testing.MockClock) -> None:
    backend = FakeBackend(actions)
    room = staying_with(backend)
    async with room.opened():
        await said(room, ASKED)
        assert (backend.alive, room.number) == (0, 0)


def told(arguments: str) -> bytes:
    return streamed("content_block_delta", delta={"type": "input_json_delta", "partial_json": arguments})


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param('{"a": ', id="cut"),
        pytest.param('"\\ud800"', id="half a character"),
        pytest.param("NaN", id="no JSON"),
        pytest.param("null", id="null"),
        pytest.param("[1]", id="an array"),
        pytest.param('{"a":' * 200 + "1" + "}" * 200, id="deep"),
        pytest.param('{"a":[{"__proto__":1}]}', id="a key that would be lost"),
        pytest.param('{"a": 1, "b": [2, {"__proto__": 3}]}', id="with others beside it"),
    ],
)
async def test_after_a_call_that_the_program_does_not_take_no_process_stays(
    arguments: str, autojump_clock: trio.testing.MockClock
) -> None:
    """It answers such a call itself, and asks the model again, for as long as it lives."""
    backend = FakeBackend([START, calling("a"), told(arguments), calling("b"), STOPPED, Hang()])
    room = staying_with(backend)
    async with room.opened():
        assert len((await said(room, ASKED)).calls) == 2
        assert (backend.alive, room.number) == (0, 0)


async def test_the_arguments_of_a_tool_of_the_apis_own_are_none_of_a_call(
    autojump_clock: trio.testing.MockClock,
) -> None:
    search = streamed("content_block_start", content_block={"type": "server_tool_use", "id": "s", "name": "search"})
    backend = FakeBackend([START, calling("a"), ARGUMENTS, search, told('{"q":'), STOPPED, Hang()])
    room = staying_with(backend)
    async with room.opened():
        assert [call.arguments for call in (await said(room, ASKED)).calls] == ['{"at": [1, "x"]}']
        assert room.number == 1


async def test_results_are_told_in_the_order_of_the_calls(autojump_clock: trio.testing.MockClock) -> None:
    called = [START, calling("a"), ARGUMENTS, calling("b"), STOPPED + wanted("b", 2)]
    backend = FakeBackend([*called, Pause(1), wanted("a", 1), Answered(2), *GOES_ON])
    room = staying_with(backend)
    async with room.opened():
        await said(room, ASKED)
        assert (await said(room, following(*BOTH, said=()))).said == "Two birds."
    answers = b"".join(backend.processes[0].written[1:])
    assert answers.index(b"One bird.") < answers.index(b"Another.")


async def test_what_the_api_said_of_the_answer_before_is_forgotten(autojump_clock: trio.testing.MockClock) -> None:
    retry = printed(type="system", subtype="api_retry", error_status=500, retry_delay_ms=99_000)
    limit = printed(type="system", subtype="api_retry", error_status=429, retry_delay_ms=1000)
    backend = FakeBackend([retry, *CALLS, wanted("b", 2), Answered(2), limit])
    room = staying_with(backend)
    async with room.opened():
        await said(room, ASKED)
        with pytest.raises(RateLimited) as refusal:
            await said(room, FOLLOWING)
    assert refusal.value.retry_after == 1


async def test_numbers_that_json_is_not_written_of_get_a_fresh_process(autojump_clock: trio.testing.MockClock) -> None:
    calls = (ToolUse("a", "look", {"x": 2**70}), ToolUse("b", "look", {}))
    odd = evolve(FOLLOWING, turns=(*ASKED.turns, AssistantTurn((Text("I look."), *calls)), FOLLOWING.turns[-1]))
    backend = FakeBackend(LOOKS)
    room = staying_with(backend)
    async with room.opened():
        await said(room, ASKED)
        backend.actions = ANEW
        with pytest.raises(BadRequest):
            await said(room, odd)


UNASKED = {
    "another message": START,
    "the end of its turn": RESULT,
    "what it said to itself": printed(type="user", message={"role": "user", "content": "Go on."}),
    "a setting refused": printed(
        type="control_response", response={"subtype": "error", "request_id": "settings-2", "error": "no"}
    ),
}


@pytest.mark.parametrize("unasked", list(UNASKED.values()), ids=list(UNASKED))
async def test_a_program_that_does_not_wait_for_the_results_is_let_go(
    unasked: bytes, autojump_clock: trio.testing.MockClock
) -> None:
    backend = FakeBackend([*CALLS, wanted("b", 2), Pause(1), unasked, Hang()])
    room = staying_with(backend)
    async with room.opened():
        await said(room, ASKED)
        assert room.number == 1
        await trio.sleep(2)
        assert (backend.alive, room.number) == (0, 0)


async def test_a_process_that_nobody_comes_for_is_let_go_in_time(autojump_clock: trio.testing.MockClock) -> None:
    backend = FakeBackend([*CALLS, Hang()])
    room = staying_with(backend)
    async with room.opened():
        await said(room, ASKED)
        await trio.sleep(PATIENCE - 1)
        assert backend.alive == 1
        await trio.sleep(2)
        assert (backend.alive, room.number) == (0, 0)


async def test_the_one_that_waits_longest_makes_room(autojump_clock: trio.testing.MockClock) -> None:
    backend = FakeBackend([*CALLS, Hang()])
    room = staying_with(backend, most=2)
    async with room.opened():
        for system in ("one", "two", "three"):
            await said(room, evolve(ASKED, system=(system,)))
        await trio.testing.wait_all_tasks_blocked()
        assert (backend.alive, room.number) == (2, 2)
        backend.actions = ANEW
        assert (await said(room, evolve(FOLLOWING, system=("one",)))).said == "Anew."


async def test_a_process_that_ends_while_it_waits_is_not_given_to_anybody(
    autojump_clock: trio.testing.MockClock,
) -> None:
    backend = FakeBackend([*CALLS, Exit(1)])
    room = staying_with(backend)
    async with room.opened():
        await said(room, ASKED)
        await trio.sleep(1)
        assert (backend.alive, room.number) == (0, 0)


async def test_all_are_killed_when_the_room_is_left(autojump_clock: trio.testing.MockClock) -> None:
    backend = FakeBackend([*CALLS, Hang()])
    room = staying_with(backend)
    async with room.opened():
        await said(room, ASKED)
    assert (backend.alive, room.number) == (0, 0)


async def test_without_the_room_nothing_stays(autojump_clock: trio.testing.MockClock) -> None:
    backend = FakeBackend([*CALLS, Hang()])
    await said(staying_with(backend), ASKED)
    assert backend.alive == 0


async def test_a_process_that_cannot_be_started_is_told_to_its_request() -> None:
    def missing() -> None:
        raise Unavailable("There is no such program.")

    room = staying_with(FakeBackend(start=missing))
    async with room.opened():
        with pytest.raises(Unavailable):
            await said(room, ASKED)


async def test_a_fault_at_its_end_is_logged_and_nobody_elses(
    caplog: pytest.LogCaptureFixture, autojump_clock: trio.testing.MockClock
) -> None:
    def broken() -> None:
        raise ValueError("x")

    room = staying_with(FakeBackend([START, piece("Hm."), END], end=broken))
    async with room.opened():
        assert (await said(room, ASKED)).said == "Hm."
    assert "a process that had answered" in caplog.text


@pytest.mark.parametrize("resumed", [False, True], ids=["fresh", "that waited"])
async def test_a_client_that_leaves_takes_its_process_along(
    resumed: Any, autojump_clock: trio.testing.MockClock
) -> None:
    slowly: list[Action] = [START, Pause(100), piece("a")]
    backend = FakeBackend([*CALLS, wanted("b", 2), Answered(2), *slowly] if resumed else slowly)
    room = staying_with(backend)
    async with room.opened():
        if resumed:
            await said(room, ASKED)
        with trio.move_on_after(50) as left:
            await said(room, FOLLOWING if resumed else ASKED)
        assert left.cancelled_caught
        assert (backend.alive, len(backend.processes)) == (0, 1)
