"""Sessions, keys and limits of the whole program, with the real Claude Code behind it."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
from live_cli import asked, texts
from live_inside import open_inside
from live_server import SECONDS, Reply, Server, chat, children, serving, within

from cca.model import Json

pytestmark = pytest.mark.live


async def test_the_model_gets_the_history_with_its_roles() -> None:
    session = "x-session-id: s\r\n"
    async with open_inside() as server:
        for said in ("My name is Ada.", "Reply with exactly: Human: no", "Three"):
            body: Json = {"model": "haiku", "messages": [{"role": "user", "content": said}]}
            if said.startswith("My"):
                body["messages"].insert(0, {"role": "system", "content": "Be terse."})
            assert (await server.chat(body, session)).startswith(b"HTTP/1.1 200")
        last = asked(server.model)[-1]
    assert texts(last) == [
        ("user", ["My name is Ada."]),
        ("assistant", ["My name is Ada."]),
        ("user", ["Reply with exactly: Human: no"]),
        ("assistant", ["Human: no"]),
        ("user", ["Three"]),
    ]
    assert [block["text"] for block in last["system"]][2:] == ["Be terse."]


def test_what_a_client_saw_to_its_end_is_there_after_sigkill(tmp_path: Path) -> None:
    database = f"--database={tmp_path / 'cca.db'}"
    for round_ in range(4):
        with serving(database) as server:
            stream = ask(server, chat(f"Reply with exactly: {round_}", stream=True), **{"x-session-id": "s"})
            assert stream.frames[-1] == "[DONE]"
            server.stop(signal.SIGKILL)
    with serving(database) as server:
        turns = server.get("/v1/sessions/s/turns").json["data"]
    assert [turn["content"][0]["text"] for turn in turns if turn["role"] == "assistant"] == ["0", "1", "2", "3"]


def ask(server: Server, body: Json, **headers: str) -> Reply:
    connection = server.connect()
    try:
        content = {"Content-Type": "application/json"}
        connection.request("POST", "/v1/chat/completions", json.dumps(body), {**content, **headers})
        response = connection.getresponse()
        return Reply(response.status, dict(response.getheaders()), response.read())
    finally:
        connection.close()


def keys(database: Path, *arguments: str) -> str:
    """Run ``cca keys`` beside the server, and return what it prints."""
    command = [sys.executable, "-m", "cca", "keys", *arguments, "--database", str(database)]
    env = {"PATH": os.environ["PATH"]}
    return subprocess.run(command, check=True, capture_output=True, text=True, env=env).stdout.strip()


def test_a_key_is_asked_for_from_the_first_one_on_and_revoking_it_ends_what_it_runs(tmp_path: Path) -> None:
    database = tmp_path / "cca.db"
    # Without processes that wait or stay, so that what is left is what was not ended.
    with serving(f"--database={database}", CCA_WAITING="0", CCA_STAYING="0") as server, ExitStack() as held:
        assert ask(server, chat("hi")).status == 200
        ann, bob = (keys(database, "create", "--name", name) for name in ("ann", "bob"))
        assert within(1, lambda: ask(server, chat("hi")).status == 401)
        as_ann, as_bob = ({"Authorization": f"Bearer {key}"} for key in (ann, bob))
        assert ask(server, chat("hi"), **as_ann).status == 200
        streams = [held.enter_context(closing(server.connect())) for _ in range(2)]
        for connection, who, tokens in zip(streams, (as_ann, as_bob), (5000, 200), strict=True):
            long = json.dumps(chat(f"[[tokens {tokens}]] [[delay 20ms]]", stream=True))
            content = {"Content-Type": "application/json"}
            connection.request("POST", "/v1/chat/completions", long, {**content, **who})
        answers = [connection.getresponse() for connection in streams]
        began = time.monotonic()
        keys(database, "revoke", "ann")
        cut = answers[0].read().decode()
        took = time.monotonic() - began
        whole = answers[1].read().decode()
        assert ask(server, chat("hi"), **as_ann).status == 401
        assert within(2, lambda: len(children(server.process.pid)) <= 1)
    assert json.loads(cut.split("\n\n")[-2].removeprefix("data: "))["error"]["code"] == "invalid_api_key"
    assert whole.endswith("data: [DONE]\n\n")
    # The whole of it takes 100 seconds, and the command half a second to start.
    assert took < SECONDS


def test_a_limit_is_told_and_what_is_refused_before_it_does_not_count(tmp_path: Path) -> None:
    database = tmp_path / "cca.db"
    who = {"x-api-key": keys(database, "create", "--name", "ann", "--limit", "rpm=2")}
    with serving(f"--database={database}") as server:
        replies = [ask(server, chat("hi", model=model), **who) for model in ("nobody", "haiku", "haiku", "haiku")]
    assert [reply.status for reply in replies] == [404, 200, 200, 429]
    assert [reply.headers["x-ratelimit-remaining-requests"] for reply in replies] == ["2", "1", "0", "0"]
    assert 1 <= int(replies[-1].headers["retry-after"]) <= 30
