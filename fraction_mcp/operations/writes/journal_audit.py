"""Whether the journal is what this program wrote: its chain of events, and its table of writes against them."""

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from fraction_mcp.operations.writes.journal_rows import is_chained, read_event, table_flaw
from fraction_mcp.operations.writes.journal_tables import head, in_order, writes
from fraction_mcp.operations.writes.migrations import GENESIS

__all__ = ["flaw"]


async def flaw(connection: AsyncConnection, anchor: str) -> str:
    """What is wrong with the whole of it, and where; empty where nothing is, and the chain holds the anchor."""
    rows = (await connection.execute(in_order())).all()
    end = str((await connection.execute(sa.select(head.c.hash))).scalar_one())
    kept = (await connection.execute(sa.select(writes).order_by(writes.c.created_at))).all()
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
