"""What is wrong with a body is told with its place in it, and no process is started for it."""

import json
from typing import Any

import pytest
from claude_says import HELLO
from trio.testing import MockClock
from wire_harness import chat, post, serving, user

TEXT = {"type": "text", "text": "Hello"}
HE, SHE = user("He"), {"role": "assistant", "content": "She"}
FUNCTION: dict[str, Any] = {"name": "f", "parameters": {"type": "object", "properties": {}}}
CALLED = {"name": "f", "arguments": "{}"}
RESULT = {"role": "tool", "tool_call_id": "c", "content": "r"}
FUNCTION_RESULT = {"role": "function", "name": "f", "content": "r"}
ARRAY = {"type": "array", "items": {"type": "string"}}
NESTED = b'{"a":' * 1000 + b"1" + b"}" * 1000


def image(url: str) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": url}}


def png(content: str) -> dict[str, Any]:
    return image(f"data:image/png;base64,{content}")


def file(**fields: Any) -> dict[str, Any]:
    return {"type": "file", "file": fields}


def tool(**fields: Any) -> dict[str, Any]:
    return {"type": "function", "function": {**FUNCTION, **fields}}


def calling(*ids: str, **fields: Any) -> dict[str, Any]:
    """Return an assistant message with calls of these ids."""
    calls = [{"id": each, "type": "function", "function": {**CALLED, **fields}} for each in ids]
    return {"role": "assistant", "content": None, "tool_calls": calls}


def answer_in(**json_schema: Any) -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": "x", **json_schema}}


def named(name: str) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name}}


def allowed(*tools: Any, mode: str = "auto") -> dict[str, Any]:
    return {"type": "allowed_tools", "allowed_tools": {"mode": mode, "tools": list(tools)}}


def without(name: str) -> dict[str, Any]:
    return {key: value for key, value in chat().items() if key != name}


def row(
    name: str, body: Any, param: str | None, message: str, code: str | None = "invalid_type", *, status: int = 400
) -> Any:
    return pytest.param(body, status, param, code, message, id=name)


