"""Whether the journal can be used, for whoever watches a server, and how many writes it holds of each state."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from fraction_mcp.operations.writes import migrations
from fraction_mcp.operations.writes.journal_health import JournalHealth
from fraction_mcp.operations.writes.states import State
from tests.writes.journal.conftest import Database

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def watched(url: str, folder: Path) -> AsyncIterator[JournalHealth]:
    health = JournalHealth(url, folder)
    try:
        yield health
    finally:
        await health.aclose()


async def test_a_journal_in_order_is_ready_and_counts_its_writes(database: Database) -> None:
    journal = await database.open()
    for number in range(3):
        await journal.propose(database.draft(key=f"key {number}"))
    async with watched(database.url, database.folder) as health:
        assert await health.wrong() == ""
        counted = await health.by_state()
    assert counted.pop(State.AWAITING) == 3
    assert set(counted.values()) == {0}
    assert set(counted) == set(State) - {State.AWAITING}


@pytest.mark.parametrize("step", [-1, 1])
async def test_another_schema_than_this_programs_is_told(database: Database, step: int) -> None:
    await database.open()
    await database.tamper("UPDATE head SET version = version + :step", step=step)
    async with watched(database.url, database.folder) as health:
        found = migrations.VERSION + step
        assert await health.wrong() == (
            f"the journal's schema is version {found}, and this program needs {migrations.VERSION}"
        )


async def test_a_database_that_is_not_there_is_told_without_its_place_and_logged_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    url = "postgresql+asyncpg://clerk:hush@127.0.0.1:1/journal"
    with caplog.at_level(logging.WARNING):
        async with watched(url, tmp_path) as health:
            told = {await health.wrong() for _ in range(3)}
    assert told == {"the journal cannot be used: the log says why"}
    (record,) = [one for one in caplog.records if one.name.endswith("journal_health")]
    assert "hush" not in record.getMessage()
