"""The embedded ERPs behind a socket that does what its fault says, and tells whether that happened.

Knows HTTP/1.1 as far as one request a connection goes, and nothing of the package.
"""

import asyncio
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from starlette.types import ASGIApp

from torture.certificates import Certificates
from torture.wire_faults import FAULTS, Exchange, Fault, is_sign_in

__all__ = ["FAULTS", "Exchange", "Fault", "Wire"]

_PASSED_ON: tuple[str, ...] = ("authorization", "content-type", "accept")


def _passed_on(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: headers[name] for name in _PASSED_ON if name in headers}


_SECRETS = (b"authorization:", b"password", b"secret")
_reached: dict[int, int] = {}
"""How often this process has tried to connect to a port that takes no connections: nobody else can see it."""


def _audited(event: str, words: tuple[object, ...]) -> None:
    if event == "socket.connect" and _reached and isinstance(words[1], tuple) and words[1][1] in _reached:
        _reached[words[1][1]] += 1


sys.addaudithook(_audited)


@dataclass(slots=True)
class Wire:
    """`methods` are those that the fault is for; `requests` what came since it was armed, in order, and `exchanges`
    what came of each. `met` is how often the fault changed something; `leaked` what reached the host that a redirect
    leads to and should not have. `shut_after_sign_in`: a fault of the connection begins with the first sign-in."""

    app: ASGIApp
    fault: Fault | None = None
    methods: frozenset[str] = frozenset()
    left: int = 0
    requests: list[str] = field(default_factory=list)
    exchanges: list[Exchange] = field(default_factory=list)
    leaked: list[str] = field(default_factory=list)
    shut_after_sign_in: bool = False
    url: str = ""
    elsewhere: str = ""
    certificates: Certificates | None = None
    _struck_times: int = 0
    _port: int = 0
    _server: asyncio.Server | None = None
    _open: set[asyncio.Task[None]] = field(default_factory=set)

    def arm(self, fault: Fault, methods: frozenset[str], *, shut_after_sign_in: bool = False) -> None:
        """From now on. One that is `untrusted` needs `certificates`, trusted at first, or holds from the start."""
        self.fault, self.methods, self.left, self.shut_after_sign_in = fault, methods, fault.times, shut_after_sign_in
        self._struck_times = 0
        self.requests.clear()
        self.exchanges.clear()

    @property
    def met(self) -> int:
        handshakes = self.certificates.unvouched if self.certificates else 0
        return self._struck_times + _reached.get(self._port, 0) + handshakes

    @asynccontextmanager
    async def served(self) -> AsyncIterator["Wire"]:
        if self.fault and self.fault.untrusted and not self.certificates:
            with tempfile.TemporaryDirectory() as folder:
                self.certificates = Certificates(Path(folder))
            self.shut()
        tls = self.certificates.context() if self.certificates else None
        self._server = server = await asyncio.start_server(self._connected, "127.0.0.1", 0, limit=2**22, ssl=tls)
        other = await asyncio.start_server(self._redirected, "127.0.0.1", 0)
        self._port = server.sockets[0].getsockname()[1]
        _reached.pop(self._port, None)  # of another wire, which had the same
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self._port}"
        self.elsewhere = f"http://localhost:{other.sockets[0].getsockname()[1]}/elsewhere"
        try:
            yield self
        finally:
            server.close()
            other.close()
            for task in self._open:
                task.cancel()

    def shut(self) -> None:
        """From now on no connection is taken, or none that somebody vouches for."""
        if self.certificates:
            self.certificates.vouched = False
        elif self._server and self._port not in _reached:
            _reached[self._port] = 0
            self._server.close()

    async def _redirected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Whoever follows a redirect to here has left the ERP: nothing that is a secret may come along."""
        with suppress(ConnectionError, TimeoutError):
            got = b""
            while more := await asyncio.wait_for(reader.read(65_536), 0.2 if got else 2):
                got += more
        self.leaked += [secret.decode() for secret in _SECRETS if secret in got.lower()]
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")
        writer.close()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            await self._exchanged(reader, writer)
        self._open.discard(task)
        writer.close()

    async def _exchanged(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        method, target, _ = head[0].split(" ", 2)
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:]) if name}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        path = target.partition("?")[0]
        if "/auth/" not in path and "token" not in path:
            self.requests.append(f"{method} {path}")

        async def answered(instead: str = "") -> httpx.Response:
            transport = httpx.ASGITransport(self.app)
            async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as inner:
                answer = await inner.request(method, instead or target, content=body, headers=_passed_on(headers))
            exchange.truth = exchange.truth or answer
            return answer

        exchange = Exchange(method, path, writer, target, self.elsewhere, answered)
        await self._answer(exchange)
        if self.fault and self.fault.shuts and self.shut_after_sign_in and is_sign_in(path):
            self.shut()

    async def _answer(self, exchange: Exchange) -> None:
        self.exchanges.append(exchange)
        struck = self._struck(exchange.method, exchange.path)
        counts = struck is not None and not struck.shuts
        if struck and struck.ages:
            counts = exchange.path.endswith("/auth/refresh")  # a sign-in before it is let through
        self._struck_times += counts  # before it: what hangs is cancelled
        try:
            await (struck.spoils(exchange) if struck else exchange.whole())
        finally:
            self._struck_times -= counts and exchange.unspoilt

    def _struck(self, method: str, path: str) -> Fault | None:
        fault = self.fault
        if fault is None or not self.left or fault.sign_in != is_sign_in(path):
            return None
        if not fault.sign_in and method not in self.methods:
            return None
        self.left -= 1
        return fault
