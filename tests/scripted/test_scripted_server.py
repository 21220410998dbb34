"""The served model, over loopback."""

import json
from typing import Any

import pytest
import trio
from attrs import frozen

from cca.scripted import ScriptedModel, open_scripted_model

pytestmark = pytest.mark.filterwarnings("error")
SECONDS = 5.0


@frozen
class Reply:
    """``ended`` is whether the body came to its end."""

    status: int
    headers: dict[str, str]
    body: bytes
    ended: bool = True

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def events(self) -> list[str]:
        return [line[7:] for line in self.body.decode().splitlines() if line.startswith("event: ")]


def parsed(raw: bytes) -> Reply:
    head, _, rest = raw.partition(b"\r\n\r\n")
    status, *lines = head.decode().split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    if "transfer-encoding" not in headers:
        return Reply(int(status.split()[1]), headers, rest)
    body = b""
    while rest:
        size, _, rest = rest.partition(b"\r\n")
        body, rest = body + rest[: int(size, 16)], rest[int(size, 16) + 2 :]
        if size == b"0":
            return Reply(int(status.split()[1]), headers, body)
    return Reply(int(status.split()[1]), headers, body, ended=False)


async def connect(model: ScriptedModel) -> trio.SocketStream:
    return await trio.open_tcp_stream("127.0.0.1", int(model.base_url.rpartition(":")[2]))


def post(body: Any, path: str = "/v1/messages?beta=true", key: str = "x-api-key: k") -> bytes:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    head = f"POST {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{key}\r\ncontent-length: {len(raw)}\r\n\r\n"
    return head.encode() + raw


def asking(text: str, **others: Any) -> dict[str, Any]:
    message = {"role": "user", "content": text}
    return {"model": "claude-x", "max_tokens": 10_000_000, "stream": True, "messages": [message], **others}


async def exchange(model: ScriptedModel, request: bytes) -> Reply:
    with trio.fail_after(SECONDS):
        async with await connect(model) as stream:
            await stream.send_all(request)
            return parsed(b"".join([part async for part in stream]))


async def until(open_streams: int, model: ScriptedModel) -> None:
    with trio.fail_after(SECONDS):
        while model.open_streams != open_streams:  # noqa: ASYNC110 - the count of another task; it has no event
            await trio.sleep(0.001)


async def test_a_stream() -> None:
    async with open_scripted_model() as model:
        reply = await exchange(model, post(asking("hi there")))
    assert (reply.status, reply.ended) == (200, True)
    assert reply.headers["content-type"].startswith("text/event-stream")
    assert reply.headers["request-id"].startswith("req_01")
    assert reply.events == [
        *("message_start", "ping", "content_block_start", "content_block_delta", "content_block_delta"),
        *("content_block_stop", "message_delta", "message_stop"),
    ]


async def test_a_whole_answer_and_what_was_received() -> None:
    body = asking("hi", stream=False)
    async with open_scripted_model(keep=1) as model:
        await exchange(model, post(asking("forgotten")))
        reply = await exchange(model, post(body))
        (received,) = model.received
    assert reply.json["content"] == [{"type": "text", "text": "hi"}]
    assert (received.method, received.path, received.query) == ("POST", "/v1/messages", "beta=true")
    assert received.headers["x-api-key"] == "present"
    assert received.body == body


@pytest.mark.parametrize(
    ("request_bytes", "status", "kind"),
    [
        (post(asking("hi"), key="x-other: 1"), 401, "authentication_error"),
        (post(asking("hi"), key="authorization: Bearer "), 401, "authentication_error"),
        (post(asking("hi", model="gpt-4")), 404, "not_found_error"),
        (post(b"{"), 400, "invalid_request_error"),
        (post(b""), 400, "invalid_request_error"),
        (post(b"[" * 100_000), 400, "invalid_request_error"),
        (post({}), 400, "invalid_request_error"),
        (post({}, "/v1/nothing"), 404, "not_found_error"),
        (post({}, "/v1/messages/count_tokens"), 400, "invalid_request_error"),
        (post(asking("[[error 413]]")), 413, "request_too_large"),
        (post(asking("[[error 529]]", stream=False)), 529, "overloaded_error"),
        (post(asking("[[error mid-stream rate_limit_error]]", stream=False)), 429, "rate_limit_error"),
    ],
)
async def test_errors(request_bytes: bytes, status: int, kind: str) -> None:
    async with open_scripted_model() as model:
        reply = await exchange(model, request_bytes)
    assert (reply.status, reply.json["error"]["type"]) == (status, kind)
    assert reply.json["request_id"] == reply.headers["request-id"]


