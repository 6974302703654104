"""The inbox on a socket: bound to the loopback, ended cleanly, and shown in a browser where there is one.

Knows uvicorn and how browsers are started. It may live inside a stdio server: it writes nothing to stdout, leaves the
signals alone, and its sign-in links go to the browser and to `announce`, never to a log.
"""

import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, closing, contextmanager
from pathlib import PurePath

import anyio
import uvicorn
from anyio.abc import TaskGroup
from starlette.types import ASGIApp

from fraction_mcp.approvals.door import Door
from fraction_mcp.approvals.pages import Pages
from fraction_mcp.errors import ConfigError
from fraction_mcp.operations.approval import Clerk

__all__ = ["browser_is_there", "serve_inbox"]

_BROWSER_LINK_S = 600
_GRACE_S = 5
_TEXT_BROWSERS = {"www-browser", "links", "links2", "elinks", "lynx", "w3m", "browsh"}


async def serve_inbox(
    clerk: Clerk,
    *,
    port: int = 0,
    open_browser: bool,
    announce: Callable[[str], None] | None = None,
    recalled: Callable[[], Awaitable[None]] | None = None,
) -> None:
    """Serve the pages on 127.0.0.1 until cancelled. Raises ConfigError where the port is taken.

    `announce` is given a sign-in link that stays good until it is used; one for the browser lasts ten minutes. Each
    time `recalled` returns, the browser is opened again, unless somebody is looking at the inbox.
    """
    with closing(_listening(port)) as listening:
        door = Door(listening.getsockname()[1])
        async with anyio.create_task_group() as decisions:
            shut_down = anyio.Event()
            pages = Pages(clerk, door, lambda work: _to_its_end(decisions, work), shut_down)
            async with _served(pages.app, listening, shut_down):
                if announce is not None:
                    announce(door.new_link())
                if open_browser:
                    await _show(door.new_link(lasts_s=_BROWSER_LINK_S))
                while recalled is not None:
                    await recalled()
                    if open_browser and not pages.watched_by:
                        await _show(door.new_link(lasts_s=_BROWSER_LINK_S))
                await anyio.sleep_forever()


def _listening(port: int) -> socket.socket:
    try:
        return socket.create_server(("127.0.0.1", port))
    except OSError as error:
        raise ConfigError(f"the inbox cannot listen on port {port}: {error.strerror or error}") from error


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals are the business of the process that this one lives in."""
        yield


@asynccontextmanager
async def _served(app: ASGIApp, listening: socket.socket, shut_down: anyio.Event) -> AsyncIterator[None]:
    config = uvicorn.Config(
        app,
        http="h11",
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="warning",
        access_log=False,  # it would hold the sign-in links
        server_header=False,
        timeout_graceful_shutdown=_GRACE_S,
    )
    server = _Server(config)

    async def serve() -> None:
        with anyio.CancelScope(shield=True):  # it is told to end, so that it ends in order
            await server.serve(sockets=[listening])

    async with anyio.create_task_group() as group:
        group.start_soon(serve)
        try:
            yield
        finally:
            shut_down.set()
            server.should_exit = True


async def _to_its_end(decisions: TaskGroup, work: Callable[[], Awaitable[None]]) -> None:
    """Run `work` outside the request that asked for it: a browser that leaves, or a server that closes its
    connections, does not stop a write half way."""
    over = anyio.Event()
    raised: list[Exception] = []

    async def run() -> None:
        try:
            await work()
        except Exception as error:  # noqa: BLE001 - handed to whoever asked
            raised.append(error)
        finally:
            over.set()

    decisions.start_soon(run)
    await over.wait()
    if raised:
        raise raised[0]


# ------------------------------------------------------------------------------------------------------------ browsers


def browser_is_there(environment: Mapping[str, str], platform: str = sys.platform) -> bool:
    """Whether a browser with windows can be opened: one that is named, or any where there is a display."""
    if words := environment.get("BROWSER", "").partition(os.pathsep)[0].split():
        return PurePath(words[0]).name not in _TEXT_BROWSERS
    if platform in {"win32", "darwin", "cygwin"}:
        return True
    return bool(environment.get("DISPLAY") or environment.get("WAYLAND_DISPLAY"))


async def _show(link: str) -> None:
    """Open the browser from a process of its own: whatever it prints or reads is not our stdin and stdout."""
    if not browser_is_there(os.environ):
        return
    # Without TERM the standard library does not fall back to a text browser.
    environment = {name: value for name, value in os.environ.items() if name != "TERM"}
    command = [sys.executable, "-m", "webbrowser", link]
    devnull = subprocess.DEVNULL
    with anyio.move_on_after(30):  # a browser that stays in the foreground may go on without being waited for
        await anyio.run_process(
            command, check=False, stdin=devnull, stdout=devnull, stderr=devnull, env=environment, start_new_session=True
        )
