"""How Claude Code tells of a failure, and what the dialogue makes of it.

Each test is one statement about Claude Code that cca relies on. A release of it that changes one fails by name.
"""

import pytest
from attrs import frozen
from live_cli import Surroundings, asked, converse, open_cli, prompt

from cca.claude.dialogue import SYNTHETIC
from cca.errors import (
    BadRequest,
    CcaError,
    ModelApiFailed,
    NotFound,
    Overloaded,
    RateLimited,
    TooLarge,
    Unauthorized,
    UpstreamFailed,
)
from cca.model import Event, Failed
from cca.scripted import open_scripted_model

pytestmark = pytest.mark.live

LOGIN = Surroundings(environ={"ANTHROPIC_API_KEY": "", "CLAUDE_CODE_OAUTH_TOKEN": "a-token"})
NO_LOGIN = Surroundings(environ={"ANTHROPIC_API_KEY": ""})
RETRYING = Surroundings(retries=2)
LOGGED_IN_RETRYING = Surroundings(environ=LOGIN.environ, retries=2)


@frozen
class Case:
    """An API error: the kind that the program gives it, how often it asks with no retries, and what cca makes of it."""

    status: int
    kind: str
    requests: int
    becomes: type[CcaError]


CASES = (
    # A 400 and a 404 are asked again without one of the betas after another, whatever the number of retries.
    Case(400, "unknown", 4, BadRequest),
    Case(401, "authentication_failed", 1, Unauthorized),
    Case(403, "authentication_failed", 1, Unauthorized),
    Case(404, "model_not_found", 2, NotFound),
    Case(413, "invalid_request", 1, TooLarge),
    Case(429, "rate_limit", 1, RateLimited),
    Case(500, "server_error", 1, ModelApiFailed),
    Case(529, "server_error", 1, Overloaded),
)

EACH = pytest.mark.parametrize("case", CASES, ids=lambda case: str(case.status))


def failure(events: list[Event]) -> CcaError:
    """Return the error of an answer that is nothing but that."""
    [event] = events
    assert isinstance(event, Failed)
    return event.error


@EACH
async def test_an_api_error_is_a_synthetic_message_and_a_result_that_calls_itself_success(case: Case) -> None:
    async with open_scripted_model() as model, open_cli(model) as cli:
        cli.ask(f"[[error {case.status}]]")
        message = await cli.until(type="assistant")
        result = await cli.until(type="result")
        assert message["message"]["model"] == SYNTHETIC
        assert message["error"] == case.kind
        assert (result["subtype"], result["is_error"], result["api_error_status"]) == ("success", True, case.status)
        assert not [line for line in cli.lines if line["type"] == "stream_event"]
        assert len(asked(model)) == case.requests


@EACH
async def test_an_api_error_becomes_its_own_class(case: Case) -> None:
    events, _, _ = await converse(prompt(f"[[error {case.status}]]"))
    error = failure(events)
    assert type(error) is case.becomes
    assert not error.message.startswith("API Error")


@pytest.mark.parametrize("surroundings", [RETRYING, LOGGED_IN_RETRYING], ids=["key", "login"])
@pytest.mark.parametrize(("status", "becomes"), [(401, Unauthorized), (403, Unauthorized), (429, RateLimited)])
async def test_these_are_final_at_the_first_request(
    status: int, becomes: type[CcaError], surroundings: Surroundings
) -> None:
    events, _, requests = await converse(prompt(f"[[error {status}]]"), surroundings)
    assert type(failure(events)) is becomes
    assert len(requests) == 1


async def test_a_retry_is_announced_with_its_delay_its_status_and_its_kind() -> None:
    async with open_scripted_model() as model, open_cli(model, RETRYING) as cli:
        cli.ask("[[error 529 times 1]] hello")
        retry = await cli.until(type="system", subtype="api_retry")
        result = await cli.until(type="result")
        assert (retry["attempt"], retry["max_retries"]) == (1, 2)
        assert (retry["error_status"], retry["error"]) == (529, "overloaded")
        assert 100 < retry["retry_delay_ms"] < 2000
        assert (result["is_error"], result["result"]) == (False, "hello")


async def test_retry_after_of_the_api_is_heard_in_the_delay_of_a_retry() -> None:
    events, _, _ = await converse(prompt("[[error 429 retry-after 7]]"), RETRYING)
    retry_after = failure(events).retry_after
    assert retry_after is not None
    assert 7 <= retry_after < 10


async def test_no_login_is_told_without_a_request() -> None:
    async with open_scripted_model() as model, open_cli(model, NO_LOGIN) as cli:
        assert type(failure(await cli.converse(prompt("hello")))) is Unauthorized
        message = next(line for line in cli.lines if line["type"] == "assistant")
        assert (message["message"]["model"], message["error"]) == (SYNTHETIC, "authentication_failed")
        assert asked(model) == []


async def test_a_login_is_used_when_there_is_no_key() -> None:
    async with open_scripted_model() as model, open_cli(model, LOGIN) as cli:
        await cli.converse(prompt("hello"))
        [received] = model.received
        assert "authorization" in received.headers
        assert "x-api-key" not in received.headers


async def test_an_api_that_cannot_be_reached_is_a_failure_without_a_status() -> None:
    nowhere = Surroundings(environ={"ANTHROPIC_BASE_URL": "http://127.0.0.1:9"})
    events, _, _ = await converse(prompt("hello"), nowhere)
    assert type(failure(events)) is UpstreamFailed
