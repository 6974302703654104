"""One embedded company for the folder, reached in process and over real sockets, and clients that wait for nobody.

Both ways lead to the same application, so that a test sees its request log and arms its faults whichever way the bytes
went. Each request's connection is noted on the way in: which requests shared one is part of what is tested.
"""

import asyncio
import contextlib
import re
import socket
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import httpx
import pytest
import uvicorn
from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.types import Receive, Scope, Send

from fraction_mcp import sandbox
from fraction_mcp.erp.auth import FractionSignIn, FracttalSignIn
from fraction_mcp.erp.client import ErpClient
from fraction_mcp.erp.endpoints import System
from fraction_mcp.sandbox.settings import DEFAULTS


@dataclass
class Clock:
    """The client's clock, which moves when it is told to."""

    now: datetime = field(default_factory=lambda: datetime.now(UTC))

    def __call__(self) -> datetime:
        return self.now

    def ahead(self, **time: float) -> None:
        self.now += timedelta(**time)


@dataclass
class Noting:
    """The application behind a note of every request: its method, path and connection."""

    app: Starlette
    seen: list[tuple[str, str, object]] = field(default_factory=list)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            self.seen.append((scope["method"], scope["path"], scope.get("client")))
        await self.app(scope, receive, send)

    def connections(self, method: str, ending: str) -> list[object]:
        return [client for m, path, client in self.seen if m == method and path.endswith(ending)]


@dataclass
class World:
    """The embedded ERPs, one way of reaching them, and what a test may turn."""

    app: Starlette
    noting: Noting
    url: str
    transport: httpx.AsyncBaseTransport | None
    clock: Clock
    slept: list[float] = field(default_factory=list)
    clients: list[ErpClient] = field(default_factory=list)

    @property
    def arm(self) -> Callable[..., Any]:
        return self.app.state.faults.arm

    def log(self, *, system: str = "") -> list[str]:
        """What was asked so far: "GET /parts 200"."""
        return [
            f"{entry.method} {entry.endpoint} {entry.status}"
            for entry in self.app.state.requests
            if system in {"", entry.system}
        ]

    def count(self, asked: str) -> int:
        return sum(line.startswith(asked + " ") for line in self.log())

    async def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.clock.ahead(seconds=seconds)

    def fraction(self, *, email: str = sandbox.EMAIL, password: str = sandbox.PASSWORD, **more: Any) -> ErpClient:
        sign_in = partial(FractionSignIn, email=email, password=SecretStr(password))
        return self._client(System.FRACTIONERP, sandbox.FRACTION_PATH, sign_in, more)

    def fracttal(self, *, client_id: str = sandbox.CLIENT_ID, secret: str = sandbox.CLIENT_SECRET) -> ErpClient:
        sign_in = partial(FracttalSignIn, client_id=client_id, client_secret=SecretStr(secret))
        token_url = self.url + sandbox.FRACTTAL_TOKEN_PATH
        return self._client(System.FRACTTAL, sandbox.FRACTTAL_PATH, sign_in, {"token_url": token_url})

    def _client(self, system: System, path: str, sign_in: Any, more: dict[str, Any]) -> ErpClient:
        settings: dict[str, Any] = {
            "timeout_s": 10.0,
            "clock": self.clock,
            "sleep": self._sleep,
            "transport": self.transport,
        } | more
        client = ErpClient(system, self.url + path, sign_in=sign_in, **settings)
        self.clients.append(client)
        return client


@pytest.fixture(scope="session")
def noting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Noting]:
    app = sandbox.open_sandbox(Path(tmp_path_factory.mktemp("company")) / "sandbox.db", parts=40)
    yield Noting(app)
    app.state.store.close()


@pytest.fixture(scope="session")
def address(noting: Noting) -> Iterator[str]:
    """uvicorn in a thread. It listens before it runs, so that nobody has to wait for it."""
    # asyncio turns Nagle's algorithm off only where the protocol is named: else every answer takes 40 ms.
    with contextlib.closing(socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)) as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(64)
        config = uvicorn.Config(
            noting, http="h11", lifespan="off", log_level="critical", log_config=None, timeout_graceful_shutdown=1
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        server.should_exit = True
        thread.join()


@pytest.fixture
async def _fresh(noting: Noting) -> AsyncIterator[Callable[[str, httpx.AsyncBaseTransport | None], World]]:
    worlds: list[World] = []

    def made(url: str, transport: httpx.AsyncBaseTransport | None) -> World:
        worlds.append(World(noting.app, noting, url, transport, Clock()))
        return worlds[-1]

    state = noting.app.state
    state.requests.clear()
    noting.seen.clear()
    yield made
    state.faults.clear()
    for name, value in DEFAULTS.items():
        setattr(state, name, value)
    for client in (client for world in worlds for client in world.clients):
        await client.aclose()


@pytest.fixture
async def near(_fresh: Callable[..., World], noting: Noting) -> World:
    """In process. A connection cannot break here, and an exception of the application is a status 500."""
    return _fresh("http://sandbox", httpx.ASGITransport(noting, raise_app_exceptions=False))


@pytest.fixture
async def wired(_fresh: Callable[..., World], address: str) -> World:
    """Over real sockets."""
    return _fresh(address, None)


@pytest.fixture(params=["in process", "sockets"])
async def world(request: pytest.FixtureRequest, _fresh: Callable[..., World], noting: Noting, address: str) -> World:
    if request.param == "sockets":
        return _fresh(address, None)
    return _fresh("http://sandbox", httpx.ASGITransport(noting, raise_app_exceptions=False))


@pytest.fixture
def nowhere() -> Iterator[str]:
    """An address of this machine at which nobody listens: the port is held, and not listened at."""
    with contextlib.closing(socket.socket()) as held:
        held.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{held.getsockname()[1]}"


class Scripted:
    """A server that answers each request with the next bytes of a script, whatever is asked; it notes what was sent."""

    def __init__(self) -> None:
        self.url = ""
        self.script: list[bytes | Callable[[asyncio.StreamWriter], Awaitable[None]]] = []
        self.received: list[bytes] = []
        self._open: dict[asyncio.Task[None] | None, asyncio.StreamWriter] = {}

    async def aclose(self) -> None:
        for writer in self._open.values():
            writer.transport.abort()
        await asyncio.gather(*(task for task in self._open if task), return_exceptions=True)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open[asyncio.current_task()] = writer
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = re.search(rb"content-length: (\d+)", head, re.IGNORECASE)
                self.received.append(head + await reader.readexactly(int(length[1]) if length else 0))
                if not self.script:
                    break
                step = self.script.pop(0)
                if isinstance(step, bytes):
                    writer.write(step)
                    await writer.drain()
                else:
                    await step(writer)
                    break
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


def reply(status: str, body: bytes = b"", **headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *(f"{k}: {v}" for k, v in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode() + body


class Scripting(Protocol):
    async def __call__(self, *script: Any) -> Scripted: ...


@pytest.fixture
async def scripted() -> AsyncIterator[Scripting]:
    """Starts a scripted server. Its script is a list of (status, body, headers), or of functions of the writer."""
    async with contextlib.AsyncExitStack() as stack:

        async def start(*script: Any) -> Scripted:
            made = Scripted()
            made.script = [reply(step[0], *step[1:2], **dict(*step[2:])) if isinstance(step, tuple) else step
                           for step in script]  # fmt: skip
            server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
            stack.push_async_callback(server.wait_closed)
            stack.push_async_callback(made.aclose)
            stack.callback(server.close)
            made.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            return made

        yield start
