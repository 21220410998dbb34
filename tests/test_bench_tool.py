"""The tool that compares: what it makes of what it sees. Its one run with real processes is in ``tests/live``."""

import argparse
import json
from collections.abc import Callable
from xml.etree import ElementTree as ET

import pytest
import trio
import trio.testing

from cca.model import Json
from tools.bench import main, named
from tools.bench_asks import HTTP_TEXT, MODEL, NotAnswered, Times, Watch, message_of, told
from tools.bench_bodies import Bodies
from tools.bench_chart import FIGURES, LABELS, WIDTH, Bar, Bars, chart
from tools.bench_load import AFTER_REFUSAL, Contender, Load, compare_loads, slices
from tools.bench_machine import Peak, Taken, parent_of, pss, stat_times, tree
from tools.bench_report import Report
from tools.bench_streams import Chunks
from tools.bench_targets import CCA, CPU, IDLE, LEFT, REPLAYED, TARGETS, Target, ratio_table, reached
from tools.bench_turns import BARE_COLD, BARE_WAITING, CONFIGURED, FIRST, FOLLOW_UP, TOOLS, per_answer, spread


def event(**delta: Json) -> bytes:
    return b"data: " + json.dumps({"choices": [{"index": 0, "delta": delta}]}).encode() + b"\n\n"


@pytest.mark.parametrize(
    ("seen", "there"),
    [
        (event(role="assistant", content=""), False),
        (b'{"delta":{"role":"assistant","content":""}}', False),
        (b'{"delta":{"content":null}}', False),
        (event(content="t1"), True),
        (b'{"delta":{"content":"t1"}}', True),
    ],
    ids=["empty", "empty, packed", "null", "text", "text, packed"],
)
def test_the_first_text_is_the_first_that_is_not_empty(seen: bytes, there: bool) -> None:  # noqa: FBT001
    assert (HTTP_TEXT.search(seen) is not None) is there


async def test_times_are_told_by_pieces_that_are_cut_anywhere(autojump_clock: trio.testing.MockClock) -> None:
    """A byte a second: the first text and the end are seen with the last byte that says so, and what is said stays."""
    said = event(content="") + event(content="t1") + event(content=" t2") + b"data: [DONE]\n\n"
    watch = Watch(HTTP_TEXT, b"data: [DONE]")
    for byte in said:
        await trio.sleep(1)
        watch.see(bytes([byte]))
    assert watch.times == Times(first=said.index(b'"t1') + 2, total=said.index(b"[DONE]") + len(b"[DONE]"))
    assert b"".join(watch.pieces) == said


def chunked(body: bytes, size: int) -> bytes:
    pieces = [body[at : at + size] for at in range(0, len(body), size)]
    framed = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces)
    return b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + framed + b"0\r\n\r\n"


def whole(body: bytes, size: int) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body


@pytest.mark.parametrize("framed", [chunked, whole])
def test_a_stream_comes_to_the_message_that_the_next_request_repeats(framed: Callable[[bytes, int], bytes]) -> None:
    call = {"index": 0, "id": "call_1", "type": "function", "function": {"name": "get_weather", "arguments": ""}}
    body = b": a comment\n\n" + b"".join(
        (
            event(role="assistant", content=""),
            event(content="Let me"),
            event(content=" see."),
            event(tool_calls=[call]),
            event(tool_calls=[{"index": 0, "function": {"arguments": '{"city": '}}]),
            event(tool_calls=[{"index": 0, "function": {"arguments": '"Paris"}'}}]),
            b'data: {"choices":[],"usage":{}}\n\n',
            b"data: [DONE]\n\n",
        )
    )
    function = {"name": "get_weather", "arguments": '{"city": "Paris"}'}
    assert message_of(framed(body, 7)) == {
        "role": "assistant",
        "content": "Let me see.",
        "tool_calls": [{"id": "call_1", "type": "function", "function": function}],
    }


