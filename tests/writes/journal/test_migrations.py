"""The journal's schema: an older one is brought up and loses nothing, a newer one is refused, and none is made twice.

Journals of the versions before are built from frozen SQL (`released/`), with the database's own driver.
"""

import hashlib
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest
import sqlalchemy as sa

from fraction_mcp.cli import main
from fraction_mcp.errors import ConfigError, ConsentError, JournalError
from fraction_mcp.operations.writes import journal_tables, migrations
from fraction_mcp.operations.writes.approvers import Decider
from fraction_mcp.operations.writes.journal import Journal
from fraction_mcp.operations.writes.journal_database import JournalDatabase
from fraction_mcp.operations.writes.migrations import STEPS, VERSION
from fraction_mcp.operations.writes.states import State, Step
from fraction_mcp.operations.writes.wording import result_for
from fraction_mcp.server.team import store_tables
from fraction_mcp.values.moments import moment
from tests.support import child_environment

from .conftest import Database, claim

pytestmark = pytest.mark.anyio

RELEASED = Path(__file__).with_name("released")
AT = 1_795_262_800.0  # a moment after the last thing that the released journals saw
HEAD = "fbc3ca5e1042456d33c82f17b6c23fe159520272830a7fb5a6aeeab51e2032b6"

# A step that has been released stands here with its hash, and is never edited: the journals out there have taken it.
FROZEN = (
    "f6dbe86c6fad8267a46499917fb51ef9a64daed6529aa00e7df985ef7246a248",
    "2f1bea0f8379e1a151efa6ec36c76eda6c1384587305066d94e85de4ccef7022",
    "8a890449e9befa2fed92393201083a6c3e72baa93f3c0bf4584306164d1eeefa",
)


async def carried_out(database: Database, script: str) -> None:
    """What somebody with the database's own tools does, who knows nothing of this program."""
    if not database.url:
        database.folder.mkdir(mode=0o700, exist_ok=True)
        with closing(sqlite3.connect(database.folder / "journal.sqlite3")) as connection:
            connection.executescript(script)
        return
    import asyncpg

    connection = await asyncpg.connect(database.url.replace("+asyncpg", ""))
    await connection.execute(script)
    await connection.close()


@pytest.fixture(params=[1, 2, 3], ids=["of version 1", "of version 2", "of version 3"])
async def older(database: Database, request: pytest.FixtureRequest) -> Database:
    """A journal of a version before, with real writes in it."""
    tables = RELEASED / f"version_1.{'postgresql' if database.url else 'sqlite'}.sql"
    await carried_out(database, tables.read_text(encoding="utf-8"))
    await carried_out(database, (RELEASED / "version_1.rows.sql").read_text(encoding="utf-8"))
    for version in range(2, request.param + 1):
        await carried_out(database, (RELEASED / f"version_{version}.sql").read_text(encoding="utf-8"))
    database.clock.now, database.version = AT, request.param
    return database


async def schema_of(database: Database) -> dict[str, Any]:
    """Every table with its columns, key and indices, as the database itself describes them."""

    def described(connection: sa.Connection) -> dict[str, Any]:
        there = sa.inspect(connection)
        return {
            name: (
                [(c["name"], repr(c["type"]), c["nullable"], c["default"]) for c in there.get_columns(name)],
                there.get_pk_constraint(name)["constrained_columns"],
                sorted((i["name"], i["column_names"], i["unique"]) for i in there.get_indexes(name)),
            )
            for name in sorted(there.get_table_names())
        }

    opened = JournalDatabase(database.url, database.folder)
    async with opened.reading() as connection:
        found: dict[str, Any] = await connection.run_sync(described)
    await opened.aclose()
    return found


# ------------------------------------------------------------------------------------------------------ an older one


@pytest.mark.matrix
async def test_an_older_journal_is_brought_up_and_holds_what_it_held(older: Database) -> None:
    assert await Journal.migrate(older.url, older.folder) == (older.version, VERSION)
    journal = await older.open()
    assert [write.state for write in reversed(await journal.latest())] == [
        State.DONE,
        State.AWAITING,
        State.DECLINED,
        State.UNKNOWN,
        State.APPROVED,
    ]
    assert (await journal.verify(HEAD), await journal.head()) == ("", HEAD)
    assert len(await journal.events()) == 13
    done = await journal.get("wd118ebeff193")
    assert done.outcome.result["quote_number"].startswith("Q")
    assert (await journal.landed_before(done.key, AT - 900)).id == done.id


