"""Completions: prompts to conversations, and what is answered to texts, in chunks and whole."""

from typing import Any, get_args

import pytest
from chat_asked import completion

from cca.dialects.contract import Ask, Frame, Stamp
from cca.dialects.openai_completions import OPENAI_COMPLETIONS
from cca.errors import BadRequest, NotFound, Overloaded
from cca.message import Message
from cca.model import (
    Event,
    Failed,
    Finished,
    Sampling,
    Started,
    StopReason,
    Text,
    TextDelta,
    ThinkingDelta,
    Told,
    ToolCallStarted,
    Usage,
    UserTurn,
)

STAMP = Stamp("x", 17)


def prompts(ask: Ask) -> list[Any]:
    """Return what each choice is asked."""
    return [part.text for each in ask.conversations for (part,) in [each.turns[0].content] if isinstance(part, Text)]


@pytest.mark.parametrize(
    ("fields", "asked"),
    [
        pytest.param({"prompt": "a"}, ["a"], id="one"),
        pytest.param({"prompt": " a\n"}, [" a\n"], id="verbatim"),
        pytest.param({"prompt": ["a"]}, ["a"], id="a list of one"),
        pytest.param({"prompt": ["a", "b", "c", "d"]}, ["a", "b", "c", "d"], id="as many as there may be"),
        pytest.param({"prompt": "a", "n": 3}, ["a", "a", "a"], id="choices"),
        pytest.param({"prompt": ["a", "b"], "n": 2}, ["a", "a", "b", "b"], id="of each prompt"),
    ],
)
def test_each_choice_is_a_conversation(fields: Any, asked: list[str]) -> None:
    heard = completion(**fields)
    assert prompts(heard) == asked
    assert all(len(each.turns) == 1 and isinstance(each.turns[0], UserTurn) for each in heard.conversations)


@pytest.mark.parametrize(
    ("fields", "sampling"),
    [
        pytest.param({}, Sampling(), id="no limit, though OpenAI's is 16 tokens"),
        pytest.param({"max_tokens": 16}, Sampling(max_tokens=16), id="a limit"),
        pytest.param({"stop": ["a", "b"]}, Sampling(stop_sequences=("a", "b")), id="stop"),
        pytest.param({"stop": "a"}, Sampling(stop_sequences=("a",)), id="one stop"),
        pytest.param(
            {"model": "haiku", "temperature": 0, "top_p": 0.5},
            Sampling(temperature=0, top_p=0.5, thinking=False),
            id="temperature",
        ),
    ],
)
def test_sampling(fields: Any, sampling: Sampling) -> None:
    heard = completion(**fields)
    assert ([each.sampling for each in heard.conversations], heard.ignored) == ([sampling], ())


OPTIONAL = ("best_of", "echo", "logprobs", "max_tokens", "n", "stop", "stream", "stream_options", "suffix", "user")


@pytest.mark.parametrize(
    ("fields", "ignored"),
    [
        pytest.param(dict.fromkeys(OPTIONAL), (), id="all null"),
        pytest.param({"best_of": 1, "suffix": "", "n": 1, "stream": False}, (), id="what is done anyway"),
        pytest.param({"user": "u", "seed": 1, "logit_bias": {}}, ("user", "seed", "logit_bias"), id="what only tunes"),
        pytest.param({"stream_options": {"x": 1}}, ("stream_options.x",), id="in stream_options"),
        pytest.param({"temperature": 0.5}, ("temperature",), id="a model that thinks"),
    ],
)
def test_what_has_no_effect_is_named(fields: Any, ignored: Any) -> None:
    assert completion(**fields).ignored == ignored


VALUE, NO_VALUE = "invalid_value", "unsupported_value"


