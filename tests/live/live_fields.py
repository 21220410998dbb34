"""One text in every field of a request that takes any text, for each dialect. For the tests beside."""

import json
from collections.abc import Callable, Mapping
from typing import TypeAlias

from cca.model import Json

Asking: TypeAlias = Callable[[str], tuple[str, Json]]
"""Returns the path and the body of a request that says a text wherever it can."""

CALLED = {"id": "call_1", "name": "f"}


def _parameters(text: str) -> Json:
    held = {"type": "string", "title": text, "description": text, "enum": [text, "other"], "default": text}
    return {"type": "object", "title": text, "description": text, "properties": {"a": held, text: held}}


def _form(text: str) -> Json:
    """Return a schema that the model's API holds an answer to."""
    held = {"type": "string", "title": text, "description": text}
    outer = {"type": "object", "title": text, "description": text, "properties": {"a": held}, "required": ["a"]}
    return {**outer, "additionalProperties": False}


def _odd_form(text: str) -> Json:
    """Return a schema that is a tool's, because the API does not know all that it says."""
    return {**_parameters(text), "required": ["a", text], "minProperties": 0}


def _arguments(text: str) -> Json:
    return {"a": text, text: [text, {"b": text}]}


def _chat(text: str) -> tuple[str, Json]:
    called = {"name": CALLED["name"], "arguments": json.dumps(_arguments(text))}
    messages: list[Json] = [
        {"role": "system", "content": text, "name": text},
        {"role": "developer", "content": [{"type": "text", "text": text}]},
        {"role": "user", "content": text, "name": text},
        {
            "role": "assistant",
            "content": text,
            "name": text,
            "tool_calls": [{"id": CALLED["id"], "type": "function", "function": called}],
        },
        {"role": "tool", "tool_call_id": CALLED["id"], "content": text},
        {"role": "assistant", "content": [{"type": "text", "text": text}]},
        {"role": "user", "content": [{"type": "text", "text": text}, {"type": "text", "text": text}]},
        {"role": "assistant", "content": None, "refusal": text},
        {"role": "user", "content": text},
    ]
    function = {"name": CALLED["name"], "description": text, "parameters": _parameters(text)}
    kept = {"user": text, "metadata": {"a": text}, "safety_identifier": text, "prompt_cache_key": text}
    form = {"name": "form", "description": text, "schema": _form(text), "strict": True}
    return "/v1/chat/completions", {
        "model": "haiku",
        "messages": messages,
        "tools": [{"type": "function", "function": function}],
        "stop": [text],
        "response_format": {"type": "json_schema", "json_schema": form},
        **kept,
    }


def _completions(text: str) -> tuple[str, Json]:
    return "/v1/completions", {"model": "haiku", "prompt": text, "stop": f"{text}{text}", "user": text}


def _responses(text: str) -> tuple[str, Json]:
    items: list[Json] = [
        {"role": "system", "content": text},
        {"role": "developer", "content": [{"type": "input_text", "text": text}]},
        {"role": "user", "content": text},
        {"role": "assistant", "content": [{"type": "output_text", "text": text}, {"type": "refusal", "refusal": text}]},
        {"type": "function_call", "call_id": "call_1", "name": "f", "arguments": json.dumps(_arguments(text))},
        {"type": "function_call_output", "call_id": "call_1", "output": text},
        {"role": "assistant", "content": text},
        {"role": "user", "content": [{"type": "input_text", "text": text}]},
    ]
    tool = {"type": "function", "name": "f", "description": text, "parameters": _parameters(text)}
    kept = {"user": text, "metadata": {"a": text}, "safety_identifier": text, "prompt_cache_key": text}
    form = {"type": "json_schema", "name": "form", "description": text, "schema": _odd_form(text)}
    asked = {"model": "haiku", "instructions": text, "input": items, "tools": [tool], "store": False}
    return "/v1/responses", {**asked, "text": {"format": form}, **kept}


