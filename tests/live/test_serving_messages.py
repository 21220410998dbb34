"""What a message is asked with when it reaches the model, and a client that leaves one."""

import json

import pytest
from live_cli import asked
from live_inside import Inside, open_inside, until
from live_server import alive

from cca.model import Json

pytestmark = pytest.mark.live

MESSAGES = "/v1/messages?beta=true"

MARK: Json = {"cache_control": {"type": "ephemeral"}}

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg=="

TOOL: Json = {
    "name": "look",
    "description": "Look at a place",
    "input_schema": {"type": "object", "properties": {"place": {"type": "string"}}, "required": ["place"]},
}

SAID: list[Json] = [
    {
        "role": "user",
        "content": [
            {"type": "text", "text": "Look at these.", **MARK},
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PIXEL}},
            {
                "type": "document",
                "source": {"type": "text", "media_type": "text/plain", "data": "Paris is a city."},
                "title": "Paris",
                "context": "an atlas",
                "citations": {"enabled": True},
            },
            {
                "type": "search_result",
                "source": "https://example.org",
                "title": "Paris",
                "content": [{"type": "text", "text": "It has two million people."}],
                "citations": {"enabled": True},
            },
        ],
    },
    {
        "role": "assistant",
        "content": [
            {"type": "text", "text": "I look."},
            {"type": "tool_use", "id": "toolu_1", "name": "look", "input": {"place": "Paris"}},
        ],
    },
    {
        "role": "user",
        "content": [
            {
                "type": "tool_result",
                "tool_use_id": "toolu_1",
                "content": [
                    {"type": "text", "text": "rain"},
                    {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PIXEL}},
                ],
                **MARK,
            },
            {"type": "text", "text": "Reply with exactly: so"},
        ],
    },
]

BODY: Json = {
    "model": "claude-haiku-5-5",
    "max_tokens": 77,
    "system": [{"type": "text", "text": "Be terse."}, {"type": "text", "text": "Rhyme."}],
    "messages": SAID,
    "tools": [TOOL],
    "tool_choice": {"type": "auto", "disable_parallel_tool_use": True},
    "stop_sequences": ["six"],
    "thinking": {"type": "adaptive", "display": "summarized"},
    "output_config": {"effort": "low"},
}


async def ask(server: Inside, body: Json) -> Json:
    head, _, content = (await server.chat(body, path=MESSAGES)).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200"), (head, content)
    return json.loads(content)


async def test_blocks_arrive_as_they_are_with_the_marks_that_are_on_them_and_no_others() -> None:
    async with open_inside() as server:
        answer = await ask(server, BODY)
        [request] = asked(server.model)
    assert answer["content"][-1]["text"] == "so"
    assert [message for message in request["messages"] if message["role"] != "system"] == SAID
    assert [block["text"] for block in request["system"]][2:] == ["Be terse.\n\nRhyme."]
    assert json.dumps(request).count("cache_control") == 2
    for field in ("model", "max_tokens", "tools", "tool_choice", "stop_sequences", "thinking"):
        assert request[field] == BODY[field], field
    assert request["output_config"]["effort"] == "low"


async def test_a_mark_that_is_at_the_end_instead_moves_on_with_the_process_that_waits() -> None:
    hour = {"type": "ephemeral", "ttl": "1h"}
    system = [{"type": "text", "text": "Be terse.", "cache_control": hour}]
    question = {"role": "user", "content": '[[call look {"place": "Rome"}]]'}
    body: Json = {**BODY, "system": system, "messages": [question], "max_tokens": 1000}
    async with open_inside(staying=8) as server:
        answer = await ask(server, body)
        result = {"type": "tool_result", "tool_use_id": answer["content"][-1]["id"], "content": "rain"}
        said = [question, {"role": "assistant", "content": answer["content"]}, {"role": "user", "content": [result]}]
        await ask(server, {**body, "messages": said})
        assert server.backend.opened == 1
        requests = asked(server.model)
    assert [request["cache_control"] for request in requests] == [hour, hour]
    assert [json.dumps(request).count("cache_control") for request in requests] == [1, 1]


async def test_a_client_that_leaves_a_message_takes_its_process_along() -> None:
    body = {
        "model": "haiku",
        "max_tokens": 9999,
        "stream": True,
        "messages": [{"role": "user", "content": "leaver [[delay 20ms]] [[tokens 3000]]"}],
    }
    async with open_inside() as server:
        async with await server.connect() as stream:
            await stream.send_all(server.request(body, path=MESSAGES))
            heard = b""
            while b"text_delta" not in heard:
                heard += await stream.receive_some()
            assert heard.index(b"event: message_start") < heard.index(b"event: content_block_start")
        await until(lambda: not alive(set(server.backend.pids)))
        await until(lambda: server.model.open_streams == 0)
        assert server.model.streams_abandoned == 1
