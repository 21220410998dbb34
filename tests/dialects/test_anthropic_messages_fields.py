"""Each field that Anthropic's API has is read, ignored and named, or refused: none is dropped in silence."""

from typing import Any

import attrs
import pytest
from messages_asked import HE, MARK, NEW, OLD, SCHEMA, ask, assistant, call, refused_at, result, text, tool, user

from cca.dialects.anthropic_messages.body import BLOCKS, MessagesRequest
from cca.dialects.anthropic_messages.fields import SERVED_ELSEWHERE

SPEC = frozenset(
    {
        *("cache_control", "container", "inference_geo", "max_tokens", "messages", "metadata", "model"),
        *("output_config", "service_tier", "stop_sequences", "stream", "system", "temperature", "thinking"),
        *("tool_choice", "tools", "top_k", "top_p"),
    }
)
"""The properties of ``CreateMessageParams``; those of ``CountMessageTokensParams`` are among them."""

BETA = SPEC | {
    *("context_management", "diagnostics", "fallback_credit_token", "fallbacks", "mcp_servers", "output_format"),
    "speed",
}
"""The properties of ``BetaCreateMessageParams``; those of ``BetaCountMessageTokensParams`` are among them."""

NEWER = frozenset({"thread", "compaction", "billing_policy", "user_profile_id", "workspace_id"})
"""Fields that Anthropic's client libraries have besides."""

READ: dict[str, Any] = {
    "model": "haiku",
    "messages": [HE, HE],
    "max_tokens": 10,
    "system": "s",
    "stream": True,
    "tools": [tool()],
    "tool_choice": {"type": "any"},
    "stop_sequences": ["a"],
    "temperature": 0.5,
    "top_p": 0.5,
    "top_k": 5,
    "thinking": {"type": "adaptive"},
    "output_config": {"effort": "low"},
    "output_format": {"type": "json_schema", "schema": SCHEMA},
    **MARK,
}
"""A value for each field that is read, of which the conversation is another."""

BESIDE: dict[str, Any] = {
    "tool_choice": {"tools": [tool()]},
    **{name: {"model": "haiku"} for name in ("temperature", "top_p", "top_k")},
}
"""What some of them need besides."""

IGNORED: dict[str, Any] = {
    "container": "container_1",
    "inference_geo": "us",
    "metadata": {"user_id": "u"},
    "service_tier": "auto",
    "context_management": {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]},
    "diagnostics": {"previous_message_id": None},
    "fallback_credit_token": "t",
    "fallbacks": "default",
    "speed": "fast",
    "billing_policy": {"type": "billing_policy", "bill_to": "self"},
    "user_profile_id": "u",
    "workspace_id": "w",
    "of_nobody": {"a": [1]},
}

REFUSED: dict[str, Any] = {
    "mcp_servers": [{"type": "url", "url": "https://example.org", "name": "m"}],
    "compaction": {"type": "summarize"},
    "thread": {"type": "create"},
}


def test_there_is_a_word_on_each_field_of_the_api() -> None:
    known = {*READ, *IGNORED, *REFUSED}
    assert (BETA | NEWER) - known == frozenset()
    assert known - BETA - NEWER == {"of_nobody"}
    assert {field.name for field in attrs.fields(MessagesRequest)} - {"extra"} == set(READ)


@pytest.mark.parametrize("name", READ)
def test_it_is_read(name: str) -> None:
    beside = BESIDE.get(name, {})
    plain, other = ask(**beside), ask(**{**beside, name: READ[name]})
    assert (other.conversations, other.stream) != (plain.conversations, plain.stream)
    assert other.ignored == plain.ignored


@pytest.mark.parametrize("version", [OLD, NEW])
@pytest.mark.parametrize("name", IGNORED)
def test_it_is_ignored_and_named(name: str, version: str) -> None:
    heard, plain = ask(version=version, **{name: IGNORED[name]}), ask(version=version)
    assert heard.ignored == (name,)
    assert heard.conversations == plain.conversations
    assert ask(version=version, **{name: None}) == plain


@pytest.mark.parametrize("version", [OLD, NEW])
@pytest.mark.parametrize("name", REFUSED)
def test_it_is_refused(name: str, version: str) -> None:
    refused_at(name, "cannot be honoured", version=version, **{name: REFUSED[name]})
    assert ask(version=version, **{name: None}) == ask(version=version)


def test_no_servers_are_none() -> None:
    assert ask(mcp_servers=[]) == ask()


BLOCKS_OF_SPEC = frozenset(
    {
        *("text", "image", "document", "search_result", "tool_use", "tool_result", "thinking", "redacted_thinking"),
        *("mid_conv_system", "server_tool_use", "mcp_tool_use", "mcp_tool_result", "advisor_tool_result"),
        *("bash_code_execution_tool_result", "code_execution_tool_result", "text_editor_code_execution_tool_result"),
        *("tool_search_tool_result", "web_fetch_tool_result", "web_search_tool_result", "container_upload"),
        *("compaction", "fallback", "tool_addition", "tool_removal"),
    }
)
"""The types of ``BetaInputContentBlock``."""


def test_there_is_a_word_on_each_type_of_block() -> None:
    assert {*BLOCKS, *SERVED_ELSEWHERE} - BLOCKS_OF_SPEC == {"mcp_tool_listing", "tool_reference"}
    assert BLOCKS_OF_SPEC - {*BLOCKS, *SERVED_ELSEWHERE} == frozenset()


@pytest.mark.parametrize("kind", sorted(SERVED_ELSEWHERE - {"tool_reference"}))
def test_a_block_of_what_runs_elsewhere_is_refused_by_its_type(kind: str) -> None:
    block: dict[str, Any] = {"type": kind, "id": "x", "content": [], "cache_control": None}
    refused_at("messages[1].content[1].type", repr(kind), HE, user(text("a"), block))
    refused_at("messages[1].content[0].type", repr(kind), HE, assistant(block), HE)
    refused_at(
        "messages[2].content[0].content[0].type", repr(kind), HE, assistant(call()), user(result(content=[block]))
    )
