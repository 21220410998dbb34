"""Limits over HTTP: who is refused when, what a client is told of it, and that a refusal costs nothing."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import pytest
import trio
from attrs import define
from claude_says import HELLO, LIMITED, start, stop, text
from messages_wire import MESSAGES
from trio.testing import MockClock, wait_all_tasks_blocked
from wire_harness import (
    CHAT,
    NOW,
    Client,
    FakeBackend,
    Reply,
    Server,
    chat,
    get,
    inline,
    post,
    posted,
    serving,
    streamed,
    user,
)

from cca.errors import CcaError, RateLimited, Unavailable
from cca.keys import DEFAULT_SCOPES
from cca.limits.policy import NO_LIMITS, Limits, parse_limits
from cca.model import Text, UserTurn
from cca.store import keys
from cca.store.database import Database, open_database
from survival import Survival

MOMENT = 0.001
"""Seconds: too early by this is refused."""

DAY = 86_400.0

COST = (7 * 2 + 3 * 10) / 1e6
"""US dollars that ``HELLO`` costs, by the table of prices."""

WHOLE_AND_STREAM = pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])


@define
class Desk:
    """A server with keys. ``limits`` are of the server, or of the one key that asks."""

    server: Server
    key: str | None
    backend: FakeBackend

    def request(self, body: Any = None) -> bytes:
        return post(body or chat(), *([f"Authorization: Bearer {self.key}"] if self.key else []))

    async def ask(self, body: Any = None) -> Reply:
        return await self.server.ask(self.request(body))

    async def send(self, body: Any = None) -> Client:
        """Send a request, and let all of it happen that needs no time."""
        client = await self.server.connect()
        await client.send(self.request(body))
        await wait_all_tasks_blocked()
        return client


def wall() -> float:
    """Return a wall clock that goes with the one of the test."""
    return NOW + trio.current_time()


async def make_key(server: Server, name: str, limits: Limits = NO_LIMITS) -> str:
    make = partial(
        keys.make,
        randomness=Random(name).randbytes,  # noqa: S311 - the same in every run
        name=name,
        scopes=DEFAULT_SCOPES,
        limits=limits,
        now=NOW,
    )
    made, _ = await server.service.database.write(make)
    await server.service.keyring.refresh()
    return made


@asynccontextmanager
async def limited(whose: str, limits: str, *said: Any, **settings: Any) -> AsyncIterator[Desk]:
    """Serve with limits of the server, or of a key."""
    of_server = parse_limits(limits) if whose == "server" else NO_LIMITS
    backend = settings.pop("backend", None) or FakeBackend(said)
    async with serving(backend=backend, limits=of_server, now=wall, **settings) as server:
        key = await make_key(server, "a", parse_limits(limits)) if whose == "key" else None
        yield Desk(server, key, backend)


WHOSE = pytest.mark.parametrize("whose", ["server", "key"])
SAYS = {"server": "This server", "key": "This API key"}


# A limit is reached, and a refusal says what to do


@WHOSE
async def test_requests_a_minute(whose: str, autojump_clock: MockClock) -> None:
    async with limited(whose, "rpm=6", *HELLO) as desk:
        assert [(await desk.ask()).status for _ in range(6)] == [200] * 6
        refused = await desk.ask()
        assert refused.status == 429
        assert refused.error == {
            "message": f"{SAYS[whose]} may make 6 requests a minute (rpm=6), and made them. Try again in 10 s, or have "
            "the limit raised.",
            "type": "rate_limit_error",
            "param": None,
            "code": "rate_limit_exceeded",
        }
        assert refused.headers["retry-after"] == "10"
        assert "x-should-retry" not in refused.headers
        await holds(desk, chat(), 10)
        assert desk.backend.opened == 7


@WHOSE
async def test_tokens_a_minute(whose: str, autojump_clock: MockClock) -> None:
    """An answer of HELLO has 10 tokens; a request of 20 bytes counts as 12, before it has an answer."""
    question = chat(user("x" * 20))
    async with limited(whose, "tpm=20", *HELLO) as desk:
        assert (await desk.ask(question)).status == 200
        refused = await desk.ask(question)
        assert (refused.status, refused.error["code"]) == (429, "rate_limit_exceeded")
        assert refused.error["message"] == (
            f"{SAYS[whose]} may use 20 tokens a minute (tpm=20); 10 are left, and this request is estimated at 12. Try "
            "again in 6 s, or have the limit raised."
        )
        assert refused.headers["retry-after"] == "6"
        await holds(desk, question, 6)
        assert desk.backend.opened == 2


@WHOSE
async def test_a_request_that_never_fits_is_told_so(whose: str, autojump_clock: MockClock) -> None:
    async with limited(whose, "tpm=20", *HELLO) as desk:
        refused = await desk.ask(chat(max_tokens=20))
        assert (refused.status, refused.headers["x-should-retry"]) == (429, "false")
        assert "it never fits" in refused.error["message"]
        assert "retry-after" not in refused.headers
        assert desk.backend.opened == 0


@WHOSE
async def test_requests_at_once(whose: str, autojump_clock: MockClock) -> None:
    async with limited(whose, "concurrent=2", start(), 30.0, text("Hello"), stop()) as desk:
        under_way = [await desk.send(), await desk.send(streamed())]
        refused = await desk.ask()
        assert (refused.status, refused.error["code"]) == (429, "rate_limit_exceeded")
        assert "may have 2 requests under way at once (concurrent=2), and has" in refused.error["message"]
        assert refused.headers["retry-after"] == "1"
        assert desk.backend.opened == 2
        assert [(await client.reply()).status for client in under_way] == [200, 200]
        assert (await desk.ask()).status == 200


@WHOSE
@WHOLE_AND_STREAM
async def test_who_has_an_answer_may_ask_again_at_once(
    whose: str,
    stream: bool,  # noqa: FBT001
    autojump_clock: MockClock,
) -> None:
    """Its process takes a while to be gone."""
    backend = FakeBackend(LIMITED, end_seconds=5)
    async with limited(whose, "concurrent=1", backend=backend) as desk:
        assert [(await desk.ask(chat(stream=stream))).status for _ in range(3)] == [200] * 3
        assert (backend.opened, backend.left) == (3, 0)


@WHOSE
async def test_dollars_a_day(whose: str, autojump_clock: MockClock) -> None:
    async with limited(whose, f"usd_per_day={3 * COST}", *HELLO) as desk:
        assert [(await desk.ask()).status for _ in range(3)] == [200] * 3
        await trio.sleep(90)
        refused = await desk.ask()
        assert (refused.status, refused.error["code"]) == (429, "insufficient_quota")
        assert f"{SAYS[whose]} may spend 0.000132 US dollars in 24 hours" in refused.error["message"]
        # No client shall sleep for a day in a call.
        assert refused.headers["x-should-retry"] == "false"
        wait = int(refused.headers["retry-after"])
        assert DAY - 90 <= wait <= DAY - 90 + 60
        await holds(desk, chat(), wait)


async def holds(desk: Desk, question: Any, wait: float) -> None:
    """Hold that a request is refused until a moment before so many seconds have passed, and answered then."""
    opened = desk.backend.opened
    asked_at = trio.current_time()
    for earlier in (wait / 2, MOMENT):
        await trio.sleep_until(asked_at + wait - earlier)
        assert (await desk.ask(question)).status == 429
    assert desk.backend.opened == opened
    await trio.sleep_until(asked_at + wait)
    assert (await desk.ask(question)).status == 200


@pytest.mark.parametrize(
    ("wait", "told", "retry"),
    [(0.25, "1", None), (120.0, "120", None), (120.5, "121", "false"), (18_000.0, "18000", "false")],
)
async def test_a_client_that_is_told_to_wait_for_long_is_told_not_to(
    wait: float, told: str, retry: str | None, autojump_clock: MockClock
) -> None:
    """Whoever says it: a limit of cca's, or the subscription behind it, through Claude Code."""
    fault: CcaError = RateLimited("Your limit resets at 3am.", retry_after=wait)
    async with serving(backend=FakeBackend(fault=fault)) as server:
        reply = await server.ask(post(chat()))
    assert reply.status == 429
    assert (reply.headers["retry-after"], reply.headers.get("x-should-retry")) == (told, retry)


