"""One text in every field of a request that takes any text, for each dialect. For the tests beside."""

import json
import string
from base64 import b64encode
from collections.abc import Callable, Mapping
from typing import TypeAlias
from urllib.parse import quote

from cca.model import Json

Asking: TypeAlias = Callable[[str], tuple[str, Json]]
"""Returns the path and the body of a request that says a text wherever it can."""

CALLED = {"id": "call_1", "name": "f"}


def filed(text: str) -> str:
    """Return what a file says with a text in it: one of no NUL, or it would be none of text."""
    return f"It says: {text}".replace("\0", "\\0")


def addressed(text: str) -> str:
    """Return an address with a text in it, as it stands as far as an address can have it."""
    return f"https://example.com/?{quote(text, safe=string.punctuation)}"


def sealed(text: str) -> str:
    """Return what is base64, as only the model's API makes it, with a text in it."""
    return b64encode(text.encode()).decode()


FORMS: tuple[Callable[[str], str], ...] = (filed, addressed, sealed, str)
"""How a text stands in a request, and so in the one to the model's API."""


def _file(text: str) -> str:
    return f"data:text/plain;base64,{sealed(filed(text))}"


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
    shown = {"type": "image_url", "image_url": {"url": addressed(text), "detail": text}}
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
        {"role": "assistant", "content": [{"type": "refusal", "refusal": text}], "refusal": text},
        {"role": "user", "content": [shown, {"type": "file", "file": {"file_data": _file(text), "filename": text}}]},
        {"role": "assistant", "function_call": called},
        {"role": "function", "name": CALLED["name"], "content": text},
        {"role": "user", "content": text},
    ]
    function = {"name": CALLED["name"], "description": text, "parameters": _parameters(text)}
    kept = {"user": text, "metadata": {"a": text}, "safety_identifier": text, "prompt_cache_key": text}
    form = {"name": text, "description": text, "schema": _form(text), "strict": True}
    return "/v1/chat/completions", {
        "model": "haiku",
        "messages": messages,
        "tools": [{"type": "function", "function": function}, {"type": text}],
        "stop": [text],
        "response_format": {"type": "json_schema", "json_schema": form},
        **kept,
    }


def _completions(text: str) -> tuple[str, Json]:
    return "/v1/completions", {"model": "haiku", "prompt": text, "stop": f"{text}{text}", "user": text}


def _items(text: str) -> list[Json]:
    known = {"id": text, "status": text}
    called = {"call_id": "call_1", "name": "f", "arguments": json.dumps(_arguments(text))}
    return [
        {"role": "system", "content": text, **known},
        {"role": "developer", "content": [{"type": "input_text", "text": text}]},
        {"role": "user", "content": text},
        {"type": "reasoning", "id": text, "summary": [{"type": "summary_text", "text": text}]},
        {"role": "assistant", "content": [{"type": "output_text", "text": text}, {"type": "refusal", "refusal": text}]},
        {"type": "function_call", **called, **known},
        {"type": "function_call_output", "call_id": "call_1", "output": text, **known},
        {"role": "assistant", "content": text},
        {
            "role": "user",
            "content": [
                {"type": "input_image", "image_url": addressed(text)},
                {"type": "input_file", "file_data": _file(text), "filename": text},
                {"type": "input_file", "file_url": addressed(text), "filename": text},
                {"type": "input_text", "text": text},
            ],
        },
    ]


def _responses(text: str) -> tuple[str, Json]:
    tool = {"type": "function", "name": "f", "description": text, "parameters": _parameters(text)}
    named = {"type": "namespace", "name": "n", "description": text, "tools": [tool]}
    kept = {"user": text, "metadata": {"a": text}, "safety_identifier": text, "prompt_cache_key": text}
    form = {"type": "json_schema", "name": text, "description": text, "schema": _odd_form(text)}
    asked = {"model": "haiku", "instructions": text, "input": _items(text), "tools": [tool, named, {"type": text}]}
    more = {"reasoning": {"summary": text, "generate_summary": text}, "include": [text]}
    return "/v1/responses", {**asked, **more, "store": False, "text": {"format": form}, **kept}


