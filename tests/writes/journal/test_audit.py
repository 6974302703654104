"""The chain of events shows what somebody did to it with the database's own tools."""

from pathlib import Path
from typing import Any

import anyio
import pytest

from fraction_mcp.operations.writes.journal import Journal
from fraction_mcp.operations.writes.journal_tables import GENESIS
from fraction_mcp.operations.writes.states import Step
from fraction_mcp.operations.writes.write import WriteOutcome
from tests.writes.journal.conftest import Database

pytestmark = pytest.mark.anyio


async def lived(database: Database) -> Any:
    """A journal with seven events."""
    journal = await database.open()
    write = await database.claimed(journal)
    await journal.finish(write.id, Step.DONE, WriteOutcome(result={"id": 1}), owner="one")
    await database.approved(journal)
    await journal.note(write.id, Step.LOOKED, {"found": "one"})
    assert len(await journal.events()) == 7
    return journal


@pytest.mark.matrix
async def test_a_chain_that_nobody_touched_is_whole(database: Database) -> None:
    journal = await lived(database)
    assert await journal.verify() == ""
    assert await journal.verify(await journal.head()) == ""
    assert await journal.verify(GENESIS) == ""
    assert (await journal.events())[-1].hash == await journal.head()


@pytest.mark.matrix
@pytest.mark.parametrize(
    "change", ["detail = '{}'", "kind = 'declined'", "at = at + 1", "write_id = 'w0'", "hash = 'f'"]
)
async def test_an_event_that_was_edited_is_found(database: Database, change: str) -> None:
    journal = await lived(database)
    await database.tamper(f"UPDATE events SET {change} WHERE seq = 3")
    assert "event 3 (" in await journal.verify()


@pytest.mark.matrix
@pytest.mark.parametrize("seq", [1, 4, 7])
async def test_an_event_that_was_removed_is_found(database: Database, seq: int) -> None:
    journal = await lived(database)
    await database.tamper("DELETE FROM events WHERE seq = :seq", seq=seq)
    assert "missing" in await journal.verify()


async def test_a_removed_event_is_found_even_if_the_later_ones_were_renumbered(database: Database) -> None:
    journal = await lived(database)
    await database.tamper("DELETE FROM events WHERE seq = 4")
    for seq in (5, 6, 7):
        await database.tamper("UPDATE events SET seq = seq - 1 WHERE seq = :seq", seq=seq)
    assert "event 4" in await journal.verify()


async def test_events_that_changed_places_are_found(database: Database) -> None:
    journal = await lived(database)
    for old, new in ((2, 100), (3, 2), (100, 3)):
        await database.tamper("UPDATE events SET seq = :new WHERE seq = :old", old=old, new=new)
    assert "event 2" in await journal.verify()


async def test_a_cut_tail_is_found_against_an_anchor_kept_elsewhere(database: Database) -> None:
    journal = await lived(database)
    anchor = await journal.head()
    await database.tamper("DELETE FROM events WHERE seq > 5")
    assert "missing" in await journal.verify()
    kept = (await journal.events())[-1]
    await database.tamper("UPDATE head SET seq = :seq, hash = :hash", seq=kept.seq, hash=kept.hash)
    assert "its events make it awaiting_approval" in await journal.verify()
    await database.tamper("UPDATE writes SET state = 'awaiting_approval' WHERE state = 'approved'")
    assert await journal.verify() == "", "whoever moves all of it along is found by the anchor alone"
    assert "anchor" in await journal.verify(anchor)


async def test_a_journal_that_was_replaced_whole_is_found_against_an_anchor_kept_elsewhere(
    database: Database, tmp_path: Path
) -> None:
    anchor = await (await lived(database)).head()
    other = await Journal.open("", tmp_path / "other")
    try:
        assert await other.verify() == "", "it is whole in itself"
        assert "anchor" in await other.verify(anchor)
    finally:
        await other.aclose()


async def test_a_rewritten_tail_is_found_against_an_anchor_kept_elsewhere(database: Database) -> None:
    journal = await lived(database)
    anchor = await journal.head()
    await database.tamper("DELETE FROM events WHERE seq > 5")
    kept = (await journal.events())[-1]
    await database.tamper("UPDATE head SET seq = :seq, hash = :hash", seq=kept.seq, hash=kept.hash)
    await database.tamper("UPDATE writes SET state = 'awaiting_approval' WHERE state = 'approved'")
    for found in ("none", "several"):
        await journal.note(kept.write_id, Step.LOOKED, {"found": found})
    assert await journal.verify() == ""
    assert "anchor" in await journal.verify(anchor)


@pytest.mark.matrix
@pytest.mark.parametrize(
    ("change", "flaw"),
    [
        ("state = 'approved' WHERE state = 'done'", "its events make it done"),
        ("digest = 'x' WHERE state = 'done'", "its digest"),
        ("plan = replace(plan, 'A write', 'A  write') WHERE state = 'done'", "its plan"),
        ("identity = 'elsewhere' WHERE state = 'done'", "its identity"),
        ("expires_at = expires_at + 1 WHERE state = 'done'", "its expires_at"),
        ("key = 'x' WHERE state = 'done'", "its key"),
        ("asked_by = 'x' WHERE state = 'done'", "its asked_by"),
        ("outcome = '{}' WHERE state = 'done'", "its outcome"),
        ("plan = 'no JSON' WHERE state = 'done'", "it cannot be read"),
    ],
)
async def test_a_row_that_is_not_what_its_events_say_is_found(database: Database, change: str, flaw: str) -> None:
    journal = await lived(database)
    await database.tamper(f"UPDATE writes SET {change}")
    assert flaw in await journal.verify()


async def test_a_row_that_was_removed_and_one_that_was_added_are_found(database: Database) -> None:
    journal = await lived(database)
    await database.tamper("UPDATE writes SET id = 'w1' WHERE state = 'done'")
    assert "w1 was changed: it was never proposed" in await journal.verify()
    await database.tamper("DELETE FROM writes WHERE id = 'w1'")
    assert "is missing" in await journal.verify()


async def test_an_event_is_hashed_as_it_is_stored(database: Database) -> None:
    journal = await lived(database)
    await database.tamper("UPDATE events SET detail = replace(detail, ':', ': ') WHERE seq = 2")
    assert "event 2 (" in await journal.verify(), "JSON that reads the same is not what was written"


async def test_an_anchor_stays_good_while_the_chain_grows(database: Database) -> None:
    journal = await lived(database)
    anchor = await journal.head()
    await database.approved(journal)
    assert await journal.verify(anchor) == ""


@pytest.mark.slow
async def test_a_chain_is_whole_at_every_moment_while_others_write_to_it(database: Database) -> None:
    journal, other = await database.open(), await database.open()
    told: set[str] = set()
    over = anyio.Event()
    noted = await other.propose(database.draft())

    async def write() -> None:
        for number in range(60):
            await other.note(noted.id, Step.LOOKED, {"found": str(number)})
        over.set()

    async with anyio.create_task_group() as group:
        group.start_soon(write)
        while not over.is_set():
            told.add(await journal.verify())
            await anyio.lowlevel.checkpoint()
    assert told == {""}
