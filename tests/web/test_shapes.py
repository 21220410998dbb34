"""In whose shape a request is answered, and of which version."""

import pytest

from cca.dialects.anthropic import refusal as anthropic
from cca.dialects.anthropic_version import VERSIONS
from cca.dialects.openai import refusal as openai
from cca.errors import BadRequest
from cca.web.shapes import Refusal, Shape, shape_of

NEW = (b"Anthropic-Version", VERSIONS[1].encode())
"""A header, as a server may pass it on."""

KEY = (b"x-api-key", b"anthropic-version")


@pytest.mark.parametrize("known", [True, False], ids=["known", "unknown"])
@pytest.mark.parametrize(
    ("headers", "version"), [([KEY, NEW], VERSIONS[1]), ([KEY], VERSIONS[0])], ids=["versioned", "bare"]
)
@pytest.mark.parametrize("path", ["/v1/messages", "/v1/messages/count_tokens", "/v1/messages/batches/b1/results"])
def test_routes_of_anthropics_are_answered_as_anthropic_does(
    *, path: str, headers: list[tuple[bytes, bytes]], version: str, known: bool
) -> None:
    shape = shape_of(path, headers, known=known)
    assert (shape.refusal, shape.version) == (anthropic, version)


@pytest.mark.parametrize(
    ("path", "known", "told"),
    [
        pytest.param("/v1/models", True, anthropic, id="both have models"),
        pytest.param("/v1/models/a/b", True, anthropic, id="a model"),
        pytest.param("/v1/files", False, anthropic, id="no route"),
        pytest.param("", False, anthropic, id="no path"),
        pytest.param("/v1/messagesx", False, anthropic, id="no route, and almost one"),
        pytest.param("/v1/chat/completions", True, openai, id="a route of OpenAI's"),
        pytest.param("/v1/modelsx", True, openai, id="a route that begins as another"),
        pytest.param("/v1/sessions", True, openai, id="a route of cca's"),
    ],
)
def test_a_version_of_anthropics_counts_where_nothing_else_says_who_asks(
    *, path: str, known: bool, told: Refusal
) -> None:
    shape = shape_of(path, [KEY, NEW], known=known)
    assert (shape.refusal, shape.version) == (told, VERSIONS[1] if told is anthropic else None)
    assert shape_of(path, [KEY], known=known) == Shape(anthropics=False)


@pytest.mark.parametrize("versions", [[b"latest"], [b""], [b"2026-10-2\xff"], [b"2023-06-01", b"2026-10-21"]])
def test_a_version_that_is_none_is_told_where_it_counts(versions: list[bytes]) -> None:
    headers = [(b"anthropic-version", version) for version in versions]
    with pytest.raises(BadRequest, match="anthropic-version must be one date"):
        _ = shape_of("/v1/models", headers).version
    assert shape_of("/v1/chat/completions", headers).version is None
