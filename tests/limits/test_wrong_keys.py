"""Wrong keys by peer: so many in a minute, each peer for itself, and no memory without bound."""

import pytest

from cca.limits.wrong_keys import PEERS, WINDOW, WrongKeys

PEER, ANOTHER = "192.0.2.1", "192.0.2.2"


def test_after_so_many_the_rest_of_the_minute_is_waited() -> None:
    wrong = WrongKeys(most=3)
    for second in range(3):
        assert wrong.wait(PEER, 100.0 + second) is None
        wrong.count(PEER, 100.0 + second)
    assert wrong.wait(PEER, 110.0) == WINDOW - 10
    assert wrong.wait(ANOTHER, 110.0) is None
    assert wrong.wait(PEER, 100.0 + WINDOW) is None


def test_another_minute_begins_with_its_first() -> None:
    wrong = WrongKeys(most=2)
    for second in (0.0, 59.0, 70.0):
        wrong.count(PEER, second)
    assert wrong.wait(PEER, 75.0) is None
    wrong.count(PEER, 75.0)
    assert wrong.wait(PEER, 75.0) == 55.0


def test_peers_that_come_and_go_are_forgotten() -> None:
    """The one that began first goes first, and one that begins anew is no longer the first."""
    wrong = WrongKeys(most=1)
    wrong.count("oldest", 0.0)
    wrong.count("old", 0.0)
    wrong.count("oldest", WINDOW)
    for number in range(PEERS - 1):
        wrong.count(f"peer {number}", WINDOW)
    assert wrong.wait("old", WINDOW) is None
    assert wrong.wait("oldest", WINDOW) == WINDOW
    assert len(wrong._peers) == PEERS


@pytest.mark.parametrize(
    ("address", "same", "shared"),
    [
        ("2001:db8::1", "2001:db8::ffff:2", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("fe80::1%eth0", "fe80::2%eth0", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("::ffff:192.0.2.1", "::ffff:192.0.2.2", False),
        ("::1", "::2", False),
        ("", "a socket of a file", False),
    ],
)
def test_a_peer_is_an_address_or_a_network_that_is_somebodys_own(address: str, same: str, shared: bool) -> None:  # noqa: FBT001
    wrong = WrongKeys(most=1)
    wrong.count(address, 0.0)
    assert (wrong.wait(same, 0.0) is not None) == shared