@pytest.mark.parametrize(
    ("fields", "param", "code", "said"),
    [
        pytest.param({"prompt": None}, "prompt", "invalid_type", "a string or an array", id="null"),
        pytest.param({"prompt": 5}, "prompt", "invalid_type", "a string or an array", id="a number"),
        pytest.param({"prompt": []}, "prompt", "invalid_type", "a string or an array", id="none"),
        pytest.param({"prompt": [1, 2]}, "prompt", NO_VALUE, "send its text", id="tokens"),
        pytest.param({"prompt": [[1, 2]]}, "prompt", NO_VALUE, "send its text", id="arrays of tokens"),
        pytest.param({"prompt": ["a", 2]}, "prompt", NO_VALUE, "send its text", id="text and tokens"),
        pytest.param({"prompt": ""}, "prompt", VALUE, "has no text", id="empty"),
        pytest.param({"prompt": ["a", " \n"]}, "prompt[1]", VALUE, "has no text", id="white space"),
        pytest.param({"prompt": list("abcde")}, "prompt", VALUE, "may have 4", id="more than there may be"),
        pytest.param({"n": 5}, "n", VALUE, "from 1 to 4", id="too many choices"),
        pytest.param({"prompt": ["a", "b"], "n": 3}, "n", VALUE, "from 1 to 2", id="of several prompts"),
        pytest.param({"n": 0}, "n", VALUE, "from 1 to 4", id="no choice"),
        pytest.param({"suffix": "x"}, "suffix", NO_VALUE, "cannot be honoured", id="suffix"),
        pytest.param({"best_of": 2}, "best_of", NO_VALUE, "ask for n", id="best_of"),
        pytest.param({"logprobs": 0}, "logprobs", "unsupported_parameter", "log probabilities", id="logprobs"),
        pytest.param({"echo": 1}, "echo", "invalid_type", "true or false", id="echo"),
        pytest.param({"max_tokens": 0}, "max_tokens", VALUE, "1 or more", id="max_tokens"),
        pytest.param({"stop": list("abcde")}, "stop", VALUE, "more than 4", id="stop"),
    ],
)
def test_what_cannot_be_honoured_is_refused(fields: Any, param: str, code: str, said: str) -> None:
    with pytest.raises(BadRequest, match=said.replace("(", r"\(")) as told:
        completion(**fields)
    assert (told.value.param, told.value.code) == (param, code)


def test_a_prompt_is_required() -> None:
    with pytest.raises(BadRequest) as told:
        OPENAI_COMPLETIONS.decode({"model": "sonnet"}, None)  # type: ignore[arg-type]
    assert (told.value.param, told.value.code) == ("prompt", "missing_required_parameter")


def test_a_model_that_nobody_knows_is_not_found() -> None:
    with pytest.raises(NotFound):
        completion(model="davinci-002")


STARTED = Started("msg_1", "claude-x", Usage())


def ended(reason: StopReason = "end_turn", **usage: int) -> Finished:
    return Finished(reason, None, Usage(**usage))


def told(*events: tuple[int, Event]) -> list[Told]:
    return [Told(choice, event) for choice, event in events]


def frames(ask: Ask, *events: tuple[int, Event]) -> list[Frame]:
    encoder = OPENAI_COMPLETIONS.stream(ask, STAMP)
    return [frame for each in told(*events) for frame in encoder.encode(each)]


def shown(frame: Frame) -> Any:
    (choice,) = frame.content["choices"]
    return choice["index"], choice["text"], choice["finish_reason"]


def test_a_stream_is_texts_and_an_end() -> None:
    said = frames(completion(), (0, STARTED), (0, TextDelta("a")), (0, TextDelta("b")), (0, ended()))
    assert [shown(frame) for frame in said[:-1]] == [(0, "a", None), (0, "b", None), (0, "", "stop")]
    assert said[-1] == Frame("[DONE]")
    assert {frame.name for frame in said} == {None}
    head = {"id": "cmpl-x", "object": "text_completion", "created": 17, "model": "claude-x"}
    for frame in said[:-1]:
        assert {**frame.content, "choices": None} == {**head, "choices": None}
        assert frame.content["choices"][0]["logprobs"] is None


