"""Keys on the wire: every route against every kind of bad credentials, what a scope is for, and how soon a key ends."""

import base64
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import pytest
import trio
from attrs import define, field, frozen
from claude_says import HELLO, start, stop, text
from messages_wire import COUNT, MESSAGES
from trio.testing import MockClock, wait_all_tasks_blocked
from wire_harness import CHAT, HOST, JSON, NOW, Client, Server, chat, get, inline, post, posted, raw, serving, streamed

from cca.keys import DEFAULT_SCOPES, RANDOM_SIZE, SCOPES, id_in, mint
from cca.limits.policy import NO_LIMITS
from cca.limits.wrong_keys import MOST, WINDOW
from cca.store import database as database_room
from cca.store import keys
from cca.store.database import Database, open_database
from survival import Survival

SOON = 1.0
"""Seconds in which what a key has running is to end with it."""

ROUTES = {
    "GET /": "",
    "GET /health": "",
    "GET /openapi.json": "chat",
    "GET /v1/models": "chat",
    "GET /v1/models/<path:name>": "chat",
    "GET /v1/sessions": "sessions",
    "GET /v1/sessions/<id>": "sessions",
    "PATCH /v1/sessions/<id>": "sessions",
    "DELETE /v1/sessions/<id>": "sessions",
    "GET /v1/sessions/<id>/turns": "sessions",
    "POST /v1/sessions/<id>/fork": "sessions",
    "GET /v1/chat/completions": "chat",
    "GET /v1/chat/completions/<id>": "chat",
    "POST /v1/chat/completions/<id>": "chat",
    "DELETE /v1/chat/completions/<id>": "chat",
    "GET /v1/chat/completions/<id>/messages": "chat",
    "GET /v1/responses/<id>": "chat",
    "DELETE /v1/responses/<id>": "chat",
    "GET /v1/responses/<id>/input_items": "chat",
    "POST /v1/responses/<id>/cancel": "chat",
    "POST /v1/responses/input_tokens": "chat",
    "POST /v1/messages/count_tokens": "chat",
    "POST /v1/responses/compact": "chat",
    "POST /v1/conversations": "sessions",
    "GET /v1/conversations/<id>": "sessions",
    "POST /v1/conversations/<id>": "sessions",
    "DELETE /v1/conversations/<id>": "sessions",
    "GET /v1/conversations/<id>/items": "sessions",
    "POST /v1/conversations/<id>/items": "sessions",
    "GET /v1/conversations/<id>/items/<item>": "sessions",
    "GET /v1/usage": "usage",
    "POST /v1/chat/completions": "chat",
    "POST /v1/completions": "chat",
    "POST /v1/responses": "chat",
    "POST /v1/messages": "chat",
}
"""Each route there is, and its scope: a new one is to be thought of here, too."""


@define
class Desk:
    """A server, and the database from another process's side: where keys are made and revoked."""

    server: Server
    database: Database
    wall: list[float]
    _made: int = field(default=0, init=False)

    async def make(self, name: str, scopes: frozenset[str] = DEFAULT_SCOPES, *, expires_in: float | None = None) -> str:
        """Make a key that the server knows at once."""
        self._made += 1
        now = self.wall[0]
        make = partial(
            keys.make,
            randomness=Random(self._made).randbytes,  # noqa: S311 - the same in every run
            name=name,
            scopes=scopes,
            limits=NO_LIMITS,
            now=now,
            expires_at=None if expires_in is None else now + expires_in,
        )
        made, _ = await self.database.write(make)
        await self.server.connections.app.service.keyring.refresh()
        return made

    async def revoke(self, name: str) -> None:
        await self.database.write(lambda connection: keys.revoke(connection, name, self.wall[0]))

    def watch(self) -> None:
        app = self.server.connections.app
        self.server.nursery.start_soon(app.service.keyring.watch, app.ending.come_to)


@asynccontextmanager
async def desk_of(directory: Path, *said: Any, **settings: Any) -> AsyncIterator[Desk]:
    path, wall = directory / "cca.db", [NOW]
    async with (
        open_database(path, inline) as database,
        open_database(path, inline) as other,
        serving(*said, database=database, now=lambda: wall[0], **settings) as server,
    ):
        yield Desk(server, other, wall)


