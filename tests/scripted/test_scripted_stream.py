"""Scripts as events: their order, their fields, and what becomes of faults."""

import json
from typing import Any

import pytest

from cca.scripted.script import Call, CutOff, Fault, Say, Script, Silence, StreamError, Think
from cca.scripted.stream import (
    Hang,
    HangUp,
    Heading,
    Pause,
    Send,
    Step,
    events,
    frame,
    message,
    steps,
    vendor_id,
)

HEADING = Heading("claude-x", "seed", 7)
SCRIPT = Script(
    (
        Think(("Let", " me")),
        Say(("one", " two", " three")),
        Call("f", {"city": "Paris", "n": [1, 2]}),
        Call("g", {}),
    ),
    "tool_use",
    cache_read=30,
)


def names(script: Script) -> list[str]:
    return [
        f"{event['delta']['type']}" if event["type"] == "content_block_delta" else event["type"]
        for event in events(script, HEADING)
    ]


def test_order_of_events() -> None:
    assert names(SCRIPT) == [
        "message_start",
        "ping",
        *("content_block_start", "thinking_delta", "thinking_delta", "signature_delta", "content_block_stop"),
        *("content_block_start", "text_delta", "text_delta", "text_delta", "content_block_stop"),
        *(
            "content_block_start",
            "input_json_delta",
            "input_json_delta",
            "input_json_delta",
            "content_block_stop",
        ),
        *("content_block_start", "input_json_delta", "content_block_stop"),
        "message_delta",
        "message_stop",
    ]


def put_together(script: Script) -> dict[str, Any]:
    """Build the message from its events as a client does."""
    whole: dict[str, Any] = {}
    pieces = [""] * len(script.blocks)
    for event in events(script, HEADING):
        match event:
            case {"type": "message_start"}:
                whole = event["message"]
            case {"type": "content_block_start"}:
                whole["content"].append(dict(event["content_block"]))
            case {"type": "content_block_delta", "index": at, "delta": {"partial_json": piece}}:
                pieces[at] += piece
            case {"type": "content_block_delta", "index": at, "delta": {"citation": citation}}:
                whole["content"][at]["citations"] = [*whole["content"][at]["citations"], citation]
            case {"type": "content_block_delta", "index": at, "delta": {"type": kind} as delta}:
                field = kind.removesuffix("_delta")
                whole["content"][at][field] += delta[field]
            case {"type": "content_block_stop", "index": at} if pieces[at]:
                whole["content"][at]["input"] = json.loads(pieces[at])
            case {"type": "message_delta"}:
                whole |= event["delta"] | {"usage": event["usage"]}
    return whole


CITING = Script((Say(("It says ",)), Say(("tea", "."), ({"type": "char_location"}, {"type": "page_location"}))))
UNSEEN = Script((Think(("Let", " me"), "redacted"), Think(("Wondering",), "hidden"), Say(("hi",))))


@pytest.mark.parametrize(
    "script", [SCRIPT, CITING, UNSEEN, Script((Say(("hi",)),)), Script((), "refusal", category="cyber")]
)
def test_stream_and_message_are_the_same_answer(script: Script) -> None:
    assert put_together(script) == message(script, HEADING)


def test_thinking_that_is_not_told_has_no_words_but_counts() -> None:
    told = json.dumps(list(events(UNSEEN, HEADING)))
    assert "Let me" not in told
    assert "Wondering" not in told
    assert [block["type"] for block in message(UNSEEN, HEADING)["content"]] == ["redacted_thinking", "thinking", "text"]
    assert message(UNSEEN, HEADING)["usage"]["output_tokens_details"] == {"thinking_tokens": 3}


def test_a_text_tells_what_it_cites_after_its_words() -> None:
    assert names(CITING)[6:11] == [
        "text_delta",
        "text_delta",
        "citations_delta",
        "citations_delta",
        "content_block_stop",
    ]


def test_a_refusal_has_its_details() -> None:
    refused = message(Script((), "refusal", category="cyber"), HEADING)
    assert refused["stop_details"] == {"type": "refusal", "category": "cyber", "explanation": "A scripted refusal."}
    assert message(SCRIPT, HEADING)["stop_details"] is None


def test_usage() -> None:
    first, *_, last, _ = events(SCRIPT, HEADING)
    assert first["message"]["usage"]["output_tokens"] == 1
    assert last["usage"]["input_tokens"] == 7
    assert last["usage"]["cache_read_input_tokens"] == 30
    assert last["usage"]["output_tokens"] == 2 + 3 + 5 + 1
    assert last["usage"]["output_tokens_details"] == {"thinking_tokens": 2}


def test_ids_follow_from_the_seed() -> None:
    assert vendor_id("msg", "a") == vendor_id("msg", "a") != vendor_id("msg", "b")
    assert vendor_id("toolu", "a", 1).startswith("toolu_01")
    assert len(vendor_id("msg", "a")) == len("msg_01") + 22


def test_frame_survives_what_utf8_cannot_hold() -> None:
    assert frame({"type": "ping", "x": "é\ud800"}) == 'event: ping\ndata: {"type": "ping", "x": "é?"}\n\n'.encode()


def played(fault: Fault) -> tuple[list[str], list[Step]]:
    """Split what happens into the events that were sent and what else was done."""
    done = list(steps(Script((Say(("a", "b", "c")),)), HEADING, fault))
    sent = [step.event["type"].removeprefix("content_block_") for step in done if isinstance(step, Send)]
    return sent, [step for step in done if not isinstance(step, Send)]


@pytest.mark.parametrize(
    ("fault", "sent", "other"),
    [
        (CutOff(0), ["message_start", "ping"], [Pause(0.05), HangUp()]),
        (CutOff(2), ["message_start", "ping", "start", "delta", "delta"], [Pause(0.05), HangUp()]),
        (
            CutOff(9),
            ["message_start", "ping", "start", "delta", "delta", "delta", "stop"],
            [Pause(0.05), HangUp()],
        ),
        (Silence(1), ["message_start", "ping", "start", "delta"], [Hang()]),
        (StreamError("overloaded_error", 1), ["message_start", "ping", "start", "delta", "error"], []),
    ],
)
def test_faults(fault: Fault, sent: list[str], other: list[Step]) -> None:
    assert played(fault) == (sent, other)


def test_waits_and_delays() -> None:
    done = list(steps(Script((Say(("a", "b")),), wait=2.0, delay=0.5), HEADING))
    assert [step.seconds for step in done if isinstance(step, Pause)] == [2.0, 0.5, 0.5]
    assert done[0] == Pause(2.0)


def test_a_fault_may_pass() -> None:
    script = Script(fault=CutOff(0), fault_times=2)
    assert [script.fault_at(attempt) is None for attempt in (1, 2, 3)] == [False, False, True]
