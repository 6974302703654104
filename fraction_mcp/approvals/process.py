"""The inbox as a process of its own, one a state folder: it outlives the servers that frameworks start for each call.

A server finds the one that runs, or starts it. What it was started with (environment, account) is what it sends for.
It ends by itself once nothing waits, is approved or is being sent, and nobody looks.
"""

import logging
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import anyio

from fraction_mcp.approvals.known import Known, ask, forget, read_known, say_known
from fraction_mcp.approvals.pages import Pages
from fraction_mcp.operations.writes.service import WriteService
from fraction_mcp.operations.writes.states import State
from fraction_mcp.private_files import private_file

__all__ = ["InboxProcess", "is_only_one", "known_as", "until_needless"]

logger = logging.getLogger(__name__)

_START_S = 20.0
_LOOK_S = 0.1
_LEFT_ALONE_S = 300.0
_NEEDLESS_S = 10.0  # for the page that is only being opened
_OPEN = (State.AWAITING, State.APPROVED, State.SENDING)


class InboxProcess:
    """A server's way to the inbox of its state folder. `command` starts one."""

    def __init__(self, folder: Path, command: Sequence[str]) -> None:
        self._folder = folder
        self._command = list(command)
        self._lock = anyio.Lock()
        self._shown_at = -_LEFT_ALONE_S

    async def show(self) -> bool:
        """Have it open its person's browser, unless somebody looks already; whether it does."""
        self._shown_at = anyio.current_time()
        known = await self.found()
        return known is not None and await ask(known, "show")

    async def show_again(self) -> bool:
        """The same for a person who may have closed it: while it runs, they are left alone for five minutes."""
        if anyio.current_time() - self._shown_at < _LEFT_ALONE_S:
            known = read_known(self._folder)
            if known is not None and await ask(known):
                return False
        return await self.show()

    async def found(self) -> Known | None:
        """The one that runs, proved, or a new one; None where it does not come up."""
        async with self._lock:
            known = read_known(self._folder)
            if known is not None and await ask(known):
                return known
            return await self._started()

    async def _started(self) -> Known | None:
        log = os.open(private_file(self._folder / "inbox.log"), os.O_WRONLY | os.O_TRUNC)
        try:
            # Not this server's to end, and not the host's: a session of its own, with no stream of ours.
            process = subprocess.Popen(  # noqa: ASYNC220, S603 - it is left running; the words are our own
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=log,
                start_new_session=True,
                creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
            )
        finally:
            os.close(log)
        with anyio.move_on_after(_START_S):
            while True:
                known = read_known(self._folder)
                if known is not None and await ask(known):
                    return known
                if process.poll() not in {None, 0}:  # 0: another one was there first
                    break
                await anyio.sleep(_LOOK_S)
        logger.warning("the approval inbox could not be started; `fraction-mcp approvals` opens it")
        return None


@asynccontextmanager
async def known_as(folder: Path, known: Known) -> AsyncIterator[Known]:
    say_known(folder, known)
    try:
        yield known
    finally:
        forget(folder, known)


def is_only_one(folder: Path) -> bool:
    """Whether this process is the inbox of the folder, from now until it ends."""
    if sys.platform == "win32":
        return True
    import fcntl  # noqa: PLC0415 - not there on Windows

    descriptor = os.open(private_file(folder / "inbox.lock"), os.O_RDWR)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return False
    return True  # kept open: the lock ends with the process


async def until_needless(service: WriteService, pages: Pages, folder: Path, known: Known) -> None:
    """Return when nothing is open and nobody looks, or another inbox has taken this one's place."""
    since = anyio.current_time()
    while anyio.current_time() - since < _NEEDLESS_S:
        await anyio.sleep(1)
        if read_known(folder) != known:
            return
        try:
            needed = bool(pages.watched_by) or bool(await service.journal.latest(_OPEN, limit=1))
        except Exception:
            logger.exception("the journal cannot be looked at; the inbox goes on")
            needed = True
        since = anyio.current_time() if needed else since
