"""Whoever waits for the journal to change learns of it: at once on PostgreSQL, and within a look on SQLite."""

from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest

from fraction_mcp.errors import JournalError
from fraction_mcp.operations.writes import journal_changes
from fraction_mcp.operations.writes.approvers import Decider, Viewer
from fraction_mcp.operations.writes.journal import Journal
from fraction_mcp.operations.writes.journal_database import JournalDatabase
from fraction_mcp.operations.writes.states import Step
from tests.postgresql import Server
from tests.writes.journal.conftest import Database
from tests.writes.made import draft

from .test_postgresql_down import _server, server

__all__ = ["_server", "server"]  # fixtures

pytestmark = pytest.mark.anyio

NEVER_S = 1_000.0


async def test_a_change_by_another_process_is_learnt_of(database: Database) -> None:
    here, there = await database.open(), await database.open()
    end = await here.head()
    learnt = list[str]()

    async def wait(journal: Journal) -> None:
        learnt.append(await journal.changed(end, within_s=NEVER_S))

    with anyio.fail_after(25):
        async with anyio.create_task_group() as group:
            group.start_soon(wait, here)
            group.start_soon(wait, here.seen_by(Viewer("somebody")))
            await there.note("w0", Step.LOOKED, {})
    assert learnt == [await there.head()] * 2 != [end] * 2


async def test_what_has_changed_already_is_not_waited_for_and_a_time_out_tells_what_is(database: Database) -> None:
    journal = await database.open()
    with anyio.fail_after(25):
        assert await journal.changed("another", within_s=NEVER_S) == await journal.head()
        assert await journal.changed(await journal.head(), within_s=0) == await journal.head()


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
async def test_postgresql_tells_without_being_looked_at(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every change of a write is told, by one connection for all who wait in a process."""
    monkeypatch.setattr(journal_changes, "_SELDOM_S", NEVER_S)
    monkeypatch.setattr(journal_changes, "_LOOK_S", NEVER_S)
    here, there = await database.open(), await database.open()
    listened = 0
    listen = JournalDatabase.listen

    async def counted(self: JournalDatabase, *words: Any) -> Any:
        nonlocal listened
        listened += 1
        return await listen(self, *words)

    monkeypatch.setattr(JournalDatabase, "listen", counted)
    await here.changed("", within_s=0)  # it listens from now on
    with anyio.fail_after(25):
        for step in ("propose", "approve", "note"):
            end = await here.head()
            async with anyio.create_task_group() as group:
                for _ in range(3):
                    group.start_soon(lambda end=end: here.changed(end, within_s=NEVER_S))  # type: ignore[misc]
                await anyio.lowlevel.checkpoint()
                if step == "propose":
                    write = await there.propose(database.draft())
                elif step == "approve":
                    await there.approve(write.id, digest=write.digest, by=Decider("a person"))
                else:
                    await there.note(write.id, Step.LOOKED, {})
    assert listened == 1


async def test_who_waits_can_be_cancelled_however_often_it_changes(database: Database) -> None:
    journal = await database.open()

    async def for_ever() -> None:
        while True:
            await journal.changed("", within_s=0)

    with anyio.fail_after(25):
        async with anyio.create_task_group() as group:
            group.start_soon(for_ever)
            await journal.note("w0", Step.LOOKED, {})
            group.cancel_scope.cancel()


@pytest.mark.process
async def test_who_waits_survives_a_restart_of_postgresql_and_is_told_again(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_changes, "_SELDOM_S", NEVER_S)
    here, there = await Journal.open(server.url(), tmp_path), await Journal.open(server.url(), tmp_path)

    async def changed(end: str) -> str:
        while True:
            try:
                return await here.changed(end, within_s=NEVER_S)
            except JournalError:
                await anyio.sleep(0.05)

    with anyio.fail_after(60):
        for restarts in (False, True, False):
            end = await here.head()
            async with anyio.create_task_group() as group:
                group.start_soon(changed, end)
                if restarts:
                    await anyio.to_thread.run_sync(server.stop)
                    await anyio.to_thread.run_sync(server.start)
                with anyio.fail_after(25):
                    while True:
                        try:
                            await there.propose(draft())
                            break
                        except JournalError:
                            await anyio.sleep(0.05)
        monkeypatch.setattr(journal_changes, "_LOOK_S", NEVER_S)  # it listens again, and is not only looking
        end = await here.head()
        async with anyio.create_task_group() as group:
            group.start_soon(changed, end)
            await there.propose(draft())
    await here.aclose()
    await there.aclose()