def test_no_two_requests_are_alike_and_the_bare_program_is_told_the_same() -> None:
    bodies = Bodies(50, "run")
    made = [bodies.plain(), bodies.plain(), bodies.configured(), bodies.configured(), bodies.calling()]
    assert len({json.dumps(each) for each in made}) == len(made)
    *control, user = map(json.loads, told(made[2]).splitlines())
    assert [frame["request"]["subtype"] for frame in control] == ["initialize", "apply_flag_settings"]
    assert control[0]["request"]["systemPrompt"] == [made[2]["messages"][0]["content"]]
    settings = control[1]["request"]["settings"]
    assert settings["model"] == MODEL
    merged = json.loads(settings["env"]["CLAUDE_CODE_EXTRA_BODY"])
    assert (merged["temperature"], merged["stop_sequences"], len(merged["tools"])) == (0.5, ["###"], 2)
    assert user["message"]["content"] == [{"type": "text", "text": made[2]["messages"][1]["content"]}]


def test_a_conversation_goes_on_with_what_was_said_in_it() -> None:
    bodies = Bodies(50, "run")
    answer = {"role": "assistant", "content": "t1 t50"}
    body = bodies.plain()
    *before, last = bodies.going_on(body, answer)["messages"]
    assert before == [*body["messages"], answer]
    assert (last["role"], "[[tokens 50]]" in last["content"]) == ("user", True)

    called = {**answer, "tool_calls": [{"id": "call_1"}, {"id": "call_2"}]}
    *_, one, other = bodies.with_results(body, called)["messages"]
    assert [(each["role"], each["tool_call_id"]) for each in (one, other)] == [("tool", "call_1"), ("tool", "call_2")]
    with pytest.raises(NotAnswered, match="No tool was called, but this said: 't1 t50'"):
        bodies.with_results(body, answer)


def test_a_process_s_times_and_parent_are_behind_its_name_whatever_that_is() -> None:
    stat = "17 (a) (b c) S 4 17 17 0 -1 4194560 900 0 0 0 250 30 7 8 20 0 1 0 100 0 0"
    assert (stat_times(stat), parent_of(stat)) == ((250, 30), 4)


def test_a_tree_is_a_process_and_all_that_descend_from_it() -> None:
    assert sorted(tree(1, {1: 0, 2: 1, 3: 2, 4: 1, 5: 0, 6: 5})) == [1, 2, 3, 4]


def test_shared_memory_counts_in_part() -> None:
    assert pss("5600-7ffc [rollup]\nRss:  9216 kB\nPss:  3072 kB\nPss_Anon: 1024 kB\n") == 3.0


def test_a_peak_is_the_most_of_each() -> None:
    peak = Peak()
    for now in (None, Taken(40, 200, 2), Taken(50, 100, 1), None):
        peak.see(now)
    assert peak.most == Taken(50, 200, 2)


def test_a_spread_has_the_median_and_what_most_came_within() -> None:
    taken = spread("who", "what", [Times(number / 1000, number / 500) for number in range(100, 0, -1)])
    assert (taken.number, taken.first_median, taken.first_p95) == (100, 50.5, 96)
    assert (taken.total_median, taken.total_p95, taken.first_least) == (101, 192, 1)


@pytest.mark.parametrize(
    ("before", "after", "answers", "each"),
    [(1.0, 3.0, 100, 20.0), (None, 3.0, 100, None), (1.0, None, 100, None), (1.0, 3.0, 0, None)],
    ids=["seen", "not seen before", "not seen after", "no answers"],
)
def test_cpu_time_is_shared_by_the_answers(
    before: float | None, after: float | None, answers: int, each: float | None
) -> None:
    assert per_answer(before, after, answers) == each


@pytest.mark.parametrize(
    ("seconds", "lengths"),
    [(3, [3]), (15, [15]), (30, [15, 15]), (0.5, [0.5]), (32, [32 / 3] * 3)],
)
def test_the_machine_is_shared_in_equal_slices(seconds: float, lengths: list[float]) -> None:
    assert list(slices(seconds)) == lengths


