"""What is wrong with a body is told with its place in it, and no process is started for it."""

import json
from typing import Any

import pytest
from claude_says import HELLO
from trio.testing import MockClock
from wire_harness import chat, post, serving, user

TEXT = {"type": "text", "text": "Hello"}
HE, SHE = user("He"), {"role": "assistant", "content": "She"}
IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}
TOOL = {"type": "function", "function": {"name": "f"}}
CALL = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}


def without(name: str) -> dict[str, Any]:
    return {key: value for key, value in chat().items() if key != name}


def row(
    name: str, body: Any, param: str | None, message: str, code: str | None = "invalid_type", *, status: int = 400
) -> Any:
    return pytest.param(body, status, param, code, message, id=name)


MISSING, VALUE = "missing_required_parameter", "invalid_value"
NO_VALUE, NO_PARAMETER = "unsupported_value", "unsupported_parameter"
DEEP = b"[" * 100_000

BAD = [
    row("nothing", b"", None, "not JSON", None),
    row("not JSON", b"model=x", None, "not JSON", None),
    row("cut", b'{"model":', None, "not JSON", None),
    row("two values", b"{}{}", None, "not JSON", None),
    row("not UTF-8", b'{"model":"\xff"}', None, "not JSON", None),
    row("UTF-16", "{}".encode("utf-16"), None, "not JSON", None),
    row("BOM", b"\xef\xbb\xbf{}", None, "not JSON", None),
    row("NaN", b'{"temperature":NaN}', None, "not JSON", None),
    row("1e999", b'{"temperature":1e999}', None, "not JSON", None),
    row("5,000 digits", b'{"max_tokens":' + b"9" * 5000 + b"}", None, "not JSON", None),
    row("lone surrogate", b'{"model":"\\ud800"}', None, "not JSON", None),
    row("deep array", DEEP, None, "not JSON", None),
    row("deep and closed", DEEP + b"]" * 100_000, None, "not JSON", None),
    row("deep in a field", b'{"model":"sonnet","messages":' + DEEP, None, "not JSON", None),
    row("an array", [], None, "is an array, and must be an object"),
    row("a number", 5, None, "is an integer, and must be an object"),
    row("null", None, None, "is null, and must be an object"),
    row("no model", without("model"), "model", "model is missing", MISSING),
    row("no messages", without("messages"), "messages", "messages is missing", MISSING),
    row("null model", chat(model=None), "model", "must be a string, and is null"),
    row("model of a number", chat(model=5), "model", "must be a string, and is an integer"),
    row("unknown model", chat(model="llama-3"), "model", "'llama-3' does not exist", "model_not_found", status=404),
    row("empty model", chat(model=""), "model", "does not exist", "model_not_found", status=404),
    row("null messages", {"model": "sonnet", "messages": None}, "messages", "must be an array, and is null"),
    row("messages of an object", {"model": "sonnet", "messages": {}}, "messages", "must be an array"),
    row("messages of text", {"model": "sonnet", "messages": "Hi"}, "messages", "must be an array"),
    row("empty messages", {"model": "sonnet", "messages": []}, "messages", "nothing to answer", VALUE),
    row("only a system", chat({"role": "system", "content": "x"}), "messages", "nothing to answer", VALUE),
    row("message of text", chat("Hi"), "messages[0]", "must be an object, and is a string"),
    row("no role", chat({"content": "Hi"}), "messages[0].role", "is missing", MISSING),
    row("null role", chat({"role": None}), "messages[0].role", "is null, and must be one of: system", VALUE),
    row("unknown role", chat(HE, {"role": "bot"}), "messages[1].role", "'bot', and must be one of", VALUE),
    row("no content", chat({"role": "user"}), "messages[0].content", "is missing", MISSING),
    row("null content", chat(user(None)), "messages[0].content", "a string or an array of parts, and is null"),
    row("content of a number", chat(user(5)), "messages[0].content", "and is an integer"),
    row("system content of a boolean", chat({"role": "system", "content": True}, HE), "messages[0].content", "boolean"),
    row("part of text", chat(user(["Hi"])), "messages[0].content[0]", "must be an object, and is a string"),
    row("part without type", chat(user([TEXT, {}])), "messages[0].content[1].type", "is missing", MISSING),
    row("part of unknown type", chat(user([{"type": "x"}])), "messages[0].content[0].type", "one of: text", VALUE),
    row("part without text", chat(user([{"type": "text"}])), "messages[0].content[0].text", "is missing", MISSING),
    row("text of a number", chat(HE, SHE, user([{**TEXT, "text": 5}])), "messages[2].content[0].text", "an integer"),
    row("image", chat(user([TEXT, IMAGE])), "messages[0].content[1].type", "image_url", NO_VALUE),
    row("audio", chat(user([{"type": "input_audio"}])), "messages[0].content[0].type", "does not hear", NO_VALUE),
    row("file", chat(user([{"type": "file"}])), "messages[0].content[0].type", "file", NO_VALUE),
    row("system image", chat(HE, {"role": "system", "content": [IMAGE]}), "messages[1].content[0].type", "", NO_VALUE),
    row("assistant last", chat(HE, SHE), "messages[1]", "end with a user message", NO_VALUE),
    row("assistant first", chat(SHE, HE), "messages[0]", "begins with the user", NO_VALUE),
    row("assistant alone", chat(SHE), "messages[0]", "end with a user message", NO_VALUE),
    row("blank", chat(user(" \n\t")), "messages[0].content", "has no text", VALUE),
    row("blank part", chat(user([{**TEXT, "text": " "}])), "messages[0].content", "has no text", VALUE),
    row("empty parts", chat(HE, SHE, user([])), "messages[2].content", "has no text", VALUE),
    row("empty", chat(HE, SHE, user("")), "messages[2].content", "has no text", VALUE),
    row("blank before a system", chat(user(" "), {"role": "system", "content": "x"}), "messages[0].content", "", VALUE),
    row("tool result alone", chat(HE, {"role": "tool", "tool_call_id": "c"}), "messages[1]", "no message", VALUE),
    row("function result", chat(HE, {"role": "function", "name": "f"}), "messages[1]", "no message", VALUE),
    row("tool call", chat(HE, {**SHE, "tool_calls": [CALL]}, HE), "messages[1].tool_calls", "not serve", NO_PARAMETER),
    row(
        "function call",
        chat(HE, {**SHE, "function_call": {"name": "f"}}),
        "messages[1].function_call",
        "",
        NO_PARAMETER,
    ),
    row("said audio", chat(HE, {**SHE, "audio": {"id": "a"}}, HE), "messages[1].audio", "", NO_PARAMETER),
    row("stream of text", chat(stream="false"), "stream", "must be true or false, and is a string"),
    row("stream of a number", chat(stream=1), "stream", "must be true or false, and is an integer"),
    row("usage of text", chat(stream_options={"include_usage": "yes"}), "stream_options.include_usage", "true or"),
    row("stream options of a list", chat(stream_options=[]), "stream_options", "must be an object"),
    row("max_tokens 1.9", chat(max_tokens=1.9), "max_tokens", "must be an integer, and is a number"),
    row("max_tokens true", chat(max_tokens=True), "max_tokens", "must be an integer, and is a boolean"),
    row("max_tokens of text", chat(max_tokens="5"), "max_tokens", "must be an integer, and is a string"),
    row("max_tokens 0", chat(max_tokens=0), "max_tokens", "1 or more", VALUE),
    row("max_completion_tokens", chat(max_completion_tokens=-1), "max_completion_tokens", "1 or more", VALUE),
    row("20 digits", chat(max_tokens=10**20), "max_tokens", "must be an integer"),
    row("temperature of text", chat(temperature="1"), "temperature", "must be a number, and is a string"),
    row("temperature true", chat(temperature=True), "temperature", "must be a number, and is a boolean"),
    row("temperature 2.1", chat(temperature=2.1), "temperature", "from 0 to 2, and is 2.1", VALUE),
    row("top_p 1.1", chat(top_p=1.1), "top_p", "from 0 to 1, and is 1.1", VALUE),
    row("top_p -1", chat(top_p=-1), "top_p", "from 0 to 1, and is -1", VALUE),
    row("stop of a number", chat(stop=5), "stop", "a string or an array"),
    row("stop of numbers", chat(stop=["a", 5]), "stop[1]", "must be a string"),
    row("five stops", chat(stop=list("abcde")), "stop", "more than 4", VALUE),
    row("blank stop", chat(stop="\n"), "stop", "only white space", NO_VALUE),
    row("blank stop in a list", chat(stop=["a", ""]), "stop[1]", "only white space", NO_VALUE),
    row("effort", chat(reasoning_effort="huge"), "reasoning_effort", "one of: none", VALUE),
    row("effort of a number", chat(reasoning_effort=3), "reasoning_effort", "must be a string"),
    row("n=2", chat(n=2), "n", "one choice", NO_VALUE),
    row("n true", chat(n=True), "n", "one choice", NO_VALUE),
    row("tools", chat(tools=[TOOL]), "tools", "does not serve it yet", NO_VALUE),
    row("tool_choice", chat(tool_choice="required"), "tool_choice", "", NO_VALUE),
    row("functions", chat(functions=[{"name": "f"}]), "functions", "", NO_VALUE),
    row("function_call", chat(function_call={"name": "f"}), "function_call", "", NO_VALUE),
    row("json_object", chat(response_format={"type": "json_object"}), "response_format", "", NO_VALUE),
    row("audio out", chat(audio={"voice": "x"}), "audio", "", NO_PARAMETER),
    row("modalities", chat(modalities=["text", "audio"]), "modalities", "", NO_VALUE),
    row("logprobs", chat(logprobs=True), "logprobs", "", NO_VALUE),
    row("logprobs 1", chat(logprobs=1), "logprobs", "", NO_VALUE),
    row("top_logprobs", chat(top_logprobs=3), "top_logprobs", "", NO_VALUE),
    row("store", chat(store=True), "store", "", NO_VALUE),
    row("metadata", chat(metadata={"a": "b"}), "metadata", "", NO_VALUE),
    row("web search", chat(web_search_options={"a": 1}), "web_search_options", "", NO_VALUE),
]


