"""Whether the journal answers and is of this program's version, and how many writes it holds of each state.

For whoever watches a server. Reads alone, over a connection of its own: it neither waits for the journal's turns nor
takes one, and a journal that is not there is not made.
"""

import logging
from pathlib import Path

import sqlalchemy as sa

from fraction_mcp.errors import FractionMcpError
from fraction_mcp.operations.writes import journal_tables as tables
from fraction_mcp.operations.writes import migrations
from fraction_mcp.operations.writes.journal_database import JournalDatabase
from fraction_mcp.operations.writes.states import State

__all__ = ["JournalHealth"]

logger = logging.getLogger(__name__)

_WITHIN_S = 3.0


class JournalHealth:
    """Use from one event loop; close it with `aclose`."""

    def __init__(self, url: str, folder: Path) -> None:
        """As `Journal.open`. Raises ConfigError for an address that is none."""
        self._database = JournalDatabase(url, folder)
        self._logged = ""

    async def wrong(self) -> str:
        """What is wrong with it, in words that name no place and no account; empty where nothing is."""
        try:
            async with self._database.reading(within_s=_WITHIN_S, opening=True) as connection:
                version = await connection.run_sync(migrations.version_of)
        except FractionMcpError as error:
            self._log_once(f"{error.message} {error.hint}")
            return "the journal cannot be used: the log says why"
        self._logged = ""
        if version != migrations.VERSION:
            return f"the journal's schema is version {version}, and this program needs {migrations.VERSION}"
        return ""

    def _log_once(self, why: str) -> None:
        """It is asked every second: a line for each would fill a disk."""
        if why != self._logged:
            logger.warning("not ready: %s", why)
        self._logged = why

    async def by_state(self) -> dict[State, int]:
        """How many writes there are of each state. Raises FractionMcpError."""
        table = tables.writes.c
        query = sa.select(table.state, sa.func.count()).group_by(table.state)
        async with self._database.reading(within_s=_WITHIN_S) as connection:
            counts = {state: count for state, count in await connection.execute(query)}  # noqa: C416 - rows, not pairs
        return {state: counts.get(state, 0) for state in State}

    async def aclose(self) -> None:
        await self._database.aclose()
