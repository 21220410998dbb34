"""What is stored, through openai-python: each answer is held to its types, strictly."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

pytest.importorskip("openai", reason="nox -s clients installs it")

import httpx2
import openai
from claude_says import HELLO, arguments, start, stop, text, thinking, tool
from openai.types.responses import FunctionToolParam
from trio.testing import MockClock
from wire_harness import HOST, FakeBackend, Server, raw, serving

CALLING = (start(), thinking("Hm."), text("So:"), tool("call_1", "f"), arguments('{"a":1}'), stop("tool_use"))

FUNCTION: FunctionToolParam = {
    "type": "function",
    "name": "f",
    "parameters": {"type": "object", "properties": {}},
    "strict": False,
}


class Wire(httpx2.AsyncBaseTransport):
    """Sends each request on a connection of its own."""

    def __init__(self, server: Server) -> None:
        self.server = server

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        headers = [f"{name}: {value}" for name, value in request.headers.items() if name != "host"]
        path = request.url.raw_path.decode()
        reply = await self.server.ask(raw(request.method, path, HOST, *headers, body=await request.aread()))
        told = {name: value for name, value in reply.headers.items() if name != "transfer-encoding"}
        return httpx2.Response(reply.status, headers=told, content=reply.body)


@asynccontextmanager
async def asking(*said: Any) -> AsyncIterator[tuple[openai.AsyncOpenAI, FakeBackend]]:
    async with (
        serving(*(said or HELLO), staying=0) as server,
        httpx2.AsyncClient(transport=Wire(server)) as http,
        openai.AsyncOpenAI(
            api_key="any",
            base_url="http://127.0.0.1/v1",
            http_client=http,
            max_retries=0,
            _strict_response_validation=True,
        ) as client,
    ):
        yield client, server.backend


async def test_a_response_and_its_input(autojump_clock: MockClock) -> None:
    async with asking(*CALLING) as (client, backend):
        first = await client.responses.create(model="sonnet", input="One", tools=[FUNCTION], metadata={"a": "b"})
        assert await client.responses.retrieve(first.id) == first
        backend.said = HELLO
        second = await client.responses.create(
            model="sonnet",
            input=[
                {"type": "function_call_output", "call_id": "call_1", "output": "42"},
                {"role": "user", "content": "Go on"},
            ],
            tools=[FUNCTION],
            previous_response_id=first.id,
        )
        items = [item async for item in client.responses.input_items.list(second.id, order="asc", limit=1)]
        with pytest.raises(openai.BadRequestError, match="background=true"):
            await client.responses.cancel(first.id)
        for each in (first, second):
            await client.responses.delete(each.id)
        with pytest.raises(openai.NotFoundError):
            await client.responses.retrieve(first.id)
    assert [item.type for item in items] == ["function_call_output", "message"]


async def test_stored_completions(autojump_clock: MockClock) -> None:
    async with asking() as (client, _):
        messages: list[Any] = [
            {"role": "developer", "content": "S"},
            {"role": "user", "content": [{"type": "text", "text": "One"}]},
        ]
        told = [
            await client.chat.completions.create(
                model="sonnet", messages=messages, store=True, metadata={"a": "b"}, n=count
            )
            for count in (1, 2)
        ]
        found = client.chat.completions.list(metadata={"a": "b"}, limit=1)
        assert [each.id async for each in found] == [each.id for each in told]
        changed = await client.chat.completions.update(told[0].id, metadata={"c": "d"})
        assert changed == await client.chat.completions.retrieve(told[0].id)
        # By their type all would be the assistant's, which OpenAI's own are not.
        lenient = client.with_options(_extra_kwargs={"_strict_response_validation": False})
        sent = [each async for each in lenient.chat.completions.messages.list(told[0].id, limit=1)]
        assert [each.content for each in sent] == ["S", "One"]
        gone = await client.chat.completions.delete(told[0].id)
        assert (gone.id, gone.deleted) == (told[0].id, True)


async def test_conversations(autojump_clock: MockClock) -> None:
    async with asking(*CALLING) as (client, _):
        new = await client.conversations.create(items=[{"role": "developer", "content": "A"}], metadata={"a": "b"})
        assert await client.conversations.retrieve(new.id) == new
        told = await client.responses.create(model="sonnet", input="One", tools=[FUNCTION], conversation=new.id)
        assert told.conversation is not None
        output: Any = {"type": "function_call_output", "call_id": "call_1", "output": "42"}
        added = await client.conversations.items.create(new.id, items=[output])
        items = [item async for item in client.conversations.items.list(new.id, order="asc", limit=2)]
        assert [item.type for item in items] == [
            *("message", "message", "reasoning", "message", "function_call", "function_call_output")
        ]
        assert items[-1] == added.data[0]
        assert await client.conversations.items.retrieve(items[0].id or "", conversation_id=new.id) == items[0]
        assert (await client.conversations.update(new.id, metadata={"c": "d"})).metadata == {"c": "d"}
        assert (await client.conversations.delete(new.id)).deleted
