"""What Anthropic's APIs share on the wire: statuses and types of errors, token counts."""

import pytest

from cca import errors
from cca.claude.failures import api_failure
from cca.dialects.anthropic import refusal, running_usage, usage_object
from cca.errors import BadRequest, CcaError, NotFound
from cca.model import Usage


@pytest.mark.parametrize(
    ("error", "status", "kind"),
    [
        (errors.BadRequest, 400, "invalid_request_error"),
        (errors.Unauthorized, 401, "authentication_error"),
        (errors.Forbidden, 403, "permission_error"),
        (errors.NotFound, 404, "not_found_error"),
        (errors.MethodNotAllowed, 405, "invalid_request_error"),
        (errors.RequestTimedOut, 408, "timeout_error"),
        (errors.Conflict, 409, "conflict_error"),
        (errors.TooLarge, 413, "request_too_large"),
        (errors.UnsupportedMediaType, 415, "invalid_request_error"),
        (errors.RateLimited, 429, "rate_limit_error"),
        (errors.TooManyTokens, 429, "rate_limit_error"),
        (errors.InternalError, 500, "api_error"),
        (errors.ModelApiFailed, 500, "api_error"),
        (errors.UpstreamFailed, 502, "api_error"),
        (errors.Unheard, 502, "api_error"),
        (errors.NotUnderstood, 502, "api_error"),
        (errors.Unavailable, 503, "overloaded_error"),
        (errors.DeadlineExceeded, 504, "timeout_error"),
        (errors.Overloaded, 529, "overloaded_error"),
        (errors.Busy, 529, "overloaded_error"),
    ],
)
def test_an_error_has_its_type_and_the_id_of_its_request(error: type[CcaError], status: int, kind: str) -> None:
    body = {"type": "error", "error": {"type": kind, "message": "m"}, "request_id": "req_1"}
    assert refusal(error("m"), "req_1") == (status, body)


def test_no_error_class_of_cca_is_without_a_row_above() -> None:
    classes = {name for name, value in vars(errors).items() if isinstance(value, type) and issubclass(value, CcaError)}
    (rows,) = [
        mark.args[1]
        for mark in test_an_error_has_its_type_and_the_id_of_its_request.pytestmark  # type: ignore[attr-defined]
    ]
    assert classes - {"CcaError"} == {row[0].__name__ for row in rows}


def test_an_error_of_no_request_has_no_id() -> None:
    assert refusal(BadRequest("m"), "")[1]["request_id"] is None


@pytest.mark.parametrize("status", [400, 402])
def test_an_account_that_cannot_pay_is_told_as_that(status: int) -> None:
    told, body = refusal(api_failure(status, "billing_error", "no credit", None), "req_1")
    assert (told, body["error"]["type"]) == (402, "billing_error")


@pytest.mark.parametrize(
    ("message", "param", "told"),
    [
        ("Say less.", "messages[0].content", "messages[0].content: Say less."),
        ("limit must be a number.", "limit", "limit must be a number."),
        ("No more than 4.", "n", "n: No more than 4."),
        ("tools[0] is of type 'bash'.", "tools[0].type", "tools[0] is of type 'bash'."),
        ("tools[0] it is.", "tools[0]", "tools[0] it is."),
        ("In tools[0] is a fault.", "tools[0].type", "tools[0].type: In tools[0] is a fault."),
        ("tools[10] is new.", "tools[1].type", "tools[1].type: tools[10] is new."),
        ("Say less.", None, "Say less."),
    ],
    ids=[
        *("beside it", "in it", "in a word of it"),
        *("in what is around it", "as what it begins with", "behind its beginning", "in another", "nowhere"),
    ],
)
def test_a_message_says_what_it_is_about(message: str, param: str | None, told: str) -> None:
    assert refusal(BadRequest(message, param=param), "")[1]["error"]["message"] == told


def test_only_the_refusal_of_a_thread_has_details() -> None:
    """At which both of Anthropic's libraries send the whole history."""
    no_thread = BadRequest("no threads", param="thread", code="thread_unsupported_request")
    assert refusal(no_thread, "")[1]["error"] == {
        "type": "invalid_request_error",
        "message": "thread: no threads",
        "details": {"error_code": "thread_unsupported_request", "unsupported": []},
    }
    assert "details" not in refusal(NotFound("m", code="model_not_found"), "")[1]["error"]


def test_tokens_of_the_cache_are_counted_beside_the_others() -> None:
    usage = Usage(input_tokens=1, output_tokens=20, cache_read_tokens=300, cache_write_tokens=4000, reasoning_tokens=5)
    running = {
        "input_tokens": 1,
        "cache_creation_input_tokens": 4000,
        "cache_read_input_tokens": 300,
        "output_tokens": 20,
        "output_tokens_details": {"thinking_tokens": 5},
        "server_tool_use": None,
    }
    assert running_usage(usage) == running
    unknown = {"cache_creation": None, "inference_geo": None, "service_tier": None}
    assert usage_object(usage) == {**running, **unknown}
