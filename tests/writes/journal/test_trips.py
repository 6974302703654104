"""What a change costs a busy server: everything between its beginning and its commit is done where it stands, so that
nobody waits for the event loop's next turn while it holds up all others."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import aiosqlite
import anyio
import pytest

from fraction_mcp.operations.writes import journal_sqlite
from fraction_mcp.operations.writes.journal import Journal
from fraction_mcp.operations.writes.states import State, Step
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


@pytest.mark.parametrize(("is_wal", "trips_made"), [(True, 1), (False, 2)])
async def test_where_a_change_might_wait_for_readers_all_of_it_goes_to_the_thread(
    tmp_path: Path, trips: list[object], *, is_wal: bool, trips_made: int
) -> None:
    """As on a file system that SQLite can have no WAL on: so it is in memory."""
    with closing(sqlite3.connect(":memory:")) as memory:
        assert journal_sqlite._set_up(memory, 1.0) != "wal"
    file = tmp_path / "file.sqlite3"
    async with aiosqlite.connect(file, isolation_level=None, check_same_thread=False) as driver:
        made = journal_sqlite._Trips(driver)
        made.is_wal = is_wal
        trips.clear()
        await made.run(lambda: made.sqlite.execute("BEGIN IMMEDIATE"), begins_to_change=True)
        await made.run(lambda: made.sqlite.execute("CREATE TABLE t (id)"), begins_to_change=False)
        assert len(trips) == trips_made


@pytest.mark.parametrize("when", ["_executed", "commit"])
async def test_a_change_whose_caller_is_gone_as_it_begins_or_commits_is_whole_or_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    """As a loop ends its tasks, which no shield of ours keeps from them."""
    journal = await Journal.open("", tmp_path)
    before = await journal.propose(draft(key="before"))
    under_way = asyncio.Event()
    execute: Any = aiosqlite.Connection._execute

    async def told(self: aiosqlite.Connection, work: Any, *words: Any, **facts: Any) -> Any:
        if when in str(work):
            under_way.set()
        return await execute(self, work, *words, **facts)

    with closing(sqlite3.connect(tmp_path / "journal.sqlite3", isolation_level=None, timeout=20)) as other:
        if when == "_executed":
            other.execute("BEGIN IMMEDIATE")
        monkeypatch.setattr(aiosqlite.Connection, "_execute", told)
        task = asyncio.create_task(journal.note(before.id, Step.LOOKED, {"found": "none"}))
        await under_way.wait()
        task.cancel()
        if when == "_executed":
            other.execute("ROLLBACK")
        with pytest.raises(asyncio.CancelledError):
            await task
        other.execute("BEGIN IMMEDIATE")  # nobody has the lock
        other.execute("ROLLBACK")
    after = await journal.propose(draft(key="after"))
    assert {write.id for write in await journal.latest()} == {before.id, after.id}
    assert await journal.verify() == ""
    await journal.aclose()


async def test_what_time_has_done_to_many_is_written_down_a_few_at_a_time(tmp_path: Path, trips: list[object]) -> None:
    """All else of the server stands still while a change does."""
    now = [1_800_000_000.0]
    journal = await Journal.open("", tmp_path, clock=lambda: now[0])
    for number in range(120):
        await journal.propose(draft(key=f"{number}", asker=f"{number % 3}", expires_at=now[0] + 60))
    now[0] += 61
    trips.clear()
    assert {write.state for write in await journal.latest(limit=None)} == {State.EXPIRED}
    assert len([trip for trip in trips if "commit" in str(trip)]) == 3
    assert await journal.verify() == ""
    await journal.aclose()


async def test_a_schema_is_brought_up_beside_the_loop(tmp_path: Path, trips: list[object]) -> None:
    """An index on a large journal takes its time."""
    journal = await Journal.open("", tmp_path)
    assert [trip for trip in trips if "CREATE TABLE events" in str(trip)]
    await journal.aclose()


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
