"""Claude Code as a client, of a cca that has another one behind it.

It is run as its user runs it, with its own prompt and tools. The scripted model tells what it was asked in the end.
"""

import json
import re
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trio
from attrs import frozen
from client_programs import HEARTBEAT, HERE, Ended, run
from live_cli import asked, program, unmarked
from live_inside import Inside, open_inside
from live_server import serving

from cca.model import Json

pytestmark = [pytest.mark.live, pytest.mark.clients]

WEATHER: Json = {"command": sys.executable, "args": [str(HERE / "weather_mcp.py")]}

SLOW = "[[delay 200ms]] [[thinking a b]] Count from 1 to 3"

SEES_ALL_TOOLS = {"ENABLE_TOOL_SEARCH": "false"}
"""Else it sends most of its tools only once the model has searched for them."""


@frozen
class Desk:
    """Where Claude Code works: a home and a directory of its own."""

    home: Path
    server: Inside

    @property
    def directory(self) -> Path:
        return self.home / "work"

    async def ask(self, *arguments: str, **environ: str) -> Ended:
        return await self.ask_at(f"http://127.0.0.1:{self.server.port}", *arguments, **environ)

    async def ask_the_model(self, *arguments: str, **environ: str) -> Ended:
        return await self.ask_at(self.server.model.base_url, *arguments, **environ)

    async def ask_at(self, address: str, *arguments: str, **environ: str) -> Ended:
        return await trio.to_thread.run_sync(lambda: claude(self.home, address, *arguments, **environ))

    def requests(self) -> list[Json]:
        """Return what the model was asked since this was called last."""
        bodies = asked(self.server.model)
        self.server.model.received.clear()
        return bodies


def claude(home: Path, address: str, *arguments: str, key: str = "any", **environ: str) -> Ended:
    directory = home / "work"
    directory.mkdir(exist_ok=True)
    its_own = {"ANTHROPIC_BASE_URL": address, "ANTHROPIC_API_KEY": key, "CLAUDE_CONFIG_DIR": str(home / "config")}
    quiet = {"CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1", "TMPDIR": str(home)}
    return run([program(), "-p", *arguments], home, directory, **its_own, **quiet, **environ)


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with open_inside(heartbeat=HEARTBEAT) as server:
        yield Desk(tmp_path, server)


def told(ended: Ended) -> Json:
    """Return the last of the lines of ``--output-format stream-json``."""
    assert ended.output, ended
    return json.loads(ended.output.splitlines()[-1])


def call(name: str, **arguments: Json) -> str:
    return f"[[call {name} {json.dumps(arguments)}]]"


def said_by_the_system(body: Json) -> str:
    """Return what a request has the system say, wherever that stands. Its first block is of each program's own."""
    _, *blocks = body["system"]
    messages = [message["content"] for message in body["messages"] if message["role"] == "system"]
    contents = ([{"text": content}] if isinstance(content, str) else content for content in (blocks, *messages))
    return "\n\n".join(block["text"] for content in contents for block in content)


def marks(body: Json) -> int:
    """Count the marks for the cache."""
    return sum('"cache_control"' in json.dumps(part) for part in (*body["system"], *body["tools"], *body["messages"]))


def turns(body: Json) -> list[tuple[str, list[Json]]]:
    return [
        (message["role"], [unmarked(block) for block in message["content"]])
        for message in body["messages"]
        if message["role"] != "system"
    ]


async def test_the_model_is_asked_what_claude_code_asks(desk: Desk) -> None:
    """Once with cca between them, once without: its prompt, its turns, its tools and how it wants its answer."""
    assert (await desk.ask("hello", **SEES_ALL_TOOLS)).output == "hello\n"
    [through] = desk.requests()
    assert (await desk.ask_the_model("hello", **SEES_ALL_TOOLS)).output == "hello\n"
    [plain] = desk.requests()
    assert len(plain["tools"]) > 20
    assert through["tools"] == plain["tools"]
    assert turns(through) == turns(plain)
    assert said_by_the_system(through) == said_by_the_system(plain)
    assert marks(through) == marks(plain) == 3
    for field in ("model", "max_tokens", "thinking", "output_config", "stream"):
        assert through[field] == plain[field], field


async def test_it_goes_on_from_what_was_thought_and_said(desk: Desk) -> None:
    question = "[[thinking so be it]] Reply with exactly: My name is Ada."
    heard = said_by_the_assistant(await desk.ask("--output-format=stream-json", "--verbose", question))
    ended = await desk.ask("--continue", "Count from 1 to 3")
    assert ended.output == "1, 2, 3\n"
    *_, (asking, said), (answering, answer), (_, last) = turns(desk.requests()[-1])
    assert (asking, said[-1]["text"]) == ("user", question)
    assert (answering, answer) == ("assistant", heard)
    assert answer[0]["signature"]
    assert answer[1:] == [{"type": "text", "text": "My name is Ada."}]
    assert last == [{"type": "text", "text": "Count from 1 to 3"}]


