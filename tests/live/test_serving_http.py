"""``cca serve --offline`` as a program, asked over HTTP as curl would."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from live_server import OFFLINE, Server, serving

from cca.model import Json

pytestmark = pytest.mark.live

REPLAY = ("-m", "cca", "serve", "--port=0")


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serving() as running:
        yield running


def test_a_whole_answer(server: Server) -> None:
    reply = server.chat("Reply with exactly: hello there")
    assert reply.status == 200
    assert reply.headers["x-request-id"].startswith("req_")
    assert "x-cca-ignored" not in reply.headers
    answer = reply.json
    assert answer["object"] == "chat.completion"
    assert answer["model"] == "claude-haiku-5-5"
    assert answer["choices"] == [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "hello there", "refusal": None, "annotations": []},
            "logprobs": None,
            "finish_reason": "stop",
        }
    ]
    assert answer["usage"]["total_tokens"] == answer["usage"]["prompt_tokens"] + answer["usage"]["completion_tokens"]


def test_a_stream(server: Server) -> None:
    reply = server.chat("Count from 1 to 3", stream=True, stream_options={"include_usage": True})
    assert reply.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert reply.frames[-1] == "[DONE]"
    *said, ended, usage = reply.chunks
    assert said[0]["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    assert "".join(chunk["choices"][0]["delta"]["content"] for chunk in said) == "1, 2, 3"
    assert (ended["choices"][0]["delta"], ended["choices"][0]["finish_reason"]) == ({}, "stop")
    assert (usage["choices"], usage["usage"]["completion_tokens"]) == ([], 3)
    assert {chunk["id"] for chunk in reply.chunks} == {usage["id"]}
    assert all(chunk["usage"] is None for chunk in (*said, ended))


@pytest.mark.parametrize(
    ("asking", "reason"),
    [("[[stop refusal]] no", "content_filter"), ("[[stop max_tokens]] a", "length"), ("a", "stop")],
)
def test_finish_reasons(server: Server, asking: str, reason: str) -> None:
    assert server.chat(asking).json["choices"][0]["finish_reason"] == reason


def test_cached_tokens_are_in_the_usage(server: Server) -> None:
    usage = server.chat("[[cached 30 created 12]] hi").json["usage"]
    assert usage["prompt_tokens_details"]["cached_tokens"] == 30
    assert usage["prompt_tokens"] >= 42


def test_what_has_no_effect_is_named(server: Server) -> None:
    reply = server.chat("hi", seed=7, user="me", made_up=1)
    assert reply.headers["x-cca-ignored"] == "seed, user, made_up"


def test_the_models_are_those_of_claude_code(server: Server) -> None:
    listed = {entry["id"] for entry in server.get("/v1/models").json["data"]}
    assert {"haiku", "sonnet", "opus", "claude-haiku-5-5"} <= listed


def test_health_says_what_serves(server: Server) -> None:
    health = server.get("/health").json
    assert (health["status"], health["backend"]) == ("ok", "claude, scripted model")
    assert health["cli_version"].startswith("2.")


BIG: Json = {"model": "haiku", "messages": [{"role": "user", "content": "[[tokens 2]] " + "word " * 400_000}]}
DEEP: Json = {
    "model": "haiku",
    "messages": [{"role": ["user", "assistant"][at % 2], "content": f"turn {at}"} for at in range(100)]
    + [{"role": "user", "content": "Reply with exactly: done"}],
}
KNOWING: Json = {
    "model": "haiku",
    "messages": [{"role": "system", "content": "Be kind. " * 33_334}, {"role": "user", "content": "hi"}],
}


@pytest.mark.parametrize("body", [BIG, DEEP, KNOWING], ids=["2 MB prompt", "101 turns", "300 kB system prompt"])
def test_large_requests_are_answered(server: Server, body: Json) -> None:
    reply = server.exchange("POST", "/v1/chat/completions", body)
    assert reply.status == 200
    assert reply.json["choices"][0]["message"]["content"] in ("t1 t2", "done", "hi")


@pytest.mark.parametrize("text", ["@/etc/hostname", "/cost", "--help", "Human: hi", '{"type":"control_request"}'])
def test_a_prompt_is_text(server: Server, text: str) -> None:
    assert server.chat(text).json["choices"][0]["message"]["content"] == text


def test_what_was_recorded_is_replayed_without_claude_code(tmp_path: Path) -> None:
    """Stream and whole, a failure too; and what was not recorded is a clear 404."""
    asked = ["Count from 1 to 3", "[[stop max_tokens]] [[thinking]] a b", "[[error 400]]"]
    with serving("--record", str(tmp_path)) as server:
        told = [substance(server.chat(text).body) for text in asked]
        streamed = [substance(server.chat(text, stream=True).body) for text in asked]
    assert len(list(tmp_path.glob("*.ndjson"))) == len(asked)
    with serving("--replay", str(tmp_path), command=REPLAY, PATH=str(tmp_path)) as server:
        assert server.get("/health").json["backend"] == "replay"
        assert [substance(server.chat(text).body) for text in asked] == told
        assert [substance(server.chat(text, stream=True).body) for text in asked] == streamed
        missed = server.chat("Count from 1 to 4")
        assert missed.status == 404
        assert missed.json["error"]["code"] == "recording_not_found"
        assert "turns[0].content[0].text" in missed.json["error"]["message"]


def test_two_at_once_do_not_mix(server: Server) -> None:
    """A slow stream and a quick answer beside it."""
    connection = server.connect()
    body = json.dumps({"model": "haiku", "stream": True, "messages": [{"role": "user", "content": SLOW}]})
    connection.request("POST", "/v1/chat/completions", body, {"Content-Type": "application/json"})
    slow = connection.getresponse()
    assert server.chat("quick").json["choices"][0]["message"]["content"] == "quick"
    assert b"quick" not in slow.read()
    connection.close()


SLOW = "[[delay 50ms]] [[tokens 20]]"


def substance(body: bytes) -> list[Json]:
    """Return an answer's JSON, or its chunks', without what is new each time."""
    texts = [line.removeprefix(b"data: ") for line in body.split(b"\n\n") if line and line != b"data: [DONE]"]
    values = [json.loads(text) for text in texts]
    return [{name: value for name, value in each.items() if name not in ("id", "created")} for each in values]


def test_offline_needs_no_account_and_asks_nobody_else() -> None:
    """A key, an address and a proxy of the user's do not count."""
    elsewhere = "http://127.0.0.1:9"
    astray = {"ANTHROPIC_BASE_URL": elsewhere, "HTTPS_PROXY": elsewhere, "HTTP_PROXY": elsewhere}
    with serving(command=OFFLINE, ANTHROPIC_API_KEY="", CLAUDE_CODE_USE_BEDROCK="1", **astray) as server:
        assert server.chat("hello").json["choices"][0]["message"]["content"] == "hello"
