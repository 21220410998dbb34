"""cca under a server that somebody else runs: whatever that listens on, only loopback is answered."""

import json
from typing import Any, TypeAlias, cast

import pytest
import trio
from hypercorn.typing import HTTPScope
from trio.testing import MockClock
from wire_harness import CHAT, FakeBackend, database_at_hand

from cca.service import Service
from cca.settings import Settings
from cca.web.app import service_app

Address: TypeAlias = tuple[str, int | None] | None


async def ask_at(address: Address, host: str, method: str, path: str) -> tuple[int, Any]:
    """Return the status and JSON of the answer to a client that reached ``address``, as ASGI servers name it."""
    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [(b"host", host.encode())],
        "client": None,
        "server": address,
    }
    sent: list[Any] = []
    requests = [{"type": "http.request", "body": b"", "more_body": False}]

    async def receive() -> Any:
        return requests.pop() if requests else await trio.sleep_forever()

    async def send(event: Any) -> None:
        sent.append(event)

    backend = FakeBackend()
    async with database_at_hand(None) as database:
        app = service_app(Service(Settings(), backend, database))
        await app(cast(HTTPScope, scope), receive, send)
    assert backend.opened == 0
    return sent[0]["status"], json.loads(b"".join(event.get("body", b"") for event in sent))


@pytest.mark.parametrize("path", [("GET", "/health"), ("POST", CHAT), ("GET", "/v1/none")])
@pytest.mark.parametrize(
    "address", ["192.168.1.2", "0.0.0.0", "::", "fe80::1%eth0", "::ffff:192.168.1.2", "2001:db8::1", "example.com", ""]
)
async def test_another_address_than_loopback_answers_nobody(
    address: str, path: tuple[str, str], autojump_clock: MockClock
) -> None:
    status, body = await ask_at((address, 8000), "localhost:8000", *path)
    assert (status, body["error"]["code"]) == (403, "address_not_allowed")
    assert "bind the server that runs it to 127.0.0.1" in body["error"]["message"]


@pytest.mark.parametrize("address", ["127.0.0.1", "127.0.0.2", "::1", "::ffff:127.0.0.1", "localhost"])
async def test_loopback_answers(address: str, autojump_clock: MockClock) -> None:
    assert (await ask_at((address, 8000), "localhost:8000", "GET", "/health"))[0] == 200


@pytest.mark.parametrize("address", [None, ("/run/cca.sock", None)], ids=["unknown", "a path"])
async def test_a_socket_that_is_a_file_answers_by_the_name_of_the_host(
    address: Address, autojump_clock: MockClock
) -> None:
    assert (await ask_at(address, "localhost", "GET", "/health"))[0] == 200
    assert (await ask_at(address, "evil.com", "GET", "/health"))[0] == 403
