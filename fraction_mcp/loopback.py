"""Listening within bounds: what the approval inbox, the HTTP face and a team's server share. The first two listen on
this machine's own addresses alone.

Knows sockets and uvicorn, and nothing of what is asked and answered. Whoever shares the machine (or, of a team's
server, the network) can connect, so a connection is worth nothing before a whole request has come in on it, or while
its answer is left unread: those that wait are few, wait for seconds, and make way, the oldest first, for new ones.
Nothing of this is logged, since a line for each could fill a disk.
"""

import asyncio
import socket
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from ipaddress import ip_address
from math import ceil
from typing import Any, cast

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from fraction_mcp.errors import ConfigError

__all__ = ["ADDRESSES", "Bounds", "Server", "authorities", "listening", "listening_to_others"]

ADDRESSES = ("127.0.0.1", "::1", "localhost")
"""The spellings of this machine that are served. Others (127.0.0.2, 127.1, LOCALHOST) are refused, not judged."""

REQUEST_S = 10.0
"""How long a connection may wait, and a request may take to come in whole."""
STALL_S = 60.0
"""How long a client may leave its answer unread."""
PROXY_IDLE_S = 130.0
"""How long a proxy may keep a connection for its next request: longer than Caddy (120 s) and nginx (60 s) do, so that
the proxy closes it first, and never sends a request on one that has just been closed here."""

_BOUND = {
    "127.0.0.1": (socket.AF_INET, "127.0.0.1"),
    "::1": (socket.AF_INET6, "::1"),
    "localhost": (socket.AF_INET, "127.0.0.1"),  # whatever the machine's own table of names makes of it
}
_BACKLOG = 64  # of the system: connections that nobody has taken up yet
_AT_ONCE = 8  # asyncio takes up so many before it looks at any; each is an open file until there is room for it
_GRACE_S = 5
_KEEP_ALIVE_S = 5
_REFUSAL = b"HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"


def authorities(port: int) -> list[str]:
    """What a request to a loopback server may name as its `Host`: every one of `ADDRESSES`, with the port."""
    names = [f"[{name}]" if ":" in name else name for name in ADDRESSES]
    return [f"{name}:{port}" for name in names] + (names if port == 80 else [])


def listening(host: str, port: int, *, what: str) -> socket.socket:
    """A socket that listens already, so that what is announced is true. Port 0 takes a free one.

    `host` is one of `ADDRESSES`: any other is a KeyError. Raises ConfigError, which says that `what` cannot listen, for
    a port that cannot be had.
    """
    family, address = _BOUND[host]
    return _listening(family, address, host, port, what)


def listening_to_others(host: str, port: int, *, what: str) -> socket.socket:
    """As `listening`, on whichever address of this machine: only for a server that people sign in to.

    `host` is one of `ADDRESSES` or an address in digits: any other is a ValueError.
    """
    if host in _BOUND:
        return listening(host, port, what=what)
    family = socket.AF_INET6 if ip_address(host).version == 6 else socket.AF_INET
    return _listening(family, host, host, port, what)


def _listening(family: int, address: str, host: str, port: int, what: str) -> socket.socket:
    # The protocol is named, since asyncio turns Nagle's algorithm off only then: else every answer waits 40 ms.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if sys.platform != "win32":  # there it would let two servers share the port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((address, port))
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        raise ConfigError(f"{what} cannot listen on port {port} of {host}: {error.strerror or error}") from error
    return listener


@dataclass(frozen=True, slots=True)
class Bounds:
    """Of a server that others reach: how many connections each address may have, proxies excepted, which bring many
    people's; the bytes of a request's head; the seconds that what is being answered has at the end."""

    each: int
    is_proxy: Callable[[str], bool]
    largest_head: int
    grace_s: int


