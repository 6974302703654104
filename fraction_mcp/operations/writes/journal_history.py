"""Looking back in the journal: what was decided, by whom and when, as far back as somebody wants to read.

Reads alone. What time has done to a write is seen by `Journal.latest`, and shows here from then on.
"""

from collections.abc import Callable, Collection, Sequence
from typing import Any

import sqlalchemy as sa

from fraction_mcp.operations.writes import journal_tables as tables
from fraction_mcp.operations.writes.event import Event
from fraction_mcp.operations.writes.journal_database import JournalDatabase
from fraction_mcp.operations.writes.journal_rows import read_event
from fraction_mcp.operations.writes.states import State, Step
from fraction_mcp.operations.writes.write import Write

__all__ = ["AT_ONCE", "DECIDING", "History", "Place"]

DECIDING = (Step.APPROVED, Step.DECLINED, Step.CANCELLED, Step.SETTLED_LANDED, Step.SETTLED_ABSENT)
"""What a person does about a write."""

AT_ONCE = 200
"""Rows in one reading: nobody who writes waits long for it."""

Place = tuple[float, str]
"""Behind which write a page begins: when it was asked for, and its id."""


class History:
    """`readable` makes a write of a row, or None of one that somebody spoilt. Of what is not `seen`, nothing shows."""

    def __init__(
        self,
        database: JournalDatabase,
        readable: Callable[[sa.Row[Any]], Write | None],
        seen: tables.Seen = tables.EVERYTHING,
    ) -> None:
        self._database = database
        self._seen = seen
        self._readable = readable

    async def page(
        self, states: Sequence[State] = (), *, after: Place | None = None
    ) -> tuple[list[Write], Place | None]:
        """Writes of these states (all where none are named) behind `after`, the newest first; and the place behind
        which the next page begins, None where there is none. Whatever happens meanwhile, none comes twice and none is
        left out."""
        table = tables.writes.c
        query = sa.select(tables.writes).where(self._seen.writes)
        query = query.order_by(table.created_at.desc(), table.id).limit(AT_ONCE)
        if states:
            query = query.where(table.state.in_(states))
        if after:
            at, write_id = after
            query = query.where(sa.or_(table.created_at < at, sa.and_(table.created_at == at, table.id > write_id)))
        rows = await self._rows(query)
        return self._writes(rows), (rows[-1].created_at, rows[-1].id) if len(rows) == AT_ONCE else None

    async def latest(self, states: Sequence[State], *, skip: int, limit: int, without: str = "") -> list[Write]:
        """The writes of these states that changed last, one of them (`without`) aside."""
        table = tables.writes.c
        query = sa.select(tables.writes).where(self._seen.writes, table.state.in_(states), table.id != without)
        return self._writes(
            await self._rows(query.order_by(table.updated_at.desc(), table.id).offset(skip).limit(limit))
        )

    async def count(self, states: Sequence[State], *, without: str = "") -> int:
        """How many there are of these states, one of them (`without`) aside."""
        these = sa.and_(self._seen.writes, tables.writes.c.state.in_(states), tables.writes.c.id != without)
        query = sa.select(sa.func.count()).select_from(tables.writes).where(these)
        async with self._database.query() as connection:
            return int((await connection.execute(query)).scalar_one())

    async def decisions(self, write_ids: Collection[str]) -> dict[str, list[Event]]:
        """What people have decided about each of these writes, in order."""
        by_write: dict[str, list[Event]] = {write_id: [] for write_id in write_ids}
        if not by_write:
            return by_write
        query = sa.select(tables.events).where(
            self._seen.events, tables.events.c.write_id.in_(list(by_write)), tables.events.c.kind.in_(DECIDING)
        )
        for row in await self._rows(query.order_by(tables.events.c.seq)):
            by_write[row.write_id].append(read_event(row))
        return by_write

    async def newest(self) -> str:
        """The hash of the last event; empty where there is none."""
        newest = sa.select(tables.events.c.hash).where(self._seen.events).order_by(tables.events.c.seq.desc())
        return str(next((row.hash for row in await self._rows(newest.limit(1))), ""))

    async def _rows(self, query: sa.Select[Any]) -> Sequence[sa.Row[Any]]:
        async with self._database.query() as connection:
            rows: Sequence[sa.Row[Any]] = (await connection.execute(query)).all()
        return rows

    def _writes(self, rows: Sequence[sa.Row[Any]]) -> list[Write]:
        return [write for row in rows if (write := self._readable(row))]