def _in_conversation(text: str) -> tuple[str, Json]:
    return "/v1/responses", {"model": "haiku", "input": text}


def new_conversation(text: str) -> tuple[str, Json]:
    """Return the path and the body of what a conversation begins with that is gone on from."""
    return "/v1/conversations", {"items": _items(text), "metadata": {"a": text}}


def _document(text: str, source: Mapping[str, Json]) -> Json:
    return {"type": "document", "source": source, "title": text, "context": text, "citations": {"enabled": False}}


def _messages(text: str) -> tuple[str, Json]:
    said = {"type": "text", "text": text}
    shown: list[Json] = [
        said,
        _document(text, {"type": "text", "media_type": "text/plain", "data": text}),
        _document(text, {"type": "content", "content": [said]}),
        _document(text, {"type": "content", "content": text}),
        _document(text, {"type": "url", "url": addressed(text)}),
        {"type": "image", "source": {"type": "url", "url": addressed(text)}},
        {"type": "search_result", "source": text, "title": text, "content": [said]},
    ]
    messages: list[Json] = [
        {"role": "user", "content": text},
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": text, "signature": sealed(text)},
                {"type": "redacted_thinking", "data": sealed(text)},
                {**said, "citations": [{"type": "char_location", "cited_text": text}]},
                {"type": "tool_use", "id": "toolu_1", "name": "f", "input": _arguments(text), "caller": {"type": text}},
            ],
        },
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "content": shown}, *shown]},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "toolu_2", "name": "f", "input": {}}]},
        {
            "role": "user",
            "content": [{"type": "tool_result", "tool_use_id": "toolu_2", "content": text, "is_error": True}],
        },
        {"role": "system", "content": text},
        {"role": "assistant", "content": text},
        {"role": "system", "content": [said]},
        {"role": "user", "content": [{"type": "mid_conv_system", "content": [said]}, said]},
    ]
    asked = {"model": "haiku", "max_tokens": 100, "messages": messages, "system": text}
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
    "conversation": _in_conversation,
    "messages": _messages,
}


def names(text: str) -> Mapping[str, tuple[str, Json]]:
    """Return requests, each with a text in a field that takes no such text."""
    prompted = {"completions: model": ("/v1/completions", {"model": text, "prompt": "hello"})}
    return {**_chat_names(text), **prompted, **_responses_names(text), **_messages_names(text)}


def _chat_names(text: str) -> Mapping[str, tuple[str, Json]]:
    user: Json = {"role": "user", "content": "hello"}
    call = {"id": "call_1", "type": "function", "function": {"name": text, "arguments": "{}"}}
    function = {"name": "f"}
    shown = {"type": "image_url", "image_url": {"url": text}}
    asked: Mapping[str, Json] = {
        "model": {"model": text},
        "role": {"messages": [{"role": text, "content": "hello"}]},
        "part's type": {"messages": [{"role": "user", "content": [{"type": text, "text": "hello"}]}]},
        "picture's address": {"messages": [{"role": "user", "content": [shown]}]},
        "file's id": {"messages": [{"role": "user", "content": [{"type": "file", "file": {"file_id": text}}]}]},
        "called name": {"messages": [user, {"role": "assistant", "tool_calls": [call]}, user]},
        "call's type": {"messages": [user, {"role": "assistant", "tool_calls": [{"type": text}]}, user]},
        "function's name": {"tools": [{"type": "function", "function": {"name": text}}]},
        "older function's name": {"functions": [{"name": text}]},
        "older choice": {"functions": [function], "function_call": {"name": text}},
        "effort": {"reasoning_effort": text},
        "tool_choice": {"tool_choice": text},
        "form's type": {"response_format": {"type": text}},
    }
    return {
        f"chat: {name}": ("/v1/chat/completions", {"model": "haiku", "messages": [user], **each})
        for name, each in asked.items()
    }