def bearer(key: str) -> str:
    return f"Authorization: Bearer {key}"


def x_api_key(key: str) -> str:
    return f"x-api-key: {key}"


def requests() -> Iterator[tuple[str, str]]:
    """Yield method and path of each route that asks for a key, and of what is no route."""
    for endpoint, scope in ROUTES.items():
        if scope:
            method, path = endpoint.split()
            yield method, path.replace("<path:name>", "sonnet").replace("<id>", "s1")
    yield from (("GET", MESSAGES), ("GET", f"{MESSAGES}/batches"))
    yield from (("GET", "/v1/none"), ("DELETE", CHAT), ("POST", "/health"), ("OPTIONS", CHAT), ("GET", "/health/"))


def request_of(method: str, path: str, *headers: str) -> bytes:
    """Return a request that has its body still to come, where it has one."""
    length = ["Content-Length: 1000"] if method in ("POST", "PATCH") else []
    return raw(method, path, HOST, JSON, *length, *headers)


async def test_each_route_has_a_scope(autojump_clock: MockClock) -> None:
    async with serving() as server:
        app = server.connections.app
        assert {rule.endpoint for rule in app.url_map.iter_rules()} == set(ROUTES)
        assert app.scopes == ROUTES


async def test_a_route_that_nobody_gave_a_scope_is_for_admins(tmp_path: Path, autojump_clock: MockClock) -> None:
    async def view() -> str:
        return "hello"

    async with desk_of(tmp_path) as desk:
        desk.server.connections.app.add_url_rule("/new", "new", view)
        every = await desk.make("every", frozenset(SCOPES) - {"admin"})
        admin = await desk.make("admin", frozenset(("admin",)))
        status = [
            (await desk.server.ask(get("/new", *shown))).status for shown in ((), (bearer(every),), (bearer(admin),))
        ]
    assert status == [401, 403, 200]


async def test_without_a_key_whatever_is_presented_is_fine(autojump_clock: MockClock) -> None:
    async with serving(*HELLO) as server:
        for shown in (
            (),
            (bearer("dummy"),),
            (x_api_key(""),),
            ("Authorization: Basic eA==",),
            (bearer("a"), x_api_key("b")),
        ):
            assert (await server.ask(post(chat(), *shown))).status == 200


@pytest.mark.parametrize(
    "shown",
    [
        pytest.param(["Authorization: Bearer {key}"], id="bearer"),
        pytest.param(["authorization: bEARER  {key} "], id="in any case"),
        pytest.param(["x-api-key: {key}"], id="x-api-key"),
        pytest.param(["Authorization: Bearer {key}", "X-API-Key: {key}"], id="both"),
        pytest.param(["x-api-key: {key}", "Cookie: api_key=x", "api-key: x"], id="besides what counts for nothing"),
    ],
)
async def test_a_key_is_let_in(shown: list[str], tmp_path: Path, autojump_clock: MockClock) -> None:
    async with desk_of(tmp_path, *HELLO) as desk:
        key = await desk.make("ann")
        headers = [each.format(key=key) for each in shown]
        bodies = {CHAT: chat(), MESSAGES: chat(max_tokens=9), COUNT: chat()}
        replies = [await desk.server.ask(posted(path, body, *headers)) for path, body in bodies.items()]
    assert [reply.status for reply in replies] == [200] * 3


@frozen
class Presented:
    """The headers, and the query, of one kind of bad credentials."""

    kind: str
    headers: tuple[str, ...]
    query: str = ""