def said_by_the_assistant(ended: Ended) -> list[Json]:
    messages = [line["message"] for line in map(json.loads, ended.output.splitlines()) if line["type"] == "assistant"]
    return [block for message in messages for block in message["content"]]


async def test_it_hears_a_stream_as_it_comes(desk: Desk) -> None:
    stream = ("--output-format", "stream-json", "--verbose", "--include-partial-messages")
    ended = await desk.ask(*stream, SLOW)
    events = [line["event"] for line in map(json.loads, ended.output.splitlines()) if line["type"] == "stream_event"]
    deltas = [event["delta"] for event in events if event["type"] == "content_block_delta"]
    assert [delta["text"] for delta in deltas if delta["type"] == "text_delta"] == ["1,", " 2,", " 3"]
    assert events[0]["type"] == "message_start"
    assert events[-1]["type"] == "message_stop"
    assert told(ended)["usage"]["output_tokens"] == 5


async def test_what_it_hears_is_full_of_pings(desk: Desk) -> None:
    """Claude Code does not tell of them. Whoever asks the same sees them, before the message begins and in it."""
    said = {"model": "haiku", "max_tokens": 99, "stream": True, "messages": [{"role": "user", "content": SLOW}]}
    heard = (await desk.server.chat(said, path="/v1/messages")).decode()
    kinds = re.findall(r"^event: (\w+)", heard, re.MULTILINE)
    begun = kinds.index("message_start")
    assert set(kinds[:begun]) == {"ping"}
    assert "ping" in kinds[begun:]


async def test_it_runs_its_own_tools(desk: Desk) -> None:
    """Three steps: the result of each says what to call next."""
    desk.directory.mkdir()
    wanted = desk.directory / "wanted.txt"
    wanted.write_text(call("Bash", command="echo made > made.txt", description="make a file"))
    ended = await desk.ask("--allowedTools", "Read", "Bash", "--", call("Read", file_path=str(wanted)))
    assert ended.output.startswith("The tool Bash says:"), ended
    assert (desk.directory / "made.txt").read_text() == "made\n"
    assert [len(turns(body)) for body in desk.requests()] == [1, 3, 5]
    assert desk.server.backend.opened == 1


async def test_it_runs_a_tool_of_an_mcp_server(desk: Desk) -> None:
    name = "mcp__weather__get_weather"
    ended = await desk.ask(*with_weather(name), "--", call(name, city="Paris"), **SEES_ALL_TOOLS)
    assert ended.output == f"The tool {name} says: sunny in Paris\n", ended


async def test_it_searches_for_a_tool_and_runs_it(desk: Desk) -> None:
    """What it has not searched for is not shown to the model."""
    name = "mcp__weather__get_weather"
    await desk.ask(*with_weather("ToolSearch"), "--", call("ToolSearch", query=f"select:{name}"))
    before, after = ({tool["name"] for tool in body["tools"]} for body in desk.requests())
    assert after - before == {name}
    ended = await desk.ask("--continue", *with_weather(name), "--", call(name, city="Paris"))
    assert ended.output == f"The tool {name} says: sunny in Paris\n", ended


def with_weather(*allowed: str) -> tuple[str, ...]:
    return ("--mcp-config", json.dumps({"mcpServers": {"weather": WEATHER}}), "--allowedTools", *allowed)


@pytest.mark.parametrize("prompt", ["[[error 529 times 1]] hello", "[[cut after 1 times 1]] hello there"])
async def test_it_asks_again_where_that_can_help(desk: Desk, prompt: str) -> None:
    ended = await desk.ask(prompt)
    assert ended.output.startswith("hello"), ended


def test_a_wrong_key_is_refused_at_once(tmp_path: Path) -> None:
    """Claude Code would ask again for two minutes, and tell of each time."""
    database = tmp_path / "cca.db"
    create = ("keys", "create", "--database", str(database), "--name", "ann")
    subprocess.run([sys.executable, "-m", "cca", *create], check=True, capture_output=True)
    with serving(f"--database={database}") as server:
        ended = claude(tmp_path, server.address, "--output-format=stream-json", "--verbose", "hi", key="sk-wrong")
    assert (ended.code, told(ended)["api_error_status"]) == (1, 401), ended
    assert "api_retry" not in ended.output


async def test_it_tells_why_it_was_refused(desk: Desk) -> None:
    ended = await desk.ask("[[error 400]]")
    assert "The model's API refused the request" in ended.output, ended