@pytest.mark.parametrize(
    ("line", "status"),
    [
        ("HEAD /", 200),
        ("GET /", 200),
        ("GET /v1/models", 200),
        ("GET /v1/models/claude-a", 200),
        ("GET /v1/models/b", 404),
    ],
)
async def test_other_routes(line: str, status: int) -> None:
    async with open_scripted_model() as model:
        head = f"{line} HTTP/1.1\r\nhost: x\r\nconnection: close\r\nauthorization: Bearer k\r\n\r\n"
        assert (await exchange(model, head.encode())).status == status


async def test_count_tokens_needs_no_max_tokens() -> None:
    body = {"model": "claude-x", "messages": [{"role": "user", "content": "one two three"}]}
    async with open_scripted_model() as model:
        assert (await exchange(model, post(body, "/v1/messages/count_tokens"))).json == {"input_tokens": 3}


async def test_an_error_with_retry_after_that_passes() -> None:
    request = post(asking("[[error 429 retry-after 7 times 1]] fine", stream=False))
    async with open_scripted_model() as model:
        first, second = await exchange(model, request), await exchange(model, request)
    assert (first.status, first.headers["retry-after"]) == (429, "7")
    assert second.json["content"][0]["text"] == "fine"


@pytest.mark.parametrize("stream", [True, False])
async def test_a_cut_ends_the_connection_in_the_body_and_quietly(
    capfd: pytest.CaptureFixture[str], *, stream: bool
) -> None:
    async with open_scripted_model() as model:
        reply = await exchange(model, post(asking("[[cut after 1]] one two", stream=stream)))
        await until(0, model)
        assert model.streams_abandoned == 0
    assert (reply.status, reply.ended) == (200, False)
    assert reply.events[-1:] == (["content_block_delta"] if stream else [])
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("text", ["[[silent]]", "[[silent after 1]] a b", "[[wait 100s]]", "[[delay 100s]] a"])
async def test_a_client_that_leaves_is_counted(text: str, capfd: pytest.CaptureFixture[str]) -> None:
    async with open_scripted_model() as model:
        async with await connect(model) as stream:
            await stream.send_all(post(asking(text)))
            await until(1, model)
        await until(0, model)
        assert (model.streams_opened, model.streams_abandoned) == (1, 1)
    assert capfd.readouterr() == ("", "")


async def test_the_end_cuts_open_answers_at_once_and_quietly(capfd: pytest.CaptureFixture[str]) -> None:
    with trio.fail_after(SECONDS):
        await _cut_short()
    assert capfd.readouterr() == ("", "")


async def _cut_short() -> None:
    async with trio.open_nursery() as nursery:
        async with open_scripted_model() as model:
            stream = await connect(model)
            nursery.start_soon(stream.send_all, post(asking("[[silent after 1]] a b")))
            assert await stream.receive_some()
        async with stream:
            async for _ in stream:
                pass


async def test_the_end_does_not_wait_for_a_reader_that_stalls(capfd: pytest.CaptureFixture[str]) -> None:
    started = trio.current_time()
    async with open_scripted_model() as model:
        stream = await connect(model)
        await stream.send_all(post(asking("x" * 8_000_000)))
        await stream.receive_some(1)
        await trio.sleep(0.05)  # for its buffers to fill
        assert model.open_streams == 1
    await stream.aclose()
    assert trio.current_time() - started < SECONDS
    assert capfd.readouterr() == ("", "")


async def test_a_connection_serves_many_requests() -> None:
    request = post(asking("hi", stream=False)).replace(b"connection: close\r\n", b"")
    async with open_scripted_model() as model, await connect(model) as stream:
        for _ in range(3):
            with trio.fail_after(SECONDS):
                await stream.send_all(request)
                received = b""
                while not received.endswith(b"}}"):
                    received += await stream.receive_some()
                assert parsed(received).json["content"][0]["text"] == "hi"


async def test_large_bodies_are_taken() -> None:
    async with open_scripted_model() as model:
        reply = await exchange(model, post(asking("x" * 16_800_000 + " [[tokens 2]]")))
    assert reply.events.count("content_block_delta") == 2


async def test_two_attempts_differ_in_their_ids_and_two_servers_do_not() -> None:
    ids = []
    for _ in range(2):
        async with open_scripted_model() as model:
            replies = [await exchange(model, post(asking("hi", stream=False))) for _ in range(2)]
            ids.append([reply.json["id"] for reply in replies])
    assert ids[0] == ids[1]
    assert ids[0][0] != ids[0][1]
