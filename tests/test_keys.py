"""API keys: their form, their digest, what they may do, and how a command spells them."""

import re

import pytest
from attrs import evolve

from cca.backends.redaction import Redactor
from cca.keys import (
    DEFAULT_SCOPES,
    NAME_SIZE,
    NOBODY,
    RANDOM_SIZE,
    SCOPES,
    Key,
    Principal,
    check_name,
    digest,
    id_in,
    mint,
    parse_duration,
    parse_scopes,
    same,
    spelled_scopes,
)
from cca.limits.policy import NO_LIMITS, Limits

MINTED = mint(bytes(range(RANDOM_SIZE)))
KEY = Key("0001020304050607", "ann", b"digest", frozenset(("chat",)), Limits(rpm=5), created_at=100.0)


def test_a_key_is_its_id_and_a_secret() -> None:
    assert MINTED == "sk-cca-0001020304050607-CAkKCwwNDg8QERITFBUWFxgZGhscHR4fICEiIyQlJic"
    assert id_in(MINTED.encode()) == "0001020304050607"


def test_each_random_byte_is_in_a_key() -> None:
    plain = bytes(RANDOM_SIZE)
    others = {mint(plain[:at] + b"\x01" + plain[at + 1 :]) for at in range(RANDOM_SIZE)}
    assert len(others | {mint(plain)}) == RANDOM_SIZE + 1


@pytest.mark.parametrize("filling", [0x00, 0xFF, 0xFB], ids=["zeros", "ones", "dashes"])
def test_a_redactor_finds_a_key_whatever_it_is_made_of(filling: int) -> None:
    minted = mint(bytes([filling]) * RANDOM_SIZE)
    assert id_in(minted.encode()) is not None
    assert Redactor().text(f"my key is {minted}, keep it") == "my key is <key-1>, keep it"


@pytest.mark.parametrize(
    "presented",
    [
        pytest.param("", id="empty"),
        pytest.param("dummy", id="another word"),
        pytest.param("sk-cca-", id="prefix"),
        pytest.param(MINTED[:-1], id="cut"),
        pytest.param(MINTED + "A", id="longer"),
        pytest.param(MINTED + "\n", id="line break"),
        pytest.param(f" {MINTED}", id="space"),
        pytest.param(f"Bearer {MINTED}", id="scheme"),
        pytest.param(MINTED.upper(), id="upper case"),
        pytest.param(MINTED.replace("00", "0g"), id="no hex"),
        pytest.param(MINTED[:-1] + "=", id="padding"),
        pytest.param(MINTED[:-1] + "\x00", id="NUL"),
        pytest.param(MINTED[:-1] + "\u00e9", id="not ASCII"),
        pytest.param(MINTED[:-1] + "\u0661", id="a digit of another script"),
        pytest.param(MINTED * 20_000, id="1 MB"),
    ],
)
def test_what_has_not_the_form_of_a_key_has_no_id(presented: str) -> None:
    assert id_in(presented.encode()) is None


def test_a_digest_is_of_the_key_and_of_the_digests_own_key() -> None:
    digests = {digest(own, presented) for own in (b"1", b"2") for presented in (b"a", b"b", b"")}
    assert len(digests) == 6
    assert {len(each) for each in digests} == {32}
    assert same(digest(b"1", b"a"), digest(b"1", b"a"))
    assert not same(digest(b"1", b"a"), digest(b"1", b"b"))


def test_a_digest_is_not_in_what_a_key_is_shown_as() -> None:
    assert "digest" not in repr(KEY)


def test_a_principal_is_what_a_key_says_and_owns_what_it_makes() -> None:
    assert KEY.principal == Principal("0001020304050607", "ann", frozenset(("chat",)), Limits(rpm=5))
    assert KEY.principal.owner == "0001020304050607"


def test_nobody_owns_what_is_nobodys_and_may_do_all_without_a_limit() -> None:
    assert (NOBODY.key_id, NOBODY.owner, NOBODY.limits) == (None, "", NO_LIMITS)
    assert all(NOBODY.may(scope) for scope in SCOPES)


@pytest.mark.parametrize(
    ("scopes", "may"),
    [
        ([], []),
        (["chat"], ["chat"]),
        (["sessions", "usage"], ["sessions", "usage"]),
        (["admin"], ["chat", "sessions", "usage", "admin"]),
        (DEFAULT_SCOPES, ["chat", "sessions", "usage"]),
    ],
)
def test_a_scope_is_for_itself_and_admin_for_all(scopes: list[str], may: list[str]) -> None:
    principal = Principal("1", "ann", frozenset(scopes))
    assert [scope for scope in SCOPES if principal.may(scope)] == may


@pytest.mark.parametrize(
    ("expires", "revoked", "now", "state"),
    [
        (None, None, 1e12, "valid"),
        (200.0, None, 199.9, "valid"),
        (200.0, None, 200.0, "expired"),
        (None, 150.0, 100.0, "revoked"),
        (200.0, 150.0, 300.0, "revoked"),
    ],
)
def test_a_keys_state(expires: float | None, revoked: float | None, now: float, state: str) -> None:
    assert evolve(KEY, expires_at=expires, revoked_at=revoked).state(now) == state


@pytest.mark.parametrize("name", ["a", "Ann's laptop", "ci.example.org", "\u00e9", "x" * NAME_SIZE, "0" * 15, "0" * 17])
def test_a_name(name: str) -> None:
    assert check_name(name) == name


@pytest.mark.parametrize("name", ["", " ", " a", "a ", "x" * (NAME_SIZE + 1), "a\nb", "a\tb", "a\x1b[31m", "\u202eb"])
def test_a_name_that_a_list_cannot_show(name: str) -> None:
    with pytest.raises(ValueError, match="1 to 64 printable characters"):
        check_name(name)


def test_a_name_is_no_id() -> None:
    with pytest.raises(ValueError, match="a key's id"):
        check_name(KEY.id)


def test_scopes_are_listed_with_commas() -> None:
    assert parse_scopes("usage, chat,") == {"chat", "usage"}
    assert spelled_scopes(DEFAULT_SCOPES) == "chat,sessions,usage"
    assert parse_scopes(spelled_scopes(SCOPES)) == set(SCOPES)


@pytest.mark.parametrize("given", ["", ",", "chat,all", "Chat", "chat usage"])
def test_other_scopes_are_told(given: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(repr(given))} are no scopes; possible are chat, sessions"):
        parse_scopes(given)


@pytest.mark.parametrize(
    ("given", "seconds"),
    [("90s", 90), ("15m", 900), ("12h", 43_200), ("30d", 2_592_000), ("2w", 1_209_600), (" 1d ", 86_400)],
)
def test_a_duration(given: str, seconds: float) -> None:
    assert parse_duration(given) == seconds


@pytest.mark.parametrize("given", ["", "30", "d", "0d", "-1d", "1.5h", "1d12h", "30 d", "1y", "999999d", "\u0663d"])
def test_another_duration_is_told(given: str) -> None:
    with pytest.raises(ValueError, match="is no duration; say a number and s, m, h, d or w"):
        parse_duration(given)
