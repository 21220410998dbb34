"""Directives: what each row of the table comes to."""

from typing import Any

import pytest
from attrs import asdict

from cca.scripted.directives import Wishes, read_directives, without_directives
from cca.scripted.script import Call, CutOff, HttpError, Silence, StreamError

LIMITED = "This request would exceed your account's rate limit. Please try again later."


@pytest.mark.parametrize(
    ("text", "wishes"),
    [
        ("[[tokens 50]]", {"tokens": 50}),
        ("[[wait 2s]]", {"wait": 2.0}),
        ("[[delay 10ms]]", {"delay": 0.01}),
        ("[[stop pause_turn]]", {"stop_reason": "pause_turn"}),
        ("[[stop refusal cyber]]", {"stop_reason": "refusal", "category": "cyber"}),
        ("[[stop_sequence THE END]]", {"stop_reason": "stop_sequence", "stop_sequence": "THE END"}),
        ("[[thinking]]", {"thinking": "Let me think about that."}),
        ("[[thinking of tea]]", {"thinking": "of tea"}),
        ("[[hidden thinking]]", {"thinking": "Let me think about that.", "shown": "hidden"}),
        ("[[redacted thinking of tea]]", {"thinking": "of tea", "shown": "redacted"}),
        ("[[cached 30]]", {"cache_read": 30}),
        ("[[cached 30 created 12]]", {"cache_read": 30, "cache_created": 12}),
        ("[[call f]]", {"calls": (Call("f", {}),)}),
        (
            '[[call f {"a": [[1]]}]] and [[call mcp__g {"b": "]"}]]',
            {"calls": (Call("f", {"a": [[1]]}), Call("mcp__g", {"b": "]"}))},
        ),
        ("[[error 429 retry-after 7]]", {"fault": HttpError(429, "rate_limit_error", LIMITED, 7.0)}),
        (
            "[[error 529 times 2]]",
            {"fault": HttpError(529, "overloaded_error", "Overloaded"), "fault_times": 2},
        ),
        ("[[error 418]]", {"fault": HttpError(418, "invalid_request_error", "Scripted error 418")}),
        ("[[error mid-stream api_error]]", {"fault": StreamError("api_error", 2)}),
        ("[[error mid-stream x after 0 times 1]]", {"fault": StreamError("x", 0), "fault_times": 1}),
        ("[[cut]]", {"fault": CutOff(0)}),
        ("[[cut at start]]", {"fault": CutOff(0)}),
        ("[[cut after 3 times 1]]", {"fault": CutOff(3), "fault_times": 1}),
        ("[[silent]]", {"fault": Silence(None)}),
        ("[[silent after 3]]", {"fault": Silence(3)}),
        ("[[ wait 1s ]][[tokens 2]]", {"wait": 1.0, "tokens": 2}),
    ],
)
def test_each_directive_is_read_and_taken_out(text: str, wishes: dict[str, Any]) -> None:
    assert asdict(read_directives(f"say {text} this"), recurse=False) == asdict(Wishes(), recurse=False) | wishes
    assert "[[" not in without_directives(f"say {text} this")


@pytest.mark.parametrize(
    "text", ["[[x]]", "[[error 200]]", "[[error 600]]", "[[tokens many]]", "[[wait 2 days]]", "[["]
)
def test_other_brackets_are_text(text: str) -> None:
    assert read_directives(text) == Wishes()
    assert without_directives(text) == text
