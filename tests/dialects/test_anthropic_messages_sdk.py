"""Any answer there may be, as anthropic-python reads it: streamed, it gathers what it has whole."""

from itertools import pairwise
from typing import Any

import anthropic
import orjson
import pytest
from anthropic.types.thread_unsupported_request_error import ThreadUnsupportedRequestError
from hypothesis import given
from hypothesis import strategies as st

from anthropic_reader import Reader, validate_message, validate_stream
from anthropic_schema import check_message, check_stream
from cca.catalogue import Catalogue
from cca.dialects.anthropic import refusal
from cca.dialects.anthropic_messages.answer import STOP_REASONS, MessageEncoder, message
from cca.dialects.anthropic_models import models
from cca.dialects.contract import Ask, Frame, Stamp
from cca.errors import BadRequest, Busy, CcaError, NotFound, Overloaded, RateLimited, Unauthorized, UpstreamFailed
from cca.message import Message
from cca.model import (
    Cited,
    Conversation,
    Event,
    Failed,
    Finished,
    ModelEntry,
    NextText,
    Redacted,
    Signed,
    Started,
    TextDelta,
    ThinkingDelta,
    Told,
    ToolCallDelta,
    ToolCallStarted,
    Usage,
)

ASK = Ask((Conversation("sonnet", ()),), stream=True)
STAMP = Stamp("x", 17, "req_1")

words = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
counts = st.integers(min_value=0, max_value=2**40)
usages = st.builds(Usage, counts, counts, counts, counts, counts)
values: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=8,
)
objects = st.dictionaries(words, values, max_size=4)
citations = st.fixed_dictionaries(
    {
        "type": st.just("char_location"),
        "cited_text": words,
        "document_index": counts,
        "document_title": st.none() | words,
        "start_char_index": counts,
        "end_char_index": counts,
        "file_id": st.none(),
    }
)


@st.composite
def calls(draw: st.DrawFn) -> list[Event]:
    """Return a call whose arguments come in pieces, or not at all."""
    start = ToolCallStarted(draw(st.from_regex(r"toolu_[a-zA-Z0-9]{1,8}", fullmatch=True)), draw(words))
    text = draw(st.just("") | objects.map(lambda value: orjson.dumps(value).decode()))
    cuts = sorted({0, len(text), *draw(st.lists(st.integers(0, len(text)), max_size=4))})
    return [start, *(ToolCallDelta(text[a:b]) for a, b in pairwise(cuts))]


@st.composite
def answers(draw: st.DrawFn) -> list[Event]:
    """Return the events of an answer that comes to its end, without the end."""
    single = (
        st.builds(TextDelta, words)
        | st.just(NextText())
        | st.builds(Cited, citations)
        | st.builds(ThinkingDelta, words)
        | st.builds(Signed, words)
        | st.builds(Redacted, words)
    ).map(lambda event: [event])
    parts = draw(st.lists(single | calls(), max_size=12))
    started = Started("msg_1", "claude-x", draw(usages))
    return [started, *(event for part in parts for event in part)]


refusals = st.fixed_dictionaries(
    {"type": st.just("refusal"), "category": st.just("bio"), "explanation": st.none() | words}
)
ends = st.builds(
    Finished, st.sampled_from(list(STOP_REASONS)), st.none() | words, usages, st.none(), st.none() | refusals
)


def frames(*events: Event) -> list[Frame]:
    encoder = MessageEncoder(ASK, STAMP)
    return [frame for event in events for frame in encoder.encode(Told(0, event))]


def whole(*events: Event) -> Any:
    told = Message()
    for event in events:
        told.take(event)
    return message(ASK, STAMP, [told])


@pytest.fixture(scope="module")
def reader() -> Reader:
    return Reader()


@given(events=answers(), end=ends)
def test_a_stream_is_gathered_to_the_whole_message(reader: Reader, events: list[Event], end: Finished) -> None:
    said, body = frames(*events, end), whole(*events, end)
    check_stream(said)
    check_message(body)
    validate_stream(said)
    validate_message(body)
    assert reader.gathered(said) == body
    assert reader.read(body) == body


@given(events=answers(), kept=st.integers(min_value=0))
def test_a_stream_that_fails_is_one_up_to_its_error(reader: Reader, events: list[Event], kept: int) -> None:
    said = frames(*events[: kept % (len(events) + 1)], Failed(Overloaded("busy")))
    check_stream(said)
    validate_stream(said)
    with pytest.raises(anthropic.APIStatusError, match="busy") as caught:
        reader.gathered(said)
    assert caught.value.type == "overloaded_error"


def test_arguments_that_broke_off_are_gathered_as_far_as_they_came(reader: Reader) -> None:
    """The library mends them; in a whole message they stand as they are."""
    events: list[Event] = [
        Started("msg_1", "claude-x", Usage()),
        ToolCallStarted("toolu_1", "f"),
        ToolCallDelta('{"a":[1,'),
    ]
    end = Finished("max_tokens", None, Usage())
    assert reader.gathered(frames(*events, end))["content"][0]["input"] == {"a": [1]}
    assert reader.read(whole(*events, end))["content"][0]["input"] == {"INVALID_JSON": '{"a":[1,'}


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (BadRequest("m"), anthropic.BadRequestError),
        (Unauthorized("m"), anthropic.AuthenticationError),
        (BadRequest("m", code="claude_code_billing"), anthropic.PaymentRequiredError),
        (NotFound("m"), anthropic.NotFoundError),
        (RateLimited("m"), anthropic.RateLimitError),
        (UpstreamFailed("m"), anthropic.InternalServerError),
        (Busy("m"), anthropic.OverloadedError),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, CcaError) else "",
)
def test_an_error_is_raised_as_what_it_is(
    reader: Reader, error: CcaError, kind: type[anthropic.APIStatusError]
) -> None:
    status, body = refusal(error, "req_1")
    with pytest.raises(kind) as caught:
        reader.read(body, status)
    assert type(caught.value) is kind
    assert (caught.value.api_message, caught.value.type) == ("m", body["error"]["type"])


def test_a_refused_thread_is_raised_as_that(reader: Reader) -> None:
    status, body = refusal(BadRequest("m", code="thread_unsupported_request"), "req_1")
    with pytest.raises(ThreadUnsupportedRequestError) as caught:
        reader.read(body, status)
    assert caught.value.details is not None
    assert caught.value.details.to_dict() == {"error_code": "thread_unsupported_request", "unsupported": []}


def test_models_are_read_by_their_types() -> None:
    entry = ModelEntry("sonnet", "claude-sonnet-5-5", "Sonnet")
    for listed in models(Catalogue((entry,), ()), {})["data"]:
        read = anthropic.types.ModelInfo.model_validate(listed)
        assert read.to_dict(mode="json") == listed
