"""The journal's database: how it is reached, on SQLite and on PostgreSQL, and how long it may take to answer.

Knows connections and transactions; what is in them is the journal's. Whatever fails in here comes out as one of our
errors.
"""

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import anyio
import sqlalchemy as sa
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from fraction_mcp.database_url import read_database_url
from fraction_mcp.errors import ConfigError, JournalUnreachable
from fraction_mcp.operations.writes import migrations
from fraction_mcp.operations.writes.journal_file import file_in, made_private
from fraction_mcp.operations.writes.journal_sqlite import LONG, QUERY, READS, sqlite_engine
from fraction_mcp.operations.writes.journal_trouble import told

__all__ = ["JournalDatabase", "Listening", "brought_up"]

logger = logging.getLogger(__name__)

_ANSWER_S = 5.0
_BUSY_S = 10
_TURN_S = 2
_LOCK_S = 4  # less than that, so that a lock is told as one
_CHANGES, _READINGS = 4, 6  # of this process, at once; a change may wait for others', a reading waits for nobody
_ROOM_S = 30.0  # for which the others wait here, where no time limit of the database runs yet
_CLOSE_S = 2.0
_MIGRATION_S = 120.0
_READS: dict[str, dict[str, Any]] = {
    "sqlite": READS,
    "postgresql": {"isolation_level": "REPEATABLE READ"},  # every query of it sees the same moment
}
_QUERY: dict[str, dict[str, Any]] = {"sqlite": QUERY, "postgresql": {"isolation_level": "AUTOCOMMIT"}}


class JournalDatabase:
    """Use from one event loop. `engine` is SQLAlchemy's; `shared` says whether other machines may use the database.

    What takes longer than `within_s` (`answer_s` unless given) is given up.
    """

    answer_s = _ANSWER_S

    def __init__(self, url: str, folder: Path) -> None:
        """Raises ConfigError for an address that is none, and for a file that is not this user's alone."""
        file = file_in(url, folder)
        self.shared = file is None
        if file is None:
            self.engine = _on_postgresql(url)
        else:
            self.engine = sqlite_engine(made_private(file, named=bool(url)), busy_s=_BUSY_S)
        self._turn = anyio.Lock()
        self._changes, self._readings = anyio.Semaphore(_CHANGES), anyio.Semaphore(_READINGS)
        self._where = _place(self.engine.url) if file is None else str(file)

    @asynccontextmanager
    async def transaction(
        self, *, within_s: float | None = None, opening: bool = False
    ) -> AsyncIterator[AsyncConnection]:
        """One transaction that may change things, committed at the end, even if its caller is cancelled meanwhile."""
        engine = self.engine.execution_options(**LONG) if opening and not self.shared else self.engine
        async with (
            self._with_room(self._changes),
            self._answering(within_s, opening),
            self._in_turn(),
            engine.begin() as connection,
        ):
            yield connection

    @asynccontextmanager
    async def reading(self, *, within_s: float | None = None, opening: bool = False) -> AsyncIterator[AsyncConnection]:
        """What the database held at one moment. No change has to wait for it, nor it for any."""
        async with (
            self._with_room(self._readings),
            self._answering(within_s, opening),
            self.engine.connect() as connection,
        ):
            await connection.execution_options(**_READS[self.engine.dialect.name])
            yield connection

    @asynccontextmanager
    async def query(self, *, within_s: float | None = None) -> AsyncIterator[AsyncConnection]:
        """For one query alone, which sees one moment by itself: it is one trip, without a transaction."""
        async with (
            self._with_room(self._readings),
            self._answering(within_s, opening=False),
            self.engine.connect() as connection,
        ):
            await connection.execution_options(**_QUERY[self.engine.dialect.name])
            yield connection

    @asynccontextmanager
    async def _with_room(self, room: anyio.Semaphore) -> AsyncIterator[None]:
        """First come, first served, where many come at once: else most of what one may take would be others' time."""
        if not self.shared:
            yield
            return
        try:
            with anyio.fail_after(_ROOM_S, shield=True):
                await room.acquire()
        except TimeoutError as error:
            raise JournalUnreachable("the journal is busy", hint="Try again in a moment.", where=self._where) from error
        try:
            yield
        finally:
            room.release()

    @asynccontextmanager
    async def _in_turn(self) -> AsyncIterator[None]:
        """First come, first served, among those of this process. Whoever waits for SQLite's lock asks again and again,
        and under load one who came early never asks at the right moment. PostgreSQL keeps a queue of its own."""
        if self.shared:
            yield
            return
        try:
            with anyio.fail_after(_BUSY_S + _TURN_S):  # whoever has it gives up first, and says why
                await self._turn.acquire()
        except TimeoutError:
            raise PoolTimeout("its turn did not come") from None
        try:
            yield
        finally:
            self._turn.release()

    @asynccontextmanager
    async def _answering(self, within_s: float | None, opening: bool) -> AsyncIterator[None]:
        """The time limit is for a PostgreSQL that is frozen; a SQLite file answers, or says after a while that it is
        locked."""
        within_s = within_s or self.answer_s
        try:
            with anyio.fail_after(within_s if self.shared else None, shield=True):
                yield
        except Exception as error:
            raised = told(error, within_s=within_s, opening=opening, where=self._where)
            if raised is error:
                raise
            raise raised from error

    async def listen(self, channel: str, notify: Callable[[], None], lost: Callable[[], None]) -> "Listening":
        """On PostgreSQL: call `notify` whenever somebody notifies the channel, and `lost` when that ends by itself."""
        async with self._answering(None, opening=False):
            connection = await self.engine.connect()
            listening = Listening(connection)
            try:
                driver: Any = (await connection.get_raw_connection()).driver_connection
                driver.add_termination_listener(lambda _: lost())
                await driver.add_listener(channel, lambda *_: notify())
            except BaseException:
                await listening.end()
                raise
        return listening

    async def aclose(self) -> None:
        with anyio.move_on_after(_CLOSE_S, shield=True):
            await self.engine.dispose()


