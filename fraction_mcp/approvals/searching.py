"""Looking through the journal for what a search finds, and the table of it.

Knows the journal and what a spreadsheet makes of a cell.
"""

import csv
import io
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from dataclasses import dataclass

from fraction_mcp.approvals.view import Search, View
from fraction_mcp.errors import JournalError
from fraction_mcp.operations.writes.journal import Journal
from fraction_mcp.operations.writes.journal_history import AT_ONCE
from fraction_mcp.operations.writes.listing import COLUMNS, row_of
from fraction_mcp.operations.writes.states import State
from fraction_mcp.operations.writes.write import Write
from fraction_mcp.values.cells import defused

__all__ = ["Found", "found_in", "looked_back", "table_of"]

_LOOKED_THROUGH = 2_000  # for a page, which must come soon; a table has all


@dataclass(frozen=True, slots=True)
class Found:
    """Some of what a search found, of `total`. `looked` is how far it looked back where that was not to the end."""

    writes: tuple[Write, ...]
    total: int
    looked: int = 0


async def looked_back(journal: Journal, view: View, states: Sequence[State], *, skip: int, limit: int) -> Found:
    """What is found among the writes of these states: the one that changed last first; of a search, the newest."""
    if not states:
        return Found((), 0)
    if not view.searches:
        writes = await journal.history.latest(states, skip=skip, limit=limit, without=view.without)
        return Found(tuple(writes), await journal.history.count(states, without=view.without))
    hits, looked, after = list[Write](), 0, None
    while looked < _LOOKED_THROUGH:
        writes, after = await journal.history.page(states, after=after)
        hits += [write for write in await found_in(journal, view.search, writes) if write.id != view.without]
        looked += AT_ONCE
        if after is None:
            break
    return Found(tuple(hits[skip : skip + limit]), len(hits), looked if after else 0)


async def found_in(journal: Journal, search: Search, writes: Sequence[Write]) -> list[Write]:
    """Those of these that the search finds."""
    if search == Search():
        return list(writes)
    decisions = await journal.history.decisions([write.id for write in writes])
    return [write for write in writes if search.finds(write, decisions[write.id])]


async def table_of(journal: Journal, search: Search) -> AsyncIterator[str]:
    """All that a search finds as CSV (RFC 4180), for a spreadsheet: the columns of `fraction-mcp writes`.

    Raises JournalError before the first piece. Where the journal fails later, the last line says so: half a table must
    not pass for a whole one.
    """
    head = "\ufeff" + _line(COLUMNS)  # by which a spreadsheet knows UTF-8
    yield head + await anext(pages := _pages(journal, search))
    try:
        async for page in pages:
            yield page
    except JournalError as error:
        yield _line(["THE TABLE ENDS HERE, AND IS NOT WHOLE", "", error.message])


async def _pages(journal: Journal, search: Search) -> AsyncGenerator[str]:
    now, after, there = journal.now(), None, True
    while there:
        writes, after = await journal.history.page(search.states, after=after)
        decisions = await journal.history.decisions([write.id for write in writes])
        matches = [write for write in writes if search.finds(write, decisions[write.id])]
        yield "".join(_line(row_of(write, decisions[write.id], now)) for write in matches)
        there = after is not None


def _line(cells: Sequence[str]) -> str:
    sheet = io.StringIO()
    csv.writer(sheet).writerow(map(defused, cells))
    return sheet.getvalue()