async def test_loops_ask_again_until_their_time_is_over_and_what_they_then_ask_counts(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """Four loops, each answer a second; in two slices of 7.5 s each ends its eighth answer after eight seconds."""
    at_once = 0
    most = 0

    async def answer() -> Times:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        await trio.sleep(1)
        at_once -= 1
        return Times(0.5, 1.0)

    loads = await compare_loads([Contender("one", answer), Contender("other", answer)], 4, 15.5)
    assert most == 4
    for name in ("one", "other"):
        assert (loads[name].answers, loads[name].rate, loads[name].refused) == (64, 4.0, 0)


@pytest.mark.parametrize(
    "refusal",
    [NotAnswered("not now"), ConnectionRefusedError(), trio.BrokenResourceError()],
    ids=["says no", "is not there", "hangs up"],
)
async def test_who_refuses_is_asked_again_after_a_while_and_has_no_times(
    refusal: Exception, autojump_clock: trio.testing.MockClock
) -> None:
    async def refuse() -> Times:
        await trio.lowlevel.checkpoint()
        raise refusal

    loads = await compare_loads([Contender("who", refuse)], 2, 1.0)
    load = loads["who"]
    assert (load.answers, load.spread, load.rate, load.cpu) == (0, None, 0.0, None)
    assert load.refused == 2 * round(1 / AFTER_REFUSAL)


@pytest.mark.parametrize(
    ("target", "value", "met"),
    [
        (Target(("a", "x"), ("b", "x"), 1.2), 1.2, True),
        (Target(("a", "x"), ("b", "x"), 1.2), 1.21, False),
        (Target(("a", "x"), ("b", "x"), 0.9, at_least=True), 0.9, True),
        (Target(("a", "x"), ("b", "x"), 0.9, at_least=True), 0.89, False),
    ],
    ids=["at most", "more", "at least", "less"],
)
def test_a_ratio_is_held_against_its_target(target: Target, value: float, met: bool) -> None:  # noqa: FBT001
    [row] = reached({("a", "x"): value * 50, ("b", "x"): 50.0}, [target])
    assert (round(row.value, 9), row.target.met(round(row.value, 9))) == (value, met)
    assert ratio_table([row]).endswith("missed") is not met


def test_what_was_not_measured_has_no_ratio() -> None:
    assert not list(reached({(CCA, FIRST): 100.0, (CCA, CPU): None}))


def load(name: str, refused: int) -> Load:
    return Load(8, spread(name, "8 at once", [Times(1.0, 2.0)] * 10), 2.5, refused, None, Taken(50, 800, 8))


def test_a_run_in_which_a_refusal_makes_a_ratio_wrong_is_a_fault_and_says_so() -> None:
    report = filled()
    report.loads[8] = {CCA: load(CCA, 3), "peer & co": load("peer & co", 4)}
    assert list(report.faults()) == ["cca refused 3 requests of 8 at once: what it printed says why."]
    report.loads[8] = {CCA: load(CCA, 0), BARE_COLD: load(BARE_COLD, 2)}
    assert list(report.faults()) == [f"{BARE_COLD} refused 2 requests of 8 at once: what it printed says why."]
    report.loads[8] = {CCA: load(CCA, 0), "peer & co": load("peer & co", 4)}
    assert not list(report.faults())
    [row] = [line for line in report.text().splitlines() if line.startswith("peer & co  ")]
    assert row.split()[3:] == ["2.50", "1000", "1000", "1000", "2000", "2000", "-", "50", "800", "8", "4"]


def filled() -> Report:
    report = Report()
    for who, what, milliseconds in (
        (BARE_COLD, FIRST, 500),
        (BARE_WAITING, FIRST, 100),
        (CCA, FIRST, 90),
        (CCA, CONFIGURED, 200),
        ("peer & co", FIRST, 450),
    ):
        cpu = 8.0 if who == CCA else None
        report.turns.note(who, what, Times(milliseconds / 1000, milliseconds / 900), cpu)
    report.turns.missing["peer & co", TOOLS] = "No tool was called"
    now, later = Taken(50, 250, 2), Taken(52, 430, 4)
    report.memory = {"idle": {CCA: now, "peer & co": None}, "later": {CCA: later, "peer & co": None}}
    report.streams = [Chunks("openai_chat", 9000.0, 10_000.0), Chunks("openai_responses", 1.0, 10.0)]
    report.beside(8, 10, (1.0, None), (1.5, 2.0))
    return report


def test_a_report_says_all_that_was_found_and_what_was_missed() -> None:
    report = filled()
    said = report.text()
    assert "peer & co, tool follow-up" in said
    assert "-  No tool was called" in said
    assert report.figures()[CCA, LEFT] == 2
    assert report.figures()[CCA, IDLE] == 50
    assert report.figures()[CCA, CPU] == 8.0
    assert report.figures()[CCA, REPLAYED] == 9000
    missed = [line.split("  ")[0] for line in said.splitlines() if line.endswith("missed")]
    assert missed == [f"{CCA}, {CONFIGURED}", f"{CCA}, {LEFT}"]
    plain = json.loads(json.dumps(report.plain()))
    assert [row["met"] for row in plain["ratios"]].count(False) == 2
    assert plain["memory"]["idle"]["peer & co"] is None


def test_a_chart_is_an_svg_whose_bars_are_as_long_as_their_figures() -> None:
    svg = ET.fromstring(  # noqa: S314 - our own
        chart([Bars("ms & more", (Bar("a < b", 100, ours=True), Bar("c", 25, ours=False))), Bars("", ())])
    )
    space = "{http://www.w3.org/2000/svg}"
    ours, other = svg.findall(f"{space}rect")
    assert (ours.get("class"), other.get("class")) == ("ours", None)
    assert [int(each.get("width", "")) for each in (ours, other)] == [WIDTH - LABELS - FIGURES, 98]
    assert [each.text for each in svg.findall(f"{space}text")] == ["ms & more", "a < b", "100", "c", "25"]
    assert "prefers-color-scheme:dark" in "".join(svg.itertext())


def test_the_report_s_chart_has_cca_and_who_it_is_compared_with() -> None:
    words = [each.text for each in ET.fromstring(filled().chart()).iter() if each.text]  # noqa: S314 - our own
    assert {f"{BARE_COLD}: {FIRST}", f"{CCA}: {FIRST}", f"peer & co: {FIRST}"} <= set(words)


@pytest.mark.parametrize(
    ("given", "base", "model"),
    [
        ("peer=http://127.0.0.1:9", "http://127.0.0.1:9", MODEL),
        ("peer=http://127.0.0.1:9/v1/", "http://127.0.0.1:9", MODEL),
        ("peer=http://127.0.0.1:9/under#sonnet", "http://127.0.0.1:9/under", "sonnet"),
    ],
)
def test_a_server_is_given_by_its_address_and_the_model_it_knows(given: str, base: str, model: str) -> None:
    subject = named(given)
    assert (subject.name, subject.server.base, subject.server.model) == ("peer", base, model)


@pytest.mark.parametrize("given", ["http://127.0.0.1:9", "peer=127.0.0.1:9", "peer"])
def test_what_is_no_address_is_refused(given: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="is not NAME=http://HOST:PORT"):
        named(given)


def test_a_server_without_the_model_it_asks_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--url", "peer=http://127.0.0.1:9"])
    assert "--url needs --api" in capsys.readouterr().err


def test_the_targets_are_of_figures_that_a_run_has() -> None:
    names = {FIRST, CONFIGURED, FOLLOW_UP, TOOLS}
    assert names <= {target.figure[1] for target in TARGETS}
