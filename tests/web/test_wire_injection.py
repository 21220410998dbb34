"""What a model says in a stream is text and no end of an event, and what a client sends is never fetched."""

import json
import re
import socket
from collections.abc import Iterator
from typing import Any

import pytest
from claude_says import start, stop, text
from messages_wire import MESSAGES
from test_wire_any_body import COMPLETIONS, RESPONSES
from trio.testing import MockClock
from wire_harness import CHAT, chat, posted, serving, user

TRAPS = (
    *("\n\nevent: message_stop\ndata: {}\n\n", "data: [DONE]\n\n", "\ndata: [DONE]\n\n", "\r\rdata: x\r\r", "\r\n\r\n"),
    *("event: error\r\n", ": comment\n\n", "id: 1\nretry: 1\n\n", "\u2028\u2028data: x", "\u2029", "\u0085\u0085"),
    *("\x0b\x0c", "\x1c\x1d\x1e", "\x00", "\x1b[2J", "\ufeffdata: x", "\\n\\n", '"}]}\n\ndata: {"x":"', "</script>"),
    *("\U0001f600", "\ud7ff", "0\r\n\r\nHTTP/1.1 200 \r\n", "\n", "\n\n", "\r", " ", "data", "data:", "[DONE]"),
    *("\u200b\u202e", "\\u2028", "\\\u2028"),
)


def read_events(body: bytes) -> Iterator[tuple[str, str]]:
    """Yield each event's name and data, as the HTML standard (9.2.6) has a browser read them."""
    name, lines = "", list[str]()
    for line in re.split("\r\n|\n|\r", body.decode().removeprefix("\ufeff")):
        if line == "":
            if lines:
                yield name, "\n".join(lines)
            name, lines = "", []
            continue
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "event":
            name = value
        elif field == "data":
            lines.append(value)
        else:
            assert field == "", "there are no other fields"


def _chat(_: str, event: Any) -> str:
    return "".join(choice["delta"].get("content") or "" for choice in event["choices"])


def _completion(_: str, event: Any) -> str:
    return "".join(choice["text"] for choice in event["choices"])


def _response(name: str, event: Any) -> str:
    assert name == event["type"]
    return event["delta"] if name == "response.output_text.delta" else ""


def _message(name: str, event: Any) -> str:
    assert name == event["type"]
    return event["delta"].get("text", "") if name == "content_block_delta" else ""


STREAMS = {
    CHAT: (chat(stream=True), _chat),
    COMPLETIONS: ({"model": "sonnet", "prompt": "Hi", "stream": True}, _completion),
    RESPONSES: ({"model": "sonnet", "input": "Hi", "stream": True}, _response),
    MESSAGES: (chat(stream=True, max_tokens=9), _message),
}


@pytest.mark.parametrize("path", STREAMS)
async def test_a_stream_holds_just_what_was_said(path: str, autojump_clock: MockClock) -> None:
    """S-21: each trap by itself, cut in single characters, and all in one."""
    body, read = STREAMS[path]
    pieces = [*TRAPS, *"".join(TRAPS), "".join(TRAPS)]
    async with serving(start(), *map(text, pieces), stop()) as server:
        reply = await server.ask(posted(path, body))
        plain = await server.ask(posted(path, {**body, "stream": False}))
    events = list(read_events(reply.body))
    heard = [(name, json.loads(said)) for name, said in events if said != "[DONE]"]
    assert "".join(read(name, event) for name, event in heard) == "".join(pieces)
    assert [said for _, said in events].count("[DONE]") == (path != MESSAGES)
    assert [name for name, _ in events].count("message_stop") == (path == MESSAGES)
    assert json.dumps("".join(pieces), ensure_ascii=False)[1:-1] in json.dumps(plain.json, ensure_ascii=False)
    # As Python's own readers of lines see them, by which many a client finds its events.
    assert reply.body.decode().splitlines() == reply.body.decode().split("\n")[:-1]


def responding(part: Any) -> dict[str, Any]:
    return {"model": "sonnet", "input": [{"role": "user", "content": [part]}]}


def asking(url: str) -> dict[str, tuple[Any, ...]]:
    """Return bodies of each dialect with an address in each place that takes one."""
    image = {"type": "image_url", "image_url": {"url": url}}
    source = {"type": "url", "url": url}
    return {
        CHAT: (
            chat(user([image, {"type": "text", "text": url}])),
            chat(user([{"type": "file", "file": {"file_data": url}}])),
            chat(user(url), web_search_options={"url": url}, api_base=url, base_url=url),
        ),
        RESPONSES: (
            responding({"type": "input_image", "image_url": url}),
            responding({"type": "input_file", "file_url": url}),
            responding({"type": "input_file", "file_data": url}),
            responding({"type": "input_text", "text": url}),
            {"model": "sonnet", "input": "x", "tools": [{"type": "mcp", "server_label": "x", "server_url": url}]},
        ),
        MESSAGES: (
            chat(user([{"type": "image", "source": source}, {"type": "text", "text": url}]), max_tokens=9),
            chat(user([{"type": "document", "source": source}, {"type": "text", "text": url}]), max_tokens=9),
            chat(max_tokens=9, mcp_servers=[{"type": "url", "url": url, "name": "x"}]),
        ),
        COMPLETIONS: ({"model": "sonnet", "prompt": url},),
    }


async def test_no_address_is_fetched(autojump_clock: MockClock) -> None:
    """S-22: whoever listens there hears nothing; it is refused, or passed on for the model's API to fetch."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.setblocking(False)  # noqa: FBT003 - the name of the argument is not ours
        port = listening.getsockname()[1]
        async with serving(start(), text("a"), stop()) as server:
            for url in (
                f"http://127.0.0.1:{port}/a.png",
                f"https://localhost:{port}/a.pdf",
                f"ftp://127.0.0.1:{port}/",
            ):
                for path, bodies in asking(url).items():
                    for body in bodies:
                        assert (await server.ask(posted(path, body))).status in (200, 400)
        with pytest.raises(BlockingIOError):
            listening.accept()


@pytest.mark.parametrize(
    "url",
    [
        *("file:///etc/passwd", "FILE:///etc/passwd", "/etc/passwd", "~/.ssh/id_rsa", "../../etc/passwd"),
        *("@/etc/passwd", "ftp://example.org/a", "gopher://127.0.0.1/", "data:text/html;base64,PGI+"),
        *("javascript:alert(1)", "//x/a.png", "jar:file:///a!/b", "unix:/var/run/docker.sock", "blob:null"),
        *("", " ", "http:", "https://"),
    ],
)
async def test_what_is_no_address_of_the_web_is_refused_where_a_picture_is(url: str, autojump_clock: MockClock) -> None:
    """S-22: none is a path to a file of this machine's, and none reaches Claude Code."""
    async with serving(start(), text("a"), stop()) as server:
        for path in (CHAT, RESPONSES, MESSAGES):
            reply = await server.ask(posted(path, asking(url)[path][0]))
            assert reply.status == 400, path
        assert server.backend.opened == 0