async def bad_credentials(desk: Desk) -> tuple[str, list[Presented]]:
    """Return a good key, and all that is none."""
    good, other = await desk.make("ann"), await desk.make("bob")
    revoked, expired = await desk.make("carl"), await desk.make("dora", expires_in=10)
    await desk.revoke("carl")
    desk.wall[0] += 10
    wrong = good[:-2] + "AA"
    assert wrong != good
    unknown = mint(bytes(RANDOM_SIZE))
    basic = base64.b64encode(f"{good}:".encode()).decode()
    rows = {
        "no key": (),
        "wrong": (bearer(wrong),),
        "wrong, x": (x_api_key(wrong),),
        "unknown": (bearer(unknown),),
        "revoked": (bearer(revoked),),
        "expired": (bearer(expired),),
        "empty": (bearer(""),),
        "empty, x": (x_api_key(""),),
        "no scheme": (f"Authorization: {good}",),
        "scheme only": ("Authorization: Bearer",),
        "empty header": ("Authorization:",),
        "prefix": (bearer(good[:30]),),
        "longer": (bearer(good + "A"),),
        "upper case": (bearer(good.upper()),),
        "dummy": (bearer("dummy"),),
        "not ASCII": (bearer(good[:-1] + "\u00e9"),),
        "not ASCII, x": (x_api_key("\u00ff\u00fe"),),
        "Basic": (f"Authorization: Basic {basic}",),
        "Token": (f"Authorization: Token {good}",),
        "scheme in the other header": (x_api_key(f"Bearer {good}"),),
        "another header": (f"api-key: {good}", f"x-auth-token: {good}", f"proxy-authorization: Bearer {good}"),
        "cookie": (f"Cookie: api_key={good}; authorization={good}",),
        "both good, and different": (bearer(good), x_api_key(other)),
        "good and wrong": (bearer(good), x_api_key(wrong)),
        "wrong and good": (bearer(wrong), x_api_key(good)),
        "good and empty": (bearer(good), x_api_key("")),
        "Basic and good": (f"Authorization: Basic {basic}", x_api_key(good)),
        "twice, and different": (bearer(good), bearer(other)),
        "listed": (bearer(f"{good}, {good}"),),
        "SQL": (bearer("' OR '1'='1"),),
        "12 kB": (bearer("sk-cca-" + "x" * 12_000),),
    }
    presented = [Presented(kind, headers) for kind, headers in rows.items()]
    presented.append(Presented("query", (), f"?api_key={good}&key={good}&access_token={good}"))
    return good, presented


