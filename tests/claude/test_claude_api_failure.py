"""Claude Code's failures to errors: by status and kind."""

import pytest

from cca.claude.failures import BILLING_HINT, LOGIN_HINT, api_failure, too_long
from cca.errors import (
    BadRequest,
    CcaError,
    DeadlineExceeded,
    Forbidden,
    ModelApiFailed,
    NotFound,
    Overloaded,
    RateLimited,
    TooLarge,
    Unauthorized,
    UpstreamFailed,
)


@pytest.mark.parametrize(
    ("status", "kind", "error", "code"),
    [
        (400, "unknown", BadRequest, None),
        (401, "authentication_failed", Unauthorized, "claude_code_login"),
        (403, "authentication_failed", Unauthorized, "claude_code_login"),
        (404, "model_not_found", NotFound, "model_not_found"),
        (413, "invalid_request", TooLarge, None),
        (429, "rate_limit", RateLimited, "rate_limit_exceeded"),
        (500, "server_error", ModelApiFailed, None),
        (503, "server_error", Overloaded, None),
        (529, "server_error", Overloaded, None),
        (402, "unknown", Forbidden, "claude_code_billing"),
        (408, "unknown", DeadlineExceeded, None),
        (409, "unknown", BadRequest, None),
        (418, None, BadRequest, None),
        (422, "invalid_request", BadRequest, None),
        (451, "unknown", BadRequest, None),
        (504, "server_error", DeadlineExceeded, None),
        (302, None, UpstreamFailed, None),
        (599, None, UpstreamFailed, None),
        (502, "server_error", UpstreamFailed, None),
        (None, "server_error", UpstreamFailed, None),
        (None, None, UpstreamFailed, None),
        (None, "authentication_failed", Unauthorized, "claude_code_login"),
        (None, "oauth_org_not_allowed", Unauthorized, "claude_code_login"),
        (402, "billing_error", Forbidden, "claude_code_billing"),
        (400, "billing_error", Forbidden, "claude_code_billing"),
        (None, "billing_error", Forbidden, "claude_code_billing"),
        (418, "authentication_failed", Unauthorized, "claude_code_login"),
        (400, "authentication_failed", BadRequest, None),
        (None, "rate_limit", RateLimited, "rate_limit_exceeded"),
    ],
)
def test_status_and_kind_choose_the_error(
    status: int | None, kind: str | None, error: type[CcaError], code: str | None
) -> None:
    made = api_failure(status, kind, "why", None)
    assert (type(made), made.code) == (error, code)
    assert made.message.endswith(": why")


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 405, 409, 410, 413, 422, 499])
def test_what_the_api_refuses_is_not_asked_again(status: int) -> None:
    """Each try is a process, and ends as the last one did."""
    made = api_failure(status, "unknown", "why", None)
    assert (made.retryable, made.status < 500) == (False, True)


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504, 529])
def test_what_the_api_may_yet_answer_can_be_asked_again(status: int) -> None:
    assert api_failure(status, "unknown", "why", None).retryable


@pytest.mark.parametrize(
    ("status", "kind", "passed"),
    [
        (429, None, 7.4),
        (None, "rate_limit", 7.4),
        (503, None, 7.4),
        (529, None, 7.4),
        (400, None, None),
        (401, None, None),
    ],
)
def test_how_long_to_wait_is_said_where_waiting_helps(
    status: int | None, kind: str | None, passed: float | None
) -> None:
    assert api_failure(status, kind, "why", 7.4).retry_after == passed


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("API Error: 400 messages: too many", "messages: too many"),
        ("API Error: Connection refused (ECONNREFUSED)", "Connection refused (ECONNREFUSED)"),
        ("API Error: Request rejected (429) · This request", "Request rejected (429) · This request"),
        ("Failed to authenticate. API Error: 403 Scripted", "Failed to authenticate. Scripted"),
        ("Not logged in · Please run /login", "Not logged in · Please run /login"),
        (
            'API Error: 400 {"type":"error","error":{"type":"x","message":"say \\"please\\"\\nK\\u00f6ln"}}',
            'say "please"\nKöln',
        ),
        ('API Error: 400 {"message":"broken \\x escape"}', 'API Error: 400 {"message":"broken \\x escape"}'),
        ("API Error: 500", "no reason given"),
        ("", "no reason given"),
        ("  ", "no reason given"),
    ],
)
def test_the_apis_own_sentence_is_told_without_what_is_around_it(said: str, told: str) -> None:
    assert api_failure(500, None, said, None).message == f"The model's API failed: {told}"


def test_a_refused_login_says_whose_it_is_and_how_to_mend_it() -> None:
    assert api_failure(401, None, "x", None).message == f"{LOGIN_HINT} It said: x"
    assert "/login" in LOGIN_HINT
    assert "ANTHROPIC_API_KEY" in LOGIN_HINT


def test_an_account_that_cannot_pay_is_no_matter_of_its_login() -> None:
    assert api_failure(402, None, "x", None).message == f"{BILLING_HINT} It said: x"
    assert "login" not in BILLING_HINT
    assert "billing" in BILLING_HINT


def test_a_prompt_that_the_context_does_not_hold_is_the_clients_matter() -> None:
    error = too_long("Prompt is too long")
    assert (error.status, error.code, error.retryable) == (400, "context_length_exceeded", False)
    assert error.message == "The conversation is longer than the model's context: Prompt is too long"
