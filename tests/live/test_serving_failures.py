"""What a client is told when the model's API fails, with the real Claude Code: at once where no try helps."""

import time
from collections.abc import Iterator

import pytest
from attrs import frozen
from live_server import Reply, Server, serving

from cca.model import Json
from survival import Survival

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

ROUNDS = 3

AT_ONCE = ("error 400", "error 401", "error 413", "error 429 retry-after 7")


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """Return a server with the tries that it has by default, and less patience."""
    with serving(CCA_FIRST_EVENT_TIMEOUT="15") as server:
        yield server


@frozen
class Told:
    """What the clients of both APIs were told of one fault, and the seconds until the first was."""

    chat: Reply
    message: Reply
    took: float

    def wrong(self, fault: str) -> Iterator[str]:
        """Yield what is not as the table has it."""
        expected = TYPES[fault]
        error = self.chat.json["error"], self.message.json["error"]
        told = (self.chat.status, self.message.status, *(each["type"] for each in error))
        if told != expected:
            yield f"{fault}: {told}, and not {expected}"
        if "API Error" in self.chat.body.decode():
            yield f"{fault}: it is told in Claude Code's words"
        if "retry-after" in fault and not all(
            7 <= int(reply.headers["retry-after"]) < 12 for reply in (self.chat, self.message)
        ):
            yield f"{fault}: it is not told when to come again"


def told(server: Server, fault: str, number: int = 0) -> Told:
    """Ask in a chat and in a message for what the API answers with ``fault``."""
    began = time.monotonic()
    chat = server.chat(f"[[{fault}]] in a chat {number}")
    took = time.monotonic() - began
    said: Json = {"role": "user", "content": f"[[{fault}]] in a message {number}"}
    message = server.exchange("POST", "/v1/messages", {"model": "haiku", "max_tokens": 100, "messages": [said]})
    return Told(chat, message, took)


@pytest.mark.parametrize("fault", AT_ONCE)
def test_a_failure_that_no_try_mends_has_its_status_and_its_type(server: Server, fault: str) -> None:
    """R-25."""
    assert list(told(server, fault).wrong(fault)) == []


@pytest.mark.soak
def test_each_failure_has_its_status_and_its_type(server: Server, survival: Survival) -> None:
    """R-25. What no further try would mend is told at once; the rest is tried again first, or waited for."""
    found = {(fault, number): told(server, fault, number) for number in range(ROUNDS) for fault in TYPES}
    wrong = [each for (fault, _), one in found.items() for each in one.wrong(fault)]
    slow = max(one.took for (fault, _), one in found.items() if fault in AT_ONCE)
    figure = f"{slow:.1f} s until one is told that no try mends"
    survival("R-25", "failures of the model's API", tried=2 * len(found), lost=len(wrong), figure=figure)
    assert not wrong
    assert slow < SOON


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