@pytest.mark.matrix
async def test_what_waited_in_an_older_journal_can_still_be_approved_and_sent(older: Database) -> None:
    await Journal.migrate(older.url, older.folder)
    journal = await older.open()
    waits = await journal.get("w7fbf03f930e4")
    assert waits.plan.arguments["part_number"] == "V1-WAITS"
    approved = await journal.approve(waits.id, digest=waits.digest, by=Decider("a person"))
    assert await claim(journal, approved)
    before = await journal.get("wb0967681d2cc")
    assert before is not None
    with pytest.raises(ConsentError, match="no approval"):  # which did not say yet what it approved
        await claim(journal, before)
    assert await journal.verify(HEAD) == ""


@pytest.mark.matrix
async def test_a_fresh_journal_and_one_that_was_brought_up_are_the_same(older: Database) -> None:
    await Journal.migrate(older.url, older.folder)
    brought_up = await schema_of(older)
    for table in brought_up:
        await carried_out(older, f"DROP TABLE {table};")
    await older.open()
    assert await schema_of(older) == brought_up


async def test_the_tables_that_queries_know_are_the_ones_that_are_made(database: Database) -> None:
    journal = await database.open()

    def reflected(connection: sa.Connection) -> sa.MetaData:
        found = sa.MetaData()
        found.reflect(connection)
        return found

    async with journal.database.reading() as connection:
        made = await connection.run_sync(reflected)

    def told(tables: sa.MetaData) -> dict[str, Any]:
        return {
            table.name: (
                [
                    (column.name, column.type.python_type, getattr(column.type, "length", None), column.nullable)
                    for column in table.columns
                ],
                [column.name for column in table.primary_key],
                sorted((str(index.name), *(column.name for column in index.columns)) for index in table.indexes),
            )
            for table in tables.sorted_tables
        }

    assert told(made) == told(journal_tables.metadata) | told(store_tables.metadata)


@pytest.mark.matrix
async def test_a_process_of_the_version_before_goes_on_while_the_journal_is_brought_up(older: Database) -> None:
    """It knows nothing of the new column: steps only add, with defaults."""
    await Journal.migrate(older.url, older.folder)
    rows = (RELEASED / "version_1.rows.sql").read_text(encoding="utf-8").splitlines()
    columns = (
        'id, "key", identity, state, created_at, updated_at, expires_at, digest, "plan", asked_by, owner, lease_until, '
        "token_hash, outcome"
    )
    (row,) = [line for line in rows if line.startswith("INSERT INTO writes VALUES ('w7fbf03f930e4'")]
    written = row.replace("writes VALUES ('w7fbf03f930e4'", f"writes ({columns}) VALUES ('w000000000001'")
    await carried_out(older, written)
    assert (await (await older.open()).get("w000000000001")).state is State.AWAITING