# Whose limit it is


async def test_one_keys_limit_is_not_anothers(autojump_clock: MockClock) -> None:
    async with limited("key", "rpm=1", *HELLO) as desk:
        other = await make_key(desk.server, "b", parse_limits("rpm=1"))
        assert [(await desk.ask()).status for _ in range(2)] == [200, 429]
        assert (await desk.server.ask(post(chat(), f"x-api-key: {other}"))).status == 200


async def test_all_keys_together_have_the_servers_limit(autojump_clock: MockClock) -> None:
    async with serving(*HELLO, limits=Limits(rpm=2)) as server:
        made = [await make_key(server, name) for name in "abc"]
        statuses = [(await server.ask(post(chat(), f"x-api-key: {key}"))).status for key in made]
        listed = await server.ask(get("/v1/models", f"x-api-key: {made[0]}"))
    assert statuses == [200, 200, 429]
    assert listed.status == 200


async def test_what_is_refused_for_its_body_costs_nothing(autojump_clock: MockClock) -> None:
    async with limited("server", "rpm=1,tpm=100,concurrent=1", *HELLO) as desk:
        for bad in (b"{", {"model": "sonnet"}, chat(model="unheard-of")):
            reply = await desk.ask(bad)
            assert reply.status in (400, 404)
            assert rates(reply) == {"requests": (1, 1), "tokens": (100, 100)}
        assert (await desk.ask()).status == 200


