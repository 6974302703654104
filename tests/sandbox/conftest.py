"""A seeded company for each test (copied, not made again), signed-in clients, and a sandbox behind a real socket."""

import shutil
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import uvicorn
from starlette.applications import Starlette

from fraction_mcp.sandbox import (
    CLIENT_ID,
    CLIENT_SECRET,
    EMAIL,
    FRACTION_PATH,
    FRACTTAL_PATH,
    FRACTTAL_TOKEN_PATH,
    PASSWORD,
    open_sandbox,
)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def company(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("company") / "sandbox.db"
    open_sandbox(path).state.store.close()
    return path


@pytest.fixture
def path(company: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(company, tmp_path / "sandbox.db"))


@pytest.fixture
def app(path: Path) -> Iterator[Starlette]:
    app = open_sandbox(path)
    yield app
    app.state.store.close()


def client_of(app: Starlette, path: str = "") -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=f"http://sandbox{path}")


async def sign_in(client: httpx.AsyncClient, email: str = EMAIL) -> httpx.AsyncClient:
    answer = await client.post("/auth/login", json={"email": email, "password": PASSWORD})
    client.headers["Authorization"] = f"Bearer {answer.json()['data']['access_token']}"
    return client


async def sign_in_fracttal(client: httpx.AsyncClient, client_id: str = CLIENT_ID) -> httpx.AsyncClient:
    url = str(client.base_url).replace(FRACTTAL_PATH, FRACTTAL_TOKEN_PATH).rstrip("/")
    form = {"grant_type": "client_credentials"}
    answer = await client.post(url, auth=(client_id, CLIENT_SECRET), data=form)
    client.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
    return client


@pytest.fixture
async def plain(app: Starlette) -> AsyncIterator[httpx.AsyncClient]:
    """Nobody in particular, at the root of the sandbox."""
    async with client_of(app) as client:
        yield client


@pytest.fixture
async def fraction(app: Starlette) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(app, FRACTION_PATH) as client:
        yield await sign_in(client)


@pytest.fixture
async def fracttal(app: Starlette) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(app, FRACTTAL_PATH) as client:
        yield await sign_in_fracttal(client)


@dataclass
class People:
    """Signs anybody in, for tests about who may do what."""

    app: Starlette

    @asynccontextmanager
    async def fraction(self, email: str) -> AsyncIterator[httpx.AsyncClient]:
        async with client_of(self.app, FRACTION_PATH) as client:
            yield await sign_in(client, email)

    @asynccontextmanager
    async def fracttal(self, client_id: str) -> AsyncIterator[httpx.AsyncClient]:
        async with client_of(self.app, FRACTTAL_PATH) as client:
            yield await sign_in_fracttal(client, client_id)


@pytest.fixture
def people(app: Starlette) -> People:
    return People(app)


@dataclass
class Live:
    app: Starlette
    url: str


@pytest.fixture(scope="module")
def server(company: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """uvicorn in a thread. It listens before it runs, so that nobody has to wait for it."""
    app = open_sandbox(Path(shutil.copy(company, tmp_path_factory.mktemp("live") / "sandbox.db")))
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:
        config = uvicorn.Config(app, http="h11", log_level="warning", log_config=None, timeout_graceful_shutdown=1)
        running = uvicorn.Server(config)
        thread = threading.Thread(target=running.run, kwargs={"sockets": [listening]})
        thread.start()
        yield Live(app, f"http://127.0.0.1:{listening.getsockname()[1]}")
        running.should_exit = True
        thread.join()


@pytest.fixture
async def live(server: Live) -> AsyncIterator[Live]:
    yield server
    server.app.state.faults.clear()
    server.app.state.requests.clear()


@pytest.fixture
async def wire(live: Live) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=live.url + FRACTION_PATH, timeout=60) as client:
        yield await sign_in(client)
