"""How many wrong keys each peer presented lately. It is told the time, in seconds of a clock that only goes on.

A valid key is never asked here: many clients may share a peer, behind a proxy or on this machine, and one that is set
up wrong locks no other out.
"""

from ipaddress import IPv6Address, ip_address, ip_network

from attrs import define, field, frozen

MOST = 60
"""Wrong keys in a window: an application that is set up wrong sends some, again and again."""

WINDOW = 60.0
"""Seconds."""

PEERS = 1_000
"""Of so many peers at most it is known; the one that began first is forgotten for one more."""

OWN_NETWORK = 64
"""Bits of an IPv6 address that are a peer's: all below them are at its choice."""


@frozen
class _Lately:
    since: float
    count: int


@define
class WrongKeys:
    most: int = MOST
    _peers: dict[str, _Lately] = field(factory=dict, init=False)

    def wait(self, address: str, now: float) -> float | None:
        """Return the seconds for which wrong keys of the peer at an address are not looked at, if they are not."""
        lately = self._lately(_peer(address), now)
        return lately.since + WINDOW - now if lately.count >= self.most else None

    def count(self, address: str, now: float) -> None:
        """Take note of one more."""
        peer = _peer(address)
        lately = self._lately(peer, now)
        if lately.count == 0:
            # A new window is the last: the one that began first is to be the first.
            self._peers.pop(peer, None)
        self._peers[peer] = _Lately(lately.since, lately.count + 1)
        if len(self._peers) > PEERS:
            del self._peers[next(iter(self._peers))]

    def _lately(self, peer: str, now: float) -> _Lately:
        lately = self._peers.get(peer)
        return lately if lately is not None and now < lately.since + WINDOW else _Lately(now, 0)


def _peer(address: str) -> str:
    try:
        ip = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(ip, IPv6Address) and ip.ipv4_mapped is None and not ip.is_loopback:
        return str(ip_network((ip, OWN_NETWORK), strict=False))
    return address