async def test_what_one_limit_refuses_costs_nothing_of_another(autojump_clock: MockClock) -> None:
    async with limited("server", "rpm=2,tpm=100", *HELLO) as desk:
        assert (await desk.ask(chat(max_tokens=200))).status == 429
        assert [(await desk.ask()).status for _ in range(3)] == [200, 200, 429]


async def test_an_answer_that_fails_before_it_begins_is_a_request_and_no_tokens(autojump_clock: MockClock) -> None:
    backend = FakeBackend(fault=Unavailable("There is no Claude Code."))
    async with limited("server", "rpm=3,tpm=100,concurrent=1", backend=backend) as desk:
        assert [(await desk.ask()).status for _ in range(4)] == [503, 503, 503, 429]
        assert rates(await desk.ask()) == {"requests": (3, 0), "tokens": (100, 100)}


async def test_the_tokens_of_a_stream_that_was_left_count(autojump_clock: MockClock) -> None:
    """7 went in, and 400 bytes came out, whatever Claude Code would have said at the end."""
    async with limited("server", "tpm=1000", start(), text("x" * 400), 100.0, stop()) as desk:
        client = await desk.send(streamed())
        await client.head()
        await client.leave()
        await desk.backend.all_left.wait()
        reply = await desk.ask(chat(max_tokens=1000 - 107))
        assert (reply.status, rates(reply)) == (429, {"tokens": (1000, 893)})


async def test_what_was_spent_counts_after_a_restart(tmp_path: Path, autojump_clock: MockClock) -> None:
    async def statuses(count: int) -> list[int]:
        """Serve anew, and ask so often."""
        async with (
            open_database(tmp_path / "cca.db", inline) as database,
            serving(*HELLO, database=database, now=wall) as server,
        ):
            await server.service.recall()
            if not made:
                made.append(await make_key(server, "a", Limits(usd_per_day=3 * COST)))
            return [(await server.ask(post(chat(), f"x-api-key: {made[0]}"))).status for _ in range(count)]

    made: list[str] = []
    assert await statuses(2) == [200, 200]
    await trio.sleep(DAY / 2)
    assert await statuses(2) == [200, 429]
    await trio.sleep(DAY / 2 - 60)
    assert await statuses(1) == [429]
    await trio.sleep(120)
    # The first two are of a day ago; the third is not.
    assert await statuses(3) == [200, 200, 429]


async def test_a_jump_of_the_wall_clock_moves_no_limit(autojump_clock: MockClock) -> None:
    jumped = [NOW]
    async with serving(*HELLO, limits=Limits(rpm=1, usd_per_day=COST), now=lambda: jumped[0]) as server:
        assert (await server.ask(post(chat()))).status == 200
        for wrong in (NOW + 10 * DAY, NOW - 10 * DAY):
            jumped[0] = wrong
            assert (await server.ask(post(chat()))).status == 429


# What a client is told of where it stands


def rates(reply: Reply) -> dict[str, tuple[int, int]]:
    """Return limit and remaining of each kind, as OpenAI's headers have them; Anthropic's say the same."""
    found = {}
    for kind in ("requests", "tokens"):
        openai = [reply.headers.get(f"x-ratelimit-{each}-{kind}") for each in ("limit", "remaining")]
        anthropic = [reply.headers.get(f"anthropic-ratelimit-{kind}-{each}") for each in ("limit", "remaining")]
        assert openai == anthropic
        match openai:
            case [str(limit), str(remaining)]:
                found[kind] = (int(limit), int(remaining))
    return found