async def test_every_route_tells_every_kind_of_bad_credentials_the_same(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    """One and the same 401, before the body came and whatever the path, in each of the two shapes: S-07."""
    async with desk_of(tmp_path, *HELLO) as desk:
        good, kinds = await bad_credentials(desk)
        desk.server.service.keyring.wrong_keys.most = 10_000
        told: dict[bool, set[tuple[Any, ...]]] = {True: set(), False: set()}
        for method, path in requests():
            for each in kinds:
                reply = await desk.server.ask(request_of(method, path + each.query, *each.headers))
                headers = {name: reply.headers[name] for name in ("www-authenticate", "x-should-retry", "content-type")}
                body = reply.body.replace(reply.headers["request-id"].encode(), b"")
                shape = told[path.startswith(MESSAGES)]
                shape.add((reply.status, body, *sorted(headers.items())))
                assert len(shape) == 1, (method, path, each.kind)
        ((status, of_openai, *headers_told),) = told[False]
        ((same_status, of_anthropic, *same_headers),) = told[True]
        assert (same_status, same_headers) == (status, headers_told)
        assert status == 401
        assert headers_told == [
            ("content-type", "application/json"),
            ("www-authenticate", "Bearer"),
            ("x-should-retry", "false"),
        ]
        assert desk.server.backend.opened == 0
        assert (await desk.server.ask(post(chat(), bearer(good)))).status == 200
    assert b'"code":"invalid_api_key"' in of_openai
    assert b'"type":"invalid_request_error"' in of_openai
    assert b'"type":"authentication_error"' in of_anthropic
    assert b"cca keys create" in of_openai
    assert b"cca keys create" in of_anthropic
    assert len(kinds) * len(list(requests())) >= 450


@pytest.mark.parametrize(("method", "path"), [("GET", "/"), ("GET", "/health"), ("HEAD", "/health")])
async def test_the_health_asks_nobody(method: str, path: str, tmp_path: Path, autojump_clock: MockClock) -> None:
    async with desk_of(tmp_path) as desk:
        _, kinds = await bad_credentials(desk)
        asked = [await desk.server.ask(get(path, *each.headers, method=method)) for each in kinds]
    assert {reply.status for reply in asked} == {200}


@pytest.mark.parametrize("name", ["Authorization: Bearer", "x-api-key:"])
@pytest.mark.parametrize(
    ("value", "status"),
    [("x" * 1_000_000, 431), ("sk-cca-\x00", 400), ("sk-cca-\r\n folded", 400)],
    ids=["1 MB", "NUL", "folded"],
)
async def test_what_http_does_not_take_is_refused_by_the_parser(
    name: str, value: str, status: int, tmp_path: Path, autojump_clock: MockClock
) -> None:
    """1 MB is refused after 16 kB of it, a NUL and a folded line where they stand: no credentials are read. S-07."""
    async with desk_of(tmp_path, *HELLO) as desk:
        await desk.make("ann")
        reply = await desk.server.ask(get("/v1/models", f"{name} {value}"))
        assert desk.server.backend.opened == 0
    assert reply.status == status
    assert b"sk-cca-\x00" not in reply.body


async def test_a_stranger_and_a_web_page_are_refused_before_their_key_counts(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with desk_of(tmp_path) as desk:
        key = await desk.make("ann")
        stranger = await desk.server.ask(raw("GET", "/v1/models", "Host: evil.com", bearer(key)))
        page = await desk.server.ask(get("/v1/models", "Origin: http://localhost:8000", bearer(key)))
    assert [reply.error["code"] for reply in (stranger, page)] == ["host_not_allowed", "origin_not_allowed"]


async def test_a_name_in_the_settings_counts_once_there_is_a_key(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with desk_of(tmp_path, allowed_hosts=("cca.example.com",)) as desk:
        named = raw("GET", "/v1/models", "Host: cca.example.com")
        assert (await desk.server.ask(named)).error["code"] == "host_not_allowed"
        key = await desk.make("ann")
        assert (await desk.server.ask(named)).error["code"] == "invalid_api_key"
        assert (await desk.server.ask(raw("GET", "/v1/models", "Host: cca.example.com", bearer(key)))).status == 200


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/v1/none", 404), ("DELETE", CHAT, 405)])
async def test_what_is_no_route_is_told_to_whoever_has_a_key(
    method: str, path: str, status: int, tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with desk_of(tmp_path) as desk:
        key = await desk.make("ann", frozenset(("usage",)))
        assert (await desk.server.ask(get(path, bearer(key), method=method))).status == status


@pytest.mark.parametrize("scope", sorted({scope for scope in ROUTES.values() if scope}))
async def test_a_scope_is_for_its_routes_and_for_no_other(
    scope: str, tmp_path: Path, autojump_clock: MockClock
) -> None:
    routes = [(*endpoint.split(), needed) for endpoint, needed in ROUTES.items() if needed]
    async with desk_of(tmp_path, *HELLO, body_timeout=1.0) as desk:
        key, admin = await desk.make("ann", frozenset((scope,))), await desk.make("admin", frozenset(("admin",)))
        for method, path, needed in routes:
            reply = await desk.server.ask(request_of(method, path, bearer(key)))
            if needed == scope:
                assert reply.status not in (401, 403), path
            else:
                kind = "permission_error" if path.startswith(MESSAGES) else "invalid_request_error"
                assert (reply.status, reply.json["error"]["type"]) == (403, kind), path
                assert f"it lacks the scope {needed!r}" in reply.json["error"]["message"]
                assert reply.headers["x-should-retry"] == "false"
            assert (await desk.server.ask(request_of(method, path, bearer(admin)))).status not in (401, 403), path


async def test_revoking_the_last_key_leaves_the_server_closed(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with desk_of(tmp_path) as desk:
        desk.watch()
        await desk.make("ann")
        await desk.revoke("ann")
        await trio.sleep(SOON)
        assert (await desk.server.ask(get("/v1/models"))).status == 401


BEGUN = (start(), text("a"))
"""An answer that begins, and never goes on."""

SLOW = (*BEGUN, 30.0, text("b"), stop())
"""One that goes on after half a minute."""


async def stream(client: Client, key: str) -> None:
    """Ask for a stream, and read what comes of it at first."""
    await client.send(post(streamed(), bearer(key)))
    assert (await client.head()).status == 200
    while b'"content":"a"' not in await client.chunk():
        pass


async def rest_of(client: Client) -> bytes:
    said = b""
    while piece := await client.chunk():
        said += piece
    return said


async def end(desk: Desk, how: str) -> None:
    """Let the key of ann end."""
    if how == "revoked":
        await desk.revoke("ann")
    else:
        desk.wall[0] += 60


@pytest.mark.parametrize("how", ["revoked", "expired"])
async def test_a_key_that_ends_takes_its_streams_along_and_no_others(
    how: str, tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with desk_of(tmp_path, *SLOW) as desk:
        desk.watch()
        ann, bob = await desk.make("ann", expires_in=60), await desk.make("bob")
        hers, his = await desk.server.connect(), await desk.server.connect()
        await stream(hers, ann)
        await stream(his, bob)
        await end(desk, how)
        with trio.fail_after(SOON):
            said = await rest_of(hers)
        await wait_all_tasks_blocked()
        assert desk.server.backend.left == 1
        assert b'"code":"invalid_api_key"' in said
        assert b"revoked or has expired" in said
        assert b'"finish_reason":"stop"' not in said
        told = await rest_of(his)
        assert b'"content":"b"' in told
        assert told.endswith(b"data: [DONE]\n\n")


@pytest.mark.parametrize("how", ["revoked", "expired"])
async def test_a_key_that_ends_takes_its_whole_answers_along(
    how: str, tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with desk_of(tmp_path, *BEGUN) as desk:
        desk.watch()
        client = await desk.server.connect()
        await client.send(post(chat(), bearer(await desk.make("ann", expires_in=60))))
        await desk.server.backend.started.wait()
        await end(desk, how)
        with trio.fail_after(SOON):
            reply = await client.reply()
            await desk.server.backend.all_left.wait()
    assert (reply.status, reply.error["code"]) == (401, "invalid_api_key")
    assert (reply.headers["www-authenticate"], reply.headers["x-should-retry"]) == ("Bearer", "false")


async def test_a_key_that_ends_while_the_body_comes_is_told_then(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with desk_of(tmp_path, *HELLO) as desk:
        desk.watch()
        client = await desk.server.connect()
        await client.send(request_of("POST", CHAT, bearer(await desk.make("ann"))) + b"{")
        await wait_all_tasks_blocked()
        await desk.revoke("ann")
        with trio.fail_after(SOON):
            reply = await client.reply()
        assert desk.server.backend.opened == 0
    assert (reply.status, reply.error["code"]) == (401, "invalid_api_key")


async def test_a_key_that_ends_takes_its_process_along_though_its_client_reads_nothing(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with desk_of(tmp_path, *BEGUN) as desk:
        desk.watch()
        client = await desk.server.connect(stalling=True)
        await client.send(post(streamed(), bearer(await desk.make("ann"))))
        await desk.server.backend.started.wait()
        await desk.revoke("ann")
        with trio.move_on_after(SOON) as late:
            await desk.server.backend.all_left.wait()
        assert b'"code":"invalid_api_key"' in await client.rest()
        assert not late.cancelled_caught


async def test_a_key_that_ends_before_its_answer_began_has_no_process(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    """It was let in, and then revoked while it waited."""
    async with desk_of(tmp_path, *BEGUN, processes=1) as desk:
        desk.watch()
        ann, bob = await desk.make("ann"), await desk.make("bob")
        his, hers = await desk.server.connect(), await desk.server.connect()
        await stream(his, bob)
        await hers.send(post(streamed(), bearer(ann)))
        await wait_all_tasks_blocked()
        await desk.revoke("ann")
        with trio.fail_after(SOON):
            reply = await hers.reply()
        assert (reply.status, reply.error["code"], desk.server.backend.opened) == (401, "invalid_api_key", 1)


def contents(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir()}


def modes(directory: Path) -> set[int]:
    return {path.stat().st_mode & 0o777 for path in directory.iterdir()}


@pytest.mark.parametrize("journal", ["TRUNCATE", "WAL"])
async def test_no_key_is_in_the_files_the_logs_or_the_errors(
    journal: str,
    tmp_path: Path,
    autojump_clock: MockClock,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """S-10, with canaries: keys that are good, bad and no longer good, each used, at the lowest level of logging.

    In the file that SQLite writes first, too, which has what was never in the database itself.
    """
    monkeypatch.setattr(database_room, "_wal_is_safe", lambda _: journal == "WAL")
    caplog.set_level(logging.DEBUG)
    said = b""
    async with desk_of(tmp_path, *HELLO, keep=True) as desk:
        desk.watch()
        good, revoked = await desk.make("ann"), await desk.make("bob")
        wrong = mint(bytes(range(RANDOM_SIZE)))
        assert (await desk.server.ask(post(chat(), bearer(good)))).status == 200
        await desk.revoke("bob")
        await trio.sleep(SOON)
        for key in (good, revoked, wrong):
            for request in (
                post(b"{", bearer(key)),
                post(chat(), bearer(key), x_api_key("other")),
                get("/v1/none", x_api_key(key)),
                raw("GET", "/v1/models", "Host: evil.com", bearer(key)),
                raw("GET", "/v1/models", HOST, f"{bearer(key)}\x00"),
            ):
                said += (await desk.server.ask(request)).body
        files = contents(tmp_path)
        assert modes(tmp_path) == {0o600}
    assert files["cca.db"]
    assert bool(files.get("cca.db-wal")) == (journal == "WAL")
    for canary in (good, revoked, wrong):
        secret = canary.rpartition("-")[2]
        raw_secret = base64.urlsafe_b64decode(f"{secret}=")
        for name, content in {**files, "log": caplog.text.encode(), "errors": said}.items():
            assert secret.encode() not in content, name
            assert raw_secret not in content, name
            assert raw_secret.hex().encode() not in content, name
    written = files["cca.db"] + files.get("cca.db-wal", b"")
    assert str(id_in(good.encode())).encode() in written, "its id is there, so that the search can find"


@pytest.mark.parametrize("tried", [pytest.param(100, id="100"), pytest.param(1000, id="1000", marks=pytest.mark.soak)])
async def test_wrong_keys_are_throttled_and_good_ones_are_not(
    tried: int, tmp_path: Path, autojump_clock: MockClock, survival: Survival
) -> None:
    """S-20. The good key of that peer gets in at once; whoever has none is told so; other peers notice nothing."""
    async with desk_of(tmp_path, *HELLO) as desk:
        desk.watch()
        good = await desk.make("ann")
        told: list[int] = []
        client = await desk.server.connect()
        elsewhere = await desk.server.connect(peer="192.0.2.7")
        for number in range(tried):
            wrong = mint(number.to_bytes(RANDOM_SIZE, "big"))
            told.append((await client.ask(get("/v1/models", bearer(wrong)))).status)
        let_in = sum(status not in (401, 429) for status in told)
        survival("S-20", "wrong keys of one peer", tried=tried, lost=let_in, figure=f"{told.count(401)} were looked at")
        assert (told.count(401), told[MOST:]) == (MOST, [429] * (tried - MOST))
        refused = await desk.server.ask(posted(MESSAGES, chat(), bearer("sk-cca-nonsense")))
        assert (refused.status, refused.json["error"]["type"]) == (429, "rate_limit_error")
        assert 0 < int(refused.headers["retry-after"]) <= WINDOW
        assert (await desk.server.ask(get("/v1/models"))).status == 401
        assert (await desk.server.ask(post(chat(), bearer(good)))).status == 200
        # From elsewhere a good key gets in, and a wrong one is looked at.
        assert (await elsewhere.ask(get("/v1/models", bearer(good)))).status == 200
        assert (await elsewhere.ask(get("/v1/models", bearer("sk-cca-nonsense")))).status == 401
        # One that was made meanwhile is known within a second.
        new = await desk.make("bob")
        await trio.sleep(SOON)
        assert (await desk.server.ask(get("/v1/models", bearer(new)))).status == 200
        await trio.sleep(WINDOW)
        assert (await desk.server.ask(get("/v1/models", bearer("sk-cca-nonsense")))).status == 401
        assert desk.server.backend.opened == 1
