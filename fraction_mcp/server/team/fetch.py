"""Fetching a small JSON object from one https address that somebody else may have named, without being led astray.

Knows sockets, TLS and HTTP as the standard library speaks them. A name is looked up once, and the connection goes to
the very address that was judged: one that is not of the public internet is refused, and so is a name that has a single
such address among others. What the operator named may be anywhere (an identity provider often stands inside).
No redirect is followed, no proxy of the environment taken, nothing is sent but a GET without credentials.
"""

import io
import json
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Collection
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from http.client import HTTPException, HTTPResponse
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any, NoReturn, Protocol
from urllib.parse import SplitResult, urlsplit

import anyio

from fraction_mcp import __version__
from fraction_mcp.erp.causes import cause_of
from fraction_mcp.threads import left_behind
from fraction_mcp.tls import trusted

__all__ = ["DOCUMENT_BYTES", "JWKS_BYTES", "Fetch", "FetchError", "Fetched", "Fetcher", "is_public"]

DOCUMENT_BYTES = 5 * 1024
JWKS_BYTES = 64 * 1024
LONGEST_S = 5.0

_PASSING = {403, 408, 429}  # 403: whoever stands before many a site takes a machine for a robot
_AT_ONCE = 8  # a thread whose name is still being looked up cannot be called off
_HEADERS_BYTES = 32 * 1024
_TRIED = 3  # of one name's addresses: a machine without IPv6 is told some, too
_URL = re.compile(
    r"https://[a-z0-9.-]+(?::[0-9]{1,5})?/[A-Za-z0-9._~!$&'()*+,;=:@%/-]*(?:\?[A-Za-z0-9._~!$&'()*+,;=:@%/?-]*)?"
)
_NAME = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?")
_JSON = re.compile(r"application/(?:[a-z0-9.-]+\+)?json")

# Global by IANA's registries, or to some Python's mind, and yet no place of its own: another address is packed in
# them, or they are anybody's.
_NOT_PUBLIC = tuple(
    ip_network(block)
    for block in (
        "192.88.99.0/24",  # 6to4's relays
        "2001::/23",  # Teredo, ORCHID, benchmarks
        "2001:db8::/32",
        "2002::/16",  # 6to4
        "3fff::/20",  # documentation
    )
)
_UNICAST_V6 = ip_network("2000::/3")  # what IANA has given out: NAT64, mapped and unique local addresses lie outside


class FetchError(Exception):
    """Why nothing was fetched, fit for a log. `passing` says that the same address may answer later."""

    def __init__(self, why: str, *, passing: bool = False) -> None:
        super().__init__(why)
        self.passing = passing


@dataclass(frozen=True, slots=True)
class Fetched:
    """A JSON object, and for how many seconds its sender lets it be kept (None: nothing is said)."""

    document: dict[str, Any]
    max_age: float | None


Resolve = Callable[[str, int], Collection[str]]


class Fetcher(Protocol):
    """What `Fetch` is to others."""

    async def __call__(self, url: str, *, most: int) -> Fetched: ...


class Fetch:
    """Fetches. `named` are the authorities (`host`, or `host:port`) that the operator named, wherever they stand."""

    def __init__(
        self,
        *,
        named: Collection[str] = (),
        context: ssl.SSLContext | None = None,
        resolve: Resolve | None = None,
        longest_s: float = LONGEST_S,
    ) -> None:
        self._named = frozenset(named)
        self._custom_context = context
        self._resolve = resolve or _addresses
        self._longest_s = longest_s
        self._room = threading.BoundedSemaphore(_AT_ONCE)

    async def __call__(self, url: str, *, most: int) -> Fetched:
        """The JSON object there, of at most `most` bytes, within five seconds in all. Raises FetchError."""
        parts = self._judged(url)
        if not self._room.acquire(blocking=False):
            raise FetchError("too much is being fetched at once", passing=True)
        deadline = time.monotonic() + self._longest_s

        def work() -> Fetched:
            try:
                return self._got(parts, most, deadline)
            finally:
                self._room.release()

        with anyio.move_on_after(self._longest_s + 0.5):  # the look-up of a name knows no deadline
            return await left_behind(work)
        raise self._late()

    @cached_property
    def _context(self) -> ssl.SSLContext:
        return self._custom_context or trusted()

    def _late(self) -> FetchError:
        return FetchError(f"it did not answer within {self._longest_s:g} s", passing=True)

    def _judged(self, url: str) -> SplitResult:
        if not _URL.fullmatch(url):
            raise FetchError("its address is not a plain https URL")
        parts = urlsplit(url)
        if parts.netloc not in self._named and not (_NAME.fullmatch(parts.netloc) and len(parts.netloc) < 254):
            raise FetchError("its address has a port, or a host that is no name")
        return parts

    def _got(self, parts: SplitResult, most: int, deadline: float) -> Fetched:
        try:
            with self._connected(parts, deadline) as connection:
                _limit(connection, deadline)
                connection.sendall(_request(parts))
                incoming: Any = _Incoming(connection, deadline, 2 * most + _HEADERS_BYTES)
                with closing(HTTPResponse(incoming, method="GET")) as answer:
                    answer.begin()
                    return _read(answer, most)
        except TimeoutError:
            raise self._late() from None
        except OSError as error:
            raise FetchError(cause_of(error), passing=True) from None
        except HTTPException as error:  # whose words may hold what came back
            raise FetchError(f"it answered something else than HTTP ({type(error).__name__})") from None

    def _connected(self, parts: SplitResult, deadline: float) -> ssl.SSLSocket:
        host, port = parts.hostname or "", parts.port or 443
        addresses = list(dict.fromkeys(self._resolve(host, port)))
        if parts.netloc not in self._named and not all(is_public(address) for address in addresses):
            raise FetchError("its name leads to an address that is not of the public internet")
        plain = _dialled(addresses[:_TRIED], port, deadline)
        try:
            _limit(plain, deadline)
            return self._context.wrap_socket(plain, server_hostname=host)
        except BaseException:
            plain.close()
            raise


