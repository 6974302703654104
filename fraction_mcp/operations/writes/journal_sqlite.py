"""SQLite as a journal needs it: the write lock from the start of a transaction, a commit that is on disk, and as few
trips to a connection's thread as there can be."""

import sqlite3
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import aiosqlite
import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

__all__ = ["LONG", "QUERY", "READS", "sqlite_engine"]

_AGAIN_S = 0.01
_BEGINS = "fraction_mcp_begins"
READS = {_BEGINS: "BEGIN"}
QUERY = {_BEGINS: ""}  # a statement alone sees one moment by itself
_CHANGES = "BEGIN IMMEDIATE"
LONG = {_BEGINS: f"{_CHANGES} TRANSACTION"}  # the same, all of which goes to the thread


def sqlite_engine(file: Path, *, busy_s: float) -> AsyncEngine:
    """pysqlite's own transaction control is switched off, as SQLAlchemy's SQLite documentation describes."""
    engine = create_async_engine(sa.URL.create("sqlite+aiosqlite", database=str(file)), hide_parameters=True)

    @event.listens_for(engine.sync_engine, "connect")
    def connected(connection: Any, _record: Any) -> None:
        driver = connection.driver_connection
        trips = _Trips(driver)
        driver.cursor, driver.commit, driver.rollback = lambda: _Statement(trips), trips.commit, trips.rollback
        connection.isolation_level = None
        mode = connection.run_async(lambda driver: driver._execute(_set_up, driver._conn, busy_s))  # noqa: SLF001 - as in _Trips
        trips.is_wal = mode == "wal"

    @event.listens_for(engine.sync_engine, "begin")
    def begun(connection: sa.Connection) -> None:
        begins = connection.get_execution_options().get(_BEGINS, _CHANGES)
        if begins:
            connection.exec_driver_sql(begins)

    return engine


def _set_up(connection: sqlite3.Connection, busy_s: float) -> str:
    """How the file is written: "wal", but on a file system that cannot have it.

    SQLite waits for others by itself, but not before it changes how a file is written, which only a new one needs:
    of two processes that make a journal at the same moment, one was told that it is locked."""
    connection.execute(f"PRAGMA busy_timeout={round(busy_s * 1000)}")
    until = monotonic() + busy_s
    while True:
        try:
            (mode,) = connection.execute("PRAGMA journal_mode=WAL").fetchone()
            break
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or monotonic() > until:
                raise
            sleep(_AGAIN_S)
    connection.execute("PRAGMA synchronous=FULL")
    return str(mode)


class _Trips:
    """When a connection's own thread is gone to. Each trip waits for the event loop's next turn, which under load is
    long, and a transaction that changes something holds up all others meanwhile. So of such a one only the beginning,
    which may have to wait for another process, and the commit, which waits for the disk, go there. What is between has
    the lock, takes microseconds a statement, and is run where it stands: the loop stands still until the commit, so
    nothing that is long may be one transaction. Where the file cannot be written as WAL is, such a statement might have
    to wait for readers, and goes to the thread as well."""

    def __init__(self, driver: aiosqlite.Connection) -> None:
        self._driver: Any = driver  # its own thread and SQLite's own connection have no public way to them
        self._commit, self._rollback = driver.commit, driver.rollback
        self.is_wal = False
        self._has_begun_to_change = False
        self._may_be_under_way = False  # the thread may still be at what was given up, or has raised

    @property
    def sqlite(self) -> sqlite3.Connection:
        connection: sqlite3.Connection = self._driver._conn  # noqa: SLF001 - as said above
        return connection

    async def run(self, statement: Callable[[], object], *, begins_to_change: bool) -> None:
        if self._has_begun_to_change and self._driver.in_transaction and self.is_wal:
            statement()
            return
        self._may_be_under_way, self._has_begun_to_change = True, False
        await self._driver._execute(statement)  # noqa: SLF001 - as said above
        self._may_be_under_way = False
        self._has_begun_to_change = begins_to_change

    async def commit(self) -> None:
        self._may_be_under_way = True
        await self._commit()
        self._may_be_under_way = False

    async def rollback(self) -> None:
        """SQLAlchemy asks for it whenever a connection goes back to its pool: mostly there is nothing to roll back."""
        if self._may_be_under_way or self._driver.in_transaction:
            await self._rollback()
            self._may_be_under_way = False


class _Statement:
    """The cursor that SQLAlchemy asks for. aiosqlite's own goes to the connection's thread four times for a statement:
    to be made, to execute, to fetch, to be closed."""

    def __init__(self, trips: _Trips) -> None:
        self._trips = trips
        self._rows: list[Any] = []
        self.description: Any = None
        self.rowcount = -1
        self.lastrowid: int | None = None
        self.arraysize = 1

    async def __aenter__(self) -> "_Statement":
        return self

    async def execute(self, sql: str, parameters: Sequence[Any] = ()) -> None:
        await self._trips.run(partial(self._executed, sql, parameters), begins_to_change=sql == _CHANGES)

    async def executemany(self, sql: str, parameters: Sequence[Sequence[Any]]) -> None:
        await self._trips.run(partial(self._executed, sql, parameters, many=True), begins_to_change=False)

    def _executed(self, sql: str, parameters: Sequence[Any], *, many: bool = False) -> None:
        cursor = self._trips.sqlite.cursor()
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
