"""Whom the door lets in, by where a request comes from: a table of addresses reached, hosts named, keys asked for."""

from contextlib import nullcontext

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


PAGES = ("https://app.example.com", "http://Localhost:3000", "https://b.example.com:443", "http://[::1]:5173")


@pytest.mark.parametrize(
    "origin", ["https://app.example.com", "http://localhost:3000", "https://b.example.com", "http://[::1]:5173"]
)
def test_a_page_in_the_settings_may_ask_once_there_is_a_key(origin: str) -> None:
    """S-05."""
    caller = Caller(("localhost:8000",), (origin,), "127.0.0.1", 8000)
    admit(caller, Door(guarded=True, origins=PAGES))
    with pytest.raises(Forbidden, match="once there is an API key"):
        admit(caller, Door(guarded=False, origins=PAGES))


@pytest.mark.parametrize("host", ["evil.com:8000", "app.example.com"])
def test_a_page_in_the_settings_asks_by_a_name_of_ccas(host: str) -> None:
    """S-04: nor does it come here by a name that it made point here."""
    with pytest.raises(Forbidden, match="Host header"):
        admit(Caller((host,), PAGES[:1], "127.0.0.1", 8000), Door(guarded=True, origins=PAGES))


@pytest.mark.parametrize(
    "origins",
    [
        pytest.param(("null",), id="null"),
        pytest.param(("",), id="empty"),
        pytest.param(("*",), id="every"),
        pytest.param(("http://app.example.com",), id="another scheme"),
        pytest.param(("https://app.example.com:8443",), id="another port"),
        pytest.param(("https://app.example.com:443",), id="its port, as no browser writes it"),
        pytest.param(("http://localhost",), id="without its port"),
        pytest.param(("http://localhost:30000",), id="a longer port"),
        pytest.param(("https://app.example.com/",), id="a slash at the end"),
        pytest.param(("https://app.example.com.",), id="a dot at the end"),
        pytest.param(("https://app.example.com.evil.com",), id="with a suffix"),
        pytest.param(("https://app.example.comevil.com",), id="with more letters"),
        pytest.param(("https://evilapp.example.com",), id="with a prefix"),
        pytest.param(("https://x.app.example.com",), id="a name below it"),
        pytest.param(("https://example.com",), id="the name above it"),
        pytest.param(("https://app.example.com@evil.com",), id="as a user"),
        pytest.param(("https://APP.example.com",), id="in another case"),
        pytest.param(("HTTPS://app.example.com",), id="its scheme in another case"),
        pytest.param(("http://Localhost:3000",), id="in the case of the settings"),
        pytest.param((" https://app.example.com",), id="a space before it"),
        pytest.param(("https://app.example.com, null",), id="a list"),
        pytest.param(("app.example.com",), id="without a scheme"),
        pytest.param(("https://app.example.com", "https://app.example.com"), id="twice"),
        pytest.param(("https://app.example.com", "https://evil.com"), id="with another"),
        pytest.param(("https://evil.com", "https://app.example.com"), id="behind another"),
    ],
)
def test_a_page_that_is_not_quite_in_the_settings_may_not(origins: tuple[str, ...]) -> None:
    """S-05."""
    with pytest.raises(Forbidden) as caught:
        admit(Caller(("localhost:8000",), origins, "127.0.0.1", 8000), Door(guarded=True, origins=PAGES))
    assert caught.value.code == "origin_not_allowed"


@pytest.mark.parametrize(
    ("sites", "origins", "refused"),
    [
        (("cross-site",), (), True),
        (("same-site",), (), True),
        (("none", "cross-site"), (), True),
        (("none",), (), False),
        (("same-origin",), (), False),
        (("cross-site",), PAGES[:1], False),
    ],
)
def test_what_a_page_loads_says_so_without_an_origin(
    sites: tuple[str, ...], origins: tuple[str, ...], *, refused: bool
) -> None:
    """S-05: a picture, a script, a frame of a page's; and who types an address, or asks for a page that may."""
    caller = Caller(("localhost:8000",), origins, "127.0.0.1", 8000, sites)
    with pytest.raises(Forbidden, match="web pages") if refused else nullcontext():
        admit(caller, Door(guarded=True, origins=PAGES))


def test_a_scope_that_a_key_lacks_is_named() -> None:
    authorize(Principal("1", "ann", frozenset(("usage",))), "usage")
    with pytest.raises(Forbidden, match="lacks the scope 'chat'") as caught:
        authorize(Principal("1", "ann", frozenset(("usage",))), "chat")
    assert caught.value.code == "insufficient_scope"