def test_thoughts_and_calls_have_no_place_in_it() -> None:
    events: list[tuple[int, Event]] = [
        (0, STARTED),
        (0, ThinkingDelta("a")),
        (0, ToolCallStarted("i", "f")),
        (0, ended("tool_use")),
    ]
    assert [shown(frame) for frame in frames(completion(), *events)[:-1]] == [(0, "", "stop")]


def test_the_prompt_that_is_echoed_comes_before_its_text() -> None:
    ask = completion(["p", "q"], echo=True)
    events: list[tuple[int, Event]] = [(1, STARTED), (0, STARTED), (0, TextDelta("a")), (1, ended()), (0, ended())]
    assert [shown(frame) for frame in frames(ask, *events)[:-1]] == [
        (1, "q", None),
        (0, "p", None),
        (0, "a", None),
        (1, "", "stop"),
        (0, "", "stop"),
    ]


def test_the_stream_ends_when_all_choices_have() -> None:
    events: list[tuple[int, Event]] = [(0, STARTED), (1, STARTED), (1, ended()), (0, TextDelta("a")), (0, ended())]
    *_, last, done = frames(completion(n=2), *events)
    assert shown(last) == (0, "", "stop")
    assert done == Frame("[DONE]")


def test_usage_counts_each_prompt_once_and_every_choice() -> None:
    ask = completion(["p", "q"], n=2, stream_options={"include_usage": True})
    inputs = (5, 5, 70, 70)
    # In the order in which they end, which is not theirs.
    events = [(choice, ended(input_tokens=inputs[choice], output_tokens=choice + 1)) for choice in (3, 0, 2, 1)]
    *chunks, usage, _ = frames(ask, *events)
    assert usage.content["choices"] == []
    counts = {name: usage.content["usage"][name] for name in ("prompt_tokens", "completion_tokens", "total_tokens")}
    assert counts == {"prompt_tokens": 75, "completion_tokens": 10, "total_tokens": 85}
    assert [chunk.content["usage"] for chunk in chunks] == [None] * 4


def test_a_failure_is_the_last_frame() -> None:
    error = {"message": "m", "type": "server_error", "param": None, "code": None}
    assert frames(completion(), (0, STARTED), (0, Failed(Overloaded("m")))) == [Frame({"error": error})]


@pytest.mark.parametrize("reason", get_args(StopReason))
def test_a_finish_reason_is_one_that_the_api_has(reason: StopReason) -> None:
    assert shown(frames(completion(), (0, STARTED), (0, ended(reason)))[0])[2] in ("stop", "length", "content_filter")


def message(*events: Event) -> Message:
    made = Message()
    for event in (STARTED, *events):
        made.take(event)
    return made


@pytest.mark.parametrize(("echo", "texts"), [(False, ["a", "b"]), (True, ["pa", "qb"])])
def test_a_whole_answer(echo: bool, texts: list[str]) -> None:  # noqa: FBT001 - a row's value
    ask = completion(["p", "q"], echo=echo)
    messages = [
        message(ThinkingDelta("t"), TextDelta("a"), ended(input_tokens=2, output_tokens=3)),
        message(TextDelta("b"), ended("max_tokens", input_tokens=4, output_tokens=1)),
    ]
    body = OPENAI_COMPLETIONS.whole(ask, STAMP, messages)
    assert body["choices"] == [
        {"text": texts[0], "index": 0, "logprobs": None, "finish_reason": "stop"},
        {"text": texts[1], "index": 1, "logprobs": None, "finish_reason": "length"},
    ]
    assert (body["id"], body["object"], body["created"], body["model"]) == ("cmpl-x", "text_completion", 17, "claude-x")
    assert (body["usage"]["prompt_tokens"], body["usage"]["completion_tokens"]) == (6, 4)
