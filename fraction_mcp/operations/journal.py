"""Every write's durable life: proposed, decided, claimed, sent, and what came of it. With `journal_book`, the only
importer of SQLAlchemy.

SQLite by default, the same code on PostgreSQL for replicas. A change of state is one compare-and-set in one serialised
transaction, which also appends an event with the hash of the one before. What is in a write (its plan) is opaque here,
and holds no secret.
"""

import hashlib
import os
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.exc import (
    ArgumentError,
    IntegrityError,
    InvalidRequestError,
    OperationalError,
    ProgrammingError,
    SQLAlchemyError,
)
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from fraction_mcp.errors import ConfigError, ConsentError
from fraction_mcp.operations import journal_book as tables
from fraction_mcp.operations.journal_book import (
    GENESIS,
    VERSION,
    Book,
    dumped,
    is_chained,
    read_event,
    read_write,
    table_flaw,
)
from fraction_mcp.operations.lifecycle import MOVES, OPEN, Draft, Event, State, Write

__all__ = ["Journal"]

_BUSY_S = 30
_FILE = "journal.sqlite3"


class Journal:
    """Use from one event loop. Every method is atomic among all processes on the same database."""

    def __init__(self, engine: AsyncEngine, clock: Callable[[], float] = time.time) -> None:
        self._engine = engine
        self._clock = clock

    @classmethod
    async def open(cls, url: str, folder: Path, *, clock: Callable[[], float] = time.time) -> "Journal":
        """Open the database at `url`, or `journal.sqlite3` in `folder` where it is empty; make it where it is new.

        Raises ConfigError where there is none to be had, without showing the URL: it may hold a password.
        """
        try:
            engine = _engine(url, folder)
            journal = cls(engine, clock)
            await journal._made()
        except ModuleNotFoundError as error:
            raise ConfigError(f"the journal's database needs {error.name}: install fraction-mcp[postgres]") from None
        except (ArgumentError, InvalidRequestError):
            raise ConfigError(
                "FRACTION_MCP_DATABASE_URL: must be sqlite+aiosqlite:///PATH or postgresql+asyncpg://USER@HOST/NAME"
            ) from None
        except (SQLAlchemyError, OSError) as error:
            reason = getattr(error, "orig", None) or error
            raise ConfigError(f"the journal cannot be opened: {reason}") from error
        return journal

    def now(self) -> float:
        """Unix seconds by the journal's clock, by which everything about its writes is counted."""
        return self._clock()

    @staticmethod
    def is_there(url: str, folder: Path) -> bool:
        """Whether there is one to open, for whoever only wants to look: a database that is named counts as one."""
        return bool(url) or (folder / _FILE).exists()

    async def aclose(self) -> None:
        with anyio.CancelScope(shield=True):
            await self._engine.dispose()

    async def _made(self) -> None:
        for attempt in (1, 2, 3):
            try:
                await self._make()
                break
            except (IntegrityError, OperationalError, ProgrammingError):
                if attempt == 3:  # another process that was making it at the same moment has long finished
                    await self.aclose()
                    raise

    async def _make(self) -> None:
        async with self._engine.begin() as connection:
            await connection.run_sync(tables.metadata.create_all)
            if (await connection.execute(sa.select(tables.head.c.id))).first() is None:
                await connection.execute(sa.insert(tables.head).values(id=1, version=VERSION, seq=0, hash=GENESIS))

    # ------------------------------------------------------------------------------------------------------- reading

    async def get(self, write_id: str) -> Write | None:
        """One write, with what time has done to it since: an expired wait, a lease that has run out."""
        async with self._transaction() as book:
            row = (await book.execute(sa.select(tables.writes).where(tables.writes.c.id == write_id))).first()
            return None if row is None else await book.lapsed(read_write(row))

    async def latest(self, states: Sequence[State] = (), *, identity: str = "", limit: int | None = 50) -> list[Write]:
        """The newest writes first, of these states (all where none are named) and this ERP identity (any if empty)."""
        query = sa.select(tables.writes).order_by(tables.writes.c.created_at.desc(), tables.writes.c.id).limit(limit)
        if identity:
            query = query.where(tables.writes.c.identity == identity)
        if states:  # a lapse may move a write out of these states, never into the waiting ones
            query = query.where(
                tables.writes.c.state.in_([*states, State.SENDING] if State.UNKNOWN in states else states)
            )
        async with self._transaction() as book:
            found = [await book.lapsed(read_write(row)) for row in (await book.execute(query)).all()]
        return [write for write in found if not states or write.state in states]

    async def events(self, write_id: str = "") -> list[Event]:
        query = _in_order()
        if write_id:
            query = query.where(tables.events.c.write_id == write_id)
        async with self._engine.connect() as connection:
            return [read_event(row) for row in (await connection.execute(query)).all()]

    async def landed_before(self, key: str, since: float) -> Write | None:
        """The latest write of this key that is done, and was not long before `since`."""
        query = (
            sa.select(tables.writes)
            .where(tables.writes.c.key == key, tables.writes.c.state == State.DONE, tables.writes.c.updated_at >= since)
            .order_by(tables.writes.c.updated_at.desc())
        )
        async with self._engine.connect() as connection:
            row = (await connection.execute(query)).first()
        return None if row is None else read_write(row)

    # ------------------------------------------------------------------------------------------------------- writing

    async def propose(self, draft: Draft) -> Write:
        """The write of this key that is still open, or a new one that waits for approval.

        One that waits and was shown with another state of the ERP takes on the new plan, under its id.
        """
        async with self._transaction() as book:
            query = sa.select(tables.writes).where(tables.writes.c.key == draft.key, tables.writes.c.state.in_(OPEN))
            for row in (await book.execute(query.order_by(tables.writes.c.created_at))).all():
                write = await book.lapsed(read_write(row))
                if write.state is State.AWAITING and write.digest != draft.digest:
                    return await book.replan(write, draft)
                if write.state in OPEN:
                    return write
            return await book.add(draft)

    async def approve(self, write_id: str, *, digest: str, by: str) -> Write:
        """A person's yes, bound to what they were shown. The state that it returns tells whether it counted.

        It uses a two-step token up: a write that was not sent is asked about anew.
        """
        shown = tables.writes.c.digest == digest
        return await self._move(write_id, "approved", {"by": by, "digest": digest}, where=shown, token_hash="")

    async def decline(self, write_id: str, *, by: str, cancelled: bool = False) -> Write:
        return await self._move(write_id, "cancelled" if cancelled else "declined", {"by": by})

    async def claim(
        self, write_id: str, *, planned: Draft, owner: str, lease_s: float, outcome: Mapping[str, Any] | None = None
    ) -> bool:
        """Single use: true for exactly one caller, before it sends what it has planned anew (`planned`).

        False: expired, decided otherwise, claimed, or of another ERP. Raises ConsentError where the write as it is kept
        is not what was proposed, approved or would be sent: its row was changed behind the journal's back.
        `owner` must be new for each attempt: it is how a caller knows its own claim. `outcome` is what whoever comes
        after a caller that died must know.
        """
        async with self._transaction() as book:
            write = await book.write(write_id)
            if write.state is not State.APPROVED or write.identity != planned.identity:
                return False
            if flaw := await book.flaw(write, planned):
                raise ConsentError(flaw)
            content = hashlib.sha256(planned.plan["content"].encode()).hexdigest()
            await book.change(
                write,
                "claimed",
                {"owner": owner, "content_sha256": content, **(outcome or {})},
                owner=owner,
                lease_until=self._clock() + lease_s,
                outcome=dumped(outcome or {}),
            )
            return True

    async def hold(self, write_id: str, *, owner: str, lease_s: float) -> bool:
        """Whether a claim still holds; its lease then begins anew."""
        async with self._transaction() as book:
            write = await book.write(write_id)
            if write.state is not State.SENDING or write.owner != owner:
                return False
            lease = sa.update(tables.writes).where(tables.writes.c.id == write_id)
            await book.execute(lease.values(lease_until=self._clock() + lease_s))
            return True

    async def finish(self, write_id: str, kind: str, outcome: Mapping[str, Any], *, owner: str = "") -> Write:
        """What came of it: `done`, `failed`, `unknown`, `not_sent`, `put_back` or `refused`.

        `owner` binds it to a claim.
        """
        where = tables.writes.c.owner == owner if owner else None
        return await self._move(write_id, kind, outcome, where=where, outcome=dumped(outcome))

    async def settle(self, write_id: str, *, landed: bool, by: str, outcome: Mapping[str, Any]) -> Write:
        """A person says what became of an unknown write."""
        kind = "settled_landed" if landed else "settled_absent"
        return await self._move(write_id, kind, {"by": by, **outcome}, outcome=dumped(outcome))

    async def note(self, write_id: str, kind: str, detail: Mapping[str, Any]) -> None:
        """An event that changes no state: what was shown to whom, what was looked for."""
        async with self._transaction() as book:
            await book.append(write_id, kind, detail)

    async def set_token(self, write_id: str, token_hash: str) -> None:
        """The hash of the two-step token that now counts for a waiting write."""
        async with self._transaction() as book:
            write = await book.write(write_id)
            if write.state is State.AWAITING:
                await book.give_token(write, token_hash)

    async def gave_token(self, write: Write) -> bool:
        """Whether the token that a write's row holds was given by this journal, and not put there."""
        return any(
            event.kind == "token_given" and event.detail["sha256"] == write.token_hash
            for event in await self.events(write.id)
        )

    async def _move(
        self, write_id: str, kind: str, detail: Mapping[str, Any], *, where: Any = None, **values: Any
    ) -> Write:
        """One compare-and-set; the write as it then is, moved or not. Raises KeyError for an id that is not there."""
        async with self._transaction() as book:
            write = await book.write(write_id)
            sources, _ = MOVES[kind]
            query = sa.select(tables.writes.c.id).where(
                tables.writes.c.id == write_id, tables.writes.c.state.in_(sources)
            )
            if where is not None:
                query = query.where(where)
            if (await book.execute(query)).first() is None:
                return write
            return await book.change(write, kind, detail, **values)

    # ------------------------------------------------------------------------------------------------------- auditing

    async def head(self) -> str:
        """The hash at the end of the chain: kept elsewhere, it shows later whether the tail was cut or rewritten."""
        async with self._engine.connect() as connection:
            return str((await connection.execute(sa.select(tables.head.c.hash))).scalar_one())

    async def verify(self, anchor: str = "") -> str:
        """Empty where the chain is whole (and holds `anchor`), and the table of writes is what its events say; else
        what is wrong, and where."""
        async with self._transaction() as book:  # the events, their end and the table of one moment
            rows = (await book.execute(_in_order())).all()
            end = str((await book.execute(sa.select(tables.head.c.hash))).scalar_one())
            kept = (await book.execute(sa.select(tables.writes).order_by(tables.writes.c.created_at))).all()
        before, seen = GENESIS, not anchor or anchor == GENESIS
        for number, row in enumerate(rows, start=1):
            if row.seq != number:
                return f"event {number} is missing"
            if not is_chained(row, before):
                return f"event {number} ({row.kind} of {row.write_id}) was changed"
            before = row.hash
            seen = seen or before == anchor
        if before != end:
            return f"events after {len(rows)} are missing"
        if not seen:
            return "the anchor is not in the chain: its tail was cut or rewritten"
        return table_flaw(kept, [read_event(row) for row in rows])

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator["Book"]:
        """One serialised transaction, finished even if its caller is cancelled meanwhile."""
        with anyio.CancelScope(shield=True):
            async with self._engine.begin() as connection:
                book = Book(connection, self._clock)
                await book.lock()
                yield book