def _document(text: str, source: Mapping[str, Json]) -> Json:
    return {"type": "document", "source": source, "title": text, "context": text, "citations": {"enabled": False}}


def _messages(text: str) -> tuple[str, Json]:
    said = {"type": "text", "text": text}
    shown: list[Json] = [
        said,
        _document(text, {"type": "text", "media_type": "text/plain", "data": text}),
        _document(text, {"type": "content", "content": [said]}),
        {"type": "search_result", "source": text, "title": text, "content": [said]},
    ]
    messages: list[Json] = [
        {"role": "user", "content": text},
        {
            "role": "assistant",
            "content": [said, {"type": "tool_use", "id": "toolu_1", "name": "f", "input": _arguments(text)}],
        },
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "content": shown}, *shown]},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "toolu_2", "name": "f", "input": {}}]},
        {
            "role": "user",
            "content": [{"type": "tool_result", "tool_use_id": "toolu_2", "content": text, "is_error": True}],
        },
        {"role": "assistant", "content": text},
        {"role": "user", "content": text},
    ]
    asked = {"model": "haiku", "max_tokens": 100, "messages": messages, "system": [said, said]}
    tool = {"name": "f", "description": text, "input_schema": _parameters(text)}
    form = {"type": "json_schema", "schema": _form(text)}
    return "/v1/messages", {
        **asked,
        "tools": [tool],
        "stop_sequences": [text],
        "metadata": {"user_id": text},
        "output_config": {"format": form},
    }


SHAPES: Mapping[str, Asking] = {
    "chat": _chat,
    "completions": _completions,
    "responses": _responses,
    "messages": _messages,
}


def names(text: str) -> Mapping[str, tuple[str, Json]]:
    """Return requests, each with a text in a field that takes no such text."""
    chat, responses, messages = "/v1/chat/completions", "/v1/responses", "/v1/messages"
    user: Json = {"role": "user", "content": "hello"}
    asked: Json = {"model": "haiku", "max_tokens": 100, "messages": [user]}
    call = {"id": "call_1", "type": "function", "function": {"name": text, "arguments": "{}"}}
    tool = {"name": "f", "input_schema": {"type": "object"}}
    used = {"type": "tool_use", "id": text, "name": "f", "input": {}}
    said: Json = {"type": "text", "text": "hello", "cache_control": {"type": "ephemeral", "ttl": text}}
    return {
        "model": (chat, {**asked, "model": text}),
        "role": (chat, {**asked, "messages": [{"role": text, "content": "hello"}]}),
        "part's type": (chat, {**asked, "messages": [{"role": "user", "content": [{"type": text, "text": "hello"}]}]}),
        "function's name": (chat, {**asked, "tools": [{"type": "function", "function": {"name": text}}]}),
        "called name": (chat, {**asked, "messages": [user, {"role": "assistant", "tool_calls": [call]}, user]}),
        "effort": (chat, {**asked, "reasoning_effort": text}),
        "tool_choice": (chat, {**asked, "tool_choice": text}),
        "previous response": (responses, {"model": "haiku", "input": "hello", "previous_response_id": text}),
        "conversation": (responses, {"model": "haiku", "input": "hello", "conversation": text}),
        "tool's name": (messages, {**asked, "tools": [{**tool, "name": text}]}),
        "chosen tool": (messages, {**asked, "tools": [tool], "tool_choice": {"type": "tool", "name": text}}),
        "call's id": (messages, {**asked, "messages": [user, {"role": "assistant", "content": [used]}, user]}),
        "mark's time": (messages, {**asked, "messages": [{"role": "user", "content": [said]}]}),
        "media type": (messages, {**asked, "messages": [{"role": "user", "content": [_picture(text)]}]}),
        "thinking": (messages, {**asked, "thinking": {"type": text}}),
    }


def _picture(text: str) -> Json:
    return {"type": "image", "source": {"type": "base64", "media_type": text, "data": "AAAA"}}
