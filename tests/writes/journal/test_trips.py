"""What a change costs a busy server: everything between its beginning and its commit is done where it stands, so that
nobody waits for the event loop's next turn while it holds up all others."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import aiosqlite
import anyio
import pytest

from fraction_mcp.operations.writes import journal_sqlite
from fraction_mcp.operations.writes.journal import Journal
from tests.writes.made import draft

pytestmark = pytest.mark.anyio


@pytest.fixture
def trips(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Each time that the thread of a connection is gone to."""
    made: list[object] = []
    execute: Any = aiosqlite.Connection._execute

    async def counted(self: aiosqlite.Connection, *words: Any, **facts: Any) -> Any:
        made.append(words[0])
        return await execute(self, *words, **facts)

    monkeypatch.setattr(aiosqlite.Connection, "_execute", counted)
    return made


async def test_a_change_goes_to_its_connection_s_thread_to_begin_and_to_commit_and_a_look_goes_once(
    tmp_path: Path, trips: list[object]
) -> None:
    journal = await Journal.open("", tmp_path)
    trips.clear()
    write = await journal.propose(draft())
    assert len(trips) == 3  # the look whether there is such a write, and the two of the change
    trips.clear()
    assert await journal.get(write.id) == write
    assert len(trips) == 1
    await journal.aclose()


async def test_a_change_that_is_given_up_while_it_waits_for_another_s_leaves_no_lock_behind(tmp_path: Path) -> None:
    """Its thread waits on: there is nothing to roll back yet, and soon there is."""
    file = tmp_path / "file.sqlite3"
    async with aiosqlite.connect(file, isolation_level=None) as driver:
        with closing(sqlite3.connect(file, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            trips = journal_sqlite._Trips(driver)
            with anyio.move_on_after(0.05):
                await trips.run(lambda: trips.sqlite.execute("BEGIN IMMEDIATE"), begins_to_change=True)
            assert not driver.in_transaction
            other.execute("ROLLBACK")
            await trips.rollback()
            await driver.execute("SELECT 1")  # whatever its thread had to do is done
            assert not driver.in_transaction


async def test_a_change_that_fails_halfway_is_undone_and_the_next_one_is_whole(tmp_path: Path) -> None:
    journal = await Journal.open("", tmp_path)

    async def fails() -> None:
        async with journal.database.transaction() as connection:
            await connection.exec_driver_sql("UPDATE head SET hash = 'spoilt'")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fails()
    assert await journal.propose(draft())
    assert await journal.verify() == ""
    await journal.aclose()