async def brought_up(database: JournalDatabase) -> int:
    """Bring its schema up, where it is older; the version that it had."""
    async with database.transaction(within_s=_MIGRATION_S, opening=True) as connection:
        before = await connection.run_sync(migrations.brought_up)
    if 0 < before < migrations.VERSION:
        logger.warning("the journal's schema was version %d, and is version %d now", before, migrations.VERSION)
    return before


class Listening:
    """A connection of its own that is told of something, until it is ended."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def end(self) -> None:
        """It is not used again: whoever gets it out of the pool would be told, too."""
        with anyio.move_on_after(_CLOSE_S, shield=True), suppress(Exception):  # it may be dead already
            await self._connection.invalidate()
            await self._connection.close()


# ---------------------------------------------------------------------------------------------------------- PostgreSQL

# A process that stops in the middle of a transaction would hold the journal of all the others for ever.
_SESSION = {
    "application_name": "fraction-mcp",
    "lock_timeout": f"{_LOCK_S}s",
    "idle_in_transaction_session_timeout": "30s",
}


def _on_postgresql(url: str) -> AsyncEngine:
    try:
        text = read_database_url(url).text
    except ValueError as error:
        raise ConfigError(f"FRACTION_MCP_DATABASE_URL: {error}") from None
    return create_async_engine(
        text,
        hide_parameters=True,
        pool_size=_CHANGES + _READINGS,
        max_overflow=1,  # the one that listens
        pool_pre_ping=True,  # a connection from before a restart of PostgreSQL is not handed out
        connect_args={"server_settings": _SESSION},
    )


def _place(url: sa.URL) -> str:
    host = url.host or url.normalized_query.get("host", ("",))[0] or "this machine"
    return f"{host}{f':{url.port}' if url.port else ''}/{url.database or ''}"
