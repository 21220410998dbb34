"""The one reader of credentials: two headers, as bytes, and nowhere else."""

import pytest

from cca.web.credentials import credentials

Headers = list[tuple[bytes, bytes]]


@pytest.mark.parametrize(
    ("headers", "presented"),
    [
        pytest.param([], (), id="none"),
        pytest.param([(b"authorization", b"Bearer key")], (b"key",), id="bearer"),
        pytest.param([(b"Authorization", b"bEARER key")], (b"key",), id="any case"),
        pytest.param([(b"authorization", b"Bearer   key ")], (b"key",), id="spaces"),
        pytest.param([(b"x-api-key", b"key")], (b"key",), id="x-api-key"),
        pytest.param([(b"X-Api-Key", b"key")], (b"key",), id="X-Api-Key"),
        pytest.param([(b"authorization", b"Bearer a"), (b"x-api-key", b"b")], (b"a", b"b"), id="both"),
        pytest.param([(b"x-api-key", b"b"), (b"x-api-key", b"c")], (b"b", b"c"), id="one twice"),
        pytest.param([(b"authorization", b"Bearer \xff\x00")], (b"\xff\x00",), id="bytes as they are"),
        pytest.param([(b"authorization", b"")], (b"",), id="empty"),
        pytest.param([(b"authorization", b"Bearer")], (b"",), id="no key"),
        pytest.param([(b"authorization", b"Bearer ")], (b"",), id="an empty key"),
        pytest.param([(b"authorization", b"key")], (b"",), id="no scheme"),
        pytest.param([(b"authorization", b"Basic key")], (b"",), id="another scheme"),
        pytest.param([(b"authorization", b"Bearer\tkey")], (b"",), id="a tab"),
        pytest.param([(b"authorization", b"Bearer a b")], (b"a b",), id="two words"),
        pytest.param([(b"cookie", b"api_key=key"), (b"api-key", b"key")], (), id="elsewhere"),
        pytest.param([(b"proxy-authorization", b"Bearer key")], (), id="to a proxy"),
    ],
)
def test_what_a_request_presents(headers: Headers, presented: tuple[bytes, ...]) -> None:
    assert credentials(headers) == presented
