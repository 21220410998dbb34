"""claude-agent-sdk, which starts a Claude Code that asks."""

import os

from claude_agent_sdk import ClaudeAgentOptions, ClaudeSDKError, ResultMessage, create_sdk_mcp_server, query, tool
from tell import CHAT, ERROR, tell

NAME = "mcp__ours__get_weather"
CALL = f'[[call {NAME} {{"city": "Paris"}}]]'

# It would have the tool searched for.
ENVIRON = {"ENABLE_TOOL_SEARCH": "false", "CLAUDE_CONFIG_DIR": os.environ["HOME"], "CLAUDE_CODE_MAX_RETRIES": "0"}


@tool("get_weather", "Say how the weather is in a city", {"city": str})
async def get_weather(arguments):
    return {"content": [{"type": "text", "text": f"sunny in {arguments['city']}"}]}


async def ask(prompt, **more):
    async for message in query(prompt=prompt, options=ClaudeAgentOptions(env=ENVIRON, **more)):
        if isinstance(message, ResultMessage):
            last = message
    return last


async def chat():
    return (await ask(CHAT)).result


async def tools():
    server = create_sdk_mcp_server("ours", tools=[get_weather])
    return (await ask(CALL, mcp_servers={"ours": server}, allowed_tools=[NAME])).result.replace(NAME, "get_weather")


async def error():
    try:
        await ask(ERROR)
    except ClaudeSDKError as raised:
        return 429 if "(429)" in str(raised) else str(raised)


tell(chat, tools, error)
