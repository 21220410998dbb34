"""Origins: how a browser writes what is in the settings, and what is none."""

import pytest

from cca.origins import origin_of


@pytest.mark.parametrize(
    ("given", "origin"),
    [
        ("https://app.example.com", "https://app.example.com"),
        ("HTTPS://App.Example.COM", "https://app.example.com"),
        ("https://app.example.com:443", "https://app.example.com"),
        ("http://app.example.com:80", "http://app.example.com"),
        ("http://app.example.com:443", "http://app.example.com:443"),
        ("http://localhost:05173", "http://localhost:5173"),
        ("http://[::1]:3000", "http://[::1]:3000"),
        ("https://xn--bcher-kva.example", "https://xn--bcher-kva.example"),
        ("chrome-extension://abcdefghijklmnop", "chrome-extension://abcdefghijklmnop"),
    ],
)
def test_an_origin_is_as_a_browser_writes_it(given: str, origin: str) -> None:
    assert origin_of(given) == origin


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("*", "every page in the world"),
        ("null", "any page without an origin"),
        ("NULL", "any page without an origin"),
        ("", "is not SCHEME://HOST"),
        ("app.example.com", "is not SCHEME://HOST"),
        ("https://", "is not SCHEME://HOST"),
        ("file://", "is not SCHEME://HOST"),
        ("https://app.example.com/", "no slash at its end"),
        ("https://app.example.com/path", "is not SCHEME://HOST"),
        ("https://user@app.example.com", "is not SCHEME://HOST"),
        ("https://*.example.com", "is not SCHEME://HOST"),
        ("https://app.example.com:", "is not SCHEME://HOST"),
        ("https://app.example.com:65536", "is not SCHEME://HOST"),
        ("https://b\u00fccher.example", "xn--"),
        ("https://\u212aelvin.example", "xn--"),
    ],
)
def test_what_is_none_is_refused_with_what_to_do(given: str, words: str) -> None:
    with pytest.raises(ValueError, match=r"SCHEME|page") as caught:
        origin_of(given)
    assert words in str(caught.value)
