"""What a client is told when the model's API fails, with the real Claude Code: at once where no try helps."""

import time
from collections.abc import Iterator

import pytest
from live_server import Server, serving

from cca.model import Json

pytestmark = pytest.mark.live

SOON = 5.0
"""Seconds for what no further try would mend."""

TYPES: dict[str, tuple[int, int, str, str]] = {
    "error 400": (400, 400, "invalid_request_error", "invalid_request_error"),
    "error 401": (401, 401, "invalid_request_error", "authentication_error"),
    "error 413": (413, 413, "invalid_request_error", "request_too_large"),
    "error 429 retry-after 7": (429, 429, "rate_limit_error", "rate_limit_error"),
    "error 500": (500, 500, "server_error", "api_error"),
    "error 529": (503, 529, "server_error", "overloaded_error"),
    "cut": (502, 502, "server_error", "api_error"),
    "cut after 0": (502, 502, "server_error", "api_error"),
    "silent": (504, 504, "server_error", "timeout_error"),
}
"""What the API does; then the status in a chat and in a message, and the types of the error in both."""

AT_ONCE = ("error 400", "error 401", "error 413", "error 429 retry-after 7")


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """Return a server with the tries that it has by default, and less patience."""
    with serving(CCA_FIRST_EVENT_TIMEOUT="15") as server:
        yield server


@pytest.mark.parametrize(
    "fault", [pytest.param(fault, marks=() if fault in AT_ONCE else pytest.mark.soak) for fault in TYPES]
)
def test_a_failure_has_its_status_and_its_type(server: Server, fault: str) -> None:
    """R-25."""
    in_chat, in_message, of_chat, of_message = TYPES[fault]
    began = time.monotonic()
    chat = server.chat(f"[[{fault}]] in a chat")
    took = time.monotonic() - began
    said: Json = {"role": "user", "content": f"[[{fault}]] in a message"}
    message = server.exchange("POST", "/v1/messages", {"model": "haiku", "max_tokens": 100, "messages": [said]})
    assert (chat.status, message.status) == (in_chat, in_message)
    assert (chat.json["error"]["type"], message.json["error"]["type"]) == (of_chat, of_message)
    assert "API Error" not in chat.body.decode()
    if fault in AT_ONCE:
        assert took < SOON
    if "retry-after" in fault:
        assert 7 <= int(chat.headers["retry-after"]) < 12
        assert 7 <= int(message.headers["retry-after"]) < 12


def test_an_answer_that_is_cut_is_no_answer(server: Server) -> None:
    """R-25: as a whole it is a failure, and as a stream it ends with an error."""
    assert server.chat("[[cut after 2]] one two three four five").status == 502
    streamed = server.chat("[[cut after 2]] one two three four five six", stream=True)
    assert streamed.status == 200
    assert "error" in streamed.chunks[-1]
    assert "[DONE]" not in streamed.frames


def test_an_api_that_is_not_there_is_a_bad_gateway() -> None:
    """R-25: refused."""
    nowhere = {"ANTHROPIC_BASE_URL": "http://127.0.0.1:9", "ANTHROPIC_API_KEY": "nobody's", "CCA_RETRIES": "0"}
    with serving(command=("-m", "cca", "serve", "--port=0"), **nowhere) as server:
        assert server.chat("hello").status == 502
