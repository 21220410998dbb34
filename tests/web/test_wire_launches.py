"""A request chooses what is said, and never how Claude Code is started, what it may do, or whom it asks."""

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest
import trio
from attrs import evolve
from claude_says import HELLO
from fakes import SECONDS, argv
from served_fakes import Served, open_served
from trio.testing import MockClock
from wire_harness import posted, serving

from cca.claude.launch import Directories, Launch, launch
from outcomes import WAYS

ASKED: dict[str, Any] = {
    "/v1/chat/completions": {"messages": [{"role": "user", "content": "hi"}]},
    "/v1/completions": {"prompt": "hi"},
    "/v1/responses": {"input": "hi", "store": False},
    "/v1/messages": {"messages": [{"role": "user", "content": "hi"}], "max_tokens": 100},
}

HOOKS = {"SessionStart": [{"hooks": [{"type": "command", "command": "touch /tmp/marker"}]}]}

SAID: tuple[tuple[tuple[str, ...], Any], ...] = (
    (("permission_mode", "permissionMode", "permission-mode"), "bypassPermissions"),
    (("dangerously_skip_permissions", "dangerouslySkipPermissions", "enable_tools"), True),
    (("cwd", "working_directory", "add_dir", "add_dirs", "workspace"), "/"),
    (("env", "environment", "environ"), {"ANTHROPIC_BASE_URL": "http://evil", "NODE_OPTIONS": "-r x"}),
    (("api_base", "base_url", "api_key", "anthropic_base_url", "proxy"), "http://evil"),
    (("settings", "hooks", "mcp_config", "plugins", "agents"), {"hooks": HOOKS}),
    (("allowed_tools", "allowedTools", "extra_args", "argv", "args"), ["--settings={}", "Bash"]),
    (("resume", "continue", "session_id", "sessionId", "client_composed", "shouldQuery"), "/etc/passwd"),
    (("extra_body", "CLAUDE_CODE_EXTRA_BODY", "system_prompt_file"), {"system": "evil"}),
)

EXTRA = {name: value for names, value in SAID for name in names}

HEADERS = (
    *("X-Permission-Mode: bypassPermissions", "X-Claude-Permission-Mode: bypassPermissions"),
    *("X-Claude-Args: --settings={}", "X-Claude-Allowed-Tools: Bash", "X-Claude-Max-Turns: 100"),
    *("X-Working-Directory: /", "X-Api-Base: http://evil", "X-Stainless-Helper: bash"),
)


@pytest.mark.parametrize("path", ASKED)
async def test_a_field_that_nobody_knows_changes_nothing_of_what_is_started(
    path: str, autojump_clock: MockClock
) -> None:
    """S-18, S-42: all that a process is told comes from the conversation, and this is that of the plain request."""
    async with serving(*HELLO) as server:
        body = {"model": "haiku", **ASKED[path]}
        assert (await server.ask(posted(path, body))).status == 200
        for given in (EXTRA, {"metadata": dict.fromkeys(list(EXTRA)[:16], "bypassPermissions")}):
            assert (await server.ask(posted(path, body | given))).status == 200
        assert (await server.ask(posted(path, body, *HEADERS))).status == 200
        plain, *others = server.backend.conversations
    assert others == [plain] * 3


def deep(path: str) -> Any:
    """Return the body of ``path`` with all of these fields in each object of it."""
    text = {"type": "input_text" if path == "/v1/responses" else "text", "text": "hi", **EXTRA}
    message = {"role": "user", "content": [text], **EXTRA}
    match path:
        case "/v1/completions":
            return ASKED[path] | {"stream_options": EXTRA}
        case "/v1/responses":
            return ASKED[path] | {"input": [message], "text": {"format": {"type": "text", **EXTRA}, **EXTRA}}
        case _:
            return ASKED[path] | {"messages": [message]}


@pytest.mark.parametrize("path", ASKED)
async def test_nor_does_one_within_what_is_sent(path: str, autojump_clock: MockClock) -> None:
    async with serving(*HELLO) as server:
        for body in (ASKED[path], deep(path)):
            reply = await server.ask(posted(path, {"model": "haiku", **body}))
            assert reply.status == 200, reply
        plain, other = server.backend.conversations
    assert other == plain


def mirroring(directories: Directories) -> Launch:
    """Start the fake as Claude Code is started, with what this process has."""
    real = launch("claude", os.environ, directories, retries=2)
    return evolve(real, argv=(*argv(("mirror",)), *real.argv[1:]))


async def mirrored(server: Served, path: str, body: Any, *headers: str) -> Any:
    """Return what the process of a request was started with and told, whichever directory was its own."""
    head = b"".join(f"\r\n{each}".encode() for each in (*headers, "Connection: close"))
    request = server.request(path, {"model": "sonnet", **body}).replace(b" HTTP/1.1", b" HTTP/1.1" + head, 1)
    with trio.fail_after(SECONDS):
        async with await server.connect() as connection:
            await connection.send_all(request)
            reply = b"".join([piece async for piece in connection])
    head, _, content = reply.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 "), reply
    [way] = [way for way in WAYS.values() if way.path == path]
    seen = way.outcome(200, content, stream=False).text
    return json.loads(re.sub(re.escape(f"{server.live.directory}/") + "[0-9]+", "(its own)", seen))


@pytest.mark.parametrize("path", ASKED)
async def test_the_process_itself_is_that_of_the_plain_request(path: str, tmp_path: Path) -> None:
    """S-18, S-42, on real pipes: its arguments, its directory, its environment, and all that it is told."""
    async with open_served(tmp_path, mirroring) as server:
        plain = await mirrored(server, path, ASKED[path])
        extra = await mirrored(server, path, ASKED[path] | EXTRA, *HEADERS)
        nested = await mirrored(server, path, deep(path))
    assert "--setting-sources=" in plain["argv"]
    assert plain["cwd"] == "(its own)/work"
    assert plain["env"]["TMPDIR"] == "(its own)/tmp"
    assert '"text":"hi"' in plain["told"][-1]
    assert extra == plain
    assert nested == plain


async def test_servers_of_tools_are_refused(autojump_clock: MockClock) -> None:
    """S-42: what would be started, or asked, is none of a client's."""
    path = "/v1/messages"
    body = {"model": "haiku", **ASKED[path], "mcp_servers": [{"type": "url", "name": "x", "url": "http://evil"}]}
    async with serving(*HELLO) as server:
        assert (await server.ask(posted(path, body))).status == 400
        assert server.backend.opened == 0