@pytest.mark.matrix
async def test_of_several_that_start_at_once_one_brings_the_journal_up(
    older: Database, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Both have seen the older version, and wait at the same time for the one transaction that changes it."""
    transaction, arrived, both = JournalDatabase.transaction, [], anyio.Event()

    def counted(self: JournalDatabase, **facts: Any) -> Any:
        arrived.append(self)
        if len(arrived) == 2:
            both.set()
        return transaction(self, **facts)

    holder = JournalDatabase(older.url, older.folder)
    monkeypatch.setattr(JournalDatabase, "transaction", counted)
    found: list[tuple[int, int]] = []

    async def one() -> None:
        found.append(await Journal.migrate(older.url, older.folder))

    with anyio.fail_after(25):
        async with anyio.create_task_group() as group, transaction(holder) as connection:
            await connection.execute(sa.select(journal_tables.head).with_for_update())
            group.start_soon(one)
            group.start_soon(one)
            await both.wait()
    await holder.aclose()
    assert sorted(found) == [(older.version, VERSION), (VERSION, VERSION)]
    assert [record.getMessage() for record in caplog.records] == [
        f"the journal's schema was version {older.version}, and is version {VERSION} now"
    ]


@pytest.mark.matrix
async def test_a_step_that_fails_leaves_the_journal_as_it_was(older: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    before = await schema_of(older)
    monkeypatch.setattr(migrations, "STEPS", (*STEPS, ("CREATE TABLE extra (id INTEGER)", "ALTER TABLE nothing BREAK")))
    monkeypatch.setattr(migrations, "VERSION", VERSION + 1)
    with pytest.raises(JournalError):
        await Journal.migrate(older.url, older.folder)
    assert await schema_of(older) == before
    monkeypatch.undo()
    assert await Journal.migrate(older.url, older.folder) == (older.version, VERSION)


@pytest.mark.matrix
async def test_a_journal_that_nobody_shares_is_brought_up_by_whoever_opens_it(older: Database) -> None:
    """A shared one is not: the first of several servers to be upgraded would shut the others out."""
    if older.url:
        with pytest.raises(
            ConfigError, match=rf"version {older.version}.*needs {VERSION}.*fraction-mcp migrate"
        ) as refused:
            await older.open()
        assert older.url not in str(refused.value)
        await Journal.migrate(older.url, older.folder)
    journal = await older.open()
    assert len(await journal.latest()) == 5
    assert await Journal.migrate(older.url, older.folder) == (VERSION, VERSION)


@pytest.mark.matrix
async def test_a_write_that_was_to_wait_beyond_the_calendar_can_be_shown_and_decided(older: Database) -> None:
    """An older program let FRACTION_MCP_APPROVAL_TTL_S be any number, and failed at every look at what it had made."""
    await carried_out(older, "UPDATE writes SET expires_at = 1001795262800 WHERE id = 'w7fbf03f930e4';")
    await Journal.migrate(older.url, older.folder)
    journal = await older.open()
    write = await journal.get("w7fbf03f930e4")
    assert write is not None
    assert result_for(write).expires_at == "3000-01-01T00:00:00+00:00"
    assert moment(write.expires_at, AT).distance.startswith("in ")
    assert (await journal.approve(write.id, digest=write.digest, by=Decider("a person"))).state is State.APPROVED


# ----------------------------------------------------------------------------------------- a newer one, or none of ours


async def test_a_newer_journal_is_refused_with_both_versions_and_what_to_do(database: Database) -> None:
    await database.open()
    await database.tamper("UPDATE head SET version = version + 7")
    for refused in (database.open, lambda: Journal.migrate(database.url, database.folder)):
        with pytest.raises(ConfigError) as caught:
            await refused()
        told = str(caught.value)
        assert f"version {VERSION + 7}" in told
        assert f"up to {VERSION}" in told
        assert "upgrade fraction-mcp" in told


@pytest.mark.matrix
@pytest.mark.parametrize("table", ["writes", "events"])
async def test_a_database_with_such_a_table_of_somebody_elses_is_left_alone(database: Database, table: str) -> None:
    await carried_out(database, f"CREATE TABLE {table} (x INTEGER);")
    before = await schema_of(database)
    with pytest.raises(ConfigError, match=f"table '{table}' that is not this program's"):
        await database.open()
    assert await schema_of(database) == before


@pytest.mark.parametrize("change", ["DELETE FROM head", "UPDATE head SET version = 0"])
async def test_a_journal_without_its_head_is_refused_and_not_begun_anew(database: Database, change: str) -> None:
    journal = await database.open()
    await journal.note("w0", Step.LOOKED, {})
    await database.tamper(change)
    with pytest.raises(ConfigError, match="lost its head"):
        await database.open()


def test_a_step_that_was_released_is_never_edited() -> None:
    assert tuple(hashlib.sha256("\n".join(step).encode()).hexdigest() for step in STEPS)[: len(FROZEN)] == FROZEN


# --------------------------------------------------------------------------------------------------------- the command


@pytest.fixture
def here(older: Database, monkeypatch: pytest.MonkeyPatch) -> Database:
    """The settings of this process lead to the older journal."""
    import os

    for name in set(os.environ) - set(child_environment()):
        monkeypatch.delenv(name)
    monkeypatch.setenv("FRACTION_MCP_STATE_DIR", str(older.folder))
    monkeypatch.setenv("FRACTION_MCP_DATABASE_URL", older.url)
    return older


async def ran(*words: str) -> int:
    """A command, in a thread of its own: it runs its own event loop."""
    return await anyio.to_thread.run_sync(main, words)


@pytest.mark.matrix
async def test_migrate_says_from_which_version_to_which(here: Database, capsys: pytest.CaptureFixture[str]) -> None:
    assert await ran("migrate") == 0
    assert (
        capsys.readouterr().out == f"The journal's schema was version {here.version}, and is version {VERSION} now.\n"
    )
    assert await ran("migrate") == 0
    assert capsys.readouterr().out == f"The journal's schema is version {VERSION}, as it should be.\n"
    assert await ran("audit", "--verify", "--anchor", HEAD) == 0
    assert "The chain of 13 events is whole, and holds the anchor." in capsys.readouterr().out


@pytest.mark.matrix
@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
async def test_commands_that_look_at_a_shared_older_journal_name_migrate(
    here: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await ran("writes") == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert "run `fraction-mcp migrate` once" in told.err
    assert len(told.err.splitlines()) == 1


@pytest.mark.matrix
async def test_migrate_makes_the_tables_of_a_new_database(database: Database, here: Database, capsys: Any) -> None:
    for table in await schema_of(here):
        await carried_out(here, f"DROP TABLE {table};")
    assert await ran("migrate") == 0
    assert capsys.readouterr().out == f"The journal was made, with schema version {VERSION}.\n"


async def test_migrate_makes_no_file_where_there_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FRACTION_MCP_STATE_DIR", str(tmp_path / "state"))
    assert await ran("migrate") == 0
    assert capsys.readouterr().out == "There is no journal yet: the first write makes it.\n"
    assert not (tmp_path / "state").exists()