class Server(uvicorn.Server):
    """Serves `app` to at most `most` connections at a time, until `should_exit`: signals are their owner's.

    `force_exit` ends it without waiting for answers. Without `bounds`, all that come are this machine's own.
    """

    def __init__(self, app: ASGIApp, *, most: int, lifespan: bool, bounds: Bounds | None = None) -> None:
        room = _Room(_affordable(most), bounds)
        super().__init__(
            uvicorn.Config(
                app,
                http=cast("Any", partial(_FromAfar if bounds else _Bounded, room)),  # uvicorn only ever calls it
                ws="none",
                lifespan="on" if lifespan else "off",
                log_config=None,
                log_level="error",  # its warnings are of requests that are none
                access_log=False,  # it would hold the sign-in links
                server_header=False,
                proxy_headers=False,  # it would believe whoever is on this machine
                backlog=_AT_ONCE,
                timeout_graceful_shutdown=bounds.grace_s if bounds else _GRACE_S,
                h11_max_incomplete_event_size=bounds.largest_head if bounds else None,
                timeout_keep_alive=ceil(PROXY_IDLE_S) if bounds else _KEEP_ALIVE_S,
            )
        )

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        for listener in sockets or ():
            listener.listen(_BACKLOG)  # uvicorn has one number for both

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _affordable(most: int) -> int:
    """At most a quarter of the files that this process may open: the rest is for its work (macOS gives it 256)."""
    if sys.platform == "win32":
        return most
    import resource  # noqa: PLC0415 - not there on Windows

    allowed, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return most if allowed == resource.RLIM_INFINITY else min(most, max(8, allowed // 4))


class _Room:
    """The connections of one server; those on which it waits for the client, in the order in which it began to."""

    def __init__(self, most: int, bounds: Bounds | None) -> None:
        self.most = most
        self.bounds = bounds
        self.taken: set[_Bounded] = set()
        self.waiting: dict[_Bounded, None] = {}
        self.of_address: Counter[str] = Counter()

    def is_proxy(self, address: str) -> bool:
        return self.bounds is not None and bool(address) and self.bounds.is_proxy(address)

    def enter(self, connection: "_Bounded") -> bool:
        """Whether there is room now, the connection that has waited longest having been closed if need be."""
        self.taken.add(connection)
        if self.bounds and connection.address and not self.is_proxy(connection.address):
            self.of_address[connection.address] += 1
            if self.of_address[connection.address] > self.bounds.each and not self._close_oldest(connection.address):
                return False
        return len(self.taken) <= self.most or self._close_oldest()

    def leave(self, connection: "_Bounded") -> None:
        self.waiting.pop(connection, None)
        if connection not in self.taken:
            return
        self.taken.remove(connection)
        if self.of_address[connection.address] > 1:
            self.of_address[connection.address] -= 1
        else:
            del self.of_address[connection.address]

    def _close_oldest(self, address: str = "") -> bool:
        """Whether one that waits could be closed: the longest waiting, of this address where one is named."""
        oldest = next((connection for connection in self.waiting if not address or connection.address == address), None)
        if oldest is not None:
            oldest.end()
        return oldest is not None


class _Bounded(H11Protocol):
    """uvicorn's protocol with the bounds that it lacks: by itself it closes kept-alive connections, and no others."""

    def __init__(self, room: _Room, **options: Any) -> None:
        super().__init__(**options)
        self._room = room
        self._deadline: asyncio.TimerHandle | None = None
        self._stalled: asyncio.TimerHandle | None = None
        self.address = ""

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self.address = self.client[0] if self.client else ""
        if self._room.enter(self):
            self._wait()
        else:
            transport.write(_REFUSAL)
            self.end()

    def handle_events(self) -> None:
        super().handle_events()
        if self._is_answered():
            self._wait_no_longer()

    def on_response_complete(self) -> None:
        self._wait()
        super().on_response_complete()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._room.waiting.setdefault(self)
        self._stalled = self.loop.call_later(STALL_S, self.end)

    def resume_writing(self) -> None:
        super().resume_writing()
        _over(self._stalled)
        if self._is_answered():
            self._wait_no_longer()

    def send_400_response(self, msg: str) -> None:
        if self.cycle:  # its answer may have begun: uvicorn would raise, a traceback for whoever wants to fill the log
            self.end()
        else:
            super().send_400_response(msg)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._left()

    def end(self) -> None:
        self._left()
        if self.transport.get_write_buffer_size():  # whoever reads nothing would keep it open
            self.transport.abort()
        else:
            self.transport.close()

    def _is_answered(self) -> bool:
        """Whether a whole request is being answered, and its answer read: that may take as long as it needs."""
        begun = self.cycle is not None and not (self.cycle.more_body or self.cycle.response_complete)
        return begun and not self.flow.write_paused

    def _left(self) -> None:
        self._room.leave(self)
        self._wait_no_longer()
        _over(self._stalled)

    def _wait(self, longest_s: float | None = None) -> None:
        self._wait_no_longer()
        self._room.waiting[self] = None
        self._deadline = self.loop.call_later(REQUEST_S if longest_s is None else longest_s, self.end)

    def _wait_no_longer(self) -> None:
        self._room.waiting.pop(self, None)
        _over(self._deadline)


class _FromAfar(_Bounded):
    """A proxy keeps its connections for others: an idle one of a listed proxy stays. Once a request has begun on it,
    that has no longer than any other."""

    _idle = False

    def data_received(self, data: bytes) -> None:
        if self._idle:
            self._idle = False
            self._wait()
        super().data_received(data)

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self._room.is_proxy(self.address) and self._deadline and not self._deadline.cancelled():
            self._idle = True
            self._wait(PROXY_IDLE_S)


def _over(timer: asyncio.TimerHandle | None) -> None:
    if timer is not None:
        timer.cancel()
