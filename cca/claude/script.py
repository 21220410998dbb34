"""What to say to Claude Code for one conversation: batches of frames, each said when the one before is done.

The first batch is everything up to the first past user turn, or all of it when there is no history. A past user turn is
answered by an empty ``result``; only then may its assistant turn and what follows be written, or they overtake it.
"""

import json
from collections.abc import Iterator, Mapping
from typing import assert_never

from cca.claude import frames
from cca.model import (
    AssistantPart,
    AssistantTurn,
    Conversation,
    Document,
    Image,
    Json,
    Text,
    Tool,
    ToolResult,
    ToolUse,
    UserPart,
    UserTurn,
)

Block = Mapping[str, Json]

INITIALIZE, SETTINGS = "initialize", "settings"
"""Ids of our control requests; a process is asked each once."""


def script(conversation: Conversation) -> list[bytes]:
    """Return what to write, a batch an item. The last batch ends with the turn that is to be answered."""
    batches: list[bytes] = []
    batch = b"".join(_control_requests(conversation))
    last = len(conversation.turns) - 1
    for position, turn in enumerate(conversation.turns):
        match turn:
            case AssistantTurn(content):
                batch += frames.assistant([assistant_block(part) for part in content])
            case UserTurn(content):
                batch += frames.user([user_block(part) for part in content], query=position == last)
                batches.append(batch)
                batch = b""
            case _:
                assert_never(turn)
    return batches


def extra_body(conversation: Conversation) -> dict[str, Json]:
    """Return what is merged into the request to the model's API, besides what the program itself writes there."""
    sampling = conversation.sampling
    body: dict[str, Json] = {
        "max_tokens": sampling.max_tokens,
        "stop_sequences": list(sampling.stop_sequences) or None,
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "thinking": {"type": "disabled"} if sampling.thinking is False else None,
        "tools": [_api_tool(tool) for tool in conversation.tools] or None,
    }
    if conversation.output_schema is not None:
        schema = {"type": "json_schema", "schema": conversation.output_schema}
        body["output_config"] = {"format": schema}
    return {name: value for name, value in body.items() if value is not None}


def user_block(part: UserPart) -> Block:
    """Return a part of a user turn as the Messages API's content block."""
    match part:
        case Text(text):
            return {"type": "text", "text": text}
        case Image():
            return _image_block(part)
        case Document():
            return _document_block(part)
        case ToolResult(tool_use_id, content, is_error):
            block = {
                "type": "tool_result",
                "tool_use_id": tool_use_id,
                "content": [user_block(inner) for inner in content],
            }
            return {**block, "is_error": True} if is_error else block
        case _:
            assert_never(part)


def assistant_block(part: AssistantPart) -> Block:
    match part:
        case Text(text):
            return {"type": "text", "text": text}
        case ToolUse(id, name, input):
            return {"type": "tool_use", "id": id, "name": name, "input": input}
        case _:
            assert_never(part)


def _control_requests(conversation: Conversation) -> Iterator[bytes]:
    tools = [_mcp_tool(tool) for tool in conversation.tools]
    yield frames.initialize(INITIALIZE, conversation.system, tools)
    yield frames.apply_settings(SETTINGS, _settings(conversation))


def _settings(conversation: Conversation) -> dict[str, Json]:
    # Not by a set_model request: that asks the API for a token, and waits, wherever the model is not an alias.
    settings: dict[str, Json] = {"model": conversation.model}
    body = extra_body(conversation)
    if body:
        settings["env"] = {"CLAUDE_CODE_EXTRA_BODY": json.dumps(body, separators=(",", ":"))}
    if conversation.sampling.effort is not None:
        settings["effortLevel"] = conversation.sampling.effort
    if conversation.tools:
        # With a tool of the name Bash it would tell the model how to sign commits.
        settings["attribution"] = {"commit": "", "pr": ""}
    return settings


def _mcp_tool(tool: Tool) -> Block:
    # A tool without the hint would be asked permission for, and called one at a time.
    return {
        "name": tool.name,
        "description": tool.description,
        "inputSchema": tool.input_schema,
        "annotations": {"readOnlyHint": True},
    }


def _api_tool(tool: Tool) -> Block:
    # The program sorts tools and cuts their descriptions at about 4,100 characters; these definitions override its own.
    return {"name": tool.name, "description": tool.description, "input_schema": tool.input_schema}


def _image_block(image: Image) -> Block:
    if image.url is not None:
        return {"type": "image", "source": {"type": "url", "url": image.url}}
    return {"type": "image", "source": _base64(image.media_type, image.data)}


def _document_block(document: Document) -> Block:
    if document.url is not None:
        source: Block = {"type": "url", "url": document.url}
    elif document.text is not None:
        source = {"type": "text", "media_type": "text/plain", "data": document.text}
    else:
        source = _base64(document.media_type, document.data)
    block: Block = {"type": "document", "source": source}
    return block if document.title is None else {**block, "title": document.title}


def _base64(media_type: str | None, data: str | None) -> Block:
    return {"type": "base64", "media_type": media_type, "data": data}
