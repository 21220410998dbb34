"""Who is let in, by the limits of a key and of the server, against a list of all that was ever charged."""

import time
from contextlib import ExitStack
from typing import TypeAlias

import pytest
from attrs import define, field
from hypothesis import given
from hypothesis import strategies as st

from cca.errors import RateLimited, TooManyTokens
from cca.limits.limiter import Grant, Limiter
from cca.limits.policy import Limits, Standing, Window, parse_limits
from cca.limits.rates import DAY

NONE = Limits()


@define
class Clock:
    """A clock that a test sets."""

    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


def limiter_of(overall: str = "") -> tuple[Limiter, Clock]:
    clock = Clock()
    return Limiter(parse_limits(overall), clock), clock


def ask(
    limiter: Limiter, limits: str, tokens: int = 0, key: str | None = "key", used: tuple[int, float] | None = None
) -> None:
    """Make a request that is over at once."""
    with limiter.admit(key, parse_limits(limits), tokens) as grant:
        if used is not None:
            grant.settle(*used)


# A model: every charge in a list, and no cleverness.


@define
class Ran:
    """A request that was let in. ``tokens`` are its estimate until it ended."""

    key: str | None
    came: float
    tokens: int
    ended: float | None = None
    cost: float = 0.0


@define
class Model:
    limits: dict[str | None, Limits]
    ran: list[Ran] = field(factory=list)

    def admits(self, key: str | None, tokens: int, now: float) -> bool:
        return all(self._admits(scope, tokens, now) for scope in {key, None})

    def _admits(self, scope: str | None, tokens: int, now: float) -> bool:
        """``None`` is the server, whose limits count for all."""
        limits = self.limits[scope]
        mine = [ran for ran in self.ran if scope in {None, ran.key}]
        running = [ran for ran in mine if ran.ended is None]
        return (
            (limits.rpm is None or backlog([(ran.came, 1) for ran in mine], limits.rpm, now) + 1 <= limits.rpm + 1e-6)
            and (
                limits.tpm is None
                or backlog([(ran.ended, ran.tokens) for ran in mine if ran.ended is not None], limits.tpm, now)
                + sum(ran.tokens for ran in running)
                + tokens
                <= limits.tpm + 1e-6
            )
            and (limits.concurrent is None or len(running) < limits.concurrent)
            and (limits.usd_per_day is None or self._spent(mine, now) < limits.usd_per_day - 1e-9)
        )

    def _spent(self, mine: list[Ran], now: float) -> float:
        """In the buckets that are the promise: of a minute, counted for a day after it ended."""
        return sum(ran.cost for ran in mine if ran.ended is not None and now // 60 - ran.ended // 60 < 1441)


def backlog(charges: list[tuple[float, int]], amount: int, now: float) -> float:
    """Return the most by which a window that ends now is over its rate: what has not drained."""
    windows = (
        sum(charged for at, charged in charges if at >= first) - (now - first) * amount / 60 for first, _ in charges
    )
    return max((0.0, *windows))


Act: TypeAlias = tuple[str, int, int]

KEYS = ("a", "b", None)

limits = st.builds(
    Limits,
    rpm=st.none() | st.integers(1, 6),
    tpm=st.none() | st.integers(10, 100),
    concurrent=st.none() | st.integers(1, 3),
    usd_per_day=st.none() | st.sampled_from([0.5, 1.0, 2.0]),
)
acts = st.lists(
    st.one_of(
        st.tuples(st.just("ask"), st.integers(0, 2), st.integers(0, 110)),
        # Which of those that run, and what it came to: less than its estimate, more, or nothing said.
        st.tuples(st.just("end"), st.integers(0, 5), st.integers(-1, 120)),
        st.tuples(st.just("wait"), st.integers(0, 3), st.integers(0, 90_000)),
    ),
    max_size=40,
)


@given(st.tuples(limits, limits, limits), acts)
def test_exactly_those_are_let_in_that_the_limits_allow(given: tuple[Limits, Limits, Limits], acts: list[Act]) -> None:
    """A refusal that charged anything, to the key or to the server, would show in what is let in after it."""
    by_key = dict(zip(KEYS, given, strict=True))
    clock = Clock()
    limiter, model = Limiter(by_key[None], clock), Model(by_key)
    running: list[tuple[ExitStack, Grant, Ran]] = []
    for kind, which, number in acts:
        match kind:
            case "wait":
                # Milliseconds or, to see a day go by, minutes.
                clock.now += number / 1000 if which else number % 1500 * 60.0
            case "ask":
                key, stack = KEYS[which], ExitStack()
                allowed = model.admits(key, number, clock.now)
                try:
                    grant = stack.enter_context(limiter.admit(key, by_key[key] if key else NONE, number))
                except RateLimited:
                    assert not allowed
                else:
                    assert allowed
                    ran = Ran(key, clock.now, number)
                    running.append((stack, grant, ran))
                    model.ran.append(ran)
            case _ if running:
                stack, grant, ran = running.pop(which % len(running))
                ran.ended, ran.tokens = clock.now, max(0, number)
                if number >= 0:
                    ran.cost = number / 100
                    grant.settle(number, ran.cost)
                stack.close()


@given(st.tuples(limits, limits), st.lists(st.tuples(st.integers(0, 20_000), st.integers(0, 100)), max_size=15))
def test_who_waits_as_told_is_let_in_and_who_does_not_is_not(
    given: tuple[Limits, Limits], asks: list[tuple[int, int]]
) -> None:
    clock = Clock()
    limiter = Limiter(given[1], clock)
    for later, tokens in asks:
        clock.now += later / 1000
        try:
            with limiter.admit("key", given[0], tokens) as grant:
                grant.settle(tokens, tokens / 100)
        except RateLimited as error:
            wait = error.retry_after
            if wait is None:
                continue
            clock.now += wait - 0.001
            if wait > 0.001:
                with pytest.raises(RateLimited), limiter.admit("key", given[0], tokens):
                    pass
            clock.now += 0.001
            with limiter.admit("key", given[0], tokens):
                pass


# What a client is told


@pytest.mark.parametrize(
    ("limits", "tokens", "used", "message", "code", "retry_after"),
    [
        (
            "rpm=1",
            0,
            (0, 0.0),
            "may make 1 requests a minute (rpm=1), and made them. Try again in 60 s, or have the limit raised.",
            "rate_limit_exceeded",
            60.0,
        ),
        (
            "tpm=60",
            40,
            (30, 0.0),
            (
                "may use 60 tokens a minute (tpm=60); 30 are left, and this request is estimated at 40. "
                "Try again in 10 s, or have the limit raised."
            ),
            "rate_limit_exceeded",
            10.0,
        ),
        (
            "usd_per_day=0.5",
            0,
            (0, 0.5),
            (
                "may spend 0.5 US dollars in 24 hours (usd_per_day=0.5), and spent them. "
                "Try again in 86420 s, or have the limit raised."
            ),
            "insufficient_quota",
            86_420.0,
        ),
    ],
    ids=["rpm", "tpm", "usd_per_day"],
)
@pytest.mark.parametrize("whose", ["This API key", "This server"])
def test_a_refusal_says_whose_limit_it_is_and_when_to_come_again(
    whose: str, limits: str, tokens: int, used: tuple[int, float], message: str, code: str, retry_after: float
) -> None:
    limiter, _ = limiter_of(limits if whose == "This server" else "")
    of_key = "" if whose == "This server" else limits
    ask(limiter, of_key, tokens, used=used)
    with pytest.raises(RateLimited) as refused:
        ask(limiter, of_key, tokens)
    error = refused.value
    assert error.message == f"{whose} {message}"
    assert (error.status, error.code, error.retry_after, error.retryable) == (429, code, retry_after, True)


def test_as_many_as_may_run_at_once_do() -> None:
    limiter, clock = limiter_of()
    limits = parse_limits("concurrent=2")
    with limiter.admit("key", limits, 0):
        with limiter.admit("key", limits, 0):
            clock.now += 3600
            with pytest.raises(RateLimited, match="may have 2 requests under way at once") as refused:
                ask(limiter, "concurrent=2")
            assert refused.value.retry_after == 1
            ask(limiter, "concurrent=2", key="another")
        ask(limiter, "concurrent=2")


def test_what_never_fits_is_not_told_to_come_again() -> None:
    limiter, _ = limiter_of()
    with pytest.raises(TooManyTokens) as refused:
        ask(limiter, "tpm=100", 101)
    assert refused.value.message == (
        "This API key may use 100 tokens a minute (tpm=100), and this request is estimated at 101: it never fits. "
        "Send less, lower its max_tokens, or have the limit raised."
    )
    assert (refused.value.status, refused.value.retryable, refused.value.retry_after) == (429, False, None)
    ask(limiter, "tpm=100", 100)


def test_of_several_refusals_the_one_that_takes_longest_is_told() -> None:
    limiter, _ = limiter_of("rpm=2")
    ask(limiter, "rpm=1,usd_per_day=1", used=(0, 1.0))
    with pytest.raises(RateLimited, match="in 24 hours"):
        ask(limiter, "rpm=1,usd_per_day=1")
    with pytest.raises(TooManyTokens):
        ask(limiter, "rpm=1,usd_per_day=1,tpm=5", 6)


def test_what_the_server_refuses_costs_the_key_nothing_and_the_other_way_round() -> None:
    limiter, _ = limiter_of("rpm=2,tpm=100")
    limits = parse_limits("rpm=1,tpm=100")
    ask(limiter, "rpm=1,tpm=100", 100, "a", used=(10, 0.0))
    before = limiter.standing("a", limits), limiter.standing("b", limits)
    for key, tokens in (("a", 0), ("b", 91), ("b", 101)):
        with pytest.raises(RateLimited):
            ask(limiter, "rpm=1,tpm=100", tokens, key)
    assert (limiter.standing("a", limits), limiter.standing("b", limits)) == before
    ask(limiter, "rpm=1,tpm=100", 90, "b")


# What it came to


def test_a_request_that_came_to_nothing_gives_its_tokens_back_but_was_a_request() -> None:
    limiter, _ = limiter_of()
    limits = parse_limits("rpm=5,tpm=100")
    with limiter.admit("key", limits, 80):
        assert limiter.standing("key", limits) == Standing(Window(5, 4, 12.0), Window(100, 20, 48.0))
    assert limiter.standing("key", limits) == Standing(Window(5, 4, 12.0), Window(100, 100, 0.0))


def test_a_request_that_fails_gives_back_what_it_holds() -> None:
    limiter, _ = limiter_of()
    with pytest.raises(ZeroDivisionError), limiter.admit("key", parse_limits("tpm=100,concurrent=1"), 80):
        raise ZeroDivisionError
    ask(limiter, "tpm=100,concurrent=1", 100)


def test_a_request_is_charged_by_what_it_came_to() -> None:
    limiter, _ = limiter_of()
    limits = parse_limits("tpm=100")
    with limiter.admit("key", limits, 80) as grant:
        grant.settle(30, 0.0)
        assert limiter.standing("key", limits) == Standing(None, Window(100, 70, 18.0))
    assert limiter.standing("key", limits) == Standing(None, Window(100, 70, 18.0))


def test_a_request_that_is_settled_makes_room_at_once_and_only_once() -> None:
    limiter, _ = limiter_of()
    limits = parse_limits("concurrent=1")
    with limiter.admit("key", limits, 0) as first:
        first.settle(1, 0.0)
        with limiter.admit("key", limits, 0) as second:
            second.settle(1, 0.0)
    with limiter.admit("key", limits, 0), pytest.raises(RateLimited, match="under way at once"):
        ask(limiter, "concurrent=1")


def test_a_request_is_settled_once_and_not_after_it() -> None:
    limiter, _ = limiter_of()
    with limiter.admit("key", NONE, 0) as grant:
        grant.settle(1, 0.0)
        with pytest.raises(RuntimeError, match="settle once"):
            grant.settle(1, 0.0)
    with limiter.admit("key", NONE, 0) as late:
        pass
    with pytest.raises(RuntimeError, match="within the context"):
        late.settle(1, 0.0)


def test_counts_below_nothing_give_no_credit() -> None:
    limiter, _ = limiter_of()
    ask(limiter, "tpm=100,usd_per_day=1", used=(60, 1.0))
    ask(limiter, "tpm=100,usd_per_day=2", used=(-50, -5.0))
    assert limiter.standing("key", parse_limits("tpm=100")) == Standing(None, Window(100, 40, 36.0))
    with pytest.raises(RateLimited):
        ask(limiter, "usd_per_day=1")


# Standing


@pytest.mark.parametrize(
    ("overall", "limits", "standing"),
    [
        ("", "", None),
        ("concurrent=1", "usd_per_day=1", None),
        ("", "rpm=6", Standing(Window(6, 5, 10.0), None)),
        ("rpm=6", "", Standing(Window(6, 5, 10.0), None)),
        ("rpm=6", "rpm=60", Standing(Window(6, 5, 10.0), None)),
        ("rpm=60", "rpm=6", Standing(Window(6, 5, 10.0), None)),
        ("rpm=6,tpm=120", "tpm=60", Standing(Window(6, 5, 10.0), Window(60, 50, 10.0))),
    ],
)
def test_a_standing_is_that_of_the_tighter_limit(overall: str, limits: str, standing: Standing | None) -> None:
    limiter, _ = limiter_of(overall)
    ask(limiter, limits, used=(10, 0.0))
    assert limiter.standing("key", parse_limits(limits)) == standing


def test_the_server_stands_for_those_without_a_key_and_a_new_key_has_all() -> None:
    limiter, _ = limiter_of("rpm=60")
    ask(limiter, "", key=None)
    assert limiter.standing(None, NONE) == Standing(Window(60, 59, 1.0), None)
    assert limiter.standing("new", parse_limits("rpm=5,tpm=7")) == Standing(Window(5, 5, 0.0), Window(7, 7, 0.0))
    assert len(limiter._keys) == 0


# Limits that change


def test_new_limits_count_from_the_next_request_on_and_the_others_go_on() -> None:
    limiter, _ = limiter_of()
    ask(limiter, "rpm=2,tpm=100", used=(50, 0.0))
    assert limiter.standing("key", parse_limits("rpm=4,tpm=100")) == Standing(Window(4, 2, 30.0), Window(100, 50, 30.0))
    assert limiter.standing("key", parse_limits("tpm=100")) == Standing(None, Window(100, 50, 30.0))
    assert limiter.standing("key", parse_limits("rpm=2")) == Standing(Window(2, 2, 0.0), None)


def test_what_runs_while_its_limits_change_gives_back_what_it_took() -> None:
    limiter, _ = limiter_of()
    with limiter.admit("key", parse_limits("tpm=100,concurrent=1"), 80) as grant:
        with limiter.admit("key", parse_limits("tpm=200,concurrent=2"), 100):
            assert limiter.standing("key", parse_limits("tpm=200")) == Standing(None, Window(200, 20, 54.0))
        grant.settle(20, 0.0)
    assert limiter.standing("key", parse_limits("tpm=200")) == Standing(None, Window(200, 180, 6.0))


@pytest.mark.parametrize("between", ["", "tpm=60"])
def test_what_runs_while_its_limit_goes_or_comes_troubles_no_one(between: str) -> None:
    limiter, _ = limiter_of()
    before = "" if between else "tpm=60"
    with limiter.admit("key", parse_limits(before), 60) as grant:
        ask(limiter, between, 60)
        grant.settle(60, 0.0)
    ask(limiter, "tpm=60", 60)


def test_what_was_spent_without_a_limit_counts_once_there_is_one() -> None:
    limiter, _ = limiter_of()
    ask(limiter, "", used=(0, 2.0))
    with pytest.raises(RateLimited):
        ask(limiter, "usd_per_day=2")
    ask(limiter, "usd_per_day=2.01")


# A restart


def test_what_was_spent_before_a_restart_counts() -> None:
    limiter, clock = limiter_of("usd_per_day=3")
    limiter.seed("a", DAY - 60, 1.0)
    limiter.seed("b", 0.0, 1.0)
    limiter.seed(None, 7200.0, 1.0)
    limiter.seed("a", 2 * DAY, 50.0)
    for key in ("a", "b", None):
        with pytest.raises(RateLimited, match="This server may spend 3 US dollars"):
            ask(limiter, "", key=key)
    clock.now += 180
    ask(limiter, "usd_per_day=1", key="a")
    with pytest.raises(RateLimited, match="This API key may spend 1 US dollars"):
        ask(limiter, "usd_per_day=1", key="b")


# Memory and time


def test_keys_that_nothing_counts_of_are_forgotten() -> None:
    """A thousand keys a minute for an hour: those of the last minute are there, and those not yet looked at."""
    limiter, clock = limiter_of()
    for number in range(60_000):
        ask(limiter, "rpm=1,tpm=60", 60, f"key{number}", used=(60, 0.0))
        clock.now += 0.06
        assert len(limiter._keys) <= 3000
    clock.now += 60
    for _ in range(2000):
        ask(limiter, "", key="last")
    assert set(limiter._keys) == {"last"}


@pytest.mark.parametrize(
    "use", ["rpm=1", "tpm=5", "usd_per_day=1", "concurrent=1"], ids=["request", "tokens", "spent", "running"]
)
def test_a_key_whose_use_counts_is_not_forgotten(use: str) -> None:
    limiter, _ = limiter_of()
    with ExitStack() as stack:
        grant = stack.enter_context(limiter.admit("key", parse_limits(use), 5))
        if "concurrent" not in use:
            grant.settle(5, 1.0 if "usd" in use else 0.0)
            stack.close()
        for number in range(10):
            ask(limiter, "", key=f"other{number}")
        with pytest.raises(RateLimited):
            ask(limiter, use, 5)


def test_a_jump_of_the_wall_clock_moves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody asks it: an hour back or a day on, the same is let in at the same moments."""

    def ends(jump: float) -> list[float | None]:
        limiter, clock = limiter_of("rpm=30,usd_per_day=1")
        wall = Clock(1e9)
        monkeypatch.setattr(time, "time", wall)
        told: list[float | None] = []
        for step in range(100):
            wall.now += 1.5 + (jump if step == 50 else 0)
            try:
                ask(limiter, "rpm=20,tpm=600", 30, used=(20, 0.005))
                told.append(None)
            except RateLimited as error:
                told.append(error.retry_after)
            clock.now += 1.5
        return told

    assert ends(0) == ends(-3600) == ends(86_400)
    assert None in ends(0)
    assert any(ends(0))
