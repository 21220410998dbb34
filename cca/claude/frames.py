"""What we write to Claude Code's stdin: one JSON object a line.

This is the only place where client text is put on its way to the program. ``client_composed`` is a security boundary:
without it the program reads files that a prompt mentions as ``@path`` and runs prompts that start with ``/``. A
client's text is always a JSON string inside a frame of ours, never a frame, a control request or an argument.
"""

import json
from collections.abc import Mapping, Sequence

from cca.model import Json

TOOL_SERVER = "c"
"""The name of the MCP server, inside the protocol, that offers the client's tools."""

MCP_PROTOCOL = "2025-11-25"


def serialize(frame: Mapping[str, Json]) -> bytes:
    """Return ``frame`` as one ASCII line. Control characters and line separators of any kind are escaped."""
    return json.dumps(frame, ensure_ascii=True, separators=(",", ":"), allow_nan=False).encode("ascii") + b"\n"


def control(request_id: str, subtype: str, **fields: Json) -> bytes:
    request = {"subtype": subtype, **fields}
    return serialize({"type": "control_request", "request_id": request_id, "request": request})


def initialize(request_id: str, system: Sequence[str], tools: Sequence[Mapping[str, Json]]) -> bytes:
    """Ask the program to introduce itself, and tell it the system prompt and the client's ``tools`` (MCP shape)."""
    fields: dict[str, Json] = {}
    if system:
        fields["systemPrompt"] = list(system)
    if tools:
        fields["sdkMcpServers"] = [TOOL_SERVER]
        fields["sdkMcpServerManifests"] = {TOOL_SERVER: _manifest(tools)}
    return control(request_id, "initialize", **fields)


def apply_settings(request_id: str, settings: Mapping[str, Json]) -> bytes:
    return control(request_id, "apply_flag_settings", settings=settings)


def user(content: Sequence[Mapping[str, Json]], *, query: bool) -> bytes:
    """Say a user turn. The program answers it if ``query``, and only remembers it otherwise."""
    frame = {
        "type": "user",
        "message": {"role": "user", "content": content},
        "parent_tool_use_id": None,
        "session_id": "",
        "client_composed": True,
    }
    return serialize(frame if query else {**frame, "shouldQuery": False})


def assistant(content: Sequence[Mapping[str, Json]], model: str | None = None) -> bytes:
    """Say a turn of the model's. The program drops what was thought in it, unless ``model`` is the id of its own."""
    message: dict[str, Json] = {"role": "assistant", "content": content}
    if model is not None:
        message["model"] = model
    return serialize({"type": "assistant", "message": message, "parent_tool_use_id": None, "session_id": ""})


def tool_result(request_id: str, call: Json, texts: Sequence[str]) -> bytes:
    """Answer a tool call that the program asked for: its ``call`` is the id in that request's MCP message."""
    result = {"content": [{"type": "text", "text": text} for text in texts]}
    message = {"jsonrpc": "2.0", "id": call, "result": result}
    response = {"subtype": "success", "request_id": request_id, "response": {"mcp_response": message}}
    return serialize({"type": "control_response", "response": response})


def _manifest(tools: Sequence[Mapping[str, Json]]) -> Json:
    server = {"name": TOOL_SERVER, "version": "1"}
    capabilities: Json = {"tools": {}}
    return {
        "initializeResult": {
            "protocolVersion": MCP_PROTOCOL,
            "capabilities": capabilities,
            "serverInfo": server,
        },
        "toolsListResult": {"tools": list(tools)},
    }
