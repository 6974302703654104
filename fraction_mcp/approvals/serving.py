"""The inbox while it is served: on the loopback, ended cleanly, and shown to a person who can come in.

It may live inside a stdio server: it writes nothing to stdout, leaves the signals alone, and its sign-in links go to
the browser and to `announce`, never to a log.
"""

import logging
import os
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path

import anyio
from anyio.abc import TaskGroup
from starlette.types import ASGIApp

from fraction_mcp.approvals.auth import InboxAuth
from fraction_mcp.approvals.bookmark import kept_bookmark
from fraction_mcp.approvals.browser import browser_is_there, lead_in, wait_to_open_s
from fraction_mcp.approvals.known import Known, Proofs, new_known
from fraction_mcp.approvals.pages import Around, Pages
from fraction_mcp.approvals.process import known_as, until_needless
from fraction_mcp.approvals.senders import is_anybody_alive
from fraction_mcp.errors import ConfigError
from fraction_mcp.loopback import Server, listening
from fraction_mcp.operations.writes.service import WriteService
from fraction_mcp.operations.writes.states import State

__all__ = ["serve_for_servers", "serve_inbox", "to_its_end"]

logger = logging.getLogger(__name__)

_MOST_CONNECTIONS = 64
_BROWSER_LINK_S = 60  # longer than its file is there: a browser that has read it may still be starting


async def serve_inbox(
    service: WriteService,
    folder: Path,
    *,
    port: int = 0,
    open_browser: bool,
    announce: Callable[[str], None] | None = None,
) -> None:
    """Serve the pages on 127.0.0.1 until cancelled. Raises ConfigError where the port is taken.

    `announce` is given a sign-in link that stays good until it is used. The browser gets one of its own, by way of a
    file in `folder`, this user's state folder. Where nobody could come in (no browser, nobody to announce to), nothing
    is served.
    """
    opens = open_browser and browser_is_there(os.environ)
    if not opens and announce is None:
        _say("a write waits for a person, and there is no browser to show it in")
        return
    async with _inbox(service, folder, port, opens=opens) as inbox:
        if announce is not None:
            announce(inbox.auth.new_link().address)
        if opens:
            await inbox.usher.show(on_request=announce is not None)
        await anyio.sleep_forever()


async def serve_for_servers(service: WriteService, folder: Path) -> None:
    """Serve the pages to whoever is shown in at the request of this folder's servers, until nothing needs it."""
    async with (
        _inbox(service, folder, 0, opens=browser_is_there(os.environ), for_servers=True) as inbox,
        known_as(folder, inbox.known) as known,
        anyio.create_task_group() as group,
    ):
        group.start_soon(inbox.shown)
        await until_needless(service, inbox.pages, folder, known)
        group.cancel_scope.cancel()


@dataclass
class _Inbox:
    auth: InboxAuth
    pages: Pages
    usher: "_Usher"
    known: Known
    recall: list[anyio.Event]

    async def shown(self) -> None:
        """Each time a server asks for its person, the browser is opened, unless somebody looks already."""
        while True:
            await self.recall[0].wait()
            self.recall[0] = anyio.Event()
            if not self.pages.watched_by:
                await self.usher.show()


@asynccontextmanager
async def _inbox(
    service: WriteService, folder: Path, port: int, *, opens: bool, for_servers: bool = False
) -> AsyncIterator[_Inbox]:
    with closing(listening("127.0.0.1", port, what="the inbox")) as listener:
        auth = InboxAuth(listener.getsockname()[1])
        known = new_known(listener.getsockname()[1])
        recall = [anyio.Event()]
        bookmark: list[Path | None] = [None]
        async with anyio.create_task_group() as decisions:
            usher = _Usher(service, auth, folder)

            async def open_here(write: str) -> float:
                return await usher.open_now(write, decisions)

            def show() -> None:
                recall[0].set()

            around = Around(
                open_here=open_here if opens else None,
                show=show,
                proofs=Proofs(known) if for_servers else None,
                known=known,
                alive=lambda write: is_anybody_alive(folder, write),
                kept=lambda: str(bookmark[0] or ""),
            )
            shut_down = anyio.Event()
            pages = Pages(service, auth, lambda work: to_its_end(decisions, work), shut_down, around)
            usher.pages = pages
            async with _served(pages.app, listener, shut_down), kept_bookmark(auth, known, folder) as bookmark[0]:
                yield _Inbox(auth, pages, usher, known, recall)


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


async def to_its_end(decisions: TaskGroup, work: Callable[[], Awaitable[None]]) -> None:
    """Run `work` outside the request that asked for it: a browser that leaves, or a server that closes its
    connections, does not stop a write half way."""
    over = anyio.Event()
    raised: list[Exception] = []
    waits = True

    async def run() -> None:
        try:
            await work()
        except Exception as error:
            raised.append(error)  # for whoever asked
            if not waits:
                logger.exception("what was decided could not be carried out to its end")
        finally:
            over.set()

    decisions.start_soon(run)
    try:
        await over.wait()
    finally:
        waits = False
    if raised:
        raise raised[0]


class _Usher:
    """Shows a person in, by their browser: at most once a minute, and not where it has become needless meanwhile."""

    pages: Pages

    def __init__(self, service: WriteService, auth: InboxAuth, folder: Path) -> None:
        self._service = service
        self._auth = auth
        self._folder = folder

    async def open_now(self, write: str, tasks: TaskGroup) -> float:
        """Open it on one write, if it may be opened now; in how many seconds it may (0: it is being opened)."""
        try:
            wait_s = wait_to_open_s(self._folder)
        except ConfigError as error:
            _say(f"the browser cannot be opened: {error}")
            return _BROWSER_LINK_S
        if wait_s <= 0:
            tasks.start_soon(self._lead_in, write)
        return wait_s

    async def _lead_in(self, write: str = "") -> None:
        before = self._auth.visitors
        try:
            await lead_in(self._auth.new_link(lasts_s=_BROWSER_LINK_S, write=write), self._folder)
        except (ConfigError, OSError) as error:
            _say(f"the browser cannot be opened: {error}")
            return
        if self._auth.visitors == before:
            _say("nobody has come in through the browser that was opened")

    async def show(self, *, on_request: bool = False) -> None:
        """`on_request`: a person asked for it, and is told where they must wait."""
        try:
            if await self._may_open(on_request=on_request):
                await self._lead_in()
        except (ConfigError, OSError) as error:
            _say(f"the browser cannot be opened: {error}")

    async def _may_open(self, *, on_request: bool) -> bool:
        deferred = False
        while (wait := wait_to_open_s(self._folder)) > 0:
            if on_request and not deferred:
                sys.stderr.write(f"The browser was opened a moment ago, and is not opened again for {wait:.0f} s.\n")
            deferred = True
            await anyio.sleep(wait)
            if self.pages.watched_by or not await self._is_needed(on_request=on_request):
                return False
        return True

    async def _is_needed(self, *, on_request: bool) -> bool:
        """Whether, after a while, a person must still be shown in."""
        if on_request:
            return not self._auth.visitors
        return bool(await self._service.journal.latest((State.AWAITING, State.UNKNOWN), limit=1))


def _say(what: str) -> None:
    sys.stderr.write(f"fraction-mcp: {what}; the link that `fraction-mcp approvals` prints opens the approval inbox\n")
