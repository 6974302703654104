"""SQLite as a journal needs it: the write lock from the start of a transaction, a commit that is on disk, and one trip
to a connection's thread for a statement."""

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import aiosqlite
import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

__all__ = ["READS", "sqlite_engine"]

_AGAIN_S = 0.01
READS = {"fraction_mcp_reads": True}


def sqlite_engine(file: Path, *, busy_s: float) -> AsyncEngine:
    """pysqlite's own transaction control is switched off, as SQLAlchemy's SQLite documentation describes."""
    engine = create_async_engine(sa.URL.create("sqlite+aiosqlite", database=str(file)), hide_parameters=True)

    @event.listens_for(engine.sync_engine, "connect")
    def connected(connection: Any, _record: Any) -> None:
        driver = connection.driver_connection
        driver.cursor = lambda: _Statement(driver)
        connection.isolation_level = None
        connection.run_async(lambda driver: driver._execute(_set_up, driver._conn, busy_s))  # noqa: SLF001 - as in _Statement

    @event.listens_for(engine.sync_engine, "begin")
    def begun(connection: sa.Connection) -> None:
        reads = connection.get_execution_options().get("fraction_mcp_reads")
        connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")

    return engine


def _set_up(connection: sqlite3.Connection, busy_s: float) -> None:
    """SQLite waits for others by itself, but not before it changes how a file is written, which only a new one needs:
    of two processes that make a journal at the same moment, one was told that it is locked."""
    connection.execute(f"PRAGMA busy_timeout={round(busy_s * 1000)}")
    until = monotonic() + busy_s
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            break
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or monotonic() > until:
                raise
            sleep(_AGAIN_S)
    connection.execute("PRAGMA synchronous=FULL")


class _Statement:
    """The cursor that SQLAlchemy asks for. aiosqlite's own goes to the connection's thread four times for a statement:
    to be made, to execute, to fetch, to be closed. Each trip waits for the event loop's next turn, which under load is
    long, and a transaction holds up all others meanwhile."""

    def __init__(self, connection: aiosqlite.Connection) -> None:
        self._connection: Any = connection  # its own thread and SQLite's own connection have no public way to them
        self._rows: list[Any] = []
        self.description: Any = None
        self.rowcount = -1
        self.lastrowid: int | None = None
        self.arraysize = 1

    async def __aenter__(self) -> "_Statement":
        return self

    async def execute(self, sql: str, parameters: Sequence[Any] = ()) -> None:
        await self._connection._execute(self._executed, sql, parameters)  # noqa: SLF001

    async def executemany(self, sql: str, parameters: Sequence[Sequence[Any]]) -> None:
        await self._connection._execute(self._executed, sql, parameters, many=True)  # noqa: SLF001

    def _executed(self, sql: str, parameters: Sequence[Any], *, many: bool = False) -> None:
        cursor: sqlite3.Cursor = self._connection._conn.cursor()  # noqa: SLF001
        try:
            (cursor.executemany if many else cursor.execute)(sql, parameters)
            self.description, self.rowcount, self.lastrowid = cursor.description, cursor.rowcount, cursor.lastrowid
            self._rows = cursor.fetchall() if cursor.description else []
        finally:
            cursor.close()

    async def fetchall(self) -> list[Any]:
        return self._rows

    async def close(self) -> None:
        """It was, when it had been executed."""
