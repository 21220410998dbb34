"""What to say to Claude Code for one conversation: batches of frames, each said when the one before is done.

The first batch is everything up to the first past user turn, or all of it when there is no history. A past user turn is
answered by an empty ``result``; only then may its assistant turn and what follows be written, or they overtake it.
"""

import json
from collections.abc import Iterable, Mapping
from typing import assert_never

from cca import marks
from cca.claude import frames
from cca.claude.form import choice_of, schema_of, strict_tools, tools_of, way_of
from cca.depth import DEPTH_LIMIT, too_deep
from cca.errors import BadRequest
from cca.model import (
    NO_CONTENT,
    AssistantPart,
    AssistantTurn,
    CacheMark,
    Conversation,
    Document,
    Image,
    Json,
    RedactedThinking,
    ResultPart,
    Sampling,
    SearchResult,
    Text,
    Thinking,
    Tool,
    ToolResult,
    ToolUse,
    UserPart,
    UserTurn,
)

Block = Mapping[str, Json]

INITIALIZE, SETTINGS = "initialize", "settings"
"""Ids of our first control requests."""

EXTRA_BODY = "CLAUDE_CODE_EXTRA_BODY"

NOTHING_TO_ASK = frames.apply_settings("seal", {"env": {EXTRA_BODY: '{"messages":[]}'}})
"""Lets no further request of the program's be worth anything: its API refuses one without messages."""

BESIDE = 2
"""The turns that are written to a program that has those before them from a file: the model's last, and the last."""


def script(conversation: Conversation, *, recalled: bool = False) -> list[bytes]:
    """Return what to write, a batch an item. The last batch ends with the turn that is to be answered.

    A program that has ``recalled`` the history from a file is told no more of it than what is not in there.

    Raise ``BadRequest`` for JSON that is nested too deep.
    """
    refuse_deep(conversation)
    conversation = marks.settled(conversation)
    batches: list[bytes] = []
    batch = introduction(conversation) + frames.apply_settings(SETTINGS, _settings(conversation))
    turns = conversation.turns[-BESIDE:] if recalled else conversation.turns
    off = is_thinking_off(conversation)
    for position, turn in enumerate(turns, start=1):
        match turn:
            case AssistantTurn(content, model):
                batch += frames.assistant(assistant_blocks(content, off=off), model)
            case UserTurn(content):
                batch += frames.user(user_blocks(content), query=position == len(turns))
                batches.append(batch)
                batch = b""
            case _:
                assert_never(turn)
    return batches


def introduction(conversation: Conversation) -> bytes:
    """Return what a process is told of ``conversation`` once, before anything was said."""
    return frames.initialize(INITIALIZE, conversation.system, [_mcp_tool(tool) for tool in tools_of(conversation)])


def settings(conversation: Conversation) -> Mapping[str, Json]:
    """Return what a process can be told of ``conversation`` at any time, in the place of what it was told before.

    Raise ``BadRequest`` for JSON that is nested too deep.
    """
    refuse_deep(conversation)
    told = _settings(marks.settled(conversation))
    return {**told, "env": {EXTRA_BODY: "{}", **told.get("env", {})}}


def said(turn: UserTurn) -> bytes:
    """Return what says ``turn`` to a process that remembers all before it."""
    return frames.user(user_blocks(turn.content), query=True)


def extra_body(conversation: Conversation) -> dict[str, Json]:
    """Return what is merged into the request to the model's API, besides what the program itself writes there."""
    sampling = conversation.sampling
    strict = strict_tools(conversation)
    body: dict[str, Json] = {
        "max_tokens": sampling.max_tokens,
        "stop_sequences": list(sampling.stop_sequences) or None,
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "top_k": sampling.top_k,
        "tools": [_api_tool(tool, strict) for tool in tools_of(conversation)] or None,
        "tool_choice": choice_of(conversation),
        "cache_control": _mark(conversation.cache),
        "thinking": _thinking(sampling),
    }
    if is_thinking_off(conversation):
        # Without thinking the API refuses what the program asks for its sake.
        body |= {"thinking": {"type": "disabled"}, "context_management": {"edits": []}}
    if way_of(conversation) == "api":
        body["output_config"] = {"format": {"type": "json_schema", "schema": schema_of(conversation)}}
    return {name: value for name, value in body.items() if value is not None}


def is_thinking_off(conversation: Conversation) -> bool:
    """Whether the model is not to think, or must call a tool: the API takes no forced call while it thinks."""
    choice = choice_of(conversation)
    return conversation.sampling.thinking is False or (choice is not None and choice["type"] in ("any", "tool"))


def _thinking(sampling: Sampling) -> Block | None:
    if not sampling.thinking:
        return None
    budget, display = sampling.thinking_budget, sampling.thinking_display
    how: Block = {"type": "adaptive"} if budget is None else {"type": "enabled", "budget_tokens": budget}
    # It stands in the place of what the program would ask for: without a display, it is as the API has it.
    return how if display is None else {**how, "display": display}


def refuse_deep(conversation: Conversation) -> None:
    """Raise ``BadRequest`` for JSON that is nested too deep."""
    if any(too_deep(tool.input_schema) for tool in conversation.tools):
        raise BadRequest(f"A tool's schema is nested deeper than {DEPTH_LIMIT} levels.", code="invalid_value")
    parts = (part for turn in conversation.turns for part in turn.content)
    if any(isinstance(part, ToolUse) and too_deep(part.input) for part in parts):
        raise BadRequest(f"The input of a call is nested deeper than {DEPTH_LIMIT} levels.", code="invalid_value")
    # Whether an answer can be held to it, which takes longer, was asked where it came in.
    if too_deep(conversation.output_schema):
        raise BadRequest(f"The answer's schema is nested deeper than {DEPTH_LIMIT} levels.", code="invalid_value")