@WHOSE
async def test_an_answer_says_where_its_client_stands(whose: str, autojump_clock: MockClock) -> None:
    async with limited(whose, "rpm=60,tpm=600", *HELLO) as desk:
        reply = await desk.ask()
        assert {name: value for name, value in reply.headers.items() if "ratelimit" in name} == {
            "x-ratelimit-limit-requests": "60",
            "x-ratelimit-remaining-requests": "59",
            "x-ratelimit-reset-requests": "1s",
            "x-ratelimit-limit-tokens": "600",
            "x-ratelimit-remaining-tokens": "590",
            "x-ratelimit-reset-tokens": "1s",
            "anthropic-ratelimit-requests-limit": "60",
            "anthropic-ratelimit-requests-remaining": "59",
            "anthropic-ratelimit-requests-reset": "2023-11-14T22:13:22Z",
            "anthropic-ratelimit-tokens-limit": "600",
            "anthropic-ratelimit-tokens-remaining": "590",
            "anthropic-ratelimit-tokens-reset": "2023-11-14T22:13:22Z",
        }


async def test_a_stream_says_what_is_left_beside_its_own_estimate(autojump_clock: MockClock) -> None:
    """What it comes to is not known when its headers are sent."""
    async with limited("server", "rpm=60,tpm=600", *HELLO) as desk:
        first = await desk.ask(streamed(max_tokens=91))
        second = await desk.ask(streamed(max_tokens=91))
    assert rates(first) == {"requests": (60, 59), "tokens": (600, 500)}
    assert rates(second) == {"requests": (60, 58), "tokens": (600, 490)}


async def test_a_refusal_says_where_its_client_stands(autojump_clock: MockClock) -> None:
    async with limited("server", "rpm=1,tpm=600", *HELLO) as desk:
        await desk.ask()
        refused = await desk.ask()
    assert (refused.status, rates(refused)) == (429, {"requests": (1, 0), "tokens": (600, 590)})
    assert refused.headers["x-ratelimit-reset-requests"] == "1m0s"


@pytest.mark.parametrize(
    ("limits", "kinds"),
    [
        ("", set()),
        ("concurrent=5,usd_per_day=5", set()),
        ("rpm=60", {"requests"}),
        ("tpm=600", {"tokens"}),
    ],
)
@WHOLE_AND_STREAM
async def test_there_is_no_header_for_what_has_no_limit(
    limits: str,
    kinds: set[str],
    stream: bool,  # noqa: FBT001
    autojump_clock: MockClock,
) -> None:
    async with limited("server", limits, *HELLO) as desk:
        reply = await desk.ask(chat(stream=stream))
    assert set(rates(reply)) == kinds
    assert bool([name for name in reply.headers if "ratelimit" in name]) == bool(kinds)


async def test_the_tighter_of_a_key_and_the_server_is_told(autojump_clock: MockClock) -> None:
    async with serving(*HELLO, limits=Limits(rpm=100, tpm=50)) as server:
        key = await make_key(server, "a", Limits(rpm=10, tpm=500))
        reply = await server.ask(post(chat(), f"x-api-key: {key}"))
    assert rates(reply) == {"requests": (10, 9), "tokens": (50, 40)}


async def test_who_has_no_key_is_not_told_where_the_server_stands(autojump_clock: MockClock) -> None:
    async with serving(*HELLO, limits=Limits(rpm=100)) as server:
        await make_key(server, "a")
        reply = await server.ask(post(chat()))
    assert (reply.status, rates(reply)) == (401, {})


async def test_other_routes_say_nothing_of_it(autojump_clock: MockClock) -> None:
    async with serving(*HELLO, limits=Limits(rpm=100)) as server:
        for path in ("/health", "/v1/models", "/v1/sessions", "/v1/usage", "/v1/none"):
            assert rates(await server.ask(get(path))) == {}


# The processes that there may be


@asynccontextmanager
async def capped(seconds: float, **settings: Any) -> AsyncIterator[tuple[Desk, FakeBackend]]:
    backend = FakeBackend((start(), seconds, text("Hello"), stop()))
    async with limited("server", "", backend=backend, processes=2, queue=3, **settings) as desk:
        yield desk, backend


async def statuses_of(clients: Sequence[Client]) -> list[int]:
    return [(await client.reply()).status for client in clients]


