"""Requests to the Messages API and what comes back, as a client of Anthropic's writes and reads them."""

import json
from collections.abc import Iterator
from typing import Any

from wire_harness import Reply, posted

MESSAGES = "/v1/messages"
COUNT = "/v1/messages/count_tokens"
OLD, NEW = "anthropic-version: 2023-06-01", "anthropic-version: 2026-10-21"


def user(content: Any = "Hello") -> dict[str, Any]:
    return {"role": "user", "content": content}


def said(content: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": content}


def body(*messages: Any, **fields: Any) -> dict[str, Any]:
    return {"model": "sonnet", "max_tokens": 100, "messages": list(messages) or [user()], **fields}


def streamed(*messages: Any, **fields: Any) -> dict[str, Any]:
    return body(*messages, stream=True, **fields)


def counted(*messages: Any, **fields: Any) -> dict[str, Any]:
    return {"model": "sonnet", "messages": list(messages) or [user()], **fields}


def post(given: Any, *headers: str, path: str = MESSAGES) -> bytes:
    return posted(path, given, *headers)


def events(reply: Reply) -> Iterator[Any]:
    """Yield the events of a stream, each of which has its name beside it."""
    assert reply.headers["content-type"] == "text/event-stream; charset=utf-8"
    *blocks, rest = reply.body.decode().split("\n\n")
    assert rest == ""
    for block in blocks:
        name, content = block.split("\n")
        event = json.loads(content.removeprefix("data: "))
        assert name == f"event: {event['type']}"
        yield event


def error_in(told: Any, reply: Reply) -> Any:
    """Return the error of a body, or of an event, that names the request as the headers do."""
    assert set(told) == {"type", "error", "request_id"}
    assert told["type"] == "error"
    assert told["request_id"] == reply.headers["request-id"] == reply.headers["x-request-id"]
    return told["error"]


def error(reply: Reply) -> Any:
    assert reply.headers["content-type"] == "application/json"
    return error_in(reply.json, reply)