def user_blocks(content: Iterable[UserPart]) -> list[Block]:
    """Return a user turn's parts as blocks. The results of calls come first: the API takes them nowhere else."""
    results = [part for part in content if isinstance(part, ToolResult)]
    others = [part for part in content if not isinstance(part, ToolResult)]
    # The program drops what is no text from the result of a call that failed, so this follows the results.
    beside = [inner for part in results if part.is_error for inner in part.content if not isinstance(inner, Text)]
    return [user_block(part) for part in (*results, *beside, *others)]


def user_block(part: UserPart) -> Block:
    """Return a part of a user turn as the Messages API's content block."""
    return _marked(_of_user(part), part.cache)


def _of_user(part: UserPart) -> Block:
    match part:
        case Text(text):
            return {"type": "text", "text": text}
        case Image():
            return _image_block(part)
        case Document():
            return _document_block(part)
        case SearchResult(source, title, content):
            pieces = [user_block(each) for each in content]
            return _cited({"type": "search_result", "source": source, "title": title, "content": pieces}, part)
        case ToolResult(tool_use_id, content, is_error):
            inside = [user_block(inner) for inner in content if _belongs(inner, is_error=is_error)]
            block = {"type": "tool_result", "tool_use_id": tool_use_id, "content": inside}
            # The API refuses a failure of which nothing is told.
            return {**block, "content": inside or [user_block(NO_CONTENT)], "is_error": True} if is_error else block
        case _:
            assert_never(part)


def assistant_blocks(content: Iterable[AssistantPart], *, off: bool) -> list[Block]:
    """Return an assistant's turn as blocks, for a model that does not think if ``off``.

    Who does not think may not have thought: the API refuses it in the answer that is gone on from.
    """
    return [assistant_block(part) for part in content if not (off and isinstance(part, Thinking | RedactedThinking))]


def assistant_block(part: AssistantPart) -> Block:
    match part:
        case Text(text):
            return _marked({"type": "text", "text": text}, part.cache)
        case ToolUse(id, name, input):
            return _marked({"type": "tool_use", "id": id, "name": name, "input": input}, part.cache)
        case Thinking(text, signature):
            return {"type": "thinking", "thinking": text, "signature": signature}
        case RedactedThinking(data):
            return {"type": "redacted_thinking", "data": data}
        case _:
            assert_never(part)


def _marked(block: Block, mark: CacheMark | None) -> Block:
    return block if mark is None else {**block, "cache_control": _mark(mark)}


def _mark(mark: CacheMark | None) -> Block | None:
    if mark is None:
        return None
    return {"type": "ephemeral"} if mark.ttl is None else {"type": "ephemeral", "ttl": mark.ttl}


def _cited(block: Block, part: Document | SearchResult) -> Block:
    return {**block, "citations": {"enabled": True}} if part.citations else block


def _belongs(part: ResultPart, *, is_error: bool) -> bool:
    """Whether a part stands in its result's block. The API refuses a text of nothing."""
    return bool(part.text.strip()) if isinstance(part, Text) else not is_error


def _settings(conversation: Conversation) -> dict[str, Json]:
    # Not by a set_model request: that asks the API for a token, and waits, wherever the model is not an alias.
    settings: dict[str, Json] = {"model": conversation.model}
    env: dict[str, Json] = {}
    body = extra_body(conversation)
    if body:
        env[EXTRA_BODY] = json.dumps(body, separators=(",", ":"))
    if marks.count(conversation):
        # With the program's own there would be more than the client sent, and than the API takes.
        env["DISABLE_PROMPT_CACHING"] = "1"
    if env:
        settings["env"] = env
    if conversation.sampling.effort is not None:
        settings["effortLevel"] = conversation.sampling.effort
    if tools_of(conversation):
        # With a tool of the name Bash it would tell the model how to sign commits.
        settings["attribution"] = {"commit": "", "pr": ""}
    return settings


def _mcp_tool(tool: Tool) -> Block:
    # Just so that it can be called: the API's definition says what it is. The program would not take a list with a
    # schema that is not of type "object", and it changes arguments to what a schema says. Without the hint it would ask
    # for permission, and call one at a time.
    return {"name": tool.name, "inputSchema": {"type": "object"}, "annotations": {"readOnlyHint": True}}


def _api_tool(tool: Tool, strict: frozenset[str]) -> Block:
    # The program sorts tools and cuts their descriptions at about 4,100 characters; these definitions override its own.
    described = {} if tool.description is None else {"description": tool.description}
    block: Block = {"name": tool.name, **described, "input_schema": tool.input_schema}
    return _marked({**block, "strict": True} if tool.name in strict else block, tool.cache)


def _image_block(image: Image) -> Block:
    if image.url is not None:
        return {"type": "image", "source": {"type": "url", "url": image.url}}
    return {"type": "image", "source": _base64(image.media_type, image.data)}


def _document_block(document: Document) -> Block:
    block: dict[str, Json] = {"type": "document", "source": _source(document)}
    said = {"title": document.title, "context": document.context}
    return _cited({**block, **{name: value for name, value in said.items() if value is not None}}, document)


def _source(document: Document) -> Block:
    if document.url is not None:
        return {"type": "url", "url": document.url}
    if document.text is not None:
        return {"type": "text", "media_type": "text/plain", "data": document.text}
    if document.pieces:
        return {"type": "content", "content": [user_block(piece) for piece in document.pieces]}
    return _base64(document.media_type, document.data)


def _base64(media_type: str | None, data: str | None) -> Block:
    return {"type": "base64", "media_type": media_type, "data": data}
