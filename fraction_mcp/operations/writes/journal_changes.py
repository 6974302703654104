"""Waiting until the journal has changed: told by PostgreSQL, and looked for where nobody tells.

A change is seen by the end of the chain, never by a message alone: one that is lost only comes later. SQLite tells
nobody, so it is looked at every second; and so is PostgreSQL while the one connection that listens is gone.
"""

import logging

import anyio
import anyio.lowlevel
import sqlalchemy as sa

from fraction_mcp.operations.writes.journal_database import JournalDatabase, Listening
from fraction_mcp.operations.writes.journal_tables import CHANNEL, head

__all__ = ["Changes"]

logger = logging.getLogger(__name__)

_LOOK_S = 1.0
_SELDOM_S = 5.0  # while somebody tells: a connection may be dead, and not know it


class Changes:
    """One for a process and its database, whoever waits there."""

    def __init__(self, database: JournalDatabase) -> None:
        self._database = database
        self._listening: Listening | None = None
        self._notified = anyio.Event()
        self._lost = False
        self._trying = False
        self._tried_at = float("-inf")

    async def wait(self, seen: str, within_s: float) -> str:
        """The end of the chain as soon as it is another than `seen`; as it is where that takes longer than that."""
        until = anyio.current_time() + within_s
        while True:
            await anyio.lowlevel.checkpoint()  # a look is out of reach of who cancels
            listens = await self._listens()
            notified = self._notified  # before the look: what comes after it sets this one
            end = await self.look()
            left = until - anyio.current_time()
            if end != seen or left <= 0:
                return end
            with anyio.move_on_after(min(left, _SELDOM_S if listens else _LOOK_S)):
                await notified.wait()

    async def look(self) -> str:
        async with self._database.query() as connection:
            return str((await connection.execute(sa.select(head.c.hash))).scalar_one())

    async def _listens(self) -> bool:
        """Whether PostgreSQL tells; where it does not, it is asked to, once a second by one of those who wait."""
        if not self._database.shared or self._trying:
            return False
        if self._listening is not None and not self._lost:
            return True
        if anyio.current_time() - self._tried_at < _LOOK_S:
            return False
        self._trying, self._tried_at = True, anyio.current_time()
        try:
            await self._end()
            self._lost = False
            self._listening = await self._database.listen(CHANNEL, self._wake, self._is_lost)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is looked at every second meanwhile
            logger.info("the journal's database does not tell of changes, and is looked at: %s", error)
        finally:
            self._trying = False
        return self._listening is not None and not self._lost

    def _wake(self) -> None:
        notified, self._notified = self._notified, anyio.Event()
        notified.set()

    def _is_lost(self) -> None:
        self._lost = True
        self._wake()

    async def _end(self) -> None:
        listening, self._listening = self._listening, None
        if listening is not None:
            await listening.end()

    async def aclose(self) -> None:
        await self._end()