def _responses_names(text: str) -> Mapping[str, tuple[str, Json]]:
    call = {"type": "function_call", "call_id": "call_1", "arguments": "{}"}
    function = {"type": "function", "name": "f"}

    def shown(**part: Json) -> Json:
        return {"input": [{"role": "user", "content": [part]}]}

    asked: Mapping[str, Json] = {
        "model": {"model": text},
        "previous response": {"previous_response_id": text},
        "conversation": {"conversation": text},
        "picture's address": shown(type="input_image", image_url=text),
        "picture's id": shown(type="input_image", file_id=text),
        "file's address": shown(type="input_file", file_url=text),
        "file's id": shown(type="input_file", file_id=text),
        "called name": {"input": [{**call, "name": text}]},
        "called namespace": {"input": [{**call, "name": "f", "namespace": text}]},
        "reference": {"input": [{"type": "item_reference", "id": text}]},
        "function's name": {"tools": [{**function, "name": text}]},
        "namespace": {"tools": [{"type": "namespace", "name": text, "tools": [function]}]},
        "tool_choice": {"tool_choice": text},
        "effort": {"reasoning": {"effort": text}},
        "form's type": {"text": {"format": {"type": text}}},
    }
    return {
        f"responses: {name}": ("/v1/responses", {"model": "haiku", "input": "hello", **each})
        for name, each in asked.items()
    }


def _messages_names(text: str) -> Mapping[str, tuple[str, Json]]:
    user: Json = {"role": "user", "content": "hello"}
    tool = {"name": "f", "input_schema": {"type": "object"}}
    used = {"type": "tool_use", "id": "call_1", "name": "f", "input": {}}
    found = {"type": "tool_result", "tool_use_id": "call_1", "content": [{"type": "tool_reference", "tool_name": text}]}

    def said(*content: Json) -> Json:
        return {"messages": [{"role": "user", "content": [*content]}]}

    def called(**call: Json) -> Json:
        return {"messages": [user, {"role": "assistant", "content": [{**used, **call}]}, user]}

    def source(kind: str, **source: Json) -> Json:
        return said({"type": kind, "source": source})

    asked: Mapping[str, Json] = {
        "model": {"model": text},
        "block's type": said({"type": text}),
        "tool's name": {"tools": [{**tool, "name": text}]},
        "tool's type": {"tools": [{"type": text}]},
        "chosen tool": {"tools": [tool], "tool_choice": {"type": "tool", "name": text}},
        "call's id": called(id=text),
        "called name": called(name=text),
        "result's id": said({**found, "tool_use_id": text, "content": "hello"}),
        "found tool": {"messages": [*called()["messages"][:2], {"role": "user", "content": [found]}], "tools": [tool]},
        "mark's type": said({"type": "text", "text": "hello", "cache_control": {"type": text}}),
        "mark's time": said({"type": "text", "text": "hello", "cache_control": {"type": "ephemeral", "ttl": text}}),
        "picture's type": source("image", type="base64", media_type=text, data="AAAA"),
        "picture": source("image", type="base64", media_type="image/png", data=f"{text}="),
        "picture's address": source("image", type="url", url=text),
        "document's type": source("document", type="text", media_type=text, data="hello"),
        "document's address": source("document", type="url", url=text),
        "file's id": source("document", type="file", file_id=text),
        "time to clear": {"messages": [user, {"role": "system", "content": "hello", "clear_at": text}, user]},
        "thinking": {"thinking": {"type": text}},
        "display": {"thinking": {"type": "adaptive", "display": text}},
        "budgeted display": {"thinking": {"type": "enabled", "budget_tokens": 1024, "display": text}},
        "effort": {"output_config": {"effort": text}},
        "form's type": {"output_config": {"format": {"type": text}}},
        "older form's type": {"output_format": {"type": text}},
    }
    return {
        f"messages: {name}": ("/v1/messages", {"model": "haiku", "max_tokens": 2000, "messages": [user], **each})
        for name, each in asked.items()
    }
