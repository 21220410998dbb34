"""Whom the door lets in, by where a request comes from: a table of addresses reached, hosts named, keys asked for."""

import pytest

from cca.errors import Forbidden
from cca.keys import Principal
from cca.web.access import Caller, Door, admit, authorize

OPEN = Door(guarded=False, names=("cca.example.com",))
GUARDED = Door(guarded=True, names=("cca.example.com", "Box.local", "other:8443"))


def refusal(host: str, address: str | None, door: Door, port: int | None = 8000) -> str | None:
    try:
        admit(Caller((host,), (), address, port), door)
    except Forbidden as error:
        return error.code
    return None


@pytest.mark.parametrize(
    ("address", "host"),
    [
        ("127.0.0.1", "localhost:8000"),
        ("192.168.1.2", "192.168.1.2:8000"),
        ("192.168.1.2", "localhost:8000"),
        ("::ffff:192.168.1.2", "192.168.1.2:8000"),
        ("2001:db8::1", "[2001:db8::1]:8000"),
        ("2001:db8::1", "[2001:DB8:0::1]:8000"),
        ("fe80::1%eth0", "[fe80::1]:8000"),
        ("127.0.0.2", "127.0.0.2:8000"),
        ("192.168.1.2", "cca.example.com:8000"),
        ("192.168.1.2", "CCA.example.com"),
        ("127.0.0.1", "cca.example.com:443"),
        ("192.168.1.2", "box.LOCAL:8000"),
        ("192.168.1.2", "other:8443"),
    ],
)
def test_with_a_key_cca_is_reached_by_its_address_and_by_the_names_in_its_settings(address: str, host: str) -> None:
    assert refusal(host, address, GUARDED) is None


@pytest.mark.parametrize(
    ("address", "host"),
    [
        ("192.168.1.2", ""),
        ("192.168.1.2", "evil.com:8000"),
        ("192.168.1.2", "192.168.1.3:8000"),
        ("192.168.1.2", "192.168.1.2"),
        ("192.168.1.2", "192.168.1.2:8001"),
        ("192.168.1.2", "192.168.1.2.nip.io:8000"),
        ("192.168.1.2", "3232235778:8000"),
        ("192.168.1.2", "192.168.1.02:8000"),
        ("192.168.1.2", "[::1]:8001"),
        ("0.0.0.0", "0.0.0.0:8000"),
        ("::", "[::]:8000"),
        ("127.0.0.1", "0.0.0.0:8000"),
        ("example.com", "example.com:8000"),
        ("2001:db8::1", "2001:db8::1:8000"),
        ("fe80::1%eth0", "[fe80::1%eth0]:8000"),
        ("192.168.1.2", "cca.example.com.:8000"),
        ("192.168.1.2", "evil@cca.example.com"),
        ("192.168.1.2", "cca.example.com.evil.com"),
        ("192.168.1.2", "acca.example.com"),
        ("192.168.1.2", "other:8000"),
        ("192.168.1.2", "other"),
    ],
)
def test_with_a_key_another_name_is_none_of_ccas(address: str, host: str) -> None:
    assert refusal(host, address, GUARDED) == "host_not_allowed"


def test_an_address_that_is_not_known_has_no_literal() -> None:
    assert refusal("192.168.1.2", None, GUARDED, port=None) == "host_not_allowed"


@pytest.mark.parametrize(
    ("address", "host", "code"),
    [
        ("127.0.0.1", "localhost:8000", None),
        ("127.0.0.1", "cca.example.com", "host_not_allowed"),
        ("127.0.0.2", "127.0.0.2:8000", "host_not_allowed"),
        ("192.168.1.2", "192.168.1.2:8000", "address_not_allowed"),
        ("192.168.1.2", "localhost:8000", "address_not_allowed"),
        ("192.168.1.2", "cca.example.com", "address_not_allowed"),
    ],
)
def test_without_a_key_there_is_loopback_by_its_own_names_only(address: str, host: str, code: str | None) -> None:
    assert refusal(host, address, OPEN) == code


@pytest.mark.parametrize("door", [OPEN, GUARDED], ids=["open", "guarded"])
@pytest.mark.parametrize("hosts", [(), ("localhost:8000", "localhost:8000")], ids=["none", "two"])
def test_there_is_one_host(door: Door, hosts: tuple[str, ...]) -> None:
    with pytest.raises(Forbidden, match="CCA_ALLOWED_HOSTS"):
        admit(Caller(hosts, (), "127.0.0.1", 8000), door)


@pytest.mark.parametrize("door", [OPEN, GUARDED], ids=["open", "guarded"])
def test_a_web_page_is_not_let_in_whatever_its_key(door: Door) -> None:
    with pytest.raises(Forbidden, match="web pages"):
        admit(Caller(("localhost:8000",), ("https://evil.com",), "127.0.0.1", 8000), door)


def test_a_scope_that_a_key_lacks_is_named() -> None:
    authorize(Principal("1", "ann", frozenset(("usage",))), "usage")
    with pytest.raises(Forbidden, match="lacks the scope 'chat'") as caught:
        authorize(Principal("1", "ann", frozenset(("usage",))), "chat")
    assert caught.value.code == "insufficient_scope"
