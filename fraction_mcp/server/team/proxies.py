"""Where a request comes from, behind proxies: only those that the operator listed are believed.

A proxy appends the address that it was reached from to X-Forwarded-For, so that what a client invents stands to the
left of it. Read from the right, the first address that is no trusted proxy's is the client. The standard header
(Forwarded) counts where there is no X-Forwarded-For: most proxies write the latter, and hand on the former as it came.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address

from fraction_mcp.server.team.options import Network

__all__ = ["Origin", "Proxies"]

Headers = Iterable[tuple[bytes, bytes]]

_MOST_HOPS = 20


@dataclass(frozen=True, slots=True)
class Origin:
    """`address` is the client's, empty where it cannot be told; `trusted`: the request came through a listed proxy."""

    address: str
    https: bool
    trusted: bool


class Proxies:
    def __init__(self, networks: Sequence[Network]) -> None:
        self._networks = tuple(networks)

    def is_proxy(self, address: str) -> bool:
        ip = _address(address)
        return ip is not None and any(ip in network for network in self._networks)

    def origin(self, peer: str, headers: Headers) -> Origin:
        """`peer` is the address on the other side of the connection, `headers` are as ASGI has them."""
        if not self.is_proxy(peer):
            return Origin(_plain(peer), https=False, trusted=False)
        there = list(headers)
        hops, schemes = _listed(there, b"x-forwarded-for"), _listed(there, b"x-forwarded-proto")
        if not hops and (forwarded := list(_forwarded(there))):
            hops, schemes = [hop.get("for", "") for hop in forwarded], [hop.get("proto", "") for hop in forwarded]
        return Origin(self._client(hops, peer), https=schemes[-1:] == ["https"], trusted=True)

    def _client(self, hops: list[str], peer: str) -> str:
        """The rightmost that is no proxy of ours. What is no address ends the search: nothing left of it counts."""
        client = peer
        for hop in reversed(hops[-_MOST_HOPS:]):
            address = _of_hop(hop)
            if _address(address) is None:
                return _plain(client)
            client = address
            if not self.is_proxy(client):
                break
        return _plain(client)


def _listed(headers: Headers, name: bytes) -> list[str]:
    """The values between commas, of every header of that name, in order."""
    values = (value.decode("latin-1") for key, value in headers if key == name)
    return [part.strip().lower() for value in values for part in value.split(",") if part.strip()]


def _forwarded(headers: Headers) -> Iterator[dict[str, str]]:
    """RFC 7239, a hop each. No proxy writes a comma or a semicolon between quotes in what is read here."""
    for hop in _listed(headers, b"forwarded"):
        pairs = (pair.partition("=") for pair in hop.split(";"))
        yield {name.strip(): value.strip().strip('"') for name, equals, value in pairs if equals}


def _of_hop(text: str) -> str:
    """An address without its port: 192.0.2.1:80, [2001:db8::1]:80, 2001:db8::1."""
    if text.startswith("["):
        return text[1:].partition("]")[0]
    return text.partition(":")[0] if text.count(":") == 1 else text


def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        ip = ip_address(text)
    except ValueError:
        return None
    mapped = ip.ipv4_mapped if isinstance(ip, IPv6Address) else None
    return mapped or ip


def _plain(text: str) -> str:
    ip = _address(text)
    return str(ip) if ip else ""
