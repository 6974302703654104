"""The tools as a host meets them: the SDK's own client on our server, in process, on the embedded ERPs."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from mcp import Client
from starlette.applications import Starlette

from fraction_mcp.cli.serve import checked_settings
from fraction_mcp.runtime import Runtime
from fraction_mcp.sandbox import open_sandbox
from fraction_mcp.server.app import create_server
from tests.known_tools import knows_the_tools

Hosted = Callable[..., AbstractAsyncContextManager[Client]]


@pytest.fixture(scope="session")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Starlette]:
    """The usual company. These tests only read, so that one serves them all."""
    app = open_sandbox(tmp_path_factory.mktemp("company") / "sandbox.db")
    yield app
    app.state.store.close()


@pytest.fixture
def hosted(app: Starlette, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Hosted:
    """`async with hosted("legacy", read_only=True) as client`: with settings as `serve --sandbox`, but for those."""
    monkeypatch.setenv("FRACTION_MCP_STATE_DIR", str(tmp_path))
    monkeypatch.setenv("FRACTION_CURRENCY", "GBP")
    app.state.requests.clear()

    @asynccontextmanager
    async def host(mode: str = "auto", **changes: Any) -> AsyncIterator[Client]:
        settings = checked_settings(sandbox=True).model_copy(update=changes)
        async with Runtime(settings, app) as runtime, Client(create_server(runtime), mode=mode) as client:
            knows_the_tools(client, settings)
            yield client

    return host


@pytest.fixture(params=["auto", "legacy"])
def mode(request: pytest.FixtureRequest) -> str:
    """`auto` speaks 2026-07-28, `legacy` 2025-11-25."""
    chosen: str = request.param
    return chosen


@pytest.fixture
async def client(hosted: Hosted) -> AsyncIterator[Client]:
    async with hosted() as client:
        yield client
