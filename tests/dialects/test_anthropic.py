"""What Anthropic's APIs share on the wire: statuses and types of errors, models, token counts."""

from collections.abc import Mapping
from typing import Any

import pytest

from cca import errors
from cca.catalogue import Catalogue
from cca.claude.failures import api_failure
from cca.dialects.anthropic import model, models, refusal, running_usage, usage_object
from cca.errors import BadRequest, CcaError, NotFound
from cca.model import ModelEntry, Usage

CATALOGUE = Catalogue(
    (
        ModelEntry("default", "claude-sonnet-5-5", "Default"),
        ModelEntry("sonnet", "claude-sonnet-5-5", "Sonnet"),
        ModelEntry("haiku", "claude-haiku-4-5", "Haiku"),
    ),
    (("gpt-*", "haiku"), ("o3", "sonnet"), ("own", "claude-own-1")),
)
NAMES = ["default", "claude-sonnet-5-5", "sonnet", "haiku", "claude-haiku-4-5", "o3", "own"]

MODEL_KEYS = {"capabilities", "created_at", "display_name", "id", "max_input_tokens", "max_tokens", "type"}
"""What the schema requires of a model."""


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
        ("Say less.", None, "Say less."),
    ],
    ids=["beside it", "in it", "in a word of it", "nowhere"],
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


def ids(query: Mapping[str, str]) -> list[str]:
    return [each["id"] for each in models(CATALOGUE, query)["data"]]


def test_every_name_is_a_model_once() -> None:
    listed = models(CATALOGUE, {})
    assert ids({}) == NAMES
    assert (listed["first_id"], listed["last_id"], listed["has_more"]) == ("default", "own", False)
    assert all(set(each) >= MODEL_KEYS for each in listed["data"])
    shown = [each["display_name"] for each in listed["data"]]
    assert shown == ["Default", "Default", "Sonnet", "Haiku", "Haiku", "o3", "own"]


def test_no_model_is_an_empty_page() -> None:
    empty: dict[str, Any] = {"data": [], "first_id": None, "last_id": None, "has_more": False}
    assert models(Catalogue((), ()), {}) == empty


def page(of: slice, *, has_more: bool) -> tuple[list[str], bool]:
    return NAMES[of], has_more


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"limit": "3"}, page(slice(3), has_more=True)),
        ({"limit": "7"}, page(slice(7), has_more=False)),
        ({"limit": "1000"}, page(slice(7), has_more=False)),
        ({"after_id": NAMES[2]}, page(slice(3, 7), has_more=False)),
        ({"after_id": NAMES[2], "limit": "2"}, page(slice(3, 5), has_more=True)),
        ({"after_id": NAMES[4], "limit": "2"}, page(slice(5, 7), has_more=False)),
        ({"after_id": NAMES[6]}, page(slice(0), has_more=False)),
        ({"before_id": NAMES[3]}, page(slice(3), has_more=False)),
        ({"before_id": NAMES[3], "limit": "2"}, page(slice(1, 3), has_more=True)),
        ({"before_id": NAMES[2], "limit": "2"}, page(slice(2), has_more=False)),
        ({"before_id": NAMES[0]}, page(slice(0), has_more=False)),
    ],
    ids=str,
)
def test_pages_are_turned_in_both_directions(query: Mapping[str, str], expected: tuple[list[str], bool]) -> None:
    listed = models(CATALOGUE, query)
    names = [each["id"] for each in listed["data"]]
    assert (names, listed["has_more"]) == expected
    assert (listed["first_id"], listed["last_id"]) == ((names[0], names[-1]) if names else (None, None))


def test_the_pages_are_the_list() -> None:
    found: list[str] = []
    query = {"limit": "2"}
    while (listed := models(CATALOGUE, query))["data"]:
        found += [each["id"] for each in listed["data"]]
        assert listed["has_more"] == (found[-1] != NAMES[-1])
        query = {"limit": "2", "after_id": listed["last_id"]}
    assert found == NAMES


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ({"limit": "0"}, "limit"),
        ({"limit": "1001"}, "limit"),
        ({"limit": "-1"}, "limit"),
        ({"limit": "1.5"}, "limit"),
        ({"limit": ""}, "limit"),
        ({"limit": "\N{ARABIC-INDIC DIGIT ONE}"}, "limit"),
        ({"after_id": "nobody"}, "after_id"),
        ({"before_id": ""}, "before_id"),
        ({"after_id": "haiku", "before_id": "haiku"}, "before_id"),
    ],
    ids=str,
)
def test_a_page_that_there_is_not(query: Mapping[str, str], param: str) -> None:
    with pytest.raises(BadRequest, match=param) as caught:
        models(CATALOGUE, query)
    assert caught.value.param == param


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("sonnet", ("claude-sonnet-5-5", "Sonnet")),
        ("haiku", ("claude-haiku-4-5", "Haiku")),
        ("claude-haiku-4-5", ("claude-haiku-4-5", "Haiku")),
        ("gpt-5", ("claude-haiku-4-5", "Haiku")),
        ("own", ("claude-own-1", "claude-own-1")),
        ("claude-later-9[1m]", ("claude-later-9[1m]", "claude-later-9[1m]")),
    ],
)
def test_a_name_is_resolved_to_an_id(name: str, expected: tuple[str, str]) -> None:
    found: Any = model(CATALOGUE, name)
    assert (found["id"], found["display_name"]) == expected
    assert found == {**models(CATALOGUE, {})["data"][0], "id": expected[0], "display_name": expected[1]}


def test_a_name_that_nothing_answers_to() -> None:
    with pytest.raises(NotFound):
        model(CATALOGUE, "nobody")


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
