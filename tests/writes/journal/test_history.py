"""Looking back, on a real SQLite file and a real PostgreSQL: every write once, in order, with what people decided."""

from typing import Any

import pytest

from fraction_mcp.operations.writes import journal_history
from fraction_mcp.operations.writes.approvers import Decider
from fraction_mcp.operations.writes.states import State, Step
from tests.writes.journal.conftest import Database

pytestmark = pytest.mark.anyio


async def some(database: Database, journal: Any, count: int) -> list[Any]:
    """Writes, two of them asked for in each second."""
    made = []
    for number in range(count):
        database.clock.now += number % 2
        made.append(await journal.propose(database.draft(key=f"k{number}")))
    return made


async def test_pages_hold_every_write_once_the_newest_first(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_history, "AT_ONCE", 2)
    journal = await database.open()
    made = await some(database, journal, 6)
    seen, after = [], None
    for _ in range(4):
        page, after = await journal.history.page(after=after)
        seen += page
        if after is None:
            break
    assert [write.id for write in seen] == [
        write.id for write in sorted(made, key=lambda one: (-one.created_at, one.id))
    ]
    assert (await journal.history.page((State.DONE,))) == ([], None)


async def test_the_latest_are_those_that_changed_last(database: Database) -> None:
    journal = await database.open()
    made = await some(database, journal, 4)
    for write in (made[2], made[0], made[3]):
        database.clock.now += 1
        await journal.decline(write.id, by="a person")
    declined = (State.DECLINED,)
    latest = [write.id for write in await journal.history.latest(declined, skip=0, limit=9)]
    assert latest == [made[3].id, made[0].id, made[2].id]
    (second,) = await journal.history.latest(declined, skip=1, limit=1)
    assert second.id == made[0].id
    without = await journal.history.latest(declined, skip=0, limit=9, without=made[0].id)
    assert [write.id for write in without] == [made[3].id, made[2].id]
    assert await journal.history.count(declined) == 3
    assert await journal.history.count(declined, without=made[0].id) == 2


async def test_what_people_decided_stands_with_each_write_in_order(database: Database) -> None:
    journal = await database.open()
    one, two, three = await some(database, journal, 3)
    await journal.approve(one.id, digest=one.digest, by=Decider("Anna"))
    await journal.decline(one.id, by="Bob", reason="too late")
    await journal.decline(two.id, by="Anna")
    told = await journal.history.decisions([one.id, two.id, three.id])
    assert [(event.kind, event.detail["by"]) for event in told[one.id]] == [
        (Step.APPROVED, "Anna"),
        (Step.CANCELLED, "Bob"),
    ]
    assert [event.kind for event in told[two.id]] == [Step.DECLINED]
    assert told[three.id] == []
    assert await journal.history.decisions([]) == {}
    assert await journal.verify() == ""