@pytest.mark.parametrize(("body", "status", "param", "code", "message"), BAD)
async def test_a_bad_body(
    *, body: Any, status: int, param: str | None, code: str | None, message: str, autojump_clock: MockClock
) -> None:
    async with serving(*HELLO) as server:
        reply = await server.ask(post(body))
    assert (reply.status, reply.error["param"], reply.error["code"]) == (status, param, code)
    assert reply.error["type"] == "invalid_request_error"
    assert message in reply.error["message"]
    assert reply.headers["x-should-retry"] == "false"
    assert reply.headers["x-request-id"] == "req_id1"
    assert server.backend.opened == 0


async def test_a_connection_survives_a_bad_body(autojump_clock: MockClock) -> None:
    async with serving(*HELLO) as server:
        client = await server.connect()
        statuses = [(await client.ask(post(body))).status for body in (b"{", chat(), b"", chat())]
    assert statuses == [400, 200, 400, 200]


async def test_nothing_of_a_key_or_value_is_told_at_length(autojump_clock: MockClock) -> None:
    body = chat(user(), {"role": "x" * 100_000})
    async with serving(*HELLO) as server:
        reply = await server.ask(post(body))
    assert len(reply.body) < 500
    assert json.loads(reply.body)["error"]["param"] == "messages[1].role"