def _in_order() -> sa.Select[Any]:
    return sa.select(tables.events).order_by(tables.events.c.seq)


def _engine(url: str, folder: Path) -> AsyncEngine:
    if not url:
        url = f"sqlite+aiosqlite:///{_private_file(folder / _FILE)}"
    elif (named := sa.make_url(url)).get_backend_name() == "sqlite" and named.database not in {None, "", ":memory:"}:
        _private_file(Path(str(named.database)))
    engine = create_async_engine(url, hide_parameters=True)
    if engine.dialect.name == "sqlite":
        _serialise_sqlite(engine)
    return engine


def _private_file(path: Path) -> Path:
    """A journal's file, readable by its owner alone, made before SQLite would make it with looser rights."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    return path


def _serialise_sqlite(engine: AsyncEngine) -> None:
    """SQLite as a journal needs it: the write lock from the start of a transaction, and a commit that is on disk.

    pysqlite's own transaction control is switched off, as SQLAlchemy's SQLite documentation describes.
    """

    @event.listens_for(engine.sync_engine, "connect")
    def connected(connection: Any, _record: Any) -> None:
        connection.isolation_level = None
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA synchronous=FULL")
        cursor.execute(f"PRAGMA busy_timeout={_BUSY_S * 1000}")
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def begun(connection: sa.Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
