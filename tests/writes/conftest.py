"""A firm for each test: the embedded ERPs, in process and behind a real socket, with offices that work in them."""

import contextlib
import shutil
import socket
import threading
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

import anyio
import pytest
import uvicorn
from starlette.types import Receive, Scope, Send

from fraction_mcp import sandbox
from fraction_mcp.operations.writes.journal_database import JournalDatabase
from tests.writes.firm import CASES, Case, Firm

JournalDatabase.answer_s = 60.0  # the machine may be busy; a test of the limit sets its own


@pytest.fixture(params=[case.tool for case in CASES])
def case(request: pytest.FixtureRequest) -> Case:
    return next(case for case in CASES if case.tool == request.param)


class _Current:
    """The application of the test that runs, behind one socket for all of them."""

    app: Any = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app(scope, receive, send)


@pytest.fixture(scope="session")
def company(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("company") / "sandbox.db"
    sandbox.open_sandbox(path, parts=40).state.store.close()
    return path


@pytest.fixture(scope="session")
def socketed() -> Iterator[tuple[_Current, str]]:
    current = _Current()
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as listening:
        config = uvicorn.Config(
            current, http="h11", lifespan="off", log_level="critical", log_config=None, timeout_graceful_shutdown=1
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        yield current, f"http://127.0.0.1:{listening.getsockname()[1]}"
        server.should_exit = True
        thread.join()


@pytest.fixture
def firm(company: Path, socketed: tuple[_Current, str], tmp_path: Path) -> Iterator[Firm]:
    current, url = socketed
    current.app = sandbox.open_sandbox(Path(shutil.copy(company, tmp_path / "sandbox.db")))
    yield Firm(current.app, url, tmp_path / "state")
    current.app.state.faults.clear()
    current.app.state.store.close()


class Until(Protocol):
    async def __call__(self, condition: Callable[[], Any], deadline_s: float = 15) -> Any: ...


@pytest.fixture
def until() -> Until:
    """Waits for a condition, with a deadline, giving way in between."""

    async def wait(condition: Callable[[], Any], deadline_s: float = 15) -> Any:
        with anyio.fail_after(deadline_s):
            while True:
                found = condition()
                found = await found if isinstance(found, Awaitable) else found
                if found:
                    return found
                await anyio.lowlevel.checkpoint() if deadline_s < 1 else await anyio.sleep(0.01)

    return wait
