"""The inbox while it is served: on the loopback, ended cleanly, and shown to a person who can come in.

It may live inside a stdio server: it writes nothing to stdout, leaves the signals alone, and its sign-in links go to
the browser and to `announce`, never to a log.
"""

import os
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, closing
from pathlib import Path

import anyio
from anyio.abc import TaskGroup
from starlette.types import ASGIApp

from fraction_mcp.approvals.auth import InboxAuth
from fraction_mcp.approvals.browser import browser_is_there, lead_in, wait_to_open_s
from fraction_mcp.approvals.pages import Pages
from fraction_mcp.errors import ConfigError
from fraction_mcp.loopback import Server, listening
from fraction_mcp.operations.writes.service import WriteService
from fraction_mcp.operations.writes.states import State

__all__ = ["serve_inbox"]

_MOST_CONNECTIONS = 64
_BROWSER_LINK_S = 60  # longer than its file is there: a browser that has read it may still be starting


async def serve_inbox(
    service: WriteService,
    folder: Path,
    *,
    port: int = 0,
    open_browser: bool,
    announce: Callable[[str], None] | None = None,
    recalled: Callable[[], Awaitable[None]] | None = None,
) -> None:
    """Serve the pages on 127.0.0.1 until cancelled. Raises ConfigError where the port is taken.

    `announce` is given a sign-in link that stays good until it is used. The browser gets one of its own, by way of a
    file in `folder`, this user's state folder. Each time `recalled` returns, the browser is opened again, unless
    somebody is looking at the inbox. Where nobody could come in (no browser, nobody to announce to), nothing is served.
    """
    opens = open_browser and browser_is_there(os.environ)
    if not opens and announce is None:
        _say("a write waits for a person, and there is no browser to show it in")
        return
    with closing(listening("127.0.0.1", port, what="the inbox")) as listener:
        auth = InboxAuth(listener.getsockname()[1])
        async with anyio.create_task_group() as decisions:
            shut_down = anyio.Event()
            pages = Pages(service, auth, lambda work: _to_its_end(decisions, work), shut_down)
            async with _served(pages.app, listener, shut_down):
                if announce is not None:
                    announce(auth.new_link().address)
                usher = _Usher(service, auth, pages, folder)
                if opens:
                    await usher.show(asked=announce is not None)
                while recalled is not None:
                    await recalled()
                    if opens and not pages.watched_by:
                        await usher.show()
                await anyio.sleep_forever()


@asynccontextmanager
async def _served(app: ASGIApp, listener: socket.socket, shut_down: anyio.Event) -> AsyncIterator[None]:
    server = Server(app, most=_MOST_CONNECTIONS, lifespan=False)

    async def serve() -> None:
        with anyio.CancelScope(shield=True):  # it is told to end, so that it ends in order
            await server.serve(sockets=[listener])

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


class _Usher:
    """Shows a person in, by their browser: at most once a minute, and not where it has become needless meanwhile."""

    def __init__(self, service: WriteService, auth: InboxAuth, pages: Pages, folder: Path) -> None:
        self._service = service
        self._auth = auth
        self._pages = pages
        self._folder = folder

    async def show(self, *, asked: bool = False) -> None:
        """`asked`: a person asked for it, and is told where they must wait."""
        try:
            if await self._may_open(asked=asked):
                before = self._auth.visitors
                await lead_in(self._auth.new_link(lasts_s=_BROWSER_LINK_S), self._folder)
                if self._auth.visitors == before:
                    _say("nobody has come in through the browser that was opened")
        except (ConfigError, OSError) as error:
            _say(f"the browser cannot be opened: {error}")

    async def _may_open(self, *, asked: bool) -> bool:
        deferred = False
        while (wait := wait_to_open_s(self._folder)) > 0:
            if asked and not deferred:
                sys.stderr.write(f"The browser was opened a moment ago, and is not opened again for {wait:.0f} s.\n")
            deferred = True
            await anyio.sleep(wait)
            if self._pages.watched_by or not await self._is_needed(asked=asked):
                return False
        return True

    async def _is_needed(self, *, asked: bool) -> bool:
        """Whether, after a while, a person must still be shown in."""
        if asked:
            return not self._auth.visitors
        return bool(await self._service.journal.latest((State.AWAITING,), limit=1))


def _say(what: str) -> None:
    sys.stderr.write(f"fraction-mcp: {what}; the link that `fraction-mcp approvals` prints opens the approval inbox\n")