CALL = (HE, calling("c"))
FUNCTION_CALL = {"role": "assistant", "content": None, "function_call": CALLED}
REFUSAL = {"type": "refusal", "refusal": "No."}
GIF = image("data:image/gif;base64,R0lGODlhAQABAAAAACwAAAAAAQABAAACAkQBADs=")
IN_1, IN_0 = "messages[0].content[1]", "messages[2].content[0]"
CALL_0, PARAMETERS = "messages[1].tool_calls[0]", "tools[0].function.parameters"
ALLOWED, SCHEMA = "tool_choice.allowed_tools", "response_format.json_schema"

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
    row("audio", chat(user([{"type": "input_audio"}])), "messages[0].content[0].type", "does not hear", NO_VALUE),
    row("user refusal", chat(user([REFUSAL])), "messages[0].content[0].type", "only an assistant", NO_VALUE),
    row("system image", chat(HE, {"role": "system", "content": [GIF]}), "messages[1].content[0].type", "", NO_VALUE),
    row("assistant image", chat(HE, {**SHE, "content": [GIF]}, HE), "messages[1].content[0].type", "user", NO_VALUE),
    row("image no URL", chat(user([TEXT, image("cat.png")])), f"{IN_1}.image_url.url", "http(s) address", NO_VALUE),
    row("image of a file", chat(user([TEXT, image("file:///etc/passwd")])), f"{IN_1}.image_url.url", "", NO_VALUE),
    row("image not base64", chat(user([TEXT, png("AA*=")])), f"{IN_1}.image_url.url", "not base64", VALUE),
    row("image empty", chat(user([TEXT, png("")])), f"{IN_1}.image_url.url", "is empty", VALUE),
    row("image of another kind", chat(user([TEXT, png("AAAA")])), f"{IN_1}.image_url.url", "JPEG, PNG, GIF", NO_VALUE),
    row(
        "image in a tool result",
        chat(*CALL, {**RESULT, "content": [png("AAAA")]}),
        f"{IN_0}.image_url.url",
        "WebP",
        NO_VALUE,
    ),
    row(
        "image without URL",
        chat(user([{"type": "image_url", "image_url": {}}])),
        "messages[0].content[0].image_url.url",
        "is missing",
        MISSING,
    ),
    row("file id", chat(user([TEXT, file(file_id="f")])), f"{IN_1}.file.file_id", "as file_data", NO_PARAMETER),
    row("file of nothing", chat(user([TEXT, file()])), f"{IN_1}.file.file_data", "is missing", MISSING),
    row(
        "file of zip", chat(user([TEXT, file(file_data="UEsDBAoAAAAA/w==")])), f"{IN_1}.file.file_data", "PDF", NO_VALUE
    ),
    row("assistant last", chat(HE, SHE), "messages[1]", "end with a user message", NO_VALUE),
    row("assistant first", chat(SHE, HE), "messages[0]", "begins with the user", NO_VALUE),
    row("assistant alone", chat(SHE), "messages[0]", "end with a user message", NO_VALUE),
    row("blank", chat(user(" \n\t")), "messages[0].content", "has no text", VALUE),
    row("blank part", chat(user([{**TEXT, "text": " "}])), "messages[0].content", "has no text", VALUE),
    row("empty parts", chat(HE, SHE, user([])), "messages[2].content", "has no text", VALUE),
    row("empty", chat(HE, SHE, user("")), "messages[2].content", "has no text", VALUE),
    row("blank before a system", chat(user(" "), {"role": "system", "content": "x"}), "messages[0].content", "", VALUE),
    row("tool result alone", chat(HE, RESULT), "messages[1]", "does not make", VALUE),
    row(
        "tool result of another call",
        chat(HE, calling("c"), {**RESULT, "tool_call_id": "d"}),
        "messages[1].tool_calls[0]",
        "send that",
        VALUE,
    ),
    row("tool result too late", chat(*CALL, RESULT, SHE, HE, RESULT), "messages[5]", "does not make", VALUE),
    row("tool result twice", chat(*CALL, RESULT, RESULT), "messages[3]", "has its result already", VALUE),
    row("tool result after text", chat(*CALL, HE, RESULT), "messages[3]", "send results first", VALUE),
    row("function result alone", chat(HE, FUNCTION_RESULT), "messages[1]", "does not make", VALUE),
    row(
        "function result of another",
        chat(HE, FUNCTION_CALL, {**FUNCTION_RESULT, "name": "g"}),
        "messages[1].function_call",
        "",
        VALUE,
    ),
    row("call without a result", chat(HE, calling("c", "d"), RESULT), "messages[1].tool_calls[1]", "result of", VALUE),
    row("call at the end", chat(HE, calling("c")), "messages[1]", "end with a user message", NO_VALUE),
    row(
        "tool result without id", chat(HE, {"role": "tool", "content": "r"}), "messages[1].tool_call_id", "is", MISSING
    ),
    row(
        "tool result without content",
        chat(HE, {"role": "tool", "tool_call_id": "c"}),
        "messages[1].content",
        "",
        MISSING,
    ),
    row(
        "broken arguments", chat(HE, calling("c", arguments="{"), RESULT), f"{CALL_0}.function.arguments", "JSON", VALUE
    ),
    row(
        "arguments of a list",
        chat(HE, calling("c", arguments="[]"), RESULT),
        f"{CALL_0}.function.arguments",
        "object",
        VALUE,
    ),
    row(
        "deep arguments",
        chat(HE, calling("c", arguments=NESTED.decode()), RESULT),
        f"{CALL_0}.function.arguments",
        "nested deeper",
        VALUE,
    ),
    row("name of a call", chat(HE, calling("c", name="a b"), RESULT), f"{CALL_0}.function.name", "letters", VALUE),
    row(
        "custom call",
        chat(HE, {**SHE, "tool_calls": [{"id": "c", "type": "custom", "custom": {}}]}, RESULT),
        f"{CALL_0}.type",
        "call of a function",
        NO_VALUE,
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
    row("n=5", chat(n=5), "n", "from 1 to 4", VALUE),
    row("n=0", chat(n=0), "n", "from 1 to 4", VALUE),
    row("n true", chat(n=True), "n", "must be an integer"),
    row("a tool of text", chat(tools=["f"]), "tools[0]", "must be an object"),
    row("tools of an object", chat(tools={}), "tools", "must be an array"),
    row("129 tools", chat(tools=[tool(name=f"f{number}") for number in range(129)]), "tools", "may have 128", VALUE),
    row("two of a name", chat(tools=[tool(), tool()]), "tools[1].function.name", "name of its own", VALUE),
    row("tool without name", chat(tools=[{"type": "function", "function": {}}]), "tools[0].function.name", "", MISSING),
    row("name of a tool", chat(tools=[tool(name="a.b")]), "tools[0].function.name", "underscores", VALUE),
    row("65 characters", chat(tools=[tool(name="x" * 65)]), "tools[0].function.name", "1 to 64", VALUE),
    row("parameters of a list", chat(tools=[tool(parameters=[])]), PARAMETERS, "as an object"),
    row("parameters of text", chat(tools=[tool(parameters="{}")]), PARAMETERS, "as an object"),
    row("schema of an array", chat(tools=[tool(parameters=ARRAY)]), PARAMETERS, 'give it "type": "object"', VALUE),
    row(
        "deep schema",
        b'{"model":"sonnet","messages":[{"role":"user","content":"x"}],"tools":[{"type":"function",'
        b'"function":{"name":"f","parameters":' + NESTED + b"}}]}",
        PARAMETERS,
        "nested deeper than 128",
        VALUE,
    ),
    row("custom tool", chat(tools=[{"type": "custom", "custom": {}}]), "tools[0].type", "offer a function", NO_VALUE),
    row("a choice of no tool", chat(tools=[tool()], tool_choice=named("g")), "tool_choice.function.name", "'g'", VALUE),
    row("required of none", chat(tool_choice="required"), "tool_choice", "no function to call", VALUE),
    row(
        "required of a hosted one",
        chat(tools=[{"type": "web_search"}], tool_choice="required"),
        "tool_choice",
        "",
        VALUE,
    ),
    row(
        "a hosted one",
        chat(tools=[{"type": "web_search"}], tool_choice={"type": "web_search"}),
        "tool_choice",
        "functions only",
        NO_VALUE,
    ),
    row("a choice of nonsense", chat(tools=[tool()], tool_choice="any"), "tool_choice", "must be", VALUE),
    row("a choice of a list", chat(tools=[tool()], tool_choice=[]), "tool_choice", "must be", VALUE),
    row(
        "a choice without function",
        chat(tools=[tool()], tool_choice={"type": "function"}),
        "tool_choice.function",
        "must",
    ),
    row("a choice without name", chat(tools=[tool()], tool_choice=named("")), "tool_choice.function.name", "''", VALUE),
    row(
        "allowed, of no tool",
        chat(tools=[tool()], tool_choice=allowed(named("g"))),
        f"{ALLOWED}.tools[0].function.name",
        "'g'",
        VALUE,
    ),
    row(
        "allowed, of no mode",
        chat(tools=[tool()], tool_choice=allowed(named("f"), mode="x")),
        f"{ALLOWED}.mode",
        "",
        VALUE,
    ),
    row("allowed, of none", chat(tools=[tool()], tool_choice=allowed(mode="required")), f"{ALLOWED}.tools", "", VALUE),
    row("allowed, of text", chat(tools=[tool()], tool_choice=allowed("f")), f"{ALLOWED}.tools", "array of objects"),
    row(
        "functions and tools", chat(tools=[tool()], functions=[FUNCTION]), "functions", "send tools alone", NO_PARAMETER
    ),
    row("function_call of none", chat(function_call={"name": "f"}), "function_call.name", "'f'", VALUE),
    row(
        "function_call of another",
        chat(functions=[FUNCTION], function_call={"name": "g"}),
        "function_call.name",
        "",
        VALUE,
    ),
    row("a function of nonsense", chat(functions=[{**FUNCTION, "name": ""}]), "functions[0].name", "letters", VALUE),
    row("parallel of text", chat(parallel_tool_calls="no"), "parallel_tool_calls", "true or false"),
    row("format of text", chat(response_format="json"), "response_format", "must be an object", VALUE),
    row(
        "a choice of functions for tools",
        chat(tools=[tool()], function_call="none"),
        "function_call",
        "send tool_choice",
        "unsupported_parameter",
    ),
    row(
        "a choice of tools for functions",
        chat(functions=[{"name": "f"}], tool_choice="none"),
        "tool_choice",
        "send function_call",
        "unsupported_parameter",
    ),
    row(
        "more allowed tools than a list may have",
        chat(
            tools=[tool()],
            tool_choice={"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [{}] * 100_001}},
        ),
        f"{ALLOWED}.tools",
        "may have 100,000",
        VALUE,
    ),
    row("format of no type", chat(response_format={}), "response_format", "text, json_object, json_schema", VALUE),
    row("format of grammar", chat(response_format={"type": "grammar"}), "response_format", "", VALUE),
    row("no schema", chat(response_format=answer_in()), f"{SCHEMA}.schema", "is missing", MISSING),
    row("no json_schema", chat(response_format={"type": "json_schema"}), SCHEMA, "is missing", MISSING),
    row(
        "json_schema without a name",
        chat(response_format={"type": "json_schema", "json_schema": {"schema": {"type": "object"}}}),
        f"{SCHEMA}.name",
        "is missing",
        MISSING,
    ),
    row("strict that is a text", chat(response_format=answer_in(strict="yes")), f"{SCHEMA}.strict", "true or false"),
    row("a schema of text", chat(response_format=answer_in(schema="x")), f"{SCHEMA}.schema", "as an object"),
    row(
        "an array's schema",
        chat(response_format=answer_in(schema=ARRAY)),
        f"{SCHEMA}.schema",
        "schema of an object",
        VALUE,
    ),
    row(
        "a schema of no type",
        chat(response_format=answer_in(schema={})),
        f"{SCHEMA}.schema",
        "schema of an object",
        VALUE,
    ),
    row(
        "a schema of no such type",
        chat(response_format=answer_in(schema={"type": "object", "properties": {"a": {"type": "strin"}}})),
        f"{SCHEMA}.schema",
        "its properties.a.type must be one of JSON's types",
        VALUE,
    ),
    row(
        "a pattern with lookahead",
        chat(response_format=answer_in(schema={"type": "object", "patternProperties": {"(?=a)": {}}})),
        f"{SCHEMA}.schema",
        "without lookaround",
        VALUE,
    ),
    row("audio out", chat(audio={"voice": "x"}), "audio", "", NO_PARAMETER),
    row("modalities", chat(modalities=["text", "audio"]), "modalities", "", NO_VALUE),
    row("logprobs", chat(logprobs=True), "logprobs", "", NO_VALUE),
    row("logprobs 1", chat(logprobs=1), "logprobs", "", NO_VALUE),
    row("top_logprobs", chat(top_logprobs=3), "top_logprobs", "", NO_VALUE),
    row("moderation", chat(moderation={"model": "x"}), "moderation", "moderates nothing", NO_PARAMETER),
    row("store of text", chat(store="yes"), "store", "true or false"),
    row("metadata of text", chat(metadata="a"), "metadata", "an object of strings"),
    row("metadata of numbers", chat(store=True, metadata={"a": 1}), "metadata.a", "must be a string"),
    row("17 pairs", chat(store=True, metadata={str(key): "" for key in range(17)}), "metadata", "may have 16", VALUE),
    row("a long key", chat(store=True, metadata={"k" * 65: ""}), "metadata", "64 characters", VALUE),
    row("a long value", chat(store=True, metadata={"k": "v" * 513}), "metadata.k", "512", VALUE),
    row(
        "deep, and to be stored",
        b'{"model":"sonnet","store":true,"messages":[{"role":"user","content":"x","y":' + NESTED + b"}]}",
        "messages",
        "nested deeper",
        VALUE,
    ),
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