async def test_past_the_cap_requests_wait_and_past_the_queue_they_are_refused(autojump_clock: MockClock) -> None:
    async with capped(30.0) as (desk, backend):
        began = trio.current_time()
        clients = [await desk.send(chat(user(f"{number}"))) for number in range(7)]
        for client in clients[5:]:
            refused = await client.reply()
            assert refused.status == 429
            assert refused.error == {
                "message": "cca is full. Requests that it answers at once (CCA_PROCESSES): 2. Further ones that may "
                "wait (CCA_QUEUE): 3. Try again in 20 s, or raise one of these settings.",
                "type": "rate_limit_error",
                "param": None,
                "code": None,
            }
            assert refused.headers["retry-after"] == "20"
        assert (trio.current_time(), backend.opened) == (began, 2)
        assert await statuses_of(clients[:5]) == [200] * 5
        assert trio.current_time() == pytest.approx(began + 90)
        assert (backend.most, backend.opened) == (2, 5)
        asked = {conversation.turns for conversation in backend.conversations}
        assert asked == {(UserTurn((Text(number),)),) for number in "01234"}


@pytest.mark.parametrize("more", [pytest.param(200, id="200"), pytest.param(2000, id="2000", marks=pytest.mark.soak)])
async def test_many_requests_beyond_the_cap(more: int, autojump_clock: MockClock, survival: Survival) -> None:
    """R-02: each is answered or told when to come again, and never are there more processes than may be."""
    full = {CHAT: 429, MESSAGES: 529}
    asked = [((CHAT, MESSAGES)[number % 2], number // 2 % 2 == 1) for number in range(2 + more)]
    async with capped(1.0) as (desk, backend):
        clients = []
        for path, stream in asked:
            client = await desk.server.connect()
            await client.send(posted(path, chat(max_tokens=9, stream=stream)))
            await wait_all_tasks_blocked()
            clients.append(client)
        replies = [await client.reply() for client in clients]
        answered = sum(reply.status == 200 for reply in replies)
        refused = sum(
            reply.status == full[path] and int(reply.headers["retry-after"]) > 0
            for reply, (path, _) in zip(replies, asked, strict=True)
        )
        figure = f"{refused:,} were told when to come again, {backend.most} processes at once, of 2"
        survival("R-02", "requests at once", tried=2 + more, lost=2 + more - answered - refused, figure=figure)
        assert (answered, refused) == (5, more - 3)
        assert {reply.status for reply in replies} == {200, *full.values()}
        assert backend.most == 2
        assert (await desk.ask()).status == 200


async def test_who_waits_for_a_process_is_told_by_what_was_seen(autojump_clock: MockClock) -> None:
    """When it comes as it was told, there is room for it."""
    async with capped(4.0) as (desk, _):
        for _ in range(30):
            await desk.ask()
        clients = [await desk.send() for _ in range(5)]
        refused = await desk.ask()
        assert refused.headers["retry-after"] == "9"  # four times 4 s, two at once, and the first guess's last trace
        await trio.sleep(9)
        assert (await desk.ask()).status == 200
        assert await statuses_of(clients) == [200] * 5


async def test_a_client_that_leaves_the_queue_makes_room_in_it(autojump_clock: MockClock) -> None:
    async with capped(30.0) as (desk, backend):
        clients = [await desk.send() for _ in range(5)]
        assert (await desk.ask()).status == 429
        await clients[3].leave()
        await wait_all_tasks_blocked()
        clients.append(await desk.send())
        assert (await desk.ask()).status == 429
        del clients[3]
        assert await statuses_of(clients) == [200] * 5
        assert (backend.most, backend.opened) == (2, 5)


async def test_a_client_that_leaves_its_process_makes_room_for_the_next(autojump_clock: MockClock) -> None:
    async with capped(1e6) as (desk, backend):
        clients = [await desk.send() for _ in range(3)]
        assert backend.opened == 2
        await clients[0].leave()
        await wait_all_tasks_blocked()
        assert (backend.opened, backend.left, backend.most) == (3, 1, 2)


async def test_a_process_that_is_not_gone_yet_counts(autojump_clock: MockClock) -> None:
    async with capped(0.0) as (desk, backend):
        backend.end_seconds = 10.0
        clients = [await desk.send() for _ in range(5)]
        assert await statuses_of(clients) == [200] * 5
        assert backend.most == 2


async def test_a_database_that_is_busy_keeps_no_process_from_others(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What an answer came to is kept after its process made room for the next one."""

    async def slow(*_: Any) -> Any:
        await trio.sleep(5)
        raise Unavailable("It is locked.")

    async with capped(1.0) as (desk, backend):
        monkeypatch.setattr(Database, "write", slow)
        began = trio.current_time()
        clients = [await desk.send() for _ in range(5)]
        assert await statuses_of(clients) == [200] * 5
        assert trio.current_time() - began == pytest.approx(3.0)
        assert backend.most == 2