def is_public(address: str) -> bool:
    """Whether it is a unicast address of the public internet that stands for no other address."""
    try:
        ip = ip_address(address)
    except ValueError:
        return False
    if not ip.is_global or ip.is_multicast or ip.is_reserved or any(ip in block for block in _NOT_PUBLIC):
        return False
    return isinstance(ip, IPv4Address) or (isinstance(ip, IPv6Address) and ip in _UNICAST_V6 and not ip.scope_id)


def _addresses(host: str, port: int) -> list[str]:
    return [str(info[4][0]) for info in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


def _dialled(addresses: list[str], port: int, deadline: float) -> socket.socket:
    """Connected to the first that answers, each having its share of the time that is left."""
    failure = OSError("no address")
    for left, address in zip(range(len(addresses), 0, -1), addresses, strict=True):
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        plain = socket.socket(family, socket.SOCK_STREAM)
        try:
            plain.settimeout(_left(deadline) / left)
            plain.connect((address, port))
        except OSError as error:
            plain.close()
            failure = error
        else:
            return plain
    raise failure


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _limit(sock: socket.socket, deadline: float) -> None:
    sock.settimeout(_left(deadline))


class _Incoming(io.RawIOBase):
    """What comes in on a socket, as HTTPResponse reads it: until the deadline, however it drips, and so many bytes."""

    def __init__(self, sock: socket.socket, deadline: float, most: int) -> None:
        self._sock, self._deadline, self._most = sock, deadline, most

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(self)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        _limit(self._sock, self._deadline)
        count = self._sock.recv_into(buffer)
        self._most -= count
        if self._most < 0:
            _too_large()
        return count


def _request(parts: SplitResult) -> bytes:
    target = parts.path + (f"?{parts.query}" if parts.query else "")
    lines = (
        f"GET {target} HTTP/1.1",
        f"Host: {parts.netloc.removesuffix(':443')}",
        "Accept: application/json",
        "Accept-Encoding: identity",
        f"User-Agent: fraction-mcp/{__version__}",
        "Connection: close",
    )
    return "".join(f"{line}\r\n" for line in (*lines, "")).encode("ascii")


def _read(answer: HTTPResponse, most: int) -> Fetched:
    if 300 <= answer.status < 400:
        raise FetchError("it redirects elsewhere, which is not followed")
    if answer.status != 200:
        raise FetchError(f"it answered HTTP {answer.status}", passing=answer.status >= 500 or answer.status in _PASSING)
    if not _JSON.fullmatch((answer.getheader("Content-Type") or "").partition(";")[0].strip().lower()):
        raise FetchError("it is not sent as JSON")
    body = answer.read(most + 1)
    if len(body) > most:
        _too_large()
    return Fetched(_object(body), _max_age(answer.getheader("Cache-Control") or ""))


def _too_large() -> NoReturn:
    raise FetchError("it is too large")


def _object(body: bytes) -> dict[str, Any]:
    try:
        document = json.loads(body.decode(), object_pairs_hook=_unique_members, parse_constant=_no_number)
    except (ValueError, RecursionError):  # UnicodeDecodeError is one of them
        raise FetchError("it is no JSON") from None
    if not isinstance(document, dict):
        raise FetchError("it is no JSON object")
    return document


def _unique_members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """What is said twice is read in two ways by two readers."""
    members = dict(pairs)
    if len(members) < len(pairs):
        raise ValueError
    return members


def _no_number(_name: str) -> NoReturn:
    raise ValueError


def _max_age(control: str) -> float | None:
    words = [word.strip().lower() for word in control.split(",")]
    if "no-store" in words or "no-cache" in words:
        return 0.0
    seconds = next((word.removeprefix("max-age=").strip('"') for word in words if word.startswith("max-age=")), "")
    return float(seconds) if seconds.isascii() and seconds.isdigit() and len(seconds) < 12 else None
