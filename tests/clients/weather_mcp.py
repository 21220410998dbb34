"""An MCP server on stdin and stdout, with one tool. Not a test: a program that Claude Code starts."""

import json
import sys

from cca.model import Json

TOOL = {
    "name": "get_weather",
    "description": "Say how the weather is in a city",
    "inputSchema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}


def answer(method: str, given: Json) -> Json:
    match method:
        case "initialize":
            server = {"name": "weather", "version": "1"}
            return {"protocolVersion": given["protocolVersion"], "capabilities": {"tools": {}}, "serverInfo": server}
        case "tools/list":
            return {"tools": [TOOL]}
        case "tools/call":
            return {"content": [{"type": "text", "text": f"sunny in {given['arguments']['city']}"}]}
        case _:
            return {}


def main() -> None:
    for line in sys.stdin:
        message = json.loads(line)
        if "id" in message:
            told = answer(message["method"], message.get("params"))
            print(json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": told}), flush=True)


if __name__ == "__main__":
    main()
