"""In whose shape an error is told."""

import pytest

from cca.dialects.anthropic import refusal as anthropic
from cca.dialects.openai import refusal as openai
from cca.web.shapes import Refusal, refusal_of


@pytest.mark.parametrize("known", [True, False], ids=["known", "unknown"])
@pytest.mark.parametrize("versioned", [True, False], ids=["versioned", "bare"])
@pytest.mark.parametrize("path", ["/v1/messages", "/v1/messages/count_tokens", "/v1/messages/batches/b1/results"])
def test_routes_of_anthropics_are_told_as_anthropic_does(*, path: str, versioned: bool, known: bool) -> None:
    assert refusal_of(path, versioned=versioned, known=known) is anthropic


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
    assert refusal_of(path, versioned=True, known=known) is told
    assert refusal_of(path, versioned=False, known=known) is openai
