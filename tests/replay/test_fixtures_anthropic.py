"""Every recorded conversation as a message of Anthropic's API, as its schema and its own library read it."""

import anthropic
import pytest
import trio
from recordings import RECORDINGS, answer, case_id

from anthropic_reader import Reader, validate_message, validate_stream
from anthropic_schema import check_error, check_message, check_stream
from cca.backends.transcript import conversation_of
from cca.dialects.anthropic_messages import ANTHROPIC_MESSAGES
from cca.dialects.contract import Ask, Stamp
from cca.message import Message
from cca.model import Failed, Told

STAMP = Stamp(id="0001", created=1_767_225_600, request_id="req_0001")


@pytest.fixture(scope="module")
def reader() -> Reader:
    return Reader()


@pytest.mark.parametrize("name", RECORDINGS, ids=case_id)
async def test_what_is_gathered_from_a_stream_is_what_is_read_whole(
    name: str, reader: Reader, autojump_clock: trio.testing.MockClock
) -> None:
    recording = RECORDINGS[name]
    ask = Ask((conversation_of(recording.request),), stream=True)
    encoder, message = ANTHROPIC_MESSAGES.stream(ask, STAMP), Message()
    *events, last = await answer(recording)
    frames = [frame for event in (*events, last) for frame in encoder.encode(Told(0, event))]
    check_stream(frames)
    validate_stream(frames)
    if isinstance(last, Failed):
        status, body = ANTHROPIC_MESSAGES.refusal(last.error, STAMP.request_id)
        check_error(body)
        with pytest.raises(anthropic.APIStatusError) as streamed:
            reader.gathered(frames)
        with pytest.raises(anthropic.APIStatusError) as whole:
            reader.read(body, status)
        assert (streamed.value.status_code, whole.value.status_code) == (200, status)
        assert streamed.value.body == whole.value.body == body
    else:
        for event in (*events, last):
            message.take(event)
        body = ANTHROPIC_MESSAGES.whole(ask, STAMP, [message])
        check_message(body)
        validate_message(body)
        assert reader.gathered(frames) == reader.read(body) == body
