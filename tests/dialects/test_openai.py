"""What OpenAI's APIs share on the wire: statuses and errors, finish reasons, token counts."""

from typing import get_args

import pytest

from cca import errors
from cca.dialects.openai import FINISH_REASONS, chat_usage, models_list, refusal
from cca.errors import CcaError
from cca.model import ModelEntry, StopReason, Usage

OPENAI_FINISH_REASONS = {"stop", "length", "tool_calls", "content_filter"}


def test_every_stop_reason_has_a_finish_reason_that_clients_know() -> None:
    assert set(FINISH_REASONS) == set(get_args(StopReason))
    assert set(FINISH_REASONS.values()) == OPENAI_FINISH_REASONS


@pytest.mark.parametrize(
    ("error", "status", "kind"),
    [
        (errors.BadRequest, 400, "invalid_request_error"),
        (errors.Unauthorized, 401, "invalid_request_error"),
        (errors.Forbidden, 403, "invalid_request_error"),
        (errors.NotFound, 404, "invalid_request_error"),
        (errors.MethodNotAllowed, 405, "invalid_request_error"),
        (errors.RequestTimedOut, 408, "invalid_request_error"),
        (errors.Conflict, 409, "invalid_request_error"),
        (errors.TooLarge, 413, "invalid_request_error"),
        (errors.UnsupportedMediaType, 415, "invalid_request_error"),
        (errors.RateLimited, 429, "rate_limit_error"),
        (errors.TooManyTokens, 429, "rate_limit_error"),
        (errors.InternalError, 500, "server_error"),
        (errors.ModelApiFailed, 500, "server_error"),
        (errors.UpstreamFailed, 502, "server_error"),
        (errors.Unheard, 502, "server_error"),
        (errors.NotUnderstood, 502, "server_error"),
        (errors.Unavailable, 503, "server_error"),
        (errors.DeadlineExceeded, 504, "server_error"),
        (errors.Overloaded, 503, "server_error"),
        (errors.Busy, 429, "rate_limit_error"),
    ],
)
def test_an_error_is_all_four_keys(error: type[CcaError], status: int, kind: str) -> None:
    body = {"error": {"message": "m", "type": kind, "param": None, "code": None}}
    assert refusal(error("m")) == (status, body)
    told = refusal(error("m", param="a.b", code="c"))[1]["error"]
    assert (told["param"], told["code"]) == ("a.b", "c")


def test_the_prompt_counts_whole_however_much_the_cache_had() -> None:
    usage = Usage(input_tokens=1, output_tokens=20, cache_read_tokens=300, cache_write_tokens=4000, reasoning_tokens=5)
    assert chat_usage(usage) == {
        "prompt_tokens": 4301,
        "completion_tokens": 20,
        "total_tokens": 4321,
        "prompt_tokens_details": {"cached_tokens": 300},
        "completion_tokens_details": {"reasoning_tokens": 5},
    }


def test_a_name_is_listed_once() -> None:
    entries = [ModelEntry("a", "x", "A"), ModelEntry("b", "x", "B"), ModelEntry("c", "c", "C")]
    assert [model["id"] for model in models_list(entries)["data"]] == ["a", "x", "b", "c"]


def test_no_error_class_of_cca_is_without_a_row_above() -> None:
    classes = {name for name, value in vars(errors).items() if isinstance(value, type) and issubclass(value, CcaError)}
    (rows,) = [mark.args[1] for mark in test_an_error_is_all_four_keys.pytestmark]  # type: ignore[attr-defined]
    assert classes - {"CcaError"} == {row[0].__name__ for row in rows}
